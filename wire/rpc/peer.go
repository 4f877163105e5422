package rpc

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ilion-db/ilion/wire"
)

// Peer sends to one member. Safe for concurrent use.
type Peer struct {
	e     *Endpoint
	host  [16]byte
	lanes [lanes]lane
	downs atomic.Int32 // lanes that have failed and not worked since

	mu      sync.Mutex // protects what follows
	addr    string
	life    context.CancelFunc // ends the lanes' goroutines
	ctx     context.Context
	told    health // what OnUp and OnDown have heard
	telling bool
}

type health uint8

const (
	unknown health = iota
	isUp
	isDown
)

// Peer is a member by its host id. It is made on first use; until SetAddress
// tells where it is, nothing can be sent.
func (e *Endpoint) Peer(host [16]byte) *Peer {
	if p, ok := e.peers.Load(host); ok {
		return p.(*Peer)
	}
	p := &Peer{e: e, host: host}
	for i := range p.lanes {
		p.lanes[i].init(p, Lane(i))
	}
	actual, _ := e.peers.LoadOrStore(host, p)
	return actual.(*Peer)
}

// SetAddress tells where a member is; "" forgets it and closes the connections
// to it.
func (e *Endpoint) SetAddress(host [16]byte, addr string) {
	p := e.Peer(host)
	p.mu.Lock()
	if p.addr == addr {
		p.mu.Unlock()
		return
	}
	p.mu.Unlock()
	p.forget(ErrPeerDown)
	if addr == "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.ctx.Err() == nil {
		p.addr = addr
		p.ctx, p.life = context.WithCancel(e.ctx)
	}
}

// forget closes the connections and makes the peer as new.
func (p *Peer) forget(cause error) {
	p.mu.Lock()
	p.addr = ""
	if p.life != nil {
		p.life()
		p.life = nil
	}
	p.told = unknown
	p.mu.Unlock()
	for i := range p.lanes {
		p.lanes[i].forget(cause)
	}
}

// Up is false from the failure of a connection until one works again.
func (p *Peer) Up() bool { return p.downs.Load() == 0 }

// Boot is the boot count of the process at the other end, 0 while no connection
// to it works or one has failed.
func (p *Peer) Boot() uint64 {
	if !p.Up() {
		return 0
	}
	for i := range p.lanes {
		if boot := p.lanes[i].boot.Load(); boot != 0 {
			return boot
		}
	}
	return 0
}

// Send sends a request without waiting. After nil r is told exactly once what
// came of it; an error (ErrPeerDown, ErrBacklog, ErrTooLarge, ErrClosed) means
// that nothing was sent and r is not told.
func (p *Peer) Send(m *Message, r Receiver) error {
	c, err := p.lanes[m.Lane].conn()
	if err != nil {
		return err
	}
	return c.send(m, r)
}

// Notify sends a request that gets no answer, without waiting.
func (p *Peer) Notify(m *Message) error {
	c, err := p.lanes[m.Lane].conn()
	if err != nil {
		return err
	}
	return c.notify(m)
}

// Call sends a request and waits; it returns a copy of the answer's body. A
// message without a deadline has that of ctx, or else a minute.
func (p *Peer) Call(ctx context.Context, m *Message) ([]byte, error) {
	c, err := p.lanes[m.Lane].conn()
	if err != nil {
		return nil, err
	}
	return c.ask(ctx, m)
}

func (p *Peer) kick() {
	for i := range p.lanes {
		select {
		case p.lanes[i].kicked <- struct{}{}:
		default:
		}
	}
}

// tell tells whoever listens, in turn, whether the peer is up. It is called
// after each change.
func (p *Peer) tell() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.telling {
		return
	}
	p.telling = true
	for p.addr != "" {
		now, f := isUp, p.e.cfg.OnUp
		if !p.Up() {
			now, f = isDown, p.e.cfg.OnDown
		}
		if now == p.told {
			break
		}
		p.told = now
		p.mu.Unlock()
		if f != nil {
			f(p.host)
		}
		p.mu.Lock()
	}
	p.telling = false
}

// lane is a connection to a peer that is made anew when it fails.
type lane struct {
	p    *Peer
	kind Lane
	// cur is the connection that takes messages, nil before the first one and
	// while there is none.
	cur    atomic.Pointer[conn]
	boot   atomic.Uint64 // boot count of the process at the other end of cur, 0 while it is not open
	kicked chan struct{}

	mu      sync.Mutex // protects what follows
	started context.Context
	down    bool
}

func (l *lane) init(p *Peer, kind Lane) {
	l.p, l.kind, l.kicked = p, kind, make(chan struct{}, 1)
}

// conn is the connection to send on.
func (l *lane) conn() (*conn, error) {
	if c := l.cur.Load(); c != nil {
		return c, nil
	}
	return l.start()
}

// start dials on first use. What is sent meanwhile is queued; after a failure
// it is refused instead until there is a connection again.
func (l *lane) start() (*conn, error) {
	l.p.mu.Lock()
	addr, ctx := l.p.addr, l.p.ctx
	l.p.mu.Unlock()
	if l.p.e.ctx.Err() != nil {
		return nil, ErrClosed
	}
	if addr == "" {
		return nil, ErrPeerDown
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.cur.Load(); c != nil {
		return c, nil
	}
	if l.started == ctx || ctx.Err() != nil {
		return nil, ErrPeerDown
	}
	if !l.p.e.begin() {
		return nil, ErrClosed
	}
	l.started = ctx
	c := l.p.e.newConn()
	l.cur.Store(c)
	go l.run(ctx, addr, c)
	return c, nil
}

// forget ends the lane's connection.
func (l *lane) forget(cause error) {
	l.mu.Lock()
	c := l.cur.Swap(nil)
	l.boot.Store(0)
	l.setDown(false)
	l.mu.Unlock()
	if c != nil {
		c.fail(cause)
	}
}

// setDown counts the lane among those that failed. The mutex is held.
func (l *lane) setDown(down bool) {
	if l.down == down {
		return
	}
	if l.down = down; down {
		l.p.downs.Add(1)
	} else {
		l.p.downs.Add(-1)
	}
}

const firstPause = 50 * time.Millisecond

// run is the lane's goroutine while the peer has that address: it dials, reads,
// and dials again.
func (l *lane) run(ctx context.Context, addr string, c *conn) {
	e := l.p.e
	defer e.wg.Done()
	for pause := firstPause; ctx.Err() == nil; c = e.newConn() {
		nc, other, err := e.dial(ctx, addr, e.cfg.Purpose, l.kind, l.p.check)
		if err == nil {
			began := e.cfg.Clock.Mono()
			if c.opened(nc, &other) && l.worked(ctx, c) {
				_ = c.run()
			}
			if e.cfg.Clock.Mono()-began > e.cfg.Limits.Heartbeat {
				pause = firstPause
			}
		} else if ctx.Err() == nil {
			e.noise.warn("cannot reach a peer", addr, err)
		}
		l.failed(ctx, c)
		if !l.wait(ctx, pause) {
			return
		}
		pause = min(2*pause, e.cfg.Limits.Backoff)
	}
}

// check wants the member that the address is said to be of. To a client all
// members are alike, and its ids of peers are its own.
func (p *Peer) check(other *wire.Hello) error {
	if other.HostID == p.host || p.e.cfg.Purpose == wire.PurposeClient {
		return nil
	}
	return wire.Errorf(wire.CodeRefused, "there is node %x, not %x: its address has changed hands", other.HostID, p.host)
}

// worked publishes an open connection.
func (l *lane) worked(ctx context.Context, c *conn) bool {
	l.mu.Lock()
	if ctx.Err() != nil {
		l.mu.Unlock()
		return false
	}
	l.cur.Store(c)
	l.boot.Store(c.other.BootCount)
	l.setDown(false)
	l.mu.Unlock()
	l.p.tell()
	return true
}

// failed takes a connection out of use and ends what waits for it.
func (l *lane) failed(ctx context.Context, c *conn) {
	l.mu.Lock()
	gone := ctx.Err() != nil
	if !gone {
		l.cur.CompareAndSwap(c, nil)
		l.boot.Store(0)
		l.setDown(true)
	}
	l.mu.Unlock()
	if !gone {
		l.p.tell()
	}
	c.fail(l.p.e.failure())
}

// wait pauses before the next attempt: between half of pause and all of it, so
// that many who lost one peer do not come back together. False ends the lane.
func (l *lane) wait(ctx context.Context, pause time.Duration) bool {
	e := l.p.e
	pause = pause/2 + time.Duration(e.cfg.Rand.Uint64N(uint64(pause/2)))
	select {
	case <-l.kicked: // of before
	default:
	}
	t := make(chan struct{})
	timer := e.cfg.Clock.AfterFunc(pause, func() { close(t) })
	defer timer.Stop()
	select {
	case <-t:
	case <-l.kicked:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}
