package compaction

import (
	"cmp"
	"slices"

	"github.com/ilion-db/ilion/ring"
)

// pickUnified returns the merges that UCS wants among tables of one group.
func (s *State) pickUnified(o *Options, tables []*TableInfo) []candidate {
	var all []candidate
	for level, members := range s.levels(o, tables) {
		threshold := o.threshold(level)
		for _, b := range buckets(overlapSets(members), threshold, o.Overlap) {
			b.level = level
			b.tables = oldestFirst(b.tables, o.MaxInputs)
			b.shards = o.shards(s, b.tables...)
			all = append(all, b)
		}
	}
	return all
}

// levels sorts tables by density into levels. The first level ends a little
// below a fanout of the flush size, so that flushes that come out small do not
// take part in merges more often than planned.
func (s *State) levels(o *Options, tables []*TableInfo) [][]*TableInfo {
	sorted := slices.Clone(tables)
	slices.SortStableFunc(sorted, func(a, b *TableInfo) int { return cmp.Compare(s.density(a), s.density(b)) })
	flush := o.FlushSize
	if flush == 0 {
		flush = max(s.FlushSize, 1<<20)
	}
	f := float64(o.fanout(0))
	limit := float64(flush) * (1 - 0.9/f) * f
	levels := [][]*TableInfo{nil}
	for _, t := range sorted {
		for s.density(t) >= limit {
			limit *= float64(o.fanout(len(levels)))
			levels = append(levels, nil)
		}
		top := len(levels) - 1
		levels[top] = append(levels[top], t)
	}
	return levels
}

// overlapSets returns the sets of tables that lie over one token, the largest
// ones only, in the order of tokens.
func overlapSets(tables []*TableInfo) [][]*TableInfo {
	byFirst := slices.Clone(tables)
	slices.SortStableFunc(byFirst, func(a, b *TableInfo) int { return cmp.Compare(a.First, b.First) })
	var sets [][]*TableInfo
	var active []*TableInfo
	grown := false
	for _, t := range byFirst {
		ended := func(x *TableInfo) bool { return x.Last < t.First }
		if slices.ContainsFunc(active, ended) {
			if grown {
				sets = append(sets, slices.Clone(active))
			}
			active = slices.DeleteFunc(active, ended)
		}
		active = append(active, t)
		grown = true
	}
	if grown {
		sets = append(sets, active)
	}
	return sets
}

// buckets makes a candidate of every set of at least threshold tables, with
// the neighbouring sets that share tables with it as inclusion says.
func buckets(sets [][]*TableInfo, threshold int, inclusion Overlap) []candidate {
	var all []candidate
	for i := 0; i < len(sets); {
		if len(sets[i]) < threshold {
			i++
			continue
		}
		from, to := i, i+1
		for inclusion != OverlapNone && to < len(sets) && share(sets[to-1], sets[to]) &&
			(inclusion == OverlapTransitive || share(sets[i], sets[to])) {
			to++
		}
		for inclusion != OverlapNone && from > 0 && share(sets[from], sets[from-1]) &&
			(inclusion == OverlapTransitive || share(sets[i], sets[from-1])) {
			from--
		}
		var c candidate
		for _, set := range sets[from:to] {
			c.overlap = max(c.overlap, len(set))
			for _, t := range set {
				if !slices.Contains(c.tables, t) {
					c.tables = append(c.tables, t)
				}
			}
		}
		all = append(all, c)
		i = to
	}
	return all
}

func share(a, b []*TableInfo) bool {
	return slices.ContainsFunc(a, func(t *TableInfo) bool { return slices.Contains(b, t) })
}

// oldestFirst returns the tables or, if there are more than most, the oldest.
func oldestFirst(tables []*TableInfo, most int) []*TableInfo {
	if len(tables) <= most {
		return tables
	}
	sorted := slices.Clone(tables)
	slices.SortStableFunc(sorted, func(a, b *TableInfo) int {
		return cmp.Or(cmp.Compare(a.MaxTimestamp, b.MaxTimestamp), cmp.Compare(a.ID, b.ID))
	})
	return sorted[:most]
}

// ShardsOf returns the cuts for the output of a task over its tables.
func ShardsOf(s *State, task *Task) []ring.Token {
	first, last := ring.Token(0), ring.MinToken
	for i := range s.Tables {
		t := &s.Tables[i]
		if !slices.Contains(task.Tables, t.ID) {
			continue
		}
		if last == ring.MinToken {
			first = t.First
		}
		first, last = min(first, t.First), max(last, t.Last)
	}
	return Cuts(task.Shards, first, last)
}
