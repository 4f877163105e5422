package coordinator

import (
	"errors"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// incoming is a request of another coordinator, which *rpc.Request is, or own.
type incoming interface {
	From() [16]byte
	Op() wire.Op
	Epoch() uint64
	Deadline() int64
	Body() []byte
	ReplyEpoch(epoch uint64, parts ...[]byte)
	Fail(e *wire.Error)
}

var _ incoming = (*rpc.Request)(nil)

// serving is the record of a write of another coordinator, from its arrival to
// the answer.
type serving struct {
	c       *Cluster
	r       incoming
	body    wire.Apply
	charged int64
	newer   int64 // newest server stamp met, 0 if none is newer
	sent    bool  // on to others
	met     bool  // the stamps have been noted
	out     []byte
	part    [1][]byte
	err     wire.Error
	onward  []byte // what is sent on, the body of message
	message rpc.Message
}

// Serve answers wire.OpApply, OpForward, OpHint, OpBatchStore, OpBatchDone and
// OpApplied.
// It is an rpc.Handler.
func (c *Cluster) Serve(r *rpc.Request) { c.serve(r) }

func (c *Cluster) serve(r incoming) {
	if r.Op() == wire.OpApplied {
		c.pool.applied(r)
		return
	}
	c.stats.Served.Inc()
	n := int64(len(r.Body())) + writeOverhead
	if c.pool.charge(n) != nil {
		c.stats.Refused.Inc()
		r.Fail(&wire.Error{Code: wire.CodeOverloaded, Message: "too many writes are in flight", Epoch: c.view.Load().epoch})
		return
	}
	s, _ := c.served.Get().(*serving)
	if s == nil {
		s = &serving{c: c}
	}
	s.r, s.charged = r, n
	switch r.Op() {
	case wire.OpApply, wire.OpForward, wire.OpHint:
		s.apply()
	case wire.OpBatchStore:
		s.proceed()
	case wire.OpBatchDone:
		s.batchDone()
	default:
		s.complete(wire.CodeUnsupported)
	}
}

func (s *serving) apply() {
	err := s.body.Decode(s.r.Body())
	for i := 0; err == nil && i < len(s.body.Records); i++ {
		err = s.body.Records[i].Check()
	}
	if err != nil {
		if others, ok := s.c.said.write.Pass(s.c.cfg.Clock.Mono()); ok {
			s.c.cfg.Log.Warn("a write of another node cannot be read", "from", hostName(s.r.From()), "error", err, "others", others)
		}
		s.complete(wire.CodeInvalid)
		return
	}
	s.proceed()
}

// proceed implements waiter.
func (s *serving) proceed() {
	c := s.c
	if until := s.r.Epoch(); until > c.view.Load().epoch {
		c.cfg.Metadata.Hear(s.r.From(), until)
		if c.parking.add(s, until, s.limit()) {
			return
		}
	}
	if s.r.Op() == wire.OpBatchStore {
		s.storeBatch()
		return
	}
	s.try()
}

// limit is when the request ends.
func (s *serving) limit() int64 {
	return s.c.within(s.r.Deadline())
}

// giveUp implements waiter.
func (s *serving) giveUp() { s.complete(wire.CodeBehind) }

// try applies the records unless that would have to wait.
func (s *serving) try() {
	tk := s.c.gate.enter(s.token())
	defer s.c.gate.leave(tk)
	if !s.admit() {
		return
	}
	err := s.c.cfg.Replica.TryApply(s.body.Records, s.body.Atomic, s)
	switch {
	case err == nil:
	case !errors.Is(err, mutation.ErrWouldBlock):
		s.Complete(err)
	case !s.c.workers.Submit(s):
		s.complete(wire.CodeOverloaded)
	}
}

// run implements task.
func (s *serving) run() {
	ctx, cancel := s.c.limited(s.limit())
	defer cancel()
	tk := s.c.gate.enter(s.token())
	defer s.c.gate.leave(tk)
	if !s.admit() {
		return
	}
	if err := s.c.cfg.Replica.Apply(ctx, s.body.Records, s.body.Atomic, s); err != nil {
		if ctx.Err() != nil {
			s.complete(wire.CodeTimeout)
		} else {
			s.Complete(err)
		}
	}
}

// Complete implements mutation.Completer for this node's store.
func (s *serving) Complete(err error) {
	if err == nil {
		s.complete(0)
		return
	}
	s.c.stats.StoreFailures.Inc()
	s.complete(s.c.code(err))
}

// code is what an error of the store means to another node.
func (c *Cluster) code(err error) wire.Code {
	switch {
	case c.cfg.Code != nil:
		return c.cfg.Code(err)
	case errors.Is(err, mutation.ErrCorrupt), errors.Is(err, mutation.ErrUnknownFeature):
		return wire.CodeInvalid
	}
	return wire.CodeFailed
}

// complete answers with this node's outcome and frees the record.
func (s *serving) complete(code wire.Code) {
	c, r := s.c, s.r
	invariant.Check(r != nil, "coordinator: a request of another node is answered twice")
	e := &s.err
	*e = wire.Error{Code: code, Epoch: c.view.Load().epoch, Timestamp: s.newer}
	switch {
	case code != 0:
		c.stats.Refused.Inc()
		r.Fail(e)
	case s.newer != 0:
		e.Code = wire.CodeNewer
		r.Fail(e)
	case r.Op() == wire.OpHint:
		rate := wire.HintReply{Rate: c.hintRate()}
		s.out = rate.Append(s.out[:0])
		s.part[0] = s.out
		r.ReplyEpoch(e.Epoch, s.part[:]...)
	default:
		r.ReplyEpoch(e.Epoch)
	}
	n := s.charged
	clear(s.body.Records)
	s.body = wire.Apply{Records: s.body.Records[:0], Forward: s.body.Forward[:0]}
	if cap(s.onward) > keepBody {
		s.onward, s.message = nil, rpc.Message{}
	}
	s.r, s.newer, s.sent, s.met = nil, 0, false, false
	c.served.Put(s)
	c.pool.giveBack(n)
}
