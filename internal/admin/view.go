package admin

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// View is what a node knows of its cluster at one moment. Immutable.
type View struct {
	ClusterName string
	Topology    *cluster.Topology
	Schema      *schema.Snapshot
	// Members are what liveness says of the nodes of the topology, in its order.
	Members []Member
}

// Member is what liveness says of a node.
type Member struct {
	// Load is the size of the node's files in bytes, negative if not known.
	Load int64
	// Generation counts the node's starts, Heartbeat how often it had to say that
	// it lives.
	Generation, Heartbeat int64
	SchemaVersion         schema.UUID
}

// states of a node, as nodetool writes them.
const (
	stateNormal = "Normal"
	statusUp    = "Up"
	statusDown  = "Down"
)

func statusOf(n *cluster.Node) string {
	if n.Up {
		return statusUp
	}
	return statusDown
}

// storageAddress is what nodetool calls a node's address: the one for other
// nodes, without its port.
func storageAddress(n *cluster.Node) string {
	at, err := netip.ParseAddrPort(cmp.Or(n.Internode, n.Address))
	if err != nil {
		return n.Internode
	}
	return at.Addr().String()
}

// names are the addresses of the nodes, with ports if some share an address.
func (v *View) names() []string {
	out := make([]string, len(v.Topology.Nodes))
	seen := map[string]int{}
	for i := range v.Topology.Nodes {
		out[i] = storageAddress(&v.Topology.Nodes[i])
		seen[out[i]]++
	}
	if len(seen) == len(out) {
		return out
	}
	for i, n := range v.Topology.Nodes {
		out[i] = cmp.Or(n.Internode, n.Address)
	}
	return out
}

// load is the size of node i, negative if it is not known.
func (v *View) load(i int) int64 {
	if i >= len(v.Members) {
		return -1
	}
	return v.Members[i].Load
}

// datacenters are the names, in order, with the positions of their nodes.
func (v *View) datacenters() (names []string, nodes map[string][]int) {
	nodes = map[string][]int{}
	for i, n := range v.Topology.Nodes {
		if nodes[n.DC] == nil {
			names = append(names, n.DC)
		}
		nodes[n.DC] = append(nodes[n.DC], i)
	}
	slices.Sort(names)
	return names, nodes
}

// unlikeReplication is the note of nodetool when ownership depends on the
// keyspace.
const unlikeReplication = "Non-system keyspaces don't have the same replication settings, effective ownership information is meaningless"

// ownership is the part of the ring that each node holds: replicas of the
// keyspace, of any if they are all replicated alike, or else of tokens alone.
type ownership struct {
	parts     []float64
	effective bool
	note      string
}

func (v *View) ownership(keyspace string) (ownership, error) {
	if keyspace != "" {
		if v.Schema.Keyspace(keyspace) == nil {
			return ownership{}, fmt.Errorf("the keyspace %s does not exist", keyspace)
		}
		return v.replicated(keyspace), nil
	}
	names := make([]string, 0, len(v.Schema.Keyspaces))
	for name := range v.Schema.Keyspaces {
		names = append(names, name)
	}
	if len(names) == 0 {
		return ownership{parts: v.tokens()}, nil
	}
	slices.Sort(names)
	first := v.Schema.Keyspace(names[0]).Replication
	for _, name := range names[1:] {
		if !maps.Equal(first, v.Schema.Keyspace(name).Replication) {
			return ownership{parts: v.tokens(), note: unlikeReplication}, nil
		}
	}
	return v.replicated(names[0]), nil
}

// replicated is the ownership of replicas.
func (v *View) replicated(keyspace string) ownership {
	p := v.Topology.Keyspaces[keyspace]
	if p == nil {
		return ownership{parts: v.tokens()}
	}
	o := ownership{parts: make([]float64, len(v.Topology.Nodes)), effective: true}
	for i := range p.Ranges {
		set := &p.Ranges[i]
		size := part(set.Range)
		for _, node := range set.Read {
			o.parts[node] += size
		}
	}
	return o
}

// tokens is the ownership of the ranges that end at a node's tokens.
func (v *View) tokens() []float64 {
	parts := make([]float64, len(v.Topology.Nodes))
	all := v.sorted()
	for i, t := range all {
		before := all[(i+len(all)-1)%len(all)].token
		parts[t.node] += part(ring.Range{Start: before, End: t.token})
	}
	return parts
}

// part is how much of the ring a range is; one that ends where it begins is all
// of it.
func part(r ring.Range) float64 {
	if r.Start == r.End {
		return 1
	}
	return float64(uint64(r.End)-uint64(r.Start)) / (1 << 64)
}

type ownedToken struct {
	token ring.Token
	node  int
}

// sorted are all tokens with their owners.
func (v *View) sorted() (all []ownedToken) {
	for i, n := range v.Topology.Nodes {
		for _, t := range n.Tokens {
			all = append(all, ownedToken{t, i})
		}
	}
	slices.SortFunc(all, func(a, b ownedToken) int { return cmp.Compare(a.token, b.token) })
	return all
}

// formatLoad writes a size as nodetool does.
func formatLoad(bytes int64) string {
	if bytes < 0 {
		return "?"
	}
	for _, u := range []struct {
		shift int
		name  string
	}{{40, "TiB"}, {30, "GiB"}, {20, "MiB"}, {10, "KiB"}} {
		if bytes >= 1<<u.shift {
			return decimal(float64(bytes)/float64(int64(1)<<u.shift)) + " " + u.name
		}
	}
	return fmt.Sprintf("%d bytes", bytes)
}

// decimal writes at most two digits after the point.
func decimal(f float64) string {
	s := fmt.Sprintf("%.2f", f)
	for s[len(s)-1] == '0' {
		s = s[:len(s)-1]
	}
	if s[len(s)-1] == '.' {
		s = s[:len(s)-1]
	}
	return s
}
