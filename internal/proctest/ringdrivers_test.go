//go:build clients || long

package proctest

import (
	"bufio"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"gopkg.in/inf.v0"

	"github.com/ilion-db/ilion/internal/foreign"
	"github.com/ilion-db/ilion/internal/godriver"
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
			driveScript(r, step, nil, filepath.Join(foreign.Python(t), "python"), filepath.Join(scripts, "python", "ring.py"))
		}},
		{"node", func(r *processes, step func(string) string) {
			driveScript(r, step, []string{"NODE_PATH=" + foreign.Node(t)}, "node", filepath.Join(scripts, "node", "ring.js"))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRing(t, ringOptions{nodes: 6})
			var before float64
			const victim = 3
			rounds := 0
			c.drive(r, func(word string) string {
				word, count, _ := strings.Cut(word, " ")
				switch word {
				case "ready":
					r.awaitUp()
					before = r.away()
				case "done":
					away := r.away() - before
					n, _ := strconv.ParseFloat(count, 64)
					t.Logf("%.0f requests, %.0f of them not to a replica first", n, away)
					if rounds++; n == 0 || away > n/100 {
						// Where the machine has no time, a node may have been taken for
						// dead for a while, and clients are right to leave it then.
						if rounds < 20 {
							return "again"
						}
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
func driveScript(r *processes, step func(string) string, env []string, interpreter, script string) {
	t := r.t
	cmd, cancel := command(interpreter, script, loopback(0), strconv.Itoa(r.cql), strconv.Itoa(driverRequests))
	defer cancel()
	cmd.Env = append(os.Environ(), env...)
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

// keyColumn finds the names of the columns of a key.
var keyColumn = regexp.MustCompile(`\b([klm]) `)

// keyKinds are a key of every type that it can have, and keys of several
// columns. About half of the bytes are 0x80 or above. There is no tuple: gocql
// binds its parts one by one and finds no routing key then.
var keyKinds = []struct {
	columns string
	key     func(i int64) []any
}{
	{"k ascii", func(i int64) []any { return []any{fmt.Sprintf("key %d", i)} }},
	{"k bigint", func(i int64) []any { return []any{mixed(i)} }},
	{"k blob", func(i int64) []any { return []any{blob(i)} }},
	{"k boolean", func(i int64) []any { return []any{i%2 == 1} }},
	{"k date", func(i int64) []any { return []any{time.Unix(sign(i)*i*24*3600, 0)} }},
	{"k decimal", func(i int64) []any { return []any{inf.NewDec(mixed(i), inf.Scale(i%50))} }},
	{"k double", func(i int64) []any { return []any{float64(mixed(i)) / 3} }},
	{"k float", func(i int64) []any { return []any{-float32(i) / 4} }},
	{"k inet", func(i int64) []any {
		if i%2 == 1 {
			return []any{fmt.Sprintf("192.0.2.%d", i%256)}
		}
		return []any{fmt.Sprintf("2001:db8::%x", i)}
	}},
	{"k int", func(i int64) []any { return []any{int32(mixed(i))} }},
	{"k smallint", func(i int64) []any { return []any{int16(i - 200)} }},
	{"k text", func(i int64) []any { return []any{fmt.Sprintf("schlüssel %d 世界", i)} }},
	{"k time", func(i int64) []any { return []any{time.Duration(i) * 7000999} }},
	{"k timestamp", func(i int64) []any { return []any{sign(i)*1_700_000_000_000 + i} }},
	{"k timeuuid", func(i int64) []any { return []any{uuid(i, 1)} }},
	{"k tinyint", func(i int64) []any { return []any{int8(i)} }},
	{"k uuid", func(i int64) []any { return []any{uuid(i, 4)} }},
	{"k varint", func(i int64) []any {
		n := big.NewInt(mixed(i))
		return []any{n.Exp(n, big.NewInt(3), nil)}
	}},
	{"k frozen<list<int>>", func(i int64) []any { return []any{[]int64{i, -i}} }},
	{"k frozen<set<text>>", func(i int64) []any { return []any{[]string{fmt.Sprintf("a%d", i), fmt.Sprintf("ü%d", i)}} }},
	{"k frozen<map<text, int>>", func(i int64) []any { return []any{map[string]int64{"a": i}} }},
	{"k frozen<pair>", func(i int64) []any { return []any{map[string]any{"a": -i, "b": fmt.Sprintf("part %d", i)}} }},
	{"k vector<float, 3>", func(i int64) []any { return []any{[]float32{float32(i), -float32(i), 0.5}} }},
	{"k int, l text", func(i int64) []any { return []any{i, fmt.Sprintf("part %d", i)} }},
	{"k blob, l bigint, m text", func(i int64) []any {
		m := ""
		if i%3 > 0 {
			m = fmt.Sprintf("ü%d", i)
		}
		return []any{blob(i), mixed(i), m}
	}},
}

func mixed(i int64) int64 { return (i + 1) * -0x61c8864680b583eb }

func sign(i int64) int64 { return 1 - i%2*2 }

func blob(i int64) []byte {
	p := make([]byte, i%40+1)
	for at := range p {
		p[at] = byte(251 - i>>8 - i*int64(at))
	}
	return p
}

func uuid(i int64, version byte) gocql.UUID {
	return gocql.UUID{0xf0, 1, byte(i >> 8), byte(i), 6: version<<4 | 1, 7: 0xff, 8: 0x80, 10: 0xe2, 15: byte(i)}
}

// driveGocql does the same in this process.
func driveGocql(r *processes, step func(string) string) {
	t := r.t
	db := r.session(gocql.One)
	defer godriver.Close(db)
	persist(t, db, "CREATE KEYSPACE IF NOT EXISTS go_ring WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 2}")
	persist(t, db, "CREATE TYPE IF NOT EXISTS go_ring.pair (a int, b text)")
	kinds := keyKinds
	var inserts, selects []string
	for n, k := range kinds {
		var names, marks, equal []string
		for _, m := range keyColumn.FindAllStringSubmatch(k.columns, -1) {
			names, marks, equal = append(names, m[1]), append(marks, "?"), append(equal, m[1]+" = ?")
		}
		table := fmt.Sprintf("go_ring.t%d", n)
		persist(t, db, fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (%s, v int, PRIMARY KEY ((%s)))", table, k.columns, strings.Join(names, ", ")))
		inserts = append(inserts, fmt.Sprintf("INSERT INTO %s (%s, v) VALUES (%s, ?)", table, strings.Join(names, ", "), strings.Join(marks, ", ")))
		selects = append(selects, fmt.Sprintf("SELECT v FROM %s WHERE %s", table, strings.Join(equal, " AND ")))
	}
	requests := func(n int) {
		t.Helper()
		for i := range n / 2 {
			k := i % len(kinds)
			key := kinds[k].key(int64(i / len(kinds)))
			persist(t, db, inserts[k], append(key, i)...)
			persist(t, db, selects[k], key...)
		}
	}
	query := func(i int) *gocql.Query {
		k := i % len(kinds)
		return db.Query(selects[k], kinds[k].key(int64(i))...)
	}
	// A client that knows of one node only is counted.
	was, one := r.away(), r.session(gocql.One, 0)
	for i := range 60 {
		persist(t, one, selects[0], kinds[0].key(int64(i))...)
	}
	godriver.Close(one)
	if r.away() == was {
		t.Error("the nodes do not count requests that come to others than replicas")
	}
	for again := true; again; {
		// Each host must have a connection before first requests can be counted.
		awaitUsed(t, len(r.servers), query)
		step("ready")
		requests(driverRequests)
		again = step(fmt.Sprintf("done %d", driverRequests/2*2)) == "again"
	}
	requests(400)
	victim := step("went on")
	if err := poll(func() error {
		if !used(query)[victim] {
			return fmt.Errorf("gocql does not use %s, which came back", victim)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	step("returned")
}
