package engine

import (
	"context"
	"errors"
	"fmt"
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
	of := fmt.Sprintf("is of table %s, ks.t0 is table %s", table1, table0)
	if _, err := e.Import(ctx, table0, dir); err == nil || !strings.Contains(err.Error(), of) {
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

// importSchema has table0 with the columns k, c, v and w, changed.
func importSchema(t *testing.T, change func(*schema.Table)) *schema.Snapshot {
	t.Helper()
	def := &schema.Table{
		ID: table0, Keyspace: "ks", Name: "t0",
		PartitionKey: []*schema.Column{{ID: 1, Name: "k", Kind: schema.PartitionKey, Type: schema.TypeBlob}},
		Clustering:   []*schema.Column{{ID: 2, Name: "c", Kind: schema.Clustering, Type: schema.TypeBigint}},
		Regular: []*schema.Column{
			{ID: 3, Name: "v", Kind: schema.Regular, Position: -1, Type: schema.TypeBlob},
			{ID: 4, Name: "w", Kind: schema.Regular, Position: -1, Type: schema.TypeInt},
		},
		NextColumnID: 5, Options: schema.DefaultOptions(),
	}
	change(def)
	def.Init()
	s, err := testSchema(t, 0).Apply(schema.Change{Kind: schema.CreateTable, Table: def}, 2)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Files of a table that was made anew with other columns are refused by the name
// of a column. Columns that came, went or were renamed since are no reason.
func TestImportComparesColumns(t *testing.T) {
	ctx := context.Background()
	fs := vfs.NewMem()
	open := func(dir string, change func(*schema.Table)) *Engine {
		t.Helper()
		o := testOptions(t, fs, dir, 0)
		o.Schema = importSchema(t, change)
		e := mustOpen(t, o)
		t.Cleanup(func() {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		})
		return e
	}
	same := func(*schema.Table) {}
	dropped := func(d *schema.Table) {
		d.Regular = d.Regular[:1]
		d.Dropped = []schema.DroppedColumn{{ID: 4, Name: "w", Kind: schema.Regular, Type: schema.TypeInt, DroppedAt: 7}}
	}
	write := func(dir string, change func(*schema.Table)) (files string, want []string) {
		e := open(dir, change)
		apply(t, e, insert(0, "p", 1, 1, "a"))
		if err := e.Snapshot(table0, "x"); err != nil {
			t.Fatal(err)
		}
		return dir + "/snapshots/x/" + tableDir(table0), dump(t, e, 0, "p")
	}
	files, want := write("/from", same)
	later, _ := write("/later", dropped)
	for i, c := range []struct {
		name   string
		files  string
		change func(*schema.Table)
		says   string // in the error; "" is none
	}{
		{"the same", files, same, ""},
		{"a column was added", files, func(d *schema.Table) {
			d.Regular = append(d.Regular, &schema.Column{ID: 5, Name: "vw", Kind: schema.Regular, Position: -1, Type: schema.TypeInt})
			d.NextColumnID = 6
		}, ""},
		{"a column was dropped", files, dropped, ""},
		{"a column was dropped before the files were written", later, dropped, ""},
		{"a key column was renamed", files, func(d *schema.Table) { d.PartitionKey[0].Name = "key" }, ""},
		{"a column was forgotten in a recovery", files, func(d *schema.Table) { d.Regular, d.NextColumnID = d.Regular[:1], 100 }, ""},
		{"another type", files, func(d *schema.Table) { d.Regular[1].Type = schema.TypeBigint }, `column w is of type "bigint", there of type "int"`},
		{"another kind", files, func(d *schema.Table) {
			d.Static, d.Regular = d.Regular[1:], d.Regular[:1]
			d.Static[0].Kind = schema.Static
		}, "column w is of another kind"},
		{"a column is missing", files, func(d *schema.Table) { d.Regular, d.NextColumnID = d.Regular[:1], 4 }, `there is no column with the id 4, there of type "int"`},
		{"another order", files, func(d *schema.Table) { d.Regular[1].Name = "a" }, "column a is at another place"},
		{"a longer partition key", files, func(d *schema.Table) {
			c := d.Clustering[0]
			c.Kind, c.Position = schema.PartitionKey, 1
			d.PartitionKey, d.Clustering = append(d.PartitionKey, c), nil
		}, "column c is of another kind"},
		{"another key column", files, func(d *schema.Table) { d.Clustering[0].ID, d.NextColumnID = 5, 6 }, "column c of the primary key"},
		{"a dropped column of another type", files, func(d *schema.Table) {
			dropped(d)
			d.Dropped[0].Type = schema.TypeBlob
		}, `column w is of type "blob", there of type "int"`},
		{"a column that was dropped there", later, same, "column w is one that was dropped there"},
	} {
		e := open(fmt.Sprintf("/to%d", i), c.change)
		n, err := e.Import(ctx, table0, c.files)
		switch {
		case c.says == "" && (err != nil || n != 1):
			t.Errorf("%s: %d files were added: %v", c.name, n, err)
		case c.says == "" && !slices.Equal(dump(t, e, 0, "p"), want):
			t.Errorf("%s: %v, want %v", c.name, dump(t, e, 0, "p"), want)
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "ks.t0") || len(dump(t, e, 0, "p")) > 0):
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
}
