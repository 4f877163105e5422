package sim

import (
	"slices"
	"syscall"
	"time"
)

// Fault is something wrong with the network, in force until it is healed.
type Fault struct {
	Kind string
	n    *Network

	// hits tells which links it is about, nil for none; what it does to them:
	hits   func(from, to int) bool
	blocks bool
	extra  time.Duration
	rate   int64
	loss   int
	reset  int

	refuses int // the machine whose listeners refuse, plus one

	effects int64 // protected by Network.mu
}

// Heal takes the fault away.
func (f *Fault) Heal() { f.n.remove(f) }

// Effects is how many segments, dials and connections met it.
func (f *Fault) Effects() int64 {
	f.n.mu.Lock()
	defer f.n.mu.Unlock()
	return f.effects
}

// among returns a function that tells whether a link leads from one of a to
// one of b.
func among(a, b []int) func(from, to int) bool {
	return func(from, to int) bool { return slices.Contains(a, from) && slices.Contains(b, to) }
}

// Split blocks all links between two sets of machines. Connections stall, as
// packets are lost and sent again; nothing is reset.
func (n *Network) Split(a, b []int) *Fault {
	ab, ba := among(a, b), among(b, a)
	return n.add(&Fault{Kind: "split", blocks: true, hits: func(from, to int) bool { return ab(from, to) || ba(from, to) }})
}

// Shatter blocks all links between sets of machines, none of which is the
// majority if they are small enough.
func (n *Network) Shatter(parts ...[]int) *Fault {
	part := func(machine int) int {
		return slices.IndexFunc(parts, func(p []int) bool { return slices.Contains(p, machine) })
	}
	return n.add(&Fault{Kind: "shatter", blocks: true, hits: func(from, to int) bool {
		a, b := part(from), part(to)
		return a != b && a >= 0 && b >= 0
	}})
}

// Isolate blocks all links of one machine.
func (n *Network) Isolate(machine int) *Fault {
	return n.add(&Fault{Kind: "isolate", blocks: true, hits: func(from, to int) bool {
		return from != to && (from == machine || to == machine)
	}})
}

// OneWay blocks what is sent from one set to another, but not what comes back.
func (n *Network) OneWay(from, to []int) *Fault {
	return n.add(&Fault{Kind: "one-way", blocks: true, hits: among(from, to)})
}

// Slow adds to the latency of a machine's links, both ways, and limits their
// rate to bytes a second; 0 is no limit.
func (n *Network) Slow(machine int, extra time.Duration, rate int64) *Fault {
	return n.add(&Fault{Kind: "slow link", extra: extra, rate: rate, hits: func(from, to int) bool { return from == machine || to == machine }})
}

// Lossy loses a percentage of the segments of all links: they are sent again
// after a while, and what follows on the same connection waits for them.
func (n *Network) Lossy(percent int) *Fault {
	return n.add(&Fault{Kind: "loss", loss: percent, hits: func(from, to int) bool { return from != to }})
}

// Resetting ends connections, in the middle of what is being sent, with a
// chance in percent for each segment of any link.
func (n *Network) Resetting(percent int) *Fault {
	return n.add(&Fault{Kind: "reset", reset: percent, hits: func(from, to int) bool { return from != to }})
}

// Refuse has a machine's listeners refuse new connections.
func (n *Network) Refuse(machine int) *Fault {
	return n.add(&Fault{Kind: "refuse", refuses: machine + 1})
}

// HalfOpen cuts the connections that are open between two machines without
// telling either; new ones can be made. It heals nothing: the fault is over
// when it returns, and what it tells is how many connections it cut.
func (n *Network) HalfOpen(a, b int) (cut int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.conns {
		if x, y := c.own.machine, c.peer.machine; x == a && y == b || x == b && y == a {
			if !c.severed && !c.closed && c.err == nil {
				cut++
			}
			c.severed = true
		}
	}
	return cut
}

// Reset ends the connections between two machines at both sides.
func (n *Network) Reset(a, b int) (ended int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.conns {
		if x, y := c.own.machine, c.peer.machine; x == a && y == b || x == b && y == a {
			if !c.closed && c.err == nil {
				ended++
				c.fail(syscall.ECONNRESET)
			}
		}
	}
	return ended
}

// refuses tells whether a machine's listeners refuse. mu is held.
func (n *Network) refuses(machine int) bool {
	for _, f := range n.faults {
		if f.refuses == machine+1 {
			f.effects++
			return true
		}
	}
	return false
}

// reachable tells whether two machines are on and can talk both ways. mu is
// held.
func (n *Network) reachable(a, b int) bool {
	return n.power[a] && n.power[b] && !n.condition(a, b).blocked && !n.condition(b, a).blocked
}
