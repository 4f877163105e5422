package replicaread

import "time"

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
		r.set(&r.hedge, d, r.hedgeNow)
	}
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
