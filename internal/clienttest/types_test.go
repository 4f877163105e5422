package clienttest

import (
	"fmt"
	"math"
	"math/big"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"gopkg.in/inf.v0"
)

// typeCase is a CQL type with values that must come back as they went in.
type typeCase struct {
	typ     string
	literal string // one value as CQL text
	values  []any  // the first is that of literal
}

func bigInt(s string) *big.Int {
	n, ok := new(big.Int).SetString(s, 10)
	if !ok {
		panic(s)
	}
	return n
}

func date(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return t
}

// nativeTypes lists every native type but counter.
func nativeTypes(s session) []typeCase {
	return []typeCase{
		{"ascii", "'plain'", []any{"plain", "", strings.Repeat("a", 70_000)}},
		{"bigint", "-42", []any{int64(-42), int64(math.MaxInt64), int64(math.MinInt64), int64(0)}},
		{"blob", "0x00ff10", []any{[]byte{0, 255, 16}, make([]byte, 1<<20)}},
		{"boolean", "true", []any{true, false}},
		{"date", "'2024-02-29'", []any{date("2024-02-29"), date("1969-12-31"), date("1970-01-01")}},
		{"decimal", "-12.3400", []any{inf.NewDec(-123400, 4), inf.NewDec(5, -20), inf.NewDecBig(bigInt("123456789012345678901234567890"), 29)}},
		{"double", "-0.1", []any{-0.1, math.MaxFloat64, math.Inf(-1), math.NaN(), math.SmallestNonzeroFloat64}},
		{"duration", "1y2mo3w4d5h6m7s8ms9us10ns", []any{
			s.duration(14, 25, int64(5*time.Hour+6*time.Minute+7*time.Second+8*time.Millisecond+9*time.Microsecond+10)),
			s.duration(0, 0, 0), s.duration(-1, -2, -3), s.duration(math.MaxInt32, math.MaxInt32, math.MaxInt64),
		}},
		{"float", "1.5", []any{float32(1.5), float32(math.Inf(1)), float32(math.MaxFloat32)}},
		{"inet", "'2001:db8::1'", []any{net.ParseIP("2001:db8::1"), net.ParseIP("192.0.2.7").To4()}},
		{"int", "2147483647", []any{math.MaxInt32, math.MinInt32, -1}},
		{"smallint", "-32768", []any{int16(math.MinInt16), int16(math.MaxInt16)}},
		{"text", "'grüße, ''世界'''", []any{"grüße, '世界'", "", "\x00\x01", "🦀"}},
		{"time", "'23:59:59.999999999'", []any{24*time.Hour - 1, time.Duration(0)}},
		{"timestamp", "'2024-02-29T12:30:00.123Z'", []any{
			time.Date(2024, 2, 29, 12, 30, 0, 123e6, time.UTC), time.UnixMilli(-1).UTC(), time.UnixMilli(0).UTC(),
		}},
		{"timeuuid", "13814000-1dd2-11b2-8080-808080808080", []any{s.uuid("13814000-1dd2-11b2-8080-808080808080")}},
		{"tinyint", "-128", []any{int8(-128), int8(127)}},
		{"uuid", "123e4567-e89b-42d3-a456-426614174000", []any{s.uuid("123e4567-e89b-42d3-a456-426614174000")}},
		{"varchar", "'x'", []any{"x"}},
		{"varint", "-170141183460469231731687303715884105729", []any{
			bigInt("-170141183460469231731687303715884105729"), bigInt("0"), bigInt("128"), bigInt("-128"),
		}},
	}
}

func compoundTypes() []typeCase {
	return []typeCase{
		{"list<int>", "[3, 1, 2, 1]", []any{[]int{3, 1, 2, 1}}},
		{"set<text>", "{'b', 'a', 'b'}", []any{[]string{"a", "b"}}},
		{"map<text, double>", "{'b': 2, 'a': 1}", []any{map[string]float64{"a": 1, "b": 2}}},
		{"frozen<list<text>>", "['b', 'a']", []any{[]string{"b", "a"}, []string{}}},
		{"frozen<set<int>>", "{3, 1}", []any{[]int{1, 3}}},
		{"frozen<map<int, text>>", "{1: 'x'}", []any{map[int]string{1: "x"}}},
		{"map<text, frozen<list<int>>>", "{'k': [1, 2]}", []any{map[string][]int{"k": {1, 2}}}},
		{"list<frozen<map<text, int>>>", "[{'a': 1}, {'b': 2}]", []any{[]map[string]int{{"a": 1}, {"b": 2}}}},
		{"set<frozen<list<int>>>", "{[2], [1, 5]}", []any{[][]int{{1, 5}, {2}}}},
		{"frozen<map<text, frozen<map<text, frozen<set<int>>>>>>", "{'a': {'b': {2, 1}}}",
			[]any{map[string]map[string][]int{"a": {"b": {1, 2}}}}},
	}
}

// shown makes values comparable that compare badly otherwise.
func shown(v any) string {
	switch v := v.(type) {
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case []byte:
		return fmt.Sprintf("%x", v)
	case net.IP:
		return v.String()
	}
	return fmt.Sprintf("%T %v", v, v)
}

// roundTrip writes every value by prepared statement and by literal and reads
// it back.
func (e *env) roundTrip(cases []typeCase) {
	e.t.Helper()
	for i, c := range cases {
		table := fmt.Sprintf("%s.t%d", e.ks, i)
		e.must(fmt.Sprintf("CREATE TABLE %s (k int PRIMARY KEY, v %s)", table, c.typ))
		e.must(fmt.Sprintf("INSERT INTO %s (k, v) VALUES (-1, %s)", table, c.literal))
		for k, v := range c.values {
			e.must(fmt.Sprintf("INSERT INTO %s (k, v) VALUES (?, ?)", table), k, v)
		}
		for k := -1; k < len(c.values); k++ {
			want := c.values[max(k, 0)]
			got := reflect.New(reflect.TypeOf(want))
			e.one([]any{got.Interface()}, fmt.Sprintf("SELECT v FROM %s WHERE k = ?", table), k)
			if g, w := shown(got.Elem().Interface()), shown(want); g != w {
				e.t.Errorf("%s, row %d: got %.200s, want %.200s", c.typ, k, g, w)
			}
		}
	}
}

func TestNativeTypes(t *testing.T) {
	forDrivers(t, func(t *testing.T, e *env) { e.roundTrip(nativeTypes(e)) })
}

func TestCollections(t *testing.T) {
	forDrivers(t, func(t *testing.T, e *env) {
		e.roundTrip(compoundTypes())
		e.must("CREATE TABLE KS.c (k int PRIMARY KEY, l list<int>, s set<int>, m map<text, int>)")
		e.must("UPDATE KS.c SET l = ?, s = ?, m = ? WHERE k = 1", []int{1, 2, 3}, []int{1, 2}, map[string]int{"a": 1})
		e.must("UPDATE KS.c SET l = l + ?, s = s + ?, m = m + ? WHERE k = 1", []int{4}, []int{3}, map[string]int{"b": 2})
		e.must("UPDATE KS.c SET l = ? + l, s = s - ?, m['c'] = ? WHERE k = 1", []int{0}, []int{1}, 3)
		e.want([]string{"k:1 l:[0 1 2 3 4] m:map[a:1 b:2 c:3] s:[2 3]"}, "SELECT * FROM KS.c WHERE k = 1")
		e.must("UPDATE KS.c SET l[1] = ?, m = m - ? WHERE k = 1", 10, []string{"a"})
		e.must("DELETE l[0], m['b'] FROM KS.c WHERE k = 1")
		e.must("UPDATE KS.c SET l = l - ? WHERE k = 1", []int{3, 4})
		e.want([]string{"k:1 l:[10 2] m:map[c:3] s:[2 3]"}, "SELECT * FROM KS.c WHERE k = 1")
		e.must("UPDATE KS.c SET l = ?, s = ?, m = ? WHERE k = 1", []int{}, []int{}, map[string]int{})
		e.want(nil, "SELECT * FROM KS.c WHERE k = 1") // a row of UPDATE alone has nothing left
	})
}

func TestTuples(t *testing.T) {
	forDrivers(t, func(t *testing.T, e *env) {
		e.must("CREATE TABLE KS.t (k int PRIMARY KEY, v tuple<int, text, frozen<list<int>>>)")
		e.must("INSERT INTO KS.t (k, v) VALUES (0, (1, 'a', [1, 2]))")
		e.must("INSERT INTO KS.t (k, v) VALUES (?, (?, ?, ?))", 1, 1, "a", []int{1, 2})
		for k := range 2 {
			var i int
			var s string
			var l []int
			e.one([]any{&i, &s, &l}, "SELECT v FROM KS.t WHERE k = ?", k)
			if i != 1 || s != "a" || fmt.Sprint(l) != "[1 2]" {
				t.Errorf("tuple %d: %d %q %v", k, i, s, l)
			}
		}
	})
}

func TestUserTypes(t *testing.T) {
	type address struct {
		Street string `cql:"street"`
		Zip    int    `cql:"zip"`
	}
	forDrivers(t, func(t *testing.T, e *env) {
		e.must("CREATE TYPE KS.address (street text, zip int)")
		e.must("CREATE TABLE KS.u (k int PRIMARY KEY, home frozen<address>, work tuple<int, frozen<address>>, more map<text, frozen<address>>)")
		a, b := address{"Elm", 12345}, address{"Oak", 1}
		e.must("INSERT INTO KS.u (k, home, work, more) VALUES (?, ?, (?, ?), ?)", 1, a, 7, b, map[string]address{"x": b})
		e.must("INSERT INTO KS.u (k, home) VALUES (2, {street: 'Elm', zip: 12345})")
		var home, work address
		var number int
		var more map[string]address
		e.one([]any{&home, &number, &work, &more}, "SELECT home, work, more FROM KS.u WHERE k = 1")
		if home != a || number != 7 || work != b || more["x"] != b {
			t.Errorf("got %v %d %v %v", home, number, work, more)
		}
		e.one([]any{&home}, "SELECT home FROM KS.u WHERE k = 2")
		if home != a {
			t.Errorf("literal: got %v", home)
		}
		err := poll(requestTimeout, func() error { // an event tells the driver
			k, err := e.keyspace(e.ks)
			if err == nil && fmt.Sprint(k.types["address"]) != "[street zip]" {
				err = fmt.Errorf("types: %v", k.types)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// TestNullUnsetEmpty: null deletes, unset leaves alone, empty is a value.
func TestNullUnsetEmpty(t *testing.T) {
	forDrivers(t, func(t *testing.T, e *env) {
		e.must("CREATE TABLE KS.n (k int PRIMARY KEY, a text, b int, c blob)")
		read := func(k int) string {
			var a *string
			var b *int
			var c *[]byte
			e.one([]any{&a, &b, &c}, "SELECT a, b, c FROM KS.n WHERE k = ?", k)
			out := ""
			if a != nil {
				out += fmt.Sprintf("a=%q ", *a)
			}
			if b != nil {
				out += fmt.Sprintf("b=%d ", *b)
			}
			if c != nil {
				out += fmt.Sprintf("c=%x", *c)
			}
			return strings.TrimSpace(out)
		}
		check := func(k int, want string) {
			t.Helper()
			if got := read(k); got != want {
				t.Errorf("row %d: got %s, want %s", k, got, want)
			}
		}
		e.must("INSERT INTO KS.n (k, a, b, c) VALUES (?, ?, ?, ?)", 1, "x", 2, []byte{3})
		check(1, `a="x" b=2 c=03`)
		e.must("INSERT INTO KS.n (k, a, b, c) VALUES (?, ?, ?, ?)", 1, nil, e.unset(), []byte{})
		check(1, `b=2 c=`)
		e.must("INSERT INTO KS.n (k, a, b, c) VALUES (?, ?, ?, ?)", 1, "", nil, e.unset())
		check(1, `a="" c=`)
		e.must("INSERT INTO KS.n (k, a) VALUES (?, ?)", 2, e.unset())
		check(2, "")
		e.must("UPDATE KS.n SET a = ? WHERE k = ?", nil, 1)
		check(1, "c=")
		if err := e.exec(e.in("INSERT INTO KS.n (k, a) VALUES (?, 'x')"), nil); e.code(err) != codeInvalid {
			t.Errorf("null key: %v", err)
		}
		if err := e.exec(e.in("INSERT INTO KS.n (k, a) VALUES (?, 'x')"), e.unset()); e.code(err) != codeInvalid {
			t.Errorf("unset key: %v", err)
		}
	})
}
