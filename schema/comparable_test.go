package schema

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ilion-db/ilion/internal/golden"
)

func sign(n int) int { return cmp.Compare(n, 0) }

func TestComparableOrderAndRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ty := genType(t, 0)
		desc := rapid.Bool().Draw(t, "desc")
		a, b := genValue(t, ty), genValue(t, ty)
		if err := ty.Validate(a); err != nil {
			t.Fatalf("%s: %x: %v", ty, a, err)
		}
		ea, err := ty.AppendComparable(nil, a, desc)
		if err != nil {
			t.Fatal(err)
		}
		eb, err := ty.AppendComparable([]byte("x"), b, desc)
		if err != nil {
			t.Fatal(err)
		}
		eb = eb[1:]
		want := sign(ty.Compare(a, b))
		if back := sign(ty.Compare(b, a)); back != -want {
			t.Fatalf("%s: Compare is not antisymmetric: %d, %d", ty, want, back)
		}
		if desc {
			want = -want
		}
		if got := bytes.Compare(ea, eb); got != want {
			t.Fatalf("%s desc=%t: %x %x: encoded %x %x order %d, want %d", ty, desc, a, b, ea, eb, got, want)
		}
		checkDecode(t, ty, a, ea, desc)
		checkBounds(t, ea, eb)
	})
}

func checkDecode(t *rapid.T, ty *Type, val, enc []byte, desc bool) {
	got, rest, err := ty.DecodeComparable(append(bytes.Clone(enc), "rest"...), desc)
	if err != nil || string(rest) != "rest" {
		t.Fatalf("%s desc=%t: decode %x: %v, rest %q", ty, desc, enc, err, rest)
	}
	if ty.Compare(got, val) != 0 {
		t.Fatalf("%s: %x decodes to %x", ty, val, got)
	}
	if !ty.Lossy() && !bytes.Equal(got, val) {
		t.Fatalf("%s: %x decodes to %x", ty, val, got)
	}
}

// checkBounds takes two components and puts a second one behind each: bounds of
// the first must enclose all that starts with it and nothing else.
func checkBounds(t *rapid.T, ea, eb []byte) {
	lo, hi := BoundBefore(ea), BoundAfter(ea)
	for _, next := range []string{"", "\x00", "\x00\x00\x40", "\xff\xff\xff"} {
		in := append(bytes.Clone(ea), next...)
		if bytes.Compare(lo, in) >= 0 || bytes.Compare(in, hi) >= 0 {
			t.Fatalf("bounds %x %x do not enclose %x", lo, hi, in)
		}
		if bytes.Equal(ea, eb) {
			continue
		}
		out := append(bytes.Clone(eb), next...)
		if bytes.Compare(lo, out) < 0 != (bytes.Compare(ea, eb) < 0) || bytes.Compare(hi, out) < 0 != (bytes.Compare(ea, eb) < 0) {
			t.Fatalf("bounds %x %x of %x include or misplace %x", lo, hi, ea, out)
		}
	}
}

func TestComparableRefusesEmptyFixed(t *testing.T) {
	for _, ty := range []*Type{TypeInt, TypeUUID, TypeDouble, ListOf(TypeInt, true)} {
		v := []byte{}
		if ty.Elem() != nil {
			v = ty.AppendElements(nil, [][]byte{{}})
		}
		if got, err := ty.AppendComparable([]byte("x"), v, false); err == nil || string(got) != "x" {
			t.Errorf("%s: %q, %v", ty, got, err)
		}
	}
	if _, err := TypeDuration.AppendComparable(nil, []byte{0, 0, 0}, false); err == nil {
		t.Error("duration accepted")
	}
}

func TestComparableAllocatesNothing(t *testing.T) {
	buf, val := make([]byte, 0, 64), make([]byte, 0, 64)
	for _, c := range []struct {
		ty *Type
		v  []byte
	}{{TypeInt, []byte{0, 0, 0, 1}}, {TypeText, []byte("abc\x00def")}, {TypeTimeUUID, []byte("012345\x12789abcdef")}} {
		for _, desc := range []bool{false, true} {
			n := testing.AllocsPerRun(100, func() {
				e, err := c.ty.AppendComparable(buf, c.v, desc)
				if err == nil {
					_, _, err = c.ty.DecodeComparableInto(val, e, desc)
				}
				if err != nil {
					t.Fatal(err)
				}
			})
			if n > 0 {
				t.Errorf("%s: %v allocations", c.ty, n)
			}
		}
	}
}

// goldenValues are one value or more per kind of type, as text.
func goldenValues() []struct{ ty, text string } {
	return []struct{ ty, text string }{
		{"tinyint", "-1"}, {"smallint", "1"}, {"int", "-2"}, {"bigint", "3"}, {"timestamp", "1000"},
		{"date", "1970-01-02"}, {"time", "00:00:01"}, {"boolean", "true"},
		{"float", "1.5"}, {"float", "-1.5"}, {"double", "-0"}, {"double", "0"}, {"double", "NaN"},
		{"uuid", "8bfde73d-7204-4ce0-a24c-c6a3528d3c42"}, {"uuid", "176c39cd-b93d-13a5-a218-8eb06a56f66e"},
		{"timeuuid", "176c39cd-b93d-13a5-a218-8eb06a56f66e"},
		{"text", "a\x00b"}, {"text", ""}, {"blob", "0x00ff"}, {"inet", "127.0.0.1"},
		{"varint", "0"}, {"varint", "-1"}, {"varint", "1000"}, {"varint", "-" + strings.Repeat("9", 310)},
		{"decimal", "0"}, {"decimal", "12.30"}, {"decimal", "-0.0012"},
	}
}

func TestComparableGolden(t *testing.T) {
	var b strings.Builder
	line := func(ty *Type, v []byte) {
		for _, desc := range []bool{false, true} {
			e, err := ty.AppendComparable(nil, v, desc)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "%s desc=%t %s: %s\n", ty, desc, shorten(ty.Format(v)), shorten(hex.EncodeToString(e)))
		}
	}
	for _, g := range goldenValues() {
		ty := mustType(t, g.ty)
		v, err := ty.ParseText(g.text)
		if g.text == "-0" {
			v = []byte{0x80, 0, 0, 0, 0, 0, 0, 0}
		}
		if err != nil {
			t.Fatal(err)
		}
		line(ty, v)
	}
	one, two := []byte{0, 0, 0, 1}, []byte{0, 0, 0, 2}
	for _, ty := range []*Type{ListOf(TypeInt, true), MapOf(TypeInt, TypeInt, true), TupleOf(TypeInt, TypeInt), VectorOf(TypeInt, 2)} {
		line(ty, ty.AppendElements(nil, [][]byte{one, two}))
	}
	line(TupleOf(TypeInt, TypeText), TupleOf(TypeInt, TypeText).AppendElements(nil, [][]byte{nil, []byte("a")}))
	golden.Check(t, "comparable.txt", b.String())
}

func shorten(s string) string {
	if len(s) > 120 {
		return fmt.Sprintf("%s..%s (%d)", s[:60], s[len(s)-20:], len(s))
	}
	return s
}

func FuzzDecodeComparable(f *testing.F) {
	types := []string{"int", "text", "varint", "decimal", "uuid", "timeuuid", "frozen<list<text>>",
		"frozen<map<int, frozen<set<decimal>>>>", "frozen<tuple<int, text>>", "vector<float, 3>"}
	for i, s := range types {
		ty, err := ParseType(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), false, []byte{1, 2, 0, 0x40})
		f.Add(uint8(i), false, []byte{elemNull, elemNull, elemNull, elemEnd, escaped, 0, Terminator})
		if v, err := ty.ParseText("1"); err == nil {
			e, _ := ty.AppendComparable(nil, v, true)
			f.Add(uint8(i), true, e)
		}
	}
	f.Fuzz(func(t *testing.T, i uint8, desc bool, p []byte) {
		ty, _ := ParseType(types[int(i)%len(types)])
		v, _, err := ty.DecodeComparable(p, desc)
		if err != nil {
			return
		}
		if _, err := ty.AppendComparable(nil, v, desc); err != nil {
			t.Fatalf("%s: %x decodes to %x, which does not encode: %v", ty, p, v, err)
		}
	})
}

func TestUUIDOrderOfCassandra(t *testing.T) {
	for ty, list := range map[*Type][]string{
		TypeUUID: {
			"ffffffff-ffff-0fff-7000-000000000001", "00000000-0000-1000-7000-000000000001",
			"00000000-0000-1000-f000-000000000001", "80000000-0000-1000-7000-000000000001",
			"00000000-0001-2000-7000-000000000001", "00000000-0000-4000-7000-000000000001",
			"00000000-0000-4000-8000-000000000001", "80000000-0000-4000-7000-000000000001",
		},
		TypeTimeUUID: {
			"00000000-0000-1000-f000-000000000001", "00000000-0000-1000-7000-800000000001",
			"00000000-0000-1000-7000-000000000001", "80000000-0000-1000-7000-000000000001",
		},
		TypeDouble: {"-Infinity", "-1", "0", "1e-300", "Infinity", "NaN"},
	} {
		var last []byte
		for i, s := range list {
			v, err := ty.ParseText(s)
			if err != nil {
				t.Fatal(err)
			}
			if i > 0 && ty.Compare(last, v) >= 0 {
				t.Errorf("%s: %s is not above %s", ty, s, list[i-1])
			}
			last = v
		}
	}
	if f := math.Float64frombits(0x8000000000000000); f != 0 || doubleKey(1<<63) >= doubleKey(0) {
		t.Error("-0.0 is not below 0.0")
	}
}
