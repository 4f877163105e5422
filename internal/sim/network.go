package sim

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
)

// Network joins machines by links that a Nemesis breaks. What is sent arrives
// in order or not at all, as with TCP: what a link loses is a delay, a stall or
// the end of a connection.
//
// Thread safety: mu protects everything in the network, its stacks and its
// connections; it is held for no wait.
type Network struct {
	clock clock.Clock
	seed  uint64

	mu     sync.Mutex
	stacks map[int]*Stack // by machine, the one of its last boot
	power  map[int]bool   // of machines: what is on answers, if only with a reset
	conns  []*conn        // that have not ended at both sides
	faults []*Fault       // in force
	port   uint16         // last one given
	dialed uint64         // connections so far, which seeds each one's choices
	links  map[[2]int]*pace
	missed map[int]int64 // dials to machines that were down
	counts NetworkCounts
}

// NetworkCounts are totals since the start.
type NetworkCounts struct {
	Connections uint64 // that were made
	Segments    uint64 // sent
	Bytes       uint64 // sent
	Resets      uint64 // connections that ended by one
	Refused     uint64 // dials that found no listener
}

// pace is when a link of limited rate has sent what it was given.
type pace struct{ free time.Time }

const (
	// latency and jitter are those of a link that nothing slows: odd, so that
	// no two events share a nanosecond.
	latency = 100_003 * time.Nanosecond
	jitter  = 200_009 * time.Nanosecond
	// retransmit is what the loss of a segment costs.
	retransmit = 200_017 * time.Microsecond
	// redial is how often a connection that finds nobody is tried again.
	redial = 1_000_081 * time.Microsecond
	// window bounds what a connection holds on its way.
	window = 256 << 10
	// segmentSize is how many bytes travel together.
	segmentSize = 16 << 10
	// backlog is how many connections may wait to be accepted.
	backlog = 128
	// firstPort is the first that is given when any will do.
	firstPort = 32768
)

// newNetwork returns a network without machines.
func newNetwork(c clock.Clock, seed uint64) *Network {
	return &Network{clock: c, seed: seed, stacks: map[int]*Stack{}, power: map[int]bool{}, links: map[[2]int]*pace{}, missed: map[int]int64{}, port: firstPort}
}

// Counts returns the totals.
func (n *Network) Counts() NetworkCounts {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.counts
}

// addressOf is the address of a machine: 127.1.0.0 and its number plus one, so
// that a node does not mind to be there without passwords.
func addressOf(machine int) netip.Addr {
	at := machine + 1
	return netip.AddrFrom4([4]byte{127, 1, byte(at >> 8), byte(at)})
}

// machineOf is its inverse.
func machineOf(a netip.Addr) (int, bool) {
	b := a.Unmap()
	if !b.Is4() {
		return 0, false
	}
	v := b.As4()
	return int(v[2])<<8 + int(v[3]) - 1, v[0] == 127 && v[1] == 1
}

// boot gives a machine a new network stack; c is the clock that its deadlines
// are given by.
func (n *Network) boot(machine int, c clock.Clock) *Stack {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := &Stack{n: n, machine: machine, clock: c, up: true, listeners: map[uint16]*listener{}}
	n.stacks[machine], n.power[machine] = s, true
	return s
}

// nextPort gives one that was not given before, for a long while. mu is held.
func (n *Network) nextPort() uint16 {
	if n.port++; n.port < firstPort {
		n.port = firstPort
	}
	return n.port
}

// condition is what the faults in force make of a link. mu is held.
type condition struct {
	blocked bool
	extra   time.Duration
	rate    int64 // bytes a second, 0: no limit
	loss    int   // percent of segments
	reset   int   // percent of segments that end their connection
}

func (n *Network) condition(from, to int) (c condition) {
	for _, f := range n.faults {
		if f.hits == nil || !f.hits(from, to) {
			continue
		}
		c.blocked = c.blocked || f.blocks
		c.extra += f.extra
		if f.rate > 0 && (c.rate == 0 || f.rate < c.rate) {
			c.rate = f.rate
		}
		c.loss = max(c.loss, f.loss)
		c.reset = max(c.reset, f.reset)
	}
	return c
}

// met counts that something on a link met the faults that are about it. mu is
// held.
func (n *Network) met(from, to int) {
	for _, f := range n.faults {
		if f.hits != nil && f.hits(from, to) {
			f.effects++
		}
	}
}

// blocked tells whether nothing gets from one machine to another, and counts
// the effect. mu is held.
func (n *Network) blocked(from, to int) bool {
	c := n.condition(from, to)
	if c.blocked {
		n.met(from, to)
	}
	return c.blocked
}

// arrival is when bytes that are sent now arrive, if nothing blocks them. mu is
// held.
func (n *Network) arrival(from, to, bytes int, r *rand.Rand) (at time.Time, reset bool) {
	c := n.condition(from, to)
	now := n.clock.Now()
	at = now.Add(latency + time.Duration(r.Int64N(int64(jitter))) + c.extra)
	affected := c.extra > 0 || c.blocked
	if c.rate > 0 {
		p := n.links[[2]int{from, to}]
		if p == nil {
			p = &pace{}
			n.links[[2]int{from, to}] = p
		}
		if p.free.Before(now) {
			p.free = now
		}
		p.free = p.free.Add(time.Duration(float64(bytes) / float64(c.rate) * float64(time.Second)))
		at = at.Add(p.free.Sub(now))
		affected = true
	}
	for lost := time.Duration(retransmit); c.loss > 0 && r.IntN(100) < c.loss; lost = min(2*lost, 8*retransmit) {
		at = at.Add(lost)
		affected = true
	}
	reset = c.reset > 0 && r.IntN(100) < c.reset
	if affected || reset {
		n.met(from, to)
	}
	return at, reset
}

// add puts a fault in force.
func (n *Network) add(f *Fault) *Fault {
	n.mu.Lock()
	defer n.mu.Unlock()
	f.n = n
	n.faults = append(n.faults, f)
	now := n.clock.Now()
	for _, c := range n.conns {
		if f.blocks && f.hits(c.peer.machine, c.own.machine) {
			f.effects += c.hold(now)
		}
	}
	n.wakeAll()
	return f
}

// remove takes a fault out of force: what it held sets out again.
func (n *Network) remove(f *Fault) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !slices.Contains(n.faults, f) {
		return
	}
	n.faults = slices.DeleteFunc(n.faults, func(g *Fault) bool { return g == f })
	for _, c := range n.conns {
		if f.blocks && f.hits(c.peer.machine, c.own.machine) && !n.condition(c.peer.machine, c.own.machine).blocked {
			c.resume(n.clock.Now())
		}
	}
	n.wakeAll()
}

// down tells whether nobody would answer on a machine, and counts that somebody
// asked. mu is held.
func (n *Network) down(machine int) bool {
	if n.power[machine] {
		return false
	}
	n.missed[machine]++
	return true
}

func (n *Network) missedBy(machine int) int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.missed[machine]
}

// wakeAll has every connection look again. mu is held.
func (n *Network) wakeAll() {
	for _, c := range n.conns {
		c.wake()
	}
}

// forget drops connections that have ended at both sides. mu is held.
func (n *Network) forget() {
	n.conns = slices.DeleteFunc(n.conns, func(c *conn) bool { return (c.closed || c.gone) && (c.far.closed || c.far.gone) })
}

// random returns the sequence of choices of one end of a connection.
func (n *Network) random(connection uint64, end uint64) *rand.Rand {
	return rand.New(rand.NewPCG(n.seed, connection<<1|end))
}

func (n *Network) String() string {
	c := n.Counts()
	return fmt.Sprintf("%d connections, %d segments, %d bytes, %d resets, %d refused", c.Connections, c.Segments, c.Bytes, c.Resets, c.Refused)
}
