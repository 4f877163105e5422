package node

import (
	"net/netip"
	"sync"
	"time"

	"github.com/ilion-db/ilion/cluster/gossip"
	"github.com/ilion-db/ilion/cluster/metadata"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/schema"
)

// events is what clients and connections have been told of the members.
type events struct {
	turn chan struct{} // of capacity 1, full while nobody takes in what gossip says

	mu    sync.Mutex // protects what follows; held while events are pushed, which does not wait
	signs map[[16]byte]signs
	told  map[[16]byte]tale
}

// signs are those of another member's life.
type signs struct {
	boot  uint64 // boot count of the last one that gossip found, 0: none
	found bool   // what gossip says now
	left  bool   // it has said that it goes
	alive bool   // what follows from this and the connections

	failed  time.Duration // when connections ceased to work last, on the monotonic clock
	doubted bool          // that was so long ago that clients are told it is down
}

// doubtAfter is how long a member has to be out of reach for clients to be told
// that it is down, though gossip still takes seconds to find out. A connection
// that breaks off is made anew sooner.
const doubtAfter = time.Second

// up is what clients are told.
func (s signs) up() bool { return s.alive && !s.doubted }

// tale is what clients know of a member.
type tale struct {
	at netip.AddrPort
	up bool
}

// followAddresses lets connections go where the members are.
func (n *network) followAddresses(s *metadata.State) {
	for i := range s.Members {
		if m := &s.Members[i]; m.HostID != n.identity.HostID {
			n.endpoint.SetAddress(m.HostID, m.Address)
		}
	}
}

// startLog lets the metadata log talk to other nodes.
func (n *network) startLog() {
	n.log.Subscribe(func(s *metadata.State, e metadata.Entry) {
		n.followAddresses(s)
		if e.Kind == metadata.EntryRemoved {
			n.endpoint.SetAddress(e.Host, "")
			n.book.Forget(e.Host)
			n.skew.forget(e.Host)
		}
	})
	n.logStarted = true
	n.log.Start(n)
}

// followPause is the pause before the store is made to follow again.
const followPause = time.Second

// follow puts an entry of the metadata log in force. It is called in order.
func (n *network) follow(s *metadata.State, e metadata.Entry) {
	if err := n.checkLevel("the cluster writes", s.Level); err != nil {
		n.fail(err)
		return
	}
	n.wakeLevel()
	var change *schema.Change
	if e.Kind == metadata.EntrySchema {
		change = &e.Change
	}
	before := n.cluster.Schema()
	for {
		err := n.cluster.Follow(s, change)
		if err == nil {
			break
		}
		n.Node.log.Warn("the store cannot follow the cluster's schema; trying again", "epoch", s.Epoch, "error", err)
		select {
		case <-n.opts.Clock.After(followPause):
		case <-n.closing:
			return
		}
	}
	if e.Kind == metadata.EntrySnapshot {
		for _, c := range changesBetween(before, s.Schema) {
			n.query.Announce(s.Schema, c)
		}
	}
	n.identityWritten(n.identityFile.Follow(s.Generation, 0))
	if err := n.writeLevel(s.Level); err != nil {
		n.Node.log.Warn("the format level stays what it is here: the identity could not be written", "error", err)
	}
	n.setSelf(n.identityFile.Identity())
	if g := n.gossip.Load(); g != nil {
		g.SetEpoch(s.Epoch)
	}
	n.announce()
}

// changesBetween are the changes that lead from one schema to another, when
// many have come at once.
func changesBetween(before, after *schema.Snapshot) (changes []schema.Change) {
	for name, ks := range after.Keyspaces {
		old := before.Keyspace(name)
		switch {
		case old == nil:
			changes = append(changes, schema.Change{Kind: schema.CreateKeyspace, Keyspace: ks})
			old = &schema.Keyspace{}
		case old == ks:
			continue
		default:
			changes = append(changes, schema.Change{Kind: schema.AlterKeyspace, Keyspace: ks})
		}
		for _, t := range ks.Types {
			changes = append(changes, schema.Change{Kind: kindOf(old.Types[t.Name()] != nil, schema.CreateType, schema.AlterType), Type: t})
		}
		for _, t := range ks.Tables {
			was := old.Tables[t.Name]
			if was == nil || was.Epoch != t.Epoch {
				changes = append(changes, schema.Change{Kind: kindOf(was != nil, schema.CreateTable, schema.AlterTable), Table: t})
			}
		}
		for _, t := range old.Tables {
			if ks.Tables[t.Name] == nil {
				changes = append(changes, schema.Change{Kind: schema.DropTable, Table: t})
			}
		}
		for _, t := range old.Types {
			if ks.Types[t.Name()] == nil {
				changes = append(changes, schema.Change{Kind: schema.DropType, Type: t})
			}
		}
	}
	for name, ks := range before.Keyspaces {
		if after.Keyspace(name) == nil {
			changes = append(changes, schema.Change{Kind: schema.DropKeyspace, Keyspace: ks})
		}
	}
	return changes
}

func kindOf(there bool, create, alter schema.ChangeKind) schema.ChangeKind {
	if there {
		return alter
	}
	return create
}

// gossiped takes in what the failure detector says.
func (n *network) gossiped(e gossip.Event) {
	<-n.events.turn
	defer func() { n.events.turn <- struct{}{} }()
	n.hear(e)
}

// found takes in who the failure detector has found, unless it has said more of
// that process already.
func (n *network) found(m gossip.Member) {
	<-n.events.turn
	defer func() { n.events.turn <- struct{}{} }()
	if n.signs(m.Host).boot < m.Boot {
		n.hear(gossip.Event{Kind: gossip.Up, Member: m})
	}
}

// hear is called by the holder of the events' turn.
func (n *network) hear(e gossip.Event) {
	host := e.Member.Host
	if e.Kind != gossip.Changed {
		s := n.signs(host)
		s.boot, s.found, s.left = e.Member.Boot, e.Kind == gossip.Up, e.Left
		s.doubted = s.doubted && !s.found
		n.judge(host, s)
	}
	if e.Kind != gossip.Down {
		n.heardEpoch(host, e.Member.Epoch)
		n.hints.Wake(host)
	}
}

// peerChanged is told when connections to a member work or fail.
func (n *network) peerChanged(host [16]byte) {
	if !n.up.Load() {
		return
	}
	<-n.events.turn
	defer func() { n.events.turn <- struct{}{} }()
	s := n.signs(host)
	reached := n.endpoint.Peer(host).Up()
	if !reached {
		s.failed = n.opts.Clock.Mono()
		n.opts.Clock.AfterFunc(doubtAfter, func() { n.doubt(host) })
	}
	n.judge(host, s)
	n.cluster.LivenessChanged()
	if reached {
		n.hints.Wake(host)
	}
}

// doubt has clients told that a member is down which nothing has reached for
// doubtAfter.
func (n *network) doubt(host [16]byte) {
	<-n.events.turn
	defer func() { n.events.turn <- struct{}{} }()
	s := n.signs(host)
	if n.life.Err() != nil || n.endpoint.Peer(host).Up() || n.opts.Clock.Mono()-s.failed < doubtAfter {
		return
	}
	s.doubted = true
	n.judge(host, s)
}

// judge decides whether a member is alive. It is whom gossip finds, and who
// answers here: a node that was out of reach for some seconds may be told dead
// after it is back, and is found again seconds later. Only a process that gossip
// has found counts, since one that starts answers before it serves. Whoever is
// told alive may still be out of reach, see coordinator.Cluster.Live. A doubt ends
// when the process answers that gossip knows, or it finds one again. It is called
// by the holder of the events' turn.
func (n *network) judge(host [16]byte, s signs) {
	was := n.signs(host)
	answers := !s.left && s.boot != 0 && n.endpoint.Peer(host).Boot() == s.boot
	s.alive = s.found || answers
	s.doubted = s.doubted && !answers
	n.events.mu.Lock()
	n.events.signs[host] = s
	n.events.mu.Unlock()
	if s.alive != was.alive {
		n.cluster.SetAlive(host, s.alive)
		n.wakeLevel()
	}
	if s.alive != was.alive || s.doubted != was.doubted {
		n.announce()
	}
}

// signs are those of a member's life.
func (n *network) signs(host [16]byte) signs {
	n.events.mu.Lock()
	defer n.events.mu.Unlock()
	return n.events.signs[host]
}

// alive tells whether a member is.
func (n *network) alive(host [16]byte) bool { return host == n.identity.HostID || n.signs(host).alive }

// know makes the members known without telling anybody: clients that connect
// find them in system.peers.
func (n *network) know(s *metadata.State) {
	n.events.mu.Lock()
	defer n.events.mu.Unlock()
	n.events.signs, n.events.told = map[[16]byte]signs{}, map[[16]byte]tale{}
	for i := range s.Members {
		if at, ok := n.clientAddress(&s.Members[i]); ok {
			n.events.told[s.Members[i].HostID] = tale{at: at}
		}
	}
}

// clientAddress is where clients reach another member.
func (n *network) clientAddress(m *metadata.Member) (netip.AddrPort, bool) {
	at, err := netip.ParseAddrPort(m.NativeAddress)
	return at, err == nil && m.HostID != n.identity.HostID
}

// announce tells clients what they do not know yet of the members: a new one
// when it is alive for the first time, and then serves CQL; one that went away;
// and who is up.
func (n *network) announce() {
	n.events.mu.Lock()
	defer n.events.mu.Unlock()
	s := n.log.State()
	push := func(kind native.EventKinds, change string, at netip.AddrPort) {
		n.session.Push(&native.Event{Kind: kind, Change: change, Addr: at})
	}
	for i := range s.Members {
		m := &s.Members[i]
		at, ok := n.clientAddress(m)
		if !ok {
			continue
		}
		known, was := n.events.told[m.HostID]
		up := n.events.signs[m.HostID].up()
		switch {
		case !was && !up:
			continue
		case was && known.at != at:
			// It serves elsewhere now: to drivers that is another node.
			push(native.TopologyChange, native.RemovedNode, known.at)
			known, was = tale{}, false
		}
		if !was {
			push(native.TopologyChange, native.NewNode, at)
		}
		if up != known.up {
			push(native.StatusChange, statusText(up), at)
		}
		n.events.told[m.HostID] = tale{at, up}
	}
	for host, known := range n.events.told {
		if memberOf(s, host) == nil {
			push(native.TopologyChange, native.RemovedNode, known.at)
			delete(n.events.told, host)
		}
	}
}

func statusText(up bool) string {
	if up {
		return native.StatusUp
	}
	return native.StatusDown
}

// keepRegistered makes the cluster know where this node is now.
func (n *network) keepRegistered() {
	ctx := n.life
	pause := joinPause
	for {
		m := memberOf(n.log.State(), n.identity.HostID)
		if m == nil {
			n.Node.log.Error("this node is no member of its cluster any more")
			return
		}
		self := n.member()
		self.Tokens = m.Tokens
		if self.Address == m.Address && self.NativeAddress == m.NativeAddress && self.LowestLevel == m.LowestLevel && self.HighestLevel == m.HighestLevel {
			return
		}
		if _, err := n.log.Register(ctx, self); err != nil && ctx.Err() == nil {
			n.Node.log.Info("the cluster does not know yet where this node is", "error", err)
		}
		select {
		case <-n.opts.Clock.After(pause):
		case <-ctx.Done():
			return
		}
		pause = min(2*pause, joinPauseMost)
	}
}
