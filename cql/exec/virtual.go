package exec

import (
	"bytes"
	"slices"

	"github.com/ilion-db/ilion/cql/plan"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// RowSource yields the rows of a virtual table, each with a value for every
// column in the order of schema.Table.Columns; nil is null. Rows come in the
// order they shall have; a row is valid until the next one.
type RowSource interface {
	Next() (row [][]byte, ok bool)
	Err() error
}

// SliceSource is a RowSource of rows that are there already.
type SliceSource struct {
	Rows [][][]byte
	at   int
}

// Next implements RowSource.
func (s *SliceSource) Next() ([][]byte, bool) {
	if s.at >= len(s.Rows) {
		return nil, false
	}
	s.at++
	return s.Rows[s.at-1], true
}

// Err implements RowSource.
func (s *SliceSource) Err() error { return nil }

// PageVirtual is Page for a virtual table: every condition filters rows. The
// place in a paging state is the number of rows passed.
func (r *Reader) PageVirtual(q *plan.Query, src RowSource, dst []byte) ([]byte, Result, error) {
	r.begin(q, dst)
	t := q.Select.Table
	at := virtualSlots(q.Select)
	if q.Select.Reverse {
		src = reversed(src, t)
	}
	passed := uint64(0)
	var p mutation.Partition
	var key []byte // of the last row
	if r.resumed {
		key, r.inPartition, r.rowsSeen = r.from.key, r.from.inPartition, r.from.flags&flagRowsSeen != 0
	}
	first := !r.resumed
	for values, ok := src.Next(); ok && !r.stop; values, ok = src.Next() {
		passed++
		if r.resumed && passed <= r.from.skip {
			continue
		}
		r.row.virtual(t, at, values)
		if first || !bytes.Equal(key, r.row.arena) {
			key = bytes.Clone(r.row.arena)
			r.inPartition, r.rowsSeen, first = q.PerPartitionLimit, false, false
		}
		p.Key = key
		if r.partitionDone() {
			continue
		}
		r.rowsSeen = true
		if err := r.emit(&p, nil); err != nil {
			return dst, Result{}, err
		}
		if r.full && !r.stop && r.end.skip == 0 {
			r.end.skip = passed
		}
	}
	if err := src.Err(); err != nil {
		return dst, Result{}, err
	}
	r.end.flags |= flagVirtual
	return r.finish()
}

// virtualSlots is the slot of each column in the order of the rows, or -1.
func virtualSlots(sel *plan.Select) []int {
	cols := sel.Table.Columns()
	out := make([]int, len(cols))
	for i, col := range cols {
		out[i] = slices.Index(sel.Slots, col)
	}
	return out
}

func (r *row) virtual(t *schema.Table, at []int, values [][]byte) {
	for i, s := range at {
		if s >= 0 && i < len(values) {
			r.slots[s].value = values[i]
		}
	}
	n := len(t.PartitionKey)
	if key, err := schema.AppendPartitionKey(r.arena[:0], values[:min(n, len(values))]); err == nil {
		r.arena = key
		r.token = ring.Murmur3(key)
	}
}

// reversed turns the rows of each run with one partition key around.
func reversed(src RowSource, t *schema.Table) RowSource {
	var rows [][][]byte
	start := 0
	for v, ok := src.Next(); ok; v, ok = src.Next() {
		v = slices.Clone(v)
		if len(rows) > 0 && !slices.EqualFunc(v[:len(t.PartitionKey)], rows[start][:len(t.PartitionKey)],
			func(a, b []byte) bool { return string(a) == string(b) }) {
			slices.Reverse(rows[start:])
			start = len(rows)
		}
		rows = append(rows, v)
	}
	if len(rows) > 0 {
		slices.Reverse(rows[start:])
	}
	return &SliceSource{Rows: rows}
}
