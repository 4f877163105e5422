package shell

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/internal/golden"
)

// fake answers statements from a table and notes what it was asked.
type fake struct {
	results map[string][]*Result // pages by statement
	errs    map[string]error
	asked   []Request
	used    []string
}

func (f *fake) Execute(_ context.Context, req Request) (*Result, error) {
	f.asked = append(f.asked, req)
	if err := f.errs[req.Statement]; err != nil {
		return nil, err
	}
	pages := f.results[req.Statement]
	if pages == nil {
		return &Result{}, nil
	}
	if len(req.PageState) > 0 {
		return pages[req.PageState[0]], nil
	}
	return pages[0], nil
}

func (f *fake) Use(_ context.Context, ks string) error {
	if ks == "missing" {
		return &ServerError{codeInvalid, "Keyspace 'missing' does not exist"}
	}
	f.used = append(f.used, ks)
	return nil
}

func (f *fake) Close() {}

func i32(v int32) []byte { return binary.BigEndian.AppendUint32(nil, uint32(v)) }
func i64(v int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(v)) }
func f64(v float64) []byte {
	return binary.BigEndian.AppendUint64(nil, math.Float64bits(v))
}
func f32(v float32) []byte { return binary.BigEndian.AppendUint32(nil, math.Float32bits(v)) }
func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

func sized(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		if p == nil {
			b = append(b, i32(-1)...)
			continue
		}
		b = append(append(b, i32(int32(len(p)))...), p...)
	}
	return b
}

func counted(n int, parts ...[]byte) []byte { return append(i32(int32(n)), sized(parts...)...) }

var (
	typeText = Type{Kind: KindText}
	typeInt  = Type{Kind: KindInt}
)

func people() *fake {
	cols := []Column{
		{"ks", "people", "id", typeInt}, {"ks", "people", "name", typeText}, {"ks", "people", "Tags", Type{Kind: KindSet, Elems: []Type{typeText}}},
	}
	row := func(id int32, name []byte, tags ...[]byte) [][]byte {
		return [][]byte{i32(id), name, counted(len(tags), tags...)}
	}
	page1 := &Result{Columns: cols, PageState: []byte{1}, Rows: [][][]byte{
		row(1, []byte("Zoë"), []byte("a"), []byte("it's")), row(-20, nil, []byte("日本")),
	}}
	page2 := &Result{Columns: cols, Rows: [][][]byte{row(300, []byte("a\\b\nc"))}, Warnings: []string{"Read 3 rows and 1 tombstones"}}
	empty := &Result{Columns: cols}
	text := func(names ...string) []Column {
		var cols []Column
		for _, n := range names {
			cols = append(cols, Column{"system", "x", n, typeText})
		}
		return cols
	}
	list := func(cols []Column, rows ...string) []*Result {
		r := &Result{Columns: cols}
		for _, line := range rows {
			var cells [][]byte
			for _, c := range strings.Split(line, "|") {
				cells = append(cells, []byte(c))
			}
			r.Rows = append(r.Rows, cells)
		}
		return []*Result{r}
	}
	applied := &Result{Columns: []Column{{Name: "[applied]", Type: Type{Kind: KindBoolean}}}, Rows: [][][]byte{{{0}}}}
	return &fake{
		results: map[string][]*Result{
			"SELECT * FROM people":                             {page1, page2},
			"SELECT * FROM nobody":                             {empty},
			"INSERT INTO people (id) VALUES (1) IF NOT EXISTS": {applied},
			"DESCRIBE KEYSPACES":                               list(text("keyspace_name", "type", "name"), "ks|keyspace|ks", "My|keyspace|My", "system|keyspace|system"),
			"DESCRIBE TABLES":                                  list(text("keyspace_name", "type", "name"), "ks|table|a", "ks|table|b", "system|table|local"),
			"DESCRIBE TABLE t":                                 list(text("keyspace_name", "type", "name", "create_statement"), "ks|table|t|CREATE TABLE ks.t (\n    a int PRIMARY KEY\n);"),
			"DESCRIBE CLUSTER":                                 list(text("cluster", "partitioner", "snitch"), "Test Cluster|org.apache.cassandra.dht.Murmur3Partitioner|SimpleSnitch"),
			"SELECT cluster_name, release_version, cql_version, native_protocol_version FROM system.local WHERE key = 'local'": list(text("a", "b", "c", "d"), "Test Cluster|5.0.8|3.4.7|5"),
			"SELECT keyspace_name FROM system_schema.keyspaces":                                                                list(text("k"), "ks", "system"),
			"SELECT keyspace_name, table_name, column_name FROM system_schema.columns":                                         list(text("k", "t", "c"), "ks|people|id", "ks|people|name", "ks|people|Tags", "system|local|key"),
			"SELECT keyspace_name, table_name, column_name FROM system_virtual_schema.columns":                                 list(text("k", "t", "c"), "system_views|clients|address"),
		},
		errs: map[string]error{
			`SELECT * FROM t WHERE a = "abc"`: &ServerError{codeSyntax, `line 1:26 no viable alternative at input 'abc' (...FROM t WHERE a = ["abc"])`},
			"SELECT nme FROM people":          &ServerError{codeInvalid, "Undefined column name nme in table ks.people"},
			"SELECT * FROM slow":              &ServerError{0x1200, "Operation timed out - received only 0 responses."},
		},
	}
}

// session runs a script and gives all that was printed.
func session(t *testing.T, f *fake, c Config, in string) (out string, exit int) {
	t.Helper()
	var buf bytes.Buffer
	c.In, c.Out, c.Err = strings.NewReader(in), &buf, &buf
	c.Connect = func(context.Context, Config) (Session, error) { return f, nil }
	exit = Run(t.Context(), c)
	return buf.String(), exit
}

func TestGoldenSession(t *testing.T) {
	script := `-- a comment; with a semicolon
SELECT * FROM people; SELECT *
  FROM nobody;
EXPAND ON
SELECT * FROM people;
expand off
INSERT INTO people (id) VALUES (1) IF NOT EXISTS;
INSERT INTO people (id) VALUES (2);
DESCRIBE KEYSPACES
DESCRIBE TABLES;
DESCRIBE TABLE t;
DESCRIBE CLUSTER;
USE ks;
DESCRIBE TABLES;
use missing;
CONSISTENCY
CONSISTENCY quorum;
CONSISTENCY many
SERIAL CONSISTENCY LOCAL_SERIAL
PAGING 2
PAGING OFF
PAGING
TRACING ON
TRACING OFF
SHOW VERSION
SHOW HOST
SHOW TABLES
COPY t FROM 'x'
HELP select
SELECT * FROM t WHERE a = "abc";
SELECT nme FROM people;
SELECT * FROM slow;
SELECT * FROM nobody`
	f := people()
	f.results["SELECT *\n  FROM nobody"] = f.results["SELECT * FROM nobody"]
	out, exit := session(t, f, Config{}, script)
	if exit != exitStatement {
		t.Errorf("exit %d", exit)
	}
	golden.Check(t, "session.golden", out)
	last := f.asked[len(f.asked)-1]
	if last.Consistency != "QUORUM" || last.SerialConsistency != "LOCAL_SERIAL" || last.PageSize != 0 {
		t.Errorf("%+v", last)
	}
	if f.asked[0].PageSize != 100 || f.asked[0].Consistency != "ONE" {
		t.Errorf("%+v", f.asked[0])
	}
}

func TestGoldenFormats(t *testing.T) {
	var b strings.Builder
	for _, format := range []string{FormatJSON, FormatCSV} {
		out, exit := session(t, people(), Config{Format: format, Execute: "SELECT * FROM people; DESCRIBE CLUSTER"}, "")
		if exit != exitOK {
			t.Errorf("%s: exit %d", format, exit)
		}
		b.WriteString(out)
	}
	golden.Check(t, "formats.golden", b.String())
	if out, exit := session(t, people(), Config{Format: "xml"}, ""); exit != exitConnection || !strings.Contains(out, "xml") {
		t.Error(out, exit)
	}
}

func TestConnectionError(t *testing.T) {
	var buf bytes.Buffer
	exit := Run(t.Context(), Config{Out: &buf, Err: &buf, Connect: func(context.Context, Config) (Session, error) {
		return nil, errors.New("connection refused")
	}})
	if exit != exitConnection || !strings.Contains(buf.String(), "127.0.0.1:9042") {
		t.Error(exit, buf.String())
	}
	// Who is refused by a server needs not start one.
	buf.Reset()
	exit = Run(t.Context(), Config{Out: &buf, Err: &buf, Connect: func(context.Context, Config) (Session, error) {
		return nil, &ServerError{Code: 0x0100, Message: "wrong password"}
	}})
	if exit != exitConnection || !strings.Contains(buf.String(), "wrong password") || strings.Contains(buf.String(), "Hint") {
		t.Error(exit, buf.String())
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var buf bytes.Buffer
	exit := Run(ctx, Config{Execute: "SELECT 1", Out: &buf, Err: &buf, Connect: func(context.Context, Config) (Session, error) { return people(), nil }})
	if exit != exitInterrupt {
		t.Error(exit)
	}
}

func TestOpenQuoteGoesToTheServer(t *testing.T) {
	f := people()
	f.errs["SELECT 'abc"] = &ServerError{codeSyntax, "line 1:11 mismatched character '<EOF>' expecting '''"}
	out, exit := session(t, f, Config{Execute: "SELECT 'abc"}, "")
	if exit != exitStatement || !strings.Contains(out, "never closed") {
		t.Error(exit, out)
	}
}

func TestExitStopsScript(t *testing.T) {
	f := people()
	if _, exit := session(t, f, Config{}, "EXIT;\nSELECT * FROM people;\n"); exit != exitOK || len(f.asked) != 0 {
		t.Error(exit, f.asked)
	}
}

// terminal makes a shell that believes to be on a terminal, whose user types in.
func terminal(f *fake, in string) (*shell, *bytes.Buffer) {
	var buf bytes.Buffer
	c := Config{In: strings.NewReader(in), Out: &buf, Err: &buf}
	if c.setDefaults() != nil {
		panic("bug: defaults")
	}
	sh := newShell(c, f)
	sh.terminal = true
	return sh, &buf
}

func TestPagesPause(t *testing.T) {
	for in, pages := range map[string]int{"\n": 2, "q\n": 1} {
		f := people()
		sh, buf := terminal(f, in)
		sh.whole(t.Context(), "SELECT * FROM people", "")
		if len(f.asked) != pages || !strings.Contains(buf.String(), "---MORE---") || !strings.Contains(buf.String(), colorName) {
			t.Errorf("%q: %d pages\n%s", in, len(f.asked), buf)
		}
	}
}

func TestAccepts(t *testing.T) {
	for in, want := range map[string]bool{
		"": true, "HELP": true, "exit": true, "SELECT 1": false, "SELECT 1;": true, "SELECT ';": false,
		"BEGIN BATCH INSERT a;": false, "BEGIN BATCH INSERT a; APPLY BATCH;": true, "SELECT 1; HELP": true, "exits": false,
	} {
		if accepts(in) != want {
			t.Errorf("%q: %v", in, !want)
		}
	}
}

func TestCandidates(t *testing.T) {
	sh, _ := terminal(people(), "")
	sh.keyspace = "ks"
	for in, want := range map[string]string{
		"SEL":                              "SELECT",
		"sel":                              "select",
		"con":                              "consistency",
		"USE ":                             "ks system system_views",
		"SELECT * FROM p":                  "people",
		"SELECT * FROM system.":            "local",
		"SELECT * FROM system_views.":      "clients",
		"SELECT * FROM people WHERE na":    "name nan",
		"SELECT * FROM ks.people WHERE \"": "",
		"SELECT 1; USE k":                  "ks",
		"CONSISTENCY LOCAL_":               "LOCAL_ONE LOCAL_QUORUM LOCAL_SERIAL",
		"SELECT 'FROM ":                    "",
	} {
		list, _ := sh.candidates(t.Context(), in)
		if got := strings.Join(list, " "); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestHints(t *testing.T) {
	var b strings.Builder
	for _, c := range []struct {
		statement string
		err       ServerError
	}{
		{`INSERT INTO t (a) VALUES ("it's")`, ServerError{codeSyntax, ""}},
		{"SELECT * FROM t\nWHERE a = 1 OR b = 2", ServerError{codeSyntax, "line 2:12 mismatched input 'OR' expecting EOF"}},
		{"SHOW TABLES", ServerError{codeSyntax, ""}},
		{"CREATE DATABASE x", ServerError{codeSyntax, ""}},
		{"DELETE FROM t", ServerError{codeSyntax, "line 0:-1 mismatched input '<EOF>' expecting K_WHERE"}},
		{"INSERT INTO t VALUES (1)", ServerError{codeSyntax, ""}},
		{"CREATE TABLE t (order int PRIMARY KEY)", ServerError{codeSyntax, ""}},
		{"CREATE TABLE t (a varchar(20) PRIMARY KEY)", ServerError{codeSyntax, ""}},
		{"CREATE KEYSPACE my-ks WITH x = 1", ServerError{codeSyntax, "line 1:18 mismatched input '-' expecting K_WITH"}},
		{"SELECT * FROM t", ServerError{codeInvalid, "No keyspace has been specified. USE a keyspace, or explicitly specify keyspace.tablename"}},
		{"SELECT * FROM ks.tt", ServerError{codeInvalid, "unconfigured table tt"}},
		{"SELECT * FROM t WHERE v = 1", ServerError{codeInvalid, "Cannot execute this query as it might involve data filtering ... use ALLOW FILTERING"}},
		{"SELECT " + strings.Repeat("aaaaaaaaaa, ", 30) + "b c FROM t", ServerError{codeSyntax, ""}},
	} {
		fmt.Fprintf(&b, "%s\n%s\n", c.statement, explain(c.statement, &c.err))
	}
	golden.Check(t, "hints.golden", b.String())
}
