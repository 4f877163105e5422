package clock

import (
	"sync/atomic"
	"time"
)

// seldom is how far apart at least is what Seldom lets through.
const seldom = time.Minute

// Seldom lets through once a minute at most what may happen again and again: a
// line of the log that any request can cause. The zero value lets the first one
// through. Safe for concurrent use.
type Seldom struct {
	next atomic.Int64 // Mono before which nothing is let through; 0 is that nothing was
	held atomic.Uint64
}

// Pass tells whether something that happens now, on a clock's Mono, is let
// through, and how many were not since the last one.
func (s *Seldom) Pass(now time.Duration) (held uint64, ok bool) {
	next := s.next.Load()
	// A next is odd, and so never 0: a Mono may be below that.
	if next != 0 && int64(now) < next || !s.next.CompareAndSwap(next, int64(now+seldom)|1) {
		s.held.Add(1)
		return 0, false
	}
	return s.held.Swap(0), true
}
