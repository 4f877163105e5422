package plan_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/cql/plan"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/schema"
)

const filtering = "Cannot execute this query as it might involve data filtering and thus may have unpredictable performance. " +
	"If you want to execute this query despite the performance unpredictability, use ALLOW FILTERING"

// ddl is the schema that the tables of statements below speak of.
var ddl = []string{
	"CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
	"CREATE TABLE t (k int, c1 int, c2 text, s text STATIC, v text, w int, PRIMARY KEY (k, c1, c2))",
	"CREATE TABLE p (a int, b text, v int, PRIMARY KEY ((a, b)))",
	"CREATE TABLE coll (k int PRIMARY KEY, l list<int>, s set<text>, m map<text, int>, f frozen<list<int>>, d duration, u uuid, b blob, n varint, e decimal, ts timestamp)",
	"CREATE TABLE cnt (k int PRIMARY KEY, n counter)",
}

type world struct {
	t    testing.TB
	snap *schema.Snapshot
	env  *plan.Env
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, snap: schema.NewSnapshot(), env: plan.NewEnv(rand.NewSeeded(1))}
	for _, s := range ddl {
		if err := w.change(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	return w
}

func (w *world) compile(text string) (*plan.Plan, error) {
	stmt, err := cql.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("syntax: %w", err)
	}
	return plan.Compile(stmt, w.snap, "ks")
}

func (w *world) change(text string) error {
	p, err := w.compile(text)
	if err != nil || p.Schema.NoOp {
		return err
	}
	c, check, err := p.Schema.Change(w.env, &plan.Options{Clock: 5_000_000, Datacenters: []string{"dc1"}})
	if err != nil {
		return err
	}
	if err := check(w.snap); err != nil {
		return err
	}
	snap, err := w.snap.Apply(c, w.snap.Epoch+1)
	if err == nil {
		w.snap = snap
	}
	return err
}

// outcome compiles and binds without values and returns the error.
func (w *world) outcome(text string) error {
	p, err := w.compile(text)
	if err != nil {
		return err
	}
	o := &plan.Options{Clock: 1_700_000_000_000_000}
	values := make([]plan.Value, len(p.Bind.Columns()))
	switch p.Kind {
	case plan.KindSelect:
		return p.Select.Bind(plan.NewQuery(w.env), values, o)
	case plan.KindModification:
		return p.Modification.Bind(plan.NewBinder(w.env), values, o)
	case plan.KindBatch:
		return p.Batch.Bind(plan.NewBinder(w.env), func(int) []plan.Value { return values }, o)
	case plan.KindSchema:
		if p.Schema.NoOp {
			return nil
		}
		_, _, err := p.Schema.Change(w.env, o)
		return err
	}
	return nil
}

// refusals are statements and what they are answered; an empty answer means
// that they are good.
var refusals = [][2]string{
	// Names.
	{"SELECT * FROM nope", "table nope does not exist"},
	{"SELECT * FROM nope.t", "keyspace nope does not exist"},
	{"SELECT x FROM t", "Undefined column name x in table ks.t"},
	{"SELECT * FROM t WHERE x = 1", "Undefined column name x in table ks.t"},
	{"INSERT INTO t (k, c1, c2, x) VALUES (1, 1, 'a', 1)", "Undefined column name x in table ks.t"},
	{"USE nope", "Keyspace 'nope' does not exist"},

	// Constants.
	{"SELECT * FROM t WHERE k = 'a'", "Invalid STRING constant (a) for \"k\" of type int"},
	{"INSERT INTO t (k, c1, c2, v) VALUES (1, 1, 'a', 5)", "Invalid INTEGER constant (5) for \"v\" of type text"},
	{"INSERT INTO coll (k, u) VALUES (1, 'no')", "Invalid STRING constant (no) for \"u\" of type uuid"},
	{"INSERT INTO coll (k, l) VALUES (1, {1})", "Invalid set literal for l of type list<int>"},
	{"INSERT INTO coll (k, l) VALUES (1, ['a'])", "Invalid list literal for l: value 'a' is not of type int"},
	{"INSERT INTO coll (k, m) VALUES (1, {'a': 'b'})", "Invalid map literal for m: value 'b' is not of type int"},
	{"INSERT INTO coll (k, s) VALUES (1, {null})", "null is not supported inside collections"},
	{"INSERT INTO coll (k, s) VALUES (1, {})", ""},
	{"INSERT INTO coll (k, m) VALUES (1, {})", ""},
	{"INSERT INTO coll (k, n) VALUES (1, 123456789012345678901234567890)", ""},
	{"INSERT INTO coll (k) VALUES (99999999999)", "Unable to make int from '99999999999'"},
	{"INSERT INTO coll (k, ts) VALUES (1, to_timestamp(now()))", ""},
	{"INSERT INTO coll (k, u) VALUES (1, now())", ""},
	{"INSERT INTO coll (k, u) VALUES (1, uuid())", ""},
	{"INSERT INTO coll (k, l) VALUES (1, now())", "Type error: cannot assign result of function system.now (type timeuuid) to l (type list<int>)"},
	{"INSERT INTO coll (k, u) VALUES (1, nope())", "Unknown function nope called"},
	{"INSERT INTO coll (k) VALUES (1 + 2)", ""},
	{"INSERT INTO coll (k) VALUES (1 / 0)", "the operation 'int / int' failed: / by zero"},

	// INSERT.
	{"INSERT INTO t (k, c1) VALUES (1, 2)", "Some clustering keys are missing: c2"},
	{"INSERT INTO t (c1, c2, v) VALUES (1, 'a', 'b')", "Some partition key parts are missing: k"},
	{"INSERT INTO t (k, s) VALUES (1, 'a')", ""},
	{"INSERT INTO t (k, s, v) VALUES (1, 'a', 'b')", "Some clustering keys are missing: c1, c2"},
	{"INSERT INTO t (k, k, c1, c2) VALUES (1, 1, 1, 'a')", "The column names contains duplicates"},
	{"INSERT INTO t (k, c1) VALUES (1)", "Unmatched column names/values"},
	{"INSERT INTO t (k, c1, c2) VALUES (1, null, 'a')", "Invalid null value in condition for column c1"},
	{"INSERT INTO p (a, b) VALUES (1, '')", ""},
	{"INSERT INTO t (k, c1, c2) VALUES (1, 1, 'a') IF NOT EXISTS", "A conditional write (IF NOT EXISTS) is not supported yet"},
	{"INSERT INTO t JSON '{\"k\": 1}'", "Invalid null value in condition for column c1"},
	{"INSERT INTO t JSON '{\"nope\": 1}'", "JSON values map contains unrecognized column: nope"},
	{"INSERT INTO coll JSON '{\"k\": \"a\"}'", "Error decoding JSON value for k: Unable to make int from 'a'"},
	{"INSERT INTO coll JSON '[]'", "Could not decode JSON string as a map. (String was: [])"},
	{"INSERT INTO cnt (k, n) VALUES (1, 1)", "INSERT statements are not allowed on counter tables, use UPDATE instead"},

	// UPDATE and DELETE.
	{"UPDATE t SET v = 'a' WHERE k = 1", "Some clustering keys are missing: c1, c2"},
	{"UPDATE t SET v = 'a' WHERE k = 1 AND c1 = 1", "Some clustering keys are missing: c2"},
	{"UPDATE t SET v = 'a' WHERE c1 = 1 AND c2 = 'a'", "Some partition key parts are missing: k"},
	{"UPDATE t SET k = 2 WHERE k = 1 AND c1 = 1 AND c2 = 'a'", "PRIMARY KEY part k found in SET part"},
	{"UPDATE t SET v = 'a' WHERE k = 1 AND c1 = 1 AND c2 = 'a' AND w = 1", "Non PRIMARY KEY columns found in where clause: w "},
	{"UPDATE t SET v = 'a' WHERE k > 1 AND c1 = 1 AND c2 = 'a'", "Only EQ and IN relation are supported on the partition key (unless you use the token() function) for UPDATE statements"},
	{"UPDATE t SET v = 'a' WHERE token(k) = 1 AND c1 = 1 AND c2 = 'a'", "The token function cannot be used in WHERE clauses for UPDATE statements"},
	{"UPDATE t SET v = 'a' WHERE k = 1 AND c1 = 1 AND c2 > 'a'", "Slice restrictions are not supported on the clustering columns in UPDATE statements"},
	{"UPDATE t SET s = 'a' WHERE k = 1", ""},
	{"UPDATE t SET s = 'a' WHERE k = 1 AND c1 = 1 AND c2 = 'a'", "Invalid restrictions on clustering columns since the UPDATE statement modifies only static columns"},
	{"UPDATE t SET v = 'a' WHERE k IN (1, 2) AND c1 IN (1, 2) AND c2 = 'a'", ""},
	{"UPDATE t SET v = v + 'a' WHERE k = 1 AND c1 = 1 AND c2 = 'a'", "Invalid operation (v = v + 'a') for non counter column v"},
	{"UPDATE coll SET f = f + [1] WHERE k = 1", "Invalid operation (f = f + [1]) for frozen collection column f"},
	{"UPDATE cnt SET n = n + 1 WHERE k = 1", "Updating a counter is not supported yet"},
	{"DELETE FROM t", ""},
	{"DELETE FROM t WHERE k = 1 AND c2 = 'a'", "PRIMARY KEY column \"c2\" cannot be restricted as preceding column \"c1\" is not restricted"},
	{"DELETE v FROM t WHERE k = 1 AND c1 = 1", "Range deletions are not supported for specific columns"},
	{"DELETE v FROM t WHERE k = 1 AND c1 > 1", "Range deletions are not supported for specific columns"},
	{"DELETE c1 FROM t WHERE k = 1", "Invalid identifier c1 for deletion (should not be a PRIMARY KEY part)"},
	{"DELETE FROM t WHERE k = 1 IF EXISTS", "A conditional write (IF) is not supported yet"},
	{"DELETE FROM t USING TIMESTAMP 5 WHERE k = 1 AND c1 >= 1 AND c1 < 9", ""},

	// Batches.
	{"BEGIN BATCH USING TIMESTAMP 1 INSERT INTO p (a, b) VALUES (1, 'a') USING TIMESTAMP 2; APPLY BATCH",
		"Timestamp must be set either on BATCH or individual statements"},
	{"BEGIN BATCH USING TTL 1 INSERT INTO p (a, b) VALUES (1, 'a'); APPLY BATCH", "Global TTL on the BATCH statement is not supported."},
	{"BEGIN BATCH APPLY BATCH", ""},
	{"BEGIN COUNTER BATCH INSERT INTO p (a, b) VALUES (1, 'a'); APPLY BATCH", "Cannot include non-counter statement in a counter batch"},

	// WHERE on the partition key.
	{"SELECT * FROM p WHERE a = 1", filtering},
	{"SELECT * FROM p WHERE a = 1 ALLOW FILTERING", ""},
	{"SELECT * FROM t WHERE k > 1", filtering},
	{"SELECT * FROM t WHERE token(k) > 1", ""},
	{"SELECT * FROM p WHERE token(b, a) > 1", "The token function arguments must be in the partition key order: a, b"},
	{"SELECT * FROM p WHERE token(a) > 1", "The token() function must be applied to all partition key components or none of them"},
	{"SELECT * FROM t WHERE k = null", "Invalid null value in condition for column k"},
	{"SELECT * FROM t WHERE k = 1 AND k = 2", "k cannot be restricted by more than one relation if it includes an Equal"},
	{"SELECT * FROM p WHERE a = 1 AND b IN ('x', 'y')", ""},

	// WHERE on clustering columns.
	{"SELECT * FROM t WHERE k = 1 AND c2 = 'a'", "PRIMARY KEY column \"c2\" cannot be restricted as preceding column \"c1\" is not restricted"},
	{"SELECT * FROM t WHERE k = 1 AND c1 > 1 AND c2 = 'a'", "Clustering column \"c2\" cannot be restricted (preceding column \"c1\" is restricted by a non-EQ relation)"},
	{"SELECT * FROM t WHERE k = 1 AND c2 = 'a' AND c1 > 1", "PRIMARY KEY column \"c2\" cannot be restricted (preceding column \"c1\" is restricted by a non-EQ relation)"},
	{"SELECT * FROM t WHERE k = 1 AND c1 > 1 AND c1 > 2", "More than one restriction was found for the start bound on c1"},
	{"SELECT * FROM t WHERE c1 = 1", filtering},
	{"SELECT * FROM t WHERE k = 1 AND (c1, c2) > (1, 'a')", ""},
	{"SELECT * FROM t WHERE k = 1 AND (c2, c1) > ('a', 1)", "Clustering columns must appear in the PRIMARY KEY order in multi-column relations: (c2, c1) > ('a', 1)"},
	{"SELECT * FROM t WHERE k = 1 AND (c1, v) = (1, 'a')", "Multi-column relations can only be applied to clustering columns but was applied to: v"},
	{"SELECT * FROM t WHERE k = 1 AND (c1, c2) = (1)", "Expected 2 elements in value tuple, but got 1: (1)"},
	{"SELECT * FROM t WHERE k = 1 AND c1 != 1", "Unsupported \"!=\" relation: c1 != 1"},
	{"SELECT * FROM t WHERE k = 1 AND c1 BETWEEN 1 AND 2", "BETWEEN in a WHERE clause is not supported yet"},
	{"SELECT * FROM t WHERE k = 1 AND c1 IS NOT NULL", "Unsupported restriction: c1 IS NOT NULL"},
	{"SELECT * FROM t WHERE k = 1 AND c1 = 1 AND c2 LIKE 'a%'", "LIKE restriction is only supported on properly indexed columns. c2 LIKE 'a%' is not valid."},

	// WHERE on other columns.
	{"SELECT * FROM t WHERE v = 'a'", filtering},
	{"SELECT * FROM t WHERE k = 1 AND v = 'a'", filtering},
	{"SELECT * FROM t WHERE s = 'a' ALLOW FILTERING", ""},
	{"SELECT * FROM t WHERE v = null ALLOW FILTERING", "Unsupported null value for column v"},
	{"SELECT * FROM coll WHERE l = [1] ALLOW FILTERING", "Collection column 'l' (list<int>) cannot be restricted by a '=' relation"},
	{"SELECT * FROM coll WHERE l CONTAINS 1", filtering},
	{"SELECT * FROM coll WHERE s CONTAINS KEY 'a' ALLOW FILTERING", "Cannot use CONTAINS KEY on non-map column s"},
	{"SELECT * FROM coll WHERE k CONTAINS 1", "Cannot use CONTAINS on non-collection column k"},
	{"SELECT * FROM coll WHERE l[0] = 1 ALLOW FILTERING", "Indexes on list entries (l[index] = value) are not currently supported."},
	{"SELECT * FROM coll WHERE d > 1h ALLOW FILTERING", "Slice restrictions are not supported on duration columns"},

	// ORDER BY, LIMIT, DISTINCT.
	{"SELECT * FROM t ORDER BY c1", "ORDER BY is only supported when the partition key is restricted by an EQ or an IN."},
	{"SELECT * FROM t WHERE k = 1 ORDER BY v", "Order by is currently only supported on the clustered columns of the PRIMARY KEY, got v"},
	{"SELECT * FROM t WHERE k = 1 ORDER BY c2", "Order by currently only supports the ordering of columns following their declared order in the PRIMARY KEY"},
	{"SELECT * FROM t WHERE k = 1 AND c1 = 1 ORDER BY c2 DESC", ""},
	{"SELECT * FROM t WHERE k = 1 ORDER BY c1 ASC, c2 DESC", "Unsupported order by relation"},
	{"SELECT * FROM t LIMIT 0", "LIMIT must be strictly positive"},
	{"SELECT * FROM t PER PARTITION LIMIT -1", "LIMIT must be strictly positive"},
	{"SELECT count(*) FROM t PER PARTITION LIMIT 1", "PER PARTITION LIMIT is not allowed with aggregate queries."},
	{"SELECT DISTINCT k, s FROM t", ""},
	{"SELECT DISTINCT k, v FROM t", "SELECT DISTINCT queries must only request partition key columns and/or static columns (not v)"},
	{"SELECT DISTINCT s FROM t", "SELECT DISTINCT queries must request all the partition key columns (missing k)"},
	{"SELECT DISTINCT k FROM t WHERE c1 = 1 ALLOW FILTERING", "SELECT DISTINCT with WHERE clause only supports restriction by partition key and/or static columns."},

	// SELECT lists.
	{"SELECT writetime(k) FROM t", "Cannot use selection function writetime on PRIMARY KEY part k"},
	{"SELECT ? FROM t", "Cannot infer type for term ? in selection clause (try using a cast to force a type)"},
	{"SELECT (int)?, k FROM t", ""},
	{"SELECT CAST(v AS int) FROM t", "Invalid call to function system.cast_as_int, none of its type signatures match (known type signatures: system.cast_as_int : (bigint) -> int, system.cast_as_int : (counter) -> int, system.cast_as_int : (decimal) -> int, system.cast_as_int : (double) -> int, system.cast_as_int : (float) -> int, system.cast_as_int : (int) -> int, system.cast_as_int : (smallint) -> int, system.cast_as_int : (tinyint) -> int, system.cast_as_int : (varint) -> int)"},
	{"SELECT sum(v) FROM t", "Invalid call to function sum, none of its type signatures match (known type signatures: system.sum : (bigint) -> bigint, system.sum : (counter) -> counter, system.sum : (decimal) -> decimal, system.sum : (double) -> double, system.sum : (float) -> float, system.sum : (int) -> int, system.sum : (smallint) -> smallint, system.sum : (tinyint) -> tinyint, system.sum : (varint) -> varint)"},
	{"SELECT token(k), w + 1, -w, max(w) FROM t", ""},
	{"SELECT JSON * FROM t", ""},
	{"SELECT v + 1 FROM t", "the '+' operation is not supported between v and 1"},

	// What this version cannot do, by name.
	{"CREATE INDEX ON t (v)", "CREATE INDEX is not supported yet"},
	{"CREATE ROLE r", "Role management is not supported yet"},
	{"GRANT SELECT ON t TO r", "Permission management is not supported yet"},
	{"LIST ROLES", "Role management is not supported yet"},

	// Definitions.
	{"CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy'}", "Cannot add existing keyspace \"ks\""},
	{"CREATE KEYSPACE IF NOT EXISTS ks WITH replication = {'class': 'SimpleStrategy'}", ""},
	{"CREATE KEYSPACE system WITH replication = {'class': 'SimpleStrategy'}", "System keyspace 'system' is not user-modifiable"},
	{"DROP KEYSPACE nope", "Keyspace 'nope' doesn't exist"},
	{"DROP KEYSPACE IF EXISTS nope", ""},
	{"CREATE TABLE t (k int PRIMARY KEY)", "Cannot add already existing table \"t\" to keyspace \"ks\""},
	{"CREATE TABLE nope.t (k int PRIMARY KEY)", "Keyspace 'nope' doesn't exist"},
	{"CREATE TABLE x (k int)", "No PRIMARY KEY specifed for table 'x' (exactly one required)"},
	{"CREATE TABLE x (k int PRIMARY KEY, c int, PRIMARY KEY (c))", "Multiple PRIMARY KEY specified for table 'x' (exactly one required)"},
	{"CREATE TABLE x (k int, PRIMARY KEY (z))", "Unknown column 'z' referenced in PRIMARY KEY for table 'x'"},
	{"CREATE TABLE x (k int, k text, PRIMARY KEY (k))", "Duplicate column 'k' declaration for table 'x'"},
	{"CREATE TABLE x (k list<int> PRIMARY KEY)", "Invalid non-frozen collection type list<int> for PRIMARY KEY column 'k'"},
	{"CREATE TABLE x (k duration PRIMARY KEY)", "duration type is not supported for PRIMARY KEY column 'k'"},
	{"CREATE TABLE x (k int PRIMARY KEY, s int STATIC)", "Static columns are only useful (and thus allowed) if the table has at least one clustering column"},
	{"CREATE TABLE x (k int PRIMARY KEY, v int, n counter)", "Cannot mix counter and non counter columns in the same table"},
	{"CREATE TABLE x (k int PRIMARY KEY) WITH nope = 1", "Unknown property 'nope'"},
	{"CREATE TABLE x (k int PRIMARY KEY) WITH COMPACT STORAGE", "Compact tables are not allowed in Cassandra starting with 4.0 version."},
	{"ALTER TABLE nope ADD v int", "Table 'ks.nope' doesn't exist"},
	{"ALTER TABLE t ADD v int", "Column with name 'v' already exists"},
	{"ALTER TABLE t DROP k", "Cannot drop PRIMARY KEY column k"},
	{"ALTER TABLE t DROP nope", "Column nope was not found in table 'ks.t'"},
	{"ALTER TABLE t RENAME v TO x", "Cannot rename non PRIMARY KEY column v"},
	{"ALTER TABLE t ALTER v TYPE blob", "Altering column types is no longer supported"},
	{"DROP TABLE nope", "Table 'ks.nope' doesn't exist"},
	{"DROP TABLE IF EXISTS nope", ""},
	{"TRUNCATE nope", "table nope does not exist"},
	{"CREATE TYPE y (a int, a int)", "Duplicate field name 'a' in type 'y'"},
	{"DESCRIBE TABLE nope", "Table 'nope' not found in keyspace 'ks'"},
	{"DESCRIBE KEYSPACE ks", ""},
	{"DESCRIBE nope", "'nope' not found in keyspace 'ks'"},
	{"DESCRIBE CLUSTER", ""},
}

func TestRefusals(t *testing.T) {
	w := newWorld(t)
	for _, c := range refusals {
		if c[0] == "DELETE FROM t" {
			continue // no statement of the grammar
		}
		err := w.outcome(c[0])
		got := ""
		if err != nil {
			got = err.Error()
			var n *native.Error
			if !errors.As(err, &n) {
				t.Errorf("%s: %T", c[0], err)
			}
		}
		if got != c[1] {
			t.Errorf("%s:\n got %q\nwant %q", c[0], got, c[1])
		}
	}
}

func TestNoKeyspace(t *testing.T) {
	w := newWorld(t)
	stmt, _ := cql.Parse("SELECT * FROM t")
	_, err := plan.Compile(stmt, w.snap, "")
	if err == nil || err.Error() != "No keyspace has been specified. USE a keyspace, or explicitly specify keyspace.tablename" {
		t.Error(err)
	}
}

func TestErrorCodes(t *testing.T) {
	w := newWorld(t)
	for text, code := range map[string]native.ErrorCode{
		"CREATE TABLE t (k int PRIMARY KEY)":                                native.CodeAlreadyExists,
		"CREATE TABLE x (k int PRIMARY KEY) WITH gc_grace_seconds = 'x'":    native.CodeSyntax,
		"CREATE TABLE x (k int PRIMARY KEY) WITH bloom_filter_fp_chance= 9": native.CodeConfig,
		"DROP KEYSPACE system":                                              native.CodeUnauthorized,
		"SELECT nope FROM t":                                                native.CodeInvalid,
	} {
		var n *native.Error
		if err := w.outcome(text); !errors.As(err, &n) || n.Code != code {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// describe prints columns of metadata.
func describe(m *native.Metadata) string {
	var parts []string
	for _, c := range m.Columns() {
		parts = append(parts, fmt.Sprintf("%s %s", c.Name, c.Type))
	}
	return strings.Join(parts, ", ")
}

func TestMetadata(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct{ text, bind, key, result string }{
		{"SELECT * FROM t WHERE k = ? AND c1 IN ? AND c2 > :low LIMIT ?", "k int, in(c1) list<int>, low text, [limit] int", "[0]", ""},
		{"SELECT k, v AS value, writetime(v), ttl(v), count(*), max(w), token(k), cast(w as text), (int)? FROM t PER PARTITION LIMIT ?", "", "", ""},
		{"SELECT * FROM t WHERE k = ? AND (c1, c2) > ? AND (c1, c2) < (?, ?)", "k int, (c1,c2) tuple<int, text>, c1 int, c2 text", "[0]", ""},
		{"SELECT * FROM t WHERE (c1, c2) IN ? AND k IN (?, ?)", "in(c1,c2) list<tuple<int, text>>, k int, k int", "[]", ""},
		{"SELECT k FROM p WHERE b = ? AND a = ? AND v = ? ALLOW FILTERING", "", "", ""},
		{"SELECT a FROM p WHERE b = ? AND a = ?", "b text, a int", "[1 0]", "a int"},
		{"SELECT a FROM p WHERE token(a, b) > ?", "partition key token bigint", "[]", "a int"},
		{"INSERT INTO p (v, b, a) VALUES (?, ?, ?) USING TTL ? AND TIMESTAMP ?", "v int, b text, a int, [ttl] int, [timestamp] bigint", "[2 1]", ""},
		{"UPDATE coll SET l[?] = ?, m[?] = ?, s = s + ? WHERE k = ?", "idx(l) int, value(l) int, key(m) text, value(m) int, s set<text>, k int", "[5]", ""},
		{"SELECT k FROM coll WHERE m CONTAINS KEY ? AND l CONTAINS ? AND m[?] = ? ALLOW FILTERING", "key(m) text, value(l) int, key(m) text, value(m) int", "[]", "k int"},
		{"BEGIN BATCH INSERT INTO p (a, b) VALUES (?, ?); UPDATE coll SET n = ? WHERE k = ?; APPLY BATCH", "a int, b text, n varint, k int", "[0 1]", ""},
		{"SELECT (bigint)?, to_date(ts), todate(ts), m['a'], bigint_as_blob(token(k)), (k, n) FROM coll",
			"[selection] bigint", "[]", "(bigint)? bigint, system.to_date(ts) date, system.todate(ts) date, m['a'] int, system.bigint_as_blob(system.token(k)) blob, (k, n) frozen<tuple<int, varint>>"},
	} {
		p, err := w.compile(c.text)
		if err != nil {
			if c.bind != "" {
				t.Errorf("%s: %v", c.text, err)
			}
			continue
		}
		normal := func(s string) string { return strings.ReplaceAll(strings.ReplaceAll(s, "frozen<", ""), ">", "") }
		if got := describe(p.Bind); c.bind != "" && normal(got) != normal(c.bind) {
			t.Errorf("%s:\n got %s\nwant %s", c.text, got, c.bind)
		}
		if got := fmt.Sprint(p.PartitionKey); c.key != "" && got != c.key {
			t.Errorf("%s: key %s, want %s", c.text, got, c.key)
		}
		if got := describe(p.Result); c.result != "" && normal(got) != normal(c.result) {
			t.Errorf("%s:\n got %s\nwant %s", c.text, got, c.result)
		}
	}
}

func TestPlanValid(t *testing.T) {
	w := newWorld(t)
	p, err := w.compile("SELECT * FROM t")
	if err != nil || !p.Valid(w.snap) {
		t.Fatal(err)
	}
	if err := w.change("CREATE TABLE other (k int PRIMARY KEY)"); err != nil || !p.Valid(w.snap) {
		t.Error("a new table made the plan invalid", err)
	}
	if err := w.change("ALTER TABLE t ADD z int"); err != nil || p.Valid(w.snap) {
		t.Error("a new column left the plan valid", err)
	}
	stale, err := w.compile("ALTER TABLE t ADD y int")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.change("ALTER TABLE t DROP z"); err != nil {
		t.Fatal(err)
	}
	_, check, err := stale.Schema.Change(w.env, &plan.Options{Clock: 1})
	if err != nil || !errors.Is(check(w.snap), plan.ErrStale) {
		t.Error(err, check(w.snap))
	}
}

// TestLimitsOfFilteredReads tells who reads how many rows are wanted only if it
// has all filters that they have to pass.
func TestLimitsOfFilteredReads(t *testing.T) {
	w := newWorld(t)
	if err := w.change("CREATE TABLE wide (k int, a int, b int, c int, PRIMARY KEY (k, a, b, c))"); err != nil {
		t.Fatal(err)
	}
	q := plan.NewQuery(w.env)
	for where, want := range map[string]uint32{
		"k = 1":                              2,
		"k = 1 AND b = 1":                    2,
		"k = 1 AND (b, c) > (1, 1)":          0,
		"k = 1 AND a > 1 AND (b, c) = (1,1)": 0,
		"k = 1 AND token(k) > 5":             0,
		"k > 1 AND (b, c) IN ((1,1), (2,2))": 0,
	} {
		p, err := w.compile("SELECT * FROM wide WHERE " + where + " PER PARTITION LIMIT 2 LIMIT 2 ALLOW FILTERING")
		if err != nil {
			t.Fatal(where, err)
		}
		if err := p.Select.Bind(q, nil, &plan.Options{Clock: 5_000_000}); err != nil {
			t.Fatal(where, err)
		}
		if c := &q.Command; c.PerPartitionLimit != want || c.Limit != want || q.PerPartitionLimit != 2 || q.Limit != 2 {
			t.Errorf("%s: %d rows of a partition and %d in all are read", where, c.PerPartitionLimit, c.Limit)
		}
	}
}
