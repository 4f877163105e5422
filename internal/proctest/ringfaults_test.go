//go:build clients || long

package proctest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/ilion-db/ilion/internal/godriver"
)

// TestRingFaults kills, stops and cuts off one node of three, again and again,
// while an open loop at QUORUM goes on: nothing acknowledged is lost and
// nothing errs after its retries.
func TestRingFaults(t *testing.T) {
	f := newFilter(t)
	if f == nil {
		return
	}
	r := newRing(t, ringOptions{nodes: 3})
	r.schema(simple(3))
	db := r.session(gocql.Quorum)
	defer godriver.Close(db)
	l := &ringLoad{t: t, db: db, rate: r.rate(db)}
	const before = 2
	short := 0
	kinds := map[string]int{}
	for round := range ringFaults {
		i := round / 3 % 3
		s := r.servers[i]
		var name string
		var hit, mend func()
		// What is killed or cut off is known to be gone within seconds; what is
		// stopped keeps its connections.
		during := min(faultSeconds, 8)
		switch round % 3 {
		case 0:
			name, hit, mend = "kill", s.kill, s.start
		case 1:
			name, during = "stop", faultSeconds
			hit = func() { s.signal(syscall.SIGSTOP) }
			mend = func() { s.signal(syscall.SIGCONT) }
		default:
			name = "cut"
			others := []string{"127.0.0.1"}
			for j := range r.servers {
				if j != i {
					others = append(others, loopback(j))
				}
			}
			hit, mend = func() { f.cut(r, []string{loopback(i)}, others) }, f.heal
		}
		kinds[name]++
		seconds := l.run(before+during, map[int]func(){before: hit})
		n, what := failures(seconds)
		if n > 0 {
			t.Errorf("round %d, %s of node %d: %d operations failed after their retries\n%s", round, name, i, n, what)
		}
		for at, sec := range seconds[before+2:] {
			if sec.done*100 < sec.due*95 {
				short++
				t.Logf("round %d, %s of node %d: second %d: %d of %d", round, name, i, at+before+2, sec.done, sec.due)
			}
		}
		mend()
		r.awaitUp()
		// The driver, too, has to find again what was away, which TCP takes its time
		// for.
		awaitUsed(t, len(r.servers), func(i int) *gocql.Query { return db.Query("SELECT v FROM ks.t WHERE k = ?", i) })
	}
	if n := l.lost(db); n > 0 {
		t.Errorf("%d of %d acknowledged writes are lost", n, l.total())
	}
	t.Logf("%d faults %v, %d writes acknowledged, %d seconds below 95 %%", ringFaults, kinds, l.total(), short)
}

// signal is for a process that goes on living.
func (s *server) signal(sig syscall.Signal) {
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Error(err)
	}
}

// rate is what an open loop may ask of this machine: half of the peak, at most
// ringRate. What is more than it can do piles up until it is too late.
func (r *processes) rate(db *gocql.Session) int {
	r.t.Helper()
	peak := r.peak(db)
	rate := max(min(peak/2, ringRate), 1)
	r.t.Logf("%d operations a second, the peak is %d", rate, peak)
	return rate
}

// peak is how many writes a second a closed loop does.
func (r *processes) peak(db *gocql.Session) int {
	r.t.Helper()
	var last atomic.Int64
	return r.peakOf(func() {
		k := last.Add(-1)
		if err := db.Query("INSERT INTO ks.t (k, v) VALUES (?, ?)", k, value(k)).Exec(); err != nil {
			r.t.Errorf("peak: %v", err)
		}
	})
}

// peakOf is how many times a second a closed loop of 64 does something.
func (r *processes) peakOf(do func()) int {
	const seconds = 5
	var n atomic.Int64
	var wg sync.WaitGroup
	end := time.Now().Add(seconds * time.Second)
	for range 64 {
		wg.Go(func() {
			for time.Now().Before(end) {
				do()
				n.Add(1)
			}
		})
	}
	wg.Wait()
	return int(n.Load() / seconds)
}

// TestRingOfFive goes on at QUORUM with two of five replicas dead.
func TestRingOfFive(t *testing.T) {
	r := newRing(t, ringOptions{nodes: 5})
	r.schema(simple(5))
	db := r.session(gocql.Quorum, 0, 1, 2)
	defer godriver.Close(db)
	l := &ringLoad{t: t, db: db, rate: r.rate(db)}
	seconds := l.run(6, map[int]func(){2: func() { r.servers[3].kill(); r.servers[4].kill() }})
	if n, what := failures(seconds); n > 0 {
		t.Errorf("%d operations failed after their retries\n%s", n, what)
	}
	if n := l.lost(db); n > 0 {
		t.Errorf("%d of %d acknowledged writes are lost", n, l.total())
	}
	three := r.session(gocql.All, 0, 1, 2)
	defer godriver.Close(three)
	// Until both are told dead it times out.
	if err := poll(func() error {
		err := three.Query("INSERT INTO ks.t (k, v) VALUES (?, ?)", -1, "all").Exec()
		var un *gocql.RequestErrUnavailable
		if !errors.As(err, &un) || un.Required != 5 || un.Alive != 3 {
			return fmt.Errorf("ALL with three of five: %w", err)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// TestRingPowerCut takes the power from all three nodes at once.
func TestRingPowerCut(t *testing.T) {
	n, total := powerCutRing(t, ringPowerCuts, "--commitlog-sync", "batch")
	if n > 0 {
		t.Errorf("%d of %d acknowledged writes are lost", n, total)
	}
	t.Logf("%d power cuts, %d writes acknowledged", ringPowerCuts, total)
}

// TestRingPowerCutLoses is the negative control.
func TestRingPowerCutLoses(t *testing.T) {
	n, total := powerCutRing(t, 1, "--commitlog-sync", "periodic", "--commitlog-sync-period", "1h")
	if n == 0 && total > 0 {
		t.Errorf("none of %d writes is lost: the power was not cut", total)
	}
	t.Logf("%d of %d writes are lost", n, total)
}

func powerCutRing(t *testing.T, cuts int, args ...string) (lost, total int) {
	var disks []*disk
	var dirs []string
	for range 3 {
		d := newDisk(t, diskImage)
		if d == nil {
			return 0, 0
		}
		disks, dirs = append(disks, d), append(dirs, d.dir+"/data")
	}
	r := newRing(t, ringOptions{nodes: 3, dirs: dirs, args: args})
	r.schema(simple(3))
	acked := map[int64]bool{}
	var next atomic.Int64
	for range cuts {
		db := r.session(gocql.Quorum)
		for k := range writeUntil(t, db, &next, acksPerRound, func() {
			for _, s := range r.servers {
				s.kill()
			}
		}) {
			acked[k] = true
		}
		godriver.Close(db)
		// All at once: what a disk has not got in half a minute, the kernel writes.
		for _, d := range disks {
			d.cutPower()
		}
		for _, s := range r.servers {
			s.start()
		}
		r.awaitUp()
	}
	db := r.session(gocql.Quorum)
	defer godriver.Close(db)
	have := present(t, db)
	for k := range acked {
		if !have[k] {
			lost++
		}
	}
	return lost, len(acked)
}

// writeUntil writes new rows until n were acknowledged, then calls end with the
// writes going on, and returns what was acknowledged.
func writeUntil(t testing.TB, db *gocql.Session, next *atomic.Int64, n int, end func()) map[int64]bool {
	t.Helper()
	acked := map[int64]bool{}
	var mu sync.Mutex
	enough := make(chan struct{})
	ended := make(chan struct{})
	var wg sync.WaitGroup
	for range loadWorkers {
		wg.Go(func() {
			for {
				select {
				case <-ended:
					return
				default:
				}
				k := next.Add(1)
				if db.Query("INSERT INTO ks.t (k, v) VALUES (?, ?)", k, value(k)).Exec() != nil {
					continue
				}
				mu.Lock()
				acked[k] = true
				if len(acked) == n {
					close(enough)
				}
				mu.Unlock()
			}
		})
	}
	limit := time.NewTimer(timeout)
	defer limit.Stop()
	select {
	case <-enough:
	case <-limit.C:
		t.Error("writes are not acknowledged")
	}
	end()
	close(ended)
	wg.Wait()
	return acked
}
