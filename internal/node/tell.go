package node

import (
	"time"

	"github.com/ilion-db/ilion/cluster/peers"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// tellTo is how many other nodes hear at a time that this node's clock mark has
// become durable; the next ones hear it the next time.
const tellTo = 8

// tellMark tells other nodes what this node's disk holds for sure, so that they
// find out if it comes back with less, and makes durable what they have told.
// Their answers tell how far their clocks are from this one's.
func (n *network) tellMark() {
	n.setSelf(n.identityFile.Identity())
	n.wakeLevel()
	if err := n.book.Save(); err != nil {
		n.Node.log.Warn("what is known of other nodes could not be written", "error", err)
	}
	if g := n.gossip.Load(); g != nil {
		g.SetLoad(uint64(n.load()))
	}
	members := n.log.State().Members
	body := n.info48()
	for told := 0; told < min(tellTo, len(members)); told++ {
		n.nextTold = (n.nextTold + 1) % len(members)
		host := members[n.nextTold].HostID
		if host == n.identity.HostID {
			continue
		}
		now := n.opts.Clock.Mono()
		// Who cannot be reached hears it in the next hello.
		_ = n.endpoint.Peer(host).Send(&rpc.Message{Op: wire.OpInfo, Lane: rpc.Urgent, Deadline: int64(now + askTimeout), Body: body},
			&infoCall{n: n, host: host, sent: now})
	}
}

// info48 is the encoded wire.Info of this node.
func (n *network) info48() []byte {
	id := n.self.Load()
	i := wire.Info{DiskID: id.DiskID, BootCount: id.BootCount, ClockMark: id.ClockMark, Now: n.opts.Clock.Now().UnixMicro(), Epoch: n.epoch()}
	return i.Append(nil)
}

func (n *network) serveInfo(r *rpc.Request) {
	if !n.logged.Load() {
		r.Fail(starting())
		return
	}
	var i wire.Info
	if err := i.Decode(r.Body()); err != nil {
		r.Fail(wire.Errorf(wire.CodeInvalid, "%v", err))
		return
	}
	if r.Purpose() == wire.PurposePeer {
		n.informed(r.From(), &i)
	}
	r.Reply(n.info48())
}

// informed takes in what a member says of itself.
func (n *network) informed(host [16]byte, i *wire.Info) {
	if memberOf(n.log.State(), host) != nil {
		n.book.Hear(peers.Peer{HostID: host, DiskID: i.DiskID, BootCount: i.BootCount, ClockMark: i.ClockMark})
	}
	n.heardEpoch(host, i.Epoch)
}

// infoCall is the question to a member.
type infoCall struct {
	n    *network
	host [16]byte
	sent time.Duration
}

// Receive implements rpc.Receiver.
func (c *infoCall) Receive(a *rpc.Answer) {
	var i wire.Info
	if a.Err != nil || i.Decode(a.Body) != nil {
		return // the next hello tells what is wrong
	}
	// The other's clock was read about half way.
	half := (c.n.opts.Clock.Mono() - c.sent) / 2
	c.n.noteSkew(c.host, time.UnixMicro(i.Now).Add(half).Sub(c.n.opts.Clock.Now()), half)
	c.n.informed(c.host, &i)
}
