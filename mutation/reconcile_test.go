package mutation_test

import (
	"bytes"
	"testing"

	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/mutation/mutationtest"
	"github.com/ilion-db/ilion/schema"
	"pgregory.net/rapid"
)

var cellGen = rapid.Custom(func(t *rapid.T) mutation.Cell {
	c := mutation.Cell{
		Column:    schema.ColumnID(rapid.IntRange(1, 3).Draw(t, "column")),
		Timestamp: rapid.Int64Range(0, 4).Draw(t, "ts"),
		Value:     rapid.SliceOfN(rapid.Byte(), 0, 2).Draw(t, "value"),
		LocalTime: rapid.Uint32Range(10, 12).Draw(t, "local"),
		TTL:       rapid.Uint32Range(1, 2).Draw(t, "ttl"),
		Path:      rapid.SliceOfN(rapid.ByteRange(0, 1), 0, 1).Draw(t, "path"),
	}
	c.Flags = mutation.CellFlags(rapid.IntRange(0, 63).Draw(t, "flags"))
	return c
})

var deletionGen = rapid.Custom(func(t *rapid.T) mutation.Deletion {
	return mutation.Deletion{
		Timestamp: rapid.Int64Range(-1, 4).Draw(t, "ts"),
		LocalTime: rapid.Uint32Range(10, 12).Draw(t, "local"),
		Set:       rapid.Bool().Draw(t, "set"),
	}
})

// rowOf encodes one row; nil if it is empty.
func rowOf(m mutation.Marker, d mutation.Deletion, cells ...mutation.Cell) []byte {
	var b mutation.Builder
	b.Begin(nil, mutation.Header{})
	b.BeginRow(nil)
	b.Marker(m)
	b.DeleteRow(d)
	for _, c := range cells {
		b.Cell(c)
	}
	b.EndRow()
	r := b.Finish()
	e := r.Entries()
	if !e.Next() {
		return nil
	}
	return e.Row
}

var rowGen = rapid.Custom(func(t *rapid.T) []byte {
	var m mutation.Marker
	if rapid.Bool().Draw(t, "marker") {
		m = mutation.Marker{Timestamp: rapid.Int64Range(0, 4).Draw(t, "marker ts"), Set: true}
		if rapid.Bool().Draw(t, "expires") {
			m.TTL = rapid.Uint32Range(1, 2).Draw(t, "ttl")
			m.Expiry = rapid.Uint32Range(10, 12).Draw(t, "expiry")
		}
	}
	cells := rapid.SliceOfN(cellGen, 0, 6).Draw(t, "cells")
	r := rowOf(m, deletionGen.Draw(t, "deletion"), cells...)
	if r == nil {
		return rowOf(mutation.Marker{Timestamp: 1, Set: true}, mutation.Deletion{})
	}
	return r
})

func merge(t *rapid.T, cover mutation.Deletion, rows ...[]byte) []byte {
	var kept [][]byte
	for _, r := range rows {
		if len(r) > 0 {
			kept = append(kept, r)
		}
	}
	var rec mutation.Reconciler
	out, err := rec.Merge(nil, cover, kept...)
	if err != nil {
		t.Fatal(err)
	}
	if len(out) > 0 {
		if err := mutation.CheckRow(out); err != nil {
			t.Fatalf("%v: %x", err, out)
		}
	}
	return out
}

func TestReconcileIsASemilattice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(rowGen, 1, 5).Draw(t, "rows")
		cover := deletionGen.Draw(t, "cover")
		none := mutation.Deletion{}
		for _, r := range rows {
			if err := mutation.CheckRow(r); err != nil {
				t.Fatalf("%v: %x", err, r)
			}
			if got := merge(t, none, r, r, r); !bytes.Equal(got, r) {
				t.Fatalf("not idempotent: %s became %s", mutationtest.Row(r), mutationtest.Row(got))
			}
		}
		want := merge(t, cover, rows...)
		perm := rapid.Permutation(rows).Draw(t, "order")
		cut := rapid.IntRange(0, len(rows)).Draw(t, "cut")
		left := merge(t, rapid.SampledFrom([]mutation.Deletion{none, cover}).Draw(t, "left cover"), perm[:cut]...)
		right := merge(t, none, perm[cut:]...)
		if got := merge(t, cover, right, left, rows[0]); !bytes.Equal(got, want) {
			t.Fatalf("grouped: %s\nat once: %s", mutationtest.Row(got), mutationtest.Row(want))
		}
	})
}

func TestTies(t *testing.T) {
	plain := mutation.Cell{Column: 1, Timestamp: 5, Value: []byte("b")}
	cells := []mutation.Cell{ // each wins over all before it
		{Column: 1, Timestamp: 4, Flags: mutation.CellTombstone, LocalTime: 99},
		{Column: 1, Timestamp: 5, Value: []byte("a")},
		plain,
		{Column: 1, Timestamp: 5, Value: []byte("ba")},
		{Column: 1, Timestamp: 5, Value: []byte("\xff")},
		{Column: 1, Timestamp: 5, Flags: mutation.CellExpiring, LocalTime: 20, TTL: 10, Value: []byte("z")},
		{Column: 1, Timestamp: 5, Flags: mutation.CellExpiring, LocalTime: 20, TTL: 9, Value: []byte("a")},
		{Column: 1, Timestamp: 5, Flags: mutation.CellExpiring, LocalTime: 20, TTL: 9, Value: []byte("b")},
		{Column: 1, Timestamp: 5, Flags: mutation.CellExpiring, LocalTime: 21, TTL: 30, Value: []byte("a")},
		{Column: 1, Timestamp: 5, Flags: mutation.CellTombstone, LocalTime: 3},
		{Column: 1, Timestamp: 5, Flags: mutation.CellTombstone, LocalTime: 4},
		{Column: 1, Timestamp: 6, Value: []byte("a")},
	}
	var rec mutation.Reconciler
	for i := range cells {
		for j := range cells {
			a := rowOf(mutation.Marker{}, mutation.Deletion{}, cells[i])
			b := rowOf(mutation.Marker{}, mutation.Deletion{}, cells[j])
			got, err := rec.Merge(nil, mutation.Deletion{}, a, b)
			if err != nil {
				t.Fatal(err)
			}
			want := a
			if j > i {
				want = b
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%d against %d: got%s, want%s", i, j, mutationtest.Row(got), mutationtest.Row(want))
			}
			if built := rowOf(mutation.Marker{}, mutation.Deletion{}, cells[i], cells[j]); !bytes.Equal(built, want) {
				t.Errorf("built %d and %d: got%s, want%s", i, j, mutationtest.Row(built), mutationtest.Row(want))
			}
		}
	}
}

func TestDeletionCoversItsOwnTimestamp(t *testing.T) {
	row := rowOf(mutation.Marker{Timestamp: 5, Set: true}, mutation.Deletion{},
		mutation.Cell{Column: 1, Timestamp: 5, Value: []byte("x")},
		mutation.Cell{Column: 2, Timestamp: 6, Value: []byte("y")})
	deleted := rowOf(mutation.Marker{}, mutation.Deletion{Timestamp: 5, LocalTime: 1, Set: true})
	var rec mutation.Reconciler
	got, err := rec.Merge(nil, mutation.Deletion{}, row, deleted)
	if err != nil {
		t.Fatal(err)
	}
	if s := mutationtest.Row(got); s != ` deleted @5/1 | 2 @6 ="y"` {
		t.Errorf("got%s", s)
	}
}

func TestCollectionDeletion(t *testing.T) {
	path := func(ts int64, p, v string) mutation.Cell {
		return mutation.Cell{Column: 4, Timestamp: ts, Flags: mutation.CellPath, Path: []byte(p), Value: []byte(v)}
	}
	old := rowOf(mutation.Marker{}, mutation.Deletion{}, path(3, "a", "1"), path(4, "b", "1"),
		path(6, "c", "1"), mutation.Cell{Column: 5, Timestamp: 1, Value: []byte("other")})
	overwrite := rowOf(mutation.Marker{}, mutation.Deletion{}, path(5, "b", "2"),
		mutation.Cell{Column: 4, Timestamp: 4, LocalTime: 9, Flags: mutation.CellCollection | mutation.CellTombstone})
	var rec mutation.Reconciler
	got, err := rec.Merge(nil, mutation.Deletion{}, old, overwrite)
	if err != nil {
		t.Fatal(err)
	}
	const want = ` | 4 @4 collection deleted/9 | 4["b"] @5 ="2" | 4["c"] @6 ="1" | 5 @1 ="other"`
	if s := mutationtest.Row(got); s != want {
		t.Errorf("got %s\nwant%s", s, want)
	}
}
