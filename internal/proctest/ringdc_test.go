//go:build clients || long

package proctest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/ilion-db/ilion/internal/admin"
	"github.com/ilion-db/ilion/internal/godriver"
)

// twoDCs is a ring of two data centres of three nodes, whose links to each
// other can be cut.
type twoDCs struct {
	*processes
	f       *filter
	sides   [2][]int
	dbs     [2]*gocql.Session // at LOCAL_QUORUM, of one side each
	written map[int64]bool    // keys of ks.t that were acknowledged
}

// newTwoDCs returns nil where links cannot be cut.
func newTwoDCs(t *testing.T) *twoDCs {
	f := newFilter(t)
	if f == nil {
		return nil
	}
	d := &twoDCs{f: f, processes: newRing(t, ringOptions{nodes: 6, dcs: 2}), sides: [2][]int{{0, 1, 2}, {3, 4, 5}}, written: map[int64]bool{}}
	d.schema(eachDC(2, 3))
	// An even number of voters on the way to five would leave no side a quorum.
	d.servers[0].await(func() error {
		if n := d.servers[0].metric("ilion_voters"); n != 5 {
			return fmt.Errorf("%.0f voters", n)
		}
		return nil
	})
	for side := range d.sides {
		d.connect(side)
	}
	t.Cleanup(func() {
		for _, db := range d.dbs {
			godriver.Close(db)
		}
	})
	return d
}

func (d *twoDCs) connect(side int) { d.dbs[side] = d.session(gocql.LocalQuorum, d.sides[side]...) }

// members are the servers of a side.
func (d *twoDCs) members(side int) (out []*server) {
	for _, i := range d.sides[side] {
		out = append(out, d.servers[i])
	}
	return out
}

// cut parts the sides.
func (d *twoDCs) cut() {
	d.t.Helper()
	var hosts [2][]string
	for side := range d.sides {
		for _, s := range d.members(side) {
			hosts[side] = append(hosts[side], s.host)
		}
	}
	d.f.cut(d.processes, hosts[0], hosts[1])
}

// write writes new rows through a side and returns their keys.
func (d *twoDCs) write(side, n int) (keys []int64) {
	d.t.Helper()
	for range n {
		k := int64(len(d.written) + 1)
		persist(d.t, d.dbs[side], "INSERT INTO ks.t (k, v) VALUES (?, ?)", k, value(k))
		d.written[k] = true
		keys = append(keys, k)
	}
	return keys
}

// quorum is the side that has most voters, which are spread over both. It makes
// the table ks.during there.
func (d *twoDCs) quorum() (side int) {
	d.t.Helper()
	turn := -1
	err := poll(func() error {
		turn = (turn + 1) % 2
		return d.dbs[turn].Query("CREATE TABLE IF NOT EXISTS ks.during (k int PRIMARY KEY)").Exec()
	})
	if err != nil {
		d.t.Fatalf("DDL on the side with the quorum: %v", err)
	}
	return turn
}

// converged waits until each node has, without asking others, all rows that
// were acknowledged by either side. Hints bring them.
func (d *twoDCs) converged() {
	d.t.Helper()
	for i := range d.servers {
		one := d.session(gocql.One, i)
		err := poll(func() error {
			have := present(d.t, one)
			for k := range d.written {
				if !have[k] {
					return fmt.Errorf("row %d is not on node %d", k, i)
				}
			}
			return nil
		})
		godriver.Close(one)
		if err != nil {
			d.t.Error(err)
		}
	}
}

// TestTwoDataCentres cuts the links between two data centres of three nodes.
// Each goes on by itself; what needs both is refused; after the cut both have
// everything.
func TestTwoDataCentres(t *testing.T) {
	d := newTwoDCs(t)
	if d == nil {
		return
	}
	d.write(0, 50)
	d.write(1, 50)
	d.cut()
	d.write(0, 200)
	d.write(1, 200)
	// A node that is told dead makes the level unavailable; until then the
	// write is not acknowledged by the other side and times out.
	for side, db := range d.dbs {
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
	quorum := d.quorum()
	if err := d.dbs[1-quorum].Query("CREATE TABLE ks.minority (k int PRIMARY KEY)").Exec(); err == nil {
		t.Errorf("DDL succeeds in dc%d, too", 2-quorum)
	}
	d.f.heal()
	d.awaitUp()
	if err := poll(func() error { return d.dbs[1-quorum].Query("SELECT k FROM ks.during").Exec() }); err != nil {
		t.Errorf("the table of the other side: %v", err)
	}
	d.converged()
}

// TestRecoveredDataCentre cuts the links likewise and recovers the side without
// the quorum, by the commands that docs/operations.md gives. The two are
// strangers then, also when the links are back, until the nodes of the side that
// had the quorum rejoin. These lose their changes of the schema, and no row.
func TestRecoveredDataCentre(t *testing.T) {
	d := newTwoDCs(t)
	if d == nil {
		return
	}
	defer d.watchSchemas()()
	d.write(0, 50)
	d.write(1, 50)
	d.cut()
	lost := d.quorum()
	left := 1 - lost
	d.write(lost, 50)
	d.write(left, 50)

	// Both sides give the table a new column, which is not the same one.
	d.addColumn(lost, "ours", "int")
	theirs := map[int64]string{} // what the column of the recovered side holds, by key
	for _, k := range d.write(lost, 20) {
		persist(t, d.dbs[lost], "UPDATE ks.t SET ours = 7 WHERE k = ?", k)
		theirs[k] = ""
	}
	godriver.Close(d.dbs[left])
	for _, s := range d.members(left) {
		s.stop(syscall.SIGTERM)
	}
	for i, s := range d.members(left) {
		if i == 0 {
			s.offline("recover")
		} else {
			s.offline("rejoin", "--join", d.members(left)[0].internode(d.processes))
		}
		s.start()
	}
	d.awaitUpAmong(d.members(left))
	d.connect(left)
	d.createTable(left, "after")
	d.addColumn(left, "theirs", "text")
	for _, k := range d.write(left, 20) {
		persist(t, d.dbs[left], "UPDATE ks.t SET theirs = 'x' WHERE k = ?", k)
		theirs[k] = "x"
	}

	d.f.heal()
	for _, want := range []struct {
		side int
		says string
	}{{left, "here is generation 2 of the cluster, there 1"}, {lost, "here is generation 1 of the cluster, there 2"}} {
		for _, s := range d.members(want.side) {
			s.await(func() error {
				if !strings.Contains(s.log.String(), want.says) {
					return fmt.Errorf("%s does not say %q", s.host, want.says)
				}
				return nil
			})
		}
	}
	d.write(lost, 20)
	d.write(left, 20)
	godriver.Close(d.dbs[lost])
	for _, s := range d.members(lost) {
		s.stop(syscall.SIGTERM)
		s.refusedByMembers("rejoin the node of the lower generation")
	}
	for _, s := range d.members(lost) {
		s.offline("rejoin", "--join", d.members(left)[1].internode(d.processes))
		s.start()
	}
	d.awaitUp()
	d.connect(lost)

	d.converged()
	for i := range d.servers {
		one := d.session(gocql.One, i)
		for k, want := range theirs {
			var text string
			if err := poll(func() error { return one.Query("SELECT theirs FROM ks.t WHERE k = ?", k).Scan(&text) }); err != nil || text != want {
				t.Errorf("node %d: row %d has %q in the column of the side that was recovered, want %q, %v", i, k, text, want, err)
			}
		}
		if err := verdict(one, "SELECT k FROM ks.after"); err != nil {
			t.Errorf("node %d: the table of the side that was recovered: %v", i, err)
		}
		for _, gone := range []string{"SELECT k FROM ks.during", "SELECT ours FROM ks.t"} {
			if err := verdict(one, gone); !invalid(err) {
				t.Errorf("node %d: %s: %v", i, gone, err)
			}
		}
		godriver.Close(one)
	}
	for side := range d.sides {
		d.createTable(side, fmt.Sprintf("both%d", side))
		db := d.dbs[side]
		if err := poll(func() error {
			return db.Query("INSERT INTO ks.t (k, v) VALUES (?, ?)", -1, value(-1)).Consistency(gocql.EachQuorum).Exec()
		}); err != nil {
			t.Errorf("EACH_QUORUM in dc%d: %v", side+1, err)
		}
	}
}

// verdict asks until the statement is answered or refused as invalid, and
// returns that: time-outs and the like tell nothing of the schema.
func verdict(db *gocql.Session, text string) (err error) {
	poll(func() error {
		if err = db.Query(text).Exec(); invalid(err) {
			return nil
		}
		return err
	})
	return err
}

func invalid(err error) bool {
	var refused gocql.RequestError
	return errors.As(err, &refused) && refused.Code() == gocql.ErrCodeInvalid
}

// createTable makes a table of ks through a side. What took too long has maybe
// come about.
func (d *twoDCs) createTable(side int, name string) {
	d.t.Helper()
	text := "CREATE TABLE IF NOT EXISTS ks." + name + " (k int PRIMARY KEY)"
	if err := poll(func() error { return d.dbs[side].Query(text).Exec() }); err != nil {
		d.t.Fatalf("dc%d: %s: %v", side+1, text, err)
	}
}

// addColumn gives ks.t a column likewise.
func (d *twoDCs) addColumn(side int, name, typ string) {
	d.t.Helper()
	err := poll(func() error {
		if d.dbs[side].Query("SELECT "+name+" FROM ks.t WHERE k = 0").Exec() == nil {
			return nil
		}
		return d.dbs[side].Query("ALTER TABLE ks.t ADD " + name + " " + typ).Exec()
	})
	if err != nil {
		d.t.Fatalf("dc%d: column %s: %v", side+1, name, err)
	}
}

// refusedByMembers starts a server that other members refuse, saying why: it
// ends if they say so at once, and else tells it in its log.
func (s *server) refusedByMembers(why string) {
	s.t.Helper()
	s.log.clear()
	s.launch()
	err := poll(func() error {
		if !strings.Contains(s.log.String(), why) {
			return fmt.Errorf("%s does not say %q", s.host, why)
		}
		return nil
	})
	s.kill()
	if err != nil {
		s.t.Fatalf("%v\n%s", err, s.log.String())
	}
}

// internode is where other nodes reach the server.
func (s *server) internode(r *processes) string {
	return net.JoinHostPort(s.host, strconv.Itoa(r.peers))
}

// offline runs a command of the binary over the directory of the stopped server,
// which is of generation 2 then. The member that it asks may have no time.
func (s *server) offline(command string, args ...string) {
	s.t.Helper()
	args = append([]string{command, "--data-dir", s.o.dir}, args...)
	if err := poll(func() error {
		out, err := output(buildServer(s.t, s.o.tags), args...)
		if err == nil && !strings.Contains(out, "is of generation 2 of cluster") {
			s.t.Fatalf("ilion %s: %s", strings.Join(args, " "), out)
		}
		return err
	}); err != nil {
		s.t.Fatal(err)
	}
}

// watchSchemas asks all nodes, again and again until stop is called, for their
// schemas, which must be the same wherever the epoch is. The epoch has the
// generation in it.
func (d *twoDCs) watchSchemas() (stop func()) {
	type served struct{ version, host string }
	epochs := map[uint64]served{}
	answers := make([]int, len(d.servers))
	over := make(chan struct{})
	var watching sync.WaitGroup
	ask := func(s *server) (a admin.Description, err error) {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		err = admin.Get(ctx, net.JoinHostPort(s.host, strconv.Itoa(s.http)), admin.DescribePath, nil, &a)
		return a, err
	}
	watching.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			for i, s := range d.servers {
				a, err := ask(s)
				if err != nil {
					continue // it does not run
				}
				own := slices.IndexFunc(a.SchemaVersions, func(v admin.SchemaVersion) bool { return slices.Contains(v.Nodes, s.host) })
				if own < 0 {
					d.t.Errorf("%s does not tell its schema: %+v", s.host, a)
					return
				}
				answers[i]++
				now := served{a.SchemaVersions[own].Version, s.host}
				if was, seen := epochs[a.Epoch]; !seen {
					epochs[a.Epoch] = now
				} else if was.version != now.version {
					d.t.Errorf("epoch %x: %s serves schema %s, %s serves %s", a.Epoch, was.host, was.version, now.host, now.version)
				}
			}
			select {
			case <-tick.C:
			case <-over:
				return
			}
		}
	})
	return func() {
		d.t.Helper()
		close(over)
		watching.Wait()
		d.t.Logf("schemas of %d epochs, from %v answers of the nodes", len(epochs), answers)
		if len(epochs) < 2 || slices.Contains(answers, 0) {
			d.t.Error("the nodes do not tell their schemas")
		}
	}
}
