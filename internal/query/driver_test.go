package query

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	gocql2 "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/gocql/gocql"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/internal/godriver"
	"github.com/ilion-db/ilion/internal/session"
	"github.com/ilion-db/ilion/internal/virtual"
	"github.com/ilion-db/ilion/ring"
)

// driverDB is a database with the node's own tables, served on a port.
func driverDB(t *testing.T) (db *testDB, host string, port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().(*net.TCPAddr).AddrPort()
	traces := &Traces{}
	db = newDB(t)
	local := virtual.Local{ClusterName: "Test Cluster", HostID: [16]byte{1, 2, 3, 4, 5, 6, 0x40, 8, 0x80, 9}, DC: "datacenter1", Rack: "rack1",
		Listen: netip.AddrPortFrom(addr.Addr(), 7000), RPC: addr, Tokens: []ring.Token{0}, Version: "0.1.0"}
	db.open(func(c *Config) {
		c.Traces = traces
		c.Virtual = virtual.New(virtual.Sources{Schema: db.cluster.Schema, Local: local, Topology: func() *cluster.Topology { return db.cluster.Topology() }})
	})
	s, err := session.New(session.Config{RequestTimeout: patience, WriteTimeout: patience}, db.Processor)
	if err != nil {
		t.Fatal(err)
	}
	db.OnEvent(s.Push)
	db.cluster.Subscribe(db.Announce)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		<-served
	})
	return db, addr.Addr().String(), int(addr.Port())
}

func TestGocql2(t *testing.T) {
	_, host, port := driverDB(t)
	c := gocql2.NewCluster(host)
	c.Port, c.Timeout, c.ConnectTimeout = port, 2*time.Minute, 2*time.Minute
	c.Consistency = gocql2.Quorum
	s, err := c.CreateSession()
	if err != nil {
		t.Fatal(err)
	}
	defer godriver.Close(s)
	for _, text := range []string{
		"CREATE KEYSPACE ks WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 1}",
		"CREATE TABLE ks.t (k int, c timeuuid, s text static, v map<text, int>, PRIMARY KEY (k, c))",
	} {
		if err := s.Query(text).Exec(); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	b := s.Batch(gocql2.LoggedBatch)
	for i := range 30 {
		b.Query("INSERT INTO ks.t (k, c, s, v) VALUES (?, ?, ?, ?)", i%2, gocql2.TimeUUID(), "x", map[string]int{"a": i})
	}
	if err := b.Exec(); err != nil {
		t.Fatal(err)
	}
	it := s.Query("SELECT k, v FROM ks.t WHERE k = ?", 1).PageSize(4).Iter()
	var k, rows, sum int
	var v map[string]int
	for it.Scan(&k, &v) {
		rows, sum = rows+1, sum+v["a"]
	}
	if err := it.Close(); err != nil || rows != 15 || sum != 225 {
		t.Errorf("%d rows, sum %d: %v", rows, sum, err)
	}
	// A result that changes its shape: v5 tells the client.
	count := func() int {
		it := s.Query("SELECT * FROM ks.t WHERE k = ?", 1).Iter()
		defer it.Close()
		row := map[string]any{}
		if !it.MapScan(row) {
			t.Fatal("no row")
		}
		return len(row)
	}
	if n := count(); n != 4 {
		t.Errorf("%d columns", n)
	}
	if err := s.Query("ALTER TABLE ks.t ADD extra int").Exec(); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != 5 {
		t.Errorf("%d columns after ALTER TABLE", n)
	}
	// The driver takes its time to read a changed schema; a new session does so
	// at once.
	later, err := c.CreateSession()
	if err != nil {
		t.Fatal(err)
	}
	defer godriver.Close(later)
	meta, err := later.KeyspaceMetadata("ks")
	if err != nil || meta.Tables["t"] == nil || len(meta.Tables["t"].Columns) != 5 {
		t.Errorf("%+v %v", meta, err)
	}
	if err := s.Query("SELECT * FROM ks.nothing").Exec(); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Error(err)
	}
}

func TestGocql1(t *testing.T) {
	db, host, port := driverDB(t)
	db.keyspace()
	db.exec("CREATE TABLE t (k text PRIMARY KEY, v blob)")
	c := gocql.NewCluster(host)
	c.Port, c.Timeout, c.ConnectTimeout, c.Keyspace = port, 2*time.Minute, 2*time.Minute, "ks"
	s, err := c.CreateSession()
	if err != nil {
		t.Fatal(err)
	}
	defer godriver.Close(s)
	for i := range 20 {
		if err := s.Query("INSERT INTO t (k, v) VALUES (?, ?)", strings.Repeat("k", i+1), []byte{byte(i)}).Exec(); err != nil {
			t.Fatal(err)
		}
	}
	var v []byte
	if err := s.Query("SELECT v FROM t WHERE k = ?", "kkk").Scan(&v); err != nil || len(v) != 1 || v[0] != 2 {
		t.Error(v, err)
	}
	var n int
	if err := s.Query("SELECT count(*) FROM t").Scan(&n); err != nil || n != 20 {
		t.Error(n, err)
	}
	if rows, err := s.Query("DESCRIBE KEYSPACE ks").Iter().SliceMap(); err != nil || len(rows) != 2 {
		t.Errorf("%v %v", rows, err)
	}
	if err := s.Query("INSERT INTO system.local (key) VALUES ('x')").Exec(); err == nil {
		t.Error("a system table was written")
	}
}

func TestSystemTables(t *testing.T) {
	db, _, _ := driverDB(t)
	rows, err := db.Query(context.Background(), Statement{Text: "SELECT cluster_name, data_center FROM system.local WHERE key = 'local'"})
	if err != nil {
		t.Fatal(err)
	}
	var name, dc string
	if !rows.Next() || rows.Scan(&name, &dc) != nil || name != "Test Cluster" || dc != "datacenter1" {
		t.Error(name, dc, rows.Err())
	}
	db.keyspace()
	db.exec("CREATE TABLE t (k int PRIMARY KEY)")
	db.want("t", "SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'ks'")
	db.fails(0x2100, "not user-modifiable", "DROP TABLE system.local")
	if rows, _ := db.query(Statement{Text: "DESCRIBE TABLE system.local"}); len(rows) != 1 || !strings.Contains(rows[0], "CREATE TABLE system.local") {
		t.Error(rows)
	}
}
