//go:build clients || long

package proctest

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/ilion-db/ilion/internal/godriver"
)

// bench runs the load generator of the binary against s and returns what it
// wrote; failed tells whether it ended with an error.
func (s *server) bench(args ...string) (stdout, stderr string, failed bool) {
	s.t.Helper()
	args = append([]string{"bench", "--hosts", "127.0.0.1:" + strconv.Itoa(s.port)}, args...)
	cmd, cancel := command(buildServer(s.t, s.o.tags), args...)
	defer cancel()
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	return out.String(), errs.String(), err != nil
}

// TestLoadGenerator runs each workload small; verify has to find a row that is
// missing and one whose value is another.
func TestLoadGenerator(t *testing.T) {
	s := startServer(t, options{})
	const rows = 2000
	sizes := []string{"--rows", strconv.Itoa(rows), "--partition-rows", "200", "--value-size", "5-60", "-c", "8", "--json"}
	for _, w := range []string{"write", "verify", "read", "mixed", "scan", "timeseries", "verify"} {
		out, errs, failed := s.bench(append([]string{w, "-n", strconv.Itoa(rows)}, sizes...)...)
		var report struct {
			Workload   string             `json:"workload"`
			Operations int                `json:"operations"`
			Latency    map[string]float64 `json:"latency_us"`
			Servers    *struct{}          `json:"servers"`
		}
		if err := json.Unmarshal([]byte(out), &report); err != nil || failed {
			t.Fatalf("%s: %v, failed: %v\n%s%s", w, err, failed, out, errs)
		}
		if report.Workload != w || report.Operations != rows || report.Latency["max"] <= 0 || report.Servers == nil {
			t.Errorf("%s: %s", w, out)
		}
		if errs != "" {
			t.Errorf("%s wrote to stderr, which is no terminal: %q", w, errs)
		}
	}
	out, errs, failed := s.bench("read", "-n", "500", "--rows", strconv.Itoa(rows), "--value-size", "5-60",
		"--rate", "5000", "--warmup", "100ms", "--distribution", "zipf")
	if failed || !strings.Contains(out, "open loop at 5000/s") {
		t.Errorf("open loop with a warm-up: %s%s", out, errs)
	}

	cluster := gocql.NewCluster("127.0.0.1")
	cluster.Port = s.port
	cluster.Timeout, cluster.ConnectTimeout = timeout, timeout
	session, err := cluster.CreateSession()
	if err != nil {
		t.Fatal(err)
	}
	defer godriver.Close(session)
	key := func(row uint64) []byte { // the second half of a key is the row's number
		it := session.Query("SELECT key FROM ilion_bench.kv").Iter()
		defer it.Close()
		var k []byte
		for it.Scan(&k) {
			if binary.BigEndian.Uint64(k[8:]) == row {
				return k
			}
		}
		t.Fatalf("row %d is not there", row)
		return nil
	}
	ctx := context.Background()
	if err := session.Query("DELETE FROM ilion_bench.kv WHERE key = ?", key(77)).ExecContext(ctx); err != nil {
		t.Fatal(err)
	}
	if err := session.Query("UPDATE ilion_bench.kv SET c3 = 0x00 WHERE key = ?", key(1234)).ExecContext(ctx); err != nil {
		t.Fatal(err)
	}
	out, errs, failed = s.bench("verify", "--rows", strconv.Itoa(rows), "--value-size", "5-60")
	if !failed || !strings.Contains(out, "2 x wrong answer") || !strings.Contains(out, "1998 operations") {
		t.Errorf("verify has not found two bad rows: failed %v\n%s%s", failed, out, errs)
	}
	if errs != "ilion: 2 operations failed\n" {
		t.Errorf("stderr: %q", errs)
	}
}

// TestAllocationsPerRequest asks it of the whole way, from the socket to the
// log and the memtable and back. What connecting and the schema take is in it,
// and is little for so many requests.
func TestAllocationsPerRequest(t *testing.T) {
	s := startServer(t, options{args: []string{"--commitlog-sync", "periodic"}})
	const n = 30_000
	for _, w := range []string{"write", "read", "mixed"} {
		// What the server does besides is in it too, and is more the longer the
		// requests take: the least of some attempts counts.
		least := math.Inf(1)
		for range 5 {
			before := s.allocations()
			if out, errs, failed := s.bench(w, "-n", strconv.Itoa(n), "--rows", strconv.Itoa(n)); failed {
				t.Fatalf("%s: %s%s", w, out, errs)
			}
			least = min(least, (s.allocations()-before)/n)
			t.Logf("%s: %.2f allocations per request", w, least)
			if least <= 2 {
				break
			}
		}
		if least > 2 {
			t.Errorf("%s: %.2f allocations per request, at most 2 are allowed", w, least)
		}
	}
}

// allocations is how many objects the server has allocated.
func (s *server) allocations() float64 {
	s.t.Helper()
	return s.metric("go_memstats_mallocs_total")
}
