package client_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/client"
)

// Statements that a node has forgotten, or whose rows have other columns, are
// prepared again unseen.
func TestPreparedAgain(t *testing.T) {
	inCluster(t, 1, func(t *testing.T, c *cluster) {
		s := c.connect()
		defer s.Close()
		c.must(s, fmt.Sprintf(createKS, 1))
		c.must(s, "CREATE TABLE ks.t (k int PRIMARY KEY, v int)")
		insert, read := c.prepare(s, "INSERT INTO ks.t (k, v) VALUES (?, ?)"), c.prepare(s, "SELECT * FROM ks.t WHERE k = ?")
		execute := func(q *client.Query) (*client.Rows, error) {
			for range 1000 {
				rows, err := s.Execute(t.Context(), q)
				if !errors.Is(err, client.ErrUnreachable) && !errors.Is(err, client.ErrLost) {
					return rows, err
				}
				c.pause() // until the connection is there again
			}
			return nil, errors.New("the node does not come back")
		}
		if _, err := execute(insert.Query().Int(1).Int(2)); err != nil {
			t.Fatal(err)
		}
		c.kill(0) // texts of statements are kept some seconds after they are prepared
		c.start(0)
		rows, err := execute(read.Query().Int(1))
		if err != nil || !rows.Next() || rows.Int(1) != 2 {
			t.Fatal(err)
		}
		if _, err := execute(insert.Query().Int(2).Int(3)); err != nil {
			t.Fatal(err)
		}
		if err := s.ExecuteBatch(t.Context(), client.NewBatch(client.Logged).Add(insert.Query().Int(3).Int(4)).Add(insert.Query().Int(4).Int(5))); err != nil {
			t.Fatal(err)
		}
		c.must(s, "ALTER TABLE ks.t ADD w text")
		c.must(s, "UPDATE ks.t SET w = 'new' WHERE k = 1")
		rows, err = execute(read.Query().Int(1))
		if err != nil || len(rows.Columns()) != 3 || !rows.Next() || rows.Text(2) != "new" {
			t.Fatal(err)
		}
		if rows, err = execute(read.Query().Int(1)); err != nil || len(read.Columns()) != 3 || !rows.Next() || rows.Int(1) != 2 {
			t.Fatal(err)
		}
		// Another type of marker: the caller has to bind anew.
		c.must(s, "DROP TABLE ks.t")
		c.must(s, "CREATE TABLE ks.t (k text PRIMARY KEY, v int)")
		var e *wire.Error
		if _, err = execute(read.Query().Int(1)); !errors.As(err, &e) || e.Code != wire.CodeInvalid {
			t.Fatal(err)
		}
		if _, err = execute(read.Query().Text("x")); err != nil {
			t.Fatal(err)
		}
		c.must(s, "DROP TABLE ks.t")
		if _, err = execute(read.Query().Text("x")); !errors.As(err, &e) || e.Code != wire.CodeInvalid {
			t.Fatal(err)
		}
	})
}

func TestBatch(t *testing.T) {
	inCluster(t, 3, func(t *testing.T, c *cluster) {
		s := c.connect()
		defer s.Close()
		c.must(s, fmt.Sprintf(createKS, 3))
		c.must(s, "CREATE TABLE ks.t (k int, c int, PRIMARY KEY (k, c))")
		insert := c.prepare(s, "INSERT INTO ks.t (k, c) VALUES (?, ?)")
		remove := c.prepare(s, "DELETE FROM ks.t WHERE k = ? AND c = ?")
		b := client.NewBatch(client.Logged).SetConsistency(ring.Quorum)
		q := insert.Query()
		for i := range int64(50) {
			b.Add(q.Rebind().Int(i).Int(i))
		}
		if err := s.ExecuteBatch(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		b = client.NewBatch(client.Unlogged).SetConsistency(ring.Quorum).SetTimestamp(time.Now().Add(time.Hour).UnixMicro())
		b.Add(remove.Query().Int(1).Int(1)).Add(insert.Query().Int(1).Int(2))
		if err := s.ExecuteBatch(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		rows, err := s.Execute(t.Context(), c.prepare(s, "SELECT count(*) FROM ks.t").Query().SetConsistency(ring.All))
		if err != nil || !rows.Next() || rows.Int(0) != 50 {
			t.Fatal(err)
		}
		if err := s.ExecuteBatch(t.Context(), client.NewBatch(client.Logged).Add(c.prepare(s, "SELECT k FROM ks.t").Query())); err == nil {
			t.Fatal("a batch has read")
		}
		if err := s.ExecuteBatch(t.Context(), client.NewBatch(client.Logged).Add(insert.Query())); err == nil {
			t.Fatal("a batch without values was done")
		}
	})
}

// stopper is a Receiver that does what it must not: it blocks, so that no other
// answer is taken.
type stopper struct {
	counter
	open chan struct{}
}

func (r *stopper) Receive(rows *client.Rows, err error) {
	<-r.open
	r.counter.Receive(rows, err)
}

// What is in work when the session is closed, or its node dies, is told so.
func TestEnds(t *testing.T) {
	inCluster(t, 1, func(t *testing.T, c *cluster) {
		s := c.connect(func(cfg *client.Config) { cfg.MaxInFlight = 10 })
		defer s.Close()
		c.must(s, fmt.Sprintf(createKS, 1))
		c.must(s, "CREATE TABLE ks.t (k int PRIMARY KEY, v int)")
		insert := c.prepare(s, "INSERT INTO ks.t (k, v) VALUES (?, ?)")
		r := stopper{open: make(chan struct{})}
		busy := 0
		for i := range int64(30) {
			r.wg.Add(1)
			switch err := s.Send(insert.Query().Int(i).Int(i), &r); {
			case errors.Is(err, client.ErrBusy):
				busy++
				r.wg.Done()
			case err != nil:
				t.Fatal(err)
			}
		}
		close(r.open)
		r.wg.Wait()
		// The one whose receiver is being told counts no more.
		if r.ok+busy != 30 || busy < 19 {
			t.Fatalf("%d done, %d busy, %v", r.ok, busy, r.errs)
		}
		// Who waits gets his turn.
		var wg sync.WaitGroup
		errs := make([]error, 100)
		for i := range errs {
			wg.Go(func() { _, errs[i] = s.Execute(t.Context(), insert.Query().Int(int64(i)).Int(1)) })
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Execute(ctx, insert.Query().Int(1).Int(1)); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		c.kill(0)
		if _, err := s.Execute(t.Context(), insert.Query().Int(1).Int(1)); !errors.Is(err, client.ErrUnreachable) && !errors.Is(err, client.ErrLost) {
			t.Fatal(err)
		}
		s.Close()
		if _, err := s.Execute(t.Context(), insert.Query().Int(1).Int(1)); !errors.Is(err, client.ErrClosed) {
			t.Fatal(err)
		}
		if err := s.Send(insert.Query().Int(1).Int(1), &r); !errors.Is(err, client.ErrClosed) {
			t.Fatal(err)
		}
	})
}

// What cannot work is refused by Connect.
func TestConfig(t *testing.T) {
	inCluster(t, 1, func(t *testing.T, c *cluster) {
		for name, cfg := range map[string]client.Config{
			"no hosts": {}, "negative": {Hosts: []string{"x"}, MaxInFlight: -1}, "level": {Hosts: []string{"x"}, Consistency: 99},
			"nobody": {Hosts: []string{"127.0.0.9:7000"}, Transport: &c.net}, "key": {Hosts: []string{address(0)}, Transport: &c.net, Key: []byte("a key that the cluster has not")},
		} {
			if s, err := client.Connect(t.Context(), cfg); err == nil {
				s.Close()
				t.Errorf("%s: no error", name)
			}
		}
	})
}
