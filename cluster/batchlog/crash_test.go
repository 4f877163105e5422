package batchlog

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/journal"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
)

// crashRun stores batches and marks some, and tries a crash at every call that
// changes the disk.
type crashRun struct {
	fs  *vfs.Mem
	rnd *rand.Source // of what crashes keep

	mu     sync.Mutex   // protects what follows; held while an image is judged
	acked  map[int]bool // acknowledged
	marked map[int]bool // and marked as done
	err    error
	images int
}

type crashDone struct {
	run  *crashRun
	n    int
	wait *sync.WaitGroup
}

func (d *crashDone) Complete(err error) {
	if err == nil {
		d.run.mu.Lock()
		d.run.acked[d.n] = true
		d.run.mu.Unlock()
	}
	d.wait.Done()
}

func crashOptions(fs vfs.FS) Options {
	o := testOptions(fs)
	o.MaxBytes = 128 << 10
	return o
}

func runCrashes(seed uint64, batches int, keep ...int) (*crashRun, error) {
	r := &crashRun{fs: vfs.NewMem(), rnd: rand.NewSeeded(seed), acked: map[int]bool{}, marked: map[int]bool{}}
	l, err := Open(crashOptions(r.fs))
	if err != nil {
		return r, err
	}
	r.fs.OnWriteSide(func(vfs.Call) { r.image(keep) })
	// Of its own, so that a seed always does the same.
	load := rand.NewSeeded(seed + 100)
	var pending sync.WaitGroup
	for n := range batches {
		pending.Add(1)
		if err := l.Store(idOf(n), time.Now().UnixMicro(), batchOf(n, int(load.Uint64N(900))), &crashDone{r, n, &pending}); err != nil {
			return r, err
		}
		if load.Uint64N(3) == 0 {
			pending.Wait()
		}
		if n > 4 && load.Uint64N(2) == 0 {
			done := n - 3
			r.mu.Lock()
			r.marked[done] = true
			r.mu.Unlock()
			l.Done(idOf(done))
		}
		if load.Uint64N(8) == 0 {
			signal(l.wake) // instead of waiting for the clock
		}
	}
	pending.Wait()
	err = l.Close()
	r.fs.OnWriteSide(nil)
	r.mu.Lock()
	defer r.mu.Unlock()
	return r, errors.Join(r.err, err)
}

func (r *crashRun) image(keep []int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return
	}
	r.images++
	for _, k := range keep {
		clone := r.fs.CrashClone(vfs.CrashOptions{Keep: max(k, 0), Prefix: k < 0, Rand: r.rnd})
		if _, err := r.judge(clone); err != nil {
			r.err = fmt.Errorf("image %d, %d %% kept: %w", r.images, k, err)
			return
		}
	}
}

// judge opens an image and returns the batches in it: all that were
// acknowledged and not marked, each whole. mu is held.
func (r *crashRun) judge(fs *vfs.Mem) (map[[16]byte]bool, error) {
	l, err := Open(crashOptions(fs))
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	defer l.Close()
	l.mu.Lock()
	found := map[[16]byte]bool{}
	var due []dueBatch
	for id, b := range l.batches {
		found[id] = true
		due = append(due, dueBatch{b, b.at, false})
	}
	l.mu.Unlock()
	for n := range r.acked {
		if !r.marked[n] && !found[idOf(n)] {
			return nil, fmt.Errorf("acknowledged batch %d is lost", n)
		}
	}
	c := l.journal.Cursor([16]byte{}, journal.Position{})
	defer c.Close()
	for _, b := range due {
		c.Seek(b.at)
		entry, at, err := c.Next()
		if err != nil || at != b.at {
			return nil, fmt.Errorf("batch %x: at %v, %w", b.id, at, err)
		}
		if records, err := decodeRecords(entry); err != nil || len(records) != 3 {
			return nil, fmt.Errorf("batch %x: %d records, %w", b.id, len(records), err)
		}
	}
	return found, nil
}

func TestCrashAtEveryCall(t *testing.T) {
	batches, seeds := 60, uint64(2)
	if testing.Short() || invariant.Enabled {
		batches, seeds = 25, 1
	}
	for seed := range seeds {
		r, err := runCrashes(seed, batches, 0, 50, 100, -1)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if r.images < batches/2 || len(r.acked) != batches || len(r.marked) < batches/5 {
			t.Fatalf("%d images, %d marked: nothing was tried", r.images, len(r.marked))
		}
		// In the end, and only then, every mark is there, too.
		r.mu.Lock()
		found, err := r.judge(r.fs.CrashClone(vfs.CrashOptions{}))
		r.mu.Unlock()
		if err != nil || len(found) != len(r.acked)-len(r.marked) {
			t.Fatalf("%d batches, %d were stored and %d marked: %v", len(found), len(r.acked), len(r.marked), err)
		}
	}
}

// TestEveryCallFails fails each call that changes the disk: what is
// acknowledged is found, and the log goes on.
func TestEveryCallFails(t *testing.T) {
	for what, rule := range map[string]vfs.Rule{
		"I/O error": {Err: vfs.ErrIO, DropDirty: true},
		"no space":  {Err: vfs.ErrNoSpace, Short: 512},
	} {
		t.Run(what, func(t *testing.T) {
			for nth := 1; ; nth++ {
				mem := vfs.NewMem()
				fs := vfs.NewFault(mem, nil)
				rule.Ops, rule.Nth = vfs.WriteSide, nth
				armed := fs.Add(rule)
				acked := faultRun(t, fs, rule.Err)
				l := mustOpen(t, crashOptions(mem.CrashClone(vfs.CrashOptions{})))
				l.mu.Lock()
				for _, n := range acked {
					if l.batches[idOf(n)] == nil {
						t.Errorf("call %d failed: batch %d is lost", nth, n)
					}
				}
				l.mu.Unlock()
				mustClose(t, l)
				if armed.Fired() == 0 {
					if nth < 10 {
						t.Fatalf("only %d calls tried", nth)
					}
					return
				}
			}
		})
	}
}

func faultRun(t *testing.T, fs vfs.FS, cause error) (acked []int) {
	l, err := Open(crashOptions(fs))
	if err != nil {
		if !errors.Is(err, cause) {
			t.Fatal(err)
		}
		return nil
	}
	failures := 0
	for n := range 8 {
		err := storeSync(l, n, time.Now().UnixMicro(), batchOf(n, 1500))
		if err == nil {
			acked = append(acked, n)
		} else if failures++; !errors.Is(err, cause) || failures > 1 || errors.Is(cause, vfs.ErrNoSpace) && !errors.Is(err, ErrNoSpace) {
			t.Fatalf("batch %d: %v", n, err)
		}
	}
	l.Done(idOf(100)) // unknown
	mustClose(t, l)
	return acked
}

// TestDoneBeforeDurable marks a batch that is still being written.
func TestDoneBeforeDurable(t *testing.T) {
	fs := vfs.NewMem()
	l := mustOpen(t, testOptions(fs))
	c := make(completion, 1)
	if err := l.Store(idOf(1), 0, batchOf(1, 10), c); err != nil {
		t.Fatal(err)
	}
	l.Done(idOf(1))
	if err := <-c; err != nil {
		t.Fatal(err)
	}
	mustClose(t, l)
	l = mustOpen(t, testOptions(fs))
	if n, _ := l.Pending(); n != 0 {
		t.Fatalf("%d pending", n)
	}
	mustClose(t, l)
}

// TestStoredTwice stores a batch again, as a coordinator does that had no
// answer.
func TestStoredTwice(t *testing.T) {
	fs := vfs.NewMem()
	l := mustOpen(t, testOptions(fs))
	for range 3 {
		if err := storeSync(l, 1, 5, batchOf(1, 10)); err != nil {
			t.Fatal(err)
		}
	}
	if n, oldest := l.Pending(); n != 1 || oldest != 5 {
		t.Fatalf("%d pending since %d", n, oldest)
	}
	l.Done(idOf(1))
	mustClose(t, l)
	l = mustOpen(t, testOptions(fs))
	if n, _ := l.Pending(); n != 0 {
		t.Fatalf("%d pending", n)
	}
	if err := l.Store(idOf(2), 0, make([]mutation.Record, maxRecords+1), nil); err == nil {
		t.Fatal("too many records")
	}
	mustClose(t, l)
}
