package rpc

import (
	"errors"
	"sync"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/netbuf"
	"github.com/ilion-db/ilion/wire"
)

// Handler serves a request. It runs on the connection's reader, so it must not
// block: what would has to be handed on. It ends with exactly one of Reply,
// ReplyEpoch and Fail, now or later and from any goroutine.
type Handler func(r *Request)

// Request is a request of a peer or client. It must not be used after it was
// answered.
type Request struct {
	c        *conn // nil once answered
	from     *netbuf.Chunk
	op       wire.Op
	oneWay   bool
	stream   uint32
	epoch    uint64
	deadline int64
	body     []byte
	weight   int64 // among the requests in work
}

var requestPool = sync.Pool{New: func() any { return new(Request) }}

// serve hands a message to its handler.
func (c *conn) serve(m *received, now int64) error {
	h := c.e.handler(m.h.Op)
	l := &c.e.cfg.Limits
	switch {
	case h == nil:
		return c.refuse(m, wire.Errorf(wire.CodeUnsupported, "%v is not known here", m.h.Op))
	case c.inflight.Load() >= int64(l.InFlight) || c.held.Load() > l.InputBytes || c.e.held.Load() > l.TotalInputBytes:
		c.e.stats.Overloaded.Add(1)
		return c.refuse(m, &overloaded)
	}
	r := requestPool.Get().(*Request)
	*r = Request{
		c: c, from: m.from, op: m.h.Op, oneWay: m.h.Flags&wire.FlagOneWay != 0,
		stream: m.h.Stream, epoch: m.pro.Epoch, body: m.body, weight: 1,
	}
	if m.pro.Left != 0 {
		r.deadline = now + int64(m.pro.Left)*1000
	}
	m.from.Retain()
	c.inflight.Add(1)
	c.e.stats.Requests.Add(1)
	h(r)
	return nil
}

var overloaded = wire.Error{Code: wire.CodeOverloaded, Message: "too many requests are in work"}

// From is the host id of who asks, zero for a client.
func (r *Request) From() [16]byte { return r.c.other.HostID }

// Purpose is what the connection was opened for.
func (r *Request) Purpose() wire.Purpose { return r.c.other.Purpose }

// Op is what is asked for.
func (r *Request) Op() wire.Op { return r.op }

// Epoch is the newest metadata epoch of who asks, 0 if it told none.
func (r *Request) Epoch() uint64 { return r.epoch }

// Deadline is when the asker stops waiting, clock.Mono nanoseconds here; 0 for
// never.
func (r *Request) Deadline() int64 { return r.deadline }

// Body is valid until the request is answered.
func (r *Request) Body() []byte { return r.body }

// Reply answers with a body made of parts, which are copied before it returns.
// They may be part of Body. A request that wants no answer gets none.
func (r *Request) Reply(parts ...[]byte) {
	r.end(&frame{op: r.op, flags: wire.FlagResponse, parts: parts})
}

// ReplyEpoch is Reply that tells the metadata epoch of this node, too.
func (r *Request) ReplyEpoch(epoch uint64, parts ...[]byte) {
	r.end(&frame{op: r.op, flags: wire.FlagResponse, pro: wire.Prologue{Epoch: epoch}, parts: parts})
}

// Part answers in part: Reply, ReplyEpoch or Fail still has to follow. It may be
// called from several goroutines at once, but not with or after those.
func (r *Request) Part(epoch uint64, parts ...[]byte) {
	invariant.Check(r.c != nil, "rpc: a request was answered in part after its end")
	f := frame{op: r.op, flags: wire.FlagResponse | wire.FlagMore, pro: wire.Prologue{Epoch: epoch}, parts: parts}
	if !r.oneWay {
		r.answer(&f)
	}
}

// Weigh makes the request count as n in the connection's bound of requests in
// work. False means that there are too many, and changes nothing.
func (r *Request) Weigh(n int) bool {
	c := r.c
	more := int64(n) - r.weight
	if c.inflight.Add(more) > int64(c.e.cfg.Limits.InFlight) {
		c.inflight.Add(-more)
		return false
	}
	r.weight = int64(n)
	return true
}

// Abort ends the connection, and the request with it: its handler may have left
// anything behind. The bytes of the body are never used again, and count no more
// as input. A request that was answered is left alone.
func (r *Request) Abort() {
	if c := r.c; c != nil {
		c.e.stats.Panics.Add(1)
		c.writeOff()
		c.fail(errPanic)
	}
}

// Fail answers with an error.
func (r *Request) Fail(e *wire.Error) {
	b := getBuffer(chunkSize)
	b.B = e.Append(b.B)
	r.end(&frame{op: r.op, flags: wire.FlagResponse | wire.FlagError, pro: wire.Prologue{Epoch: e.Epoch}, body: b.B})
	putBuffer(b)
}

func (r *Request) end(f *frame) {
	c := r.c
	invariant.Check(c != nil, "rpc: a request was answered twice")
	if !r.oneWay {
		r.answer(f)
	}
	k, weight := r.from, r.weight
	*r = Request{}
	requestPool.Put(r)
	k.Release()
	left := c.inflight.Add(-weight)
	invariant.Check(left >= 0, "rpc: more requests were answered than came")
	if left == 0 {
		c.in.DropParked()
	}
}

// answer queues an answer.
func (r *Request) answer(f *frame) {
	c := r.c
	switch err := c.push(f, r.stream, nil, false); {
	case err == nil:
		c.e.stats.Replies.Add(1)
	case errors.Is(err, ErrTooLarge):
		// The asker is told, and not left waiting.
		e := wire.Errorf(wire.CodeFailed, "the answer to %v has %d bytes, at most %d are possible", r.op, f.bodySize(), wire.MaxBody)
		_ = c.push(&frame{op: r.op, flags: wire.FlagResponse | wire.FlagError, body: e.Append(nil)}, r.stream, nil, false)
	}
}
