package rpc

import (
	"errors"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/netbuf"
	"github.com/ilion-db/ilion/wire"
)

// state of a connection.
type state uint8

const (
	dialing state = iota // frames are kept until it is open
	open
	dead
)

// conn is a connection of either side. Its reader is one goroutine, which also
// owns it; a writer goroutine exists while there is something to write.
type conn struct {
	e        *Endpoint
	accepted bool

	// Set before the state becomes open.
	nc     net.Conn
	remote string
	other  wire.Hello
	patience

	mu    sync.Mutex // protects what follows; wheel.mu is taken under it
	state state
	cause error // why it is dead
	calls callTable
	out   output

	in input

	writeFn func()
	socket  netbuf.Writer // of the writer
	part    [1][]byte     // what it is given

	received atomic.Uint64 // times that input came
	written  atomic.Uint64 // writes that ended
	inWrite  atomic.Bool
	packs    atomic.Bool  // large bodies are compressed
	inflight atomic.Int64 // requests not yet answered
	held     atomic.Int64 // bytes of chunks
	sent     atomic.Bool  // a packet, since the last tick

	pulse pulse
}

func (e *Endpoint) newConn() *conn {
	c := &conn{e: e}
	c.writeFn = c.writeLoop
	c.in.room = make(chan struct{}, 1)
	return c
}

// holder is a connection as the account of its input.
type holder conn

// writtenOff is what a connection holds, far more than any can, from when on that
// does not count for the endpoint. Chunks are still made and released then, so
// whatever is near it means the same.
const writtenOff = 1 << 50

// Charge implements netbuf.Account.
func (h *holder) Charge(n int64) {
	left := h.held.Add(n)
	invariant.Check(left >= 0, "rpc: a connection has less than no input")
	if left < writtenOff/2 {
		h.e.held.Add(n)
	}
}

// writeOff takes what the connection holds out of the endpoint's account: a
// request whose handler has panicked keeps its chunk for ever, since somebody
// unknown may still use the bytes. The connection ends.
func (c *conn) writeOff() {
	if held := c.held.Swap(writtenOff); held < writtenOff/2 {
		c.e.held.Add(-held)
	}
}

// opened makes a connection usable whose hellos are exchanged: what was queued
// meanwhile goes out. False means that it is dead already.
func (c *conn) opened(nc net.Conn, other *wire.Hello) bool {
	c.nc, c.other, c.remote = nc, *other, nc.RemoteAddr().String()
	c.in.Open(nc, netbuf.Config{Size: chunkSize, Account: (*holder)(c), InFlight: &c.inflight})
	c.socket.Open(nc)
	c.packs.Store(other.Features&wire.FeatureLZ4 != 0 && other.Lane == uint8(Bulk))
	c.patience = patienceOf(other.Purpose)
	c.mu.Lock()
	if c.state == dead {
		c.mu.Unlock()
		nc.Close()
		return false
	}
	c.state = open
	start := c.wantsWriter()
	c.mu.Unlock()
	c.e.addConn(c)
	if start {
		go c.writeFn()
	}
	return true
}

// fail ends the connection: calls get err, what was not sent is dropped. It
// may be called more than once and from any goroutine.
func (c *conn) fail(err error) {
	c.mu.Lock()
	if c.state == dead {
		c.mu.Unlock()
		return
	}
	was := c.state
	c.state, c.cause = dead, err
	calls := c.calls.takeAll(err)
	dropped := c.out.drop()
	if c.in.waiting {
		c.in.waiting = false
		c.in.room <- struct{}{}
	}
	c.mu.Unlock()
	c.sentUnsent(dropped)
	if was == open {
		c.nc.Close()
		c.e.removeConn(c)
	}
	for _, k := range calls {
		c.finish(k, &Answer{Err: err})
	}
}

// finish tells a call that was taken from the table what came of it.
func (c *conn) finish(k *call, a *Answer) {
	if k.due != 0 {
		c.e.wheel.remove(k)
	}
	r := k.r
	invariant.Check(r != nil, "rpc: a call is answered twice")
	k.recycle()
	r.Receive(a)
}

// take removes the call of a stream from the table.
func (c *conn) take(stream uint32) *call {
	c.mu.Lock()
	k := c.calls.take(stream)
	c.mu.Unlock()
	return k
}

// expire ends the call of a stream whose deadline has passed.
func (c *conn) expire(stream uint32) {
	c.mu.Lock()
	k := c.calls.find(stream)
	if k != nil && k.busy {
		k.ended, k = ErrDeadline, nil
	} else if k != nil {
		c.calls.take(stream)
	}
	c.mu.Unlock()
	if k != nil {
		c.e.stats.Expired.Add(1)
		c.finish(k, &Answer{Err: ErrDeadline})
	}
}

// run reads until the connection ends, and tells why.
func (c *conn) run() (err error) {
	for err == nil {
		if err = c.fill(); err == nil {
			err = c.turn()
		}
	}
	c.in.Release()
	return err
}

// failure is what callers are told when a connection ends because of err.
func (e *Endpoint) failure() error {
	if e.ctx.Err() != nil {
		return ErrClosed
	}
	return ErrPeerDown
}

var (
	errPanic  = errors.New("rpc: a handler panicked")
	errStuck  = errors.New("rpc: a write took too long")
	errUnread = errors.New("rpc: too many answers wait to be sent")
)

// recovered turns a panic of a handler or receiver into the end of the
// connection: what it left behind is unknown. A failed assertion is passed on,
// before any lock is taken.
func (c *conn) recovered(err *error) {
	p := recover()
	if p == nil {
		return
	}
	invariant.PassOn(p, c.e.cfg.Log)
	c.e.stats.Panics.Add(1)
	c.writeOff()
	c.e.cfg.Log.Error("a handler panicked; its connection is closed", "panic", p, "peer", c.remote, "stack", string(debug.Stack()))
	*err = errPanic
}
