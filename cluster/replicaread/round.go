package replicaread

import (
	"sync"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/wire"
)

// round asks the replicas of one section for one page: the counted record of a
// read. Whoever answers (a peer's connection, a worker, a timer) takes the
// record's lock, notes the answer and sees what is to be done next, so no
// goroutine waits for a replica.
//
//	ask       data from the best replica and digests from the others that the
//	          level needs; of ranges, data from all
//	full      the digests differ: data from all that are needed
//	compare   enough pages are there: whoever brought the last one compares them,
//	          without the lock
//	resolve   pages that differ are merged; what a replica lacks is repaired; if
//	          it does not take that, others are asked
//	over      the owner is told
//
// It is pooled: the owner and every answer still to come hold a reference.
//
// Invariants: a round is over once, and its owner told once at most; from
// compare on, the replicas of the result are not asked again and answers of
// others change nothing but their own part, unless a repair fails.
type round struct {
	rd *Reader
	// The owner waits for ready or, if async is set, is that.
	ready chan struct{}
	async *scan
	question

	mu    sync.Mutex // protects what follows, until over
	phase phase
	tell  telling
	refs  int
	answers
	hedge alarm // when one more than is needed is asked
	limit alarm // when the local replica is not waited for any longer

	// The result, which belongs to whoever compares and resolves, and to the
	// owner once the round is over.
	err    error
	result result
}

type phase uint8

const (
	phaseAsk phase = iota
	phaseCompare
	phaseResolve
	phaseOver
)

// telling is how far the owner has been told that the round is over.
type telling uint8

const (
	tellNothing telling = iota
	tellDue
	told
)

func (rd *Reader) newRound() *round {
	r, _ := rd.rounds.Get().(*round)
	if r == nil {
		r = &round{rd: rd, ready: make(chan struct{}, 1)}
	}
	select {
	case <-r.ready: // nobody waited for it
	default:
	}
	r.refs = 1
	return r
}

// start asks the first replicas for the round's section. An error means that
// nothing was asked and the owner is not told. Otherwise the owner is told
// once, maybe before start returns, and has to release the round.
func (r *round) start(cmd *mutation.ReadCommand, replicas []int, p *cluster.Placement, bytes int, rows uint32) error {
	now := r.rd.now()
	if err := r.targets.choose(r.rd, r.top, p, replicas, r.level); err != nil {
		r.rd.stats.unavailable.Inc()
		return err
	}
	if r.table = r.rd.cfg.Schema().TableByID(cmd.Table); r.table == nil {
		return errUnknownTable()
	}
	r.latency = r.rd.latencyOf(r.table, r.sec.ranged, now)
	if err := r.encode(cmd, bytes, rows); err != nil {
		return err
	}
	r.phase, r.tell, r.err = phaseAsk, tellNothing, nil
	r.prepare()
	r.mu.Lock()
	r.wantFirst()
	r.startHedge(now)
	r.refs++ // ours, while we send
	r.mu.Unlock()
	r.send()
	r.release()
	return nil
}

// finish ends the round. The lock is held; unlock tells the owner.
func (r *round) finish(err error) {
	invariant.Check(r.phase != phaseOver && r.tell == tellNothing, "replicaread: a round is over a second time")
	r.phase, r.err, r.tell = phaseOver, err, tellDue
	for i := range r.replicas {
		if r.replicas[i].state == toAsk {
			r.replicas[i].state = spare
			r.refs--
		}
	}
	r.stop(&r.hedge)
	r.stop(&r.limit)
}

// unlock gives the lock back and tells the owner if the round is over by now.
func (r *round) unlock() {
	tell := r.tell == tellDue
	if tell {
		r.tell = told
	}
	r.mu.Unlock()
	switch {
	case !tell:
	case r.async != nil:
		r.async.roundOver()
	default:
		r.ready <- struct{}{}
	}
}

// hold notes whom the owner waits for; false if it must not.
func (r *round) hold() (ok bool) {
	ok = true
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.replicas {
		p := &r.replicas[i]
		if p.load == nil || p.state != asked && p.state != toAsk {
			continue
		}
		p.held = true
		ok = p.load.hold(r.rd.now(), int32(r.rd.cfg.Waiting)) && ok
	}
	return ok
}

// letGo is the end of hold.
func (r *round) letGo() {
	for i := range r.replicas {
		if p := &r.replicas[i]; p.held {
			p.held = false
			p.load.release()
		}
	}
}

// abandon is the owner's release of a round that it does not wait for.
func (r *round) abandon() {
	r.mu.Lock()
	if r.phase != phaseOver {
		r.finish(nil)
	}
	r.tell = told
	r.mu.Unlock()
	r.release()
}

// release gives a reference back.
func (r *round) release() {
	r.mu.Lock()
	r.refs--
	left := r.refs
	r.mu.Unlock()
	invariant.Check(left >= 0, "replicaread: a round was released too often")
	if left == 0 {
		r.recycle()
	}
}

// keepBytes bounds the buffers of a round that is kept for the next read.
const keepBytes = 64 << 10

func (r *round) recycle() {
	r.async, r.top, r.table, r.latency, r.err = nil, nil, nil, nil, nil
	for i := range r.replicas {
		p := &r.replicas[i]
		p.load, p.err = nil, nil
		if cap(p.body)+cap(p.store.body) > keepBytes {
			p.body, p.store.body, p.reply = nil, nil, wire.ReadReply{}
		}
	}
	r.result.drop()
	r.rd.rounds.Put(r)
}
