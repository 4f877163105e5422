package wireserver

import (
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/session"
	"github.com/ilion-db/ilion/wire"
)

// execution is one statement of a client on its way. It is pooled, and keeps
// what the handler put into it to use it again.
type execution struct {
	session.Request
	b     *batch
	index uint32
	known [16]byte // id of the columns that the client knows
	next  *execution
	group int // executions in the list that it begins, if that is a group
}

// begin takes an execution from the pool. The caller fills its message.
func (b *batch) begin(op native.Opcode, index uint32) *execution {
	e := b.s.executions.Get().(*execution)
	e.b, e.index = b, index
	e.Adopt(e, op, b.received, b.deadline)
	return e
}

func (e *execution) recycle() {
	s := e.b.s
	e.Release()
	e.b, e.next, e.known, e.group = nil, nil, [16]byte{}, 0
	s.executions.Put(e)
}

// setOptions sets how the statement is to be done.
func (e *execution) setOptions(p *native.QueryParams, o *wire.ExecuteOptions) {
	values := p.Values
	*p = native.QueryParams{
		Consistency: native.Consistency(o.Consistency), Values: values, SkipMetadata: true, PageSize: int32(min(o.PageSize, 1<<31-1)),
		PagingState: o.PagingState, SerialConsistency: native.Serial,
		Timestamp: o.Timestamp, HasTimestamp: o.HasTimestamp,
	}
	if o.HasSerial {
		p.SerialConsistency = native.Consistency(o.Serial)
	}
	if p.PageSize == 0 {
		p.PageSize = int32(e.b.s.cfg.PageSize)
	}
}

// checkLevels refuses levels that there are not.
func (e *execution) checkLevels() error {
	p := e.Params()
	if !p.Consistency.Valid() || !p.SerialConsistency.IsSerial() {
		return native.Protocol("Unknown consistency level")
	}
	return nil
}

// try executes as far as that needs no waiting. blocked means that a worker has
// to; otherwise the execution may be gone.
func (e *execution) try() (blocked bool) {
	switch e.b.s.handler.TryExecute(&e.Request) {
	case session.Done:
		e.b.answer(e)
	case session.WouldBlock:
		return true
	}
	return false
}

// fail answers with an error.
func (e *execution) fail(err error) {
	e.Fail(err)
	e.b.answer(e)
}

// toWorker hands the execution on.
func (e *execution) toWorker() {
	if !e.b.s.workers.submit(e) {
		e.fail(native.Overloaded("Too many requests wait for a worker"))
	}
}

// Completed implements session.Origin.
func (e *execution) Completed(*session.Request) { e.b.answer(e) }

// Resumed implements session.Origin.
func (e *execution) Resumed(r *session.Request, f func(*session.Request) session.Status) {
	b := e.b
	defer func() {
		if p := recover(); p != nil {
			b.s.panicked(p, b.r)
			b.abandon()
		}
	}()
	if f(r) == session.WouldBlock {
		e.toWorker()
		return
	}
	b.answer(e)
}

// run executes on a worker: one statement, or a group.
func (e *execution) run() {
	b, s, r := e.b, e.b.s, e.b.r
	defer func() {
		if p := recover(); p != nil {
			s.panicked(p, r)
			b.abandon()
		}
	}()
	if e.group == 0 {
		e.wait()
		return
	}
	defer s.workers.helpers.Add(-1)
	e.each(true)
}

// each executes a group. What has to wait goes to a worker, but for the last one
// where the caller may wait as well.
func (e *execution) each(mayWait bool) {
	for e.group = 0; e != nil; {
		next := e.next
		e.next = nil
		switch {
		case !e.try():
		case next == nil && mayWait:
			e.wait()
		default:
			e.toWorker()
		}
		e = next
	}
}

// wait executes and may block.
func (e *execution) wait() {
	s := e.b.s
	if int64(s.cfg.Clock.Mono()) > e.Deadline {
		s.stats.expired.Add(1)
		e.fail(native.Overloaded("Query timed out before it could start"))
		return
	}
	if s.handler.Execute(s.ctx, &e.Request) == session.Done {
		e.b.answer(e)
	}
}
