package node

import (
	"cmp"
	"encoding/binary"
	"net/netip"

	"github.com/ilion-db/ilion/internal/config"
	"github.com/ilion-db/ilion/internal/virtual"
	"github.com/ilion-db/ilion/schema"
)

// virtualTables makes the system tables show this node.
func (n *Node) virtualTables() *virtual.Registry {
	c := &n.opts.Config
	rpc, err := netip.ParseAddrPort(n.nativeAddress())
	if err != nil {
		rpc = netip.AddrPort{} // an embedded node has no address
	}
	listen := netip.AddrPortFrom(rpc.Addr(), internodePort)
	if n.network != nil {
		listen = netip.MustParseAddrPort(n.network.address)
	}
	return virtual.New(virtual.Sources{
		Schema:   n.cluster.Schema,
		Topology: n.cluster.Topology,
		Local: virtual.Local{
			ClusterName: c.ClusterName, HostID: n.identity.HostID, DC: c.DC, Rack: c.Rack,
			Listen: listen, RPC: rpc, Tokens: n.tokens(),
			Generation: int32(n.opts.Clock.Now().Unix()), Version: n.opts.Version,
		},
		Gossip:        n.gossipRows,
		PendingHints:  n.hintRows,
		Clients:       n.clientRows,
		Settings:      n.settingRows,
		DiskUsage:     n.diskUsageRows,
		SSTableTasks:  n.taskRows,
		Caches:        n.cacheRows,
		SizeEstimates: n.sizeRows,
		Prepared:      n.preparedRows,
		TraceSessions: n.traceSessions,
		TraceEvents:   n.traceEvents,
	})
}

// internodePort is what an embedded node shows, which no other node reaches.
const internodePort = 7000

// gossipRows are what this node has heard of all members.
func (n *Node) gossipRows() (rows []virtual.Gossip) {
	v := n.view()
	for i, node := range v.Topology.Nodes {
		m := &v.Members[i]
		row := virtual.Gossip{
			HostID: node.HostID, Generation: int32(m.Generation), Heartbeat: int32(m.Heartbeat), Alive: node.Up,
			Status: "NORMAL", Load: m.Load, DC: node.DC, Rack: node.Rack, Schema: m.SchemaVersion,
		}
		row.Address, _ = netip.ParseAddrPort(cmp.Or(node.Internode, node.Address))
		row.Native, _ = netip.ParseAddrPort(node.Address)
		rows = append(rows, row)
	}
	return rows
}

// hintRows are the hints that wait for other nodes, or for this one's store.
func (n *Node) hintRows() (rows []virtual.PendingHints) {
	if n.network == nil {
		return nil
	}
	for _, node := range n.view().Topology.Nodes {
		_, bytes, oldest := n.network.hints.Pending(node.HostID)
		if bytes == 0 {
			continue
		}
		row := virtual.PendingHints{HostID: node.HostID, DC: node.DC, Rack: node.Rack, Alive: node.Up, Files: 1, Bytes: bytes, Oldest: oldest / 1000}
		row.Node, _ = netip.ParseAddrPort(node.Internode)
		rows = append(rows, row)
	}
	return rows
}

func (n *Node) clientRows() (rows []virtual.Client) {
	if n.session == nil {
		return nil
	}
	for _, c := range n.session.Clients() {
		rows = append(rows, virtual.Client{
			Address: c.Remote, Hostname: c.Remote.Addr().String(), Username: c.User, Stage: c.Stage,
			Keyspace: c.Keyspace, DriverName: c.Driver, DriverVersion: c.DriverVersion, Options: c.Options,
			ProtocolVersion: int32(c.Version), Requests: int64(c.Requests),
		})
	}
	return rows
}

func (n *Node) settingRows() (rows [][2]string) {
	for _, s := range config.Settings() {
		rows = append(rows, [2]string{s.Key(), s.Get(&n.opts.Config)})
	}
	return rows
}

// eachTable calls f with every table of the users.
func (n *Node) eachTable(f func(*schema.Table)) {
	for _, ks := range n.cluster.Schema().Keyspaces {
		for _, t := range ks.Tables {
			f(t)
		}
	}
}

func (n *Node) diskUsageRows() (rows []virtual.DiskUsage) {
	n.eachTable(func(t *schema.Table) {
		if s, err := n.engine.TableStats(t.ID); err == nil {
			rows = append(rows, virtual.DiskUsage{Keyspace: t.Keyspace, Table: t.Name, Bytes: s.FileBytes})
		}
	})
	return rows
}

func (n *Node) sizeRows() (rows []virtual.SizeEstimate) {
	tokens := n.tokens()
	n.eachTable(func(t *schema.Table) {
		s, err := n.engine.TableStats(t.ID)
		if err != nil || s.Partitions == 0 {
			return
		}
		ranges := int64(len(tokens))
		for i, end := range tokens {
			start := tokens[(i+len(tokens)-1)%len(tokens)]
			rows = append(rows, virtual.SizeEstimate{
				Keyspace: t.Keyspace, Table: t.Name, Start: start, End: end,
				Partitions: max(s.Partitions/ranges, 1), MeanPartition: (s.FileBytes + s.MemtableBytes) / s.Partitions,
			})
		}
	})
	return rows
}

func (n *Node) cacheRows() []virtual.Cache {
	s := n.engine.Stats().Cache
	return []virtual.Cache{{
		Name: "blocks", CapacityBytes: s.Limit, SizeBytes: s.Bytes, Entries: int32(s.Blocks),
		Hits: int64(s.Hits), Requests: int64(s.Hits + s.Misses),
	}}
}

func (n *Node) taskRows() (rows []virtual.SSTableTask) {
	for _, k := range n.engine.Tasks() {
		t := n.cluster.Schema().TableByID(k.Table)
		if t == nil {
			continue // dropped meanwhile
		}
		row := virtual.SSTableTask{
			Keyspace: t.Keyspace, Table: t.Name, Kind: k.Kind, Unit: "bytes", Progress: k.Done, Total: k.Total,
			Directory: n.opts.Config.DataDir + "/data",
		}
		binary.BigEndian.PutUint64(row.ID[8:], k.ID)
		rows = append(rows, row)
	}
	return rows
}

func (n *Node) preparedRows() (rows []virtual.Prepared) {
	for _, s := range n.query.PreparedStatements() {
		rows = append(rows, virtual.Prepared{ID: s.ID[:], Keyspace: s.Keyspace, Query: s.Text})
	}
	return rows
}

func (n *Node) traceSessions() (rows []virtual.TraceSession) {
	for _, s := range n.traces.Sessions() {
		coordinator, _ := netip.ParseAddrPort(s.Coordinator)
		d := s.Duration.Microseconds()
		if s.Duration == 0 {
			d = -1
		}
		rows = append(rows, virtual.TraceSession{
			ID: s.ID, Client: s.Client.Addr(), Coordinator: coordinator, Command: s.Command, Request: s.Request,
			Parameters: s.Parameters, StartedAt: s.StartedAt.UnixMilli(), Duration: d,
		})
	}
	return rows
}

func (n *Node) traceEvents() (rows []virtual.TraceEvent) {
	for _, s := range n.traces.Sessions() {
		source, _ := netip.ParseAddrPort(s.Coordinator)
		for _, e := range s.Events {
			rows = append(rows, virtual.TraceEvent{
				Session: s.ID, ID: e.ID, Activity: e.Activity, Source: source, Elapsed: e.Elapsed.Microseconds(), Thread: "session",
			})
		}
	}
	return rows
}
