package exec_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/cql/plan"
	"github.com/ilion-db/ilion/schema"
)

func listOf(t *schema.Type, parts ...plan.Value) plan.Value {
	var raw [][]byte
	for _, p := range parts {
		raw = append(raw, p.Bytes)
	}
	return plan.Value{Bytes: schema.ListOf(t, true).AppendElements(nil, raw)}
}

func tupleOf(t *schema.Type, parts ...plan.Value) plan.Value {
	var raw [][]byte
	for _, p := range parts {
		raw = append(raw, p.Bytes)
	}
	return plan.Value{Bytes: t.AppendElements(nil, raw)}
}

func TestBoundConditions(t *testing.T) {
	d := newDB(t)
	d.run("CREATE TABLE t (a int, b text, c int, e text, v int, PRIMARY KEY ((a, b), c, e))")
	for i := range int32(4) {
		for c := range int32(3) {
			d.run("INSERT INTO t (a, b, c, e, v) VALUES (?, ?, ?, 'x', ?)", i32(i/2), text(string(rune('p'+i%2))), i32(c), i32(i))
		}
	}
	pair := schema.TupleOf(schema.TypeInt, schema.TypeText)
	want := func(rows string, query string, values ...plan.Value) {
		t.Helper()
		if got := strings.ReplaceAll(d.run(query, values...), "\n", ", "); got != rows {
			t.Errorf("%s: %s, want %s", query, got, rows)
		}
	}
	key := []plan.Value{i32(1), text("q")}
	with := func(v ...plan.Value) []plan.Value { return append(key[:2:2], v...) }
	sel := "SELECT c FROM t WHERE a = ? AND b = ? "
	want("0, 1, 2", sel, key...)
	want("1", sel+"AND (c, e) = ?", with(tupleOf(pair, i32(1), text("x")))...)
	want("0, 2", sel+"AND (c, e) IN ?", with(listOf(pair, tupleOf(pair, i32(2), text("x")), tupleOf(pair, i32(0), text("x")), tupleOf(pair, i32(0), text("y"))))...)
	want("1, 2", sel+"AND (c, e) > ? AND c < ?", with(tupleOf(pair, i32(0), text("x")), i32(9))...)
	want("0, 2", sel+"AND c IN ?", with(listOf(schema.TypeInt, i32(2), i32(0), i32(2)))...)
	want("", sel+"AND c IN ?", with(listOf(schema.TypeInt))...)
	want("2", sel+"AND c = ? LIMIT ?", with(i32(2), plan.Value{Unset: true})...)
	want("0, 1", sel+"LIMIT ?", with(i32(2))...)
	want("3, 3, 3", "SELECT v FROM t WHERE b = ? AND a IN ? AND v = ? ALLOW FILTERING", text("q"), listOf(schema.TypeInt, i32(0), i32(1)), i32(3))
	want("12", "SELECT count(*) FROM t WHERE token(a, b) > ?", plan.Value{Bytes: binary.BigEndian.AppendUint64(nil, 1<<63)})
	want("3", "SELECT count(*) FROM t WHERE token(a, b) = token(?, ?)", key...)
	want("6", "SELECT count(*) FROM t WHERE a = ? ALLOW FILTERING", i32(0))
	for _, c := range []struct {
		message string
		query   string
		values  []plan.Value
	}{
		{"Invalid null value in condition for column c", sel + "AND c = ?", with(plan.Value{})},
		{"Invalid unset value for column c", sel + "AND c = ?", with(plan.Value{Unset: true})},
		{"Invalid null value in condition for column c", sel + "AND (c, e) = ?", with(tupleOf(pair, plan.Value{}, text("x")))},
		{"Invalid null value for column c", sel + "AND c IN ?", with(plan.Value{})},
		{"Expected 4 or 0 byte int (3)", sel + "AND c = ?", with(plan.Value{Bytes: []byte{1, 2, 3}})},
		{"Invalid null value of limit", sel + "LIMIT ?", with(plan.Value{})},
		{"LIMIT must be strictly positive", sel + "LIMIT ?", with(i32(-3))},
		{"Invalid unset value for column a", "INSERT INTO t (a, b, c, e) VALUES (?, 'q', 1, 'x')", []plan.Value{{Unset: true}}},
		{"Invalid null value of timestamp", "INSERT INTO t (a, b, c, e) VALUES (1, 'q', 1, 'x') USING TIMESTAMP ?", []plan.Value{{}}},
		{"Key length of 70000 is longer than maximum of 65535", "INSERT INTO t (a, b, c, e) VALUES (1, ?, 1, 'x')", []plan.Value{text(strings.Repeat("x", 70000))}},
	} {
		if _, err := d.try(c.query, c.values...); err == nil || err.Error() != c.message {
			t.Errorf("%s: %v, want %s", c.query, err, c.message)
		}
	}
	var many strings.Builder
	for i := range 11 {
		fmt.Fprintf(&many, "%d, ", i)
	}
	list := strings.TrimSuffix(many.String(), ", ")
	d.fails("SELECT * FROM t WHERE a = 1 AND b = 'q' AND c IN ("+list+") AND e IN ('"+strings.ReplaceAll(list, ", ", "', '")+"')",
		"The cartesian product of the IN restrictions on clustering columns produces 121 values, this exceeds fail threshold of 100.")
	d.fails("SELECT * FROM t WHERE a IN ("+list+") AND b IN ('"+strings.ReplaceAll(list, ", ", "', '")+"')",
		"The cartesian product of the IN restrictions on partition key produces 121 values, this exceeds fail threshold of 100.")
	d.page = 10
	d.fails("SELECT * FROM t WHERE a IN (0, 1) AND b = 'q' ORDER BY c", "Cannot page queries with both ORDER BY and a IN restriction on the partition key; "+
		"you must either remove the ORDER BY or the IN and sort client side, or disable paging for this query")
}

func TestWritesOverSeveralKeys(t *testing.T) {
	d := newDB(t)
	d.run("CREATE TABLE t (k int, c decimal, v int, s int STATIC, PRIMARY KEY (k, c))")
	d.run("UPDATE t SET v = 1, s = 2 WHERE k IN (1, 2) AND c IN (1.0, 2.00)")
	d.want("SELECT c, v, s FROM t WHERE k = 2", "1 | 1 | 2", "2 | 1 | 2")
	d.run("DELETE FROM t WHERE k IN (1, 2) AND c IN (1, 7)")
	d.want("SELECT c FROM t WHERE k IN (1, 2)", "2", "2")
	d.run("DELETE FROM t WHERE k = 1 AND c IN (2) ")
	d.run("DELETE s FROM t WHERE k = 2")
	d.want("SELECT k, c, s FROM t WHERE k IN (1, 2)", "1 | null | 2", "2 | 2 | null")
	d.want("SELECT DISTINCT k, s FROM t WHERE s = 2 ALLOW FILTERING", "1 | 2")
}
