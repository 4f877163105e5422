//go:build clients || long

package proctest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// ringLoad is an open loop over ks.t: rows that are never written twice, and
// reads of rows whose write was acknowledged, which must be found. It
// remembers what was acknowledged over any number of runs.
type ringLoad struct {
	t    testing.TB
	db   *gocql.Session
	rate int // operations a second

	mu    sync.Mutex // protects what follows
	next  int64
	acked []int64
	wrong []string // reads that did not find what they had to

	seconds []second
}

// second tells what became of the operations that were due in one second.
type second struct {
	due, done, failed int
	errs              map[string]int
}

// run goes on for so many seconds' worth of operations, calling events[s] when
// second s begins, and returns when all have ended. Errors are those left after
// the driver's retries.
func (l *ringLoad) run(seconds int, events map[int]func()) []second {
	l.mu.Lock()
	l.seconds = make([]second, seconds)
	l.mu.Unlock()
	var wg, under sync.WaitGroup
	start := time.Now()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for i := 0; i < seconds*l.rate; {
		due := int(time.Since(start) * time.Duration(l.rate) / time.Second)
		for ; i < min(due+1, seconds*l.rate); i++ {
			s := i / l.rate
			if i%l.rate == 0 && events[s] != nil {
				under.Go(events[s])
			}
			wg.Go(func() { l.one(s) })
		}
		<-tick.C
	}
	wg.Wait()
	under.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.seconds)
}

func (l *ringLoad) one(s int) {
	l.mu.Lock()
	l.seconds[s].due++
	read := len(l.acked) > 0 && rand.IntN(2) == 0
	var k int64
	if read {
		k = l.acked[rand.IntN(len(l.acked))]
	} else {
		k = l.next
		l.next++
	}
	l.mu.Unlock()
	var err error
	missing := false
	if read {
		var text string
		err = l.db.Query("SELECT v FROM ks.t WHERE k = ?", k).Scan(&text)
		if missing = errors.Is(err, gocql.ErrNotFound); missing || err == nil && text != value(k) {
			missing, err = true, nil
		}
	} else {
		err = l.db.Query("INSERT INTO ks.t (k, v) VALUES (?, ?)", k, value(k)).Exec()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	at := &l.seconds[s]
	switch {
	case missing:
		l.wrong = append(l.wrong, fmt.Sprintf("row %d was acknowledged and is not read", k))
	case err != nil:
		at.failed++
		if at.errs == nil {
			at.errs = map[string]int{}
		}
		at.errs[err.Error()]++
	default:
		at.done++
		if !read {
			l.acked = append(l.acked, k)
		}
	}
}

// lost reads everything at the session's level and returns how many
// acknowledged rows are not there; reads that failed to find one count too.
func (l *ringLoad) lost(db *gocql.Session) int {
	l.t.Helper()
	rows := present(l.t, db)
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.wrong)
	for _, w := range l.wrong[:min(len(l.wrong), 10)] {
		l.t.Error(w)
	}
	for _, k := range l.acked {
		if !rows[k] {
			n++
			if n < 10 {
				l.t.Errorf("row %d was acknowledged and is lost", k)
			}
		}
	}
	return n
}

// present are the rows of ks.t that a read of everything finds.
func present(t testing.TB, db *gocql.Session) map[int64]bool {
	t.Helper()
	rows := map[int64]bool{}
	err := poll(func() error {
		clear(rows)
		var k int64
		var text string
		it := db.Query("SELECT k, v FROM ks.t").PageSize(1000).Iter()
		for it.Scan(&k, &text) {
			rows[k] = true
			if text != value(k) {
				t.Errorf("row %d has %q", k, text)
			}
		}
		return it.Close()
	})
	if err != nil {
		t.Fatalf("read all: %v", err)
	}
	return rows
}

func (l *ringLoad) total() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

// failures sums up what failed.
func failures(seconds []second) (n int, what string) {
	for i, s := range seconds {
		n += s.failed
		for e, c := range s.errs {
			what += fmt.Sprintf("second %d: %d x %s\n", i, c, e)
		}
	}
	return n, what
}
