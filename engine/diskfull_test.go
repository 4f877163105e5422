package engine

import (
	"context"
	"errors"
	"testing"

	"github.com/ilion-db/ilion/internal/mem"
	"github.com/ilion-db/ilion/internal/vfs"
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
	for range 50 {
		if err := write(); err != nil {
			t.Fatal(err)
		}
	}
	if e.Stats().DiskFull {
		t.Error("the disk is still said to be full")
	}
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
