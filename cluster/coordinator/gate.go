package coordinator

import (
	"sync/atomic"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/ring"
)

// gateStripes spreads those inside over cache lines.
const gateStripes = 8

type gateStripe struct {
	n atomic.Int64
	_ [120]byte
}

// gate tells when everybody who planned on an older view has left. Whoever uses
// the view to change the store enters before loading it and leaves when the
// store has the change.
//
// Invariants: a ticket counts in the phase that was current after it was
// counted. drain is called by one goroutine at a time.
type gate struct {
	phase   atomic.Uint32
	inside  [2][gateStripes]gateStripe
	waiting atomic.Bool
	wake    chan struct{} // of capacity 1
}

// ticket is a place inside the gate.
type ticket uint32

func (g *gate) enter(token ring.Token) ticket {
	stripe := uint32(token) % gateStripes
	for {
		p := g.phase.Load() & 1
		n := &g.inside[p][stripe].n
		n.Add(1)
		if g.phase.Load()&1 == p {
			return ticket(p*gateStripes + stripe)
		}
		n.Add(-1)
		g.tell()
	}
}

func (g *gate) leave(t ticket) {
	left := g.inside[t/gateStripes][t%gateStripes].n.Add(-1)
	invariant.Check(left >= 0, "coordinator: more leave the gate than have entered")
	g.tell()
}

func (g *gate) tell() {
	if g.waiting.Load() {
		select {
		case g.wake <- struct{}{}:
		default:
		}
	}
}

// drain returns when all who were inside have left.
func (g *gate) drain() {
	old := (g.phase.Add(1) - 1) & 1
	g.waiting.Store(true)
	defer g.waiting.Store(false)
	for !g.empty(old) {
		<-g.wake
	}
}

func (g *gate) empty(phase uint32) bool {
	for i := range g.inside[phase] {
		if g.inside[phase][i].n.Load() != 0 {
			return false
		}
	}
	return true
}
