package node

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cluster/batchlog"
	"github.com/ilion-db/ilion/cluster/coordinator"
	"github.com/ilion-db/ilion/cluster/gossip"
	"github.com/ilion-db/ilion/cluster/hints"
	"github.com/ilion-db/ilion/cluster/metadata"
	"github.com/ilion-db/ilion/cluster/replicaread"
	"github.com/ilion-db/ilion/internal/mem"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/wire/rpc"
)

// openStores opens what this node keeps for others, whose randomness is src.
func (n *network) openStores(src *rand.Source) (err error) {
	c := &n.opts.Config
	n.hints, err = hints.Open(hints.Options{
		FS: n.opts.FS, Dir: c.DataDir + "/hints", Clock: n.opts.Clock, Rand: src,
		MaxAge: c.HintWindow, MaxBytes: c.HintSpace, Log: n.Node.log,
	})
	if err != nil {
		return fmt.Errorf("hints: %w", err)
	}
	n.batches, err = batchlog.Open(batchlog.Options{
		FS: n.opts.FS, Dir: c.DataDir + "/batchlog", Clock: n.opts.Clock, WriteTimeout: c.WriteTimeout, Log: n.Node.log,
	})
	if err != nil {
		return fmt.Errorf("batchlog: %w", err)
	}
	return nil
}

// openCluster puts the ring's plug over the store.
func (n *network) openCluster(opened *metadata.State) (err error) {
	c := &n.opts.Config
	log := &pinnedLog{Replicated: n.log}
	log.state.Store(opened)
	n.reader, err = replicaread.New(replicaread.Config{
		Topology: func() *cluster.Topology { return n.cluster.Topology() },
		Schema:   func() *schema.Snapshot { return n.cluster.Schema() },
		Live:     func(node *cluster.Node) bool { return n.cluster.Live(node) },
		Send: func(host schema.UUID, m *rpc.Message, r rpc.Receiver) error {
			return n.endpoint.Peer(host).Send(m, r)
		},
		Replica: n.engine, Repair: n.repair, CatchUp: n.log.Wait, Fence: n.fence,
		Apply: func(ctx context.Context, r mutation.Record, done mutation.Completer) error {
			return n.cluster.Repair(ctx, r, done)
		},
		Clock: n.opts.Clock, Rand: n.opts.Rand.Split(), Code: wireCode, Timeout: c.ReadTimeout, RangeTimeout: c.RangeTimeout,
		Waiting: n.workers() / 4,
		Log:     n.Node.log, Metrics: n.metrics,
	})
	if err != nil {
		return err
	}
	n.cluster, err = coordinator.New(coordinator.Config{
		HostID: n.identity.HostID, Replica: n.engine, Metadata: log, Clock: n.opts.Clock, Stamps: n.stamper,
		Peer:   func(host [16]byte) coordinator.Peer { return n.endpoint.Peer(host) },
		Reader: n.reader, Hints: n.hints, Batchlog: n.batches, Rand: n.opts.Rand.Split(), Code: wireCode, Log: n.Node.log,
		WriteTimeout: c.WriteTimeout, MaxBytes: n.budget.Share(mem.InFlight).Limit() / 4,
	})
	if err != nil {
		return err
	}
	log.state.Store(nil)
	n.Node.cluster = n.cluster
	return nil
}

// pinnedLog shows the state that the store was opened at until the plug has
// taken it over.
type pinnedLog struct {
	*metadata.Replicated
	state atomic.Pointer[metadata.State]
}

// State is what the store follows, or what is in force.
func (l *pinnedLog) State() *metadata.State {
	if s := l.state.Load(); s != nil {
		return s
	}
	return l.Replicated.State()
}

// serveRing begins to take part: the metadata log is followed from here on, and
// others hear that this node is alive. Clients are served already.
func (n *network) serveRing(ctx context.Context) (err error) {
	n.know(n.log.State())
	g, err := gossip.Start(gossip.Options{
		Host: n.identity.HostID, Boot: n.identity.BootCount, ClusterID: n.identity.ClusterID, Address: n.address,
		Keys: n.keys(), Network: n.endpoint, Peers: n.others, Notify: n.gossiped,
		Clock: n.opts.Clock, Rand: n.opts.Rand.Split(), Log: n.Node.log,
	})
	if err != nil {
		return err
	}
	n.gossip.Store(g)
	n.up.Store(true)
	if !n.logStarted {
		n.startLog()
	}
	n.log.Subscribe(n.follow)
	n.follow(n.log.State(), metadata.Entry{Kind: metadata.EntrySnapshot})
	n.hints.Deliver(n)
	n.batches.Replay(n)
	g.SetLoad(uint64(n.load()))
	n.meet(ctx, g)
	n.running.Go(n.keepRegistered)
	n.running.Go(n.keepLevel)
	return nil
}

func (n *network) keys() [][]byte {
	if len(n.key) == 0 {
		return nil
	}
	return [][]byte{n.key}
}

// others are the other members.
func (n *network) others() (all []gossip.Peer) {
	for _, m := range n.log.State().Members {
		if m.HostID != n.identity.HostID {
			all = append(all, gossip.Peer{Host: m.HostID, Address: m.Address})
		}
	}
	return all
}

// meetMost is with how many members a node that starts exchanges who is alive,
// and meetTime how long it waits for them before it serves.
const (
	meetMost = 8
	meetTime = time.Second
)

// meet exchanges with some members what is known of who is alive. With those
// that do not answer gossip tries again by itself.
func (n *network) meet(ctx context.Context, g *gossip.Gossip) {
	others := n.others()
	for i := range others {
		j := i + int(n.opts.Rand.Uint64N(uint64(len(others)-i)))
		others[i], others[j] = others[j], others[i]
	}
	var all sync.WaitGroup
	for _, p := range others[:min(len(others), meetMost)] {
		all.Add(1)
		n.running.Go(func() {
			defer all.Done()
			if _, err := g.Join([]string{p.Address}); err != nil {
				n.Node.log.Debug("a member does not answer", "address", p.Address, "error", err)
			}
		})
	}
	met := make(chan struct{})
	n.running.Go(func() {
		all.Wait()
		close(met)
	})
	select {
	case <-met:
	case <-ctx.Done():
	case <-n.opts.Clock.After(meetTime):
	}
	// Who is alive is known before the first request comes.
	for _, m := range g.Found() {
		n.found(m)
	}
}
