package rpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ilion-db/ilion/wire"
)

// Endpoint is one node's end of all connections. Safe for concurrent use.
type Endpoint struct {
	cfg      Config
	instance uint64
	handlers []Handler // by operation
	wheel    wheel
	noise    noise
	stats    stats
	held     atomic.Int64 // bytes of chunks of all connections
	unsent   atomic.Int64 // bytes of answers to clients

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // all goroutines

	peers sync.Map // host id to *Peer

	mu        sync.Mutex // protects what follows
	closed    bool
	listeners []net.Listener
	greeting  map[net.Conn]struct{} // accepted, before their hello
	conns     map[*conn]struct{}    // open
	accepted  int
	live      map[[16]byte]*presence
	packets   map[string]*conn // by address
}

// presence is the process that a member's accepted connections come from.
type presence struct {
	instance uint64
	boot     uint64
	addr     string
	conns    int
}

const (
	// maxPacketConns bounds the connections for packets.
	maxPacketConns = 4096
	// maxGreeting bounds the accepted connections whose hello is not over.
	maxGreeting = 256
	acceptPause = 100 * time.Millisecond
)

var errFull = errors.New("rpc: too many connections are open")

// New returns an endpoint that listens nowhere yet.
func New(cfg Config) (*Endpoint, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	e := &Endpoint{
		cfg: cfg, instance: cfg.Rand.Uint64(), noise: noise{log: cfg.Log},
		greeting: map[net.Conn]struct{}{}, conns: map[*conn]struct{}{},
		live: map[[16]byte]*presence{}, packets: map[string]*conn{},
	}
	for op, h := range cfg.Handlers {
		for int(op) >= len(e.handlers) {
			e.handlers = append(e.handlers, nil)
		}
		e.handlers[op] = h
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.wheel.init(cfg.Clock)
	if cfg.Metrics != nil {
		e.register(cfg.Metrics)
	}
	e.wg.Add(1)
	go e.sweep()
	return e, nil
}

func (e *Endpoint) handler(op wire.Op) Handler {
	if int(op) < len(e.handlers) {
		return e.handlers[op]
	}
	return nil
}

// begin counts a goroutine that the caller is about to start; false means that
// the endpoint is closed.
func (e *Endpoint) begin() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return false
	}
	e.wg.Add(1)
	return true
}

// Serve accepts connections until Close. It owns l.
func (e *Endpoint) Serve(l net.Listener) error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		l.Close()
		return ErrClosed
	}
	e.listeners = append(e.listeners, l)
	e.wg.Add(1)
	e.mu.Unlock()
	defer e.wg.Done()
	for {
		nc, err := l.Accept()
		if err != nil {
			if e.ctx.Err() != nil {
				return ErrClosed
			}
			if ne := net.Error(nil); errors.As(err, &ne) && !errors.Is(err, net.ErrClosed) {
				// Too many files are open, say: others may be closed soon.
				e.noise.warn("cannot accept a connection", l.Addr().String(), err)
				select {
				case <-e.cfg.Clock.After(acceptPause):
					continue
				case <-e.ctx.Done():
					return ErrClosed
				}
			}
			return fmt.Errorf("rpc: accept: %w", err)
		}
		e.accept(nc)
	}
}

// accept starts to serve a connection if there is room for it.
func (e *Endpoint) accept(nc net.Conn) {
	e.mu.Lock()
	full := e.accepted >= e.cfg.Limits.Connections || len(e.greeting) >= maxGreeting
	if full || e.closed {
		e.mu.Unlock()
		nc.Close()
		if full {
			e.stats.Refused.Add(1)
			e.noise.warn("refused a connection", nc.RemoteAddr().String(), errFull)
		}
		return
	}
	e.greeting[nc] = struct{}{}
	e.accepted++
	e.wg.Add(1)
	e.mu.Unlock()
	go e.serveConn(nc)
}

// serveConn is the goroutine of an accepted connection.
func (e *Endpoint) serveConn(nc net.Conn) {
	defer e.wg.Done()
	var c *conn
	var arrived bool
	stop := e.within(e.ctx, nc)
	other, err := (&greeting{e: e, nc: nc}).acceptor(func(other *wire.Hello) *wire.Error {
		if other.Purpose == wire.PurposeStream && e.cfg.OnStream == nil {
			return wire.Errorf(wire.CodeUnsupported, "streams are not taken here")
		}
		refusal := e.arrive(other, nc.RemoteAddr().String())
		arrived = refusal == nil
		return refusal
	})
	err = stop(err)
	e.mu.Lock()
	delete(e.greeting, nc)
	e.mu.Unlock()
	switch {
	case err != nil:
		nc.Close()
		if arrived {
			e.leave(&other) // it went before it heard that it may stay
		}
		if e.ctx.Err() == nil {
			e.stats.Refused.Add(1)
			e.noise.warn("refused a connection", nc.RemoteAddr().String(), err)
		}
	case other.Purpose == wire.PurposeStream:
		e.cfg.OnStream(nc)
	default:
		c = e.newConn()
		c.accepted = true
		if c.opened(nc, &other) {
			e.kick(other.HostID)
			_ = c.run()
			c.fail(e.failure())
		}
		e.leave(&other)
	}
	e.mu.Lock()
	e.accepted--
	e.mu.Unlock()
}

// arrive notes that a process of a member has connected. A second one with the
// same host id is refused while the first lives.
func (e *Endpoint) arrive(other *wire.Hello, addr string) *wire.Error {
	if other.Purpose != wire.PurposePeer {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	p := e.live[other.HostID]
	if p == nil {
		p = &presence{instance: other.Instance, boot: other.BootCount, addr: addr}
		e.live[other.HostID] = p
	}
	if p.instance != other.Instance {
		return wire.Errorf(wire.CodeRefused, "two live nodes have the host id %x: another process has it at %s (start %d there, start %d here); "+
			"if that one runs on a copy of the data directory, stop one of them and empty its directory; if it was just stopped, this passes by itself",
			other.HostID, p.addr, p.boot, other.BootCount)
	}
	p.conns++
	return nil
}

func (e *Endpoint) leave(other *wire.Hello) {
	if other.Purpose != wire.PurposePeer {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if p := e.live[other.HostID]; p != nil {
		if p.conns--; p.conns == 0 {
			delete(e.live, other.HostID)
		}
	}
}

// kick makes lanes that wait to reach a peer try at once: it is there.
func (e *Endpoint) kick(host [16]byte) {
	if p, ok := e.peers.Load(host); ok {
		p.(*Peer).kick()
	}
}

func (e *Endpoint) addConn(c *conn) {
	e.mu.Lock()
	e.conns[c] = struct{}{}
	closed := e.closed
	e.mu.Unlock()
	e.stats.Connections.Add(1)
	if closed {
		c.fail(ErrClosed)
	}
}

func (e *Endpoint) removeConn(c *conn) {
	e.mu.Lock()
	if _, ok := e.conns[c]; ok {
		delete(e.conns, c)
		e.stats.Connections.Add(-1)
	}
	e.mu.Unlock()
}

func (e *Endpoint) appendConns(dst []*conn) []*conn {
	e.mu.Lock()
	defer e.mu.Unlock()
	for c := range e.conns {
		dst = append(dst, c)
	}
	return dst
}

// Close ends all connections and goroutines; requests not yet answered get
// ErrClosed.
func (e *Endpoint) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil
	}
	e.closed = true
	listeners := e.listeners
	var waiting []*conn
	for _, c := range e.packets {
		waiting = append(waiting, c)
	}
	e.mu.Unlock()
	e.cancel()
	for _, l := range listeners {
		l.Close()
	}
	e.peers.Range(func(_, p any) bool {
		p.(*Peer).forget(ErrClosed)
		return true
	})
	for _, c := range append(waiting, e.appendConns(nil)...) {
		c.fail(ErrClosed)
	}
	e.wg.Wait()
	e.wheel.close()
	return nil
}
