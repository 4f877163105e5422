package coordinator

import (
	"slices"

	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// hop is a replica that a write is sent on to.
type hop struct {
	s    *serving
	host [16]byte
	code wire.Code
}

// maxHops bounds the replicas that a write is sent on to.
const maxHops = 64

// forward sends the write on to the hosts that its coordinator names, once.
func (s *serving) forward(v *view) {
	if s.sent || s.r.Op() != wire.OpForward {
		return
	}
	s.sent = true
	hosts := s.body.Forward[:min(len(s.body.Forward), maxHops)]
	s.hops = slices.Grow(s.hops[:0], len(hosts))
	for _, host := range hosts {
		s.hops = append(s.hops, hop{s: s, host: host})
	}
	s.mu.Lock()
	s.left += len(s.hops)
	s.mu.Unlock()
	body := s.body
	body.Forward = nil
	s.out = body.Append(s.out[:0])
	for i := range s.hops {
		h := &s.hops[i]
		s.message = rpc.Message{Op: wire.OpApply, Lane: rpc.Small, Epoch: s.r.Epoch(), Deadline: s.hopDeadline(), Body: s.out}
		at, known := v.byHost[h.host]
		if !known || at == 0 {
			h.answered(wire.CodeNotOwner)
		} else if err := v.members[at].peer.Send(&s.message, h); err != nil {
			h.answered(wire.CodeTimeout)
		}
	}
}

// hopDeadline leaves time for the reply.
func (s *serving) hopDeadline() int64 {
	d := s.r.Deadline()
	if d == 0 {
		return int64(s.c.cfg.Clock.Mono() + s.c.cfg.WriteTimeout)
	}
	return d - (d-int64(s.c.cfg.Clock.Mono()))/8
}

// Receive implements rpc.Receiver.
func (h *hop) Receive(a *rpc.Answer) {
	h.s.c.HeardEpoch(h.host, a.Epoch)
	switch err := a.Err.(type) {
	case nil:
		h.answered(0)
	case *wire.Error:
		h.s.mu.Lock()
		switch err.Code {
		case wire.CodeNewer: // and applied
			h.s.newer = max(h.s.newer, err.Timestamp)
		case wire.CodeStale:
			h.s.stale, h.code = max(h.s.stale, err.Epoch), err.Code
		default:
			h.code = err.Code
		}
		h.s.finished()
	default:
		h.answered(wire.CodeTimeout)
	}
}

func (h *hop) answered(code wire.Code) {
	h.s.mu.Lock()
	h.code = code
	h.s.finished()
}

// collect makes the reply to who asked to send on: the codes of the others, and
// this node's own if it has one.
func (s *serving) collect() {
	s.reply.Hosts, s.reply.Codes = s.reply.Hosts[:0], s.reply.Codes[:0]
	for i := range s.hops {
		s.reply.Hosts, s.reply.Codes = append(s.reply.Hosts, s.hops[i].host), append(s.reply.Codes, s.hops[i].code)
	}
	if s.own != 0 {
		s.reply.Hosts, s.reply.Codes = append(s.reply.Hosts, s.c.cfg.HostID), append(s.reply.Codes, s.own)
	}
}
