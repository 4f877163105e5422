package coordinator

import (
	"context"
	"errors"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/fail"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/wire"
)

// maxStamps is how often a write is stamped again before it is acknowledged
// with the stamp that it has: its coordinator's clock follows every time, so
// that more than one needs rivals for the same partition.
const maxStamps = 4

// next hands the write over to another attempt, if the error asks for one and
// nobody has been answered yet. What comes for this one is not counted then.
func (w *write) next(s *slot, e *wire.Error) *write {
	until := uint64(0)
	switch e.Code {
	case wire.CodeNewer:
		w.c.stats.Newer.Inc()
		if fail.Mutant("skip-restamping") || w.batched || w.tries >= maxStamps || !w.c.cfg.Stamps.Follow(e.Timestamp) {
			return nil
		}
	case wire.CodeStale, wire.CodeNotOwner, wire.CodeUnknownTable:
		if until = e.Epoch; until <= w.v.epoch {
			return nil
		}
		w.c.stats.Stale.Inc()
	default:
		return nil
	}
	if until > 0 {
		w.c.cfg.Metadata.Hear(w.v.members[s.node].host, until)
	}
	w.mu.Lock()
	if w.answered {
		w.mu.Unlock()
		return nil
	}
	done := w.done
	invariant.Check(done != nil, "coordinator: an attempt that does not answer is handed on")
	w.done, w.answered = nil, true
	w.mu.Unlock()
	w.handedOn.Store(true)
	n := w.c.pool.successor(w)
	n.until = until
	n.owe(done)
	return n
}

// owe makes the attempt the one that answers.
func (w *write) owe(done cluster.Completer) {
	w.mu.Lock()
	invariant.Check(w.refs == 0 && !w.answered, "coordinator: a later attempt is under way already")
	w.done, w.refs = done, 1
	w.mu.Unlock()
	w.arm()
}

// proceed plans the write and sends it, once the epoch that it needs is in
// force. The starter's reference goes with it.
func (w *write) proceed() {
	if w.c.parking.add(w, w.until, w.limit) {
		return
	}
	err := w.begin(noWait)
	if errors.Is(err, mutation.ErrWouldBlock) {
		if w.c.workers.Submit(w) {
			return
		}
		err = w.timeout()
	}
	if err != nil {
		w.finish(err)
	}
}

// giveUp implements waiter.
func (w *write) giveUp() { w.finish(w.timeout()) }

// run implements task.
func (w *write) run() {
	ctx, cancel := w.c.limited(w.limit)
	defer cancel()
	if err := w.begin(ctx); err != nil {
		w.finish(err)
	}
}

// timeout is the answer where nothing of this attempt was heard.
func (w *write) timeout() error {
	need := w.level.BlockFor(1)
	if t := w.c.view.Load().tables[w.local[0].Table()]; t != nil {
		need = t.levels[w.level].blockFor
	}
	w.c.stats.Timeouts.Inc()
	return native.WriteTimeout(native.Consistency(w.level), 0, need, w.kind)
}

// begin plans an attempt and asks the replicas. An error means that none was
// asked.
func (w *write) begin(ctx context.Context) error {
	c, r := w.c, w.local[0]
	tk := c.gate.enter(r.Token())
	defer c.gate.leave(tk)
	v := c.view.Load()
	t := v.tables[r.Table()]
	for t != nil && t.closed {
		if c.parking.add(w, v.epoch+1, w.limit) {
			return nil
		}
		v = c.view.Load()
		t = v.tables[r.Table()]
	}
	switch {
	case w.replayed != 0 && (v.gone(r) || c.late(v, r, w.replayed)):
		w.finish(nil)
		return nil
	case t == nil:
		return errDropped
	}
	// If too few are alive by now, those that are get it and the others a hint:
	// an earlier attempt may have reached somebody.
	set := t.Replicas(r.Token())
	if !w.batched && r.Optional()&mutation.FlagServerStamped != 0 {
		if err := r.Restamp(c.cfg.Stamps.Now()); err != nil {
			return err
		}
	}
	if w.replayed == 0 {
		r.SetEpoch(v.state.Schema.Epoch)
	}
	w.plan(v, t, set)
	if w.holds() {
		if err := c.order(r, w.batched); err != nil {
			w.unplan()
			return err
		}
	}
	err := w.ask(ctx)
	if err != nil {
		w.unplan()
	}
	return err
}

// holds tells whether this node is one of the replicas.
func (w *write) holds() bool { return len(w.slots) > 0 && w.slots[0].node == 0 }

// unplan leaves only the starter's reference.
func (w *write) unplan() {
	w.mu.Lock()
	w.refs -= len(w.slots)
	w.need, w.slots, w.counts = nil, w.slots[:0], w.counts[:0]
	w.mu.Unlock()
}

var errDropped = native.Invalid("The table was dropped while the statement ran")
