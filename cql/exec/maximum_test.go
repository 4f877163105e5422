package exec_test

import (
	"strings"
	"testing"

	"github.com/ilion-db/ilion/cql/plan"
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
