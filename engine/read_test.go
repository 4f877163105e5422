package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/mutation/mutationtest"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

func keyOf(k string) mutation.Key {
	return mutation.Key{Token: ring.Murmur3([]byte(k)), Key: []byte(k)}
}

// rowSlice is the slice that holds row c alone.
func rowSlice(c int64) mutation.Slice {
	return mutation.Slice{Lo: schema.BoundBefore(ck(c)), Hi: schema.BoundAfter(ck(c))}
}

// pointRead is a read of row c of a partition.
func pointRead(key string, c int64) *mutation.ReadCommand {
	return &mutation.ReadCommand{
		Table: table0, Now: 1000, Keys: []mutation.Key{keyOf(key)},
		Columns: []schema.ColumnID{3}, Slices: []mutation.Slice{rowSlice(c)},
	}
}

// readRow reads the one row that cmd asks for.
func readRow(t testing.TB, e *Engine, cmd *mutation.ReadCommand) string {
	t.Helper()
	src, err := e.Read(context.Background(), cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if !src.NextPartition() {
		return ""
	}
	src.Seek(cmd.Slices[0].Lo)
	out := ""
	if src.Next() && src.Item().Kind == mutation.ItemRow && within(src.Item().Clustering, cmd.Slices[0]) {
		out = strings.TrimSpace(mutationtest.Row(src.Item().Row))
	}
	if src.Err() != nil {
		t.Fatal(src.Err())
	}
	return out
}

// filesRead counts the files that a read opens.
func filesRead(t testing.TB, e *Engine, cmd *mutation.ReadCommand) int {
	t.Helper()
	src, err := e.Read(context.Background(), cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	src.NextPartition()
	return src.(*reader).usedTab
}

func TestReadStopsEarly(t *testing.T) {
	e := mustOpen(t, testOptions(t, vfs.NewMem(), "/d", 1))
	defer e.Close()
	for i := range int64(4) {
		apply(t, e, insert(0, "p", 1, 10*i+10, fmt.Sprint("v", i)), insert(0, "p", 2, 10*i+11, "other"))
		flush(t, e)
	}
	if got, want := readRow(t, e, pointRead("p", 1)), `marker @40 | 3 @40 ="v3"`; !strings.Contains(got, `3 @40 ="v3"`) {
		t.Errorf("%q, want %q", got, want)
	}
	if n := filesRead(t, e, pointRead("p", 1)); n != 1 {
		t.Errorf("%d files read, want 1", n)
	}
	all := pointRead("p", 1)
	all.Columns = nil
	if n := filesRead(t, e, all); n != 1 {
		t.Errorf("all columns: %d files read, want 1", n)
	}
	// In memory.
	apply(t, e, insert(0, "p", 1, 100, "memory"))
	if n := filesRead(t, e, pointRead("p", 1)); n != 0 {
		t.Errorf("%d files read with a newer row in memory", n)
	}
	// A tombstone needs the marker of an older file.
	var b mutation.Builder
	k := keyOf("p")
	b.Begin(nil, mutation.Header{Table: table0, Timestamp: 200, Token: k.Token, Key: k.Key})
	b.BeginRow(ck(1))
	b.Cell(mutation.Cell{Column: 3, Flags: mutation.CellTombstone, LocalTime: 5, Timestamp: 200})
	b.EndRow()
	apply(t, e, b.Finish())
	if n := filesRead(t, e, pointRead("p", 1)); n != 4 {
		t.Errorf("%d files read for a cell that is deleted, want 4", n)
	}
	if got := readRow(t, e, pointRead("p", 1)); !strings.Contains(got, "marker @100") {
		t.Errorf("%q", got)
	}
	slice := pointRead("p", 1)
	slice.Slices[0].Hi = schema.BoundAfter(ck(2))
	if n := filesRead(t, e, slice); n != 4 {
		t.Errorf("slice: %d files read, want 4", n)
	}
}

func TestReadSkipsFiles(t *testing.T) {
	e := mustOpen(t, testOptions(t, vfs.NewMem(), "/d", 1))
	defer e.Close()
	for i := range int64(4) {
		for c := range int64(5) {
			apply(t, e, insert(0, "p", 10*i+c, 1, "v"))
		}
		flush(t, e)
	}
	slice := func(lo, hi int64) *mutation.ReadCommand {
		return &mutation.ReadCommand{Table: table0, Keys: []mutation.Key{keyOf("p")},
			Slices: []mutation.Slice{{Lo: schema.BoundBefore(ck(lo)), Hi: schema.BoundAfter(ck(hi))}}}
	}
	for _, c := range []struct {
		lo, hi int64
		want   int
	}{{0, 3, 1}, {4, 9, 1}, {5, 9, 0}, {4, 10, 2}, {0, 100, 4}, {50, 60, 0}, {-5, -1, 0}} {
		if n := filesRead(t, e, slice(c.lo, c.hi)); n != c.want {
			t.Errorf("%d to %d: %d files read, want %d", c.lo, c.hi, n, c.want)
		}
	}
	// A range deletion to the end of the partition lies in no place above.
	var b mutation.Builder
	k := keyOf("p")
	b.Begin(nil, mutation.Header{Table: table0, Timestamp: 5, Token: k.Token, Key: k.Key})
	b.DeleteRange(schema.BoundBefore(ck(20)), nil, mutation.Deletion{Timestamp: 5, LocalTime: 1, Set: true})
	apply(t, e, b.Finish())
	flush(t, e)
	if n := filesRead(t, e, slice(33, 60)); n != 2 {
		t.Errorf("%d files read, want the rows' and the deletion's", n)
	}
	for c := int64(0); c < 35; c++ {
		cmd := pointRead("p", c)
		if got := readRow(t, e, cmd); (got != "") != (c%10 < 5 && c < 20) {
			t.Errorf("row %d: %q", c, got)
		}
	}
	// By token.
	far := &mutation.PartitionBound{Token: k.Token + 1}
	if n := filesRead(t, e, &mutation.ReadCommand{Table: table0, Range: mutation.PartitionRange{Start: far}}); n != 0 {
		t.Errorf("%d files read of a range that none is in", n)
	}
}

func TestTryRead(t *testing.T) {
	e := mustOpen(t, testOptions(t, vfs.NewMem(), "/d", 1))
	defer e.Close()
	for c := range int64(2 * tryItems) {
		apply(t, e, insert(0, "p", c, 1, "v"))
	}
	try := func(cmd *mutation.ReadCommand) (n int, err error) {
		src, err := e.TryRead(cmd)
		if err != nil {
			return 0, err
		}
		defer src.Close()
		for src.NextPartition() {
			src.Seek(nil)
			for src.Next() {
				n++
			}
		}
		return n, src.Err()
	}
	whole := &mutation.ReadCommand{Table: table0, Keys: []mutation.Key{keyOf("p")}}
	if n, err := try(whole); !errors.Is(err, mutation.ErrWouldBlock) || n > tryItems {
		t.Errorf("a long read: %d items, %v", n, err)
	}
	if _, err := try(&mutation.ReadCommand{Table: table0}); !errors.Is(err, mutation.ErrWouldBlock) {
		t.Errorf("a range: %v", err)
	}
	if _, err := try(&mutation.ReadCommand{Table: table0, Keys: make([]mutation.Key, 100)}); !errors.Is(err, mutation.ErrWouldBlock) {
		t.Errorf("many keys: %v", err)
	}
	apply(t, e, insert(0, "q", 1, 1, "v"))
	small := &mutation.ReadCommand{Table: table0, Keys: []mutation.Key{keyOf("q")}}
	if n, err := try(small); n != 1 || err != nil {
		t.Errorf("a short read: %d, %v", n, err)
	}
	flush(t, e)
	if got := dump(t, e, 0, "q"); len(got) != 1 {
		t.Error(got)
	}
	if n, err := try(small); n != 1 || err != nil {
		t.Errorf("a cached read: %d, %v", n, err)
	}
}

// TestTryReadOfDisk answers would block for what is not in memory.
func TestTryReadOfDisk(t *testing.T) {
	o := testOptions(t, vfs.NewMem(), "/d", 1)
	o.Access = AccessDirect
	e := mustOpen(t, o)
	apply(t, e, insert(0, "q", 1, 1, "v"))
	flush(t, e)
	e.Close()
	e = mustOpen(t, o)
	defer e.Close()
	for i, want := range []error{mutation.ErrWouldBlock, nil} {
		src, err := e.TryRead(&mutation.ReadCommand{Table: table0, Keys: []mutation.Key{keyOf("q")}})
		if err != nil {
			t.Fatal(err)
		}
		got := src.NextPartition()
		if got != (want == nil) || !errors.Is(src.Err(), want) {
			t.Errorf("try %d: %t, %v", i, got, src.Err())
		}
		src.Close()
		dump(t, e, 0, "q")
	}
}
