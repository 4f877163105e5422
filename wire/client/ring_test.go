package client_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/ilion-db/ilion/internal/query"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/client"
)

// counter is a Receiver that counts.
type counter struct {
	wg   sync.WaitGroup
	mu   sync.Mutex // protects what follows
	ok   int
	errs []error
}

func (r *counter) Receive(_ *client.Rows, err error) {
	r.mu.Lock()
	if err == nil {
		r.ok++
	} else {
		r.errs = append(r.errs, err)
	}
	r.mu.Unlock()
	r.wg.Done()
}

// A session learns all nodes from one, sends to replicas, and goes on when one
// of three dies and comes back.
func TestNodeDies(t *testing.T) {
	inCluster(t, 3, func(t *testing.T, c *cluster) {
		s := c.connect(func(cfg *client.Config) { cfg.Hosts = cfg.Hosts[:1]; cfg.Consistency = ring.Quorum })
		defer s.Close()
		if n := len(s.Hosts()); n != 3 {
			t.Fatalf("%d hosts", n)
		}
		c.must(s, fmt.Sprintf(createKS, 3))
		c.must(s, "CREATE TABLE ks.t (k int PRIMARY KEY, v int)")
		insert, read := c.prepare(s, "INSERT INTO ks.t (k, v) VALUES (?, ?)"), c.prepare(s, "SELECT v FROM ks.t WHERE k = ?")
		write := func(from, to int) {
			t.Helper()
			var r counter
			q := insert.Query()
			for i := from; i < to; i++ {
				r.wg.Add(1)
				if err := s.Send(q.Reset().Int(int64(i)).Int(int64(i)).SetIdempotent(true), &r); err != nil {
					t.Fatal(err)
				}
			}
			r.wg.Wait()
			if len(r.errs) > 0 {
				t.Fatal(r.errs[0])
			}
		}
		check := func(to int) {
			t.Helper()
			for i := range to {
				rows, err := s.Execute(t.Context(), read.Query().Int(int64(i)))
				if err != nil {
					t.Fatal(err)
				}
				if !rows.Next() || rows.Int(0) != int64(i) {
					t.Fatalf("row %d: %v", i, rows.Err())
				}
			}
		}
		write(0, 300)
		check(300)
		c.kill(1)
		write(300, 600)
		check(600)
		c.start(1)
		write(600, 900)
		check(900)
		c.kill(0)
		check(900)
		write(0, 100)
	})
}

// A statement goes to a node that holds its partition.
func TestTokenAware(t *testing.T) {
	inCluster(t, 3, func(t *testing.T, c *cluster) {
		s := c.connect()
		defer s.Close()
		c.must(s, fmt.Sprintf(createKS, 1))
		c.must(s, "CREATE TABLE ks.t (a int, b text, v int, PRIMARY KEY ((a, b)))")
		insert, read := c.prepare(s, "INSERT INTO ks.t (v, b, a) VALUES (?, ?, ?)"), c.prepare(s, "SELECT v FROM ks.t WHERE a = ? AND b = ?")
		for i := range int64(100) {
			if _, err := s.Execute(t.Context(), insert.Query().Int(i).Text(fmt.Sprint(i)).Int(i)); err != nil {
				t.Fatal(err)
			}
		}
		// With two nodes gone, exactly the rows of the third can be read, and the
		// session finds its way there at once.
		c.kill(1)
		c.kill(2)
		synctest.Wait() // until all have noticed
		mine := 0
		for i := range int64(100) {
			rows, err := s.Execute(t.Context(), read.Query().Int(i).Text(fmt.Sprint(i)))
			var e *wire.Error
			switch {
			case err == nil && rows.Next() && rows.Int(0) == i:
				mine++
			case errors.As(err, &e) && e.Code == wire.CodeUnavailable:
			default:
				t.Fatal(i, err)
			}
		}
		if mine == 0 || mine == 100 {
			t.Fatalf("%d rows of 100 on a third of the ring", mine)
		}
	})
}

// The session follows changes of the schema and of the members.
func TestTopologyFollowed(t *testing.T) {
	inCluster(t, 2, func(t *testing.T, c *cluster) {
		s := c.connect()
		defer s.Close()
		c.nodes, c.wires = append(c.nodes, nil), append(c.wires, nil)
		c.disks = append(c.disks, newDisk())
		c.start(2)
		for len(s.Hosts()) != 3 {
			c.must(s, "SELECT key FROM system.local")
			c.pause()
		}
		c.must(s, fmt.Sprintf(createKS, 3))
		c.must(s, "CREATE TABLE ks.t (k int PRIMARY KEY)")
		c.must(s, "INSERT INTO ks.t (k) VALUES (?)", 1)
	})
}

// The same statements give the same rows through CQL's processor and here.
func TestSameAsCQL(t *testing.T) {
	inCluster(t, 3, func(t *testing.T, c *cluster) {
		s := c.connect(func(cfg *client.Config) { cfg.Consistency, cfg.PageSize = ring.Quorum, 3 })
		defer s.Close()
		c.must(s, fmt.Sprintf(createKS, 3))
		for _, text := range []string{
			"CREATE TABLE ks.t (k int, c text, s int static, v int, l list<int>, m map<text, int>, PRIMARY KEY (k, c)) WITH CLUSTERING ORDER BY (c DESC)",
			"INSERT INTO ks.t (k, c, v, l) VALUES (1, 'a', 1, [1, 2])", "INSERT INTO ks.t (k, s) VALUES (1, 9)",
			"UPDATE ks.t SET m['x'] = 1, v = 7 WHERE k = 2 AND c = 'b'", "INSERT INTO ks.t (k, c, v) VALUES (1, 'b', 5)",
			"DELETE l FROM ks.t WHERE k = 1 AND c = 'a'", "INSERT INTO ks.t (k, c, v) VALUES (3, 'z', 5) USING TTL 1000",
			"BEGIN BATCH INSERT INTO ks.t (k, c, v) VALUES (4, 'a', 1); INSERT INTO ks.t (k, c, v) VALUES (5, 'a', 1); APPLY BATCH",
			"DELETE FROM ks.t WHERE k = 3 AND c = 'z'", "INSERT INTO ks.t (k, c, v) VALUES (1, 'c', 8)", "INSERT INTO ks.t (k, c, v) VALUES (1, 'd', 8)",
		} {
			c.must(s, text)
		}
		for _, text := range []string{
			"SELECT * FROM ks.t", "SELECT * FROM ks.t WHERE k = 1", "SELECT c, v FROM ks.t WHERE k = 1 AND c > 'a' ORDER BY c ASC",
			"SELECT count(*), max(v) FROM ks.t", "SELECT DISTINCT k, s FROM ks.t", "SELECT JSON * FROM ks.t WHERE k = 2",
			"SELECT k, c FROM ks.t WHERE k IN (1, 2, 5) LIMIT 3", "SELECT v FROM ks.t WHERE v = 5 ALLOW FILTERING",
			"SELECT token(k), ttl(v) FROM ks.t WHERE k = 1 LIMIT 1", "SELECT k FROM ks.t WHERE k = 77", "SELECT keyspace_name FROM system_schema.tables WHERE keyspace_name = 'ks'",
		} {
			want := fromCQL(t, c, text)
			rows, err := s.Query(t.Context(), text)
			got := gather(t, text, rows, err)
			st := c.prepare(s, text)
			rows, err = s.Execute(t.Context(), st.Query())
			prepared := gather(t, text, rows, err)
			if len(want) == 0 && text != "SELECT k FROM ks.t WHERE k = 77" || !slices.Equal(got, want) || !slices.Equal(prepared, want) {
				t.Errorf("%s:\n%q, prepared\n%q, not\n%q", text, got, prepared, want)
			}
		}
	})
}

func fromCQL(t *testing.T, c *cluster, text string) (out []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	rows, err := c.nodes[1].Query().Query(ctx, query.Statement{Text: text, Consistency: ring.Quorum})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	for rows.Next() {
		out = append(out, fmt.Sprint(rows.Values()))
	}
	if rows.Err() != nil {
		t.Fatalf("%s: %v", text, rows.Err())
	}
	return out
}

func gather(t *testing.T, text string, rows *client.Rows, err error) (out []string) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	for rows.Next() {
		v, err := rows.Values()
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		out = append(out, fmt.Sprint(v))
	}
	if err := rows.Close(); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return out
}
