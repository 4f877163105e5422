package rpc

import (
	"errors"
	"fmt"

	"github.com/ilion-db/ilion/internal/netbuf"
	"github.com/ilion-db/ilion/wire"
)

// input is the reading side of a connection. It belongs to the reader, but for
// what says otherwise.
type input struct {
	netbuf.Reader

	// waiting means that the reader does not read until room tells it to;
	// protected by the connection's mutex.
	waiting bool
	room    chan struct{}
	// writing means that the reader writes; protected by the connection's mutex.
	writing bool

	answer Answer // reused
}

// fill reads what there is, at least one byte.
func (c *conn) fill() error {
	c.awaitRoom()
	n, err := c.in.Fill()
	if err != nil {
		return err
	}
	c.received.Add(1)
	c.e.stats.BytesIn.Add(int64(n))
	return nil
}

// awaitRoom stops the reader while the other side does not take its answers.
func (c *conn) awaitRoom() {
	c.mu.Lock()
	wait := c.accepted && c.state == open && c.out.writing && c.out.bytes > c.e.cfg.Limits.QueueBytes
	c.in.waiting = wait
	c.mu.Unlock()
	if wait {
		<-c.in.room
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
	b := in.Bytes()
	if len(b) < wire.HeaderSize {
		in.Want(wire.HeaderSize)
		return false, nil
	}
	h, err := wire.ParseHeader(b)
	if err != nil {
		return false, c.hostile(err)
	}
	size := wire.HeaderSize + int(h.Length)
	if len(b) < size {
		in.Want(size)
		return false, nil
	}
	m := received{h: h, from: in.Take(size)}
	body, err := wire.ParsePayload(b[wire.HeaderSize:size], &m.pro)
	m.body = body
	if err != nil && !errors.Is(err, wire.ErrCorrupt) {
		return true, c.unsupported(&m, err)
	}
	if err == nil && h.Flags&wire.FlagLZ4 != 0 {
		err = c.unpack(&m)
		if err == nil {
			defer m.from.Release()
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
	from *netbuf.Chunk
}

// unpack decompresses the body into a chunk of its own.
func (c *conn) unpack(m *received) error {
	n, err := wire.DecompressedSize(m.body)
	if err != nil {
		return err
	}
	k := netbuf.Get(n, (*holder)(c))
	if err := wire.Decompress(k.B[:n], m.body); err != nil {
		k.Release()
		return err
	}
	m.body, m.from = k.B[:n:n], k
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
