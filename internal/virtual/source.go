package virtual

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// source is an exec.RowSource over rows that are there or are made a unit, a
// piece of the table, at a time.
type source struct {
	ctx   context.Context
	rows  [][][]byte
	at    int
	units []unit
	err   error
}

// unit appends the rows of a piece of a table.
type unit func(rows [][][]byte) [][][]byte

// Next implements exec.RowSource.
func (s *source) Next() ([][]byte, bool) {
	for s.at >= len(s.rows) {
		if len(s.units) == 0 || s.err != nil {
			return nil, false
		}
		if s.err = s.ctx.Err(); s.err != nil {
			return nil, false
		}
		// Rows that were given out stay valid: who reads may turn them around.
		s.rows, s.at = s.units[0](s.rows[:0]), 0
		s.units = s.units[1:]
	}
	s.at++
	return s.rows[s.at-1], true
}

// Err implements exec.RowSource.
func (s *source) Err() error { return s.err }

// arrange brings the rows into the order of the table's columns and of its
// primary key. Of rows with one key the last one stays, and rows without a
// key are left out.
func arrange(t *schema.Table, rows []Row) [][][]byte {
	cols := t.Columns()
	keys := len(t.PartitionKey) + len(t.Clustering)
	out := make([][][]byte, 0, len(rows))
	tokens := make(map[*[]byte]ring.Token, len(rows))
	byToken := !isVirtualKeyspace(t.Keyspace)
	for _, row := range rows {
		values := make([][]byte, len(cols))
		for i, c := range cols {
			values[i] = row[c.Name]
		}
		if slices.ContainsFunc(values[:keys], func(v []byte) bool { return v == nil }) {
			continue
		}
		if byToken {
			key, err := schema.AppendPartitionKey(nil, values[:len(t.PartitionKey)])
			if err != nil {
				continue
			}
			tokens[&values[0]] = ring.Murmur3(key)
		}
		out = append(out, values)
	}
	order := func(a, b [][]byte) int {
		if c := cmp.Compare(tokens[&a[0]], tokens[&b[0]]); c != 0 {
			return c
		}
		return compareKeys(cols[:keys], a, b)
	}
	slices.SortStableFunc(out, order)
	return lastOfEqual(out, order)
}

func compareKeys(cols []*schema.Column, a, b [][]byte) int {
	for i, c := range cols {
		d := c.Type.Compare(a[i], b[i])
		if d == 0 && c.Kind == schema.PartitionKey {
			d = bytes.Compare(a[i], b[i])
		}
		if d == 0 {
			continue
		}
		if c.Desc {
			return -d
		}
		return d
	}
	return 0
}

func lastOfEqual(rows [][][]byte, order func(a, b [][]byte) int) [][][]byte {
	n := 0
	for i, row := range rows {
		if i+1 < len(rows) && order(row, rows[i+1]) == 0 {
			continue
		}
		rows[n] = row
		n++
	}
	return rows[:n]
}

// isVirtualKeyspace tells the keyspaces that are virtual in Cassandra: their
// partitions are ordered by key.
func isVirtualKeyspace(name string) bool {
	return name == viewsKeyspace.name || name == virtualSchemaKeyspace.name
}
