//go:build clients

package clienttest

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/internal/foreign"
)

// shell is cqlsh against one server.
type shell struct {
	t    *testing.T
	bin  string
	port int
	dir  string
}

func newShell(t *testing.T, s *server) *shell {
	sh := &shell{t: t, bin: filepath.Join(foreign.Python(t), "cqlsh"), port: s.port, dir: t.TempDir()}
	// There is no flag for it: cqlsh waits 10 s for a trace.
	if err := os.Mkdir(filepath.Join(sh.dir, ".cassandra"), 0o755); err != nil {
		t.Fatal(err)
	}
	sh.write(".cassandra/cqlshrc", fmt.Sprintf("[tracing]\nmax_trace_wait = %.0f\n", requestTimeout.Seconds()))
	return sh
}

// versionWarning is printed by a cqlsh that was made with another release of
// Cassandra than the server says to be.
var versionWarning = regexp.MustCompile(`(?m)^WARNING: cqlsh was built against .*\n`)

// run feeds a text to cqlsh and returns what it prints.
func (s *shell) run(text string) string {
	s.t.Helper()
	file := filepath.Join(s.dir, "in.cql")
	s.write("in.cql", text+"\n") // the last command needs the end of its line
	out := script(s.t, []string{"HOME=" + s.dir}, s.bin, append(s.patience(), testHost, fmt.Sprint(s.port), "-f", file)...)
	return versionWarning.ReplaceAllString(out, "")
}

// patience are the flags against the time-outs of cqlsh, of 5 and 10 s.
func (s *shell) patience() []string {
	seconds := fmt.Sprintf("%.0f", requestTimeout.Seconds())
	return []string{"--connect-timeout", seconds, "--request-timeout", seconds}
}

func (s *shell) write(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func (s *shell) expect(text string, want ...string) {
	s.t.Helper()
	out := s.run(text)
	for _, w := range want {
		if !strings.Contains(out, w) {
			s.t.Errorf("%s\ndoes not print\n%s", text, indent(w))
		}
	}
}

const shopSchema = `
CREATE KEYSPACE shop WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1};
USE shop;
CREATE TYPE address (street text, zip int);
CREATE TABLE t (id int, at timestamp, name text, tags set<text>, home frozen<address>, price decimal, s text static,
  PRIMARY KEY (id, at)) WITH CLUSTERING ORDER BY (at DESC) AND comment = 'it''s' AND gc_grace_seconds = 1234;
CREATE TABLE "MixedCase" ("K" int, "select" text, c int, v list<frozen<map<text, int>>>, PRIMARY KEY (("K", "select"), c));
CREATE TABLE series (id int, at timeuuid, v double, PRIMARY KEY (id, at)) WITH default_time_to_live = 86400 AND compaction =
  {'class': 'TimeWindowCompactionStrategy', 'compaction_window_unit': 'HOURS', 'compaction_window_size': 1};
`

func TestCqlsh(t *testing.T) {
	s := newShell(t, sharedServer(t))
	s.run(shopSchema)
	s.expect(`USE shop;
		INSERT INTO t (id, at, name, tags, home, price) VALUES (1, '2024-02-29T12:30:00.123Z', 'grüße', {'b','a'}, {street: 'Elm', zip: 1}, 1.50);
		INSERT INTO t (id, at) VALUES (2, '2024-02-29');
		SELECT * FROM t;
		SELECT count(*) FROM t;
		EXPAND ON
		SELECT id, name FROM t WHERE id = 1;`,
		` id | at                              | s    | home                    | name  | price | tags
----+---------------------------------+------+-------------------------+-------+-------+------------
  1 | 2024-02-29 12:30:00.123000+0000 | null | {street: 'Elm', zip: 1} | grüße |  1.50 | {'a', 'b'}
  2 | 2024-02-29 00:00:00.000000+0000 | null |                    null |  null |  null |       null

(2 rows)
`, ` count
-------
     2
`, `@ Row 1
------+-------
 id   | 1
 name | grüße
`)
	s.expect("CONSISTENCY\nCONSISTENCY QUORUM\nSELECT id FROM shop.t;\nPAGING 1\nSELECT id FROM shop.t;\nPAGING OFF\nSHOW VERSION\nSHOW HOST\nDESCRIBE CLUSTER",
		"Current consistency level is ONE.", "Consistency level set to QUORUM.", "Page size: 1", "(2 rows)",
		"| CQL spec 3.4.7 | Native protocol v5]", "Connected to Test Cluster at "+testHost, "Partitioner: Murmur3Partitioner", "Snitch: SimpleSnitch")
	s.expect("TRACING ON\nSELECT id FROM shop.t WHERE id = 1;", "Tracing session: ", "Execute CQL3 query", "Request complete")
	source := s.write("source.cql", "SELECT name FROM shop.t WHERE id = 1;\n")
	s.expect("SOURCE '"+source+"'", " name\n-------\n grüße\n")
	t.Run("errors", func(t *testing.T) {
		// cqlsh leaves with 2 if a statement failed.
		for text, want := range map[string]string{
			"SELEC;":                      "SyntaxException: line 1:0 no viable alternative at input 'SELEC'",
			"SELECT nope FROM shop.t;":    `message="Undefined column name nope in table shop.t"`,
			"SELECT * FROM shop.none;":    `message="table none does not exist"`,
			"USE nokeyspace;":             "nokeyspace",
			"DESCRIBE TABLE shop.nothing": "nothing",
		} {
			sub := *s
			sub.t = t
			out := sub.fails(text)
			if !strings.Contains(out, want) {
				t.Errorf("%s prints %s", text, out)
			}
		}
	})
	t.Run("describe", func(t *testing.T) { sub := *s; sub.t = t; sub.describe() })
	t.Run("copy", func(t *testing.T) { sub := *s; sub.t = t; sub.copy() })
}

// fails is run for a text with an error in it.
func (s *shell) fails(text string) string {
	s.t.Helper()
	out, err := output([]string{"HOME=" + s.dir}, s.bin, append(s.patience(), testHost, fmt.Sprint(s.port), "-e", text)...)
	if err == nil {
		s.t.Errorf("%s: no error", text)
	}
	return out
}

// describe feeds what DESCRIBE prints back and wants to see it again.
func (s *shell) describe() {
	s.expect("DESCRIBE KEYSPACES", "shop", "system_schema", "system_virtual_schema")
	s.expect("USE shop;\nDESCRIBE TABLES", `"MixedCase"  series  t`)
	s.expect("DESCRIBE TYPE shop.address", "CREATE TYPE shop.address (\n    street text,\n    zip int\n);")
	s.expect("DESCRIBE TABLE system.local", "CREATE TABLE system.local (\n    key text PRIMARY KEY,")
	table := s.run("DESCRIBE TABLE shop.t")
	for _, w := range []string{"CREATE TABLE shop.t (\n    id int,\n    at timestamp,\n", "    s text static,\n", "    PRIMARY KEY (id, at)\n) WITH CLUSTERING ORDER BY (at DESC)\n",
		"AND comment = 'it''s'", "AND gc_grace_seconds = 1234"} {
		if !strings.Contains(table, w) {
			s.t.Errorf("DESCRIBE TABLE lacks %q", w)
		}
	}
	s.run("DROP TABLE shop.t;\n" + table)
	if again := s.run("DESCRIBE TABLE shop.t"); again != table {
		s.t.Errorf("DESCRIBE TABLE after its own text:\n%s", indent(again))
	}
	keyspace := s.run("DESCRIBE KEYSPACE shop")
	s.run("DROP KEYSPACE shop;\n" + keyspace)
	if again := s.run("DESCRIBE KEYSPACE shop"); again != keyspace {
		s.t.Errorf("DESCRIBE KEYSPACE after its own text:\n%s", indent(again))
	}
	all := s.run("DESCRIBE SCHEMA")
	s.run("DROP KEYSPACE shop;\n" + all)
	if again := s.run("DESCRIBE SCHEMA"); again != all {
		s.t.Errorf("DESCRIBE SCHEMA after its own text:\n%s", indent(again))
	}
}

// copy takes ten thousand rows in and out again.
func (s *shell) copy() {
	const n = 10_000
	in := &strings.Builder{}
	want := map[string]string{}
	for i := range n {
		fmt.Fprintf(in, "%d,%d,\"name; %d, é\",%d.25,\"{'a%d', 'b'}\"\n", i%100, i, i, i, i)
		want[fmt.Sprint(i)] = fmt.Sprintf("%d|name; %d, é|%d.25|{'a%d', 'b'}", i%100, i, i, i)
	}
	source, sink := s.write("in.csv", in.String()), filepath.Join(s.dir, "out.csv")
	columns := "shop.c (k, c, name, price, tags)"
	s.expect(`CREATE TABLE shop.c (k int, c int, name text, price double, tags set<text>, PRIMARY KEY (k, c));
		COPY `+columns+` FROM '`+source+`' WITH REQUESTTIMEOUT = 180;
		SELECT count(*) FROM shop.c;
		COPY `+columns+` TO '`+sink+`' WITH HEADER = true AND PAGETIMEOUT = 180;`,
		"10000 rows imported from 1 files", " 10000\n", "10000 rows exported to 1 files")
	f, err := os.Open(sink)
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) != n+1 || !slices.Equal(rows[0], []string{"k", "c", "name", "price", "tags"}) {
		s.t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, r := range rows[1:] {
		if got := strings.Join([]string{r[0], r[2], r[3], r[4]}, "|"); got != want[r[1]] {
			s.t.Fatalf("row %s: got %q, want %q", r[1], got, want[r[1]])
		}
		delete(want, r[1])
	}
	if len(want) > 0 {
		s.t.Errorf("%d rows are missing", len(want))
	}
}
