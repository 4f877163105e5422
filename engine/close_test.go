package engine

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ilion-db/ilion/commitlog"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/schema"
)

// TestAfterClose uses a closed engine in every way: all is refused, and
// nothing touches what is gone.
func TestAfterClose(t *testing.T) {
	for _, durable := range []bool{true, false} {
		o := testOptions(t, vfs.NewMem(), "/d", 2)
		if !durable {
			ks := *o.Schema.Keyspaces["ks"]
			ks.DurableWrites = false
			o.Schema = &schema.Snapshot{Epoch: o.Schema.Epoch, Keyspaces: map[string]*schema.Keyspace{"ks": &ks}}
		}
		e := mustOpen(t, o)
		apply(t, e, insert(0, "p", 1, 1, "v"), insert(1, "p", 1, 1, "v"))
		flush(t, e)
		apply(t, e, insert(0, "p", 2, 2, "v"))
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		read := &mutation.ReadCommand{Table: table0, Keys: []mutation.Key{keyOf("p")}}
		for what, f := range map[string]func() error{
			"write":      func() error { return e.ApplySync(ctx, insert(0, "p", 3, 3, "v")) },
			"batch":      func() error { return e.ApplySync(ctx, insert(0, "p", 3, 3, "v"), insert(1, "p", 3, 3, "v")) },
			"try write":  func() error { return e.TryApply([]mutation.Record{insert(0, "p", 3, 3, "v")}, true, make(await, 1)) },
			"read":       func() error { _, err := e.Read(ctx, read); return err },
			"try read":   func() error { _, err := e.TryRead(read); return err },
			"flush":      func() error { return e.Flush(table0) },
			"flush all":  e.FlushAll,
			"compact":    func() error { return e.Compact(ctx, table0) },
			"truncate":   func() error { return e.Truncate(ctx, table0, 0, 1) },
			"snapshot":   func() error { return e.Snapshot(table0, "tag") },
			"schema":     func() error { return e.ApplySchema(o.Schema) },
			"statistics": func() error { _ = e.Stats(); _, err := e.TableStats(table0); return err },
			"close":      e.Close,
		} {
			if err := f(); !errors.Is(err, ErrClosed) {
				t.Errorf("%s after Close: %v", what, err)
			}
		}
	}
}

// TestCloseDuringWork closes under writes, reads and flushes: each succeeds or
// hears that the engine is closed, and what was acknowledged is found again.
func TestCloseDuringWork(t *testing.T) {
	for range 5 {
		o := testOptions(t, vfs.NewMem(), "/d", 2)
		e := mustOpen(t, o)
		var acked int64
		var work sync.WaitGroup
		started := make(chan struct{}, 4)
		loop := func(f func(i int64) error) {
			work.Go(func() {
				for i := int64(1); ; i++ {
					if err := f(i); err != nil {
						if !errors.Is(err, ErrClosed) {
							t.Error(err)
						}
						if i <= 20 {
							started <- struct{}{} // nobody waits for more
						}
						return
					}
					if i == 20 {
						started <- struct{}{}
					}
				}
			})
		}
		loop(func(i int64) error {
			err := e.ApplySync(context.Background(), insert(0, "p", i, i, "v"), insert(1, "p", i, i, "v"))
			if err == nil {
				acked = i
			}
			return err
		})
		loop(func(i int64) error { return e.ApplySync(context.Background(), insert(0, "q", i, i, "v")) })
		loop(func(int64) error { _, err := tryDump(e, 0, "p"); return err })
		loop(func(int64) error { return e.FlushAll() })
		for range 4 {
			<-started
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		work.Wait()
		e = mustOpen(t, o)
		if got := int64(len(dump(t, e, 1, "p"))); got < acked {
			t.Errorf("%d rows, %d were acknowledged", got, acked)
		}
		e.Close()
	}
}

// turnClock calls a function each time it is asked for the monotonic time.
type turnClock struct {
	clock.Clock
	turn func()
}

func (c turnClock) Mono() time.Duration {
	c.turn()
	return c.Clock.Mono()
}

// TestDropDuringBatch drops one of the tables of a batch while the batch gets
// its place in the log, which in mode group asks the clock.
func TestDropDuringBatch(t *testing.T) {
	o := testOptions(t, vfs.NewMem(), "/d", 2)
	var turn atomic.Pointer[func()]
	o.Clock = turnClock{o.Clock, func() {
		if f := turn.Swap(nil); f != nil {
			(*f)()
		}
	}}
	o.Sync = commitlog.Group
	e := mustOpen(t, o)
	defer e.Close()
	dropped := make(chan error, 1)
	a := make(await, 1)
	drop := func() {
		go func() { dropped <- e.ApplySchema(testSchema(t, 1)) }()
		for {
			if _, err := e.table(schema.TableID{15: 2}); err != nil {
				return
			}
			runtime.Gosched()
		}
	}
	turn.Store(&drop)
	if err := e.Apply(context.Background(), []mutation.Record{insert(0, "p", 1, 1, "v"), insert(1, "p", 1, 1, "v")}, true, a); err != nil {
		t.Fatal(err)
	}
	if err := <-a; err != nil {
		t.Fatal(err)
	}
	if err := <-dropped; err != nil {
		t.Fatal(err)
	}
	if got := dump(t, e, 0, "p"); len(got) != 1 {
		t.Errorf("the table that stays: %v", got)
	}
}
