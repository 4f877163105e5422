//go:build clients || long

package proctest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/ilion-db/ilion/internal/godriver"
)

// owner writes to, overwrites and deletes from one partition, one statement
// after the other, and knows what must be in it. The outcome of the statement
// that a crash has cut off is open.
type owner struct {
	k    int
	rng  *rand.Rand
	seq  int
	rows map[int]string // as acknowledged
	open map[int]string // as it is if the last statement has happened, or nil
}

const (
	owners    = 8
	ownedRows = 150
)

// step runs one statement.
func (o *owner) step(db *gocql.Session) error {
	next := maps.Clone(o.rows)
	var err error
	o.open = next
	switch c := o.rng.IntN(ownedRows); o.rng.IntN(20) {
	default:
		o.seq++
		v := fmt.Sprintf("%d of %d:%s", o.seq, o.k, strings.Repeat("x", o.rng.IntN(3000)))
		next[c] = v
		err = db.Query("INSERT INTO ks.m (k, c, v) VALUES (?, ?, ?)", o.k, c, v).Exec()
	case 1, 2, 3:
		delete(next, c)
		err = db.Query("DELETE FROM ks.m WHERE k = ? AND c = ?", o.k, c).Exec()
	case 4:
		end := c + o.rng.IntN(20)
		maps.DeleteFunc(next, func(i int, _ string) bool { return i >= c && i < end })
		err = db.Query("DELETE FROM ks.m WHERE k = ? AND c >= ? AND c < ?", o.k, c, end).Exec()
	case 5:
		if o.rng.IntN(10) == 0 {
			clear(next)
			err = db.Query("DELETE FROM ks.m WHERE k = ?", o.k).Exec()
		}
	}
	if err == nil {
		o.rows, o.open = next, nil
	}
	return err
}

// check compares the partition with what it may be, in both directions, and
// goes on with what it is.
func (o *owner) check(t *testing.T, db *gocql.Session) {
	t.Helper()
	got := map[int]string{}
	var c int
	var v string
	last := -1
	it := db.Query("SELECT c, v FROM ks.m WHERE k = ?", o.k).PageSize(40).Iter()
	for it.Scan(&c, &v) {
		if c <= last {
			t.Errorf("partition %d: row %d comes after %d", o.k, c, last)
		}
		last, got[c] = c, v
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(got, o.rows) && (o.open == nil || !maps.Equal(got, o.open)) {
		for c, v := range o.rows {
			if g, ok := got[c]; (!ok || g != v) && (o.open == nil || o.open[c] != g) {
				t.Errorf("partition %d, row %d: %.20q, want %.20q", o.k, c, g, v)
			}
		}
		for c, g := range got {
			if _, ok := o.rows[c]; !ok && (o.open == nil || o.open[c] != g) {
				t.Errorf("partition %d, row %d: %.20q, want none", o.k, c, g)
			}
		}
	}
	o.rows, o.open = got, nil
}

// tables makes, fills, truncates and drops tables, and knows what must be
// there.
type tables struct {
	seq     int
	created map[string]bool // acknowledged; whether rows must be in it
}

func (l *tables) step(db *gocql.Session) error {
	l.seq++
	name := fmt.Sprintf("t%d", l.seq)
	if err := db.Query("CREATE TABLE ks." + name + " (k int PRIMARY KEY, v int)").Exec(); err != nil {
		return err
	}
	l.created[name] = false
	for k := range 3 {
		if err := db.Query("INSERT INTO ks."+name+" (k, v) VALUES (?, 1)", k).Exec(); err != nil {
			return err
		}
	}
	l.created[name] = true
	switch l.seq % 3 {
	case 0:
		delete(l.created, name) // whether it is there is open until it is acknowledged
		return db.Query("DROP TABLE ks." + name).Exec()
	case 1:
		delete(l.created, name)
		if err := db.Query("TRUNCATE ks." + name).Exec(); err != nil {
			return err
		}
		l.created[name] = false
	}
	return nil
}

func (l *tables) check(t *testing.T, db *gocql.Session) {
	t.Helper()
	for name, full := range l.created {
		var n int
		if err := db.Query("SELECT count(*) FROM ks." + name).Scan(&n); err != nil {
			t.Errorf("table %s: %v", name, err)
		}
		// A table whose rows were not all acknowledged may have any of them.
		if full && n != 3 {
			t.Errorf("table %s has %d rows of 3", name, n)
		}
	}
}

// TestKillModel kills a server, or cuts its power, under overwrites, all kinds
// of deletions and changes of the schema, with small logs, so that memtables
// are flushed and files compacted all the time.
func TestKillModel(t *testing.T) {
	for _, power := range []bool{false, true} {
		t.Run(map[bool]string{false: "kill", true: "power"}[power], func(t *testing.T) {
			o := options{args: []string{"--memory", "256MiB", "--commitlog-segment-size", "64KiB", "--commitlog-total-space", "512KiB"}}
			end := func(s *server) { s.kill() }
			if power {
				d := newDisk(t, diskImage)
				if d == nil {
					return
				}
				o.dir = d.dir + "/data"
				end = func(s *server) { s.kill(); d.cutPower() }
			}
			s := startServer(t, o)
			db := s.connect()
			must(t, db, createKS)
			must(t, db, "CREATE TABLE ks.m (k int, c int, v text, PRIMARY KEY (k, c))")
			godriver.Close(db)
			var list []*owner
			for k := range owners {
				list = append(list, &owner{k: k, rng: rand.New(rand.NewPCG(uint64(k), 1)), rows: map[int]string{}})
			}
			l := &tables{created: map[string]bool{}}
			for range powerCuts {
				runModel(t, s, list, l)
				end(s)
				s.start()
				db := s.connect()
				for _, o := range list {
					o.check(t, db)
				}
				l.check(t, db)
				godriver.Close(db)
				if t.Failed() {
					return
				}
			}
			t.Logf("%d tables were made", l.seq)
		})
	}
}

// runModel lets all run until enough was acknowledged, and returns with their
// next statements under way, which the kill cuts off.
func runModel(t *testing.T, s *server, list []*owner, l *tables) {
	t.Helper()
	db := s.connect()
	var count atomic.Int64
	enough := make(chan struct{})
	var wg sync.WaitGroup
	run := func(step func(*gocql.Session) error) {
		wg.Go(func() {
			for step(db) == nil {
				if count.Add(1) == 3*acksPerRound {
					close(enough)
				}
			}
		})
	}
	for _, o := range list {
		run(o.step)
	}
	run(l.step)
	stopped := make(chan struct{})
	go func() { wg.Wait(); close(stopped) }()
	select {
	case <-enough:
	case <-stopped:
		t.Fatalf("statements fail after %d", count.Load())
	}
	flushes, compactions := s.metric("ilion_flushes_total"), s.metric("ilion_compactions_total")
	t.Logf("%v flushes, %v compactions", flushes, compactions)
	s.cmd.Process.Kill()
	<-stopped
	godriver.Close(db)
}
