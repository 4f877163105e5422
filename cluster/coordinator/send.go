package coordinator

import (
	"context"
	"errors"
	"time"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// bulkBytes is from which size a body travels apart from small requests.
const bulkBytes = 64 << 10

// hops is the scratch of encoding bodies.
type hops struct {
	apply wire.Apply
	body  []byte // for who sends on
}

// plan makes a slot for every replica, this node's first. The starter's
// reference is kept.
func (w *write) plan(v *view, t *table, set *cluster.ReplicaSet) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.v, w.need = v, &t.levels[w.level]
	w.slots, w.counts = w.slots[:0], w.counts[:0]
	for range w.need.groups {
		w.counts = append(w.counts, count{})
	}
	for _, n := range set.Write {
		g := w.need.groupOf(v.dc[n])
		if g >= 0 {
			w.counts[g].left++
			w.counts[g].total++
		}
		w.slots = append(w.slots, slot{w: w, node: n, group: g, via: -1})
		if last := len(w.slots) - 1; n == 0 && last > 0 {
			w.slots[0], w.slots[last] = w.slots[last], w.slots[0]
		}
	}
	w.refs += len(w.slots)
}

// ask sends the write to all replicas. With a nil ctx it answers
// mutation.ErrWouldBlock, having asked nobody, where the local store would have
// to wait.
func (w *write) ask(ctx context.Context) error {
	local := len(w.slots) > 0 && w.slots[0].node == 0
	if local && ctx == noWait {
		err := w.c.cfg.Replica.TryApply(w.local[:], false, w)
		if errors.Is(err, mutation.ErrWouldBlock) {
			return err
		}
		if err != nil {
			w.Complete(err)
		}
	}
	w.arm()
	relays := w.routes()
	for i := range w.slots {
		if s := &w.slots[i]; s.node != 0 && s.via < 0 {
			w.send(s)
		}
	}
	// Relays come last: once one is asked it may fail, and those behind it are
	// asked by somebody else.
	for i := 0; relays && i < len(w.slots); i++ {
		s := &w.slots[i]
		w.mu.Lock()
		is := s.via == i
		w.mu.Unlock()
		if is {
			w.send(s)
		}
	}
	if local && ctx != noWait {
		switch err := w.c.cfg.Replica.Apply(ctx, w.local[:], false, w); {
		case err == nil:
		case ctx.Err() != nil: // it had no time, which is no failure
			w.resolve(&w.slots[0], lost, native.ReasonTimeout)
		default:
			w.Complete(err)
		}
	}
	w.mu.Lock()
	w.unref(w.decide())
	return nil
}

// hintGrace is how much longer a write may take that is acknowledged by the
// hints for replicas that did not answer in time.
const hintGrace = 250 * time.Millisecond

// arm makes the attempt end by its deadline.
func (w *write) arm() {
	d := w.limit
	if w.awaitsHints() {
		d += int64(hintGrace)
	}
	w.deadline.Store(d)
}

// routes finds who sends on: in each remote data centre with several live
// replicas one of them. It tells whether there is any.
func (w *write) routes() (relays bool) {
	v := w.v
	for dc := 1; dc < len(v.dcs); dc++ {
		n, turn := 0, 0
		for i := range w.slots {
			if s := &w.slots[i]; v.dc[s.node] == dc && v.members[s.node].live() {
				n++
			}
		}
		if n < 2 {
			continue
		}
		turn = int(w.c.cfg.Rand.Uint64() % uint64(n))
		relay := -1
		for i := range w.slots {
			if s := &w.slots[i]; v.dc[s.node] == dc && v.members[s.node].live() {
				if turn == 0 {
					relay = i
				}
				turn--
			}
		}
		relays = w.routeVia(dc, relay) || relays
	}
	return relays
}

// routeVia makes a slot send on to the others of its data centre, to as many as it
// does; the rest are asked directly. False if there are no others.
func (w *write) routeVia(dc, relay int) bool {
	if relay < 0 {
		return false // who was alive is not any more
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0 // others
	for i := range w.slots {
		if s := &w.slots[i]; i != relay && n < maxHops && w.v.dc[s.node] == dc && w.v.members[s.node].live() {
			s.via = relay
			n++
		}
	}
	if n > 0 {
		w.slots[relay].via = relay
	}
	return n > 0
}

// send asks one replica, or gives it up at once.
func (w *write) send(s *slot) {
	m := w.v.members[s.node]
	if !m.live() || w.handedOn.Load() {
		w.askBehind(s)
		w.resolve(s, lost, native.ReasonTimeout)
		return
	}
	msg := &w.message
	*msg = rpc.Message{Op: wire.OpApply, Lane: laneOf(w.body), Epoch: w.v.epoch, Deadline: w.limit, Body: w.body}
	if s.via >= 0 {
		w.forward(msg, s)
	}
	err := m.peer.Send(msg, s)
	if cap(w.hops.body) > keepBody { // the write is charged for one copy of its record
		w.hops.body, *msg = nil, rpc.Message{}
	}
	if err != nil {
		w.askBehind(s)
		w.resolve(s, lost, native.ReasonTimeout)
	}
}

// forward makes msg one for a replica that sends it on to others.
func (w *write) forward(msg *rpc.Message, s *slot) {
	h := &w.hops
	w.mu.Lock() // another relay may have failed, and those behind it are asked by now
	h.apply = wire.Apply{Atomic: w.batched, Hinted: w.replayed, Records: w.local[:], Forward: h.apply.Forward[:0], ID: w.id()}
	for i := range w.slots {
		if o := &w.slots[i]; o != s && o.via == s.via {
			h.apply.Forward = append(h.apply.Forward, w.v.members[o.node].host)
		}
	}
	w.mu.Unlock()
	h.body = h.apply.Append(h.body[:0])
	h.apply.Records = nil
	msg.Op, msg.Body = wire.OpForward, h.body
}

// askBehind asks those that s should have sent on to and may not have: itself,
// so that one relay that fails does not cost its data centre the write. They
// are given up if a later attempt sees to them or there is no time.
func (w *write) askBehind(s *slot) {
	if s.via < 0 {
		return
	}
	late := w.handedOn.Load() || int64(w.c.cfg.Clock.Mono()) >= w.limit
	for i := range w.slots {
		o := &w.slots[i]
		w.mu.Lock()
		mine := o != s && o.via == s.via && o.state == waiting
		if mine && !late {
			o.via = -1 // what the relay may still tell of it does not count any more
		}
		w.mu.Unlock()
		switch {
		case !mine:
		case late:
			w.resolveTold(o, lost, native.ReasonTimeout)
		default:
			w.sendAlone(o)
		}
	}
}

// sendAlone asks one replica, maybe while others are still being asked.
func (w *write) sendAlone(s *slot) {
	m := w.v.members[s.node]
	err := error(rpc.ErrPeerDown)
	if m.live() {
		err = m.peer.Send(&rpc.Message{Op: wire.OpApply, Lane: laneOf(w.body), Epoch: w.v.epoch, Deadline: w.limit, Body: w.body}, s)
	}
	if err != nil {
		w.resolve(s, lost, native.ReasonTimeout)
	}
}
