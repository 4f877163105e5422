package node

import (
	"fmt"
	"slices"
	"time"

	"github.com/ilion-db/ilion/cluster/gossip"
	"github.com/ilion-db/ilion/internal/admin"
	"github.com/ilion-db/ilion/internal/mem"
	"github.com/ilion-db/ilion/schema"
)

// view is what the administration commands show of the cluster.
func (n *Node) view() *admin.View {
	t, s := *n.cluster.Topology(), n.cluster.Schema()
	for again := n.cluster.Topology(); again.Epoch != t.Epoch; again = n.cluster.Topology() {
		t, s = *again, n.cluster.Schema() // an entry was put in force between the two
	}
	v := &admin.View{ClusterName: n.opts.Config.ClusterName, Topology: &t, Schema: s}
	self := gossip.Member{Host: n.identity.HostID, Boot: n.identity.BootCount, Up: true, Epoch: t.Epoch, Load: uint64(n.load())}
	heard := map[[16]byte]gossip.Member{self.Host: self}
	if n.network != nil {
		t.Nodes = slices.Clone(t.Nodes)
		for i := range t.Nodes {
			t.Nodes[i].Up = n.network.cluster.Live(&t.Nodes[i])
		}
		if g := n.network.gossip.Load(); g != nil {
			for _, m := range g.Members()[1:] {
				heard[m.Host] = m
			}
		}
	}
	for i := range t.Nodes {
		m, known := heard[t.Nodes[i].HostID]
		if !known {
			v.Members = append(v.Members, admin.Member{Load: -1})
			continue
		}
		shown := admin.Member{Load: int64(m.Load), Generation: int64(m.Boot)}
		if m.Epoch >= v.Schema.Epoch {
			shown.SchemaVersion = v.Schema.Version
		}
		v.Members = append(v.Members, shown)
	}
	return v
}

// load is the bytes of data that this node has, what is not in files yet included.
func (n *Node) load() int64 {
	s := n.engine.Stats()
	return s.FileBytes + s.MemtableBytes
}

// info is what they show of this node.
func (n *Node) info() *admin.Info {
	stats := n.engine.Stats()
	heap := n.budget.Share(mem.Heap)
	i := &admin.Info{
		HostID: schema.UUID(n.identity.HostID).String(), Version: n.opts.Version,
		GossipActive: true, NativeActive: n.ready() == nil,
		Load: n.load(), Generation: int64(n.identity.BootCount),
		UptimeSeconds: int64((n.opts.Clock.Mono() - n.started) / time.Second),
		HeapUsed:      goMemory(), HeapLimit: heap.Limit(),
		Datacenter: n.opts.Config.DC, Rack: n.opts.Config.Rack,
		CacheEntries: int64(stats.Cache.Blocks), CacheSize: stats.Cache.Bytes, CacheCapacity: stats.Cache.Limit,
		CacheHits: int64(stats.Cache.Hits), CacheRequests: int64(stats.Cache.Hits + stats.Cache.Misses),
		Epoch: n.meta.Epoch(), ClockOffsetUsec: n.clockOffset().Microseconds(),
	}
	for _, s := range n.budget.Shares() {
		if s != heap {
			i.OffHeap += n.memoryUsed(s)
		}
	}
	for _, t := range n.tokens() {
		i.Tokens = append(i.Tokens, fmt.Sprint(int64(t)))
	}
	return i
}

// clockOffset is by how much the clock of another node differs most.
func (n *Node) clockOffset() time.Duration {
	if n.network == nil {
		return 0
	}
	return n.network.skew.worst()
}
