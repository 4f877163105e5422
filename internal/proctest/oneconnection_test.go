//go:build clients || long

package proctest

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/godriver"
)

// buffered is a connection that is read through a buffer, so that a benchmark
// measures the server and not its own system calls.
type buffered struct {
	net.Conn
	r *bufio.Reader
}

func (c *buffered) Read(p []byte) (int, error) { return c.r.Read(p) }

// dialBuffered is dial with a buffer for what comes.
func dialBuffered(b *testing.B, port int) *wire {
	b.Helper()
	w, err := dial(port, 4)
	if err != nil {
		b.Fatal(err)
	}
	w.Conn = &buffered{w.Conn, bufio.NewReaderSize(w.Conn, 1<<20)}
	b.Cleanup(w.close)
	return w
}

// oneConnection is a server with a partition of so many rows and a connection
// to it.
func oneConnection(b *testing.B, rows int) (*server, *wire) {
	b.Helper()
	s := startServer(b, options{})
	db := s.connect()
	defer godriver.Close(db)
	must(b, db, createKS)
	fillWide(b, db, rows, 100)
	return s, dialBuffered(b, s.port)
}

// flight is how requests that were sent in one write fared.
type flight struct {
	took   time.Duration // until all but the first were answered
	passed int           // answers that came before the first request's
}

// fly sends the requests, on streams from 0, and waits for all answers.
func fly(b *testing.B, w *wire, texts []string) (f flight) {
	b.Helper()
	var all []byte
	for i, text := range texts {
		all = append(all, w.request(int16(i), native.OpQuery, queryBody(text, 0, nil))...)
	}
	start := time.Now()
	if _, err := w.Write(all); err != nil {
		b.Fatal(err)
	}
	first := false
	for range texts {
		a := w.read()
		if a.opcode != opResult {
			b.Fatal(a)
		}
		if a.stream == 0 {
			first = true
			continue
		}
		if !first {
			f.passed++
		}
		f.took = time.Since(start)
	}
	return f
}

// BenchmarkReadsBehindScan tells how much longer 1,000 point reads of cached
// rows take when a scan of a million rows was asked for before them on the same
// connection: x-of-alone, the median, is at most 2.
//
//	go test -tags long -run '^$' -bench ReadsBehindScan -benchtime 9x ./internal/proctest
func BenchmarkReadsBehindScan(b *testing.B) {
	const rows, points = 1_000_000, 1_000
	_, w := oneConnection(b, rows)
	const scan = "SELECT count(*) FROM ks.wide"
	texts := []string{scan}
	for i := range points {
		texts = append(texts, fmt.Sprintf("SELECT v FROM ks.wide WHERE k = 1 AND c = %d", i*(rows/points)))
	}
	// Alone they are behind a point read that nobody waits for.
	without := append([]string{texts[1]}, texts[1:]...)
	fly(b, w, texts)
	var alone, behind, ratio, passed []float64
	for b.Loop() {
		was := fly(b, w, without).took.Seconds()
		with := fly(b, w, texts)
		alone, behind = append(alone, was*1e3), append(behind, with.took.Seconds()*1e3)
		ratio, passed = append(ratio, with.took.Seconds()/was), append(passed, float64(with.passed))
	}
	b.ReportMetric(0, "ns/op") // of a round, which says nothing
	b.ReportMetric(median(alone), "ms-alone")
	b.ReportMetric(median(behind), "ms-behind")
	b.ReportMetric(median(ratio), "x-of-alone")
	b.ReportMetric(median(passed), "passed-the-scan")
}

// runnable is the time that the threads of a server have run or waited for a
// core, in seconds; what threads that have ended used is left out.
func (s *server) runnable() (seconds float64) {
	s.t.Helper()
	dir := fmt.Sprintf("/proc/%d/task", s.cmd.Process.Pid)
	tasks, err := os.ReadDir(dir)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, task := range tasks {
		text, err := os.ReadFile(filepath.Join(dir, task.Name(), "schedstat"))
		if err != nil {
			continue // it has ended
		}
		var ran, waited float64 // nanoseconds
		if _, err := fmt.Sscan(string(text), &ran, &waited); err != nil {
			s.t.Fatal(err)
		}
		seconds += (ran + waited) / 1e9
	}
	return seconds
}

// BenchmarkCountsInFlight tells how many cores a server keeps busy with 64
// counts over 10,000 rows that are in flight on one connection: cores is what
// it used, at least 1.6 on two that are idle, and wanted what it would have
// used if it had never waited for one, for machines that do other work, too.
//
//	go test -tags long -run '^$' -bench CountsInFlight -benchtime 20x ./internal/proctest
func BenchmarkCountsInFlight(b *testing.B) {
	const counts, rows = 64, 10_000
	s, w := oneConnection(b, rows)
	var texts []string
	for range counts {
		texts = append(texts, "SELECT count(*) FROM ks.wide WHERE k = 1")
	}
	fly(b, w, texts)
	used, wanted, start := s.metric("process_cpu_seconds_total"), s.runnable(), time.Now()
	for b.Loop() {
		fly(b, w, texts)
	}
	took := time.Since(start).Seconds()
	b.ReportMetric(0, "ns/op") // of a round, which says nothing
	b.ReportMetric((s.metric("process_cpu_seconds_total")-used)/took, "cores")
	b.ReportMetric((s.runnable()-wanted)/took, "wanted")
	b.ReportMetric(float64(b.N)*counts*rows/took/1e6, "Mrows/s")
}
