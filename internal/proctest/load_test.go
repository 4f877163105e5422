//go:build clients || long

package proctest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/ilion-db/ilion/internal/godriver"
)

// load writes rows that are never written twice and remembers which were
// acknowledged, over any number of lives of a server.
type load struct {
	s    *server
	next atomic.Int64

	mu      sync.Mutex // protects what follows
	acked   map[int64]bool
	batches map[int64]bool
}

// loadWorkers write at the same time, each third statement a logged batch over
// two partitions of two tables.
const loadWorkers = 12

func newLoad(s *server) *load {
	db := s.connect()
	defer godriver.Close(db)
	must(s.t, db, createKS)
	must(s.t, db, "CREATE TABLE ks.t (k bigint PRIMARY KEY, v text)")
	must(s.t, db, "CREATE TABLE ks.a (k bigint PRIMARY KEY, v bigint)")
	must(s.t, db, "CREATE TABLE ks.b (p bigint, c bigint, v bigint, PRIMARY KEY (p, c))")
	// Tables that nobody writes to, or only once, must not hold the log.
	must(s.t, db, "CREATE TABLE ks.idle (k bigint PRIMARY KEY)")
	must(s.t, db, "CREATE TABLE ks.once (k bigint PRIMARY KEY)")
	must(s.t, db, "INSERT INTO ks.once (k) VALUES (1)")
	return &load{s: s, acked: map[int64]bool{}, batches: map[int64]bool{}}
}

// run writes until n more writes were acknowledged, then calls end with the
// writes going on, and returns when none does.
func (l *load) run(n int, end func()) {
	db := l.s.connect()
	defer godriver.Close(db)
	enough := make(chan struct{})
	var count atomic.Int64
	var wg sync.WaitGroup
	for range loadWorkers {
		wg.Go(func() {
			for {
				if l.write(db) != nil {
					return
				}
				if count.Add(1) == int64(n) {
					close(enough)
				}
			}
		})
	}
	stopped := make(chan struct{})
	go func() { wg.Wait(); close(stopped) }()
	select {
	case <-enough:
	case <-stopped:
		l.s.t.Fatalf("writes fail, %d were acknowledged", count.Load())
	}
	end()
	<-stopped
}

func (l *load) write(db *gocql.Session) error {
	k := l.next.Add(1)
	if k%3 != 0 {
		if err := db.Query("INSERT INTO ks.t (k, v) VALUES (?, ?)", k, value(k)).Exec(); err != nil {
			return err
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.acked[k] = true
		return nil
	}
	b := db.Batch(gocql.LoggedBatch)
	b.Query("INSERT INTO ks.a (k, v) VALUES (?, ?)", k, k)
	b.Query("INSERT INTO ks.b (p, c, v) VALUES (?, ?, ?)", k%7, k, k)
	if err := b.Exec(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.batches[k] = true
	return nil
}

func value(k int64) string { return fmt.Sprintf("value of %d", k) }

// lost reads everything back and returns how many acknowledged writes are not
// there. A batch that is there in part is an error in any case, as is a row
// that nobody wrote.
func (l *load) lost(t testing.TB) (missing int) {
	t.Helper()
	db := l.s.connect()
	defer godriver.Close(db)
	rows := map[int64]bool{}
	var k, v int64
	var text string
	it := db.Query("SELECT k, v FROM ks.t").PageSize(1000).Iter()
	for it.Scan(&k, &text) {
		rows[k] = true
		if text != value(k) || k > l.next.Load() {
			t.Errorf("row %d has %q", k, text)
		}
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	a, b := map[int64]bool{}, map[int64]bool{}
	it = db.Query("SELECT k, v FROM ks.a").PageSize(1000).Iter()
	for it.Scan(&k, &v) {
		a[k] = true
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	it = db.Query("SELECT c, v FROM ks.b").PageSize(1000).Iter()
	for it.Scan(&k, &v) {
		b[k] = true
		if !a[k] {
			t.Errorf("batch %d is there in part", k)
		}
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	for k := range a {
		if !b[k] {
			t.Errorf("batch %d is there in part", k)
		}
	}
	for k := range l.acked {
		if !rows[k] {
			missing++
		}
	}
	for k := range l.batches {
		if !a[k] {
			missing++
		}
	}
	return missing
}

func (l *load) total() int { return len(l.acked) + len(l.batches) }
