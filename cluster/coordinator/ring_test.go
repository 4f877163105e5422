package coordinator

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cluster/clustertest"
	"github.com/ilion-db/ilion/cluster/hlc"
	"github.com/ilion-db/ilion/cluster/metadata"
	"github.com/ilion-db/ilion/cluster/replicaread"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/transport"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// whole is a ring of nodes that reach each other over a network in memory.
type whole struct {
	all   *agreed
	nodes []*wholeNode
}

type wholeNode struct {
	*Cluster
	store    *clustertest.Store
	log      *metalog
	hints    *keeping
	batches  *batches
	reader   *replicaread.Reader
	endpoint *rpc.Endpoint
}

// newWhole makes a ring of members that lives as long as the test.
func newWhole(t *testing.T, members ...metadata.Member) *whole {
	t.Helper()
	net := &transport.Mem{}
	w := &whole{all: newAgreed(members...)}
	for i := range members {
		w.nodes = append(w.nodes, w.open(t, net, i))
	}
	for _, n := range w.nodes {
		for _, m := range members {
			if m.HostID != n.cfg.HostID {
				n.endpoint.SetAddress(m.HostID, m.Address)
				n.SetAlive(m.HostID, true)
			}
		}
	}
	return w
}

func (w *whole) open(t *testing.T, net *transport.Mem, i int) *wholeNode {
	t.Helper()
	m := w.all.state.Members[i]
	n := &wholeNode{store: &clustertest.Store{}, log: w.all.log(), hints: &keeping{}, batches: &batches{}}
	source := rand.NewSeeded(uint64(i))
	serve := func(r *rpc.Request) { n.Serve(r) }
	var err error
	n.endpoint, err = rpc.New(rpc.Config{
		Clock: clock.Real, Transport: net, Rand: source.Split(), Log: slog.New(slog.DiscardHandler),
		Hello: func(wire.Purpose) wire.Hello {
			return wire.Hello{ClusterID: [16]byte{9}, ClusterName: "test", HostID: m.HostID, DiskID: m.HostID, Lowest: 1, Highest: 1}
		},
		Handlers: map[wire.Op]rpc.Handler{
			wire.OpApply: serve, wire.OpForward: serve, wire.OpHint: serve, wire.OpBatchStore: serve, wire.OpBatchDone: serve, wire.OpApplied: serve,
			wire.OpRead: func(r *rpc.Request) { n.reader.Serve(r) },
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	n.reader, err = replicaread.New(replicaread.Config{
		Topology: func() *cluster.Topology { return n.Topology() },
		Schema:   func() *schema.Snapshot { return n.Schema() },
		Live:     func(node *cluster.Node) bool { return n.Live(node) },
		Send: func(host schema.UUID, m *rpc.Message, r rpc.Receiver) error {
			return n.endpoint.Peer(host).Send(m, r)
		},
		Replica: n.store,
		Repair:  func(_ schema.UUID, _ mutation.Record, _ int64, done mutation.Completer) { done.Complete(nil) },
		Apply: func(ctx context.Context, r mutation.Record, done mutation.Completer) error {
			return n.Cluster.Repair(ctx, r, done)
		},
		CatchUp: func(ctx context.Context, epoch uint64) error { return n.inForce(ctx, epoch) },
		Fence:   func(schema.TableID, ring.Token, ring.Token, uint64) *wire.Error { return nil },
		Clock:   clock.Real, Rand: source.Split(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	n.Cluster, err = New(Config{
		HostID: m.HostID, Replica: n.store, Metadata: n.log, Clock: clock.Real, Stamps: hlc.New(clock.Real, 0),
		Peer:   func(host [16]byte) Peer { return n.endpoint.Peer(host) },
		Reader: n.reader, Hints: n.hints, Batchlog: n.batches, Rand: source.Split(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	n.log.f = n.Follow
	l, err := net.Listen(m.Address)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- n.endpoint.Serve(l) }()
	t.Cleanup(func() {
		if err := n.endpoint.Close(); err != nil {
			t.Error(err)
		}
		<-served
		n.reader.Close()
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func threeMembers() []metadata.Member {
	return []metadata.Member{memberAt(0, "dc1", "r1"), memberAt(1, "dc1", "r2"), memberAt(2, "dc1", "r3")}
}

func TestConformanceOfThreeNodes(t *testing.T) {
	clustertest.Cluster(t, func(t *testing.T) cluster.Cluster { return newWhole(t, threeMembers()...).nodes[0] })
}

func TestWritesReachAllReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWhole(t, threeMembers()...)
		table := w.create(t, simple("3"))
		for i, level := range []ring.ConsistencyLevel{ring.One, ring.Quorum, ring.All, ring.LocalQuorum, ring.EachQuorum} {
			r := clustertest.Row(table, keyAt(ring.Token(i)<<58), nil, 1, "v")
			if err := w.nodes[i%3].writeOf(level, r); err != nil {
				t.Fatalf("%v: %v", level, err)
			}
		}
		w.settle(t)
		for i, n := range w.nodes {
			if got := n.store.Applied(); got != 5 {
				t.Errorf("node %d has %d records", i, got)
			}
			if n.InFlight() != 0 || len(n.hints.kept) != 0 {
				t.Errorf("node %d: %d bytes in flight, %d hints", i, n.InFlight(), len(n.hints.kept))
			}
		}
	})
}

// create makes the table of a keyspace.
func (w *whole) create(t *testing.T, replication map[string]string) schema.TableID {
	t.Helper()
	for _, c := range []schema.Change{
		{Kind: schema.CreateKeyspace, Keyspace: &schema.Keyspace{Name: clustertest.Keyspace, DurableWrites: true, Replication: replication}},
		{Kind: schema.CreateTable, Table: clustertest.Table("t", 1)},
	} {
		if _, err := w.nodes[0].Propose(context.Background(), c, nil); err != nil {
			t.Fatal(err)
		}
	}
	return w.nodes[0].Schema().Table(clustertest.Keyspace, "t").ID
}

// writeOf writes and waits for the outcome.
func (n *wholeNode) writeOf(level ring.ConsistencyLevel, records ...mutation.Record) error {
	o := newOutcome()
	if err := n.Write(context.Background(), &cluster.Write{Records: records, Atomic: len(records) > 1, Consistency: level, Done: o}); err != nil {
		return err
	}
	return <-o.ch
}

// settle waits, in the bubble, until nothing is in flight any more.
func (w *whole) settle(t *testing.T) {
	t.Helper()
	for range 1000 {
		busy := int64(0)
		for _, n := range w.nodes {
			busy += n.InFlight()
		}
		if busy == 0 {
			return
		}
		<-clock.Real.After(clockStep)
	}
	t.Error("something is still in flight")
}
