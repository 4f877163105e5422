package node

import (
	"crypto/sha256"
	"fmt"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cluster/single"
	"github.com/ilion-db/ilion/commitlog"
	"github.com/ilion-db/ilion/engine"
)

var _ cluster.Replica = (*engine.Engine)(nil)

var syncModes = map[string]commitlog.Mode{"batch": commitlog.Batch, "group": commitlog.Group, "periodic": commitlog.Periodic}

var accessModes = map[string]engine.AccessMode{"auto": engine.AccessAuto, "mmap": engine.AccessMmap, "direct": engine.AccessDirect}

// openEngine opens the store at the schema in force and puts the plug over it.
func (n *Node) openEngine() error {
	c := &n.opts.Config
	var err error
	n.engine, err = engine.Open(engine.Options{
		FS: n.opts.FS, Dir: c.DataDir, Clock: n.opts.Clock, Rand: n.opts.Rand.Split(),
		Schema: n.meta.Snapshot(), Budget: n.budget, Log: n.log,
		Sync: syncModes[c.CommitlogSync], SyncPeriod: c.CommitlogSyncPeriod,
		SegmentSize: int(c.CommitlogSegment), LogSize: c.CommitlogTotal, SetAside: c.SetAside,
		Access: accessModes[c.DiskAccessMode], HostID: n.identity.HostID,
	})
	if err != nil {
		return err
	}
	n.startStamper()
	n.cluster, err = single.New(single.Config{
		Replica: n.engine, Log: n.meta, Stamper: n.stamper,
		Node: cluster.Node{HostID: n.identity.HostID, Address: n.address(), DC: c.DC, Rack: c.Rack, Tokens: n.tokens},
	})
	return err
}

// address is where clients reach this node.
func (n *Node) address() string {
	if a := n.CQLAddr(); a != nil {
		return a.String()
	}
	return fmt.Sprintf("%s:%d", n.opts.Config.ListenAddress, n.opts.Config.NativePort)
}

// pagingKey authenticates paging states. It is the same on every node of the
// cluster and after a restart, and nobody outside learns the cluster's id.
func (n *Node) pagingKey() []byte {
	sum := sha256.Sum256(append([]byte("ilion paging state v1\x00"), n.identity.ClusterID[:]...))
	return sum[:]
}
