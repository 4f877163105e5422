package node

import (
	"fmt"
	"time"

	"github.com/ilion-db/ilion/internal/admin"
	"github.com/ilion-db/ilion/internal/mem"
	"github.com/ilion-db/ilion/schema"
)

// view is what the administration commands show of the cluster.
func (n *Node) view() *admin.View {
	t := n.cluster.Topology()
	v := &admin.View{ClusterName: n.opts.Config.ClusterName, Topology: t, Schema: n.cluster.Schema()}
	for range t.Nodes {
		v.Members = append(v.Members, admin.Member{Load: n.engine.Stats().FileBytes, Generation: int64(n.identity.BootCount), SchemaVersion: v.Schema.Version})
	}
	return v
}

// info is what they show of this node.
func (n *Node) info() *admin.Info {
	stats := n.engine.Stats()
	heap := n.budget.Share(mem.Heap)
	i := &admin.Info{
		HostID: schema.UUID(n.identity.HostID).String(), Version: n.opts.Version,
		GossipActive: true, NativeActive: n.ready() == nil,
		Load: stats.FileBytes, Generation: int64(n.identity.BootCount),
		UptimeSeconds: int64((n.opts.Clock.Mono() - n.started) / time.Second),
		HeapUsed:      goMemory(), HeapLimit: heap.Limit(),
		Datacenter: n.opts.Config.DC, Rack: n.opts.Config.Rack,
		CacheEntries: int64(stats.Cache.Blocks), CacheSize: stats.Cache.Bytes, CacheCapacity: stats.Cache.Limit,
		CacheHits: int64(stats.Cache.Hits), CacheRequests: int64(stats.Cache.Hits + stats.Cache.Misses),
		Epoch: n.meta.Epoch(),
	}
	for _, s := range n.budget.Shares() {
		if s != heap {
			i.OffHeap += n.memoryUsed(s)
		}
	}
	for _, t := range n.tokens {
		i.Tokens = append(i.Tokens, fmt.Sprint(int64(t)))
	}
	return i
}
