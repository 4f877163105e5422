//go:build long

package metadata

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/ring"
)

const (
	wideNodes  = 1000
	wideTokens = 4
	wideDeaths = 20
	wideLasts  = 5 * time.Minute
	// wideHears is with how many others a node exchanges epochs in a second,
	// about what gossip does.
	wideHears = 3
)

func wideHost(i int) (h [16]byte) {
	binary.BigEndian.PutUint64(h[:], uint64(i)+1)
	h[15] = 1
	return h
}

func wideIndex(h [16]byte) int { return int(binary.BigEndian.Uint64(h[:])) - 1 }

// wideNet carries what a thousand logs send, and counts it.
type wideNet struct {
	logs []*Replicated

	mu      sync.Mutex // protects what follows
	gone    map[int]bool
	bytes   int
	largest int
}

// carry counts a message and tells whether it arrives, after a moment.
func (n *wideNet) carry(from, to, size int) bool {
	n.mu.Lock()
	n.bytes, n.largest = n.bytes+size, max(n.largest, size)
	n.mu.Unlock()
	time.Sleep(time.Millisecond)
	n.mu.Lock()
	defer n.mu.Unlock()
	return !n.gone[from] && !n.gone[to]
}

func (n *wideNet) call(ctx context.Context, from int, host [16]byte, ask int, f func(*Replicated) ([]byte, error)) ([]byte, error) {
	to := wideIndex(host)
	if n.carry(from, to, ask) {
		if b, err := f(n.logs[to]); err != nil || n.carry(to, from, len(b)) {
			return b, err
		}
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

type wideLink struct {
	*wideNet
	from int
}

func (l wideLink) Send(to [16]byte, msg []byte) {
	go func() {
		if l.carry(l.from, wideIndex(to), len(msg)) {
			_ = l.logs[wideIndex(to)].Step(wideHost(l.from), msg)
		}
	}()
}

func (l wideLink) Pull(ctx context.Context, from [16]byte, after uint64, hash [32]byte) ([]byte, error) {
	return l.call(ctx, l.from, from, 40, func(r *Replicated) ([]byte, error) { return r.ServePull(after, hash) })
}

func (l wideLink) Propose(ctx context.Context, to [16]byte, p []byte) ([]byte, error) {
	return l.call(ctx, l.from, to, len(p), func(r *Replicated) ([]byte, error) { return r.ServePropose(ctx, p) })
}

// wideState is what a cluster of a thousand has agreed on.
func wideState() *State {
	s := newState(1)
	for i := range wideNodes {
		m := Member{HostID: wideHost(i), DC: "dc1", Rack: fmt.Sprint("r", i%3), Address: fmt.Sprintf("10.0.%d.%d:7000", i/250, i%250), NativeAddress: fmt.Sprintf("10.0.%d.%d:9042", i/250, i%250)}
		for j := range wideTokens {
			m.Tokens = append(m.Tokens, ring.Token(uint64(j*wideNodes+i)*((1<<64-1)/(wideNodes*wideTokens))))
		}
		s.Members = append(s.Members, m)
	}
	for i := range maxVoters {
		s.Voters = append(s.Voters, wideHost(i))
	}
	s.at, s.term = position{index: 1, hash: chainHash{1}}, 1
	s.seal()
	return s
}

// TestThousandNodes has learners die and the leader be lost, while the cluster
// goes on to agree, and measures what that costs and until when all know.
func TestThousandNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		joined := appendSnapshot([]byte{byte(pullSnapshot)}, wideState())
		n := &wideNet{gone: map[int]bool{}}
		for i := range wideNodes {
			o := testOptions(0)
			o.HostID, o.Joined, o.Rand = wideHost(i), joined, rand.NewSeeded(uint64(i))
			l, err := OpenReplicated(vfs.NewMem(), dir, o)
			if err != nil {
				t.Fatal(err)
			}
			n.logs = append(n.logs, l)
		}
		for i, l := range n.logs {
			l.Start(wideLink{n, i})
		}
		done, src := make(chan struct{}), rand.NewSeeded(9)
		gossip := make(chan struct{})
		go func() {
			defer close(gossip)
			for tick := time.NewTicker(time.Second); ; {
				select {
				case <-tick.C:
				case <-done:
					tick.Stop()
					return
				}
				for i, l := range n.logs {
					for range wideHears {
						if j := int(src.Uint64N(wideNodes)); n.lives(i) && n.lives(j) {
							n.logs[j].Hear(wideHost(i), l.Epoch())
						}
					}
				}
			}
		}()
		began, slowest := time.Now(), time.Duration(0)
		for i := range wideDeaths {
			n.kill(wideNodes - 1 - i)
			if i == wideDeaths/2 {
				n.kill(wideIndex(n.logs[100].lastLeader()))
			}
			changed := time.Now()
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
			var err error
			if i == 0 {
				_, err = n.logs[100].Propose(ctx, keyspace(1))
			} else {
				m := wideState().Members[100+i]
				m.Address = fmt.Sprintf("10.9.0.%d:7000", i)
				_, err = n.logs[100+i].Register(ctx, m)
			}
			cancel()
			if err != nil {
				t.Errorf("change %d: %v", i, err)
				break
			}
			epoch := n.logs[100+i].Epoch()
			for !n.all(epoch) && time.Since(changed) < 10*time.Minute {
				time.Sleep(50 * time.Millisecond)
			}
			slowest = max(slowest, time.Since(changed))
			time.Sleep(time.Until(began.Add(wideLasts * time.Duration(i+1) / wideDeaths)))
		}
		took := time.Since(began)
		t.Logf("%d nodes, %d deaths and the leader's, for %v: %.0f bytes/s of each, largest message %d bytes, a change is known to all after %v at most",
			wideNodes, wideDeaths, took, float64(n.bytes)/took.Seconds()/wideNodes, n.largest, slowest)
		if slowest > time.Minute {
			t.Errorf("a change was known to all after %v", slowest)
		}
		close(done)
		<-gossip
		for i, l := range n.logs {
			if err := l.Close(); err != nil {
				t.Errorf("node %d: %v", i, err)
			}
		}
		time.Sleep(time.Minute)
	})
}

func (n *wideNet) lives(i int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return !n.gone[i]
}

func (n *wideNet) kill(i int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.gone[i] = true
}

// all tells whether every node that lives is at the epoch.
func (n *wideNet) all(epoch uint64) bool {
	for i, l := range n.logs {
		if n.lives(i) && l.Epoch() < epoch {
			return false
		}
	}
	return true
}
