package gossip

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/hashicorp/memberlist"
	"github.com/ilion-db/ilion/internal/invariant"
)

// maxMembers bounds the members that are alive, and the hosts known.
const maxMembers = 4096

// members is who is alive, and what the listener has yet to hear of them. Its
// methods Notify* are called by memberlist under its lock.
type members struct {
	host [16]byte // of this node
	boot uint64
	wake chan struct{} // one slot: something is queued

	mu      sync.Mutex // protects what follows; see docs/locks.md
	hosts   map[[16]byte]*record
	names   map[string]struct{} // that are alive to memberlist, this one's too
	queue   []*record
	another bool // somebody runs with this node's host id
	closed  bool
}

var (
	_ memberlist.EventDelegate = (*members)(nil)
	_ memberlist.AliveDelegate = (*members)(nil)
)

func newMembers(host [16]byte, boot uint64) *members {
	return &members{
		host: host, boot: boot, wake: make(chan struct{}, 1),
		hosts: map[[16]byte]*record{}, names: map[string]struct{}{},
	}
}

// decodeNode reads what memberlist knows of a process.
func decodeNode(n *memberlist.Node) (Member, error) {
	host, boot, err := parseName(n.Name)
	if err != nil {
		return Member{}, err
	}
	m, err := decodeMeta(n.Meta)
	if err != nil {
		return Member{}, err
	}
	if m.boot != boot {
		return Member{}, fmt.Errorf("gossip: boot count %d in the meta of %s", m.boot, n.Name)
	}
	if len(n.Addr) != 4 && len(n.Addr) != 16 || n.Port == 0 {
		return Member{}, fmt.Errorf("gossip: %s has no address", n.Name)
	}
	return Member{Host: host, Boot: boot, Address: n.Address(), Epoch: m.epoch, Load: m.load}, nil
}

// NotifyAlive implements memberlist.AliveDelegate: an error makes memberlist
// not hear that the node is alive.
func (ms *members) NotifyAlive(n *memberlist.Node) error {
	m, err := decodeNode(n)
	if err != nil {
		return err
	}
	ms.mu.Lock()
	defer ms.mu.Unlock()
	if m.Host == ms.host && m.Boot != ms.boot {
		ms.another = ms.another || m.Boot > ms.boot
		return errors.New("gossip: it has the host id of this node")
	}
	r := ms.hosts[m.Host]
	_, named := ms.names[n.Name]
	switch {
	case r != nil && m.Boot < r.now.Boot:
		return fmt.Errorf("gossip: boot count %d has taken its place", r.now.Boot)
	case !named && len(ms.names) == maxMembers, r == nil && len(ms.hosts) == maxMembers:
		return fmt.Errorf("gossip: more than %d members", maxMembers)
	}
	return nil
}

// NotifyJoin implements memberlist.EventDelegate.
func (ms *members) NotifyJoin(n *memberlist.Node) { ms.hear(n, true) }

// NotifyUpdate implements memberlist.EventDelegate.
func (ms *members) NotifyUpdate(n *memberlist.Node) { ms.hear(n, true) }

// NotifyLeave implements memberlist.EventDelegate.
func (ms *members) NotifyLeave(n *memberlist.Node) { ms.hear(n, false) }

// hear notes what memberlist says of a process. NotifyAlive has let it in.
func (ms *members) hear(n *memberlist.Node, up bool) {
	m, err := decodeNode(n)
	if err != nil {
		return
	}
	m.Up = up
	ms.mu.Lock()
	defer ms.mu.Unlock()
	if ms.closed {
		return
	}
	if up {
		ms.names[n.Name] = struct{}{}
	} else {
		delete(ms.names, n.Name)
	}
	if m.Host == ms.host {
		return
	}
	r := ms.hosts[m.Host]
	if r == nil {
		r = &record{}
		ms.hosts[m.Host] = r
	}
	if m.Boot < r.now.Boot {
		return
	}
	invariant.Check(r.told.Boot <= m.Boot, "gossip: a boot count falls that was told of")
	r.now, r.left = m, n.State == memberlist.StateLeft
	if !r.queued {
		r.queued = true
		ms.queue = append(ms.queue, r)
	}
	invariant.Check(len(ms.queue) <= len(ms.hosts), "gossip: a member is queued twice")
	select {
	case ms.wake <- struct{}{}:
	default:
	}
}

// next takes the next event, if there is one.
func (ms *members) next() (Event, bool) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	for len(ms.queue) > 0 && !ms.closed {
		r := ms.queue[0]
		invariant.Check(r.queued, "gossip: a member is queued that does not know of it")
		if e, ok := r.next(); ok {
			return e, true
		}
		r.queued = false
		ms.queue[0] = nil
		ms.queue = ms.queue[1:]
	}
	return Event{}, false
}

// list copies the members but this node, by host id.
func (ms *members) list() []Member {
	ms.mu.Lock()
	out := make([]Member, 0, len(ms.hosts)+1)
	for _, r := range ms.hosts {
		out = append(out, r.now)
	}
	ms.mu.Unlock()
	slices.SortFunc(out, byHost)
	return out
}

// found copies the members that are up, by host id, and counts those that the
// listener has never heard of as told: it hears when they go.
func (ms *members) found() (up []Member) {
	ms.mu.Lock()
	for _, r := range ms.hosts {
		if r.now.Up && r.told == (Member{}) {
			r.told = r.now
		}
		if r.now.Up && r.told.Up && r.told.Boot == r.now.Boot {
			up = append(up, r.now)
		}
	}
	ms.mu.Unlock()
	slices.SortFunc(up, byHost)
	return up
}

func byHost(a, b Member) int { return bytes.Compare(a.Host[:], b.Host[:]) }

// count is how many processes are alive, this one too.
func (ms *members) count() int {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	return len(ms.names)
}

// missing returns the addresses of those of the peers that are not up, and
// forgets who is down, told so, and no peer.
func (ms *members) missing(peers []Peer) (addresses []string) {
	known := make(map[[16]byte]bool, len(peers))
	ms.mu.Lock()
	defer ms.mu.Unlock()
	for _, p := range peers {
		known[p.Host] = true
		if r := ms.hosts[p.Host]; p.Host != ms.host && (r == nil || !r.now.Up) {
			addresses = append(addresses, p.Address)
		}
	}
	for host, r := range ms.hosts {
		if !known[host] && !r.now.Up && !r.queued {
			delete(ms.hosts, host)
		}
	}
	return addresses
}

func (ms *members) close() {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	ms.closed, ms.queue = true, nil
}

// double tells, once, whether somebody runs with this node's host id.
func (ms *members) double() bool {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	d := ms.another
	ms.another = false
	return d
}
