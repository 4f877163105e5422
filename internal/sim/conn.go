package sim

import (
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"
)

// conn is one end of a connection. All but what is set by connect is protected
// by Network.mu. At most one goroutine reads from it at a time, and one writes.
type conn struct {
	n             *Network
	own, peer     *Stack
	local, remote netip.AddrPort
	far           *conn
	rand          *rand.Rand
	// Each of capacity 1: the one who reads, or writes, looks again.
	readable, writable chan struct{}

	in      queue     // on the way here, or arrived and not read
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
	at  time.Time // of arrival
	n   int       // bytes of them
	fin bool
}

// queue is segments and their bytes, first in first out, in memory that is used
// again.
type queue struct {
	segments []segment
	bytes    []byte
	// What was taken out lies before these.
	first, read int
}

func (q *queue) empty() bool { return q.first == len(q.segments) }

func (q *queue) head() *segment { return &q.segments[q.first] }

// len is how many bytes are in it.
func (q *queue) len() int { return len(q.bytes) - q.read }

func (q *queue) clear() {
	q.segments, q.bytes, q.first, q.read = q.segments[:0], q.bytes[:0], 0, 0
}

func (q *queue) push(s segment, p []byte) {
	if q.first > len(q.segments)/2 && len(q.segments) == cap(q.segments) {
		q.segments = slices.Delete(q.segments, 0, q.first)
		q.first = 0
	}
	if q.read > len(q.bytes)/2 && len(q.bytes)+len(p) > cap(q.bytes) {
		q.bytes = slices.Delete(q.bytes, 0, q.read)
		q.read = 0
	}
	q.segments, q.bytes = append(q.segments, s), append(q.bytes, p...)
}

// take copies out of the first segment, which is gone when nothing of it is left.
func (q *queue) take(p []byte) int {
	s := q.head()
	n := copy(p, q.bytes[q.read:q.read+s.n])
	q.read += n
	if s.n -= n; s.n == 0 {
		q.first++
	}
	if q.empty() {
		q.clear()
	}
	return n
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
	c.in.clear()
	c.wake()
	signal(c.far.writable)
}

// wake has who waits here look again.
func (c *conn) wake() {
	signal(c.readable)
	signal(c.writable)
}

// signal makes sure that who waits for c, or will, goes on.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// sendReset tells the other side that this one has gone, unless the way is
// blocked. mu is held.
func (c *conn) sendReset() {
	if c.severed || c.n.blocked(c.own.machine, c.peer.machine) || !c.far.resetAt.IsZero() {
		return
	}
	c.far.resetAt, _ = c.n.arrival(c.own.machine, c.peer.machine, 0, c.rand)
	c.far.wake()
}

// hold notes that the way here is blocked and tells how many segments that
// caught. mu is held.
func (c *conn) hold(now time.Time) (caught int64) {
	if c.held.IsZero() {
		c.held = now
	}
	for _, s := range c.in.segments[c.in.first:] {
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
	for i := c.in.first; i < len(c.in.segments); i++ {
		if s := &c.in.segments[i]; s.at.After(c.held) && s.at.Before(at) {
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
	if c.in.empty() {
		return false, time.Time{}
	}
	at := c.in.head().at
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

// wait releases mu until it is signalled that something may have changed, or one
// of the times has come. mu is held.
func (c *conn) wait(changed chan struct{}, now time.Time, times ...time.Time) {
	var first time.Time
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	var due <-chan time.Time
	if !first.IsZero() {
		due = c.n.clock.After(max(first.Sub(now), 1))
	}
	c.n.mu.Unlock()
	select {
	case <-changed:
	case <-due:
	}
	c.n.mu.Lock()
}

// soon is the time for which a reader just sleeps, which is what most of them do
// and costs a third of a wait: a deadline or a reset is noticed that much late.
const soon = 2 * time.Millisecond

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
		if d := at.Sub(now); !at.IsZero() && d <= soon {
			c.n.mu.Unlock()
			c.n.clock.Sleep(d)
			c.n.mu.Lock()
			continue
		}
		c.wait(c.readable, now, at, c.readBy, c.resets())
	}
}

// take reads what has arrived. mu is held.
func (c *conn) take(p []byte, now time.Time) (n int, err error) {
	if c.in.head().fin {
		return 0, io.EOF
	}
	for n < len(p) && !c.in.empty() && !c.in.head().fin {
		if ok, _ := c.arrived(now); !ok {
			break
		}
		n += c.in.take(p[n:])
	}
	signal(c.far.writable)
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
		room := window - c.far.in.len()
		if room <= 0 && c.far.err == nil {
			c.wait(c.writable, now, c.writeBy, c.resets())
			continue
		}
		if room <= 0 {
			room = segmentSize // nobody is there to read: it goes nowhere
		}
		k := min(len(p)-n, room, segmentSize)
		n += c.send(p[n : n+k])
		signal(c.far.readable)
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
		c.far.put(segment{at: at, n: len(p)}, p)
	}
	if reset {
		c.fail(syscall.ECONNRESET)
		if c.far.resetAt.IsZero() {
			c.far.resetAt = c.far.last.Add(1) // so that the part can be read
			c.far.wake()
		}
	}
	return len(p)
}

// put adds what is on its way here, never overtaking. mu is held. The caller
// wakes who reads here: one call less deep, a new goroutine that writes gets by
// with the stack that it begins with.
func (c *conn) put(s segment, p []byte) {
	if c.err != nil || c.closed || c.severed {
		return
	}
	if s.at.Before(c.last) {
		s.at = c.last
	}
	c.last = s.at
	c.in.push(s, p)
	if c.held.IsZero() && c.n.condition(c.peer.machine, c.own.machine).blocked {
		c.held = c.n.clock.Now()
	}
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
		if !c.in.empty() && !c.in.head().fin {
			c.sendReset() // with input unread, as TCP does
		}
		c.far.put(segment{at: at, fin: true}, nil)
		signal(c.far.readable)
	}
	c.closed = true
	c.in.clear()
	c.wake()
	signal(c.far.writable)
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
	c.wake()
}

func (c *conn) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}
