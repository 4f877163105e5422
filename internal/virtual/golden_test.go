package virtual

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/internal/golden"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

func dump(t *testing.T, b *strings.Builder, r *Registry, keyspace, table string, keep func(map[string]string) bool) {
	t.Helper()
	fmt.Fprintf(b, "%s.%s\n", keyspace, table)
	for _, row := range rowsIn(t, r, keyspace, table) {
		if !keep(row) {
			continue
		}
		b.WriteString(" ")
		for _, c := range r.Lookup(keyspace, table).Def.Columns() {
			if v, ok := row[c.Name]; ok {
				fmt.Fprintf(b, " %s=%s", c.Name, v)
			}
		}
		b.WriteString("\n")
	}
}

// TestSchemaGolden has all of system_schema, of the system keyspaces one table
// each.
func TestSchemaGolden(t *testing.T) {
	r := registry(t)
	var b strings.Builder
	own := func(row map[string]string) bool {
		switch row["keyspace_name"] {
		case "'shop'":
			return true
		case "'system'":
			return row["table_name"] == "'IndexInfo'" || row["table_name"] == ""
		}
		return row["table_name"] == ""
	}
	for _, table := range slices.Sorted(maps.Keys(definitions().planned["system_schema"].Tables)) {
		dump(t, &b, r, "system_schema", table, own)
	}
	dump(t, &b, r, "system_virtual_schema", "keyspaces", own)
	dump(t, &b, r, "system_virtual_schema", "tables", func(map[string]string) bool { return true })
	dump(t, &b, r, "system_virtual_schema", "columns", func(row map[string]string) bool { return row["table_name"] == "'clients'" })
	golden.Check(t, "schema.txt", b.String())
}

// full has a row in every table that a field of Sources is for.
func full(t *testing.T) *Registry {
	id := func(b byte) schema.UUID { return schema.UUID{6: 0x10, 8: 0x80, 15: b} }
	client, node := netip.MustParseAddrPort("[::ffff:10.0.0.9]:5555"), netip.MustParseAddrPort("10.0.0.1:9042")
	src := registry(t).src
	src.Clients = func() []Client {
		return []Client{
			{Address: client, DriverName: "gocql", ProtocolVersion: 5, Requests: 12, Options: map[string]string{"CQL_VERSION": "3.0.0"}, Keyspace: "shop"},
			{Address: netip.MustParseAddrPort("[2001:db8::1]:80"), Username: "ann", TLSProtocol: "TLSv1.3", TLSCipherSuite: "AES"},
			{Address: netip.MustParseAddrPort("10.0.0.9:1"), Stage: "start"}}
	}
	src.Gossip = func() []Gossip {
		return []Gossip{
			{Address: netip.MustParseAddrPort("10.0.0.1:7000"), Native: node, HostID: id(7), Generation: 3, Heartbeat: 1, Alive: true, Status: "NORMAL",
				Load: 4096, DC: "dc1", Rack: "r1", Schema: id(8)},
			{Address: netip.MustParseAddrPort("10.0.0.2:7000"), Load: -1}}
	}
	src.PendingHints = func() []PendingHints {
		return []PendingHints{{Node: netip.MustParseAddrPort("10.0.0.2:7000"), HostID: id(7), DC: "dc1", Rack: "r1", Files: 2, Bytes: 99, Oldest: 1000},
			{Node: netip.MustParseAddrPort("10.0.0.3:7000"), HostID: id(8), Alive: true}}
	}
	src.Settings = func() [][2]string { return [][2]string{{"b", "2"}, {"a", "1"}, {"empty", ""}} }
	src.Properties = func() [][2]string { return [][2]string{{"os.arch", "amd64"}} }
	src.DiskUsage = func() []DiskUsage {
		return []DiskUsage{{Keyspace: "shop", Table: "orders", Bytes: mebibyte + 1, LargestSSTable: mebibyte}}
	}
	src.SSTableTasks = func() []SSTableTask {
		return []SSTableTask{{Keyspace: "shop", Table: "orders", ID: id(1), Progress: 1, Total: 4, SSTables: 3, Directory: "data"}}
	}
	src.Caches = func() []Cache {
		return []Cache{{Name: "blocks", CapacityBytes: 9, Hits: 1, Requests: 2}, {Name: "idle"}}
	}
	src.ThreadPools = func() []ThreadPool { return []ThreadPool{{Name: "workers", Active: 1, Limit: 2, Completed: 3}} }
	src.SizeEstimates = func() []SizeEstimate {
		return []SizeEstimate{{Keyspace: "shop", Table: "orders", Start: 5, End: ring.Token(-9), MeanPartition: 10, Partitions: 20},
			{Keyspace: "shop", Table: "hits", Start: -9, End: 5}}
	}
	src.Prepared = func() []Prepared { return []Prepared{{ID: []byte{1, 2}, Keyspace: "shop", Query: "SELECT"}} }
	src.CompactionHistory = func() []Compaction {
		return []Compaction{{ID: id(2), Keyspace: "shop", Table: "orders", At: 1000, BytesIn: 2, BytesOut: 1, RowsMerged: map[int32]int64{2: 8, 1: 3}}}
	}
	src.TraceSessions = func() []TraceSession {
		return []TraceSession{{ID: id(3), Client: client.Addr(), Coordinator: node, Command: "QUERY", Request: "Execute CQL3 query",
			Parameters: map[string]string{"query": "SELECT"}, StartedAt: 5, Duration: 1 << 40}, {ID: id(4), Duration: -1}}
	}
	src.TraceEvents = func() []TraceEvent {
		return []TraceEvent{{Session: id(3), ID: id(6), Activity: "second", Source: node, Elapsed: 9}, {Session: id(3), ID: id(5), Activity: "first", Source: node}}
	}
	src.More = map[string]func() []Row{"system_auth.roles": func() []Row {
		return []Row{{"role": text("ann"), "can_login": boolean(true)}, {"can_login": boolean(true)}, {"role": text("ann"), "can_login": boolean(false)}}
	}}
	return New(src)
}

func TestRowsGolden(t *testing.T) {
	r := full(t)
	var b strings.Builder
	names := append(slices.Collect(maps.Keys(fillers)), "system_auth.roles")
	for _, name := range slices.Sorted(slices.Values(names)) {
		ks, table, _ := strings.Cut(name, ".")
		dump(t, &b, r, ks, table, func(map[string]string) bool { return true })
	}
	golden.Check(t, "rows.txt", b.String())
}
