package session

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/netbuf"
)

// Conn is one connection of a client.
//
// # Thread safety
//
// Exported methods are safe for concurrent use. Fields of the first group
// belong to the reader goroutine; the queue of answers is protected by mu; the
// encoder's state belongs to whoever has set writing.
//
// # Invariants
//
// At most one goroutine writes: it set writing under mu and clears it only
// under mu when the queue is empty, so an answer in the queue of a live
// connection always has a writer. Once dead is set nothing enters the queue.
// A request counts as in flight from its charge until its answer is written or
// dropped.
type Conn struct {
	srv    *Server
	id     uint64
	nc     net.Conn
	remote netip.AddrPort
	since  time.Time
	refuse bool // over the limit of connections: to be told and closed

	in reader // of the reader goroutine, but for DropParked

	// Set by the reader while nothing is in flight.
	version     atomic.Uint32 // 0 until a frame of a supported version came
	phase       atomic.Uint32
	compression native.Compression
	throw       bool // answer OVERLOADED rather than wait

	keyspace atomic.Pointer[string]
	user     atomic.Pointer[string]
	options  atomic.Pointer[map[string]string]
	events   atomic.Uint32 // native.EventKinds
	requests atomic.Uint64

	inflight      atomic.Int64
	inflightBytes atomic.Int64
	unsent        atomic.Int64
	pushed        atomic.Int32  // events in the queue
	writeSince    atomic.Int64  // Mono when the write in progress began, 0 if none
	waiting       atomic.Bool   // the reader waits on wake
	draining      atomic.Bool   // no further frame is read
	wake          chan struct{} // capacity 1

	mu      sync.Mutex // protects queue, writing, dead
	queue   requestList
	writing bool
	dead    bool
	writeFn func() // c.writeLoop, made once

	enc encoder // of the writer
}

// Phases of a connection.
const (
	phaseNew  uint32 = iota // before STARTUP
	phaseAuth               // AUTHENTICATE was sent
	phaseReady
)

func newConn(s *Server, id uint64, nc net.Conn) *Conn {
	c := &Conn{srv: s, id: id, nc: nc, since: s.clock.Now(), wake: make(chan struct{}, 1)}
	c.in.Open(nc, netbuf.Config{Size: chunkSize, Account: s.input, Gate: s.input, InFlight: &c.inflight})
	c.enc.out.Open(nc)
	c.writeFn = c.writeLoop
	if a, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		c.remote = netip.AddrPortFrom(a.AddrPort().Addr().Unmap(), a.AddrPort().Port())
	}
	return c
}

// RemoteAddr is the client's address.
func (c *Conn) RemoteAddr() netip.AddrPort { return c.remote }

// Version is that of the protocol; 0 before it is settled.
func (c *Conn) Version() uint8 { return uint8(c.version.Load()) }

// Keyspace is the one in use, or empty.
func (c *Conn) Keyspace() string { return loadString(&c.keyspace) }

// User is who logged in; "anonymous" without authentication.
func (c *Conn) User() string {
	if u := loadString(&c.user); u != "" {
		return u
	}
	return "anonymous"
}

// Options are those of STARTUP, not to be changed; nil before it.
func (c *Conn) Options() map[string]string {
	if p := c.options.Load(); p != nil {
		return *p
	}
	return nil
}

func loadString(p *atomic.Pointer[string]) string {
	if s := p.Load(); s != nil {
		return *s
	}
	return ""
}

// charge counts a request in.
func (c *Conn) charge(r *Request, bytes int) {
	r.cost = int64(bytes)
	c.inflight.Add(1)
	c.inflightBytes.Add(r.cost)
}

// settle counts n requests of bytes out.
func (c *Conn) settle(n, bytes int64) {
	c.inflightBytes.Add(-bytes)
	if c.inflight.Add(-n) == 0 {
		c.in.DropParked()
	}
	c.poke()
}

// poke makes a waiting reader look again.
func (c *Conn) poke() {
	if c.waiting.Load() {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}

// await blocks the reader until ok or the end of the connection, which it
// reports as false. Everything the reader holds back must be flushed before.
func (c *Conn) await(ok func() bool) bool {
	c.waiting.Store(true)
	defer c.waiting.Store(false)
	for !ok() {
		if c.isDead() {
			return false
		}
		<-c.wake
	}
	return !c.isDead()
}

func (c *Conn) isDead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dead
}

// finish puts an answered request into the queue and sees to it that somebody
// writes it. It never blocks.
func (c *Conn) finish(r *Request) {
	var l requestList
	l.push(r)
	if c.enqueue(l) {
		// Others are about to be answered, and one call writes all: the scheduler
		// begins what is started last first, and what was so before after all that
		// is ready. (Gosched would have the writer wait for what gets ready later.)
		go c.writeFn()
		go nothing()
	}
}

func nothing() {}

// enqueue adds answers to the queue and tells whether the caller has become
// the writer.
func (c *Conn) enqueue(l requestList) (writer bool) {
	var bytes int64
	for r := l.head; r != nil; r = r.next {
		bytes += r.size()
	}
	if c.addUnsent(bytes) {
		c.srv.stats.SlowClients.Add(1)
		c.abort()
	}
	c.mu.Lock()
	if c.dead {
		c.mu.Unlock()
		c.drop(l)
		return false
	}
	c.queue.append(l)
	writer = !c.writing
	c.writing = true
	c.mu.Unlock()
	return writer
}

// addUnsent counts answers that wait for the writer, and tells whether they are
// too many for a client that does not read. An answer that nothing waits in
// front of is never too much: its own limit is that of results.
func (c *Conn) addUnsent(bytes int64) (tooMuch bool) {
	total, own := c.srv.unsent.Add(bytes), c.unsent.Add(bytes)
	if own == bytes {
		return false
	}
	cfg := &c.srv.cfg
	return own > cfg.MaxUnsent || total > cfg.TotalUnsent && own > cfg.TotalUnsent/64
}

// sentUnsent counts them out.
func (c *Conn) sentUnsent(bytes int64) {
	c.unsent.Add(-bytes)
	c.srv.unsent.Add(-bytes)
}

// drop forgets answers that were counted as unsent and cannot be written.
func (c *Conn) drop(l requestList) {
	var bytes int64
	for r := l.head; r != nil; r = r.next {
		bytes += r.size()
	}
	c.sentUnsent(bytes)
	c.retireAll(l)
}

// retireAll forgets requests whose answers have not come to the queue.
func (c *Conn) retireAll(l requestList) {
	for r := l.pop(); r != nil; r = l.pop() {
		c.retire(r)
	}
	c.poke()
}

// retire counts a request out and recycles it.
func (c *Conn) retire(r *Request) {
	if r.reply.uncounted {
		c.pushed.Add(-1)
	} else {
		c.inflight.Add(-1)
		c.inflightBytes.Add(-r.cost)
	}
	r.recycle()
}

// abort ends the connection at once; idempotent, from any goroutine.
func (c *Conn) abort() {
	c.mu.Lock()
	c.dead = true
	c.mu.Unlock()
	c.nc.Close()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// serve is the connection's reader goroutine.
func (c *Conn) serve() {
	c.readLoop()
	c.abort()
	c.in.release()
	// Writers see dead and leave; after that nobody but requests still being
	// executed knows the connection, and those drop their answers.
	c.waiting.Store(true)
	for {
		c.mu.Lock()
		writing, rest := c.writing, requestList{}
		if !writing {
			rest = c.queue.take()
		}
		c.mu.Unlock()
		if !writing {
			c.drop(rest)
			return
		}
		<-c.wake
	}
}

// push sends an event to a client that registered for its kind. A client that
// lets events pile up loses the connection.
func (c *Conn) push(e *native.Event) {
	if c.events.Load()&uint32(e.Kind) == 0 || c.phase.Load() != phaseReady {
		return
	}
	if c.pushed.Add(1) > maxPushed {
		c.pushed.Add(-1)
		c.srv.stats.SlowClients.Add(1)
		c.abort()
		return
	}
	h := native.Header{Version: c.Version(), Stream: native.EventStream, Opcode: native.OpEvent}
	r := newRequest(c, h, int64(c.srv.clock.Mono()))
	r.reply.kind, r.reply.event, r.reply.uncounted = replyEvent, e, true
	c.finish(r)
}

// maxPushed is how many events may wait for a client.
const maxPushed = 4096
