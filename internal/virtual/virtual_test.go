package virtual

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cql/exec"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

var hosts = []schema.UUID{{0xa0}, {0xa1}, {0xa2}, {0xa3}}

// users is a schema with something of everything that is shown.
func users(t testing.TB) *schema.Snapshot {
	t.Helper()
	s := schema.NewSnapshot()
	apply := func(c schema.Change) {
		t.Helper()
		var err error
		if s, err = s.Apply(c, s.Epoch+1); err != nil {
			t.Fatal(err)
		}
	}
	apply(schema.Change{Kind: schema.CreateKeyspace, Keyspace: &schema.Keyspace{Name: "shop",
		Replication: map[string]string{"class": schema.NetworkTopologyStrategy, "dc1": "3"}, DurableWrites: true}})
	address := schema.UDTOf("shop", "address", []string{"street", "zip"}, []*schema.Type{schema.TypeText, schema.TypeInt}, false)
	apply(schema.Change{Kind: schema.CreateType, Type: address})
	apply(schema.Change{Kind: schema.CreateTable, Table: &schema.Table{
		ID: schema.UUID{1}, Keyspace: "shop", Name: "orders", Options: schema.DefaultOptions(), NextColumnID: 8,
		PartitionKey: []*schema.Column{{ID: 1, Name: "customer", Type: schema.TypeUUID}},
		Clustering:   []*schema.Column{{ID: 2, Name: "at", Kind: schema.Clustering, Type: schema.TypeTimestamp, Desc: true}},
		Static:       []*schema.Column{{ID: 3, Name: "home", Kind: schema.Static, Position: -1, Type: address.Freeze()}},
		Regular:      []*schema.Column{{ID: 4, Name: "items", Kind: schema.Regular, Position: -1, Type: schema.ListOf(schema.TypeText, false)}},
		Dropped: []schema.DroppedColumn{
			{ID: 5, Name: "note", Kind: schema.Regular, Type: schema.TypeText, DroppedAt: 1_000_000},
			{ID: 6, Name: "note", Kind: schema.Regular, Type: schema.TypeText, DroppedAt: 2_000_000}},
	}})
	counter := schema.DefaultOptions()
	counter.CDC, counter.AllowAutoSnapshot, counter.Memtable = true, false, "trie"
	apply(schema.Change{Kind: schema.CreateTable, Table: &schema.Table{
		ID: schema.UUID{2}, Keyspace: "shop", Name: "hits", Options: counter, NextColumnID: 3,
		PartitionKey: []*schema.Column{{ID: 1, Name: "page", Type: schema.TypeText}},
		Regular:      []*schema.Column{{ID: 2, Name: "n", Kind: schema.Regular, Position: -1, Type: schema.TypeCounter}},
	}})
	return s
}

func topology(version schema.UUID) *cluster.Topology {
	node := func(i int, address string) cluster.Node {
		return cluster.Node{HostID: hosts[i], Address: address, DC: "dc1", Rack: "r1", Tokens: []ring.Token{ring.Token(i), -5},
			SchemaVersion: version, Up: true}
	}
	top := &cluster.Topology{Epoch: 1, Nodes: []cluster.Node{node(0, "10.0.0.1:9042"), node(1, "10.0.0.2:9042"), node(2, "10.0.0.3:9042")}}
	top.Nodes[0].Local = true
	return top
}

func registry(t testing.TB) *Registry {
	user := users(t)
	top := topology(user.Version)
	return New(Sources{
		Schema:   func() *schema.Snapshot { return user },
		Topology: func() *cluster.Topology { return top },
		Local:    Local{Generation: 7, Version: "1.2.3", Build: "abc"},
	})
}

func rowsIn(t testing.TB, r *Registry, keyspace, table string) []map[string]string {
	t.Helper()
	tab := r.Lookup(keyspace, table)
	if tab == nil {
		t.Fatalf("no table %s.%s", keyspace, table)
	}
	src, err := tab.Rows(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for _, row := range drain(t, src) {
		out = append(out, named(t, tab.Def, row))
	}
	return out
}

func drain(t testing.TB, src exec.RowSource) (out [][][]byte) {
	t.Helper()
	for row, ok := src.Next(); ok; row, ok = src.Next() {
		out = append(out, row)
	}
	if err := src.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// named checks that every value is one of its column's type and leaves nulls
// out.
func named(t testing.TB, def *schema.Table, row [][]byte) map[string]string {
	t.Helper()
	cols := def.Columns()
	if len(row) != len(cols) {
		t.Fatalf("%s: a row of %d values for %d columns", def.Name, len(row), len(cols))
	}
	out := map[string]string{}
	for i, c := range cols {
		if row[i] == nil {
			if c.Kind == schema.PartitionKey || c.Kind == schema.Clustering {
				t.Fatalf("%s.%s is null", def.Name, c.Name)
			}
			continue
		}
		if err := c.Type.Validate(row[i]); err != nil {
			t.Fatalf("%s.%s: %v", def.Name, c.Name, err)
		}
		out[c.Name] = c.Type.Format(row[i])
	}
	return out
}

func TestLocalHasWhatDriversNeed(t *testing.T) {
	r := registry(t)
	rows := rowsIn(t, r, "system", "local")
	if len(rows) != 1 {
		t.Fatalf("%d rows", len(rows))
	}
	want := map[string]string{
		"key": "'local'", "release_version": "'5.0.8'", "cql_version": "'3.4.7'", "native_protocol_version": "'5'",
		"partitioner": "'org.apache.cassandra.dht.Murmur3Partitioner'", "cluster_name": "'Test Cluster'", "data_center": "'dc1'",
		"rack": "'r1'", "host_id": hosts[0].String(), "tokens": "{'-5', '0'}", "schema_version": r.src.Schema().Version.String(),
		"bootstrapped": "'COMPLETED'", "rpc_address": "'10.0.0.1'", "rpc_port": "9042", "listen_address": "'10.0.0.1'",
		"listen_port": "7000", "broadcast_address": "'10.0.0.1'", "broadcast_port": "7000", "gossip_generation": "7",
	}
	for name, v := range want {
		if rows[0][name] != v {
			t.Errorf("%s is %s, not %s", name, rows[0][name], v)
		}
	}
	if len(rows[0]) != len(want) {
		t.Errorf("values for %d columns, not %d: %v", len(rows[0]), len(want), rows[0])
	}
}

func TestLocalWithoutTopology(t *testing.T) {
	user := users(t)
	r := New(Sources{Schema: func() *schema.Snapshot { return user }, Local: Local{HostID: hosts[3], Tokens: []ring.Token{9},
		RPC: netip.MustParseAddrPort("127.0.0.1:9042")}})
	row := rowsIn(t, r, "system", "local")[0]
	for name, v := range map[string]string{"data_center": "'datacenter1'", "rack": "'rack1'", "host_id": hosts[3].String(), "tokens": "{'9'}"} {
		if row[name] != v {
			t.Errorf("%s is %s, not %s", name, row[name], v)
		}
	}
	if rows := rowsIn(t, r, "system", "peers_v2"); rows != nil {
		t.Errorf("peers %v", rows)
	}
}

func TestPeersAreTheOthers(t *testing.T) {
	r := registry(t)
	for table, needed := range map[string]string{
		"peers":    "peer rpc_address host_id data_center rack tokens schema_version release_version",
		"peers_v2": "peer peer_port native_address native_port host_id data_center rack tokens schema_version release_version",
	} {
		rows := rowsIn(t, r, "system", table)
		if len(rows) != 2 {
			t.Fatalf("%s: %d rows", table, len(rows))
		}
		for _, row := range rows {
			for name := range strings.FieldsSeq(needed) {
				if row[name] == "" {
					t.Errorf("%s: %s is null", table, name)
				}
			}
			if row["peer"] == "'10.0.0.1'" || row["host_id"] == hosts[0].String() {
				t.Errorf("%s has the node itself", table)
			}
			if row["schema_version"] != r.src.Schema().Version.String() {
				t.Errorf("%s: another schema version", table)
			}
		}
	}
}

func TestPeersLeftOut(t *testing.T) {
	user := users(t)
	for name, change := range map[string]func(*cluster.Node){
		"no host id": func(n *cluster.Node) { n.HostID = schema.UUID{} },
		"no tokens":  func(n *cluster.Node) { n.Tokens = nil },
		"no rack":    func(n *cluster.Node) { n.Rack = "" },
		"no dc":      func(n *cluster.Node) { n.DC = "" },
		"no address": func(n *cluster.Node) { n.Address = "" },
		"itself":     func(n *cluster.Node) { n.HostID = hosts[0] },
	} {
		top := topology(user.Version)
		change(&top.Nodes[2])
		r := New(Sources{Schema: func() *schema.Snapshot { return user }, Topology: func() *cluster.Topology { return top }})
		for _, table := range []string{"peers", "peers_v2"} {
			if n := len(rowsIn(t, r, "system", table)); n != 1 {
				t.Errorf("%s: %s has %d rows", name, table, n)
			}
		}
	}
}

func TestNodesOfOneAddress(t *testing.T) {
	user := users(t)
	top := topology(schema.UUID{})
	for i := range top.Nodes {
		top.Nodes[i].Address = fmt.Sprintf("127.0.0.1:%d", 9042+i)
	}
	r := New(Sources{Schema: func() *schema.Snapshot { return user }, Topology: func() *cluster.Topology { return top }})
	rows := rowsIn(t, r, "system", "peers_v2")
	if len(rows) != 2 || rows[0]["peer_port"] != "9043" || rows[1]["native_port"] != "9044" {
		t.Errorf("peers_v2: %v", rows)
	}
	if rows[0]["schema_version"] != user.Version.String() {
		t.Errorf("a version that is not known keeps clients waiting: %v", rows[0])
	}
	if rows := rowsIn(t, r, "system", "peers"); rows != nil {
		t.Errorf("peers: %v", rows)
	}
}

// TestInternodeAddresses has nodes that serve peers elsewhere than clients.
func TestInternodeAddresses(t *testing.T) {
	user := users(t)
	top := topology(user.Version)
	for i := range top.Nodes {
		top.Nodes[i].Internode = fmt.Sprintf("10.1.0.%d:%d", i+1, 7000+i)
	}
	r := New(Sources{Schema: func() *schema.Snapshot { return user }, Topology: func() *cluster.Topology { return top },
		Local: Local{Listen: netip.MustParseAddrPort("10.1.0.1:7000")}})
	rows := rowsIn(t, r, "system", "peers_v2")
	if len(rows) != 2 || rows[0]["peer"] != "'10.1.0.2'" || rows[0]["peer_port"] != "7001" || rows[0]["native_address"] != "'10.0.0.2'" {
		t.Errorf("peers_v2: %v", rows)
	}
	rows = rowsIn(t, r, "system", "peers")
	if len(rows) != 2 || rows[1]["peer"] != "'10.1.0.3'" || rows[1]["rpc_address"] != "'10.0.0.3'" {
		t.Errorf("peers: %v", rows)
	}
}

func TestSnapshot(t *testing.T) {
	r := registry(t)
	user := r.src.Schema()
	full := r.Snapshot(user)
	if full.Epoch != user.Epoch || full.Version != user.Version {
		t.Error("another epoch or version")
	}
	if full != r.Snapshot(user) {
		t.Error("not the same snapshot for the same schema")
	}
	if full.Table("shop", "orders") != user.Table("shop", "orders") || full.TableByID(schema.UUID{1}) == nil {
		t.Error("a table of the users is missing")
	}
	if user.Keyspace("system") != nil {
		t.Error("the users' schema was changed")
	}
	local := full.Table("system", "local")
	if !local.Virtual || r.Lookup("system", "local").Def != local {
		t.Error("system.local is not the virtual table")
	}
	if local.ID.String() != "7ad54392-bcdd-35a6-8417-4e047860b377" {
		t.Errorf("id %s of system.local", local.ID)
	}
	shown := r.Described(user)
	if text := shown.Table("system", "local").CreateStatement(false); !strings.HasPrefix(text, "CREATE TABLE system.local (") {
		t.Error(text)
	}
	if text := shown.Table("system_views", "clients").CreateStatement(false); !strings.Contains(text, "VIRTUAL TABLE system_views.clients (") {
		t.Error(text)
	}
	if r.Lookup("system", "no_such") != nil || r.Lookup("shop", "orders") != nil {
		t.Error("found what is not there")
	}
	if _, err := r.Rows(t.Context(), user.Table("shop", "orders")); err == nil {
		t.Error("rows of a user's table")
	}
}

func TestContextEndsRows(t *testing.T) {
	r := registry(t)
	ctx, cancel := context.WithCancel(t.Context())
	src, err := r.Lookup("system_schema", "columns").Rows(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, ok := src.Next(); ok || src.Err() == nil {
		t.Error("rows after the context ended")
	}
}
