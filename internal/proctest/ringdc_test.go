//go:build clients || long

package proctest

import (
	"errors"
	"fmt"
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// TestTwoDataCentres cuts the links between two data centres of three nodes.
// Each goes on by itself; what needs both is refused; after the cut both have
// everything.
func TestTwoDataCentres(t *testing.T) {
	f := newFilter(t)
	if f == nil {
		return
	}
	r := newRing(t, ringOptions{nodes: 6, dcs: 2})
	r.schema(eachDC(2, 3))
	// An even number of voters on the way to five would leave no side a quorum.
	r.servers[0].await(func() error {
		if n := r.servers[0].metric("ilion_voters"); n != 5 {
			return fmt.Errorf("%.0f voters", n)
		}
		return nil
	})
	sides := [][]int{{0, 1, 2}, {3, 4, 5}}
	addresses := func(side int) (out []string) {
		for _, i := range sides[side] {
			out = append(out, loopback(i))
		}
		return out
	}
	var dbs []*gocql.Session
	for side := range sides {
		db := r.session(gocql.LocalQuorum, sides[side]...)
		defer db.Close()
		dbs = append(dbs, db)
	}
	next := int64(0)
	written := map[int64]bool{}
	write := func(side, n int) {
		t.Helper()
		for range n {
			next++
			if err := dbs[side].Query("INSERT INTO ks.t (k, v) VALUES (?, ?)", next, value(next)).Exec(); err != nil {
				t.Fatalf("LOCAL_QUORUM in dc%d: %v", side+1, err)
			}
			written[next] = true
		}
	}
	write(0, 50)
	write(1, 50)

	f.cut(r, addresses(0), addresses(1))
	write(0, 200)
	write(1, 200)
	// A node that is told dead makes the level unavailable; until then the
	// write is not acknowledged by the other side and times out.
	for side, db := range dbs {
		err := poll(func() error {
			err := db.Query("INSERT INTO ks.t (k, v) VALUES (?, ?)", -1, value(-1)).Consistency(gocql.EachQuorum).Exec()
			if err == nil {
				t.Fatalf("EACH_QUORUM in dc%d succeeds with the other side cut off", side+1)
			}
			var un *gocql.RequestErrUnavailable
			if !errors.As(err, &un) {
				return fmt.Errorf("EACH_QUORUM in dc%d: %w", side+1, err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	// The voters are spread over both, so that one has most of them.
	quorum, turn := -1, 0
	err := poll(func() error {
		turn = 1 - turn
		err := dbs[turn].Query("CREATE TABLE IF NOT EXISTS ks.during (k int PRIMARY KEY)").Exec()
		if err == nil {
			quorum = turn
		}
		return err
	})
	if err != nil {
		t.Fatalf("DDL on the side with the quorum: %v", err)
	}
	if err := dbs[1-quorum].Query("CREATE TABLE ks.minority (k int PRIMARY KEY)").Exec(); err == nil {
		t.Errorf("DDL succeeds in dc%d, too", 2-quorum)
	}
	f.heal()
	r.awaitUp()
	if err := poll(func() error { return dbs[1-quorum].Query("SELECT k FROM ks.during").Exec() }); err != nil {
		t.Errorf("the table of the other side: %v", err)
	}
	// Hints bring each side what it missed.
	for i := range r.servers {
		one := r.session(gocql.One, i)
		err := poll(func() error {
			have := present(t, one)
			for k := range written {
				if !have[k] {
					return fmt.Errorf("row %d is not on node %d", k, i)
				}
			}
			return nil
		})
		one.Close()
		if err != nil {
			t.Error(err)
		}
	}
}
