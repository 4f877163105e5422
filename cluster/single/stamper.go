package single

import (
	"sync/atomic"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/invariant"
)

// Stamper is the node's hybrid clock: real microseconds that never repeat and
// never go back, also when the wall clock does or the node restarts.
type Stamper struct {
	clock clock.Clock
	last  atomic.Int64
}

// NewStamper starts above mark, the largest stamp that an earlier run is known
// to have given.
func NewStamper(c clock.Clock, mark int64) *Stamper {
	s := &Stamper{clock: c}
	s.last.Store(mark)
	return s
}

// Now returns the next stamp in microseconds.
func (s *Stamper) Now() int64 {
	wall := s.clock.Now().UnixMicro()
	for {
		last := s.last.Load()
		next := max(wall, last+1)
		invariant.Check(next > last, "single: stamps are used up")
		if s.last.CompareAndSwap(last, next) {
			return next
		}
	}
}

// Mark is the largest stamp given so far.
func (s *Stamper) Mark() int64 { return s.last.Load() }
