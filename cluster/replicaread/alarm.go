package replicaread

import (
	"time"

	"github.com/ilion-db/ilion/internal/clock"
)

// alarm is a timer of a round. The round's lock protects it.
type alarm struct {
	timer   clock.Timer // nil until it is needed first
	running bool        // it holds a reference of the round
}

// set makes f be called after d, which gives the reference back. The lock is
// held.
func (r *round) set(a *alarm, d time.Duration, f func()) {
	r.refs++
	a.running = true
	if a.timer == nil {
		a.timer = r.rd.cfg.Clock.AfterFunc(d, f)
	} else {
		a.timer.Reset(d)
	}
}

// stop takes an alarm's reference back if it has not gone off. The lock is held.
func (r *round) stop(a *alarm) {
	if a.running && a.timer.Stop() {
		r.refs--
	}
	a.running = false
}

// limitLocal makes the round end by its deadline although the local replica has
// not answered, or not acknowledged a repair: of other nodes that is known, of a
// disk it is not.
func (r *round) limitLocal() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.phase != phaseOver && !r.limit.running {
		r.set(&r.limit, max(r.deadline-r.rd.now(), 0), r.tooLate)
	}
}

// tooLate is called by the timer.
func (r *round) tooLate() {
	r.mu.Lock()
	r.limit.running = false
	switch {
	case r.phase == phaseAsk:
		r.finish(r.lateness())
	case r.phase == phaseResolve && r.repairs > 0:
		r.finish(r.tooFewHold())
	}
	r.unlock()
	r.release()
}
