package exec_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/cql/exec"
	"github.com/ilion-db/ilion/cql/plan"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/schema"
)

// TestLongestKeys goes to the longest partition key and clustering, and one byte
// over. A clustering counts as it is stored.
func TestLongestKeys(t *testing.T) {
	d := newDB(t)
	d.run("CREATE TABLE t (k text, c text, PRIMARY KEY (k, c))")
	d.run("CREATE TABLE two (k text, l text, PRIMARY KEY ((k, l)))")
	stored, err := schema.TypeText.AppendComparable(nil, []byte("x"), false)
	if err != nil {
		t.Fatal(err)
	}
	text := func(n int) plan.Value { return plan.Value{Bytes: []byte(strings.Repeat("x", n))} }
	clustering := 65535 - (len(stored) - 1)
	const parts = 2*3 + 1 // bytes of a key of two components, one of them of one byte, beside the other
	const insert, insertTwo = "INSERT INTO t (k, c) VALUES (?, ?)", "INSERT INTO two (k, l) VALUES (?, ?)"
	for _, c := range []struct {
		what, insert string
		long, short  plan.Value
	}{
		{"partition key", insert, text(65535), text(1)},
		{"clustering", insert, text(1), text(clustering)},
		{"partition key of two", insertTwo, text(65535 - parts), text(1)},
	} {
		if _, err := d.try(c.insert, c.long, c.short); err != nil {
			t.Errorf("the longest %s: %v", c.what, err)
		}
	}
	for _, c := range []struct {
		what, insert  string
		first, second plan.Value
	}{
		{"partition key", insert, text(65536), text(1)},
		{"clustering", insert, text(1), text(clustering + 1)},
		{"partition key of two", insertTwo, text(65536 - parts), text(1)},
	} {
		if _, err := d.try(c.insert, c.first, c.second); err == nil || err.Error() != "Key length of 65536 is longer than maximum of 65535" {
			t.Errorf("a longer %s: %v", c.what, err)
		}
	}
}

// TestLongestTimeToLive goes to the longest TTL and one second over.
func TestLongestTimeToLive(t *testing.T) {
	d := newDB(t)
	d.run("CREATE TABLE t (k int PRIMARY KEY, v int)")
	d.run("INSERT INTO t (k, v) VALUES (1, 1) USING TTL 630720000")
	d.want("SELECT ttl(v) FROM t WHERE k = 1", "630720000")
	d.fails("INSERT INTO t (k, v) VALUES (1, 2) USING TTL 630720001", "ttl is too large. requested (630720001) maximum (630720000)")
}

// TestLeastTimestamp refuses the least timestamp wherever it comes from: a set is
// cleared just before it is written, which would be at the greatest.
func TestLeastTimestamp(t *testing.T) {
	d := newDB(t)
	d.run("CREATE TABLE t (k int PRIMARY KEY, s set<int>)")
	for _, text := range []string{
		"INSERT INTO t (k, s) VALUES (1, {1}) USING TIMESTAMP -9223372036854775808",
		"BEGIN BATCH USING TIMESTAMP -9223372036854775808 INSERT INTO t (k, s) VALUES (1, {1}) APPLY BATCH",
	} {
		d.fails(text, "Out of bound timestamp, must be in [-9223372036854775807, 9223372036854775807]")
	}
	d.run("INSERT INTO t (k, s) VALUES (1, {1}) USING TIMESTAMP 5")
	d.want("SELECT s FROM t", "{1}")
}

// TestLargestNumbers goes to the largest numbers that arithmetic takes, and one bit
// or digit over.
func TestLargestNumbers(t *testing.T) {
	d := newDB(t)
	d.run("CREATE TABLE t (k int PRIMARY KEY, v varint, w varint, one decimal, d decimal, e decimal)")
	v, w := make([]byte, 1+1<<16), make([]byte, 1+1<<16)
	v[1] = 0x80 // 2^19 bits
	w[0] = 1    // one more
	d.run("INSERT INTO t (k, v, w, one, d, e) VALUES (1, ?, ?, 1, 1e10000, 1e10001)", plan.Value{Bytes: v}, plan.Value{Bytes: w})
	d.want("SELECT v % v FROM t", "0")
	d.fails("SELECT v % w FROM t", "the operation 'varint % varint' failed: the numbers are too large")
	d.run("SELECT d / one FROM t")
	d.fails("SELECT e / one FROM t", "the operation 'decimal / decimal' failed: the numbers are too large")
}

// TestNumbersFarApart has decimals whose digits lie far from each other: what would
// take very many digits is refused, what takes none of them is right.
func TestNumbersFarApart(t *testing.T) {
	d := newDB(t)
	d.run("CREATE TABLE t (k int, c int, e decimal, PRIMARY KEY (k, c))")
	d.run("CREATE TABLE n (k int PRIMARY KEY, least decimal, most decimal, l list<decimal>)")
	d.run("INSERT INTO t (k, c, e) VALUES (1, 1, 1e-100000)")
	d.run("INSERT INTO t (k, c, e) VALUES (1, 2, 1)")
	d.run("INSERT INTO t (k, c, e) VALUES (2, 1, 1)")
	d.run("INSERT INTO t (k, c, e) VALUES (2, 2, 1e100001)")
	d.run("INSERT INTO n (k, least, most, l) VALUES (1, 1e-2147483647, 1e2147483647, [1, 1e2147483647])")
	d.want("SELECT sum(e) - 1 FROM t WHERE k = 1", "1E-100000")
	for call, name := range map[string]string{
		"sum(e) FROM t WHERE k = 2":            "sum[decimal]",
		"avg(e) FROM t WHERE k = 2":            "avg[decimal]",
		"collection_sum(l) FROM n":             "collection_sum[list<decimal>]",
		"collection_avg(l) FROM n":             "collection_avg[list<decimal>]",
		"CAST(e AS varint) FROM t WHERE k = 2": "cast_as_varint[decimal]",
	} {
		d.fails("SELECT "+call, "execution of 'system."+name+"' failed: the numbers are too large")
	}
	d.want("SELECT least / most, CAST(least AS varint), CAST(least AS int), CAST(most AS int), CAST(most AS text) FROM n", "0 | 0 | 0 | 0 | '1E+2147483647'")
	d.fails("SELECT most / least FROM n", "the operation 'decimal / decimal' failed: the numbers are too large")
	d.fails("SELECT most + least FROM n", "the operation 'decimal + decimal' failed: add: exponent out of range")
	d.run("UPDATE n SET least = 12." + strings.Repeat("0", 20000) + " WHERE k = 1")
	d.want("SELECT CAST(least AS varint), CAST(least AS int) FROM n", "12 | 12")
}

// TestLongestNumbers goes to the longest number that is taken, and one over, in
// bytes and in characters.
func TestLongestNumbers(t *testing.T) {
	d := newDB(t)
	d.run("CREATE TABLE t (k int PRIMARY KEY, v varint, d decimal)")
	const bytes, chars = 1 << 18, 1 << 18
	number := func(n int) plan.Value { return plan.Value{Bytes: append([]byte{0, 0, 0, 1, 1}, make([]byte, n-5)...)} }
	digits := func(n int) string { return strings.Repeat("9", n) }
	for _, c := range []string{"v", "d"} {
		d.run("INSERT INTO t (k, "+c+") VALUES (1, ?)", number(bytes))
		if _, err := d.try("INSERT INTO t (k, "+c+") VALUES (1, ?)", number(bytes+1)); err == nil || err.Error() != "A number of 262145 bytes is longer than the maximum of 262144" {
			t.Errorf("%s: %v", c, err)
		}
		d.run("INSERT INTO t (k, " + c + ") VALUES (1, " + digits(chars) + ")")
		for _, insert := range []string{
			"INSERT INTO t (k, " + c + ") VALUES (1, " + digits(chars+1) + ")",
			"INSERT INTO t (k, " + c + ") VALUES (1, from_json('" + digits(chars+1) + "'))",
			"INSERT INTO t JSON '{\"k\": 1, \"" + c + "\": " + digits(chars+1) + "}'",
		} {
			if _, err := d.try(insert); err == nil || !strings.Contains(err.Error(), "A number of 262145 characters is longer than the maximum of 262144") {
				t.Errorf("%.40s: %.200v", insert, err)
			}
		}
	}
}

// TestLargestResults lets expressions make more and more of a value, and rows name
// it often: that is refused before there is memory for it.
func TestLargestResults(t *testing.T) {
	d := newDB(t)
	d.run("CREATE TABLE t (k int PRIMARY KEY, v text, l list<text>)")
	v := plan.Value{Bytes: []byte(strings.Repeat(`"`, 16<<20))}
	d.run("INSERT INTO t (k, v) VALUES (1, ?)", v)
	const values = "An expression has values of more than 67108864 bytes"
	for text, want := range map[string]string{
		"SELECT v + v + v + v + v FROM t":                 values,
		"SELECT (v, v, v, v, v) FROM t":                   values,
		"SELECT v" + strings.Repeat(", v", 9) + " FROM t": "The result is larger than 104857600 bytes; use paging or a LIMIT",
	} {
		d.fails(text, want)
	}
	if _, err := d.try("INSERT INTO t (k, l) VALUES (2, [?, ?, ?, ?, ?])", v, v, v, v, v); err == nil || err.Error() != values {
		t.Error(err)
	}
}

// TestJSONOfMapsInMaps has a key whose quotes are quoted on each level that it lies
// in: a few bytes would come to gigabytes. With assertions, which make it slow, it has
// few levels.
func TestJSONOfMapsInMaps(t *testing.T) {
	d := newDB(t)
	maps := "map<text, int>"
	value := `{'""': 1}`
	levels := 27
	if invariant.Enabled {
		levels = 3
	}
	for range levels {
		maps, value = "map<"+maps+", int>", "{"+value+": 1}"
	}
	d.run("CREATE TABLE t (k int PRIMARY KEY, m frozen<" + maps + ">)")
	d.run("INSERT INTO t (k, m) VALUES (1, " + value + ")")
	if invariant.Enabled {
		d.run("SELECT JSON m FROM t")
		return
	}
	d.fails("SELECT JSON m FROM t", "An expression has values of more than 67108864 bytes")
}

// TestColumnNamedOften has a row that names a column so often that it is refused:
// it was not made before.
func TestColumnNamedOften(t *testing.T) {
	d := newDB(t)
	d.run("CREATE TABLE t (k int PRIMARY KEY, v text)")
	d.run("INSERT INTO t (k, v) VALUES (1, ?)", plan.Value{Bytes: make([]byte, 1<<20)})
	d.reader.Limits = exec.Limits{MaxBytes: 4 << 20}
	for _, column := range []string{"v", "blob_as_text(text_as_blob(v))"} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		d.fails("SELECT "+strings.Repeat(column+", ", 300)+"v FROM t", "The result is larger than 4194304 bytes; use paging or a LIMIT")
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 100<<20 {
			t.Errorf("%s: %d MiB were allocated", column, n>>20)
		}
	}
}

// TestLargestWrites repeats a value or rows by lists of keys, which is refused while
// the writes are made.
func TestLargestWrites(t *testing.T) {
	d := newDB(t)
	d.run("CREATE TABLE t (k int, c int, v blob, m map<int, blob>, PRIMARY KEY (k, c))")
	list := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, ", %d", i)
		}
		return "(" + b.String()[2:] + ")"
	}
	few, many := list(10), list(70)
	var long []string
	for i := range 100 {
		long = append(long, fmt.Sprintf("'%d%s'", i, strings.Repeat("x", 8<<10)))
	}
	d.run("CREATE TABLE u (k int, c text, PRIMARY KEY (k, c))")
	value := plan.Value{Bytes: make([]byte, 1<<20)}
	d.run("UPDATE t SET v = ? WHERE k = 1 AND c IN "+few, value)
	for _, c := range []struct {
		text   string
		values []plan.Value
	}{
		{"UPDATE t SET v = ? WHERE k = 1 AND c IN " + many, []plan.Value{value}},
		{"UPDATE t SET v = ? WHERE c = 1 AND k IN " + many, []plan.Value{value}},
		{"UPDATE t SET m[1] = ? WHERE c = 1 AND k IN " + many, []plan.Value{value}},
		{"UPDATE t SET m = {1: ?} WHERE c = 1 AND k IN " + many, []plan.Value{value}},
		{"BEGIN BATCH UPDATE t SET v = ? WHERE c = 1 AND k IN " + many + " APPLY BATCH", []plan.Value{value}},
		{"DELETE FROM u WHERE k IN " + list(100) + " AND c IN (" + strings.Join(long, ", ") + ")", nil},
	} {
		if _, err := d.try(c.text, c.values...); err == nil || err.Error() != "The statement writes more than 67108864 bytes" {
			t.Errorf("%.60s: %v", c.text, err)
		}
	}
}
