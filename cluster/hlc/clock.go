package hlc

import (
	"sync/atomic"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/invariant"
)

// MaxLead is how far ahead of the wall clock a stamp may be to be followed.
const MaxLead = 60 * time.Second

// Clock gives out the stamps of a node.
type Clock struct {
	clock clock.Clock
	last  atomic.Int64

	refused atomic.Uint64
	lead    atomic.Int64 // largest that was refused, microseconds
}

// New starts above mark, the largest stamp that an earlier run is known to
// have given.
func New(c clock.Clock, mark int64) *Clock {
	h := &Clock{clock: c}
	h.last.Store(mark)
	return h
}

// Now returns the next stamp in microseconds.
func (h *Clock) Now() int64 {
	wall := h.clock.Now().UnixMicro()
	for {
		last := h.last.Load()
		next := max(wall, last+1)
		invariant.Check(next > last, "hlc: stamps are used up")
		if h.last.CompareAndSwap(last, next) {
			return next
		}
	}
}

// Mark is the largest stamp given or followed so far.
func (h *Clock) Mark() int64 { return h.last.Load() }

// StartAbove makes later stamps be above mark, however far ahead of the wall
// clock that is. It is for what an earlier run is found to have given.
func (h *Clock) StartAbove(mark int64) { raise(&h.last, mark) }

// Follow makes later stamps be above stamp. It answers false, and does
// nothing, if stamp is more than MaxLead ahead of the wall clock.
func (h *Clock) Follow(stamp int64) bool {
	last := h.last.Load()
	if stamp <= last {
		return true
	}
	if lead := stamp - h.clock.Now().UnixMicro(); lead > MaxLead.Microseconds() {
		h.refused.Add(1)
		raise(&h.lead, lead)
		return false
	}
	raise(&h.last, stamp)
	invariant.Check(h.last.Load() >= stamp, "hlc: the clock goes back")
	return true
}

// Stats is what a Clock did not follow.
type Stats struct {
	Refused uint64        // stamps that were too far ahead
	Lead    time.Duration // by how much the worst of them was
}

// Stats returns the clock's counts.
func (h *Clock) Stats() Stats {
	return Stats{Refused: h.refused.Load(), Lead: time.Duration(h.lead.Load()) * time.Microsecond}
}

// raise makes a at least v and tells whether it was below.
func raise(a *atomic.Int64, v int64) bool {
	for {
		old := a.Load()
		if old >= v {
			return false
		}
		if a.CompareAndSwap(old, v) {
			return true
		}
	}
}
