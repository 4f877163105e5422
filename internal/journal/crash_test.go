package journal

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
)

// crashRun is a workload under which a crash is tried at every call that
// changes the disk.
type crashRun struct {
	fs   *vfs.Mem
	rnd  *rand.Source
	keep []int

	mu     sync.Mutex // protects what follows; held while an image is judged
	acked  map[[16]byte]map[int]bool
	start  map[[16]byte]Position // what the owner has released, durably
	below  map[[16]byte]int      // entries below it
	err    error                 // the first violation
	images int
}

type crashWaiter struct {
	run    *crashRun
	stream [16]byte
	n      int
	at     Position
	done   *sync.WaitGroup
}

func (w *crashWaiter) Appended(at Position, err error) {
	if err == nil {
		w.run.mu.Lock()
		w.run.acked[w.stream][w.n] = true
		w.at = at
		w.run.mu.Unlock()
	}
	w.done.Done()
}

func runCrashes(seed uint64, entries int, keep ...int) (*crashRun, error) {
	r := &crashRun{
		fs: vfs.NewMem(), rnd: rand.NewSeeded(seed), keep: keep,
		acked: map[[16]byte]map[int]bool{streamA: {}, streamB: {}}, start: map[[16]byte]Position{}, below: map[[16]byte]int{},
	}
	r.fs.OnWriteSide(func(vfs.Call) { r.image() })
	j, err := Open(testOptions(r.fs), &seen{})
	if err != nil {
		return r, err
	}
	err = r.work(j, entries)
	err = errors.Join(err, j.Close())
	r.fs.OnWriteSide(nil)
	r.mu.Lock()
	defer r.mu.Unlock()
	return r, errors.Join(r.err, err)
}

func (r *crashRun) work(j *Journal, entries int) error {
	var pending sync.WaitGroup
	for n := range entries {
		stream := [][16]byte{streamA, streamB}[r.rnd.Uint64N(2)]
		size := int(r.rnd.Uint64N(600))
		if r.rnd.Uint64N(8) == 0 {
			size = int(r.rnd.Uint64N(8 << 10))
		}
		w := &crashWaiter{run: r, stream: stream, n: n, done: &pending}
		pending.Add(1)
		if err := j.Append(stream, Normal, w, entryOf(stream, n, size)); err != nil {
			return err
		}
		if r.rnd.Uint64N(3) == 0 {
			pending.Wait()
		}
		if r.rnd.Uint64N(12) == 0 {
			pending.Wait()
			r.mu.Lock()
			r.start[stream], r.below[stream] = w.at, n
			r.mu.Unlock()
			if _, err := j.Release(stream, w.at); err != nil {
				return err
			}
		}
	}
	pending.Wait()
	return nil
}

// image judges what a crash now would leave.
func (r *crashRun) image() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return
	}
	r.images++
	for _, keep := range r.keep {
		clone := r.fs.CrashClone(vfs.CrashOptions{Keep: max(keep, 0), Prefix: keep < 0, Rand: r.rnd})
		if err := r.judge(clone); err != nil {
			r.err = fmt.Errorf("image %d, %d %% kept: %w", r.images, keep, err)
			return
		}
	}
}

// judge opens an image twice and checks every promise. mu is held.
func (r *crashRun) judge(fs *vfs.Mem) error {
	o := testOptions(fs)
	o.Start = r.start
	first, err := r.reopen(o)
	if err != nil {
		return err
	}
	for _, stream := range [][16]byte{streamA, streamB} {
		for n := range r.acked[stream] {
			if n >= r.below[stream] && !first.has(stream, n) {
				return fmt.Errorf("acknowledged entry %d is lost", n)
			}
		}
	}
	second, err := r.reopen(o)
	if err != nil {
		return fmt.Errorf("after one more was added: %w", err)
	}
	for _, stream := range [][16]byte{streamA, streamB} {
		if len(second.entries[stream]) != len(first.entries[stream])+1 {
			return fmt.Errorf("%d entries after one was added to %d", len(second.entries[stream]), len(first.entries[stream]))
		}
	}
	return nil
}

// reopen opens an image, and adds an entry to each stream.
func (r *crashRun) reopen(o Options) (*seen, error) {
	s := &seen{}
	j, err := Open(o, s)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	defer j.Close()
	if err := s.ordered(); err != nil {
		return nil, err
	}
	if len(s.damage) > 0 {
		return nil, fmt.Errorf("a crash looks like rot: %w", s.damage[0])
	}
	for _, stream := range [][16]byte{streamA, streamB} {
		next := 1 << 20
		if n := len(s.entries[stream]); n > 0 {
			next = max(next, s.entries[stream][n-1]+1)
		}
		if _, err := appendSync(j, stream, entryOf(stream, next, 10)); err != nil {
			return nil, err
		}
	}
	return s, j.Close()
}

func TestCrashAtEveryCall(t *testing.T) {
	entries, seeds := 60, uint64(3)
	if testing.Short() || invariant.Enabled {
		entries, seeds = 25, 1
	}
	for seed := range seeds {
		r, err := runCrashes(seed, entries, 0, 50, 100, -1)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if r.images < entries || len(r.acked[streamA])+len(r.acked[streamB]) != entries {
			t.Fatalf("%d images: nothing was tried", r.images)
		}
	}
}

// TestEveryCallFails fails each call that changes the disk, one a run, in
// several ways: what is acknowledged is found, and the journal goes on.
func TestEveryCallFails(t *testing.T) {
	for what, rule := range map[string]vfs.Rule{
		"not done":       {Err: vfs.ErrIO},
		"done after all": {Err: vfs.ErrIO, After: true},
		"half done":      {Err: vfs.ErrIO, Short: 512},
		"dirty dropped":  {Err: vfs.ErrIO, DropDirty: true},
		"no space":       {Err: vfs.ErrNoSpace, Short: 512},
	} {
		t.Run(what, func(t *testing.T) {
			for nth := 1; ; nth++ {
				mem := vfs.NewMem()
				fs := vfs.NewFault(mem, nil)
				rule.Ops, rule.Nth = vfs.WriteSide, nth
				armed := fs.Add(rule)
				acked, failures := faultRun(t, fs, rule.Err)
				for _, keep := range []int{0, 50, 100} {
					s := &seen{}
					j, err := Open(testOptions(mem.CrashClone(vfs.CrashOptions{Keep: keep})), s)
					if err != nil {
						t.Fatalf("call %d failed, %d %% kept: %v", nth, keep, err)
					}
					mustClose(t, j)
					if err := s.ordered(); err != nil || len(s.damage) > 0 {
						t.Fatalf("call %d failed, %d %% kept: %v, %v", nth, keep, err, s.damage)
					}
					for _, n := range acked {
						if !s.has(streamA, n) {
							t.Fatalf("call %d failed, %d %% kept: entry %d is lost", nth, keep, n)
						}
					}
				}
				if armed.Fired() == 0 {
					if nth < 20 {
						t.Fatalf("only %d calls tried", nth)
					}
					return
				}
				if failures > 1 {
					t.Fatalf("call %d failed: %d appends did", nth, failures)
				}
			}
		})
	}
}

// faultRun appends and tells what was acknowledged, and how often not.
func faultRun(t *testing.T, fs vfs.FS, cause error) (acked []int, failures int) {
	j, err := Open(testOptions(fs), &seen{})
	if err != nil {
		if !errors.Is(err, cause) {
			t.Fatal(err)
		}
		return nil, 0
	}
	for n := range 12 {
		at, err := appendSync(j, streamA, entryOf(streamA, n, 4000))
		switch {
		case err == nil:
			acked = append(acked, n)
			if n == 8 {
				acked = acked[len(acked)-1:]
				if _, err := j.Release(streamA, at); err != nil && !errors.Is(err, cause) {
					t.Fatal(err)
				}
			}
		case errors.Is(cause, vfs.ErrNoSpace) && !errors.Is(err, ErrNoSpace), !errors.Is(cause, vfs.ErrNoSpace) && !errors.Is(err, ErrFailed):
			t.Fatalf("entry %d: %v", n, err)
		default:
			failures++
		}
	}
	mustClose(t, j)
	return acked, failures
}

// TestReadErrors fails each read of Open, and each of a cursor.
func TestReadErrors(t *testing.T) {
	mem := vfs.NewMem()
	fs := vfs.NewFault(mem, nil)
	j, _ := mustOpen(t, testOptions(fs))
	for n := range 12 {
		mustAppend(t, j, streamA, n, 4000)
	}
	reads := vfs.OpsOf(vfs.OpOpen, vfs.OpSize, vfs.OpRead, vfs.OpList, vfs.OpStat)
	for nth := 1; ; nth++ {
		armed := fs.Add(vfs.Rule{Ops: reads, Nth: nth, Err: vfs.ErrIO})
		c := j.Cursor(streamA, Position{})
		errs := 0
		for n := 0; n < 12; {
			entry, _, err := c.Next()
			if err != nil {
				if errs++; !errors.Is(err, vfs.ErrIO) || errs > 1 {
					t.Fatal(err)
				}
				continue // the same is tried again
			}
			if got, err := numberOf(streamA, entry); got != n || err != nil {
				t.Fatalf("%d, %v instead of %d", got, err, n)
			}
			n++
		}
		c.Close()
		fired := armed.Fired()
		armed.Remove()
		if fired == 0 {
			if nth < 10 {
				t.Fatalf("only %d reads tried", nth)
			}
			break
		}
	}
	mustClose(t, j)
	for nth := 1; ; nth++ {
		armed := fs.Add(vfs.Rule{Ops: reads, Nth: nth, Err: vfs.ErrIO})
		s := &seen{}
		j, err := Open(testOptions(fs), s)
		fired := armed.Fired()
		armed.Remove()
		if err == nil {
			mustClose(t, j)
			if len(s.entries[streamA]) != 12 || len(s.damage) > 0 {
				t.Fatalf("read %d failed unnoticed: %v, %v", nth, s.entries, s.damage)
			}
		} else if !errors.Is(err, vfs.ErrIO) {
			t.Fatal(err)
		}
		if fired == 0 {
			return
		}
	}
}
