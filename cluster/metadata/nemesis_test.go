package metadata

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/rand"
)

// run is a random run of a cluster: nodes propose while links are cut and nodes
// crash.
type run struct {
	w     *world
	next  atomic.Int64
	mu    sync.Mutex // protects the following
	acked map[string]bool
	tried int
	done  bool
}

// proposer proposes keyspaces of its own on one node until the run is over.
func (r *run) proposer(n int) {
	d := r.w.nodes[n]
	for {
		r.mu.Lock()
		done := r.done
		r.mu.Unlock()
		if done {
			return
		}
		r.w.mu.Lock()
		l, life := d.log, d.life
		r.w.mu.Unlock()
		if l == nil {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		i := int(r.next.Add(1))
		ctx, cancel := within(20 * time.Second)
		epoch, err := l.Propose(ctx, keyspace(i))
		cancel()
		r.w.mu.Lock()
		same := d.log == l && d.life == life
		r.w.mu.Unlock()
		r.mu.Lock()
		r.tried++
		switch {
		case err == nil && same:
			r.acked[fmt.Sprintf("k%d", i)] = true
			if s := l.State(); s.Epoch < epoch || s.Schema.Keyspace(fmt.Sprintf("k%d", i)) == nil {
				r.w.t.Errorf("node %d: k%d was answered before it was in force", n, i)
			}
		case err != nil && same && !errors.Is(err, ErrUnknown) && !errors.Is(err, ErrNoLeader):
			r.w.t.Errorf("node %d: %v", n, err)
		}
		r.mu.Unlock()
		time.Sleep(time.Duration(1000+200*n) * time.Millisecond)
	}
}

// nemesis breaks one thing after the other.
func (r *run) nemesis(steps int, src *rand.Source) (crashes, cuts int) {
	w := r.w
	n := uint64(len(w.nodes))
	for range steps {
		time.Sleep(time.Duration(500+src.Uint64N(4000)) * time.Millisecond)
		switch src.Uint64N(5) {
		case 0: // a node from all others, in one direction or both
			one, both := int(src.Uint64N(n)), src.Uint64N(2) == 0
			w.mu.Lock()
			for i := range w.nodes {
				w.cut[[2]int{one, i}] = true
				w.cut[[2]int{i, one}] = both
			}
			w.mu.Unlock()
			cuts++
		case 1: // halves
			mask := src.Uint64()
			w.mu.Lock()
			for i := range w.nodes {
				for j := range w.nodes {
					w.cut[[2]int{i, j}] = mask>>i&1 != mask>>j&1
				}
			}
			w.mu.Unlock()
			cuts++
		case 2:
			w.mu.Lock()
			clear(w.cut)
			w.mu.Unlock()
		default:
			d := w.nodes[src.Uint64N(n)]
			d.crash()
			crashes++
			time.Sleep(time.Duration(src.Uint64N(3000)) * time.Millisecond)
			if err := d.start(); err != nil {
				w.t.Errorf("start of node %d: %v", d.n, err)
				return crashes, cuts
			}
		}
	}
	return crashes, cuts
}

// TestClusterNemesis crashes nodes and cuts links under proposals: no two nodes
// ever have different entries at one epoch, what was acknowledged is there in
// the end, and the end is the same on all.
func TestClusterNemesis(t *testing.T) {
	for _, n := range []int{1, 3, 5, 7} {
		seeds := uint64(2)
		if invariant.Enabled {
			seeds = 1 // the race detector is slow
		}
		for seed := range seeds {
			t.Run(fmt.Sprintf("%d nodes, seed %d", n, seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { nemesisRun(t, n, seed, 20) })
			})
		}
	}
}

func nemesisRun(t *testing.T, n int, seed uint64, steps int) {
	w := newWorld(t, n, seed)
	w.form()
	w.mu.Lock()
	w.loss = 5
	w.slow = 30 * time.Millisecond
	w.mu.Unlock()
	r := &run{w: w, acked: map[string]bool{}}
	var clients sync.WaitGroup
	for i := range n {
		clients.Go(func() { r.proposer(i) })
	}
	gossiping := make(chan struct{})
	clients.Go(func() {
		for {
			select {
			case <-gossiping:
				return
			case <-time.After(time.Second):
				w.gossip()
			}
		}
	})
	crashes, cuts := r.nemesis(steps, rand.NewSeeded(seed+100))
	w.mu.Lock()
	clear(w.cut)
	w.loss = 0
	w.mu.Unlock()
	time.Sleep(20 * time.Second)
	r.mu.Lock()
	before := len(r.acked)
	r.mu.Unlock()
	time.Sleep(20 * time.Second)
	r.mu.Lock()
	r.done = true
	if len(r.acked) == before {
		t.Error("nothing is decided after the network healed")
	}
	r.mu.Unlock()
	close(gossiping)
	clients.Wait()
	w.eventually("agreement", w.agree)
	for _, d := range w.nodes {
		for name := range r.acked {
			if d.log.Snapshot().Keyspace(name) == nil {
				t.Errorf("node %d has not %s, which was acknowledged", d.n, name)
			}
		}
	}
	t.Logf("%d proposals, %d acknowledged, %d crashes, %d cuts, %d entries", r.tried, len(r.acked), crashes, cuts, w.nodes[0].log.State().at.index)
	if len(r.acked) < r.tried/10 {
		t.Errorf("%d of %d proposals", len(r.acked), r.tried)
	}
	w.stop()
}
