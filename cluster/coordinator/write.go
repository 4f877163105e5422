package coordinator

import (
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cluster/hints"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/fail"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// write is the record of one attempt to write one partition to its replicas.
//
// Thread safety: mu protects what is marked so; the rest is set before the
// first replica is asked and not changed until the record is free.
//
// Invariants: refs is the number of replicas and hints that have yet to answer,
// plus one for whoever starts the write; the record goes back to its pool when
// it is 0, so that an answer always finds the attempt that it belongs to, and
// has no deadline from then on. done is called once, or handed to a later
// attempt. No more is counted of a group than it has replicas.
type write struct {
	c *Cluster
	requested
	v    *view
	need *requirement

	// body is a wire.Apply of one record, which aliases it.
	body    []byte
	local   [1]mutation.Record
	message rpc.Message
	hops    hops

	deadline atomic.Int64 // when to expire, once this attempt answers for the write; else 0
	handedOn atomic.Bool  // a later attempt answers
	charged  int64        // bytes, of the pool
	index    uint32       // in pool.all
	free     bool         // it is in pool.free, whose lock protects this

	mu       sync.Mutex // protects what follows
	use      uint32     // counts the uses of the record
	done     cluster.Completer
	answered bool
	refs     int
	slots    []slot
	counts   []count // as need.groups
	missing  int     // replicas, of all groups, that have neither the write nor a durable hint
}

// requested is what a write carries from one attempt to the next.
type requested struct {
	level ring.ConsistencyLevel
	kind  native.WriteType
	// batched is part of a batch, replayed when that was made if it is written
	// again, else 0: neither is stamped again.
	batched  bool
	replayed int64
	part     *batch // that is kept until every replica has this or a hint for it; or nil
	tries    int
	created  int64  // for hints, microseconds
	limit    int64  // clock.Mono nanoseconds
	until    uint64 // epoch that has to be in force before it goes on
}

// count is what has come of a group's replicas. Those without have neither the
// write nor a durable hint.
type count struct {
	acks, left, failures, without, total int
}

// check asserts that no more is counted than there are replicas.
func (n *count) check() {
	invariant.Check(n.left >= 0 && n.acks+n.left <= n.total && n.failures <= n.total && n.without <= n.total,
		"coordinator: a write counts more answers than it has replicas")
}

// slot is one replica of a write.
type slot struct {
	w     *write
	node  int // in view.topology.Nodes
	group int // in write.counts, or -1
	via   int // slot of the one who sends on, its own if it is that; or -1
	state slotState
	// reason is why it failed, as in native.FailureReason.
	reason uint16
}

type slotState uint8

const (
	waiting slotState = iota // it may be sent on, then nothing but the deadline is sure to end it
	acked
	failed
	lost // nothing was or will be heard in time
)

// Receive implements rpc.Receiver.
func (s *slot) Receive(a *rpc.Answer) {
	w := s.w
	w.c.heard(w.v.members[s.node], a.Epoch)
	switch err := a.Err.(type) {
	case nil:
		w.resolve(s, acked, 0)
	case *wire.Error:
		next := w.next(s, err)
		if err.Code != wire.CodeNewer {
			w.askBehind(s)
		}
		to, reason := outcomeOf(err.Code)
		w.resolve(s, to, reason)
		if next != nil {
			next.proceed()
		}
	default:
		w.askBehind(s)
		w.resolve(s, lost, native.ReasonTimeout)
	}
}

// outcomeOf is what a replica's answer means, 0 if it has applied the write.
func outcomeOf(code wire.Code) (to slotState, reason uint16) {
	switch code {
	case 0, wire.CodeNewer: // which is applied, too
		return acked, 0
	case wire.CodeStale, wire.CodeBehind, wire.CodeOverloaded, wire.CodeTimeout:
		return lost, native.ReasonTimeout
	}
	return failed, reasonOf(code)
}

func reasonOf(c wire.Code) uint16 {
	if c == wire.CodeUnknownTable {
		return native.ReasonUnknownTable
	}
	return native.ReasonUnknown
}

// Complete implements mutation.Completer for the local store, whose slot is
// the first.
func (w *write) Complete(err error) {
	if err != nil {
		w.c.stats.StoreFailures.Inc()
		w.resolve(&w.slots[0], failed, native.ReasonUnknown)
		return
	}
	w.resolve(&w.slots[0], acked, 0)
}

// id names this use of the record. mu is held.
func (w *write) id() uint64 { return uint64(w.use)<<32 | uint64(w.index) }

// resolve counts the answer of a replica, once. One that may not have the write,
// this node's store among them, gets a hint, unless a later attempt sees to that.
func (w *write) resolve(s *slot, to slotState, reason uint16) {
	w.mu.Lock()
	if s.state != waiting {
		w.mu.Unlock()
		return
	}
	w.settle(s, to, reason)
}

// resolveTold is resolve by what somebody else tells of a replica: it counts
// only as long as that one is to be reached through another. One that has been
// asked itself answers itself.
func (w *write) resolveTold(s *slot, to slotState, reason uint16) {
	w.mu.Lock()
	if s.state != waiting || !w.behind(s) {
		w.mu.Unlock()
		return
	}
	w.settle(s, to, reason)
}

// behind tells whether a replica gets the write from another one. mu is held.
func (w *write) behind(s *slot) bool { return s.via >= 0 && &w.slots[s.via] != s }

// settle is resolve with mu held, which it unlocks.
func (w *write) settle(s *slot, to slotState, reason uint16) {
	invariant.Check(w.refs > 0 && to != waiting, "coordinator: an answer to a write that is over")
	s.state, s.reason = to, reason
	hint := to != acked && w.done != nil
	if to != acked && !hint {
		w.missing++
	}
	if s.group >= 0 {
		n := &w.counts[s.group]
		switch to {
		case acked:
			n.acks++
		case failed:
			n.failures++
		}
		if hint && fail.Mutant("any-before-hint") && w.level == ring.Any {
			n.acks++
		}
		if !hint || !w.awaitsHints() {
			n.left--
		}
		if to != acked && !hint {
			n.without++
		}
		n.check()
	}
	if !hint {
		w.unref(w.decide())
		return
	}
	done, err := w.decide()
	w.mu.Unlock()
	if done != nil {
		done.Complete(err)
	}
	w.hint(s)
}

// awaitsHints tells whether hints count: at ANY one may make up for a replica,
// and what is written again is done when every replica has it or gets it by a
// durable hint.
func (w *write) awaitsHints() bool { return w.level == ring.Any || w.replayed != 0 }

// unref gives one reference back, with mu held, unlocks and tells the outcome
// if there is one to tell.
func (w *write) unref(done cluster.Completer, err error) {
	w.refs--
	invariant.Check(w.refs >= 0, "coordinator: a write was released too often")
	free := w.refs == 0
	if free {
		w.deadline.Store(0) // it must not expire any more
	}
	var part *batch
	if free && w.done != nil { // no later attempt tells
		part = w.part
	}
	whole := w.missing == 0
	w.mu.Unlock()
	if free {
		w.c.pool.put(w)
	}
	if done != nil {
		done.Complete(err)
	}
	if part != nil {
		part.settled(whole)
	}
}

// decide tells whom to tell what, once it is known. mu is held.
func (w *write) decide() (cluster.Completer, error) {
	if w.answered {
		return nil, nil
	}
	met, left := true, 0
	for i := range w.counts {
		n := &w.counts[i]
		met = met && (n.acks >= w.need.groups[i].need || n.acks > 0 && fail.Mutant("acknowledge-early"))
		if w.replayed != 0 {
			met = met && n.left == 0 && n.without == 0
		}
		left += n.left
	}
	// While replicas have yet to answer, only failures are told: what else is
	// wrong may still become one, and at ANY hints make up for it.
	if !met && left > 0 && (w.awaitsHints() || !w.failing()) {
		return nil, nil
	}
	w.answered = true
	if met {
		return w.done, nil
	}
	return w.done, w.verdict()
}

// failing tells whether so many replicas said no that the others, those that
// are dead included, cannot be enough. mu is held.
func (w *write) failing() bool {
	for i := range w.counts {
		if n := &w.counts[i]; w.need.groups[i].need+n.failures > n.total {
			return true
		}
	}
	return false
}

// verdict is the error of a write whose level was not met: a failure, or a
// time-out, whether the deadline has passed or nothing more can come. mu is
// held.
func (w *write) verdict() error {
	cl := native.Consistency(w.level)
	if w.need == nil { // no replica was asked in this attempt
		w.c.stats.Timeouts.Inc()
		return native.WriteTimeout(cl, 0, w.level.BlockFor(1), w.kind)
	}
	received := 0
	for i := range w.counts {
		received += w.counts[i].acks
	}
	if !w.failing() {
		w.c.stats.Timeouts.Inc()
		// More answers than one data centre needs do not make up for another.
		return native.WriteTimeout(cl, min(received, w.need.blockFor-1), w.need.blockFor, w.kind)
	}
	w.c.stats.Failures.Inc()
	var reasons []native.FailureReason
	for i := range w.slots {
		if s := &w.slots[i]; s.state == failed {
			reasons = append(reasons, native.FailureReason{Addr: w.v.addr(s.node), Code: s.reason})
		}
	}
	return native.WriteFailure(cl, received, w.need.blockFor, w.kind, reasons)
}

// addr is where clients know a node.
func (v *view) addr(node int) netip.Addr {
	if a, err := netip.ParseAddrPort(v.topology.Nodes[node].Address); err == nil {
		return a.Addr()
	}
	return netip.IPv4Unspecified()
}

// expire answers a write whose deadline has passed. What its replicas answer
// is still awaited, but for those that it was sent on to: nobody may tell what
// became of it there.
func (w *write) expire(now int64) {
	w.mu.Lock()
	if d := w.deadline.Load(); d == 0 || d > now {
		w.mu.Unlock()
		return
	}
	w.deadline.Store(0)
	w.refs++
	var done cluster.Completer
	var err error
	if !w.answered && w.done != nil {
		w.answered = true
		done, err = w.done, w.verdict()
	}
	w.mu.Unlock()
	if done != nil {
		done.Complete(err)
	}
	for i := 0; ; i++ {
		w.mu.Lock()
		if i >= len(w.slots) {
			w.unref(nil, nil)
			return
		}
		s := &w.slots[i]
		w.mu.Unlock()
		w.resolveTold(s, lost, native.ReasonTimeout)
	}
}

// finish ends an attempt of which no replica has been asked.
func (w *write) finish(err error) {
	w.mu.Lock()
	done := w.done
	if w.answered {
		done = nil
	}
	if err != nil {
		w.missing++
	}
	w.answered = true
	w.unref(done, err)
}

// hinted is a slot whose hint is being kept.
type hinted slot

// hint keeps the record for a replica that may not have it. The slot's
// reference is the hint's then.
func (w *write) hint(s *slot) {
	if fail.Mutant("forget-hint") {
		(*hinted)(s).Complete(nil)
		return
	}
	if err := w.c.cfg.Hints.Add(w.v.members[s.node].host, w.created, w.local[0], (*hinted)(s)); err != nil {
		(*hinted)(s).Complete(err)
	}
}

// Complete implements mutation.Completer.
func (h *hinted) Complete(err error) {
	w := h.w
	if err != nil {
		w.c.stats.HintsLost.Inc()
	} else {
		w.c.stats.Hints.Inc()
	}
	w.mu.Lock()
	lacks := err != nil && !errors.Is(err, hints.ErrExpired) // which it would be the next time, too
	if lacks {
		w.missing++
	}
	if h.group >= 0 && w.awaitsHints() {
		n := &w.counts[h.group]
		n.left--
		switch {
		case err == nil: // which is as good as to have it
			n.acks++
		case lacks:
			n.without++
		}
		n.check()
	}
	w.unref(w.decide())
}
