package session

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/fail"
)

// lifoAge is how long the oldest request in the queue must have waited for the
// newest to be served first: under such load some are better served in time
// than all too late.
const lifoAge = 100 * time.Millisecond

// workers are reusable goroutines for requests that may block, and a bounded
// queue before them.
//
// # Thread safety
//
// All methods are safe for concurrent use. Goroutines are started as needed up
// to the maximum and live until close.
type workers struct {
	srv     *Server
	max     int
	cores   int32
	helpers atomic.Int32 // groups queued or being executed

	mu      sync.Mutex // protects what follows
	room    sync.Cond
	waiting int
	idle    []chan *Request
	running int
	queue   []*Request // ring of cap QueueLength: count from first on
	first   int
	count   int
	bytes   int64
	closed  bool

	wg sync.WaitGroup
}

func newWorkers(s *Server) *workers {
	w := &workers{
		srv: s, max: s.cfg.Workers, cores: int32(runtime.GOMAXPROCS(0)), queue: make([]*Request, s.cfg.QueueLength),
	}
	w.room.L = &w.mu
	return w
}

// submit hands r to an idle or new worker or queues it. False means that the
// queue is full, or the server closed, and r still the caller's.
func (w *workers) submit(r *Request) bool {
	w.mu.Lock()
	ok := w.submitLocked(r)
	w.mu.Unlock()
	if !ok {
		w.srv.stats.QueueFull.Add(1)
	}
	return ok
}

func (w *workers) submitLocked(r *Request) bool {
	if r.group > 0 {
		w.helpers.Add(1)
	}
	if w.handOver(r) {
		return true
	}
	if r.group > 0 {
		w.helpers.Add(-1)
	}
	return false
}

// handOver gives r away: it may be gone when true is returned.
func (w *workers) handOver(r *Request) bool {
	switch n := len(w.idle); {
	case w.closed:
		return false
	case n > 0:
		ch := w.idle[n-1]
		w.idle = w.idle[:n-1]
		ch <- r
	case w.running < w.max:
		w.running++
		w.wg.Add(1)
		go w.run(r)
	case w.count < len(w.queue) && w.bytes < w.srv.cfg.QueueBytes:
		w.queue[(w.first+w.count)%len(w.queue)] = r
		w.count++
		w.bytes += r.cost
	default:
		return false
	}
	return true
}

// submitWait is submit that waits for room. False means that the server is
// closed.
func (w *workers) submitWait(r *Request) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for !w.submitLocked(r) {
		if w.closed {
			return false
		}
		w.waiting++
		w.room.Wait()
		w.waiting--
	}
	return true
}

// next returns a request for a worker, or nil for its end.
func (w *workers) next(mine chan *Request) *Request {
	w.mu.Lock()
	if w.count > 0 {
		r := w.popLocked()
		if w.waiting > 0 {
			w.room.Signal()
		}
		w.mu.Unlock()
		return r
	}
	if w.closed {
		w.mu.Unlock()
		return nil
	}
	w.idle = append(w.idle, mine)
	w.mu.Unlock()
	return <-mine
}

func (w *workers) popLocked() *Request {
	i := w.first
	if age := int64(w.srv.clock.Mono()) - w.queue[i].Received; age > int64(lifoAge) {
		i = (w.first + w.count - 1) % len(w.queue)
	} else {
		w.first = (w.first + 1) % len(w.queue)
	}
	r := w.queue[i]
	w.queue[i] = nil
	w.count--
	w.bytes -= r.cost
	return r
}

func (w *workers) run(r *Request) {
	defer w.wg.Done()
	mine := make(chan *Request, 1)
	for r != nil {
		w.serve(r)
		r = w.next(mine)
	}
}

// serve executes a request or a group.
func (w *workers) serve(r *Request) {
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
func (w *workers) tryGroup(head *Request) (c *Conn, blocked requestList) {
	c = head.Conn
	rest := requestList{head: head, tail: head}
	for rest.tail.next != nil {
		rest.tail = rest.tail.next
	}
	head.group = 0
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
			c.drop(rest)
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
func (w *workers) execute(r *Request) {
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

func (w *workers) prepare(r *Request) {
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

// queued is how many requests wait for a worker.
func (w *workers) queued() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count
}

// close ends idle workers, drops what is queued and waits for the others.
// Connections must have been aborted.
func (w *workers) close() {
	w.mu.Lock()
	w.closed = true
	var rest requestList
	for w.count > 0 {
		r := w.popLocked()
		for r != nil {
			next := r.next
			rest.push(r)
			r = next
		}
	}
	for _, ch := range w.idle {
		close(ch)
	}
	w.idle = nil
	w.room.Broadcast()
	w.mu.Unlock()
	for r := rest.pop(); r != nil; r = rest.pop() {
		r.Conn.finish(r)
	}
	w.wg.Wait()
}
