package session

import (
	"runtime"
	"sync/atomic"
	"time"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/fail"
	"github.com/ilion-db/ilion/internal/workers"
)

// lifoAge is how long the oldest request in the queue must have waited for the
// newest to be served first: under such load some are better served in time
// than all too late.
const lifoAge = 100 * time.Millisecond

// pool runs requests that may block, and groups of those that may not.
type pool struct {
	*workers.Pool[*Request]

	srv     *Server
	cores   int32
	helpers atomic.Int32 // groups queued or being executed
}

func newPool(s *Server) *pool {
	w := &pool{srv: s, cores: int32(runtime.GOMAXPROCS(0))}
	w.Pool = workers.New(workers.Config[*Request]{
		Max: s.cfg.Workers, Queue: s.cfg.QueueLength, Run: w.serve,
		Cost: func(r *Request) int64 { return r.cost }, MaxCost: s.cfg.QueueBytes,
		Overdue: func(oldest *Request) bool { return int64(s.clock.Mono())-oldest.Received > int64(lifoAge) },
	})
	return w
}

// free tells whether another core may help with a group.
func (w *pool) free() bool { return w.helpers.Load() < w.cores }

// submit hands a request or a group to a worker or queues it. False means that
// the queue is full, or the server closed, and r still the caller's.
func (w *pool) submit(r *Request) bool {
	group := r.group > 0 // r may be gone once it is handed over
	if group {
		w.helpers.Add(1)
	}
	if w.Submit(r) {
		return true
	}
	if group {
		w.helpers.Add(-1)
	}
	w.srv.stats.QueueFull.Add(1)
	return false
}

// serve executes a request or a group.
func (w *pool) serve(r *Request) {
	if r.group == 0 {
		w.execute(r)
		return
	}
	defer w.helpers.Add(-1)
	c, blocked := w.tryGroup(r)
	for r := blocked.pop(); r != nil; r = blocked.pop() {
		// The last one is as well executed here.
		if c.isDead() || blocked.head == nil || !w.submit(r) {
			w.execute(r)
		}
	}
}

// tryGroup executes what of a group does not block and returns the rest.
func (w *pool) tryGroup(head *Request) (c *Conn, blocked requestList) {
	c = head.Conn
	rest := requestList{head: head, tail: head}
	for rest.tail.next != nil {
		rest.tail = rest.tail.next
	}
	head.group = 0
	if w.srv.ctx.Err() != nil { // closing: what is in the queue is not begun any more
		c.retireAll(rest)
		return c, blocked
	}
	var done requestList
	var bytes int64
	send := func() {
		bytes = 0
		if done.head != nil && c.enqueue(done.take()) {
			go c.writeFn()
		}
	}
	var r *Request
	defer func() {
		if p := recover(); p != nil {
			c.panicked(p, r)
			c.retireAll(rest)
		}
		send()
	}()
	for r = rest.pop(); r != nil; r = rest.pop() {
		switch w.srv.handler.TryExecute(r) {
		case Done:
			done.push(r)
			if bytes += r.size(); bytes >= flushSize {
				send()
			}
		case WouldBlock:
			blocked.push(r)
		}
	}
	return c, blocked
}

// execute runs one request that may block.
func (w *pool) execute(r *Request) {
	c := r.Conn
	defer func() {
		if p := recover(); p != nil {
			c.panicked(p, r)
		}
	}()
	err := fail.Point("session/execute")
	switch {
	case c.isDead(): // nobody waits for it any more
	case err != nil:
		r.Fail(err)
	case r.expired(w.srv.clock.Mono()):
		w.srv.stats.Expired.Add(1)
		r.Fail(native.Overloaded("Query timed out before it could start"))
	case r.Opcode == native.OpPrepare:
		w.prepare(r)
	case w.srv.handler.Execute(w.srv.ctx, r) == Pending:
		return
	}
	c.finish(r)
}

func (w *pool) prepare(r *Request) {
	keyspace := r.Conn.Keyspace()
	if r.prepare.Keyspace != nil {
		keyspace = string(r.prepare.Keyspace)
	}
	p, err := w.srv.handler.Prepare(w.srv.ctx, r.Conn, string(r.prepare.Text), keyspace)
	if err != nil {
		r.Fail(err)
		return
	}
	r.setHead(native.AppendPrepared(r.reply.head[:0], r.Version, &p.PreparedResult))
}
