package gossip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/rand"
)

// network is a network in memory with a delay, inside testing/synctest. Links
// can be cut, and what is sent is counted by its sender.
type network struct {
	mu    sync.Mutex
	ports map[string]*port // by address
	cut   func(from, to string) bool
	lose  func() bool
	src   *rand.Source
	most  int // longest packet or write to a stream

	gone   map[string]bool // addresses nobody hears or is heard at
	refuse bool            // a packet to nobody is an error instead of lost
}

func newNetwork(seed uint64) *network {
	return &network{ports: map[string]*port{}, src: rand.NewSeeded(seed)}
}

// port is one node's way to the network.
type port struct {
	n       *network
	address string
	g       *Gossip // nil while the node is down
	packets int
	bytes   int // of packets and streams
}

func (n *network) port(address string) *port {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.ports[address]
	if p == nil {
		p = &port{n: n, address: address}
		n.ports[address] = p
	}
	return p
}

func (n *network) delay() time.Duration {
	return 100*time.Microsecond + time.Duration(n.src.Uint64N(900_000))
}

// to is the node at the address, if it can be reached. The caller holds n.mu.
func (p *port) to(address string) *Gossip {
	to := p.n.ports[address]
	if to == nil || p.n.cut != nil && p.n.cut(p.address, address) {
		return nil
	}
	return to.g
}

func (p *port) count(bytes int) {
	p.bytes += bytes
	p.n.most = max(p.n.most, bytes)
}

func (p *port) SendPacket(address string, b []byte) error {
	p.n.mu.Lock()
	defer p.n.mu.Unlock()
	p.packets++
	p.count(len(b))
	g := p.to(address)
	if g == nil && p.n.refuse {
		return errors.New("refused")
	}
	if g == nil {
		return nil // lost
	}
	if p.n.lose != nil && p.n.lose() {
		return nil
	}
	b = append([]byte(nil), b...)
	time.AfterFunc(p.n.delay(), func() { g.Packet(b, p.address) })
	return nil
}

func (p *port) DialStream(ctx context.Context, address string) (net.Conn, error) {
	time.Sleep(p.n.delay())
	p.n.mu.Lock()
	g := p.to(address)
	p.n.mu.Unlock()
	if g == nil {
		<-ctx.Done()
		return nil, errors.New("nobody answers")
	}
	near, far := net.Pipe()
	g.Stream(countedConn{far, p.n.port(address), p.address})
	return countedConn{near, p, address}, nil
}

// countedConn counts what is written to it, and is as dead as its link.
type countedConn struct {
	net.Conn
	p      *port
	remote string
}

func (c countedConn) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(c.remote))
}

func (c countedConn) Write(b []byte) (int, error) {
	c.p.n.mu.Lock()
	c.p.count(len(b))
	g := c.p.to(c.remote)
	c.p.n.mu.Unlock()
	if g == nil {
		c.Close()
	}
	return c.Conn.Write(b)
}

// ring is some nodes on a network.
type ring struct {
	t     testing.TB
	net   *network
	nodes []*node
	keys  [][]byte
	log   *slog.Logger

	cluster [16]byte
}

type node struct {
	*Gossip
	port   *port
	host   [16]byte
	boot   uint64
	mu     sync.Mutex
	events []Event // the first thousand
	up     map[[16]byte]Member
	before func() // an event
}

func newRing(t testing.TB, n int, seed uint64) *ring {
	r := &ring{t: t, net: newNetwork(seed), log: slog.New(slog.DiscardHandler), cluster: clusterID}
	for i := range n {
		r.nodes = append(r.nodes, &node{
			host: [16]byte{15: byte(i), 14: byte(i >> 8)},
			port: r.net.port(fmt.Sprintf("10.0.%d.%d:7000", i>>8, i&255)),
		})
	}
	return r
}

var clusterID = [16]byte{0xc1}

func (r *ring) peers() []Peer {
	var peers []Peer
	for _, n := range r.nodes {
		peers = append(peers, Peer{n.host, n.port.address})
	}
	return peers
}

// begin starts the node alone.
func (r *ring) begin(n *node) *Gossip {
	r.t.Helper()
	n.up = map[[16]byte]Member{}
	g, err := Start(Options{
		Host: n.host, Boot: n.boot, ClusterID: r.cluster, Address: n.port.address, Keys: r.keys, Network: n.port,
		Peers: r.peers, Notify: n.hear, Clock: clock.Real, Rand: r.net.src.Split(), Log: r.log,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	n.Gossip = g
	r.net.mu.Lock()
	n.port.g = g
	r.net.mu.Unlock()
	return g
}

// start starts the node and lets it join the first one.
func (r *ring) start(i int) {
	r.t.Helper()
	n := r.nodes[i]
	n.boot++
	g := r.begin(n)
	if i > 0 {
		if _, err := g.Join([]string{r.nodes[0].port.address}); err != nil {
			r.t.Error(err)
		}
	}
}

func (r *ring) startAll() {
	for i := range r.nodes {
		r.start(i)
	}
}

// cut cuts the links for which f is true.
func (r *ring) cut(f func(from, to string) bool) {
	r.net.mu.Lock()
	defer r.net.mu.Unlock()
	r.net.cut = f
}

// stop ends the node without a word.
func (r *ring) stop(i int) {
	n := r.nodes[i]
	r.net.mu.Lock()
	n.port.g = nil
	r.net.mu.Unlock()
	n.Close()
	n.Gossip = nil
}

func (r *ring) close() {
	var wg sync.WaitGroup
	for i, n := range r.nodes {
		if n.Gossip != nil {
			wg.Go(func() { r.stop(i) })
		}
	}
	wg.Wait()
	time.Sleep(lastPings)
}

// lastPings is more than pings that were under way wait for their answers.
const lastPings = 10 * time.Second

// hear checks that the events of every member come in order.
func (n *node) hear(e Event) {
	if n.before != nil {
		n.before()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.events) < 1000 {
		n.events = append(n.events, e)
	}
	was := n.up[e.Member.Host]
	switch {
	case was.Up != (e.Kind != Up), e.Member.Up != (e.Kind != Down), was.Up && was.Boot != e.Member.Boot:
		panic(fmt.Sprintf("event %v %+v after %+v", e.Kind, e.Member, was))
	}
	n.up[e.Member.Host] = e.Member
}

// sees returns the members that the node takes for alive, in what it was told.
func (n *node) sees() (count int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, m := range n.up {
		if m.Up {
			count++
		}
	}
	return count
}

// told copies what the node was told.
func (n *node) told() []Event {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.events)
}

// last is what the node was told last of the host.
func (n *node) last(host [16]byte) Member {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.up[host]
}

// until waits in the time of the bubble until the condition holds, and returns
// for how long. Ten minutes without are a failure.
func (r *ring) until(what string, ok func() bool) time.Duration {
	r.t.Helper()
	const step = 50 * time.Millisecond
	for waited := time.Duration(0); ; waited += step {
		if ok() {
			return waited
		}
		if waited > 10*time.Minute {
			r.t.Fatalf("%s: not after %v", what, waited)
		}
		time.Sleep(step)
	}
}

// all tells whether each running node of the given ones sees want others.
func (r *ring) all(want int, nodes ...int) func() bool {
	return func() bool {
		for i, n := range r.nodes {
			if n.Gossip == nil || len(nodes) > 0 && !slices.Contains(nodes, i) {
				continue
			}
			if n.sees() != want {
				return false
			}
		}
		return true
	}
}

// form starts n nodes, waits until each sees all others, runs f and ends them,
// all in a bubble with a clock of its own.
func form(t *testing.T, n int, f func(t *testing.T, r *ring)) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t, n, uint64(n))
		r.startAll()
		defer r.close()
		t.Logf("%d nodes see each other after %v", n, r.until("forming", r.all(n-1)))
		f(t, r)
	})
}
