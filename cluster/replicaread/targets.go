package replicaread

import (
	"math/bits"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/ring"
)

// maxGroups bounds the data centres of which EACH_QUORUM asks separately.
const maxGroups = 16

// targets are the replicas that a read may ask, best first, and how many of
// them have to answer. It is reused.
type targets struct {
	nodes []target
	// need is how many must answer, by group. All but EACH_QUORUM know one
	// group; it has one for each data centre.
	need     [maxGroups]int32
	groups   int
	blockFor int // sum of need
}

type target struct {
	node  int32 // in Topology.Nodes
	group int32
	score uint64 // the least is the best
}

// choose fills t with the live replicas of a set. Too few of them are an
// Unavailable, decided as Cassandra does: by the replicas that the keyspace
// asks for, not by those that there are.
func (t *targets) choose(rd *Reader, top *cluster.Topology, p *cluster.Placement, replicas []int, level ring.ConsistencyLevel) error {
	t.nodes, t.groups, t.blockFor = t.nodes[:0], 1, 0
	if level == ring.EachQuorum && p.Factors != nil {
		return t.chooseEach(rd, top, p, replicas, level)
	}
	local := top.Nodes[0].DC
	t.blockFor = max(p.BlockFor(level, local), 1) // somebody must tell, if nobody need
	t.need[0] = int32(t.blockFor)
	for _, n := range replicas {
		if level.IsLocal() && top.Nodes[n].DC != local {
			continue
		}
		t.add(rd, top, n, 0)
	}
	if len(t.nodes) < t.blockFor {
		return native.Unavailable(native.Consistency(level), t.blockFor, len(t.nodes))
	}
	t.sort()
	return nil
}

// chooseEach is choose for a quorum in each data centre.
func (t *targets) chooseEach(rd *Reader, top *cluster.Topology, p *cluster.Placement, replicas []int, level ring.ConsistencyLevel) error {
	var dcs [maxGroups]string
	var alive [maxGroups]int
	t.groups = 0
	for dc, rf := range p.Factors {
		if rf == 0 {
			continue
		}
		if t.groups == maxGroups {
			return native.Invalid("EACH_QUORUM over more than %d data centers", maxGroups)
		}
		dcs[t.groups], t.need[t.groups] = dc, int32(ring.QuorumOf(rf))
		t.blockFor += ring.QuorumOf(rf)
		t.groups++
	}
	for _, n := range replicas {
		for g := range t.groups {
			if dcs[g] == top.Nodes[n].DC {
				before := len(t.nodes)
				t.add(rd, top, n, int32(g))
				alive[g] += len(t.nodes) - before
			}
		}
	}
	if t.groups == 0 {
		return native.Unavailable(native.Consistency(level), 1, 0)
	}
	for g := range t.groups {
		if alive[g] < int(t.need[g]) {
			return native.Unavailable(native.Consistency(level), int(t.need[g]), alive[g])
		}
	}
	t.sort()
	return nil
}

func (t *targets) add(rd *Reader, top *cluster.Topology, node int, group int32) {
	n := &top.Nodes[node]
	if !n.Local && !rd.cfg.Live(n) {
		return
	}
	t.nodes = append(t.nodes, target{node: int32(node), group: group, score: rd.score(top, n)})
}

// sort puts the best first: there are few, so by insertion.
func (t *targets) sort() {
	for i := 1; i < len(t.nodes); i++ {
		for j := i; j > 0 && t.nodes[j].score < t.nodes[j-1].score; j-- {
			t.nodes[j], t.nodes[j-1] = t.nodes[j-1], t.nodes[j]
		}
	}
}

// score orders replicas: this node, then its rack, its data centre, the rest;
// among equals by the latency seen, times the requests under way, in powers of
// two; at last by chance, so that equals share the load.
func (rd *Reader) score(top *cluster.Topology, n *cluster.Node) uint64 {
	self := &top.Nodes[0]
	if n.Local {
		return 0
	}
	class := uint64(3)
	if n.DC == self.DC {
		if class = 2; n.Rack == self.Rack {
			class = 1
		}
	}
	s := class << 32
	if l := rd.peer(n.HostID); l != nil {
		s |= uint64(bits.Len64(uint64(l.latency.Load())*uint64(1+l.waiting.Load()))) << 24
	}
	return s | rd.chance()&0xffffff
}
