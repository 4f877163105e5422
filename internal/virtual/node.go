package virtual

import (
	"cmp"
	"net/netip"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/schema"
)

// self is who the node is, with what Local leaves out filled in.
func (r *Registry) self() Local {
	l := r.src.Local
	var n cluster.Node
	if nodes := r.src.Topology().Nodes; len(nodes) > 0 && nodes[0].Local {
		n = nodes[0]
	}
	l.ClusterName = cmp.Or(l.ClusterName, "Test Cluster")
	l.DC = cmp.Or(l.DC, n.DC, "datacenter1")
	l.Rack = cmp.Or(l.Rack, n.Rack, "rack1")
	l.ReleaseVersion = cmp.Or(l.ReleaseVersion, ReleaseVersion)
	if l.HostID == (schema.UUID{}) {
		l.HostID = n.HostID
	}
	if len(n.Tokens) > 0 {
		l.Tokens = n.Tokens
	}
	if !l.RPC.IsValid() {
		l.RPC, _ = netip.ParseAddrPort(n.Address)
	}
	if !l.Listen.IsValid() && l.RPC.IsValid() {
		l.Listen = netip.AddrPortFrom(l.RPC.Addr(), storagePort)
	}
	if !l.Broadcast.IsValid() {
		l.Broadcast = l.Listen
	}
	return l
}

// storagePort is the port between nodes that is shown if none is known.
const storagePort = 7000

func (r *Registry) local(*schema.Table) []Row {
	l := r.self()
	return []Row{{
		"key":                     text("local"),
		"bootstrapped":            text("COMPLETED"),
		"broadcast_address":       inet(l.Broadcast.Addr()),
		"broadcast_port":          port(l.Broadcast),
		"cluster_name":            text(l.ClusterName),
		"cql_version":             text(CQLVersion),
		"data_center":             text(l.DC),
		"gossip_generation":       int32Value(l.Generation),
		"host_id":                 uuid(l.HostID),
		"listen_address":          inet(l.Listen.Addr()),
		"listen_port":             port(l.Listen),
		"native_protocol_version": text(NativeProtocolVersion),
		"partitioner":             text(Partitioner),
		"rack":                    text(l.Rack),
		"release_version":         text(l.ReleaseVersion),
		"rpc_address":             inet(l.RPC.Addr()),
		"rpc_port":                port(l.RPC),
		"schema_version":          uuid(r.src.Schema().Version),
		"tokens":                  tokenSet(l.Tokens),
	}}
}

// peer is another member that clients may be told of.
type peer struct {
	cluster.Node
	native    netip.AddrPort
	internode netip.AddrPort // its storage address, the key of its row
}

// known are the peers of which every value is known that drivers rely on;
// they drop others with a warning.
func (r *Registry) known() []peer {
	self := r.self()
	topology := r.src.Topology()
	uses := map[netip.Addr]int{self.RPC.Addr(): 1}
	out := make([]peer, 0, len(topology.Nodes))
	for _, n := range topology.Nodes {
		native, err := netip.ParseAddrPort(n.Address)
		if n.Local || n.HostID == self.HostID || err != nil || n.HostID == (schema.UUID{}) ||
			n.DC == "" || n.Rack == "" || len(n.Tokens) == 0 {
			continue
		}
		// A member that has not told its version yet must not keep clients from
		// seeing the schema in agreement.
		if n.SchemaVersion == (schema.UUID{}) {
			n.SchemaVersion = r.src.Schema().Version
		}
		internode, _ := netip.ParseAddrPort(n.Internode)
		uses[native.Addr()]++
		out = append(out, peer{Node: n, native: native, internode: internode})
	}
	for i := range out {
		p := &out[i]
		if p.internode.IsValid() {
			continue
		}
		// Nodes that share an address are told apart by their native ports, since
		// the port is a part of the key.
		port := cmp.Or(self.Broadcast.Port(), storagePort)
		if uses[p.native.Addr()] > 1 {
			port = p.native.Port()
		}
		p.internode = netip.AddrPortFrom(p.native.Addr(), port)
	}
	return out
}

// peers is keyed by the address alone: nodes that share the address of this
// node cannot be shown, and of others that share one the last is.
func (r *Registry) peers(*schema.Table) []Row {
	self := r.self()
	var out []Row
	for _, p := range r.known() {
		if p.internode.Addr() == self.Broadcast.Addr() {
			continue
		}
		out = append(out, Row{
			"peer":            inet(p.internode.Addr()),
			"data_center":     text(p.DC),
			"host_id":         uuid(p.HostID),
			"rack":            text(p.Rack),
			"release_version": text(self.ReleaseVersion),
			"rpc_address":     inet(p.native.Addr()),
			"schema_version":  uuid(p.SchemaVersion),
			"tokens":          tokenSet(p.Tokens),
		})
	}
	return out
}

func (r *Registry) peersV2(*schema.Table) []Row {
	release := r.self().ReleaseVersion
	var out []Row
	for _, p := range r.known() {
		out = append(out, Row{
			"peer":            inet(p.internode.Addr()),
			"peer_port":       port(p.internode),
			"data_center":     text(p.DC),
			"host_id":         uuid(p.HostID),
			"native_address":  inet(p.native.Addr()),
			"native_port":     port(p.native),
			"rack":            text(p.Rack),
			"release_version": text(release),
			"schema_version":  uuid(p.SchemaVersion),
			"tokens":          tokenSet(p.Tokens),
		})
	}
	return out
}
