package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/sstable"
)

var table1 = schema.TableID{15: 2}

func all(schema.TableID) bool { return true }

// What was in a snapshot comes back after a TRUNCATE, by an import, and is there
// after a start.
func TestSnapshotAndImport(t *testing.T) {
	ctx := context.Background()
	o := testOptions(t, vfs.NewMem(), "/d", 2)
	e := mustOpen(t, o)
	apply(t, e, insert(0, "p", 1, 1, "a"), insert(0, "q", 1, 1, "b"), insert(1, "p", 1, 1, "other"))
	flush(t, e)
	apply(t, e, insert(0, "p", 2, 2, "c")) // in memory
	wantP, wantQ := dump(t, e, 0, "p"), dump(t, e, 0, "q")
	if err := e.Snapshot(table0, "monday"); err != nil {
		t.Fatal(err)
	}
	if err := e.Snapshot(table0, "monday"); err == nil || !strings.Contains(err.Error(), "there is a snapshot") {
		t.Errorf("a tag was given twice: %v", err)
	}
	list, err := e.Snapshots()
	if err != nil || len(list) != 1 || list[0].Tag != "monday" || list[0].Table != table0 || list[0].Bytes == 0 || list[0].Own != 0 {
		t.Fatalf("snapshots: %+v, %v", list, err)
	}
	if err := e.Truncate(ctx, table0, 1, 1); err != nil {
		t.Fatal(err)
	}
	if list, err = e.Snapshots(); err != nil || list[0].Own != list[0].Bytes {
		t.Errorf("after a TRUNCATE: %+v, %v", list, err)
	}
	dir := "/d/snapshots/monday/" + tableDir(table0)
	n, err := e.Import(ctx, table0, dir)
	if err != nil || n != 2 {
		t.Fatalf("%d files were added: %v", n, err)
	}
	apply(t, e, insert(0, "q", 1, 3, "newer"))
	newer := dump(t, e, 0, "q")
	check := func(e *Engine) {
		t.Helper()
		if got := dump(t, e, 0, "p"); !slices.Equal(got, wantP) {
			t.Errorf("p is %v, want %v", got, wantP)
		}
		if got := dump(t, e, 0, "q"); !slices.Equal(got, newer) || slices.Equal(got, wantQ) {
			t.Errorf("q is %v, want %v", got, newer)
		}
	}
	check(e)
	// The same again changes nothing: older rows do not show.
	if _, err := e.Import(ctx, table0, dir); err != nil {
		t.Fatal(err)
	}
	check(e)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = mustOpen(t, o)
	check(e)
	if err := e.DropSnapshot("monday", all); err != nil {
		t.Fatal(err)
	}
	check(e)
	if list, err := e.Snapshots(); err != nil || len(list) != 0 {
		t.Errorf("snapshots: %+v, %v", list, err)
	}
	if err := e.DropSnapshot("monday", all); !errors.Is(err, ErrNoSnapshot) {
		t.Errorf("a snapshot was removed twice: %v", err)
	}
}

func tableDir(id schema.TableID) string { return strings.ReplaceAll(schema.UUID(id).String(), "-", "") }

// A snapshot of some tables can be removed without the others.
func TestDropSnapshotOfOne(t *testing.T) {
	e := mustOpen(t, testOptions(t, vfs.NewMem(), "/d", 2))
	apply(t, e, insert(0, "p", 1, 1, "a"), insert(1, "p", 1, 1, "b"))
	for _, id := range []schema.TableID{table0, table1} {
		if err := e.Snapshot(id, "x"); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.DropSnapshot("x", func(id schema.TableID) bool { return id == table0 }); err != nil {
		t.Fatal(err)
	}
	if list, err := e.Snapshots(); err != nil || len(list) != 1 || list[0].Table != table1 {
		t.Errorf("snapshots: %+v, %v", list, err)
	}
}

// Of several that take a snapshot by one name one does, whatever the others do.
func TestSnapshotTwiceAtOnce(t *testing.T) {
	fs := vfs.NewMem()
	e := mustOpen(t, testOptions(t, fs, "/d", 1))
	apply(t, e, insert(0, "p", 1, 1, "a"))
	flush(t, e)
	var taken atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if e.Snapshot(table0, "x") == nil {
				taken.Add(1)
			}
		})
	}
	wg.Wait()
	names, err := fs.List("/d/snapshots/x/" + tableDir(table0))
	if err != nil || len(names) != 1 || taken.Load() != 1 {
		t.Errorf("%d taken, files %v, %v", taken.Load(), names, err)
	}
}

// What a crash leaves of a snapshot under way is none, and goes with the next
// start; what somebody else has put there disturbs nobody.
func TestHalfSnapshot(t *testing.T) {
	fs := vfs.NewMem()
	o := testOptions(t, fs, "/d", 1)
	e := mustOpen(t, o)
	for _, tag := range []string{"half", "whole"} {
		if err := vfs.MkdirAllSync(fs, "/d/snapshots/"+tag+"/"+tableDir(table0)+halfSuffix); err != nil {
			t.Fatal(err)
		}
	}
	if err := vfs.WriteFileAtomic(fs, "/d/snapshots/notes", []byte("of yesterday")); err != nil {
		t.Fatal(err)
	}
	apply(t, e, insert(0, "p", 1, 1, "a"))
	if err := e.Snapshot(table0, "whole"); err != nil {
		t.Fatal(err)
	}
	if list, err := e.Snapshots(); err != nil || len(list) != 1 || list[0].Tag != "whole" || list[0].Bytes == 0 {
		t.Errorf("snapshots: %+v, %v", list, err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = mustOpen(t, o)
	if names, err := fs.List("/d/snapshots"); err != nil || !slices.Equal(names, []string{"notes", "whole"}) {
		t.Errorf("after a start: %v, %v", names, err)
	}
	if list, err := e.Snapshots(); err != nil || len(list) != 1 {
		t.Errorf("snapshots: %+v, %v", list, err)
	}
}

// Names that lead elsewhere, files of another table and damaged ones are
// refused, and nothing of them stays.
func TestImportRefuses(t *testing.T) {
	ctx := context.Background()
	fs := vfs.NewMem()
	e := mustOpen(t, testOptions(t, fs, "/d", 2))
	apply(t, e, insert(0, "p", 1, 1, "a"), insert(1, "p", 1, 1, "b"))
	for _, tag := range []string{"", ".", "..", "../x", "a/b", "a\x00"} {
		if e.Snapshot(table0, tag) == nil || e.DropSnapshot(tag, all) == nil {
			t.Errorf("%q is taken for a tag", tag)
		}
	}
	if err := e.Snapshot(table1, "x"); err != nil {
		t.Fatal(err)
	}
	dir := "/d/snapshots/x/" + tableDir(table1)
	if _, err := e.Import(ctx, table0, dir); err == nil || !strings.Contains(err.Error(), "is of table") {
		t.Errorf("files of another table: %v", err)
	}
	if _, err := e.Import(ctx, table0, "/nowhere"); err == nil || !strings.Contains(err.Error(), "no table files") {
		t.Errorf("no files: %v", err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := e.Import(ended, table1, dir); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	f, err := fs.OpenRW(dir+"/"+names[0], vfs.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("damage"), 20); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if _, err := e.Import(ctx, table1, dir); !errors.Is(err, sstable.ErrCorrupt) {
		t.Errorf("a damaged file: %v", err)
	}
	left, err := fs.List("/d/data/" + tableDir(table0))
	if err != nil && !errors.Is(err, vfs.ErrNotExist) || len(left) > 0 {
		t.Errorf("files are left over: %v, %v", left, err)
	}
}
