package mem

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/ilion-db/ilion/internal/invariant"
)

// ErrTooLarge is the error of a reservation that no waiting can satisfy.
var ErrTooLarge = errors.New("mem: more than the whole share")

// Share is an account of bytes with a limit.
type Share struct {
	name  string
	limit int64
	used  atomic.Int64

	// waiting is the length of waiters. It is raised before a waiter looks at
	// used for the last time, and read by Release after lowering used: one of the
	// two sees the other.
	waiting atomic.Int32

	mu      sync.Mutex // protects waiters, and writing pressure
	waiters []*waiter  // in the order of arrival

	pressure atomic.Pointer[[]*pressure]
}

type waiter struct {
	n       int64
	granted chan struct{} // closed, with mu held, when n has been added to used
}

// pressure is a callback that fires when used comes over at; it is armed again
// when used has fallen to at or less.
type pressure struct {
	at    int64
	armed atomic.Bool
	call  func(used, limit int64)
}

// NewShare returns an account of its own. Those of a node are in its Budget.
func NewShare(name string, limit int64) *Share { return &Share{name: name, limit: limit} }

// Name is the share's name for messages and metrics, such as "memtable".
func (s *Share) Name() string { return s.name }

// Limit is the most that can be reserved, in bytes.
func (s *Share) Limit() int64 { return s.limit }

// Used is what is reserved now, in bytes.
func (s *Share) Used() int64 { return s.used.Load() }

// Waiting is the number of callers that wait in Reserve.
func (s *Share) Waiting() int { return int(s.waiting.Load()) }

// TryReserve takes n bytes if they are free and nobody waits for memory. A
// refusal fires the pressure callbacks.
func (s *Share) TryReserve(n int64) bool {
	if s.waiting.Load() == 0 && s.take(n) {
		s.notice()
		return true
	}
	s.refused()
	return false
}

// Reserve takes n bytes and waits for them, after those who came before. It
// returns ErrTooLarge at once if n is over the limit, or the context's error.
func (s *Share) Reserve(ctx context.Context, n int64) error {
	if n > s.limit {
		return fmt.Errorf("%w: %d bytes of %s, which has %d", ErrTooLarge, n, s.name, s.limit)
	}
	if s.waiting.Load() == 0 && s.take(n) {
		s.notice()
		return nil
	}
	w := &waiter{n: n, granted: make(chan struct{})}
	s.mu.Lock()
	s.waiters = append(s.waiters, w)
	s.waiting.Add(1)
	s.grant()
	s.mu.Unlock()
	s.refused()
	select {
	case <-w.granted:
		return nil
	case <-ctx.Done():
		return s.giveUp(ctx, w)
	}
}

// Force takes n bytes even over the limit, for memory that is already there
// and cannot be refused (a table being recovered). Others then wait longer.
func (s *Share) Force(n int64) {
	s.used.Add(n)
	s.notice()
}

// Release gives n bytes back.
func (s *Share) Release(n int64) {
	used := s.used.Add(-n)
	if n < 0 || used < 0 { // not as the condition of Check: its arguments allocate
		invariant.Check(false, "mem: released %d bytes of %s, %d are left", n, s.name, used)
	}
	if list := s.pressure.Load(); list != nil {
		for _, p := range *list {
			if used <= p.at && !p.armed.Load() {
				p.armed.Store(true)
			}
		}
	}
	if s.waiting.Load() > 0 {
		s.mu.Lock()
		s.grant()
		s.mu.Unlock()
	}
}

// OnPressure makes the share call f when more than fraction (0 to 1) of it has
// been reserved, once until it has fallen below again, and whenever a
// reservation is refused or has to wait. f is called by the goroutine that
// reserves, without locks; it must not block, and signals whoever flushes or
// evicts. The returned function removes it.
func (s *Share) OnPressure(fraction float64, f func(used, limit int64)) (remove func()) {
	p := &pressure{at: int64(float64(s.limit) * fraction), call: f}
	p.armed.Store(true)
	s.editPressure(func(list []*pressure) []*pressure { return append(list, p) })
	return func() {
		s.editPressure(func(list []*pressure) []*pressure {
			kept := list[:0]
			for _, q := range list {
				if q != p {
					kept = append(kept, q)
				}
			}
			return kept
		})
	}
}

// editPressure replaces the list by an edited copy: readers take no lock.
func (s *Share) editPressure(edit func([]*pressure) []*pressure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*pressure
	if old := s.pressure.Load(); old != nil {
		list = append(list, *old...)
	}
	list = edit(list)
	s.pressure.Store(&list)
}

func (s *Share) take(n int64) bool {
	if n < 0 {
		invariant.Check(false, "mem: reservation of %d bytes of %s", n, s.name)
	}
	for {
		used := s.used.Load()
		if used+n > s.limit {
			return false
		}
		if s.used.CompareAndSwap(used, used+n) {
			return true
		}
	}
}

// grant serves waiters from the front while they fit. The caller holds mu.
func (s *Share) grant() {
	for len(s.waiters) > 0 && s.take(s.waiters[0].n) {
		close(s.waiters[0].granted)
		s.waiters[0] = nil
		s.waiters = s.waiters[1:]
		s.waiting.Add(-1)
	}
}

// giveUp takes a waiter out of the line. If it was served meanwhile it keeps
// what it got.
func (s *Share) giveUp(ctx context.Context, w *waiter) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-w.granted:
		return nil
	default:
	}
	for i, other := range s.waiters {
		if other == w {
			s.waiters = append(s.waiters[:i:i], s.waiters[i+1:]...)
			s.waiting.Add(-1)
			break
		}
	}
	s.grant() // those behind may be smaller
	return fmt.Errorf("mem: waiting for %d bytes of %s: %w", w.n, s.name, context.Cause(ctx))
}

func (s *Share) notice() {
	list := s.pressure.Load()
	if list == nil {
		return
	}
	used := s.used.Load()
	for _, p := range *list {
		if used > p.at && p.armed.CompareAndSwap(true, false) {
			p.call(used, s.limit)
		}
	}
}

func (s *Share) refused() {
	if list := s.pressure.Load(); list != nil {
		for _, p := range *list {
			p.call(s.used.Load(), s.limit)
		}
	}
}
