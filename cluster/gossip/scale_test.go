package gossip

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestIdleRing logs what a ring of nine costs that has nothing to tell.
func TestIdleRing(t *testing.T) {
	form(t, 9, func(t *testing.T, r *ring) {
		time.Sleep(time.Minute)
		r.reset()
		const lasts = 10 * time.Minute
		time.Sleep(lasts)
		r.report(t, lasts)
		if !r.all(8)() {
			t.Error("somebody is dead")
		}
	})
}

// TestDeathsAtScale runs a ring for five minutes, in which deaths come one after
// the other, and measures until everybody knows.
func TestDeathsAtScale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t, scaleNodes, 1)
		r.startAll()
		defer r.close()
		t.Logf("%d nodes see each other after %v", scaleNodes, r.until("forming", r.all(scaleNodes-1)))
		time.Sleep(time.Minute)
		r.reset()
		const lasts = 5 * time.Minute
		var knowing, first time.Duration
		start := time.Now()
		for i := range scaleDeaths {
			dead := r.nodes[scaleNodes-1-i]
			died := time.Now()
			r.vanish(dead)
			heard := time.Duration(0)
			all := r.until("death", func() bool {
				know := 0
				for _, n := range r.nodes[:scaleNodes-1-i] {
					if !n.last(dead.host).Up {
						know++
					}
				}
				if know > 0 && heard == 0 {
					heard = time.Since(died)
				}
				return know == scaleNodes-1-i
			})
			first, knowing = max(first, heard), max(knowing, all)
			// While they are dead everybody is told something.
			r.nodes[i].SetEpoch(uint64(i + 1))
			if rest := time.Until(start.Add(lasts * time.Duration(i+1) / scaleDeaths)); rest > 0 {
				time.Sleep(rest)
			}
		}
		r.report(t, time.Since(start))
		t.Logf("%d deaths, each known to the first after %v at most, to all after %v", scaleDeaths, first, knowing)
	})
}

// vanish cuts the node off; it goes on by itself.
func (r *ring) vanish(n *node) {
	r.net.mu.Lock()
	defer r.net.mu.Unlock()
	if r.net.gone == nil {
		r.net.gone = map[string]bool{}
		r.net.cut = func(from, to string) bool { return r.net.gone[from] || r.net.gone[to] }
	}
	r.net.gone[n.port.address] = true
}

func (r *ring) reset() {
	r.net.mu.Lock()
	defer r.net.mu.Unlock()
	r.net.most = 0
	for _, n := range r.nodes {
		n.port.packets, n.port.bytes = 0, 0
	}
}

// report logs what was sent by nodes that are not gone.
func (r *ring) report(t *testing.T, in time.Duration) {
	r.net.mu.Lock()
	defer r.net.mu.Unlock()
	packets, bytes, nodes := 0, 0, 0
	for _, n := range r.nodes {
		if !r.net.gone[n.port.address] {
			packets, bytes, nodes = packets+n.port.packets, bytes+n.port.bytes, nodes+1
		}
	}
	per := float64(nodes) * in.Seconds()
	t.Logf("%d nodes for %v: %.0f bytes/s and %.1f packets/s sent by each, largest message %d bytes",
		nodes, in, float64(bytes)/per, float64(packets)/per, r.net.most)
}
