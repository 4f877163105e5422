package admin

import (
	"fmt"
	"io"
	"slices"
)

// Gossip is the answer of `ilion gossipinfo`.
type Gossip struct {
	Nodes []GossipNode `json:"nodes"`
}

// GossipNode is what the node that was asked has heard of another.
type GossipNode struct {
	Address    string `json:"address"`
	Generation int64  `json:"generation"`
	Heartbeat  int64  `json:"heartbeat"`
	Alive      bool   `json:"alive"`
	Status     string `json:"status"`
	Load       int64  `json:"load_bytes"`
	Schema     string `json:"schema"`
	Datacenter string `json:"dc"`
	Rack       string `json:"rack"`
	Internal   string `json:"internal_address_and_port"`
	Native     string `json:"native_address_and_port"`
	HostID     string `json:"host_id"`
	Tokens     int    `json:"tokens"`
}

func (v *View) gossip() *Gossip {
	g := &Gossip{}
	addresses := v.names()
	for i, n := range v.Topology.Nodes {
		node := GossipNode{
			Address: addresses[i], Alive: n.Up, Status: "NORMAL", Load: v.load(i), Schema: v.schemaVersion(i).String(),
			Datacenter: n.DC, Rack: n.Rack, Internal: n.Internode, Native: n.Address, HostID: n.HostID.String(), Tokens: len(n.Tokens),
		}
		if i < len(v.Members) {
			node.Generation, node.Heartbeat = v.Members[i].Generation, v.Members[i].Heartbeat
		}
		g.Nodes = append(g.Nodes, node)
	}
	slices.SortFunc(g.Nodes, func(a, b GossipNode) int { return compareAddresses(a.Address, b.Address) })
	return g
}

// WriteText writes the layout of `nodetool gossipinfo`.
func (g *Gossip) WriteText(w io.Writer) {
	for _, n := range g.Nodes {
		fmt.Fprintf(w, "/%s\n  generation:%d\n  heartbeat:%d\n", n.Address, n.Generation, n.Heartbeat)
		for _, pair := range [][2]string{
			{"STATUS", n.Status}, {"LOAD", fmt.Sprint(n.Load)}, {"SCHEMA", n.Schema}, {"DC", n.Datacenter}, {"RACK", n.Rack},
			{"INTERNAL_ADDRESS_AND_PORT", n.Internal}, {"NATIVE_ADDRESS_AND_PORT", n.Native}, {"HOST_ID", n.HostID},
			{"RPC_READY", fmt.Sprint(n.Alive)},
		} {
			fmt.Fprintf(w, "  %s:%s\n", pair[0], pair[1])
		}
		fmt.Fprintln(w, "  TOKENS:<hidden>")
	}
}
