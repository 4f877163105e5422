package engine

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ilion-db/ilion/internal/mem"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
)

// TestConcurrent writes, reads, flushes, compacts, changes the schema and
// truncates another table at the same time. A reader must find every row that
// was acknowledged before it began, in both partitions of a group alike.
func TestConcurrent(t *testing.T) {
	const writers, rows = 4, 400
	o := testOptions(t, vfs.NewMem(), "/d", 3)
	o.SegmentSize, o.MemtableSize, o.Budget = 64<<10, 128<<10, mem.NewBudget(32<<20)
	o.NoCompaction, o.Lanes = false, 2
	e := mustOpen(t, o)
	ctx := context.Background()
	var acked [writers]atomic.Int64
	var writing, others sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for i := range int64(rows) {
				recs := []mutation.Record{insert(0, fmt.Sprint("w", w), i, i+1, "v"), insert(1, fmt.Sprint("w", w), i, i+1, "v")}
				if err := e.ApplySync(ctx, recs...); err != nil {
					t.Error(err)
					return
				}
				acked[w].Store(i + 1)
			}
		})
	}
	stop := make(chan struct{})
	loop := func(f func(i int) error) {
		others.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := f(i); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 2 {
		loop(func(i int) error {
			w := i % writers
			least := acked[w].Load()
			for table := range 2 {
				got, err := tryDump(e, table, fmt.Sprint("w", w))
				if err != nil || int64(len(got)) < least {
					return fmt.Errorf("table %d: %d rows, %d were acknowledged: %w", table, len(got), least, err)
				}
			}
			return nil
		})
	}
	loop(func(int) error { return e.FlushAll() })
	loop(func(int) error { return e.Compact(ctx, table0) })
	loop(func(int) error {
		if err := e.ApplySync(ctx, insert(2, "x", 1, 1, "v")); err != nil {
			return err
		}
		return e.Truncate(ctx, [16]byte{15: 3}, 0, 1)
	})
	loop(func(int) error { _ = e.Stats(); _ = e.Tasks(); return e.ApplySchema(o.Schema) })
	writing.Wait()
	close(stop)
	others.Wait()
	for range 2 {
		for w := range writers {
			for table := range 2 {
				if got := dump(t, e, table, fmt.Sprint("w", w)); len(got) != rows {
					t.Errorf("table %d, writer %d: %d rows", table, w, len(got))
				}
			}
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		e = mustOpen(t, o)
	}
	e.Close()
}
