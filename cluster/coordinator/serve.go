package coordinator

import (
	"errors"
	"sync"

	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// incoming is a request of another coordinator; *rpc.Request is one.
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

// serving is the record of a write of another coordinator.
//
// Invariant: left is the number of answers, this store's among them, that the
// reply waits for; nothing refers to the record once it is 0.
type serving struct {
	c       *Cluster
	r       incoming
	body    wire.Apply
	charged int64
	newer   int64 // newest server stamp met, 0 if none is newer
	sent    bool  // on to others

	mu      sync.Mutex // protects what follows
	left    int
	own     wire.Code
	stale   uint64 // epoch of a replica behind this one that refused
	hops    []hop
	reply   wire.ApplyReply
	out     []byte
	part    [1][]byte
	message rpc.Message
}

// Serve answers wire.OpApply, OpForward, OpHint, OpBatchStore and OpBatchDone.
// It is an rpc.Handler.
func (c *Cluster) Serve(r *rpc.Request) { c.serve(r) }

func (c *Cluster) serve(r incoming) {
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
	s.r, s.charged, s.left = r, n, 1
	switch r.Op() {
	case wire.OpApply, wire.OpForward, wire.OpHint:
		s.apply()
	case wire.OpBatchStore:
		s.storeBatch()
	case wire.OpBatchDone:
		s.batchDone()
	default:
		s.complete(wire.CodeUnsupported)
	}
}

func (s *serving) refuse(code wire.Code, epoch uint64) {
	s.c.stats.Refused.Inc()
	s.r.Fail(&wire.Error{Code: code, Epoch: epoch, Detail: s.out})
}

func (s *serving) apply() {
	err := s.body.Decode(s.r.Body())
	for i := 0; err == nil && i < len(s.body.Records); i++ {
		err = s.body.Records[i].Check()
	}
	if err != nil {
		s.c.cfg.Log.Warn("a write of another node cannot be read", "from", hostName(s.r.From()), "error", err)
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
		if c.parking.add(s, until, s.r.Deadline()) {
			return
		}
	}
	s.try()
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
	if len(s.body.Records) == 0 {
		s.complete(0)
		return
	}
	err := s.c.cfg.Replica.TryApply(s.body.Records, s.body.Atomic, s)
	switch {
	case err == nil:
	case !errors.Is(err, mutation.ErrWouldBlock):
		s.Complete(err)
	case !s.c.workers.submit(s):
		s.complete(wire.CodeOverloaded)
	}
}

// run implements task.
func (s *serving) run() {
	ctx, cancel := s.c.limited(s.r.Deadline())
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

// complete takes in this node's own outcome.
func (s *serving) complete(code wire.Code) {
	s.mu.Lock()
	s.own = code
	s.finished()
}

// finished gives one answer back, with mu held, and replies after the last.
func (s *serving) finished() {
	s.left--
	last := s.left == 0
	s.mu.Unlock()
	if !last {
		return
	}
	s.answer()
	c := s.c
	n := s.charged
	clear(s.body.Records)
	s.body.Records, s.body.Forward, s.body.Hinted, s.body.Atomic = s.body.Records[:0], s.body.Forward[:0], 0, false
	s.r, s.newer, s.sent, s.own, s.stale, s.hops = nil, 0, false, 0, 0, s.hops[:0]
	c.served.Put(s)
	c.pool.used.Add(-n)
}

// answer replies. Everybody has answered.
func (s *serving) answer() {
	epoch := s.c.view.Load().epoch
	s.out = s.out[:0]
	switch {
	case s.r.Op() == wire.OpHint && s.own == 0:
		rate := wire.HintReply{Rate: s.c.hintRate()}
		s.out = rate.Append(s.out)
	case s.sent:
		s.collect()
		s.out = s.reply.Append(s.out)
		if s.stale > 0 || s.newer > 0 {
			break
		}
		s.own = 0 // told in the reply
	}
	switch {
	case s.own == wire.CodeStale, s.stale > 0:
		s.refuse(wire.CodeStale, max(epoch, s.stale))
	case s.own != 0:
		s.refuse(s.own, epoch)
	case s.newer != 0:
		s.r.Fail(&wire.Error{Code: wire.CodeNewer, Epoch: epoch, Timestamp: s.newer, Detail: s.out})
	case len(s.out) > 0:
		s.part[0] = s.out
		s.r.ReplyEpoch(epoch, s.part[:]...)
	default:
		s.r.ReplyEpoch(epoch)
	}
}
