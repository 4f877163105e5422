package sim

import (
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// conn is one end of a connection. All but what is set by connect is protected
// by Network.mu.
type conn struct {
	n             *Network
	own, peer     *Stack
	local, remote netip.AddrPort
	far           *conn
	rand          *rand.Rand
	cond          *sync.Cond // of Network.mu

	in      []segment // on the way here, or arrived and not read
	queued  int       // bytes in it
	last    time.Time // when the newest of in arrives
	held    time.Time // zero, or since when the way here is blocked
	resetAt time.Time // zero, or when the peer's reset arrives
	err     error     // how the connection has ended
	closed  bool      // by this side
	gone    bool      // this side's boot has ended
	severed bool      // nothing gets through any more, and neither side knows

	readBy, writeBy time.Time // by the network's clock
}

// segment is bytes that travel together, or the end of them.
type segment struct {
	at    time.Time // of arrival
	bytes []byte
	fin   bool
}

var _ net.Conn = (*conn)(nil)

// fail ends the connection at this side. mu is held.
func (c *conn) fail(err error) {
	if c.err == nil {
		c.err = err
		if err != net.ErrClosed {
			c.n.counts.Resets++
		}
	}
	c.in, c.queued = nil, 0
	c.cond.Broadcast()
	c.far.cond.Broadcast()
}

// sendReset tells the other side that this one has gone, unless the way is
// blocked. mu is held.
func (c *conn) sendReset() {
	if c.severed || c.n.blocked(c.own.machine, c.peer.machine) || !c.far.resetAt.IsZero() {
		return
	}
	c.far.resetAt, _ = c.n.arrival(c.own.machine, c.peer.machine, 0, c.rand)
	c.far.cond.Broadcast()
}

// hold notes that the way here is blocked and tells how many segments that
// caught. mu is held.
func (c *conn) hold(now time.Time) (caught int64) {
	if c.held.IsZero() {
		c.held = now
	}
	for _, s := range c.in {
		if s.at.After(now) {
			caught++
		}
	}
	return caught
}

// resume has what was held arrive: it is sent again. mu is held.
func (c *conn) resume(now time.Time) {
	at, _ := c.n.arrival(c.peer.machine, c.own.machine, 0, c.rand)
	at = at.Add(time.Duration(c.rand.Int64N(int64(retransmit))))
	for i := range c.in {
		if s := &c.in[i]; s.at.After(c.held) && s.at.Before(at) {
			s.at = at
		}
	}
	if c.last.Before(at) {
		c.last = at
	}
	c.held = time.Time{}
}

// arrived tells whether something can be read, and if not when it can; zero if
// nobody knows. mu is held.
func (c *conn) arrived(now time.Time) (bool, time.Time) {
	if len(c.in) == 0 {
		return false, time.Time{}
	}
	at := c.in[0].at
	if !c.held.IsZero() && at.After(c.held) {
		return false, time.Time{}
	}
	return !at.After(now), at
}

// ended is the error of a connection that has ended, taking notice of a reset
// that has arrived. mu is held.
func (c *conn) ended(now time.Time) error {
	if c.closed {
		return net.ErrClosed
	}
	if c.err == nil && !c.resetAt.IsZero() && !c.resetAt.After(now) && c.held.IsZero() {
		c.fail(syscall.ECONNRESET)
	}
	return c.err
}

// resets is when a peer's reset arrives, zero if nobody knows. mu is held.
func (c *conn) resets() time.Time {
	if !c.held.IsZero() {
		return time.Time{} // healing the link wakes who waits
	}
	return c.resetAt
}

// wait releases mu until something may have changed, or one of the times has
// come. mu is held.
func (c *conn) wait(times ...time.Time) {
	var first time.Time
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	if !first.IsZero() {
		d := max(first.Sub(c.n.clock.Now()), 1)
		timer := c.n.clock.AfterFunc(d, c.tick)
		defer timer.Stop()
	}
	c.cond.Wait()
}

func (c *conn) tick() {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	c.cond.Broadcast()
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	for {
		now := c.n.clock.Now()
		if err := c.ended(now); err != nil {
			return 0, c.opError("read", err)
		}
		if !c.readBy.IsZero() && !c.readBy.After(now) {
			return 0, c.opError("read", os.ErrDeadlineExceeded)
		}
		ok, at := c.arrived(now)
		if ok {
			return c.take(p, now)
		}
		c.wait(at, c.readBy, c.resets())
	}
}

// take reads what has arrived. mu is held.
func (c *conn) take(p []byte, now time.Time) (n int, err error) {
	if c.in[0].fin {
		return 0, io.EOF
	}
	for n < len(p) && len(c.in) > 0 && !c.in[0].fin {
		if ok, _ := c.arrived(now); !ok {
			break
		}
		s := &c.in[0]
		k := copy(p[n:], s.bytes)
		n += k
		c.queued -= k
		if s.bytes = s.bytes[k:]; len(s.bytes) == 0 {
			c.in = c.in[1:]
		}
	}
	c.far.cond.Broadcast()
	return n, nil
}

// Write implements net.Conn. It returns when everything is on its way.
func (c *conn) Write(p []byte) (n int, err error) {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	for n < len(p) {
		now := c.n.clock.Now()
		if err := c.ended(now); err != nil {
			return n, c.opError("write", err)
		}
		if !c.writeBy.IsZero() && !c.writeBy.After(now) {
			return n, c.opError("write", os.ErrDeadlineExceeded)
		}
		if c.far.gone && c.n.reachable(c.own.machine, c.peer.machine) {
			// Whoever is there now does not know the connection.
			c.far.sendReset()
		}
		room := window - c.far.queued
		if room <= 0 && c.far.err == nil {
			c.wait(c.writeBy, c.resets())
			continue
		}
		if room <= 0 {
			room = segmentSize // nobody is there to read: it goes nowhere
		}
		k := min(len(p)-n, room, segmentSize)
		n += c.send(p[n : n+k])
	}
	return n, nil
}

// send puts bytes on their way, or a part of them and a reset. mu is held.
func (c *conn) send(p []byte) int {
	at, reset := c.n.arrival(c.own.machine, c.peer.machine, len(p), c.rand)
	if reset {
		p = p[:c.rand.IntN(len(p)+1)]
	}
	c.n.counts.Segments++
	c.n.counts.Bytes += uint64(len(p))
	if len(p) > 0 {
		c.far.put(segment{at: at, bytes: append([]byte(nil), p...)})
	}
	if reset {
		c.fail(syscall.ECONNRESET)
		if c.far.resetAt.IsZero() {
			c.far.resetAt = c.far.last.Add(1) // so that the part can be read
			c.far.cond.Broadcast()
		}
	}
	return len(p)
}

// put adds what is on its way here, never overtaking. mu is held.
func (c *conn) put(s segment) {
	if c.err != nil || c.closed || c.severed {
		return
	}
	if s.at.Before(c.last) {
		s.at = c.last
	}
	c.last = s.at
	c.in = append(c.in, s)
	c.queued += len(s.bytes)
	if c.held.IsZero() && c.n.condition(c.peer.machine, c.own.machine).blocked {
		c.held = c.n.clock.Now()
	}
	c.cond.Broadcast()
}

// Close implements net.Conn. What was written still arrives.
func (c *conn) Close() error {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	if c.closed {
		return nil
	}
	if c.err == nil {
		at, _ := c.n.arrival(c.own.machine, c.peer.machine, 0, c.rand)
		if len(c.in) > 0 && !c.in[0].fin {
			c.sendReset() // with input unread, as TCP does
		}
		c.far.put(segment{at: at, fin: true})
	}
	c.closed = true
	c.in, c.queued = nil, 0
	c.cond.Broadcast()
	c.far.cond.Broadcast()
	c.n.forget()
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return net.TCPAddrFromAddrPort(c.local) }
func (c *conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error {
	c.setDeadline(t, &c.readBy, &c.writeBy)
	return nil
}

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.setDeadline(t, &c.readBy)
	return nil
}

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.setDeadline(t, &c.writeBy)
	return nil
}

// setDeadline takes a time of the machine's own clock, which may jump later:
// the deadline does not.
func (c *conn) setDeadline(t time.Time, fields ...*time.Time) {
	if !t.IsZero() {
		t = c.n.clock.Now().Add(t.Sub(c.own.clock.Now()))
	}
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	for _, f := range fields {
		*f = t
	}
	c.cond.Broadcast()
}

func (c *conn) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}
