package shell

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/internal/golden"
)

func TestGoldenValues(t *testing.T) {
	list := func(e Type) Type { return Type{Kind: KindList, Elems: []Type{e}} }
	k := func(kind Kind) Type { return Type{Kind: kind} }
	udt := Type{Kind: KindUDT, Elems: []Type{typeText, typeInt}, Fields: []string{"street", "zip"}}
	uuid := unhex("123e4567e89b12d3a456426614174000")
	ts := i64(1704067200123)
	cases := []struct {
		name string
		t    Type
		raw  []byte
	}{
		{"null", typeText, nil}, {"empty text", typeText, []byte{}}, {"text", typeText, []byte("it's\t\x01é")},
		{"ascii", k(KindASCII), []byte("abc")}, {"blob", k(KindBlob), []byte{0xca, 0xfe}}, {"empty blob", k(KindBlob), []byte{}},
		{"int", typeInt, i32(-5)}, {"empty int", typeInt, []byte{}}, {"short int", typeInt, []byte{1}}, {"bigint", k(KindBigint), i64(-1 << 63)}, {"tinyint", k(KindTinyint), []byte{0x80}},
		{"smallint", k(KindSmallint), []byte{1, 0}}, {"counter", k(KindCounter), i64(7)},
		{"true", k(KindBoolean), []byte{1}}, {"false", k(KindBoolean), []byte{0}},
		{"float", k(KindFloat), f32(3.14)}, {"float big", k(KindFloat), f32(123456789)}, {"float 1000", k(KindFloat), f32(1000.5)},
		{"double", k(KindDouble), f64(3.14159265358979)}, {"double 1", k(KindDouble), f64(1)}, {"double 0", k(KindDouble), f64(0)}, {"double small", k(KindDouble), f64(1.5e-7)},
		{"double 1e20", k(KindDouble), f64(1e20)}, {"NaN", k(KindDouble), unhex("7ff8000000000000")}, {"inf", k(KindDouble), unhex("fff0000000000000")},
		{"varint", k(KindVarint), unhex("ff0000000000000000 00")}, {"varint 0", k(KindVarint), []byte{0}},
		{"decimal", k(KindDecimal), append(i32(2), unhex("3039")...)}, {"decimal 0.00", k(KindDecimal), append(i32(2), 0)},
		{"decimal -0.001", k(KindDecimal), append(i32(3), 0xff)}, {"decimal 1E+3", k(KindDecimal), append(i32(-3), 1)}, {"decimal 1.2E-9", k(KindDecimal), append(i32(10), 12)},
		{"uuid", k(KindUUID), uuid}, {"timeuuid", k(KindTimeUUID), uuid},
		{"inet4", k(KindInet), []byte{127, 0, 0, 1}}, {"inet6", k(KindInet), unhex("00000000000000000000000000000001")},
		{"date", k(KindDate), unhex("80004d1b")}, {"date far", k(KindDate), unhex("ffffffff")}, {"time", k(KindTime), i64(3661e9 + 5)}, {"timestamp", k(KindTimestamp), ts}, {"timestamp far", k(KindTimestamp), i64(1 << 60)},
		{"duration", k(KindDuration), unhex("1c 06 fc 068c61714000")}, {"duration bad", k(KindDuration), []byte{0xff}}, {"duration -", k(KindDuration), unhex("01 03 05")},
		{"list", list(typeText), counted(2, []byte("a'b"), []byte("c"))}, {"list of timestamps", list(k(KindTimestamp)), counted(1, ts)},
		{"list of inet", list(k(KindInet)), counted(1, []byte{10, 0, 0, 1})}, {"list of null", list(typeInt), counted(1, nil)}, {"list empty", list(typeInt), counted(0)},
		{"set", Type{Kind: KindSet, Elems: []Type{typeInt}}, counted(2, i32(1), i32(2))},
		{"map", Type{Kind: KindMap, Elems: []Type{typeText, list(typeInt)}}, counted(1, []byte("k"), counted(1, i32(1)))},
		{"map int", Type{Kind: KindMap, Elems: []Type{typeInt, typeText}}, counted(2, i32(1), []byte("x"), i32(2), nil)},
		{"tuple", Type{Kind: KindTuple, Elems: []Type{typeInt, typeText}}, sized(i32(1), nil)}, {"tuple short", Type{Kind: KindTuple, Elems: []Type{typeInt, typeText}}, sized(i32(1))},
		{"udt", udt, sized([]byte("Main"), i32(1))}, {"udt short", udt, sized([]byte("Main"))},
		{"vector float", Type{Kind: KindVector, Elems: []Type{k(KindFloat)}, Dim: 2}, append(f32(1), f32(-2.5)...)},
		{"vector text", Type{Kind: KindVector, Elems: []Type{typeText}, Dim: 2}, []byte{1, 'a', 2, 'b', 'c'}},
		{"bad list", list(typeInt), []byte{0, 0, 0, 9, 1}}, {"bad uuid", k(KindUUID), []byte{1, 2}}, {"custom", k(KindCustom), []byte{1}},
	}
	var b strings.Builder
	for _, c := range cases {
		var j strings.Builder
		writeJSON(&j, &c.t, c.raw, 0)
		fmt.Fprintf(&b, "%-18s %-45s %s\n", c.name, valueText(&c.t, c.raw), j.String())
	}
	golden.Check(t, "values.golden", b.String())
}

func TestColumnize(t *testing.T) {
	var b strings.Builder
	var names []string
	for i := range 30 {
		names = append(names, fmt.Sprintf("table_number_%d", i))
	}
	columnize(&b, names)
	columnize(&b, nil)
	columnize(&b, []string{strings.Repeat("x", 100), "y"})
	golden.Check(t, "columns.golden", b.String())
}

// FuzzValue checks that no bytes make the printer panic, whatever the type.
func FuzzValue(f *testing.F) {
	f.Add(uint8(KindText), []byte("abc"))
	f.Add(uint8(KindMap), counted(1, []byte("k"), []byte("v")))
	f.Add(uint8(KindDecimal), append(i32(1<<31-1), 1))
	f.Add(uint8(KindVector), []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Add(uint8(KindDuration), []byte{0xff, 1, 2, 3, 4, 5, 6, 7, 8})
	f.Fuzz(func(t *testing.T, kind uint8, raw []byte) {
		inner := Type{Kind: Kind(kind) % KindList}
		types := []Type{
			{Kind: Kind(kind) % (KindVector + 1), Elems: []Type{inner, typeText}, Fields: []string{"a", "b"}, Dim: 2},
			{Kind: KindList, Elems: []Type{inner}},
			{Kind: KindVector, Elems: []Type{inner}, Dim: 3},
		}
		for i := range types {
			_ = valueText(&types[i], raw)
			var b strings.Builder
			writeJSON(&b, &types[i], raw, 0)
		}
	})
}
