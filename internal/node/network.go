package node

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"github.com/ilion-db/ilion/cluster/batchlog"
	"github.com/ilion-db/ilion/cluster/coordinator"
	"github.com/ilion-db/ilion/cluster/gossip"
	"github.com/ilion-db/ilion/cluster/hints"
	"github.com/ilion-db/ilion/cluster/metadata"
	"github.com/ilion-db/ilion/cluster/peers"
	"github.com/ilion-db/ilion/cluster/replicaread"
	"github.com/ilion-db/ilion/internal/level"
	"github.com/ilion-db/ilion/internal/wireserver"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// network is this node's part in the ring: everything that a node has which
// others can reach, beyond its store.
type network struct {
	*Node
	listener net.Listener
	address  string // where other nodes reach this one, "ip:port"
	key      []byte // of the cluster, empty for none

	endpoint *rpc.Endpoint
	log      *metadata.Replicated
	book     *peers.Book
	hints    *hints.Store
	batches  *batchlog.Log
	reader   *replicaread.Reader
	cluster  *coordinator.Cluster
	gossip   atomic.Pointer[gossip.Gossip]
	clients  *wireserver.Server
	// clientHandlers are those of clients, once they can be served.
	clientHandlers atomic.Pointer[map[wire.Op]rpc.Handler]

	// self is what hellos say of this node.
	self atomic.Pointer[metadata.Identity]
	// up is set once requests of other nodes can be served, with all that they
	// need; logged once the metadata log can be asked.
	up, logged atomic.Bool
	warned     atomic.Bool // that another cluster looks for this node
	skew       skews
	control    *queue
	events     events
	logStarted bool
	nextTold   int            // position among the members, of keepIdentity
	running    sync.WaitGroup // goroutines that Node.closing ends
}

// openNetwork listens for other nodes. A port in use changes nothing on disk.
func (n *Node) openNetwork() error {
	if n.opts.Embedded {
		return nil
	}
	c := &n.opts.Config
	net := &network{Node: n, control: newQueue()}
	net.events.turn = make(chan struct{}, 1)
	net.events.turn <- struct{}{}
	n.network = net
	var err error
	if net.key, err = readKey(n.opts.FS, c.ClusterKeyFile); err != nil {
		return err
	}
	if net.listener, err = n.listenOn(c.Internode(), c.InternodePort, "internode-port"); err != nil {
		return err
	}
	net.address = net.listener.Addr().String()
	return nil
}

// openEndpoint starts to answer other nodes, by what is there already.
func (n *network) openEndpoint() (err error) {
	if n.book, err = peers.Open(n.opts.FS, n.opts.Config.DataDir+"/peers"); err != nil {
		return err
	}
	control := func(serve func(*rpc.Request)) rpc.Handler {
		return func(r *rpc.Request) {
			if !n.logged.Load() {
				r.Fail(starting())
				return
			}
			if !n.control.add(func() { serve(r) }) {
				r.Fail(wire.Errorf(wire.CodeOverloaded, "too many questions about the cluster wait here"))
			}
		}
	}
	data := func(serve func(*rpc.Request)) rpc.Handler {
		return func(r *rpc.Request) {
			if !n.up.Load() {
				r.Fail(starting())
				return
			}
			serve(r)
		}
	}
	write := data(func(r *rpc.Request) { n.cluster.Serve(r) })
	handlers := map[wire.Op]rpc.Handler{
		wire.OpPing:  func(r *rpc.Request) { r.Reply() },
		wire.OpRaft:  n.serveRaft,
		wire.OpPull:  control(n.servePull),
		wire.OpInfo:  n.serveInfo,
		wire.OpApply: write, wire.OpForward: write, wire.OpHint: write,
		wire.OpBatchStore: write, wire.OpBatchDone: write, wire.OpApplied: write,
		wire.OpPropose: control(n.servePropose),
		wire.OpRead:    data(func(r *rpc.Request) { n.reader.Serve(r) }),
	}
	for _, op := range clientOps {
		handlers[op] = n.serveClient
	}
	n.endpoint, err = rpc.New(rpc.Config{
		Clock: n.opts.Clock, Transport: n.opts.Transport, Rand: n.opts.Rand.Split(), Log: n.Node.log, Metrics: n.metrics,
		Hello: n.hello, Check: n.check, OnRefused: n.refused, Key: n.key, OnHello: n.heard, OnSkew: n.noteSkew,
		OnDown:   func(host [16]byte) { n.peerChanged(host) },
		OnUp:     func(host [16]byte) { n.peerChanged(host) },
		Handlers: handlers,
		OnPacket: func(b []byte, from string) {
			if n.up.Load() {
				n.gossip.Load().Packet(b, from)
			}
		},
		OnStream: func(c net.Conn) {
			if !n.up.Load() {
				c.Close()
				return
			}
			n.gossip.Load().Stream(c)
		},
	})
	if err != nil {
		return err
	}
	listener := n.listener
	n.listener = nil // the endpoint's from now on
	n.running.Go(func() {
		if err := n.endpoint.Serve(listener); err != nil && !errors.Is(err, rpc.ErrClosed) {
			n.Node.log.Error("other nodes are not served any more", "error", err)
		}
	})
	n.running.Go(func() { n.control.run(n.closing) })
	return nil
}

func starting() *wire.Error {
	return wire.Errorf(wire.CodeOverloaded, "the node is starting")
}

// hello says who this node is.
func (n *network) hello(purpose wire.Purpose) wire.Hello {
	id := n.self.Load()
	h := wire.Hello{
		ClusterID: id.ClusterID, ClusterName: id.ClusterName, Generation: id.Generation,
		HostID: id.HostID, DiskID: id.DiskID, BootCount: id.BootCount, ClockMark: id.ClockMark,
		Lowest: level.Lowest, Highest: n.highestLevel(),
	}
	if purpose != wire.PurposeClient {
		// Who cannot do what the cluster writes is no part of it.
		h.Lowest = max(h.Lowest, id.FormatLevel)
	}
	if n.logged.Load() {
		h.Epoch = n.epoch()
	}
	return h
}

// epoch is what is in force here. Before the node serves it is what will be
// when it does.
func (n *network) epoch() uint64 {
	if n.up.Load() {
		return n.cluster.Topology().Epoch
	}
	return n.log.Epoch()
}

// check refuses nodes that must not take part.
func (n *network) check(h *wire.Hello, addr string) *wire.Error {
	if h.Purpose == wire.PurposeClient || !n.logged.Load() {
		return nil
	}
	s := n.log.State()
	if memberOf(s, h.HostID) == nil {
		return checkStranger(s, h)
	}
	if err := n.book.Check(peerOf(h)); err != nil {
		return refusedForGood(err.Error())
	}
	return nil
}

// checkStranger is about a node that is no member as far as is known here.
func checkStranger(s *metadata.State, h *wire.Hello) *wire.Error {
	switch {
	case h.Epoch > s.Epoch || h.HostID == [16]byte{}:
		return nil // it knows more
	case s.UserTables:
		return refusedForGood(fmt.Sprintf("the cluster has tables, and nodes join before the first CREATE TABLE: host %s is no member of it. "+
			"If it was, start it on the data directory that it had", hex.EncodeToString(h.HostID[:])))
	}
	return nil
}

// refusedForGood is a refusal that waiting does not change.
func refusedForGood(text string) *wire.Error {
	return &wire.Error{Code: wire.CodeRefused, Message: text, Detail: forGood}
}

// forGood is the detail of a refusal for good. On the wire, never change.
var forGood = []byte("for good")

func peerOf(h *wire.Hello) peers.Peer {
	p := peers.Peer{HostID: h.HostID, DiskID: h.DiskID, BootCount: h.BootCount, ClockMark: h.ClockMark, Instance: h.Instance}
	if h.Purpose == wire.PurposeJoin {
		p.Instance = 0 // a command over the directory of a node that does not run, whose start it does not count
	}
	return p
}

func memberOf(s *metadata.State, host [16]byte) *metadata.Member {
	for i := range s.Members {
		if s.Members[i].HostID == host {
			return &s.Members[i]
		}
	}
	return nil
}

// heard takes in what a hello has told.
func (n *network) heard(h *wire.Hello) {
	if h.HostID == [16]byte{} || h.Purpose == wire.PurposeClient || !n.logged.Load() {
		return
	}
	if memberOf(n.log.State(), h.HostID) != nil {
		n.book.Hear(peerOf(h))
		n.noteLevel(h.HostID, h.Highest)
	}
	n.heardEpoch(h.HostID, h.Epoch)
}

// heardEpoch makes the log, and who waits for others, know of an epoch.
func (n *network) heardEpoch(host [16]byte, epoch uint64) {
	if epoch == 0 {
		return
	}
	n.log.Hear(host, epoch)
	if n.up.Load() {
		n.cluster.HeardEpoch(host, epoch)
	}
}

// Send, Pull and Propose implement metadata.Network.

func (n *network) Send(to [16]byte, msg []byte) {
	// Best effort: the log repeats what got lost.
	_ = n.endpoint.Peer(to).Notify(&rpc.Message{Op: wire.OpRaft, Lane: rpc.Urgent, Body: msg})
}

func (n *network) Pull(ctx context.Context, from [16]byte, after uint64, hash [32]byte) ([]byte, error) {
	q := wire.Pull{After: after, Hash: hash}
	return n.endpoint.Peer(from).Call(ctx, &rpc.Message{Op: wire.OpPull, Lane: rpc.Bulk, Body: q.Append(nil)})
}

func (n *network) Propose(ctx context.Context, to [16]byte, proposal []byte) ([]byte, error) {
	return n.endpoint.Peer(to).Call(ctx, &rpc.Message{Op: wire.OpPropose, Lane: rpc.Small, Body: proposal})
}

func (n *network) serveRaft(r *rpc.Request) {
	if n.logged.Load() {
		if err := n.log.Step(r.From(), r.Body()); err != nil {
			n.Node.log.Warn("a message about the metadata log makes no sense", "from", hostText(r.From()), "error", err)
		}
	}
	r.Reply()
}

func (n *network) servePull(r *rpc.Request) {
	var q wire.Pull
	if err := q.Decode(r.Body()); err != nil {
		r.Fail(wire.Errorf(wire.CodeInvalid, "%v", err))
		return
	}
	if r.Purpose() == wire.PurposeJoin {
		if s := n.log.State(); memberOf(s, r.From()) == nil && s.UserTables {
			r.Fail(refusedForGood("the cluster has tables already: nodes can join only before the first CREATE TABLE. " +
				"Without tables again (DROP), they can"))
			return
		}
	}
	body, err := n.log.ServePull(q.After, q.Hash)
	if err != nil {
		r.Fail(wire.Errorf(wire.CodeFailed, "%v", err))
		return
	}
	r.ReplyEpoch(n.epoch(), body)
}

func (n *network) servePropose(r *rpc.Request) {
	body, err := n.log.ServePropose(n.life, r.Body())
	if err != nil {
		r.Fail(wire.Errorf(wire.CodeFailed, "%v", err))
		return
	}
	r.Reply(body)
}

func hostText(host [16]byte) string { return uuidText(host) }
