package engine

import (
	"math"
	"slices"

	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/schema"
)

// A read of one row by its full key need not look into files that are older
// than every cell that it wants. stopEarly looks at the row in the newest
// sources, one by one, and leaves out the files that cannot change the answer.
// It pays only where several sources have the row, so one candidate alone is
// read without it.

// plainColumns tells for which reads of a table stopEarly may be tried.
type plainColumns struct {
	clustering int               // columns: 0 or 1, else none may
	ids        []schema.ColumnID // of regular columns with one cell, ascending
	all        bool              // there are no other regular columns
}

func plainOf(def *schema.Table) *plainColumns {
	p := &plainColumns{clustering: len(def.Clustering), all: true}
	for _, c := range def.Clustering {
		if c.Type.Lossy() {
			p.clustering = math.MaxInt // cells hold what the key does not
		}
	}
	for _, c := range def.Regular {
		if c.Type.IsMultiCell() || c.Type.Kind() == schema.KindCounter {
			p.all = false
		} else {
			p.ids = append(p.ids, c.ID)
		}
	}
	slices.Sort(p.ids)
	return p
}

// single tells whether cmd reads at most one row of each key, and of it only
// plain columns.
func (t *table) single(cmd *mutation.ReadCommand) bool {
	if cmd.Keys == nil || cmd.Static || cmd.Digest {
		return false
	}
	p := t.plain.Load()
	switch p.clustering {
	case 0:
	case 1:
		// Both bounds of one value: they differ in the last byte.
		if len(cmd.Slices) != 1 {
			return false
		}
		lo, hi := cmd.Slices[0].Lo, cmd.Slices[0].Hi
		if n := len(lo) - 1; n < 0 || len(hi) != len(lo) || string(lo[:n]) != string(hi[:n]) {
			return false
		}
	default:
		return false
	}
	if cmd.Columns == nil {
		return p.all && len(p.ids) > 0
	}
	for _, id := range cmd.Columns {
		if _, ok := slices.BinarySearch(p.ids, id); !ok {
			return false
		}
	}
	return len(cmd.Columns) > 0
}

// newest keeps of each wanted column the newest timestamp found.
type newest struct {
	columns []schema.ColumnID
	stamps  []int64
	live    []bool // the newest cell of the column is
	missing int
	row     mutation.RowReader
}

func (n *newest) reset(columns []schema.ColumnID) {
	n.columns, n.missing = columns, len(columns)
	n.stamps, n.live = n.stamps[:0], n.live[:0]
	for range columns {
		n.stamps = append(n.stamps, math.MinInt64)
		n.live = append(n.live, false)
	}
}

// older tells whether everything at or below ts is of no account: each wanted
// column has a newer cell, and one of them is live, so that no marker is
// needed to make the row so.
func (n *newest) older(ts int64) bool {
	return n.missing == 0 && slices.Contains(n.live, true) && slices.Min(n.stamps) > ts
}

// add takes in the row of a source.
func (n *newest) add(row []byte, now uint32) bool {
	if n.row.Init(row) != nil || n.row.Deletion.Set {
		return false
	}
	for n.row.NextCell() {
		c := &n.row.Cell
		if c.Flags&mutation.CellKey != 0 {
			return false
		}
		i, ok := slices.BinarySearch(n.columns, c.Column)
		if !ok || c.Timestamp < n.stamps[i] {
			continue
		}
		live := c.Live(now)
		if c.Timestamp == n.stamps[i] {
			n.live[i] = n.live[i] && live // one of them wins
			continue
		}
		if n.stamps[i] == math.MinInt64 {
			n.missing--
		}
		n.stamps[i], n.live[i] = c.Timestamp, live
	}
	return n.row.Err() == nil
}

// stopEarly cuts the candidates, newest first, where the rest is older than
// what the sources before have of the row.
func (r *reader) stopEarly(key *mutation.Key) {
	if !r.single {
		return
	}
	columns := r.cmd.Columns
	if columns == nil {
		columns = r.table.plain.Load().ids
	}
	n := &r.newest
	n.reset(columns)
	for i, s := range r.sources {
		ok := r.look(s)
		// The iterator starts anew. What Close lets go is in the view still.
		it := r.mems[i]
		it.Close()
		it.InitKey(r.holders[i], key.Token, key.Key, r.cmd.Reverse)
		if !ok {
			return
		}
	}
	for i, f := range r.candidates {
		if n.older(f.Properties().MaxTimestamp) {
			clear(r.candidates[i:])
			r.candidates = r.candidates[:i]
			return
		}
		if i == len(r.candidates)-1 {
			return // there is nothing to leave out any more
		}
		it := r.fileIter()
		r.openFile(it, f)
		ok := r.look(it)
		if r.err == nil {
			r.err = it.Err()
		}
		it.Close()
		r.usedTab--
		if !ok || r.err != nil {
			return
		}
	}
}

// look takes in what a source has of the row; false ends the looking.
func (r *reader) look(s mutation.Source) bool {
	if !s.NextPartition() {
		return true
	}
	if s.Partition().Deletion.Set {
		return false
	}
	var from []byte
	if len(r.cmd.Slices) == 1 {
		if from = r.cmd.Slices[0].Lo; r.cmd.Reverse {
			from = r.cmd.Slices[0].Hi
		}
	}
	s.Seek(from)
	if s.Open().Set {
		return false
	}
	if !s.Next() {
		return true
	}
	it := s.Item()
	if it.Kind != mutation.ItemRow {
		return false
	}
	if len(r.cmd.Slices) == 1 && !within(it.Clustering, r.cmd.Slices[0]) {
		return true
	}
	return r.newest.add(it.Row, r.cmd.Now)
}

func within(clustering []byte, s mutation.Slice) bool {
	return string(clustering) >= string(s.Lo) && (len(s.Hi) == 0 || string(clustering) < string(s.Hi))
}
