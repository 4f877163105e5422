package client

import (
	"errors"
	"sync"
	"time"

	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// Receiver is told what came of a statement, exactly once. It must not block.
// rows, nil with an error, are valid until it returns.
type Receiver interface {
	Receive(rows *Rows, err error)
}

// maxTried is how many nodes a call remembers to have asked.
const maxTried = 8

// call is a statement under way. Calls are pooled. A call belongs to whoever
// has it last: the goroutine that starts it, the queue of a pipe, the frame it
// went with, the goroutine that reads the answer.
type call struct {
	s          *Session
	op         wire.Op
	st         *Statement // of OpExecute
	shape      *shape     // that body was bound by
	statements []*Statement
	body       []byte // OpExecute: the binding; else the whole body
	token      ring.Token
	keyspace   string // of token, "" if there is none
	deadline   int64  // of the clock's Mono, nanoseconds
	idempotent bool
	keep       bool // the rows shall outlive Receive
	r          Receiver

	pipe    *pipe // where it is in work
	retries int
	tried   [maxTried]*host
	nTried  int
	told    *pipe // that was told the statements, for this call
	next    *call // in a pipe's queue
	answers wire.Answers
}

var callPool = sync.Pool{New: func() any { return new(call) }}

// keepBody is the largest buffer in bytes that a pooled call keeps.
const keepBody = 64 << 10

func (s *Session) newCall(op wire.Op, timeout time.Duration) *call {
	c := callPool.Get().(*call)
	if timeout <= 0 {
		timeout = s.cfg.Timeout
	}
	c.s, c.op, c.deadline = s, op, int64(s.cfg.Clock.Mono()+timeout)
	return c
}

func (c *call) recycle() {
	if cap(c.body) > keepBody {
		c.body = nil
	}
	clear(c.statements)
	*c = call{body: c.body[:0], statements: c.statements[:0]}
	callPool.Put(c)
}

// hasTried tells whether a node has been asked.
func (c *call) hasTried(h *host) bool {
	for _, t := range c.tried[:c.nTried] {
		if t == h {
			return true
		}
	}
	return false
}

func (c *call) try(h *host) {
	if c.nTried < maxTried {
		c.tried[c.nTried] = h
		c.nTried++
	}
}

// deliver ends the call.
func (c *call) deliver(rows *Rows, err error) {
	if c.pipe != nil {
		c.pipe.leave()
	}
	r := c.r
	c.recycle()
	r.Receive(rows, err)
}

// unsent is told that nothing was sent on the pipe: another node is asked.
func (c *call) unsent(err error) {
	switch {
	case errors.Is(err, rpc.ErrDeadline):
		c.deliver(nil, ErrTimeout)
	case errors.Is(err, rpc.ErrTooLarge):
		c.deliver(nil, ErrTooLarge)
	case errors.Is(err, rpc.ErrClosed):
		c.deliver(nil, ErrClosed)
	default:
		c.again(ErrUnreachable)
	}
}

// again asks another node, as one more attempt; err is what the caller is told
// if there is none.
func (c *call) again(err error) {
	if c.retries >= c.s.cfg.Retries {
		c.deliver(nil, err)
		return
	}
	c.retries++
	c.pipe.leave()
	c.pipe = nil
	if other := c.s.start(c); other != nil {
		if err == ErrUnreachable {
			err = other
		}
		c.deliver(nil, err)
	}
}

// failed is told that no answer came, or an error.
func (c *call) failed(err error) {
	var e *wire.Error
	switch {
	case errors.As(err, &e):
		c.refused(e)
	case errors.Is(err, rpc.ErrDeadline):
		c.deliver(nil, ErrTimeout)
	case errors.Is(err, rpc.ErrClosed):
		c.deliver(nil, ErrClosed)
	case c.idempotent:
		c.again(ErrLost)
	default:
		c.deliver(nil, ErrLost)
	}
}

// refused is told a node's error.
func (c *call) refused(e *wire.Error) {
	switch e.Code {
	case wire.CodeUnprepared:
		if c.told != c.pipe && len(c.statements) > 0 {
			c.told = c.pipe
			(&preparer{c: c}).next()
			return
		}
	case wire.CodeOverloaded, wire.CodeUnavailable:
		// Nothing was done.
		c.again(e)
		return
	case wire.CodeTimeout, wire.CodeFailed, wire.CodeCorrupt:
		if c.idempotent {
			c.again(e)
			return
		}
	}
	c.deliver(nil, e)
}

// answered is told the answer.
func (c *call) answered(a *wire.Answer) {
	switch a.Kind {
	case wire.AnswerVoid:
		c.deliver(&c.pipe.nothing, nil)
	case wire.AnswerError:
		e := new(wire.Error)
		if err := e.Decode(a.Body); err != nil {
			c.deliver(nil, errProtocol)
			return
		}
		c.refused(e)
	case wire.AnswerRows:
		c.rows(a.Body)
	}
}

func (c *call) rows(body []byte) {
	var known []wire.Column
	if c.st != nil {
		known = c.shape.Result // what was said to be known when it was sent
	}
	if c.keep {
		r := new(Rows)
		c.deliverRows(r, r.own(body), known)
		return
	}
	r := rowsPool.Get().(*Rows)
	c.deliverRows(r, body, known)
	r.more, r.values, r.state = nil, nil, nil
	rowsPool.Put(r)
}

func (c *call) deliverRows(r *Rows, body []byte, known []wire.Column) {
	if err := r.fill(body, known); err != nil {
		c.deliver(nil, errProtocol)
		return
	}
	if c.st != nil && r.page.Columns != nil {
		c.st.learn(&r.page)
	}
	r.node = c.pipe.nothing.node
	c.deliver(r, nil)
}

var rowsPool = sync.Pool{New: func() any { return new(Rows) }}

// Receive implements rpc.Receiver for calls that have a frame to themselves.
func (c *call) Receive(a *rpc.Answer) {
	c.s.heard(a.Epoch)
	if a.Err != nil {
		c.failed(a.Err)
		return
	}
	var answer wire.Answer
	c.answers.Init(a.Body)
	if !c.answers.Next(&answer) || answer.Index != 0 {
		c.deliver(nil, errProtocol)
		return
	}
	c.answered(&answer)
}

// preparer tells a node the statements of a call and sends it again.
type preparer struct {
	c    *call
	done int
}

func (p *preparer) next() {
	c := p.c
	if p.done == len(c.statements) {
		c.pipe.resend(c)
		return
	}
	st := c.statements[p.done]
	m := rpc.Message{
		Op: wire.OpPrepare, Lane: rpc.Small, Deadline: c.deadline,
		Body: (&wire.Prepare{Keyspace: st.keyspace, Text: st.text}).Append(nil),
	}
	if err := c.pipe.peer.Send(&m, p); err != nil {
		c.unsent(err)
	}
}

// Receive implements rpc.Receiver.
func (p *preparer) Receive(a *rpc.Answer) {
	c := p.c
	if a.Err != nil {
		c.failed(a.Err)
		return
	}
	var prepared wire.Prepared
	if err := prepared.Decode(a.Body); err != nil {
		c.deliver(nil, errProtocol)
		return
	}
	st := c.statements[p.done]
	if !sameTypes(st.shape.Load().Bind, prepared.Bind) {
		st.shape.Store(newShape(&prepared))
		c.deliver(nil, wire.Errorf(wire.CodeInvalid, "the schema has changed: the statement's markers are others than those that were bound"))
		return
	}
	st.shape.Store(newShape(&prepared))
	p.done++
	p.next()
}

func sameTypes(a, b []wire.Column) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].Type.Equal(b[i].Type) {
			return false
		}
	}
	return true
}
