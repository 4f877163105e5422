//go:build clients || long

package proctest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/ilion-db/ilion/internal/godriver"
)

// BenchmarkRingOneStopped tells what reads on two nodes of three lose when the
// third is gone: killed, or stopped so that its connections stay. Each round is
// ten seconds with all three and, from the moment of the fault, ten with two.
//
//	go test -tags long -run '^$' -bench RingOneStopped -benchtime 5x ./internal/proctest
func BenchmarkRingOneStopped(b *testing.B) {
	const rows = 10_000
	r := newRing(b, ringOptions{nodes: 3})
	r.schema(simple(3))
	all := r.session(gocql.All)
	for k := range int64(rows) {
		must(b, all, "INSERT INTO ks.t (k, v) VALUES (?, ?)", k, value(k))
	}
	all.Close()
	victim := r.servers[2]
	for _, level := range []gocql.Consistency{gocql.One, gocql.Quorum} {
		for _, fault := range []struct {
			name      string
			hit, mend func()
		}{
			{"stopped", func() { victim.signal(syscall.SIGSTOP) }, func() { victim.signal(syscall.SIGCONT) }},
			{"killed", victim.kill, victim.start},
		} {
			b.Run(fmt.Sprintf("%v/%s", level, fault.name), func(b *testing.B) {
				db := r.session(level, 0, 1)
				defer godriver.Close(db)
				others := r.servers[:2]
				readFor(b, db, rows, others) // warm
				sums := map[string][]float64{}
				for b.Loop() {
					all := readFor(b, db, rows, others)
					fault.hit()
					two := readFor(b, db, rows, others)
					fault.mend()
					r.awaitUp()
					for unit, v := range map[string]float64{
						"reads/s-of-three": all.rate, "reads/s-of-two": two.rate, "%-of-rate": two.rate / all.rate * 100,
						"us-CPU/read-of-three": all.cpu, "us-CPU/read-of-two": two.cpu, "ms-longest": two.longest,
					} {
						sums[unit] = append(sums[unit], v)
					}
				}
				b.ReportMetric(0, "ns/op") // of a round, which says nothing
				for unit, v := range sums {
					b.ReportMetric(median(v), unit)
				}
			})
		}
	}
}

// reading is what became of a while of reads.
type reading struct {
	rate    float64 // reads a second
	cpu     float64 // microseconds that the servers spent for each
	longest float64 // milliseconds
}

// readFor reads random rows in a closed loop of 64 for ten seconds.
func readFor(b *testing.B, db *gocql.Session, rows int64, servers []*server) reading {
	b.Helper()
	cpu := func() (sum float64) {
		for _, s := range servers {
			sum += s.metric("process_cpu_seconds_total")
		}
		return sum
	}
	var n, worst atomic.Int64
	var wg sync.WaitGroup
	used, start := cpu(), time.Now()
	for range 64 {
		wg.Go(func() {
			for at := time.Now(); at.Sub(start) < 10*time.Second; {
				k := rand.Int64N(rows)
				var text string
				if err := db.Query("SELECT v FROM ks.t WHERE k = ?", k).Scan(&text); err != nil || text != value(k) {
					b.Errorf("row %d: %q, %v", k, text, err)
					return
				}
				now := time.Now()
				for took := int64(now.Sub(at)); ; {
					if w := worst.Load(); took <= w || worst.CompareAndSwap(w, took) {
						break
					}
				}
				at = now
				n.Add(1)
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	return reading{
		rate:    float64(n.Load()) / took.Seconds(),
		cpu:     (cpu() - used) * 1e6 / float64(n.Load()),
		longest: float64(worst.Load()) / 1e6,
	}
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
