package coordinator

import (
	"maps"
	"slices"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/ring"
)

const (
	// anywhere is the data centre of a group that counts all replicas.
	anywhere = -1
	// nowhere is a data centre without nodes.
	nowhere = -2
)

// group is a set of replicas of which some must acknowledge.
type group struct {
	dc   int // in view.dcs, anywhere or nowhere
	need int
	name string // of the data centre, for EACH_QUORUM
}

// requirement is what a consistency level asks of a placement.
type requirement struct {
	groups []group
	// blockFor is the sum of what the groups need, as Cassandra tells it.
	blockFor int
}

// require is what a level asks. The numbers are those of the keyspace's
// factors, also where there are fewer nodes.
func (v *view) require(p *cluster.Placement, level ring.ConsistencyLevel) requirement {
	if level == ring.EachQuorum && p.Factors != nil {
		var r requirement
		for _, dc := range slices.Sorted(maps.Keys(p.Factors)) {
			if rf := p.Factors[dc]; rf > 0 {
				g := group{dc: slices.Index(v.dcs, dc), need: ring.QuorumOf(rf), name: dc}
				if g.dc < 0 {
					g.dc = nowhere
				}
				r.groups = append(r.groups, g)
				r.blockFor += g.need
			}
		}
		if len(r.groups) > 0 {
			return r
		}
	}
	// A keyspace may have no replicas at all: nothing is acknowledged for it.
	g := group{dc: anywhere, need: max(p.BlockFor(level, v.dcs[0]), 1)}
	if level.IsLocal() {
		g.dc = 0
	}
	return requirement{groups: []group{g}, blockFor: g.need}
}

// groupOf is the group that counts a node, or -1.
func (r *requirement) groupOf(dc int) int {
	for i := range r.groups {
		if r.groups[i].dc == dc || r.groups[i].dc == anywhere {
			return i
		}
	}
	return -1
}

// available refuses a write that too few live replicas could acknowledge.
// Whoever is not alive then may get a hint.
func (v *view) available(p *placement, set *cluster.ReplicaSet, level ring.ConsistencyLevel) error {
	if level == ring.Any {
		return nil // a hint will do
	}
	req := &p.levels[level]
	for i := range req.groups {
		g := &req.groups[i]
		alive := 0
		for _, n := range set.Write {
			if (g.dc == anywhere || v.dc[n] == g.dc) && v.members[n].live() {
				alive++
			}
		}
		if alive < g.need {
			e := native.Unavailable(native.Consistency(level), g.need, alive)
			if g.name != "" {
				e.Msg += " in DC " + g.name
			}
			return e
		}
	}
	return nil
}
