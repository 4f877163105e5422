//go:build clients || long

package proctest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/ilion-db/ilion/internal/godriver"
)

const (
	scaleRows  = 10_000           // of each node
	scaleIdle  = 10 * time.Second // length of the look at idle nodes
	scaleWhile = 20 * time.Second // of the load
	scaleFull  = 64               // writes in flight while the rows are made
)

// BenchmarkRingScale tells what an operation costs the servers in rings of 3, 6
// and 9 nodes, with as many rows for each node and the same rate for all of the
// ring: half of what the three do. Half of the operations write, half read, at
// QUORUM, three replicas, the client token-aware. The cost is the CPU time of all
// servers over the operations; that of the ring before the load is told beside
// it, and what one node has to do then.
//
// The last case, 3-third, has three nodes at a third of the rate: each node has
// as much to do as one of nine, over fewer connections. No work depends on the
// number of nodes, but messages, statements and records that come together share
// calls of the system and frames of the log; where less comes to each node, less
// is shared. 9 beside 3 shows all of it, 3-third beside 3 what less sharing costs
// any ring, and 9 beside 3-third what the number of nodes and of connections
// does. Frames of the log, records in each (three for a write) and calls that
// write, to sockets and the log, tell how much is shared.
//
// The log is written each ten milliseconds, each ten seconds as Cassandra's does,
// or before each answer: what a node has to write for itself alone grows with the
// number of nodes and not with the operations.
//
// Each server has one thread for Go code, as all share the machine: of more, Go
// has the idle ones look for work at each message, which three busy servers do
// less than nine that have little to do.
//
//	go test -tags long -run '^$' -bench RingScale -benchtime 1x ./internal/proctest
func BenchmarkRingScale(b *testing.B) {
	for _, sync := range []struct {
		name string
		args []string
	}{
		{"periodic", []string{"--commitlog-sync", "periodic"}},
		{"periodic-10s", []string{"--commitlog-sync", "periodic", "--commitlog-sync-period", "10s"}},
		{"batch", []string{"--commitlog-sync", "batch"}},
	} {
		full, first := 0, 0.0 // of the three
		for _, size := range []struct {
			name  string
			nodes int
			share int // of the rate
		}{{"3", 3, 1}, {"6", 6, 1}, {"9", 9, 1}, {"3-third", 3, 3}} {
			b.Run(sync.name+"/"+size.name, func(b *testing.B) {
				nodes := size.nodes
				r := newRing(b, ringOptions{nodes: nodes, env: []string{"GOMAXPROCS=1"}, args: append([]string{
					"--commitlog-segment-size", "16MiB", "--commitlog-total-space", "256MiB",
				}, sync.args...)})
				r.schema(simple(3))
				idle := r.spent()
				<-time.After(scaleIdle)
				idle = r.spent().plus(idle, -1)

				db := r.session(gocql.Quorum)
				defer godriver.Close(db)
				rows := int64(nodes) * scaleRows
				fill(b, db, rows)
				if full == 0 {
					full = r.peakOf(func() { mixedOne(b, db, rows) }) / 2
				}
				rate := full / size.share
				mixedFor(b, db, rows, rate, 2*time.Second) // warm
				var used spending
				ops := 0
				for b.Loop() {
					before := r.spent()
					ops += mixedFor(b, db, rows, rate, scaleWhile)
					used = used.plus(r.spent(), 1).plus(before, -1)
				}
				cost := used.cpu * 1e6 / float64(ops)
				if first == 0 {
					first = cost
				}
				b.ReportMetric(0, "ns/op") // of the while, which says nothing
				b.ReportMetric(float64(rate), "ops/s")
				b.ReportMetric(cost, "us-CPU/op")
				b.ReportMetric(cost/first, "of-three")
				b.ReportMetric((used.cpu-idle.cpu*used.seconds/idle.seconds)*1e6/float64(ops), "us-CPU/op-above-idle")
				b.ReportMetric(used.bytes/float64(ops), "internode-B/op")
				b.ReportMetric(used.switches/float64(ops), "switches/op")
				b.ReportMetric(used.frames/float64(ops), "frames/op")
				b.ReportMetric(used.records/used.frames, "records/frame")
				b.ReportMetric(used.writes/float64(ops), "write-calls/op")
				each := idle.seconds * float64(nodes)
				b.ReportMetric(idle.cpu*1e3/each, "idle-ms-CPU/s/node")
				b.ReportMetric(idle.bytes/each, "idle-B/s/node")
				b.ReportMetric(idle.switches/each, "idle-switches/s/node")
			})
		}
	}
}

// spending is what all servers of a ring have spent.
type spending struct {
	seconds  float64 // of the clock
	cpu      float64 // seconds
	bytes    float64 // that nodes sent to each other
	switches float64 // of threads that gave up their core by themselves
	frames   float64 // of the commit logs
	records  float64 // in them
	writes   float64 // calls of the system that write
}

func (r *processes) spent() spending {
	r.t.Helper()
	s := spending{seconds: float64(time.Now().UnixNano()) / 1e9}
	for _, o := range r.servers {
		m := o.metrics("process_cpu_seconds_total", "ilion_internode_sent_bytes_total",
			"ilion_commitlog_sync_seconds_count", "ilion_commitlog_records_total")
		s.cpu += m[0]
		s.bytes += m[1]
		s.frames += m[2]
		s.records += m[3]
		s.switches += o.switches()
		s.writes += o.proc("io", "syscw")
	}
	return s
}

// plus adds o so many times.
func (s spending) plus(o spending, times float64) spending {
	s.seconds += times * o.seconds
	s.cpu += times * o.cpu
	s.bytes += times * o.bytes
	s.switches += times * o.switches
	s.frames += times * o.frames
	s.records += times * o.records
	s.writes += times * o.writes
	return s
}

// switches is how often threads of the process have gone to sleep. Those that
// have ended count no more; the Go runtime ends none.
func (s *server) switches() (sum float64) {
	s.t.Helper()
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, thread := range threads {
		sum += s.proc("task/"+thread.Name()+"/status", "voluntary_ctxt_switches")
	}
	return sum
}

// proc is a number that the system tells of the process, in a file of lines like
// "name: 1".
func (s *server) proc(file, name string) float64 {
	s.t.Helper()
	path := fmt.Sprintf("/proc/%d/%s", s.cmd.Process.Pid, file)
	p, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(p)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err != nil {
				s.t.Fatal(err)
			}
			return n
		}
	}
	s.t.Fatalf("no %s in %s", name, path)
	return 0
}

// fill writes the rows 0 to n.
func fill(b *testing.B, db *gocql.Session, n int64) {
	b.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range scaleFull {
		wg.Go(func() {
			for k := next.Add(1) - 1; k < n; k = next.Add(1) - 1 {
				if err := db.Query("INSERT INTO ks.t (k, v) VALUES (?, ?)", k, value(k)).Exec(); err != nil {
					b.Errorf("row %d: %v", k, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// mixedOne writes a row again or reads one.
func mixedOne(b *testing.B, db *gocql.Session, rows int64) {
	k := rand.Int64N(rows)
	if rand.IntN(2) == 0 {
		if err := db.Query("INSERT INTO ks.t (k, v) VALUES (?, ?)", k, value(k)).Exec(); err != nil {
			b.Errorf("row %d: %v", k, err)
		}
		return
	}
	var text string
	if err := db.Query("SELECT v FROM ks.t WHERE k = ?", k).Scan(&text); err != nil || text != value(k) {
		b.Errorf("row %d: %q, %v", k, text, err)
	}
}

// mixedFor does that at a rate, without waiting for answers, and returns how
// often.
func mixedFor(b *testing.B, db *gocql.Session, rows int64, rate int, d time.Duration) (ops int) {
	b.Helper()
	var wg sync.WaitGroup
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for start := time.Now(); ; <-tick.C {
		past := min(time.Since(start), d)
		for due := int(past.Seconds() * float64(rate)); ops < due; ops++ {
			wg.Go(func() { mixedOne(b, db, rows) })
		}
		if past == d {
			wg.Wait()
			return ops
		}
	}
}
