package rpc

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"syscall"

	"github.com/ilion-db/ilion/wire"
)

// input is the reading side of a connection. It belongs to the reader, but for
// what says otherwise.
type input struct {
	// cur[r:w] is input not yet taken. An idle connection has no cur.
	cur  *chunk
	r, w int
	want int // bytes from r on that the next frame needs

	// parked is cur while the reader waits and requests still alias it: whoever
	// answers the last of them takes it.
	parked atomic.Pointer[chunk]

	readFn func(fd uintptr) bool
	n      int
	err    error

	// waiting means that the reader does not read until room tells it to;
	// protected by the connection's mutex.
	waiting bool
	room    chan struct{}
	// writing means that the reader writes; protected by the connection's mutex.
	writing bool

	answer Answer // reused
	tiny   [64]byte
}

func (in *input) init(c *conn) {
	in.readFn = c.readRaw
	in.room = make(chan struct{}, 1)
}

func (in *input) release() {
	if k := in.parked.Swap(nil); k != nil {
		k.release()
	}
	if in.cur != nil {
		in.cur.release()
		in.cur = nil
	}
	in.r, in.w = 0, 0
}

// fill reads what there is, at least one byte. While it waits for the first
// byte of a frame it holds no buffer.
func (c *conn) fill() error {
	if err := c.awaitRoom(); err != nil {
		return err
	}
	c.makeRoom()
	var n int
	var err error
	if c.raw != nil {
		if err = c.raw.Read(c.in.readFn); err == nil {
			n, err = c.in.n, c.in.err
		}
	} else {
		n, err = c.readPlain()
	}
	if n <= 0 {
		if err == nil {
			err = io.EOF
		}
		return err
	}
	c.in.w += n
	c.received.Add(1)
	c.e.stats.BytesIn.Add(int64(n))
	return nil
}

// awaitRoom stops the reader while the other side does not take its answers.
func (c *conn) awaitRoom() error {
	c.mu.Lock()
	wait := c.accepted && c.state == open && c.out.writing && c.out.bytes > c.e.cfg.Limits.QueueBytes
	if c.in.waiting = wait; !wait {
		c.mu.Unlock()
		return nil
	}
	c.mu.Unlock()
	<-c.in.room
	return nil
}

// readRaw is called when the socket may be readable.
func (c *conn) readRaw(fd uintptr) bool {
	in := &c.in
	c.unpark()
	for {
		in.n, in.err = syscall.Read(int(fd), in.cur.b[in.w:])
		switch {
		case errors.Is(in.err, syscall.EINTR):
			continue
		case errors.Is(in.err, syscall.EAGAIN):
			if in.w == in.r {
				c.park()
			}
			return false
		}
		return true
	}
}

// park lets go of the chunk before the reader waits. While requests alias the
// chunk it is only set aside, to be filled up if more comes before they are
// answered: else each lone request would hold a whole chunk.
func (c *conn) park() {
	in := &c.in
	k := in.cur
	in.cur = nil
	if k.refs.Load() == 1 || len(k.b)-in.w < chunkSize/4 {
		k.release()
		return
	}
	in.parked.Store(k)
	if c.inflight.Load() == 0 {
		c.dropParked()
	}
}

// dropParked gives the chunk set aside back; called when nothing is in flight.
func (c *conn) dropParked() {
	if c.in.parked.Load() == nil {
		return
	}
	if k := c.in.parked.Swap(nil); k != nil {
		k.release()
	}
}

// unpark gets the reader a chunk: the one set aside, or a new one.
func (c *conn) unpark() {
	in := &c.in
	if in.cur != nil {
		return
	}
	if in.cur = in.parked.Swap(nil); in.cur == nil {
		in.cur = newChunk(c, chunkSize)
		in.r, in.w = 0, 0
	}
}

// readPlain waits with a small buffer inside the connection.
func (c *conn) readPlain() (int, error) {
	in := &c.in
	if in.cur != nil && in.w == in.r {
		c.park()
	}
	if in.cur != nil {
		return c.nc.Read(in.cur.b[in.w:])
	}
	n, err := c.nc.Read(in.tiny[:])
	if n > 0 {
		c.unpark()
		copy(in.cur.b[in.w:], in.tiny[:n])
		err = nil
	}
	return n, err
}

// makeRoom makes free space after w: all that the next frame needs, but never
// more than twice what has come, so that a length alone costs no memory.
func (c *conn) makeRoom() {
	in := &c.in
	if in.cur == nil {
		return
	}
	have := in.w - in.r
	size := min(max(in.want, have+1), max(chunkSize, 2*have))
	alone := in.cur.refs.Load() == 1
	switch {
	case have > 0 && in.r+size <= len(in.cur.b) && in.w < len(in.cur.b):
	case have == 0 && alone && len(in.cur.b) <= 2*chunkSize:
		in.r, in.w = 0, 0
	case have == 0 && !alone && len(in.cur.b)-in.w >= chunkSize/4:
		// Requests alias what was taken: go on behind it.
	case have == 0:
		in.cur.release()
		in.cur, in.r, in.w = nil, 0, 0
	case alone && size <= len(in.cur.b):
		copy(in.cur.b, in.cur.b[in.r:in.w])
		in.r, in.w = 0, have
	default:
		k := newChunk(c, max(size, chunkSize))
		copy(k.b, in.cur.b[in.r:in.w])
		in.cur.release()
		in.cur, in.r, in.w = k, 0, have
	}
}

// turn takes all whole frames that have come, and writes what their handling
// has made.
func (c *conn) turn() (err error) {
	defer c.recovered(&err)
	c.mu.Lock()
	c.out.corked = true
	c.mu.Unlock()
	now := int64(c.e.cfg.Clock.Mono())
	var ok bool
	for {
		if ok, err = c.next(now); !ok || err != nil {
			break
		}
	}
	c.uncork()
	return err
}

func (c *conn) uncork() {
	c.mu.Lock()
	c.out.corked = false
	// Two ends that write from their readers could wait for each other: only the
	// accepting one does.
	here := c.accepted && c.state == open && c.out.wants()
	c.in.writing = here
	start := !c.accepted && c.wantsWriter()
	c.mu.Unlock()
	if here {
		c.writeHere()
	}
	if start {
		go c.writeFn()
	}
}

// next takes and handles the next frame; false means that there is none yet.
func (c *conn) next(now int64) (ok bool, err error) {
	in := &c.in
	b := in.cur.b[in.r:in.w]
	if len(b) < wire.HeaderSize {
		in.want = wire.HeaderSize
		return false, nil
	}
	h, err := wire.ParseHeader(b)
	if err != nil {
		return false, c.hostile(err)
	}
	size := wire.HeaderSize + int(h.Length)
	if len(b) < size {
		in.want = size
		return false, nil
	}
	in.r += size
	in.want = 0
	m := received{h: h}
	body, err := wire.ParsePayload(b[wire.HeaderSize:size], &m.pro)
	m.body, m.from = body, in.cur
	if err != nil && !errors.Is(err, wire.ErrCorrupt) {
		return true, c.unsupported(&m, err)
	}
	if err == nil && h.Flags&wire.FlagLZ4 != 0 {
		err = c.unpack(&m)
		if err == nil {
			defer m.from.release()
		}
	}
	if err != nil {
		return false, c.hostile(err)
	}
	return true, c.handle(&m, now)
}

// received is a message that has come. Its body aliases from.
type received struct {
	h    wire.Header
	pro  wire.Prologue
	body []byte
	from *chunk
}

// unpack decompresses the body into a chunk of its own.
func (c *conn) unpack(m *received) error {
	n, err := wire.DecompressedSize(m.body)
	if err != nil {
		return err
	}
	k := newChunk(c, n)
	if err := wire.Decompress(k.b[:n], m.body); err != nil {
		k.release()
		return err
	}
	m.body, m.from = k.b[:n:n], k
	return nil
}

// hostile counts and logs, once for each address, bytes that no peer sends.
func (c *conn) hostile(err error) error {
	c.e.stats.Corrupt.Add(1)
	c.e.noise.warn("closed a connection that sent bytes which are no message", c.remote, err)
	return err
}

// unsupported refuses a message with something in it that only newer versions
// know.
func (c *conn) unsupported(m *received, err error) error {
	if m.h.Flags&(wire.FlagResponse|wire.FlagOneWay) != 0 {
		return nil
	}
	return c.refuse(m, wire.Errorf(wire.CodeUnsupported, "%v", err))
}

// refuse answers a request with an error without making it a Request.
func (c *conn) refuse(m *received, e *wire.Error) error {
	if m.h.Flags&wire.FlagOneWay != 0 {
		return nil
	}
	f := frame{op: m.h.Op, flags: wire.FlagResponse | wire.FlagError, body: e.Append(nil)}
	if err := c.push(&f, m.h.Stream, nil, false); err != nil {
		return fmt.Errorf("rpc: refuse %v: %w", m.h.Op, err)
	}
	return nil
}

func (c *conn) handle(m *received, now int64) error {
	switch {
	case m.h.Flags&wire.FlagResponse != 0:
		return c.answered(m)
	case m.h.Op == wire.OpPing:
		if m.h.Flags&wire.FlagOneWay != 0 {
			return nil
		}
		f := frame{op: wire.OpPing, flags: wire.FlagResponse}
		return c.push(&f, m.h.Stream, nil, false)
	case !c.accepted || !c.other.Purpose.Allows(m.h.Op):
		return c.refuse(m, wire.Errorf(wire.CodeUnsupported, "%v on a connection for %v", m.h.Op, c.other.Purpose))
	case m.h.Op == wire.OpGossip:
		if f := c.e.cfg.OnPacket; f != nil {
			f(m.body, c.remote)
		}
		return nil
	}
	return c.serve(m, now)
}

// answered hands an answer to who waits for it. Nobody may: its deadline has
// passed, or it answers a ping.
func (c *conn) answered(m *received) error {
	if m.h.Flags&wire.FlagMore != 0 {
		return c.answeredInPart(m)
	}
	k := c.take(m.h.Stream)
	if k == nil {
		return nil
	}
	a := &c.in.answer
	*a = Answer{Epoch: m.pro.Epoch, Body: m.body}
	if m.h.Flags&wire.FlagError != 0 {
		e := new(wire.Error)
		if err := e.Decode(m.body); err != nil {
			c.finish(k, &Answer{Err: c.e.failure()})
			return c.hostile(err)
		}
		a.Err, a.Body = e, nil
	}
	c.e.stats.Answers.Add(1)
	c.finish(k, a)
	a.Body = nil
	return nil
}

// answeredInPart hands on an answer that others follow. The call stays in the
// table; if it is ended meanwhile, that is told afterwards.
func (c *conn) answeredInPart(m *received) error {
	if m.h.Flags&wire.FlagError != 0 {
		return c.hostile(fmt.Errorf("%w: an error that more follows", wire.ErrCorrupt))
	}
	c.mu.Lock()
	k := c.calls.find(m.h.Stream)
	if k != nil {
		k.busy = true
	}
	c.mu.Unlock()
	if k == nil {
		return nil
	}
	a := &c.in.answer
	*a = Answer{Epoch: m.pro.Epoch, Body: m.body, More: true}
	k.r.Receive(a)
	a.Body = nil
	c.mu.Lock()
	k.busy = false
	ended := k.ended
	if ended != nil {
		c.calls.take(m.h.Stream)
	}
	c.mu.Unlock()
	if ended != nil {
		c.finish(k, &Answer{Err: ended})
	}
	return nil
}
