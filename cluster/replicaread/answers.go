package replicaread

import (
	"errors"

	"github.com/ilion-db/ilion/internal/fail"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/wire"
)

// answers is what has come of a round's replicas. The round's lock protects it,
// but for what a replica has answered, which is not changed once that is noted.
type answers struct {
	replicas []replica // as targets.nodes
	digests  bool      // the first replica alone is asked for data
	full     bool      // digests do not count any more
	stale    uint64    // epoch of a replica that refused what it was sent
	repairs  int       // still to be acknowledged
	unsaved  bool      // a repair has failed
}

// settle notes an answer and goes on. It gives the answer's reference back.
func (r *round) settle(p *replica, err error) {
	if err == nil {
		p.digest()
	}
	host := p.host
	r.mu.Lock()
	damaged := r.note(p, err)
	compare := r.step()
	r.unlock()
	if damaged {
		if others, ok := r.rd.said.damaged.Pass(r.rd.now()); ok {
			r.rd.cfg.Log.Error("a replica has damaged data", "host", host, "error", err, "others", others)
		}
	}
	if compare {
		r.compare()
	}
	r.send()
	r.release()
}

// note takes an answer in and tells whether it says that what the replica has is
// damaged. The lock is held.
func (r *round) note(p *replica, err error) (damaged bool) {
	if r.phase == phaseOver {
		return false
	}
	invariant.Check(p.state == asked, "replicaread: a replica answers that was not asked, or a second time")
	switch {
	case err != nil:
		return r.fails(p, err)
	case p.data:
		p.state = hasData
	default:
		p.state = hasDigest
		r.full = r.full || !p.summed // the page is too long for a digest
	}
	return false
}

// fails notes that a replica does not answer, and tells whether that is because
// what it has is damaged. The lock is held.
func (r *round) fails(p *replica, err error) (damaged bool) {
	p.state, p.err = failed, err
	r.rd.stats.failures.Inc()
	var e *wire.Error
	if !errors.As(err, &e) {
		return false
	}
	if e.Code == wire.CodeCorrupt {
		r.rd.stats.corrupt.Inc()
		damaged = true
	}
	// From compare on there are enough without it, unless a repair fails.
	r.stale = max(r.stale, r.changedAt(err))
	return damaged
}

// step sees what is to be done after an answer. The lock is held. compare tells
// that the result's pages are to be compared by the caller, without the lock.
func (r *round) step() (compare bool) {
	if r.phase != phaseAsk {
		return false
	}
	if r.stale > 0 {
		r.finish(errStale)
		return false
	}
	enough, hopeless := r.tally()
	if enough && r.digests && !r.full && !r.agree() {
		r.full = true
		enough, hopeless = r.tally()
	}
	switch {
	case hopeless:
		r.finish(r.failure())
	case enough:
		return r.collected()
	}
	return false
}

// tally counts what has come and asks more replicas if some have failed.
// enough means that the level is reached, with data; hopeless that it cannot be
// any more.
func (r *round) tally() (enough, hopeless bool) {
	if r.full {
		r.wantData(len(r.replicas))
	}
	data, coming := r.data()
	enough = true
	for g := range r.targets.groups {
		need := r.targets.need[g]
		have, waiting := r.count(g)
		enough = enough && have >= need
		for ; have+waiting < need; waiting++ {
			i := r.spare(g)
			if i < 0 {
				return false, true
			}
			r.want(i, r.full || !data && !coming)
			coming = coming || r.replicas[i].data
		}
	}
	if !data && !coming {
		// All that answered told digests, and whoever was to send data failed.
		r.wantData(1)
	}
	return enough && data, false
}

// wantData asks up to n of the replicas that have told a digest for the data.
func (r *round) wantData(n int) {
	for i := range r.replicas {
		if n > 0 && r.replicas[i].state == hasDigest {
			r.want(i, true)
			n--
		}
	}
}

// data tells whether some replica has sent data, and whether one may yet.
func (r *round) data() (here, coming bool) {
	for i := range r.replicas {
		p := &r.replicas[i]
		here = here || p.state == hasData
		coming = coming || p.pending() && p.data
	}
	return here, coming
}

// count tells how many replicas of a group have answered what counts, and how
// many have yet to answer.
func (r *round) count(group int) (have, waiting int32) {
	for i := range r.replicas {
		p := &r.replicas[i]
		switch {
		case int(r.targets.nodes[i].group) != group:
		case p.state == hasData, p.state == hasDigest && !r.full:
			have++
		case p.pending():
			waiting++
		}
	}
	return have, waiting
}

func (p *replica) pending() bool { return p.state == asked || p.state == toAsk }

// spare finds a replica of the group that was not asked, or -1.
func (r *round) spare(group int) int {
	for i := range r.replicas {
		if r.replicas[i].state == spare && int(r.targets.nodes[i].group) == group {
			return i
		}
	}
	return -1
}

// digest makes the answer's digest if it is to be compared with others, before
// the answer is noted: it costs time for each byte of a page.
func (p *replica) digest() {
	switch {
	case !p.data:
		p.sum, p.summed = p.reply.Digest, p.reply.HasDigest
	case p.sums:
		p.sum, p.summed = p.store.pageDigest(&p.reply, &p.round.read)
	}
}

// agree tells whether the data and the digests that came are of one result. A
// page that was cut for its bytes agrees with none.
func (r *round) agree() bool {
	var sum [16]byte
	known := false
	for i := range r.replicas {
		p := &r.replicas[i]
		switch {
		case p.state != hasData && p.state != hasDigest:
		case !p.summed, known && p.sum != sum && !fail.Mutant("ignore-digests"):
			return false
		default:
			sum, known = p.sum, true
		}
	}
	return true
}

// collected has enough answers. Several pages are to be compared by the caller.
func (r *round) collected() (compare bool) {
	r.result.use(r)
	if len(r.result.pages) > 1 {
		r.phase = phaseCompare
		return true
	}
	r.finish(nil)
	return false
}

// compare sees whether the pages of the result are the same. If they differ they
// are merged on a worker, since that takes a while. It is called without the
// lock and with a reference.
func (r *round) compare() {
	if same := r.result.same(); same {
		r.result.pages = r.result.pages[:1]
		r.end(nil)
		return
	}
	r.rd.stats.mismatches.Inc()
	r.mu.Lock()
	over := r.phase == phaseOver // its owner has given it up
	if !over {
		r.phase = phaseResolve
		r.refs++
	}
	r.mu.Unlock()
	if !over && !r.rd.workers.Submit(r) {
		r.end(errBusy)
		r.release()
	}
}

// run implements task: it resolves the pages, unless the round's owner has given
// it up meanwhile.
func (r *round) run() {
	r.mu.Lock()
	over := r.phase == phaseOver
	r.mu.Unlock()
	if !over {
		r.resolve()
	}
	r.release()
}

// end finishes a round whose pages were compared, unless its owner has given it
// up meanwhile.
func (r *round) end(err error) {
	r.mu.Lock()
	if r.phase != phaseOver {
		r.finish(err)
	}
	r.unlock()
}
