package query

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cluster/clustertest"
	"github.com/ilion-db/ilion/cluster/hlc"
	"github.com/ilion-db/ilion/cluster/single"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/rand"
)

var pagingKey = []byte("0123456789abcdef")

// patience is for real time: however slow the machine is, no statement gets too
// old and no client too slow.
const patience = time.Hour

// testDB is a processor over a store in memory.
type testDB struct {
	*Processor
	t       testing.TB
	store   *clustertest.Store
	cluster *single.Cluster
}

func newDB(t testing.TB, change ...func(*Config)) *testDB {
	t.Helper()
	db := &testDB{t: t, store: &clustertest.Store{}}
	var err error
	db.cluster, err = single.New(single.Config{Replica: db.store, Log: &clustertest.Log{}, Stamper: hlc.New(clock.Real, 0),
		Node: cluster.Node{Address: "127.0.0.1:9042", DC: "datacenter1", Rack: "rack1"}})
	if err != nil {
		t.Fatal(err)
	}
	db.open(change...)
	return db
}

// open makes a processor over what there is.
func (db *testDB) open(change ...func(*Config)) {
	db.t.Helper()
	cfg := Config{Cluster: db.cluster, Clock: clock.Real, Rand: rand.NewSeeded(1), PagingKey: pagingKey, Timeout: patience}
	for _, f := range change {
		f(&cfg)
	}
	p, err := New(cfg)
	if err != nil {
		db.t.Fatal(err)
	}
	db.Processor = p
	db.t.Cleanup(func() {
		if err := p.Close(); err != nil {
			db.t.Error(err)
		}
	})
}

func (db *testDB) exec(text string, values ...any) {
	db.t.Helper()
	if err := db.Exec(context.Background(), Statement{Text: text, Keyspace: "ks", Values: values}); err != nil {
		db.t.Fatalf("%s: %v", text, err)
	}
}

func (db *testDB) fails(code native.ErrorCode, part, text string, values ...any) {
	db.t.Helper()
	err := db.Exec(context.Background(), Statement{Text: text, Keyspace: "ks", Values: values})
	var e *native.Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Msg, part) {
		db.t.Errorf("%s: %v, want 0x%04x with %q", text, err, uint32(code), part)
	}
}

func (db *testDB) query(s Statement) (rows []string, warnings []string) {
	db.t.Helper()
	s.Keyspace = "ks"
	r, err := db.Query(context.Background(), s)
	if err != nil {
		db.t.Fatalf("%s: %v", s.Text, err)
	}
	for r.Next() {
		rows = append(rows, strings.TrimSpace(fmt.Sprintln(r.Values()...)))
	}
	if err := r.Close(); err != nil {
		db.t.Fatalf("%s: %v", s.Text, err)
	}
	return rows, r.Warnings
}

func (db *testDB) want(want, text string, values ...any) {
	db.t.Helper()
	rows, _ := db.query(Statement{Text: text, Values: values})
	if got := strings.Join(rows, "; "); got != want {
		db.t.Errorf("%s: %q, want %q", text, got, want)
	}
}

func (db *testDB) keyspace() {
	db.t.Helper()
	db.exec("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
}

func TestStatements(t *testing.T) {
	db := newDB(t)
	db.keyspace()
	db.exec("CREATE TABLE t (k int, c int, s text static, v text, l list<int>, PRIMARY KEY (k, c))")
	db.exec("INSERT INTO t (k, c, v) VALUES (1, 1, 'a')")
	db.exec("INSERT INTO ks.t (k, c, v) VALUES (?, ?, ?)", 1, 2, "b")
	db.exec("UPDATE t SET s = 'static', l = [1, 2, 3] WHERE k = 1 AND c = 2")
	db.want("1 1 static a; 1 2 static b", "SELECT k, c, s, v FROM t WHERE k = 1")
	db.want("2 b", "SELECT c, v FROM t WHERE k = ? AND c = ?", 1, 2)
	db.exec("UPDATE t SET l[1] = 20 WHERE k = 1 AND c = 2")
	db.want("[1 20 3]", "SELECT l FROM t WHERE k = 1 AND c = 2")
	db.exec("BEGIN BATCH DELETE l[0] FROM t WHERE k = 1 AND c = 2 APPLY BATCH")
	db.want("[20 3]", "SELECT l FROM t WHERE k = 1 AND c = 2")
	db.exec("BEGIN BATCH INSERT INTO t (k, c) VALUES (2, 1); DELETE FROM t WHERE k = 1 AND c = 1; APPLY BATCH")
	db.want("1 2; 2 1", "SELECT k, c FROM t")
	db.exec("BEGIN BATCH APPLY BATCH")
	db.exec("DELETE FROM t WHERE k = ?", 1)
	db.want("2 1", "SELECT k, c FROM t")
	db.exec("TRUNCATE t")
	db.want("", "SELECT k, c FROM t")
	db.want("0", "SELECT count(*) FROM t")
	db.exec("DROP TABLE t")
	db.fails(native.CodeInvalid, "does not exist", "SELECT * FROM t")
	db.exec("DROP KEYSPACE ks")
}

func TestErrors(t *testing.T) {
	db := newDB(t, func(c *Config) { c.MaxMutation = 200 })
	db.keyspace()
	db.exec("CREATE TABLE t (k int PRIMARY KEY, v text)")
	db.fails(native.CodeSyntax, "line 1", "SELEC")
	db.fails(native.CodeInvalid, "Undefined column name", "SELECT x FROM t")
	db.fails(native.CodeInvalid, "bind variables", "SELECT * FROM t WHERE k = ?")
	db.fails(native.CodeInvalid, "does not fit", "SELECT * FROM t WHERE k = ?", true)
	db.fails(native.CodeInvalid, "is too large for the maximum size of 200", "INSERT INTO t (k, v) VALUES (1, ?)", strings.Repeat("x", 300))
	db.fails(native.CodeAlreadyExists, "already existing", "CREATE TABLE t (k int PRIMARY KEY)")
	db.fails(native.CodeUnauthorized, "not user-modifiable", "DROP KEYSPACE system")
	db.fails(native.CodeInvalid, "USE", "USE ks")
	db.exec("CREATE TABLE IF NOT EXISTS t (k int PRIMARY KEY)")
	db.exec("DROP TABLE IF EXISTS nothing")
	err := db.Exec(context.Background(), Statement{Text: "INSERT INTO ks.t (k) VALUES (1)", Consistency: 3})
	if !errors.Is(err, &native.Error{Code: native.CodeUnavailable}) {
		t.Errorf("THREE: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := db.Exec(ctx, Statement{Text: "INSERT INTO ks.t (k) VALUES (1)"}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestPaging(t *testing.T) {
	db := newDB(t)
	db.keyspace()
	db.exec("CREATE TABLE t (k int, c int, PRIMARY KEY (k, c))")
	for i := range 40 {
		db.exec("INSERT INTO t (k, c) VALUES (?, ?)", i%3, i)
	}
	for _, size := range []int32{1, 7, 39, 40, 41, 1000} {
		rows, _ := db.query(Statement{Text: "SELECT c FROM t", PageSize: size})
		if len(rows) != 40 {
			t.Errorf("page size %d: %d rows", size, len(rows))
		}
		rows, _ = db.query(Statement{Text: "SELECT c FROM t WHERE k = 1 ORDER BY c DESC LIMIT 5", PageSize: size})
		if got := strings.Join(rows, " "); got != "37 34 31 28 25" {
			t.Errorf("page size %d: %s", size, got)
		}
	}
}

func TestDescribe(t *testing.T) {
	db := newDB(t)
	db.keyspace()
	for i := range 5 {
		db.exec(fmt.Sprintf("CREATE TABLE t%d (k int PRIMARY KEY)", i))
	}
	for _, size := range []int32{0, 1, 2, 100} {
		rows, _ := db.query(Statement{Text: "DESCRIBE TABLES", PageSize: size})
		if len(rows) != 5 {
			t.Errorf("page size %d: %v", size, rows)
		}
	}
	rows, _ := db.query(Statement{Text: "DESCRIBE CLUSTER"})
	if len(rows) != 1 || !strings.Contains(rows[0], "Test Cluster") {
		t.Error(rows)
	}
	r, err := db.Query(context.Background(), Statement{Text: "DESCRIBE TABLES", PageSize: 2, Keyspace: "ks"})
	if err != nil {
		t.Fatal(err)
	}
	db.exec("CREATE TABLE another (k int PRIMARY KEY)")
	for r.Next() {
	}
	if err := r.Close(); err == nil || !strings.Contains(err.Error(), "The schema has changed since the previous page") {
		t.Error(err)
	}
	if _, err := db.parseDescribeState(make([]byte, describeState), db.Schema().Version); err == nil {
		t.Error("a forged paging state was taken")
	}
}

// A result that too many tombstones lie in fails, with the words that Cassandra
// has for it; one that is read by pages goes on behind them.
func TestTooManyTombstones(t *testing.T) {
	db := newDB(t, func(c *Config) { c.Tombstones = 10 })
	db.keyspace()
	db.exec("CREATE TABLE t (k int, c int, PRIMARY KEY (k, c))")
	for c := range 11 {
		db.exec("DELETE FROM t WHERE k = 1 AND c = ?", c)
	}
	for _, text := range []string{"SELECT * FROM t WHERE k = 1", "SELECT * FROM t"} {
		var e *native.Error
		rows, err := db.Query(context.Background(), Statement{Text: text, PageSize: -1, Keyspace: "ks"})
		if err == nil {
			for rows.Next() {
			}
			err = rows.Close()
		}
		if !errors.As(err, &e) || e.Code != native.CodeReadFailure || len(e.Reasons) != 1 || e.Reasons[0].Code != native.ReasonTooManyTombstones ||
			e.Msg != "Scanned over 10 tombstones during the query; query aborted (see tombstone_failure_threshold)" {
			t.Errorf("%s: %+v", text, err)
		}
		if rows, _ := db.query(Statement{Text: text, PageSize: 5}); len(rows) != 0 {
			t.Error(rows)
		}
	}
}

func TestWarnings(t *testing.T) {
	db := newDB(t)
	db.keyspace()
	db.exec("CREATE TABLE t (k int PRIMARY KEY, v blob)")
	_, w := db.query(Statement{Text: "SELECT count(*) FROM t"})
	if len(w) != 1 || w[0] != "Aggregation query used without partition key" {
		t.Error(w)
	}
	_, w = db.query(Statement{Text: "SELECT count(*) FROM t WHERE k IN (1, 2)"})
	if len(w) != 1 || !strings.Contains(w[0], "multiple partition keys") {
		t.Error(w)
	}
	for _, where := range []string{"k = 1", "k IN (1)", "token(k) > 0"} {
		if _, w = db.query(Statement{Text: "SELECT count(*) FROM t WHERE " + where}); len(w) != 0 {
			t.Error(where, w)
		}
	}
	db.exec("CREATE TABLE dead (k int, c int, PRIMARY KEY (k, c))")
	for c := range tombstoneWarn {
		db.exec("DELETE FROM dead WHERE k = 1 AND c = ?", c)
	}
	if _, w = db.query(Statement{Text: "SELECT * FROM dead WHERE k = 1"}); len(w) != 0 {
		t.Error(w)
	}
	db.exec("DELETE FROM dead WHERE k = 1 AND c = -1")
	_, w = db.query(Statement{Text: "SELECT * FROM dead WHERE k = 1"})
	if len(w) != 1 || !strings.HasPrefix(w[0], "Read 0 live rows and 1001 tombstone cells for a query of") {
		t.Error(w)
	}
	var b strings.Builder
	b.WriteString("BEGIN UNLOGGED BATCH ")
	for i := range 12 {
		fmt.Fprintf(&b, "INSERT INTO t (k) VALUES (%d); ", i)
	}
	b.WriteString("APPLY BATCH")
	_, w = db.query(Statement{Text: b.String()})
	if len(w) != 1 || !strings.Contains(w[0], "Unlogged batch covering 12 partitions") {
		t.Error(w)
	}
}
