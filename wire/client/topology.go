package client

import (
	"context"
	"sort"
	"sync/atomic"
	"time"

	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// host is a node. Its connections live as long as it is a member.
type host struct {
	id      [16]byte
	address string
	pipes   []*pipe
	turn    atomic.Uint32
}

// up tells whether a connection may work.
func (h *host) up() bool {
	for _, p := range h.pipes {
		if p.peer.Up() {
			return true
		}
	}
	return false
}

// load is how many calls are in work.
func (h *host) load() (n int64) {
	for _, p := range h.pipes {
		n += p.inflight.Load()
	}
	return n
}

// enter counts a call in on the pipe with the least in work that works.
func (h *host) enter() (*pipe, error) {
	var best *pipe
	start := int(h.turn.Add(1))
	for i := range h.pipes {
		p := h.pipes[(start+i)%len(h.pipes)]
		if p.peer.Up() && (best == nil || p.inflight.Load() < best.inflight.Load()) {
			best = p
		}
	}
	switch {
	case best == nil:
		return nil, ErrUnreachable
	case !best.enter():
		return nil, ErrBusy
	}
	return best, nil
}

// topology is an immutable picture of the cluster.
type topology struct {
	epoch     uint64
	told      []wire.Host
	hosts     []*host // those of the local data centre first
	near      int     // how many are in it
	keyspaces map[string]*ranges
}

// ranges are the replicas of a keyspace.
type ranges struct {
	ends     []ring.Token // ascending
	replicas [][]*host    // of the range up to an end, those of the local data centre first
	near     []int
}

// replicas are those of a token, nil if they are not known.
func (t *topology) replicas(keyspace string, token ring.Token) (all []*host, near int) {
	r := t.keyspaces[keyspace]
	if r == nil || len(r.ends) == 0 {
		return nil, 0
	}
	i := sort.Search(len(r.ends), func(i int) bool { return r.ends[i] >= token })
	if i == len(r.ends) {
		i = 0
	}
	return r.replicas[i], r.near[i]
}

// Host is a node as the session sees it.
type Host struct {
	ID              [16]byte
	Address         string // of this protocol
	DC, Rack        string
	Connected       bool // no connection to it has failed
	InFlight        int  // statements not yet answered
	OwnsTokens      []ring.Token
	CQLAddress      string
	UpAsOthersSeeIt bool
}

// Hosts lists the nodes of the cluster.
func (s *Session) Hosts() []Host {
	t := s.topology.Load()
	out := make([]Host, 0, len(t.told))
	for i := range t.told {
		w := &t.told[i]
		h := s.known(t, w.ID)
		out = append(out, Host{
			ID: w.ID, Address: w.Address, DC: w.DC, Rack: w.Rack, Connected: h.up(), InFlight: int(h.load()),
			OwnsTokens: w.Tokens, CQLAddress: w.Native, UpAsOthersSeeIt: w.Up,
		})
	}
	return out
}

func (s *Session) known(t *topology, id [16]byte) *host {
	for _, h := range t.hosts {
		if h.id == id {
			return h
		}
	}
	return nil
}

// adopt makes a node's picture of the cluster the session's, opens connections
// to nodes that are new and closes those to nodes that are gone.
func (s *Session) adopt(w *wire.Topology) {
	s.adopting.Lock()
	defer s.adopting.Unlock()
	old := s.topology.Load()
	if old != nil && old.epoch > w.Epoch {
		return
	}
	t := &topology{epoch: w.Epoch, told: w.Hosts, keyspaces: map[string]*ranges{}}
	all := make([]*host, len(w.Hosts))
	for i := range w.Hosts {
		all[i] = s.hostOf(old, &w.Hosts[i])
	}
	isNear := func(i uint32) bool { return s.cfg.LocalDC == "" || w.Hosts[i].DC == s.cfg.LocalDC }
	positions := make([]uint32, len(all))
	for i := range positions {
		positions[i] = uint32(i)
	}
	pick := func(positions []uint32) (out []*host, near int) {
		for _, want := range []bool{true, false} {
			for _, i := range positions {
				if isNear(i) == want {
					out = append(out, all[i])
				}
			}
			if want {
				near = len(out)
			}
		}
		return out, near
	}
	t.hosts, t.near = pick(positions)
	for i := range w.Keyspaces {
		k := &w.Keyspaces[i]
		r := &ranges{}
		for _, g := range k.Ranges {
			replicas, near := pick(g.Hosts)
			r.ends, r.replicas, r.near = append(r.ends, g.End), append(r.replicas, replicas), append(r.near, near)
		}
		t.keyspaces[k.Name] = r
	}
	s.topology.Store(t)
	s.epoch.Store(t.epoch)
	if old == nil {
		return
	}
	for _, h := range old.hosts {
		if s.known(t, h.id) != h {
			s.disconnect(h)
		}
	}
}

// hostOf finds a node in the old picture or connects to it.
func (s *Session) hostOf(old *topology, w *wire.Host) *host {
	if old != nil {
		if h := s.known(old, w.ID); h != nil && h.address == w.Address {
			return h
		}
	}
	h := &host{id: w.ID, address: w.Address}
	for range s.cfg.ConnectionsPerHost {
		// The endpoint knows connections by ids that mean nothing to nodes.
		id := s.rand.UUID()
		s.endpoint.SetAddress(id, w.Address)
		h.pipes = append(h.pipes, newPipe(s, s.endpoint.Peer(id), w.Address))
		s.peers[h] = append(s.peers[h], id)
	}
	return h
}

func (s *Session) disconnect(h *host) {
	for _, id := range s.peers[h] {
		s.endpoint.SetAddress(id, "")
	}
	delete(s.peers, h)
}

// heard takes note of an epoch that came with an answer.
func (s *Session) heard(epoch uint64) {
	if epoch <= s.newest.Load() {
		return
	}
	s.newest.Store(epoch)
	select {
	case s.refresh <- struct{}{}:
	default:
	}
}

// follow is the goroutine that asks for the topology when it has changed.
func (s *Session) follow() {
	defer s.running.Done()
	for {
		select {
		case <-s.refresh:
		case <-s.ctx.Done():
			return
		}
		for s.newest.Load() > s.epoch.Load() && s.ctx.Err() == nil {
			s.askHosts()
			if s.newest.Load() <= s.epoch.Load() {
				break
			}
			// Nobody could be asked, or who was is behind.
			select {
			case <-s.cfg.Clock.After(refreshPause):
			case <-s.ctx.Done():
			}
		}
	}
}

const refreshPause = time.Second

// askHosts asks the nodes for the topology until one answers.
func (s *Session) askHosts() {
	for _, h := range s.topology.Load().hosts {
		if h.up() && s.askTopology(s.ctx, h.pipes[0].peer) == nil {
			return
		}
	}
}

// askTopology asks a node for the topology and adopts it.
func (s *Session) askTopology(ctx context.Context, p *rpc.Peer) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.ConnectTimeout)
	defer cancel()
	b, err := p.Call(ctx, &rpc.Message{Op: wire.OpTopology, Lane: rpc.Small})
	if err != nil {
		return err
	}
	var w wire.Topology
	if err := w.Decode(b); err != nil {
		return err
	}
	if len(w.Hosts) == 0 {
		return errProtocol
	}
	s.adopt(&w)
	return nil
}
