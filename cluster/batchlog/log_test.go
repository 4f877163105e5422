package batchlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/schema"
)

// record returns one of about that size that says which it is.
func record(n, size int) mutation.Record {
	var b mutation.Builder
	key := binary.BigEndian.AppendUint32(nil, uint32(n))
	b.Begin(nil, mutation.Header{Table: schema.TableID{1}, Timestamp: int64(n), Key: key})
	b.BeginRow([]byte("c"))
	b.Cell(mutation.Cell{Column: 1, Timestamp: int64(n), Value: make([]byte, size)})
	b.EndRow()
	return b.Finish()
}

func batchOf(n, size int) []mutation.Record {
	return []mutation.Record{record(n, size), record(n+1000000, size), record(n+2000000, 1)}
}

func idOf(n int) (id [16]byte) {
	binary.BigEndian.PutUint64(id[:], uint64(n)+1)
	return id
}

type completion chan error

func (c completion) Complete(err error) { c <- err }

func storeSync(l *Log, n int, created int64, records []mutation.Record) error {
	c := make(completion, 1)
	if err := l.Store(idOf(n), created, records, c); err != nil {
		return err
	}
	return <-c
}

func mustOpen(t testing.TB, o Options) *Log {
	t.Helper()
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func mustClose(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func testOptions(fs vfs.FS) Options {
	return Options{FS: fs, Dir: "/batchlog", Clock: &creeping{Clock: clock.Real}}
}

// creeping is a clock that goes on between any two looks at it, as real time
// does and a bubble's does not.
type creeping struct {
	clock.Clock
	looks atomic.Int64
}

// Mono implements clock.Clock.
func (c *creeping) Mono() time.Duration { return c.Clock.Mono() + time.Duration(c.looks.Add(1)) }

// replicas is a Sender that applies at once unless it fails.
type replicas struct {
	mu   sync.Mutex // protects what follows
	got  map[int]int
	fail func(n int) error
	err  error // the first batch that was not whole
}

func (r *replicas) Replay(id [16]byte, _ int64, records []mutation.Record, done func(error)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := int(binary.BigEndian.Uint64(id[:])) - 1
	if len(records) != 3 || binary.BigEndian.Uint32(records[0].Key()) != uint32(n) {
		r.err = fmt.Errorf("batch %d has %d records", n, len(records))
	}
	if r.fail != nil {
		if err := r.fail(n); err != nil {
			go done(err)
			return nil
		}
	}
	if r.got == nil {
		r.got = map[int]int{}
	}
	r.got[n]++
	go done(nil)
	return nil
}

// times tells how often each batch was replayed.
func (r *replicas) times() map[int]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.got)
}

func (r *replicas) wrong() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

func TestReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		l := mustOpen(t, testOptions(fs))
		now := time.Now().UnixMicro()
		for i := range 100 {
			if err := storeSync(l, i, now, batchOf(i, 100)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 50 {
			l.Done(idOf(i))
		}
		r := &replicas{fail: func(n int) error {
			if n == 60 {
				return errors.New("busy")
			}
			return nil
		}}
		l.Replay(r)
		time.Sleep(3 * time.Second)
		if got := r.times(); len(got) != 0 {
			t.Fatalf("replayed too early: %v", got)
		}
		time.Sleep(time.Minute)
		got := r.times()
		if err := r.wrong(); len(got) != 49 || err != nil {
			t.Fatalf("%d replayed, %v", len(got), err)
		}
		for n, times := range got {
			if n < 50 || times != 1 {
				t.Fatalf("batch %d replayed %d times", n, times)
			}
		}
		if n, oldest := l.Pending(); n != 1 || oldest != now {
			t.Fatalf("%d pending since %d", n, oldest)
		}
		mustClose(t, l)

		l = mustOpen(t, testOptions(fs))
		if n, _ := l.Pending(); n != 1 {
			t.Fatalf("%d pending after a restart", n)
		}
		r = &replicas{}
		l.Replay(r)
		time.Sleep(time.Minute)
		if got := r.times(); len(got) != 1 || got[60] != 1 {
			t.Fatalf("replayed %v", got)
		}
		mustClose(t, l)
		l = mustOpen(t, testOptions(fs))
		if names, err := fs.List("/batchlog"); err != nil || len(names) != 0 {
			t.Fatalf("files left: %v, %v", names, err)
		}
		mustClose(t, l)
	})
}

// TestFull fills the log, empties it and fills it again, with one batch that
// is never done.
func TestFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions(vfs.NewMem())
		o.MaxBytes = 256 << 10
		l := mustOpen(t, o)
		l.Replay(&replicas{fail: func(int) error { return errors.New("busy") }})
		if err := storeSync(l, 0, time.Now().UnixMicro(), batchOf(0, 100)); err != nil {
			t.Fatal(err)
		}
		n := 1
		for round := range 6 {
			first := n
			var err error
			for err == nil {
				err = storeSync(l, n, time.Now().UnixMicro(), batchOf(n, 4000))
				n++
			}
			if !errors.Is(err, ErrFull) || n-first < 10 {
				t.Fatalf("round %d: %v after %d batches", round, err, n-first)
			}
			for i := first; i < n; i++ {
				l.Done(idOf(i))
			}
			time.Sleep(time.Minute)
			if p, _ := l.Pending(); p != 1 {
				t.Fatalf("round %d: %d pending", round, p)
			}
			if b := l.journal.Bytes(); b > o.MaxBytes*3/4 {
				t.Fatalf("round %d: %d bytes left", round, b)
			}
		}
		mustClose(t, l)
		l = mustOpen(t, o)
		if p, _ := l.Pending(); p != 1 {
			t.Fatalf("%d pending after a restart", p)
		}
		mustClose(t, l)
	})
}

// watched is a clock that counts what it is asked to do later.
type watched struct {
	clock.Clock
	timers atomic.Int32
}

func (w *watched) AfterFunc(d time.Duration, f func()) clock.Timer {
	w.timers.Add(1)
	return watchedTimer{w.Clock.AfterFunc(d, f), w}
}

func (w *watched) NewTicker(d time.Duration) clock.Ticker {
	w.timers.Add(1)
	return w.Clock.NewTicker(d)
}

type watchedTimer struct {
	clock.Timer
	of *watched
}

func (t watchedTimer) Reset(d time.Duration) bool {
	t.of.timers.Add(1)
	return t.Timer.Reset(d)
}

// A log of which nothing is to be done sets no timer, whether it was ever used or
// not.
func TestIdleLogSleeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions(vfs.NewMem())
		w := &watched{Clock: o.Clock}
		o.Clock = w
		l := mustOpen(t, o)
		r := &replicas{fail: func(n int) error {
			if n == 1 {
				return errors.New("busy")
			}
			return nil
		}}
		l.Replay(r)
		idle := func(what string) {
			t.Helper()
			synctest.Wait()
			before := w.timers.Load()
			time.Sleep(time.Hour)
			if n := w.timers.Load() - before; n != 0 {
				t.Errorf("%s: %d timers", what, n)
			}
		}
		idle("new")
		for n := range 2 {
			if err := storeSync(l, n, time.Now().UnixMicro(), batchOf(n, 10)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		if got := r.times(); got[0] != 1 || len(got) != 1 {
			t.Fatalf("replayed %v", got)
		}
		l.Done(idOf(1))
		time.Sleep(time.Minute)
		if n, _ := l.Pending(); n != 0 {
			t.Fatalf("%d pending", n)
		}
		idle("used")
		mustClose(t, l)
	})
}

// Many small batches are replayed as fast as the rate allows.
func TestReplayRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := mustOpen(t, testOptions(vfs.NewMem()))
		const batches, size = 1000, 1000
		for n := range batches {
			if err := storeSync(l, n, time.Now().UnixMicro(), batchOf(n, size)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(10 * time.Second)
		r := &replicas{}
		l.Replay(r)
		time.Sleep(3 * time.Second) // two batches of some 2 KiB fit into 4 ms of 1 MiB a second
		if n := len(r.times()); n != batches {
			t.Errorf("%d batches replayed", n)
		}
		mustClose(t, l)
	})
}
