package client_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/client"
)

const createKS = "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': %d}"

func TestOneNode(t *testing.T) {
	inCluster(t, 1, func(t *testing.T, c *cluster) {
		s := c.connect()
		defer s.Close()
		c.must(s, fmt.Sprintf(createKS, 1))
		c.must(s, "CREATE TABLE ks.t (k int, c bigint, v text, PRIMARY KEY (k, c))")
		insert := c.prepare(s, "INSERT INTO ks.t (k, c, v) VALUES (?, ?, ?)")
		q := insert.Query()
		for i := range 100 {
			done, err := s.Execute(t.Context(), q.Rebind().Int(7).Int(int64(i)).Text(fmt.Sprint("value ", i)))
			if err != nil || done.Next() || done.Close() != nil || done.Node() != address(0) {
				t.Fatal(done, err)
			}
		}
		read := c.prepare(s, "SELECT c, v FROM ks.t WHERE k = ?")
		rows, err := s.Execute(t.Context(), read.Query().Int(7).SetPageSize(7))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for rows.Next() {
			if rows.Node() != address(0) {
				t.Fatalf("answered by %q", rows.Node())
			}
			if rows.Int(0) != int64(n) || rows.Text(1) != fmt.Sprint("value ", n) {
				t.Fatalf("row %d is %d, %q", n, rows.Int(0), rows.Text(1))
			}
			n++
		}
		if err := rows.Close(); err != nil || n != 100 {
			t.Fatalf("%d rows, %v", n, err)
		}
	})
}

// collector gathers answers.
type collector struct {
	wg   sync.WaitGroup
	mu   sync.Mutex // protects what follows
	got  []int64
	errs []error
}

func (r *collector) Receive(rows *client.Rows, err error) {
	defer r.wg.Done()
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.errs = append(r.errs, err)
		return
	}
	for rows.Next() {
		r.got = append(r.got, rows.Int(0))
	}
}

func TestSend(t *testing.T) {
	inCluster(t, 1, func(t *testing.T, c *cluster) {
		s := c.connect()
		defer s.Close()
		c.must(s, fmt.Sprintf(createKS, 1))
		c.must(s, "CREATE TABLE ks.t (k int PRIMARY KEY, v int)")
		insert, read := c.prepare(s, "INSERT INTO ks.t (k, v) VALUES (?, ?)"), c.prepare(s, "SELECT v FROM ks.t WHERE k = ?")
		const n = 1000
		var written, got collector
		q := insert.Query()
		for i := range int64(n) {
			written.wg.Add(1)
			if err := s.Send(q.Rebind().Int(i).Int(2*i), &written); err != nil {
				t.Fatal(err)
			}
		}
		written.wg.Wait()
		if len(written.errs) > 0 {
			t.Fatal(written.errs[0])
		}
		q = read.Query()
		for i := range int64(n) {
			got.wg.Add(1)
			if err := s.Send(q.Rebind().Int(i), &got); err != nil {
				t.Fatal(err)
			}
		}
		got.wg.Wait()
		slices.Sort(got.got)
		if len(got.errs) > 0 || len(got.got) != n || got.got[n-1] != 2*(n-1) {
			t.Fatal(got.errs, len(got.got))
		}
	})
}

func TestErrors(t *testing.T) {
	inCluster(t, 1, func(t *testing.T, c *cluster) {
		s := c.connect()
		defer s.Close()
		c.must(s, fmt.Sprintf(createKS, 3))
		c.must(s, "CREATE TABLE ks.t (k int PRIMARY KEY, v int)")
		insert := c.prepare(s, "INSERT INTO ks.t (k, v) VALUES (?, ?)")
		_, err := s.Execute(t.Context(), insert.Query().Int(1).Int(2).SetConsistency(ring.Quorum))
		var e *wire.Error
		if !errors.As(err, &e) || e.Code != wire.CodeUnavailable {
			t.Fatal(err)
		}
		var f wire.Failure
		if err := f.Decode(e.Detail); err != nil || f.Required != 2 || f.Received != 1 || f.Consistency != uint8(ring.Quorum) {
			t.Fatalf("%+v, %v", f, err)
		}
		for _, bad := range []string{"SELEC", "SELECT x FROM ks.t", "USE ks"} {
			if err := s.Exec(t.Context(), bad); !errors.As(err, &e) || e.Code != wire.CodeInvalid {
				t.Fatalf("%s: %v", bad, err)
			}
			if _, err := s.Prepare(t.Context(), bad); !errors.As(err, &e) || e.Code != wire.CodeInvalid {
				t.Fatalf("prepare %s: %v", bad, err)
			}
		}
	})
}
