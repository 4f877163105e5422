package coordinator

import (
	"slices"
	"sync/atomic"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cluster/metadata"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// member is what is known of a node beyond the metadata. It outlives views.
type member struct {
	host [16]byte
	// peer is nil for this node.
	peer  Peer
	alive atomic.Bool   // says the failure detector
	epoch atomic.Uint64 // newest that it has been heard to have in force
	asked atomic.Bool   // to say when an epoch is in force
}

// live tells whether the node can be asked now. What the connection knows wins
// over the failure detector, which is slower.
func (m *member) live() bool { return m.peer == nil || m.alive.Load() && m.peer.Up() }

// view is what requests are planned on. Immutable, but for its members' state.
type view struct {
	epoch    uint64
	state    *metadata.State
	topology *cluster.Topology
	members  []*member // as topology.Nodes
	byHost   map[[16]byte]int
	dcs      []string // the local one first
	dc       []int    // of each node, in dcs
	tables   map[schema.TableID]*table
	placed   map[string]*placement // by keyspace
	closing  bool                  // some table is closed
}

// table is what a write needs to know of its table.
type table struct {
	epoch     uint64 // of the last change of its schema
	truncated uint64 // epoch of the last TRUNCATE
	// closed means that the store is dropping what it has of the table: requests
	// wait for the next view.
	closed bool
	*placement
}

// placement is a keyspace's, with what each level asks of it.
type placement struct {
	*cluster.Placement
	from   *ring.Placement
	levels [ring.LocalOne + 1]requirement
}

// newView makes the view of a state. It reuses what it can of old, which may be
// nil.
func (c *Cluster) newView(s *metadata.State, old *view) *view {
	v := &view{epoch: s.Epoch, state: s, byHost: map[[16]byte]int{}, tables: map[schema.TableID]*table{}, placed: map[string]*placement{}}
	c.placeMembers(v, old)
	t := &cluster.Topology{
		Epoch: s.Epoch, Keyspaces: map[string]*cluster.Placement{}, Tables: map[schema.TableID]*cluster.Placement{},
	}
	t.Nodes = v.nodes(s, c.cfg.HostID)
	v.topology = t
	v.placeCentres()
	sameNodes := old != nil && slices.Equal(v.members, old.members) && slices.Equal(v.dc, old.dc)
	for name, ks := range s.Schema.Keyspaces {
		p := v.place(name, ks, old, sameNodes)
		if p == nil {
			continue
		}
		v.placed[name] = p
		t.Keyspaces[name] = p.Placement
		for _, def := range ks.Tables {
			t.Tables[def.ID] = p.Placement
			d := &table{epoch: def.Epoch, truncated: def.TruncatedEpoch, placement: p}
			if old != nil && old.tables[def.ID] != nil {
				o := old.tables[def.ID]
				invariant.Check(d.epoch >= o.epoch && d.truncated >= o.truncated, "coordinator: the epochs of table %s.%s fall", name, def.Name)
			}
			v.tables[def.ID] = d
		}
	}
	return v
}

func isCounter(c *schema.Column) bool { return c.Type.Kind() == schema.KindCounter }

// placeMembers orders the members: this node first, then as they came, so that
// positions stay as long as nobody leaves.
func (c *Cluster) placeMembers(v, old *view) {
	add := func(host [16]byte) {
		if _, known := v.byHost[host]; !known {
			v.byHost[host] = len(v.members)
			v.members = append(v.members, c.member(host))
		}
	}
	add(c.cfg.HostID)
	if old != nil {
		for _, m := range old.members {
			if memberOf(v.state, m.host) != nil {
				add(m.host)
			}
		}
	}
	for i := range v.state.Members {
		add(v.state.Members[i].HostID)
	}
}

func memberOf(s *metadata.State, host [16]byte) *metadata.Member {
	for i := range s.Members {
		if s.Members[i].HostID == host {
			return &s.Members[i]
		}
	}
	return nil
}

// nodes describes the members.
func (v *view) nodes(s *metadata.State, self [16]byte) []cluster.Node {
	nodes := make([]cluster.Node, len(v.members))
	for i, m := range v.members {
		n := cluster.Node{HostID: m.host, Local: m.host == self, Up: m.live(), SchemaVersion: s.Schema.Version}
		if d := memberOf(s, m.host); d != nil {
			n.Address, n.Internode, n.DC, n.Rack, n.Tokens = d.NativeAddress, d.Address, d.DC, d.Rack, d.Tokens
		}
		nodes[i] = n
	}
	return nodes
}

// placeCentres numbers the data centres, the local one first.
func (v *view) placeCentres() {
	for i := range v.topology.Nodes {
		dc := v.topology.Nodes[i].DC
		at := slices.Index(v.dcs, dc)
		if at < 0 {
			at = len(v.dcs)
			v.dcs = append(v.dcs, dc)
		}
		v.dc = append(v.dc, at)
	}
}

// place translates where a keyspace lies into positions of nodes, nil if it
// lies nowhere.
func (v *view) place(name string, ks *schema.Keyspace, old *view, sameNodes bool) *placement {
	from := v.state.Placements[name]
	if from == nil {
		return nil
	}
	strategy, err := ring.ParseStrategy(ks.Replication)
	if err != nil {
		return nil
	}
	if sameNodes {
		if p := old.placed[name]; p != nil && p.from == from {
			return p
		}
	}
	p := &placement{from: from, Placement: &cluster.Placement{RF: strategy.RF(), Factors: strategy.DCs}}
	p.Ranges = make([]cluster.ReplicaSet, len(from.Ranges))
	for i := range from.Ranges {
		r := &from.Ranges[i]
		set := &p.Ranges[i]
		set.Range, set.Changed = r.Range, r.Changed
		for _, host := range r.Replicas {
			if at, known := v.byHost[host]; known {
				set.Write = append(set.Write, at)
			}
		}
		set.Read = set.Write
	}
	for level := range p.levels {
		p.levels[level] = v.require(p.Placement, ring.ConsistencyLevel(level))
	}
	return p
}

// withClosed is the view with some tables closed.
func (v *view) withClosed(ids []schema.TableID) *view {
	n := *v
	n.closing = true
	n.tables = make(map[schema.TableID]*table, len(v.tables))
	for id, t := range v.tables {
		n.tables[id] = t
	}
	for _, id := range ids {
		if t := v.tables[id]; t != nil {
			closed := *t
			closed.closed = true
			n.tables[id] = &closed
		}
	}
	return &n
}

// describe names nodes by their addresses.
func (v *view) describe(nodes []int) []string {
	names := make([]string, len(nodes))
	for i, n := range nodes {
		names[i] = v.topology.Nodes[n].Internode
	}
	return names
}
