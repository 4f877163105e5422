package engine

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/commitlog"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
)

// tryRows is what TryRead finds of a partition; none where it would block.
func tryRows(e *Engine, key string) ([]int64, error) {
	src, err := e.TryRead(&mutation.ReadCommand{Table: table0, Keys: []mutation.Key{keyOf(key)}})
	if err != nil {
		return nil, err
	}
	defer src.Close()
	var rows []int64
	for src.NextPartition() {
		src.Seek(nil)
		for src.Next() {
			rows = append(rows, place(src.Item().Clustering))
		}
	}
	return rows, src.Err()
}

// seenSurvives cuts the power before each write of the log whose rows are
// linked, and looks in what is left for every row that was read until then.
func seenSurvives(t testing.TB, mode commitlog.Mode, lanes int) error {
	fs := vfs.NewMem()
	o := testOptions(t, fs, "/d", 1)
	o.Sync, o.Lanes = mode, lanes
	e := mustOpen(t, o)
	var armed atomic.Bool
	linked := make(chan struct{})
	var mu sync.Mutex // protects lost and images
	var lost error
	images := 0
	fs.OnWriteSide(func(c vfs.Call) {
		frame := c.Op == vfs.OpWrite && strings.HasSuffix(path.Base(c.Name), ".log") && c.Off >= 8192
		if c.After || !frame || !armed.Swap(false) {
			return
		}
		<-linked
		seen, err := tryRows(e, "p")
		if err != nil && !errors.Is(err, mutation.ErrWouldBlock) {
			t.Error(err)
		}
		again := o
		again.FS = fs.CrashClone(vfs.CrashOptions{})
		left := mustOpen(t, again)
		defer left.Close()
		kept, err := tryRows(left, "p")
		mu.Lock()
		defer mu.Unlock()
		images++
		if err != nil {
			t.Error(err)
		}
		if len(seen) > len(kept) {
			lost = fmt.Errorf("rows %v were read and %v survived", seen, kept)
		}
	})
	for c := range int64(20) {
		armed.Store(true)
		a := make(await, 1)
		if err := e.Apply(context.Background(), []mutation.Record{insert(0, "p", c, c+1, "v")}, true, a); err != nil {
			t.Fatal(err)
		}
		linked <- struct{}{}
		if err := <-a; err != nil {
			t.Fatal(err)
		}
		// What is acknowledged is read without a wait.
		if rows, err := tryRows(e, "p"); err != nil || int64(len(rows)) != c+1 {
			t.Fatalf("after the answer to row %d: %v, %v", c, rows, err)
		}
	}
	fs.OnWriteSide(nil)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if images != 20 {
		t.Errorf("%d images", images)
	}
	return lost
}

func TestSeenSurvives(t *testing.T) {
	for _, mode := range []commitlog.Mode{commitlog.Batch, commitlog.Group} {
		for _, lanes := range []int{1, 3} {
			if err := seenSurvives(t, mode, lanes); err != nil {
				t.Errorf("mode %d, %d lanes: %v", mode, lanes, err)
			}
		}
	}
}

// stillClock stands still: the log is never idle.
type stillClock struct{ clock.Clock }

func (stillClock) Mono() time.Duration { return 0 }

// held stands for a clock: what sleeps waits until the channel is closed.
type held chan struct{}

func (h held) Sleep(time.Duration) { <-h }

// TestReadWaitsForSync reads a partition whose write is on its way to the
// disk, and others meanwhile.
func TestReadWaitsForSync(t *testing.T) {
	for _, mode := range []commitlog.Mode{commitlog.Batch, commitlog.Group, commitlog.Periodic} {
		synctest.Test(t, func(t *testing.T) {
			release := make(held)
			disk := vfs.NewFault(vfs.NewMem(), release)
			o := testOptions(t, disk, "/d", 1)
			o.Sync = mode
			e := mustOpen(t, o)
			apply(t, e, insert(0, "p", 1, 1, "old"), insert(0, "q", 1, 1, "old"))
			clock.Real.Sleep(time.Second) // whatever the log covers while it is idle
			disk.Add(vfs.Rule{Ops: vfs.OpsOf(vfs.OpWrite), Glob: "*.log", Times: -1, Delay: 1})
			a := make(await, 1)
			if err := e.TryApply([]mutation.Record{insert(0, "p", 2, 2, "new")}, true, a); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if rows, err := tryRows(e, "q"); err != nil || len(rows) != 1 {
				t.Errorf("another partition: %v, %v", rows, err)
			}
			rows, err := tryRows(e, "p")
			got := make(chan []string, 1)
			go func() { got <- dump(t, e, 0, "p") }()
			ctx, cancel := context.WithCancel(context.Background())
			gaveUp := make(chan error, 1)
			go func() {
				src, err := e.Read(ctx, &mutation.ReadCommand{Table: table0})
				if err == nil {
					for src.NextPartition() {
					}
					err = src.Err()
					src.Close()
				}
				gaveUp <- err
			}()
			synctest.Wait()
			cancel()
			switch {
			case mode == commitlog.Periodic:
				if err != nil || len(rows) != 2 || len(got) != 1 || <-gaveUp != nil {
					t.Errorf("mode periodic waits: %v, %v", rows, err)
				}
			case !errors.Is(err, mutation.ErrWouldBlock):
				t.Errorf("a row that is not synced is shown: %v, %v", rows, err)
			case len(got) != 0:
				t.Errorf("a read did not wait for the sync: %v", <-got)
			default:
				if err := <-gaveUp; !errors.Is(err, context.Canceled) {
					t.Errorf("a scan whose caller has gone: %v", err)
				}
			}
			close(release)
			if rows := <-got; len(rows) != 2 || <-a != nil {
				t.Errorf("after the sync: %v", rows)
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestUnsyncedIsBalanced counts down what it counts up, whatever becomes of a
// write, and keeps the count when the log fails: reads then say so.
func TestUnsyncedIsBalanced(t *testing.T) {
	disk := vfs.NewFault(vfs.NewMem(), nil)
	o := testOptions(t, disk, "/d", 2)
	o.Clock = stillClock{o.Clock} // an idle log would write, and fail, by itself
	e := mustOpen(t, o)
	left := func() (n int32) {
		for i := range e.unsynced {
			n += e.unsynced[i].Load()
		}
		return n
	}
	apply(t, e, insert(0, "p", 1, 1, "v"))
	apply(t, e, insert(0, "p", 2, 1, "v"), insert(1, "q", 1, 1, "v"), insert(0, "r", 1, 1, "v"))
	huge := insert(0, "p", 3, 1, string(make([]byte, 2<<20)))
	if err := e.ApplySync(context.Background(), huge); !errors.Is(err, commitlog.ErrTooLarge) {
		t.Fatalf("%v", err)
	}
	if n := left(); n != 0 {
		t.Fatalf("%d writes are counted and none is on its way", n)
	}
	disk.Add(vfs.Rule{Ops: vfs.OpsOf(vfs.OpWrite), Glob: "*.log", Times: -1, Err: vfs.ErrIO})
	if err := e.ApplySync(context.Background(), insert(0, "p", 4, 1, "v")); !errors.Is(err, commitlog.ErrFailed) {
		t.Fatalf("%v", err)
	}
	if n := left(); n != 1 {
		t.Errorf("%d writes are counted, one may or may not be on the disk", n)
	}
	if rows, err := tryRows(e, "p"); !errors.Is(err, mutation.ErrWouldBlock) {
		t.Errorf("%v, %v", rows, err)
	}
	if rows, err := tryDump(e, 0, "p"); !errors.Is(err, ErrFailed) {
		t.Errorf("%v, %v", rows, err)
	}
	if rows, err := tryDump(e, 0, "r"); err != nil || len(rows) != 1 {
		t.Errorf("%v, %v", rows, err)
	}
	if err := e.Close(); err == nil {
		t.Error("the log has failed and Close says nothing")
	}
}
