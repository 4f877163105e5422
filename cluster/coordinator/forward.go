package coordinator

import (
	"slices"
	"sync/atomic"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// relay tells the coordinator of a write what becomes of it at replicas of this data
// centre that it was sent on to. It has nothing of the write: it lives until the
// last of them has answered, when the bytes of the request have long been given
// back.
type relay struct {
	c    *Cluster
	to   Peer // the coordinator
	id   uint64
	left atomic.Int32 // hops that have yet to be told of
	hops []hop
}

// hop is a replica that a write is sent on to.
type hop struct {
	relay *relay
	m     *member
	out   []byte
	msg   rpc.Message
}

// maxHops bounds the replicas that a write is sent on to by one of them. No more
// are asked for.
const maxHops = 64

// forward sends the write on to the hosts that its coordinator names, once. A
// host that is not known here is left to the coordinator's deadline.
func (s *serving) forward(v *view) {
	from, known := v.byHost[s.r.From()]
	if s.sent || s.r.Op() != wire.OpForward || !known || from == 0 {
		return
	}
	s.sent = true
	c := s.c
	l, _ := c.relays.Get().(*relay)
	if l == nil {
		l = &relay{c: c}
	}
	l.to, l.id = v.members[from].peer, s.body.ID
	hosts := s.body.Forward[:min(len(s.body.Forward), maxHops)]
	l.hops = slices.Grow(l.hops[:0], len(hosts))
	for _, host := range hosts {
		at, known := v.byHost[host]
		if !known || at == 0 {
			continue
		}
		n := len(l.hops)
		l.hops = l.hops[:n+1]
		l.hops[n].relay, l.hops[n].m = l, v.members[at]
	}
	l.left.Store(int32(len(l.hops)) + 1)
	body := s.body
	body.Forward = nil
	s.onward = body.Append(s.onward[:0])
	s.message = rpc.Message{Op: wire.OpApply, Lane: laneOf(s.onward), Epoch: s.r.Epoch(), Deadline: s.r.Deadline(), Body: s.onward}
	for i := range l.hops {
		h := &l.hops[i]
		if err := h.m.peer.Send(&s.message, h); err != nil {
			h.tell(&wire.Applied{Code: wire.CodeTimeout})
		}
	}
	l.done()
}

// laneOf keeps large bodies apart from small requests.
func laneOf(body []byte) rpc.Lane {
	if len(body) > bulkBytes {
		return rpc.Bulk
	}
	return rpc.Small
}

// Receive implements rpc.Receiver.
func (h *hop) Receive(a *rpc.Answer) {
	h.relay.c.heard(h.m, a.Epoch)
	told := wire.Applied{Epoch: a.Epoch}
	switch err := a.Err.(type) {
	case nil:
	case *wire.Error:
		told.Code, told.Epoch, told.Timestamp = err.Code, err.Epoch, err.Timestamp
	default:
		told.Code = wire.CodeTimeout
	}
	h.tell(&told)
}

// tell tells the coordinator of one hop. If that fails, its deadline tells it.
func (h *hop) tell(a *wire.Applied) {
	l := h.relay
	a.ID, a.Host = l.id, h.m.host
	h.out = a.Append(h.out[:0])
	h.msg = rpc.Message{Op: wire.OpApplied, Lane: rpc.Small, Epoch: l.c.Epoch(), Body: h.out}
	if l.to.Notify(&h.msg) != nil {
		l.c.stats.Untold.Inc()
	}
	l.done()
}

func (l *relay) done() {
	left := l.left.Add(-1)
	invariant.Check(left >= 0, "coordinator: a hop is told of twice")
	if left > 0 {
		return
	}
	l.to = nil
	l.c.relays.Put(l)
}

// applied takes in what became of a write at a replica that it was sent on to.
// The name tells whether the record is still that of the write.
func (p *pool) applied(r incoming) {
	defer r.ReplyEpoch(p.c.Epoch())
	var a wire.Applied
	if a.Decode(r.Body()) != nil {
		return
	}
	w := p.find(a.ID)
	if w == nil {
		return
	}
	w.mu.Lock()
	i := slices.IndexFunc(w.slots, func(s slot) bool { return w.v.members[s.node].host == a.Host })
	if w.id() != a.ID || i < 0 || w.slots[i].state != waiting || !w.behind(&w.slots[i]) {
		w.mu.Unlock()
		return
	}
	w.refs++
	w.mu.Unlock()
	s := &w.slots[i]
	w.c.heard(w.v.members[s.node], a.Epoch)
	var next *write
	if a.Code != 0 {
		next = w.next(s, &wire.Error{Code: a.Code, Epoch: a.Epoch, Timestamp: a.Timestamp})
	}
	to, reason := outcomeOf(a.Code)
	w.resolveTold(s, to, reason)
	w.mu.Lock()
	w.unref(nil, nil)
	if next != nil {
		next.proceed()
	}
}
