package clienttest

import (
	"fmt"
	"testing"
)

func TestConnect(t *testing.T) {
	s := sharedServer(t)
	for _, d := range drivers {
		for _, version := range []int{3, 4, 5} {
			if version == 5 && d.name == "gocql1" {
				continue // that driver cannot
			}
			for _, compress := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s v%d compress %t", d.name, version, compress), func(t *testing.T) {
					db, err := d.connect(s.port, connectOptions{version: version, compress: compress})
					if err != nil {
						t.Fatal(err)
					}
					defer db.close()
					it := db.query(paging{}, "SELECT cluster_name, data_center, partitioner, release_version FROM system.local")
					var name, dc, partitioner, release string
					it.Scan(&name, &dc, &partitioner, &release)
					if err := it.Close(); err != nil {
						t.Fatal(err)
					}
					if name != "Test Cluster" || dc != "datacenter1" || partitioner != "org.apache.cassandra.dht.Murmur3Partitioner" || release < "4.0" {
						t.Errorf("local: %q %q %q %q", name, dc, partitioner, release)
					}
				})
			}
		}
	}
}

func TestConnectToKeyspace(t *testing.T) {
	forDrivers(t, func(t *testing.T, e *env) {
		e.must("CREATE TABLE KS.k (k int PRIMARY KEY, v text)")
		db, err := e.driver.connect(e.server.port, connectOptions{keyspace: e.ks})
		if err != nil {
			t.Fatal(err)
		}
		defer db.close()
		if err := db.exec("INSERT INTO k (k, v) VALUES (?, ?)", 1, "here"); err != nil {
			t.Fatal(err)
		}
		e.want([]string{"v:here"}, "SELECT v FROM KS.k WHERE k = 1")
		if _, err := e.driver.connect(e.server.port, connectOptions{keyspace: "nokeyspace"}); err == nil {
			t.Error("connected to a keyspace that is none")
		}
	})
}

func TestSchema(t *testing.T) {
	forDrivers(t, func(t *testing.T, e *env) {
		e.must(`CREATE TABLE KS.t (a int, "B" text, c timestamp, d timeuuid, s text static, v map<text, frozen<list<int>>>,
			PRIMARY KEY ((a, "B"), c, d)) WITH CLUSTERING ORDER BY (c DESC, d ASC) AND comment = 'it''s'`)
		check := func(want string) {
			t.Helper()
			// A driver learns of changes by events.
			err := poll(requestTimeout, func() error {
				k, err := e.keyspace(e.ks)
				if err != nil {
					return err
				}
				i := k.tables["t"]
				got := fmt.Sprint(i.partition, i.clustering, i.descending["c"], i.descending["d"], i.columns)
				if got != want {
					return fmt.Errorf("schema:\n got %s\nwant %s", got, want)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		}
		check("[a B] [c d] true false map[B:partition_key a:partition_key c:clustering_key d:clustering_key s:static v:regular]")
		e.must("ALTER TABLE KS.t ADD (w int, x list<text>)")
		e.must("ALTER TABLE KS.t DROP v")
		check("[a B] [c d] true false map[B:partition_key a:partition_key c:clustering_key d:clustering_key s:static w:regular x:regular]")
		for _, ks := range []string{"system", "system_schema"} {
			if _, err := e.keyspace(ks); err != nil {
				t.Errorf("%s: %v", ks, err)
			}
		}
		e.must("DROP KEYSPACE KS")
		if err := poll(requestTimeout, func() error {
			if k, err := e.keyspace(e.ks); err == nil {
				return fmt.Errorf("still there: %v", k)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
}

// TestPreparedSelectStar: a prepared SELECT * shows a new column.
func TestPreparedSelectStar(t *testing.T) {
	forDrivers(t, func(t *testing.T, e *env) {
		e.must("CREATE TABLE KS.s (k int PRIMARY KEY, v text)")
		e.must("INSERT INTO KS.s (k, v) VALUES (1, 'x')")
		e.want([]string{"k:1 v:x"}, "SELECT * FROM KS.s WHERE k = ?", 1)
		e.must("ALTER TABLE KS.s ADD w int")
		e.must("UPDATE KS.s SET w = 5 WHERE k = 1")
		if e.driver.name == "gocql2" { // v5 tells the driver
			e.want([]string{"k:1 v:x w:5"}, "SELECT * FROM KS.s WHERE k = ?", 1)
		}
		e.want([]string{"k:1 v:x w:5"}, "SELECT k, v, w FROM KS.s WHERE k = ?", 1)
	})
}

// TestRestart: what was written and what the driver prepared survive a
// restart, and the driver finds the server again.
func TestRestart(t *testing.T) {
	for _, end := range []struct {
		name string
		f    func(s *server)
	}{{"SIGTERM", (*server).stop}, {"SIGKILL", (*server).kill}} {
		t.Run(end.name, func(t *testing.T) {
			s := startServer(t, serverOptions{})
			var envs []*env
			for _, d := range drivers {
				e := newEnv(t, s, d)
				e.must("CREATE TABLE KS.r (k int PRIMARY KEY, v text)")
				if err := parallel(1000, 32, func(i int) error {
					return e.exec(e.in("INSERT INTO KS.r (k, v) VALUES (?, ?)"), i, "before")
				}); err != nil {
					t.Fatal(err)
				}
				envs = append(envs, e)
			}
			end.f(s)
			for _, e := range envs {
				if err := e.exec(e.in("INSERT INTO KS.r (k, v) VALUES (?, ?)"), 1, "x"); err == nil {
					t.Errorf("%s: a write while the server is down", e.driver.name)
				}
			}
			s.start()
			for _, e := range envs {
				if err := poll(startTimeout, func() error {
					return e.exec(e.in("INSERT INTO KS.r (k, v) VALUES (?, ?)"), 1000, "after")
				}); err != nil {
					t.Fatalf("%s does not come back: %v", e.driver.name, err)
				}
				e.want([]string{"count:1001"}, "SELECT COUNT(*) FROM KS.r")
				e.must("ALTER TABLE KS.r ADD w int")
				e.must("INSERT INTO KS.r (k, w) VALUES (?, ?)", 2000, 1)
			}
		})
	}
}
