//go:build clients || long

package proctest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/ilion-db/ilion/internal/foreign"
)

// TestRingDrivers has token-aware drivers talk to six nodes with two replicas
// of each row: first requests reach a replica, as the nodes count them, and a
// killed node is left and returned to.
func TestRingDrivers(t *testing.T) {
	_, file, _, _ := runtime.Caller(0)
	scripts := filepath.Join(filepath.Dir(file), "..", "clienttest")
	for _, c := range []struct {
		name  string
		drive func(r *processes, step func(word string) string)
	}{
		{"gocql", driveGocql},
		{"python", func(r *processes, step func(string) string) {
			driveScript(r, step, exec.Command(filepath.Join(foreign.Python(t), "python"), filepath.Join(scripts, "python", "ring.py")))
		}},
		{"node", func(r *processes, step func(string) string) {
			cmd := exec.Command("node", filepath.Join(scripts, "node", "ring.js"))
			cmd.Env = append(os.Environ(), "NODE_PATH="+foreign.Node(t))
			driveScript(r, step, cmd)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRing(t, ringOptions{nodes: 6})
			var before float64
			const victim = 3
			c.drive(r, func(word string) string {
				word, count, _ := strings.Cut(word, " ")
				switch word {
				case "ready":
					before = r.away()
				case "done":
					away := r.away() - before
					n, _ := strconv.ParseFloat(count, 64)
					t.Logf("%.0f requests, %.0f of them not to a replica first", n, away)
					if n == 0 || away > n/100 {
						t.Errorf("%.0f of %.0f requests did not reach a replica first", away, n)
					}
					r.servers[victim].kill()
				case "went":
					r.servers[victim].start()
				case "returned":
					return ""
				default:
					t.Fatalf("the client says %q", word)
				}
				return loopback(victim)
			})
		})
	}
}

// away is how many requests for one partition the nodes have taken without
// having a replica of it.
func (r *processes) away() (sum float64) {
	r.t.Helper()
	for _, s := range r.servers {
		sum += s.metric("ilion_coordinator_away_total") + s.metric("ilion_replica_reads_away_total")
	}
	return sum
}

// driveScript runs a client in another language, which prints what it has done
// and waits for a line after each.
func driveScript(r *processes, step func(string) string, cmd *exec.Cmd) {
	t := r.t
	cmd.Args = append(cmd.Args, loopback(0), strconv.Itoa(r.cql), strconv.Itoa(driverRequests))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var log logBuffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v\n%s", err, log.String())
		}
	}()
	lines := bufio.NewReader(io.TeeReader(out, &log))
	for word := ""; word != "returned"; {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Errorf("the client ends: %v\n%s", err, log.String())
			return
		}
		word = strings.TrimSpace(line)
		fmt.Fprintln(in, step(word))
	}
}

// driveGocql does the same in this process.
func driveGocql(r *processes, step func(string) string) {
	t := r.t
	db := r.session(gocql.One)
	defer db.Close()
	must(t, db, "CREATE KEYSPACE go_ring WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 2}")
	kinds := []struct {
		columns string
		key     func(i int) []any
	}{
		{"k int", func(i int) []any { return []any{i - 500} }},
		{"k bigint", func(i int) []any { return []any{int64(i)<<40 | int64(i)} }},
		{"k text", func(i int) []any { return []any{fmt.Sprintf("schlüssel %d", i)} }},
		{"k blob", func(i int) []any { return []any{[]byte{255 - byte(i), byte(i), 128}} }},
		{"k uuid", func(i int) []any { return []any{gocql.UUID{1, 200, byte(i >> 8), byte(i), 6: 0x40, 8: 0x80}} }},
		{"k int, l text", func(i int) []any { return []any{i, fmt.Sprintf("part %d", i)} }},
	}
	var inserts, selects []string
	for n, k := range kinds {
		var names, marks, equal []string
		for _, c := range strings.Split(k.columns, ", ") {
			name, _, _ := strings.Cut(c, " ")
			names, marks, equal = append(names, name), append(marks, "?"), append(equal, name+" = ?")
		}
		table := fmt.Sprintf("go_ring.t%d", n)
		must(t, db, fmt.Sprintf("CREATE TABLE %s (%s, v int, PRIMARY KEY ((%s)))", table, k.columns, strings.Join(names, ", ")))
		inserts = append(inserts, fmt.Sprintf("INSERT INTO %s (%s, v) VALUES (%s, ?)", table, strings.Join(names, ", "), strings.Join(marks, ", ")))
		selects = append(selects, fmt.Sprintf("SELECT v FROM %s WHERE %s", table, strings.Join(equal, " AND ")))
	}
	requests := func(n int) {
		t.Helper()
		for i := range n / 2 {
			k := i % len(kinds)
			key := kinds[k].key(i)
			must(t, db, inserts[k], append(key, i)...)
			var v int
			if err := db.Query(selects[k], key...).Scan(&v); err != nil && err != gocql.ErrNotFound {
				t.Fatalf("%s: %v", selects[k], err)
			}
		}
	}
	// used are the hosts that answer, each of which must have a connection
	// before first requests can be counted.
	used := func() map[string]bool {
		hosts := map[string]bool{}
		for i := range 200 {
			k := i % len(kinds)
			var v int
			it := db.Query(selects[k], kinds[k].key(i)...).Iter()
			it.Scan(&v)
			if h := it.Host(); h != nil {
				hosts[h.ConnectAddress().String()] = true
			}
			if err := it.Close(); err != nil {
				t.Fatal(err)
			}
		}
		return hosts
	}
	await := func(what string, done func() bool) {
		t.Helper()
		if err := poll(func() error {
			if !done() {
				return fmt.Errorf("gocql: %s", what)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	await("not all hosts are used", func() bool { return len(used()) == 6 })
	// A client that knows of one node only is counted.
	was, one := r.away(), r.session(gocql.One, 0)
	for i := range 60 {
		if err := one.Query(selects[0], kinds[0].key(i)...).Exec(); err != nil {
			t.Fatal(err)
		}
	}
	one.Close()
	if r.away() == was {
		t.Error("the nodes do not count requests that come to others than replicas")
	}
	step("ready")
	requests(driverRequests)
	step(fmt.Sprintf("done %d", driverRequests/2*2))
	requests(400)
	victim := step("went on")
	await("the node that came back is not used", func() bool { return used()[victim] })
	step("returned")
}
