package engine

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/mem"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/schema"
)

// TestDiskFull fills the disk: writes are refused with a clear error, reads go
// on, nothing acknowledged is lost, and writes are taken again by themselves
// once there is space.
func TestDiskFull(t *testing.T) {
	fs := vfs.NewMem()
	o := testOptions(t, fs, "/d", 1)
	o.SegmentSize, o.MemtableSize, o.Budget = 64<<10, 256<<10, mem.NewBudget(32<<20)
	o.NoCompaction = false
	e := mustOpen(t, o)
	fs.SetCapacity(4 << 20)
	value := string(make([]byte, 8<<10))
	var n int64
	write := func() error {
		err := e.ApplySync(context.Background(), insert(0, "p", n, n+1, value))
		if err == nil {
			n++
		}
		return err
	}
	var err error
	for err == nil && n < 10_000 {
		err = write()
	}
	if !errors.Is(err, ErrDiskFull) {
		t.Fatalf("after %d rows: %v", n, err)
	}
	if n < 100 {
		t.Errorf("only %d rows in 4 MiB", n)
	}
	if e.Err() != nil {
		t.Fatalf("a full disk has stopped the engine: %v", e.Err())
	}
	if got := int64(len(dump(t, e, 0, "p"))); got != n {
		t.Errorf("%d rows, want %d", got, n)
	}
	fs.SetCapacity(64 << 20)
	eventually(t, "writes are taken again", func() bool { return write() == nil })
	// What found the disk full before may say so once more afterwards.
	for range 50 {
		eventually(t, "writes go on being taken", func() bool { return write() == nil })
	}
	eventually(t, "the disk is said to have space", func() bool { return !e.Stats().DiskFull })
	flush(t, e)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = mustOpen(t, o)
	defer e.Close()
	if got := int64(len(dump(t, e, 0, "p"))); got != n {
		t.Errorf("%d rows after a restart, want %d", got, n)
	}
}

// TestOpenOnFullDisk says what is wrong.
func TestOpenOnFullDisk(t *testing.T) {
	fs := vfs.NewMem()
	o := testOptions(t, fs, "/d", 1)
	e := mustOpen(t, o)
	apply(t, e, insert(0, "p", 1, 1, "v"))
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	fs.SetCapacity(4096)
	if _, err := Open(o); !errors.Is(err, vfs.ErrNoSpace) {
		t.Fatalf("%v", err)
	}
	fs.SetCapacity(0)
	e = mustOpen(t, o)
	defer e.Close()
	if got := dump(t, e, 0, "p"); len(got) != 1 {
		t.Error(got)
	}
}

// TestTruncateOnFullDisk fails a truncation. What lies in the log then goes to
// a file with its mark: a replay would bring it back behind a tombstone that
// shadowed it and was purged since.
func TestTruncateOnFullDisk(t *testing.T) {
	o := testOptions(t, vfs.NewMem(), "/d", 1)
	disk := vfs.NewFault(o.FS, nil)
	o.FS = disk
	e := mustOpen(t, o)
	long := uint32(clock.Real.Now().Unix()) - uint32(schema.DefaultOptions().GCGraceSeconds) - 100
	apply(t, e, deleteRow(0, "p", 1, 50, long), insert(0, "p", 2, 60, "stays"))
	flush(t, e)
	apply(t, e, insert(0, "p", 1, 10, "late"))
	full := disk.Add(vfs.Rule{Ops: vfs.OpsOf(vfs.OpWrite), Glob: "manifest-*", Times: -1, Err: vfs.ErrNoSpace})
	if err := e.Truncate(context.Background(), table0, 0, 1); !errors.Is(err, vfs.ErrNoSpace) {
		t.Fatalf("%v", err)
	}
	full.Remove()
	flush(t, e)
	compact(t, e)
	for _, when := range []string{"compacted", "after a restart"} {
		if got, want := fmt.Sprint(dump(t, e, 0, "p")), "[2=stays@60]"; got != want {
			t.Fatalf("%s: %s, want %s", when, got, want)
		}
		if n := tombstones(e); n != 0 {
			t.Fatalf("%s: %d tombstones, want them purged", when, n)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		e = mustOpen(t, o)
	}
	e.Close()
}

// TestDropOnFullDisk drops two tables and makes one while the manifest cannot
// be written: all of the change happens, memory is given back at once and the
// files go when there is space, at the latest with the next start.
func TestDropOnFullDisk(t *testing.T) {
	for _, freed := range []bool{true, false} {
		o := testOptions(t, vfs.NewMem(), "/d", 3)
		disk := vfs.NewFault(o.FS, nil)
		o.FS = disk
		e := mustOpen(t, o)
		var dirs []string
		for i := range 3 {
			apply(t, e, insert(i, "p", 1, 1, "file"))
			id := schema.TableID{15: byte(i + 1)}
			dirs = append(dirs, fmt.Sprintf("/d/data/%x", id[:]))
		}
		flush(t, e)
		for i := range 3 {
			apply(t, e, insert(i, "p", 2, 2, "memory"))
		}
		full := disk.Add(vfs.Rule{Ops: vfs.OpsOf(vfs.OpWrite), Glob: "manifest-*", Times: -1, Err: vfs.ErrNoSpace})
		before := e.Stats().MemtableBytes
		o.Schema = testSchema(t, 1)
		if err := e.ApplySchema(o.Schema); err != nil {
			t.Fatal(err)
		}
		if s := e.Stats(); s.Tables != 1 || s.MemtableBytes >= before {
			t.Fatalf("after the drop %d tables and %d bytes of %d in memory", s.Tables, s.MemtableBytes, before)
		}
		if got := dump(t, e, 0, "p"); len(got) != 2 {
			t.Fatalf("the table that stays: %v", got)
		}
		gone := func() bool {
			for _, d := range dirs[1:] {
				names, err := disk.List(d)
				if err == nil && len(names) > 0 {
					return false
				}
			}
			return true
		}
		if gone() {
			t.Fatal("files are gone that the manifest names")
		}
		full.Remove()
		if freed {
			eventually(t, "the files are removed", gone)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		e = mustOpen(t, o)
		if !gone() {
			t.Error("after a restart there are files of dropped tables")
		}
		if got := dump(t, e, 0, "p"); len(got) != 2 {
			t.Fatalf("the table that stays: %v", got)
		}
		e.Close()
	}
}
