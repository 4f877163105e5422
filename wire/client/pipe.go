package client

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

const (
	// frameCalls and frameBytes bound what shares a frame; frameStatements how
	// many different statements.
	frameCalls      = 256
	frameBytes      = 64 << 10
	frameStatements = 16
	// frameSpread is how far from the first one's the deadlines in a frame may be,
	// which has one, the latest: a statement may be told twice that much too late
	// that no answer came.
	frameSpread = 50 * time.Millisecond
)

// pipe is one connection to a node. Executions that are started while it has
// not yet sent what was started before go with it in one frame.
type pipe struct {
	s        *Session
	peer     *rpc.Peer
	flushFn  func()
	inflight atomic.Int64
	nothing  Rows // what writes answer

	mu         sync.Mutex // protects what follows
	head, tail *call
	queued     int
	flushing   bool
}

func newPipe(s *Session, peer *rpc.Peer, address string) *pipe {
	p := &pipe{s: s, peer: peer, nothing: Rows{node: address, shared: true}}
	p.flushFn = p.flush
	return p
}

// enter counts a call in; false means that there are too many.
func (p *pipe) enter() bool {
	if p.inflight.Add(1) > int64(p.s.cfg.MaxInFlight) {
		p.inflight.Add(-1)
		return false
	}
	return true
}

func (p *pipe) leave() {
	p.inflight.Add(-1)
	p.s.room.tell()
}

// start sends a call that has entered. After nil it is told what came of it.
func (p *pipe) start(c *call) error {
	if c.op == wire.OpExecute {
		return p.add(c)
	}
	m := rpc.Message{Op: c.op, Lane: rpc.Small, Epoch: p.s.epoch.Load(), Deadline: c.deadline, Body: c.body}
	return p.peer.Send(&m, c)
}

// resend is start for a call that is in work.
func (p *pipe) resend(c *call) {
	if err := p.start(c); err != nil {
		c.unsent(err)
	}
}

// add queues an execution.
func (p *pipe) add(c *call) error {
	c.shape = c.st.shape.Load()
	p.mu.Lock()
	if c.next = nil; p.tail == nil {
		p.head = c
	} else {
		p.tail.next = c
	}
	p.tail = c
	p.queued++
	begin := !p.flushing
	p.flushing = true
	p.mu.Unlock()
	if begin {
		go p.flushFn()
	}
	return nil
}

// flush sends all that is queued. It is a goroutine that lives for that long.
func (p *pipe) flush() {
	for {
		p.gather()
		p.mu.Lock()
		c := p.head
		if p.head, p.tail, p.queued = nil, nil, 0; c == nil {
			p.flushing = false
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
		for c != nil {
			c = p.send(c)
		}
	}
}

// maxYields bounds how often a flush lets others go first.
const maxYields = 4

// gather lets whoever is about to start more do so first, as long as somebody
// does: one frame takes it all.
func (p *pipe) gather() {
	before := -1
	for range maxYields {
		p.mu.Lock()
		now := p.queued
		p.mu.Unlock()
		if now == before || now >= frameCalls {
			return
		}
		before = now
		runtime.Gosched()
	}
}

// send sends as many of a list of calls as go into a frame and returns the rest.
func (p *pipe) send(c *call) (rest *call) {
	f := framePool.Get().(*frame)
	f.s = p.s
	end := &rest // where what is left is linked
	for c != nil && len(f.calls) < frameCalls && len(f.body) < frameBytes {
		next := c.next
		if !f.inTime(c) {
			*end, end = c, &c.next
			c = next
			continue
		}
		at := f.statement(c.shape)
		if at < 0 {
			break
		}
		c.next = nil
		f.body = wire.AppendExecution(f.body, at, c.body)
		f.deadline = max(f.deadline, c.deadline)
		f.calls = append(f.calls, c)
		c = next
	}
	*end = c
	f.left = len(f.calls)
	f.head = wire.AppendStatements(f.head, f.refs)
	f.parts = [2][]byte{f.head, f.body}
	m := rpc.Message{Op: wire.OpExecute, Lane: rpc.Small, Epoch: p.s.epoch.Load(), Deadline: f.deadline, Parts: f.parts[:]}
	if err := p.peer.Send(&m, f); err != nil {
		for i, c := range f.calls {
			f.calls[i] = nil
			c.unsent(err)
		}
		f.recycle()
	}
	return rest
}

// frame is a frame of executions that waits for answers.
type frame struct {
	s        *Session
	calls    []*call // nil once answered
	left     int
	shapes   []*shape
	refs     []wire.StatementRef
	head     []byte
	body     []byte
	parts    [2][]byte
	deadline int64
	answers  wire.Answers
}

var framePool = sync.Pool{New: func() any { return new(frame) }}

// inTime tells whether a call may wait as long as the frame's first one.
func (f *frame) inTime(c *call) bool {
	if len(f.calls) == 0 {
		return true
	}
	apart := c.deadline - f.calls[0].deadline
	return max(apart, -apart) <= int64(frameSpread)
}

// statement is the position of a statement in the frame, -1 if it has too many.
func (f *frame) statement(h *shape) int {
	for i := len(f.shapes) - 1; i >= 0; i-- {
		if f.shapes[i] == h {
			return i
		}
	}
	if len(f.shapes) == frameStatements {
		return -1
	}
	f.shapes, f.refs = append(f.shapes, h), append(f.refs, h.Ref)
	return len(f.shapes) - 1
}

func (f *frame) recycle() {
	if cap(f.body) > 2*frameBytes {
		f.body = nil
	}
	clear(f.calls)
	clear(f.shapes)
	*f = frame{calls: f.calls[:0], shapes: f.shapes[:0], refs: f.refs[:0], head: f.head[:0], body: f.body[:0]}
	framePool.Put(f)
}

// Receive implements rpc.Receiver: some answers, the last ones if not a.More.
func (f *frame) Receive(a *rpc.Answer) {
	f.s.heard(a.Epoch)
	err := a.Err
	if err == nil {
		err = f.take(a.Body)
	}
	if err == nil && a.More {
		return
	}
	if err == nil && f.left > 0 {
		err = errProtocol
	}
	for i, c := range f.calls {
		if c != nil {
			f.calls[i] = nil
			c.failed(err)
		}
	}
	if !a.More {
		f.recycle()
	}
}

// take hands on answers.
func (f *frame) take(body []byte) error {
	var answer wire.Answer
	f.answers.Init(body)
	for f.answers.Next(&answer) {
		if int(answer.Index) >= len(f.calls) || f.calls[answer.Index] == nil {
			return errProtocol
		}
		c := f.calls[answer.Index]
		f.calls[answer.Index] = nil
		f.left--
		c.answered(&answer)
	}
	return f.answers.Err()
}
