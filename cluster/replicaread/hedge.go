package replicaread

import (
	"time"

	"github.com/ilion-db/ilion/internal/clock"
)

// hedge is a round's timer, after which it asks one replica more than it needs.
type hedge struct {
	timer   clock.Timer // nil until it is needed first
	running bool        // it holds a reference of the round
}

// startHedge asks one replica more after the table's delay. The lock is held.
func (r *round) startHedge(now time.Duration) {
	if len(r.targets.nodes) == r.targets.blockFor {
		return
	}
	limit := (r.deadline - now) / 2
	switch d := r.latency.hedge(now, limit); {
	case d < 0 || d > limit:
	case d == 0:
		r.hedgeOne()
	default:
		r.refs++
		r.hedge.running = true
		if r.hedge.timer == nil {
			r.hedge.timer = r.rd.cfg.Clock.AfterFunc(d, r.hedgeNow)
		} else {
			r.hedge.timer.Reset(d)
		}
	}
}

// stopHedge takes the timer's reference back if it has not gone off. The lock is
// held.
func (r *round) stopHedge() {
	if r.hedge.running && r.hedge.timer.Stop() {
		r.refs--
	}
	r.hedge.running = false
}

// hedgeNow is called by the timer.
func (r *round) hedgeNow() {
	r.mu.Lock()
	r.hedge.running = false
	if r.phase == phaseAsk {
		r.hedgeOne()
	}
	r.unlock()
	r.send()
	r.release()
}

// hedgeOne marks a replica that was not needed so far, of a group that waits.
// The lock is held.
func (r *round) hedgeOne() {
	data, _ := r.data()
	for g := range r.targets.groups {
		if have, _ := r.count(g); data && have >= r.targets.need[g] {
			continue
		}
		if i := r.spare(g); i >= 0 {
			r.rd.stats.hedges.Inc()
			r.want(i, r.full || !data)
			return
		}
	}
}
