//go:build clients || long

package proctest

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/ilion-db/ilion/internal/godriver"
	"github.com/ilion-db/ilion/internal/level"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/sstable"
)

// nextRelease is the build tag of the version after this one.
const nextRelease = "nextlevel"

// nextLevel is the format level that it begins.
const nextLevel = level.First + 1

// TestRingLevels takes a ring from one version to the next one, and back before
// it is through: while one node has the older version all write what it reads,
// and once none has, the level rises and the older version is refused.
func TestRingLevels(t *testing.T) {
	r := newRing(t, ringOptions{
		nodes: 3, tags: []string{"", "", nextRelease},
		args: []string{"--commitlog-segment-size", "256KiB", "--commitlog-total-space", "4MiB"},
	})
	r.schema(simple(3))
	u := &upgrade{processes: r}

	t.Log("two nodes of this version, one of the next")
	u.work()
	u.filesAt(level.First)
	u.replace(2, "")
	u.work()
	u.levelIs(level.First)

	stop := u.load()
	for i := range r.servers {
		u.levelIs(level.First)
		u.replace(i, nextRelease)
	}
	err := poll(func() error {
		for i, s := range r.servers {
			if got := s.metric("ilion_format_level"); got != float64(nextLevel) {
				return fmt.Errorf("node %d writes level %v", i, got)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	stop()

	t.Log("all nodes of the next version")
	u.work()
	u.filesAt(nextLevel)
	for i, s := range r.servers {
		if s.metric("ilion_coordinator_named_total") == 0 {
			t.Errorf("node %d got no record that names its coordinator", i)
		}
	}

	s := r.servers[1]
	s.stop(syscall.SIGTERM)
	s.o.tags = ""
	s.refused("written in format level 2")
	s.o.tags = nextRelease
	s.start()
	r.awaitUp()
	u.check()
}

// upgrade is a ring whose nodes change their version, and what was written to
// it.
type upgrade struct {
	*processes
	rounds  int
	next    atomic.Int64 // key of the load
	written int64        // keys of rounds, from -1 down
}

// replace stops a node and starts it as another version.
func (u *upgrade) replace(i int, tags string) {
	u.t.Helper()
	s := u.servers[i]
	s.stop(syscall.SIGTERM)
	s.o.tags = tags
	s.start()
	u.awaitUp()
}

// The rows of a round are more than a node's log may hold, so that files are
// written.
const (
	roundRows  = 20 // through each node
	roundValue = 100 << 10
)

// work writes rows and makes a table through every node, and reads everything
// through every node, all at ALL.
func (u *upgrade) work() {
	u.t.Helper()
	large := strings.Repeat("x", roundValue)
	for i := range u.servers {
		db := u.session(gocql.All, i)
		for range roundRows {
			u.written++
			u.must(db, "INSERT INTO ks.t (k, v) VALUES (?, ?)", -u.written, large)
		}
		u.must(db, fmt.Sprintf("CREATE TABLE IF NOT EXISTS ks.r%d_%d (k int PRIMARY KEY)", u.rounds, i))
		u.must(db, fmt.Sprintf("INSERT INTO ks.r%d_%d (k) VALUES (7)", u.rounds, i))
		godriver.Close(db)
	}
	u.rounds++
	u.check()
}

// must executes a statement, again and again: all replicas have to answer, and
// one that is slow may seem to be down.
func (u *upgrade) must(db *gocql.Session, text string, values ...any) {
	u.t.Helper()
	if err := poll(func() error { return db.Query(text, values...).Exec() }); err != nil {
		u.t.Fatalf("%s: %v", text, err)
	}
}

// want reads one value into dst likewise.
func (u *upgrade) want(db *gocql.Session, dst any, text string, values ...any) {
	u.t.Helper()
	if err := poll(func() error { return db.Query(text, values...).Scan(dst) }); err != nil {
		u.t.Fatalf("%s: %v", text, err)
	}
}

// check reads, through every node, all that work has written.
func (u *upgrade) check() {
	u.t.Helper()
	for i := range u.servers {
		db := u.session(gocql.All, i)
		for k := int64(1); k <= u.written; k++ {
			var text string
			if u.want(db, &text, "SELECT v FROM ks.t WHERE k = ?", -k); len(text) != roundValue {
				u.t.Fatalf("node %d: row %d has %d bytes", i, -k, len(text))
			}
		}
		for round := range u.rounds {
			for of := range u.servers {
				var k int
				if u.want(db, &k, fmt.Sprintf("SELECT k FROM ks.r%d_%d", round, of)); k != 7 {
					u.t.Fatalf("node %d: table %d of round %d has %d", i, of, round, k)
				}
			}
		}
		godriver.Close(db)
	}
}

// levelIs wants every node to write the level.
func (u *upgrade) levelIs(want uint16) {
	u.t.Helper()
	for i, s := range u.servers {
		if got := s.metric("ilion_format_level"); got != float64(want) {
			u.t.Fatalf("node %d writes level %v, want %d", i, got, want)
		}
	}
}

// filesAt waits until every node has a table file of the level, and wants none
// above it. Those of the next level say when they were made.
func (u *upgrade) filesAt(want uint16) {
	u.t.Helper()
	for i, s := range u.servers {
		err := poll(func() error {
			var levels []uint16
			names, err := filepath.Glob(filepath.Join(s.o.dir, "data", "*", "*.sst"))
			for _, name := range names {
				f, err := sstable.Open(vfs.OS, name, sstable.OpenOptions{})
				if err != nil {
					continue // not whole yet, or merged and gone
				}
				l := uint16(f.Properties().FormatLevel)
				if says := f.CreatedAt() != 0; says != (l >= nextLevel) {
					u.t.Errorf("node %d: %s, of level %d, was made at %d", i, name, l, f.CreatedAt())
				}
				levels = append(levels, l)
				if err := f.Close(); err != nil {
					return err
				}
			}
			if len(levels) == 0 || slices.Max(levels) < want {
				return fmt.Errorf("node %d has files of levels %v, want %d: %v", i, levels, want, err)
			}
			if slices.Max(levels) > want {
				u.t.Fatalf("node %d has files of levels %v, want %d at most", i, levels, want)
			}
			return nil
		})
		if err != nil {
			u.t.Fatal(err)
		}
	}
}

// load writes and reads rows at QUORUM until stop is called, which wants that
// all have ended well: an operation is tried again while a node restarts.
func (u *upgrade) load() (stop func()) {
	const workers = 4
	db := u.session(gocql.Quorum)
	over := make(chan struct{})
	var all sync.WaitGroup
	var retries atomic.Int64
	for range workers {
		all.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				k := u.next.Add(1)
				err := poll(func() error {
					err := u.writeRead(db, k)
					if err != nil {
						retries.Add(1)
					}
					return err
				})
				if err != nil {
					u.t.Errorf("row %d: %v", k, err)
					return
				}
			}
		})
	}
	end := sync.OnceFunc(func() {
		close(over)
		all.Wait()
	})
	u.t.Cleanup(func() { // also when the test has failed
		end()
		godriver.Close(db)
	})
	return func() {
		u.t.Helper()
		end()
		u.t.Logf("%d rows were written and read during the upgrade, %d were tried again", u.next.Load(), retries.Load())
		for k := int64(1); k <= u.next.Load() && !u.t.Failed(); k++ {
			if err := poll(func() error { return u.read(db, k) }); err != nil {
				u.t.Errorf("row %d: %v", k, err)
			}
		}
	}
}

func (u *upgrade) writeRead(db *gocql.Session, k int64) error {
	if err := db.Query("INSERT INTO ks.t (k, v) VALUES (?, ?)", k, value(k)).Exec(); err != nil {
		return err
	}
	return u.read(db, k)
}

func (u *upgrade) read(db *gocql.Session, k int64) error {
	var text string
	err := db.Query("SELECT v FROM ks.t WHERE k = ?", k).Scan(&text)
	if errors.Is(err, gocql.ErrNotFound) || err == nil && text != value(k) {
		u.t.Errorf("row %d was acknowledged and is not read: %q, %v", k, text, err)
		return nil
	}
	return err
}

// refused starts a server that must end by itself, saying why.
func (s *server) refused(why string) {
	s.t.Helper()
	s.log.clear()
	s.launch()
	limit := time.NewTimer(timeout)
	defer limit.Stop()
	select {
	case err := <-s.done:
		s.cmd = nil
		if out := s.log.String(); err == nil || !strings.Contains(out, why) {
			s.t.Fatalf("the server ended with %v and does not say %q:\n%s", err, why, out)
		}
	case <-limit.C:
		s.t.Fatal("the server does not end")
	}
}
