//go:build !race && !invariants

package engine

import (
	"testing"
	"time"

	"github.com/ilion-db/ilion/commitlog"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
)

type counted struct{ done chan error }

func (c *counted) Complete(err error) { c.done <- err }

// TestHotPathsAllocateNothing asks it of a write and of reads from memory, the
// cache and a mapping.
func TestHotPathsAllocateNothing(t *testing.T) {
	o := testOptions(t, vfs.NewMem(), "/d", 1)
	// The disk in memory allocates; it is not written while this measures.
	o.Sync, o.SyncPeriod = commitlog.Periodic, time.Hour
	e := mustOpen(t, o)
	defer e.Close()
	c := &counted{make(chan error, 1)}
	records := []mutation.Record{insert(0, "w", 1, 1, "value")}
	write := func() {
		if err := e.TryApply(records, true, c); err != nil {
			t.Fatal(err)
		}
		if err := <-c.done; err != nil {
			t.Fatal(err)
		}
	}
	noAllocs(t, "write", write)

	read := func(cmd *mutation.ReadCommand) func() {
		return func() {
			src, err := e.TryRead(cmd)
			if err != nil {
				t.Fatal(err)
			}
			rows := 0
			for src.NextPartition() {
				src.Seek(nil)
				for src.Next() {
					rows++
				}
			}
			if src.Err() != nil || rows == 0 {
				t.Fatal(rows, src.Err())
			}
			src.Close()
		}
	}
	noAllocs(t, "read of the memtable", read(pointRead("w", 1)))
	flush(t, e)
	dump(t, e, 0, "w")
	noAllocs(t, "read of a file", read(pointRead("w", 1)))
	records[0] = insert(0, "w", 1, 2, "newer")
	write()
	noAllocs(t, "read of both", read(pointRead("w", 1)))
	two := pointRead("w", 1)
	two.Slices[0].Hi = nil
	noAllocs(t, "merge of both", read(two))
	for c := int64(2); c <= 100; c++ {
		records[0] = insert(0, "w", c, 3, "value")
		write()
	}
	noAllocs(t, "scan of 100 rows, one of them merged", read(two))
	flush(t, e)
	noAllocs(t, "scan of 100 rows of files", read(two))
}

func noAllocs(t *testing.T, what string, f func()) {
	t.Helper()
	if n := testing.AllocsPerRun(500, f); n >= 1 {
		t.Errorf("%s: %v allocations", what, n)
	}
}
