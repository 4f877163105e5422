package node

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cluster/hlc"
	"github.com/ilion-db/ilion/cluster/metadata"
	"github.com/ilion-db/ilion/cluster/single"
	"github.com/ilion-db/ilion/commitlog"
	"github.com/ilion-db/ilion/engine"
)

var _ cluster.Replica = (*engine.Engine)(nil)

var syncModes = map[string]commitlog.Mode{"batch": commitlog.Batch, "group": commitlog.Group, "periodic": commitlog.Periodic}

var accessModes = map[string]engine.AccessMode{"auto": engine.AccessAuto, "mmap": engine.AccessMmap, "direct": engine.AccessDirect}

// openEngine opens the store at the schema in force and puts the plug over it.
func (n *Node) openEngine(context.Context) error {
	c := &n.opts.Config
	var opened *metadata.State
	follows := n.meta.Snapshot()
	stores := make(chan error, 1) // opened beside the engine: each waits for the disk
	if n.network != nil {
		opened = n.network.log.State()
		follows = opened.Schema
		src := n.opts.Rand.Split()
		go func() { stores <- n.network.openStores(src) }()
	} else {
		stores <- nil
	}
	var err error
	if opened != nil {
		err = n.checkLevel("the cluster writes", opened.Level)
	}
	if err == nil {
		err = n.writeLevel(levelOf(opened))
	}
	if err != nil {
		return errors.Join(err, <-stores)
	}
	stamper := hlc.New(n.opts.Clock, n.identity.ClockMark)
	n.engine, err = engine.Open(engine.Options{
		FS: n.opts.FS, Dir: c.DataDir, Clock: n.opts.Clock, Rand: n.opts.Rand.Split(),
		Schema: follows, Budget: n.budget, Log: n.log,
		Sync: syncModes[c.CommitlogSync], SyncPeriod: c.CommitlogSyncPeriod,
		SegmentSize: int(c.CommitlogSegment), LogSize: c.CommitlogTotal, SetAside: c.SetAside,
		Access: accessModes[c.DiskAccessMode], HostID: n.identity.HostID, Level: n.level(),
		// Repair, which would tell when every replica has had a tombstone, is not there.
		ExplicitPurge: n.network != nil,
		KeepStamps:    func(replayed int64) error { return n.keepStamps(stamper, replayed) },
	})
	if err = errors.Join(err, <-stores); err != nil {
		return err
	}
	n.startStamper(stamper)
	if n.network != nil {
		return n.network.openCluster(opened)
	}
	one, err := single.New(single.Config{
		Replica: n.engine, Log: n.meta, Stamper: n.stamper,
		Node: cluster.Node{HostID: n.identity.HostID, Address: n.nativeAddress(), DC: c.DC, Rack: c.Rack, Tokens: n.tokens()},
	})
	n.cluster = one
	return err
}

// nativeAddress is where clients reach this node.
func (n *Node) nativeAddress() string {
	c := &n.opts.Config
	a := n.CQLAddr()
	if a == nil {
		return fmt.Sprintf("%s:%d", c.ListenAddress, c.NativePort)
	}
	at, err := netip.ParseAddrPort(a.String())
	if err == nil && at.Addr().IsUnspecified() {
		// Clients are told of an address that they can connect to.
		return net.JoinHostPort(c.Internode(), fmt.Sprint(at.Port()))
	}
	return a.String()
}

// pagingKey authenticates paging states. It is the same on every node of the
// cluster and after a restart. It is no secret: the cluster's id is told in every
// hello and made from its founder's host id, which clients are shown. See
// docs/decisions/0009-paging-state.md.
func (n *Node) pagingKey() []byte {
	sum := sha256.Sum256(append([]byte("ilion paging state v1\x00"), n.identity.ClusterID[:]...))
	return sum[:]
}
