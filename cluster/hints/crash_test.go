package hints

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
)

// crashRun adds hints to two targets while one takes them and the other is
// away, and tries a crash at every call that changes the disk.
type crashRun struct {
	fs   *vfs.Mem
	rnd  *rand.Source // of what crashes keep
	base int64        // creation time of hint 0

	mu     sync.Mutex   // protects what follows; held while an image is judged
	acked  map[int]bool // that were acknowledged as hints
	gone   map[int]bool // that the target has applied
	refuse map[int]bool // that it said it never will
	drops  map[int]bool // whose Add was refused with a durable drop
	err    error
	images int
}

// crashDone is the Completer of one hint.
type crashDone struct {
	run  *crashRun
	n    int
	wait *sync.WaitGroup
}

func (d *crashDone) Complete(err error) {
	d.run.mu.Lock()
	if err == nil {
		d.run.acked[d.n] = true
	} else {
		d.run.drops[d.n] = true
	}
	d.run.mu.Unlock()
	d.wait.Done()
}

func hostOf(n int) [16]byte {
	if n%2 == 0 {
		return hostA
	}
	return hostB
}

// Deliver implements Sender: B is down, and A refuses each seventh.
func (r *crashRun) Deliver(host [16]byte, _ int64, rec mutation.Record, done func(int64, error)) error {
	if host == hostB {
		return errors.New("down")
	}
	n := numberOf(rec)
	r.mu.Lock()
	defer r.mu.Unlock()
	if n%7 == 0 {
		r.refuse[n] = true
		go done(0, ErrRefused)
		return nil
	}
	r.gone[n] = true
	go done(1<<30, nil)
	return nil
}

func runCrashes(seed uint64, hints int, keep ...int) (*crashRun, error) {
	r := &crashRun{
		fs: vfs.NewMem(), rnd: rand.NewSeeded(seed), base: time.Now().UnixMicro(),
		acked: map[int]bool{}, gone: map[int]bool{}, refuse: map[int]bool{}, drops: map[int]bool{},
	}
	o := testOptions(r.fs)
	o.MaxBytes = 24 << 10
	s, err := Open(o)
	if err != nil {
		return r, err
	}
	r.fs.OnWriteSide(func(vfs.Call) { r.image(keep) })
	s.Deliver(r)
	// Of its own, so that a seed always does the same.
	load := rand.NewSeeded(seed + 100)
	var pending sync.WaitGroup
	for n := range hints {
		created := r.base
		if n%11 == 0 {
			created -= 5 * time.Hour.Microseconds()
		}
		pending.Add(1)
		d := &crashDone{r, n, &pending}
		if err := s.Add(hostOf(n), created, record(n, 50+int(load.Uint64N(600))), d); err != nil {
			if !errors.Is(err, ErrFull) && !errors.Is(err, ErrExpired) {
				return r, err
			}
			d.Complete(err)
		}
		if load.Uint64N(3) == 0 {
			pending.Wait()
		}
	}
	pending.Wait()
	err = s.Close()
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
		if err := r.judge(clone); err != nil {
			r.err = fmt.Errorf("image %d, %d %% kept: %w", r.images, k, err)
			return
		}
	}
}

// judge opens an image: each hint that was acknowledged and not applied is
// delivered or in a drop. mu is held.
func (r *crashRun) judge(fs *vfs.Mem) error {
	s, err := Open(testOptions(fs))
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer s.Close()
	var left int64
	for _, host := range [][16]byte{hostA, hostB} {
		n, _, _ := s.Pending(host)
		left += n
	}
	p := &all{left: left, done: make(chan struct{}), got: map[int]bool{}}
	s.Deliver(p)
	if left > 0 {
		<-p.done
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	drops := s.Dropped()
	for _, set := range []map[int]bool{r.acked, r.drops} {
		for n := range maps.Keys(set) {
			if !r.gone[n] && !p.got[n] && !covered(drops, n, r.base) {
				return fmt.Errorf("hint %d is lost (acknowledged %v, refused by its target %v, by the store %v), drops %+v",
					n, r.acked[n], r.refuse[n], r.drops[n], drops)
			}
		}
	}
	return nil
}

// covered tells whether a drop has what the hint's target has missed.
func covered(drops []Drop, n int, base int64) bool {
	rec := record(n, 1)
	for _, d := range drops {
		created := base
		if n%11 == 0 {
			created -= 5 * time.Hour.Microseconds()
		}
		if d.Target == hostOf(n) && d.Table == rec.Table() && d.Range.Contains(rec.Token()) && d.First <= created && created <= d.Last {
			return true
		}
	}
	return false
}

// all is a Sender that takes everything, and tells when it has so many.
type all struct {
	mu   sync.Mutex // protects what follows
	left int64
	got  map[int]bool
	done chan struct{}
}

func (a *all) Deliver(_ [16]byte, _ int64, rec mutation.Record, done func(int64, error)) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.got[numberOf(rec)] = true
	if a.left--; a.left == 0 {
		close(a.done)
	}
	go done(1<<40, nil)
	return nil
}

func TestCrashAtEveryCall(t *testing.T) {
	hints, seeds := 60, uint64(2)
	if testing.Short() || invariant.Enabled {
		hints, seeds = 30, 1
	}
	for seed := range seeds {
		r, err := runCrashes(seed, hints, 0, 50, 100, -1)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if r.images < 30 || len(r.acked)+len(r.drops) != hints || len(r.drops) < 3 {
			t.Fatalf("%d images, %d acknowledged, %d dropped: nothing was tried", r.images, len(r.acked), len(r.drops))
		}
	}
}

// TestEveryCallFails fails each call that changes the disk: what is
// acknowledged is found, what is not is in a drop, and the store goes on.
func TestEveryCallFails(t *testing.T) {
	for what, rule := range map[string]vfs.Rule{
		"not done":      {Err: vfs.ErrIO},
		"half done":     {Err: vfs.ErrIO, Short: 512},
		"dirty dropped": {Err: vfs.ErrIO, DropDirty: true},
		"no space":      {Err: vfs.ErrNoSpace},
	} {
		t.Run(what, func(t *testing.T) {
			for nth := 1; ; nth++ {
				mem := vfs.NewMem()
				fs := vfs.NewFault(mem, nil)
				rule.Ops, rule.Nth = vfs.WriteSide, nth
				armed := fs.Add(rule)
				acked, refused := faultRun(t, fs, rule.Err)
				s := mustOpen(t, testOptions(mem.CrashClone(vfs.CrashOptions{})))
				if n, _, _ := s.Pending(hostA); n < int64(len(acked)) {
					t.Fatalf("call %d failed: %d of %d hints are there", nth, n, len(acked))
				}
				drops := s.Dropped()
				for n, created := range refused {
					if !covered(drops, n, created) {
						t.Fatalf("call %d failed: hint %d was not taken and is in no drop: %+v", nth, n, drops)
					}
				}
				mustClose(t, s)
				if armed.Fired() == 0 {
					if nth < 15 {
						t.Fatalf("only %d calls tried", nth)
					}
					return
				}
			}
		})
	}
}

// faultRun adds hints and tells which were acknowledged, and which were not,
// with their creation times.
func faultRun(t *testing.T, fs vfs.FS, cause error) (acked []int, refused map[int]int64) {
	refused = map[int]int64{}
	s, err := Open(testOptions(fs))
	if err != nil {
		if !errors.Is(err, cause) {
			t.Fatal(err)
		}
		return nil, nil
	}
	base := time.Now().UnixMicro()
	for n := 1; n < 9; n++ {
		err := addSync(s, hostA, base, record(2*n, 100))
		switch {
		case err == nil:
			acked = append(acked, n)
		case !errors.Is(err, cause):
			t.Fatalf("hint %d: %v", n, err)
		default:
			refused[2*n] = base
		}
	}
	if len(refused) > 1 {
		t.Fatalf("one call failed and %d hints were not taken", len(refused))
	}
	if err := s.Close(); err != nil && !errors.Is(err, cause) {
		t.Fatal(err)
	}
	return acked, refused
}
