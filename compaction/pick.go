package compaction

import (
	"cmp"
	"math"
	"slices"

	"github.com/ilion-db/ilion/internal/invariant"
)

// Pick returns what to do, the most urgent first. No two tasks share a table.
func Pick(o *Options, s *State) []Task {
	if !o.Enabled {
		return nil
	}
	var tasks []Task
	taken := make(map[uint64]bool)
	if dead := s.expired(o); len(dead) > 0 {
		tasks = append(tasks, Task{Kind: DropExpired, Tables: s.ids(dead), Shards: 1})
		for _, t := range dead {
			taken[t.ID] = true
		}
	}
	var merges []candidate
	for _, g := range groups(s.idle(taken)) {
		if o.Strategy == TimeWindow {
			merges = append(merges, s.pickWindows(o, g)...)
		} else {
			merges = append(merges, s.pickUnified(o, g)...)
		}
	}
	slices.SortStableFunc(merges, candidate.before)
	for _, c := range merges {
		if !slices.ContainsFunc(c.tables, func(t *TableInfo) bool { return taken[t.ID] }) {
			for _, t := range c.tables {
				taken[t.ID] = true
			}
			tasks = append(tasks, Task{Kind: Merge, Tables: s.ids(c.tables), Level: c.level, Shards: c.shards})
		}
	}
	tasks = append(tasks, s.pickTombstones(o, taken)...)
	if invariant.Enabled {
		s.check(tasks)
	}
	return tasks
}

// check holds what Pick promises.
func (s *State) check(tasks []Task) {
	seen := make(map[uint64]bool)
	for _, task := range tasks {
		var of *TableInfo
		for i := range s.Tables {
			t := &s.Tables[i]
			if !slices.Contains(task.Tables, t.ID) {
				continue
			}
			invariant.Check(!t.Busy && !seen[t.ID], "compaction: table %d is in two tasks", t.ID)
			seen[t.ID] = true
			invariant.Check(task.Kind == DropExpired || of == nil || of.group() == t.group(), "compaction: tables %d and %d must not meet", t.ID, idOf(of))
			of = t
		}
	}
}

func idOf(t *TableInfo) uint64 {
	if t == nil {
		return 0
	}
	return t.ID
}

// idle returns the tables that are neither busy nor taken.
func (s *State) idle(taken map[uint64]bool) []*TableInfo {
	var idle []*TableInfo
	for i := range s.Tables {
		if t := &s.Tables[i]; !t.Busy && !taken[t.ID] {
			idle = append(idle, t)
		}
	}
	return idle
}

// candidate is a merge that could be done.
type candidate struct {
	tables  []*TableInfo
	level   int
	overlap int   // files over one token
	window  int64 // TWCS: of the files
	shards  int
}

// before orders by urgency: newest window, then most overlap, then lowest
// level.
func (c candidate) before(d candidate) int {
	return cmp.Or(cmp.Compare(d.window, c.window), cmp.Compare(d.overlap, c.overlap),
		cmp.Compare(c.level, d.level))
}

// pickTombstones looks for the table with the most droppable tombstones.
func (s *State) pickTombstones(o *Options, taken map[uint64]bool) []Task {
	var best *TableInfo
	for _, t := range s.idle(taken) {
		if s.worthPurging(o, t) && (best == nil || t.Droppable > best.Droppable) {
			best = t
		}
	}
	if best == nil {
		return nil
	}
	return []Task{{Kind: PurgeTombstones, Tables: []uint64{best.ID}, Shards: o.shards(s, best)}}
}

// Major returns tasks that merge everything, one for each group of tables that
// may be merged.
func Major(o *Options, s *State) []Task {
	var tasks []Task
	for _, g := range groups(s.idle(nil)) {
		tasks = append(tasks, Task{Kind: Merge, Tables: s.ids(g), Shards: o.shards(s, g...)})
	}
	return tasks
}

// shards is the number of parts of the token space into which the output of a
// task is cut: as many as keep files near the target size, but where growth
// says so files grow as well.
func (o *Options) shards(s *State, tables ...*TableInfo) int {
	if o.Strategy == TimeWindow {
		return 1
	}
	d := s.density(tables...)
	base := float64(o.BaseShards)
	if o.MinSize > 0 && d < float64(o.MinSize)*base {
		// Less than the base, so that files are not below the least size.
		n := 1
		for n*2 <= o.BaseShards && d >= float64(o.MinSize)*float64(2*n) {
			n *= 2
		}
		return n
	}
	target := float64(o.TargetSize) * base
	if d < target {
		return o.BaseShards
	}
	doublings := math.Round((1 - o.Growth) * math.Log2(d/target))
	return min(o.BaseShards<<int(min(doublings, 16)), maxShards)
}
