package metadata

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
)

// world is a cluster in one process: a network that loses, delays and reorders
// what it carries, and disks that lose what was not synced. It runs inside a
// synctest bubble.
type world struct {
	t    *testing.T
	rand *rand.Source

	mu    sync.Mutex // protects the following
	nodes []*testNode
	cut   map[[2]int]bool
	loss  uint64 // percent of messages lost
	slow  time.Duration
	// seen is the chain hash of each epoch, as the first node that applied it
	// had it.
	seen map[uint64]chainHash
	sent map[string]int // by what
}

type testNode struct {
	w   *world
	n   int
	fs  *vfs.Mem
	log *Replicated // nil while it is down
	// life counts starts: what an earlier one is told no longer counts.
	life int
	wrap func(link) Network // of the next start, if not nil
}

func newWorld(t *testing.T, n int, seed uint64) *world {
	w := &world{t: t, rand: rand.NewSeeded(seed), cut: map[[2]int]bool{}, slow: 5 * time.Millisecond, seen: map[uint64]chainHash{}, sent: map[string]int{}}
	for i := range n {
		w.nodes = append(w.nodes, &testNode{w: w, n: i, fs: vfs.NewMem()})
	}
	return w
}

func (w *world) byHost(h [16]byte) *testNode { return w.nodes[int(h[0])-1] }

// carry is the node that a message reaches after its delay, nil if it is lost.
func (w *world) carry(from, to int, life int) *Replicated {
	w.mu.Lock()
	d := time.Duration(w.rand.Uint64N(uint64(w.slow) + 1))
	lost := w.rand.Uint64N(100) < w.loss
	w.mu.Unlock()
	time.Sleep(d)
	w.mu.Lock()
	defer w.mu.Unlock()
	if lost || w.cut[[2]int{from, to}] || w.nodes[from].log == nil || w.nodes[from].life != life {
		return nil
	}
	return w.nodes[to].log
}

// link is the Network of one life of a node.
type link struct {
	w        *world
	from     int
	life     int
	inFlight *sync.WaitGroup
}

func (n link) Send(to [16]byte, msg []byte) {
	n.count("raft")
	n.inFlight.Go(func() {
		if l := n.w.carry(n.from, n.w.byHost(to).n, n.life); l != nil {
			if err := l.Step(hostN(n.from), msg); err != nil {
				n.w.t.Errorf("step: %v", err)
			}
		}
	})
}

func (n link) count(what string) {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	n.w.sent[what]++
}

// call is a request and its answer, each of which may be lost.
func (n link) call(ctx context.Context, to [16]byte, f func(*Replicated) ([]byte, error)) ([]byte, error) {
	peer := n.w.byHost(to)
	l := n.w.carry(n.from, peer.n, n.life)
	if l == nil {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	n.w.mu.Lock()
	life := peer.life
	n.w.mu.Unlock()
	body, err := f(l)
	if back := n.w.carry(peer.n, n.from, life); back == nil {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return body, err
}

func (n link) Pull(ctx context.Context, from [16]byte, after uint64, hash [32]byte) ([]byte, error) {
	n.count("pull")
	return n.call(ctx, from, func(l *Replicated) ([]byte, error) { return l.ServePull(after, hash) })
}

func (n link) Propose(ctx context.Context, to [16]byte, proposal []byte) ([]byte, error) {
	n.count("propose")
	return n.call(ctx, to, func(l *Replicated) ([]byte, error) { return l.ServePropose(ctx, proposal) })
}

// start opens a node's directory: the first founds the cluster, the others
// join with what a node that is up tells.
func (d *testNode) start() error {
	o := testOptions(d.n)
	o.CompactAfter = 20
	m := memberN(d.n)
	o.Warn = func(msg string) { d.w.t.Logf("node %d: %s", d.n, msg) }
	d.w.mu.Lock()
	d.life++
	o.Rand = rand.NewSeeded(uint64(d.n)<<32 | uint64(d.life))
	life := d.life
	fs := d.fs
	d.w.mu.Unlock()
	if d.n == 0 {
		o.Found = &m
	}
	l, err := OpenReplicated(fs, dir, o)
	if errors.Is(err, ErrEmpty) {
		for _, peer := range d.w.up() {
			if o.Joined, err = peer.log.ServePull(0, [32]byte{}); err == nil {
				break
			}
		}
		l, err = OpenReplicated(fs, dir, o)
	}
	if err != nil {
		return err
	}
	d.w.note(l.State())
	l.Subscribe(func(s *State, _ Entry) { d.w.note(s) })
	d.w.mu.Lock()
	d.log = l
	d.w.mu.Unlock()
	var network Network = link{d.w, d.n, life, new(sync.WaitGroup)}
	if d.wrap != nil {
		network = d.wrap(network.(link))
	}
	l.Start(network)
	return nil
}

// note holds a state against what other nodes had at that epoch.
func (w *world) note(s *State) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if had, found := w.seen[s.Epoch]; found && had != s.at.hash {
		w.t.Errorf("two entries at epoch %x: %x and %x", s.Epoch, had[:4], s.at.hash[:4])
	}
	w.seen[s.Epoch] = s.at.hash
	if len(s.Voters)%2 == 0 && len(s.Members) > 0 {
		w.t.Errorf("%d nodes vote at epoch %x: half of them without the other can decide nothing", len(s.Voters), s.Epoch)
	}
}

// running is a node as it was when it was asked for.
type running struct {
	n   int
	log *Replicated
}

// up are the nodes that run.
func (w *world) up() (up []running) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range w.nodes {
		if d.log != nil {
			up = append(up, running{d.n, d.log})
		}
	}
	return up
}

// crash cuts a node's power: its disk keeps what was synced, and by chance some
// of the rest.
func (d *testNode) crash() {
	d.w.mu.Lock()
	l := d.log
	d.log = nil
	keep := int(d.w.rand.Uint64N(3)) * 50
	d.w.mu.Unlock()
	if l == nil {
		return
	}
	image := d.fs.CrashClone(vfs.CrashOptions{Keep: keep, Rand: d.w.rand})
	if err := l.Close(); err != nil {
		d.w.t.Errorf("close: %v", err)
	}
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	d.fs = image
}

// stop closes all nodes.
func (w *world) stop() {
	for _, d := range w.up() {
		w.mu.Lock()
		w.nodes[d.n].log = nil
		w.mu.Unlock()
		if err := d.log.Close(); err != nil {
			w.t.Errorf("close: %v", err)
		}
		if err := d.log.failure(); err != nil {
			w.t.Errorf("node %d: %v", d.n, err)
		}
	}
	time.Sleep(time.Minute) // what is in flight lands
}

// within gives a context of that virtual time.
func within(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}

// form starts all nodes, each as a member.
func (w *world) form() {
	w.t.Helper()
	for i, d := range w.nodes {
		if err := d.start(); err != nil {
			w.t.Fatal(err)
		}
		if i == 0 {
			continue
		}
		ctx, cancel := within(time.Minute)
		_, err := d.log.Register(ctx, memberN(i))
		cancel()
		if err != nil {
			w.report()
			w.t.Fatalf("join of %d: %v", i, err)
		}
	}
}

// eventually waits for a condition, in virtual time.
func (w *world) eventually(what string, f func() bool) {
	w.t.Helper()
	for range 6000 {
		if f() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	w.report()
	w.t.Fatalf("%s: not within 10 minutes", what)
}

func (w *world) report() {
	for _, d := range w.up() {
		s := d.log.State()
		w.t.Logf("node %d: epoch %x, term %d, voters %d, outgoing %d, leader %x", d.n, s.Epoch, s.term, len(s.Voters), len(s.outgoing), d.log.lastLeader())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.t.Logf("sent %v", w.sent)
}

// gossip tells every node what epochs the others are at.
func (w *world) gossip() {
	up := w.up()
	for _, a := range up {
		for _, b := range up {
			w.mu.Lock()
			cut := w.cut[[2]int{b.n, a.n}]
			w.mu.Unlock()
			if a.n != b.n && !cut {
				a.log.Hear(hostN(b.n), b.log.Epoch())
			}
		}
	}
}

// agree tells whether all nodes are up and have the same history.
func (w *world) agree() bool {
	w.gossip()
	up := w.up()
	for _, d := range up {
		if d.log.State().at != up[0].log.State().at {
			return false
		}
	}
	return len(up) == len(w.nodes)
}

func TestClusterForms(t *testing.T) {
	for _, n := range []int{1, 3, 5, 7} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, n, 1)
				w.form()
				voters := votersFor(n)
				w.eventually("voters", func() bool {
					w.gossip()
					s := w.nodes[0].log.State()
					return len(s.Voters) == voters && len(s.outgoing) == 0
				})
				for i, d := range w.nodes {
					ctx, cancel := within(time.Minute)
					if _, err := d.log.Propose(ctx, keyspace(i)); err != nil {
						t.Errorf("node %d: %v", i, err)
					}
					cancel()
					if d.log.Snapshot().Keyspace(fmt.Sprintf("k%d", i)) == nil {
						t.Errorf("node %d does not have what it proposed", i)
					}
				}
				w.eventually("agreement", w.agree)
				s := w.nodes[n-1].log.State()
				if has(t, w.nodes[n-1].log) != n || len(s.Members) != n || len(s.Placements) != n || len(s.Placements["k0"].Ranges) != 2*n {
					t.Errorf("%+v", s)
				}
				w.stop()
			})
		})
	}
}
