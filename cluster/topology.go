package cluster

import (
	"sort"

	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// Topology is an immutable picture of the members and of who holds what.
type Topology struct {
	Epoch uint64
	Nodes []Node // the local node first
	// Keyspaces holds the placements by the keyspace's name.
	Keyspaces map[string]*Placement
	// Tables finds the placement of a table by its id.
	Tables map[schema.TableID]*Placement
}

// BlockFor is how many answers a level wants for a table, as clients are told:
// by its keyspace's factors, also where there are fewer nodes. A table that is
// not there counts as one with one replica.
func (t *Topology) BlockFor(id schema.TableID, level ring.ConsistencyLevel) int {
	if p := t.Tables[id]; p != nil {
		return p.BlockFor(level, t.Nodes[0].DC)
	}
	return level.BlockFor(1)
}

// BlockFor is how many replicas must answer at a level, for a node of the data
// centre: by the factors, also where there are fewer nodes. At EACH_QUORUM it is
// the sum over the data centres.
func (p *Placement) BlockFor(level ring.ConsistencyLevel, local string) int {
	switch {
	case p.Factors == nil:
		return level.BlockFor(p.RF)
	case level == ring.EachQuorum:
		sum := 0
		for _, rf := range p.Factors {
			if rf > 0 {
				sum += ring.QuorumOf(rf)
			}
		}
		return sum
	case level.IsLocal():
		return level.BlockFor(p.Factors[local])
	}
	return level.BlockFor(p.RF)
}

// Node is a member.
type Node struct {
	HostID        schema.UUID
	Address       string // of CQL clients, "ip:port"
	Internode     string // of other nodes, "ip:port"; "" if there are none
	DC, Rack      string
	Tokens        []ring.Token
	SchemaVersion schema.UUID
	Local, Up     bool
}

// Placement says who holds the ranges of a keyspace. Immutable.
type Placement struct {
	// RF is how many replicas the keyspace asks for, which may be more than
	// there are nodes; Factors is the same by data centre, nil for
	// SimpleStrategy.
	RF      int
	Factors map[string]int
	// Ranges ascend by Range.End and cover the ring; the first one wraps around.
	Ranges []ReplicaSet
}

// ReplicaSet are the replicas of one range. Immutable.
type ReplicaSet struct {
	Range ring.Range
	// Read and Write are positions in Topology.Nodes, in the order in which the
	// strategy names them. They differ only while a range moves.
	Read, Write []int
	// Changed is the epoch in which the owners last changed.
	Changed uint64
}

// Replicas are those of a token.
func (p *Placement) Replicas(t ring.Token) *ReplicaSet {
	i := sort.Search(len(p.Ranges), func(i int) bool { return p.Ranges[i].Range.End >= t })
	if i == len(p.Ranges) {
		i = 0
	}
	return &p.Ranges[i]
}
