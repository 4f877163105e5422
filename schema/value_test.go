package schema

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/ilion-db/ilion/internal/golden"
)

func TestTypeText(t *testing.T) {
	for _, s := range []string{
		"ascii", "bigint", "blob", "boolean", "counter", "date", "decimal", "double", "duration", "float", "inet", "int",
		"smallint", "text", "time", "timestamp", "timeuuid", "tinyint", "uuid", "varint",
		"list<int>", "frozen<list<frozen<list<int>>>>", "map<text, frozen<list<int>>>", "frozen<tuple<int, text>>",
		"vector<float, 3>", "frozen<set<vector<int, 2>>>", "'org.apache.cassandra.db.marshal.LexicalUUIDType'",
	} {
		if got := mustType(t, s).String(); got != s {
			t.Errorf("%s prints as %s", s, got)
		}
	}
	for s, want := range map[string]string{
		"VARCHAR": "text", "frozen<list<list<int>>>": "frozen<list<frozen<list<int>>>>", "tuple<int,list<int>>": "frozen<tuple<int, frozen<list<int>>>>",
		" map < int , text > ": "map<int, text>", "'org.apache.cassandra.db.marshal.Int32Type'": "int", "'UTF8Type'": "text",
		"'EmptyType'": "empty", "empty": "empty",
	} {
		if got := mustType(t, s).String(); got != want {
			t.Errorf("%s parses to %s, want %s", s, got, want)
		}
	}
	for s, want := range map[string]string{
		"frozen<int>":    "frozen<> is only allowed on collections, tuples, and user-defined types (got int)",
		"vector<int, 0>": "vectors may only have positive dimensions; given 0",
		"foo":            "Unknown type foo",
		"'o.a.c.Nope'":   "Error setting type o.a.c.Nope: Unable to find abstract-type class 'o.a.c.Nope'",
	} {
		if _, err := ParseType(s); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", s, err, want)
		}
	}
	for _, s := range []string{"", "list<", "list<int", "list<int,int>", "map<int>", "int>", "list<int>>", "vector<int>", "vector<int,x>", "\"a"} {
		if _, err := ParseType(s); err == nil {
			t.Errorf("%q parses", s)
		}
	}
}

func TestCheckColumnType(t *testing.T) {
	for s, want := range map[string]string{
		"list<list<int>>":    "Non-frozen collections are not allowed inside collections: list<list<int>>",
		"set<duration>":      "Durations are not allowed inside sets: set<duration>",
		"map<duration, int>": "Durations are not allowed as map keys: map<duration, int>",
		"list<counter>":      "Counters are not allowed inside collections: list<counter>",
		"tuple<counter>":     "Counters are not allowed inside tuples",
		"list<duration>":     "",
	} {
		err := CheckColumnType(mustType(t, s))
		if got := errText(err); got != want {
			t.Errorf("%s: %q, want %q", s, got, want)
		}
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestTypeOption(t *testing.T) {
	var all bytes.Buffer
	for _, s := range []string{"int", "duration", "date", "smallint", "list<int>", "frozen<map<text, frozen<set<int>>>>", "tuple<int, duration>", "vector<float, 3>"} {
		for _, v := range []uint8{3, 4, 5} {
			all.WriteString(s + " v" + string('0'+rune(v)) + "\n" + hexdump(mustType(t, s).AppendTypeOption(nil, v)))
		}
	}
	u := UDTOf("k", "u", []string{"a", "B"}, []*Type{TypeInt, ListOf(TypeText, true)}, true)
	all.WriteString("udt\n" + hexdump(u.AppendTypeOption(nil, 4)) + u.ClassName() + "\n" + u.String() + "\n")
	golden.Check(t, "options.txt", all.String())
}

func TestValidateWords(t *testing.T) {
	for _, c := range []struct{ ty, hex, want string }{
		{"int", "010203", "Expected 4 or 0 byte int (3)"},
		{"int", "", ""},
		{"bigint", "010203", "Expected 8 or 0 byte long (3)"},
		{"smallint", "010203", "Expected 2 bytes for a smallint (3)"},
		{"smallint", "", "Expected 2 bytes for a smallint (0)"},
		{"tinyint", "0102", "Expected 1 byte for a tinyint (2)"},
		{"boolean", "0102", "Expected 1 or 0 byte value (2)"},
		{"float", "01", "Expected 4 or 0 byte value for a float (1)"},
		{"double", "01", "Expected 8 or 0 byte value for a double (1)"},
		{"text", "ff", "String didn't validate."},
		{"ascii", "80", "Invalid byte for ascii: -128"},
		{"timestamp", "01", "Expected 8 or 0 byte long for date (1)"},
		{"uuid", "01", "UUID should be 16 or 0 bytes (1)"},
		{"timeuuid", "00000000000000000000000000000000", "Invalid version for TimeUUID type."},
		{"inet", "010203", "addr is of illegal length"},
		{"date", "01", "Expected 4 byte long for date (1)"},
		{"time", "01", "Expected 8 byte long for time (1)"},
		{"duration", "01", "Expected at least 3 bytes for a duration (1)"},
		{"list<int>", "00000001", "Not enough bytes to read a list"},
		{"list<int>", "0000000100000004000000010a", "Unexpected extraneous bytes after list value"},
		{"list<int>", "0000000100000003000001", "Expected 4 or 0 byte int (3)"},
		{"map<int, int>", "7fffffff", "Not enough bytes to read a map"},
		{"list<int>", "00000001ffffffff", "null is not supported inside collections"},
		{"tuple<int, int>", "ffffffff", ""},
		{"tuple<int, int>", "ffffffffffffffff00", "Invalid remaining data after end of tuple value"},
		{"vector<float, 2>", "00000000", "Not enough bytes to read a vector<float, 2>"},
		{"vector<float, 1>", "0000000000", "Unexpected extraneous bytes after vector<float, 1> value"},
	} {
		v, err := hex.DecodeString(c.hex)
		if err != nil {
			t.Fatal(err)
		}
		if got := errText(mustType(t, c.ty).Validate(v)); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.ty, c.hex, got, c.want)
		}
	}
}

// The words and results are those of Cassandra 5.0.8.
func TestLiterals(t *testing.T) {
	for _, c := range []struct {
		ty   string
		kind LiteralKind
		text string
		want string // FormatText of the value, or "! " and the error
	}{
		{"int", StringLiteral, "abc", `! Invalid STRING constant (abc) for "v" of type int`},
		{"int", FloatLiteral, "1.5", `! Invalid FLOAT constant (1.5) for "v" of type int`},
		{"int", IntegerLiteral, "99999999999", "! Unable to make int from '99999999999'"},
		{"smallint", IntegerLiteral, "99999", "! Unable to make short from '99999'"},
		{"tinyint", IntegerLiteral, "999", "! Unable to make byte from '999'"},
		{"bigint", IntegerLiteral, "99999999999999999999", "! Unable to make long from '99999999999999999999'"},
		{"blob", HexLiteral, "0xabc", "! cannot parse 'abc' as hex bytes"},
		{"blob", StringLiteral, "abc", `! Invalid STRING constant (abc) for "v" of type blob`},
		{"text", HexLiteral, "0xab", `! Invalid HEX constant (0xab) for "v" of type text`},
		{"boolean", IntegerLiteral, "1", `! Invalid INTEGER constant (1) for "v" of type boolean`},
		{"decimal", FloatLiteral, "NaN", "! unable to make BigDecimal from 'NaN'"},
		{"decimal", FloatLiteral, "1e5", "1E+5"},
		{"decimal", FloatLiteral, "0.00000001", "1E-8"},
		{"decimal", FloatLiteral, "1.50", "1.50"},
		{"decimal", IntegerLiteral, "-123", "-123"},
		{"double", FloatLiteral, "1e5", "100000.0"},
		{"double", FloatLiteral, "1e-5", "1.0E-5"},
		{"double", FloatLiteral, "NaN", "NaN"},
		{"float", FloatLiteral, "1e10", "1.0E10"},
		{"float", FloatLiteral, "1e50", "Infinity"},
		{"float", FloatLiteral, "-Infinity", "-Infinity"},
		{"varint", IntegerLiteral, "123456789012345678901234567890", "123456789012345678901234567890"},
		{"timestamp", StringLiteral, "x", "! Unable to parse a date/time from 'x'"},
		{"timestamp", StringLiteral, "292278994-08-17 07:12:55.807", "+292278994-08-17T07:12:55.807Z"},
		{"timestamp", StringLiteral, "292278994-08-17 07:12:56", "! Unable to parse a date/time from '292278994-08-17 07:12:56'"},
		{"timestamp", StringLiteral, "-999999999-01-01", "! Unable to parse a date/time from '-999999999-01-01'"},
		{"timestamp", StringLiteral, "2024-02", "! Unable to parse a date/time from '2024-02'"},
		{"timestamp", StringLiteral, "2024-02-03+0200", "2024-02-02T22:00:00.000Z"},
		{"timestamp", StringLiteral, "2024-02-03T04:05:06.7", "2024-02-03T04:05:06.700Z"},
		{"timestamp", StringLiteral, "2024-02-03 04:05:06.789 PST", "2024-02-03T12:05:06.789Z"},
		{"timestamp", StringLiteral, "2024-02-03 04:05:06.789123", "2024-02-03T04:05:06.789Z"},
		{"timestamp", StringLiteral, "2024-02-03 04:05:06 +01:30", "2024-02-03T02:35:06.000Z"},
		{"timestamp", StringLiteral, "2024-2-3 4:5:6", "2024-02-03T04:05:06.000Z"},
		{"timestamp", StringLiteral, "2024-02-03 04:05", "2024-02-03T04:05:00.000Z"},
		{"timestamp", StringLiteral, "2024-02-03 25:05:06", "! Unable to parse a date/time from '2024-02-03 25:05:06'"},
		{"timestamp", IntegerLiteral, "2024", "1970-01-01T00:00:02.024Z"},
		{"timestamp", StringLiteral, "2024", "1970-01-01T00:00:02.024Z"},
		{"timestamp", StringLiteral, "", ""},
		{"date", StringLiteral, "x", "! Unable to coerce 'x' to a formatted date (long)"},
		{"date", StringLiteral, "2024-2-3", "! Unable to coerce '2024-2-3' to a formatted date (long)"},
		{"date", StringLiteral, "2024-02-30", "! Unable to coerce '2024-02-30' to a formatted date (long)"},
		{"date", IntegerLiteral, "99999999999", "! Unable to make unsigned int (for date) from: '99999999999'"},
		{"date", IntegerLiteral, "-1", "! Unable to make unsigned int (for date) from: '-1'"},
		{"date", StringLiteral, "-2024-02-03", "-2024-02-03"},
		{"date", IntegerLiteral, "0", "-5877641-06-23"},
		{"time", StringLiteral, "25:00:00", "! (TimeType) Unable to coerce '25:00:00' to a formatted time (long)"},
		{"time", IntegerLiteral, "-1", "! Unable to make long (for time) from: '-1'"},
		{"time", IntegerLiteral, "86400000000000", "! Unable to make long (for time) from: '86400000000000'"},
		{"time", StringLiteral, "1:2:3", "01:02:03.000000000"},
		{"time", StringLiteral, "01:02:03.1", "01:02:03.100000000"},
		{"duration", IntegerLiteral, "5", "! Unable to convert '5' to a duration"},
		{"duration", StringLiteral, "1h", `! Invalid STRING constant (1h) for "v" of type duration`},
		{"duration", DurationLiteral, "1h1h", "! Invalid duration. The hours are specified multiple times"},
		{"duration", DurationLiteral, "1m1h", "! Invalid duration. The minutes should be after hours"},
		{"duration", DurationLiteral, "1y2mo3w4d5h6m7s8ms9us10ns", "1y2mo25d5h6m7s8ms9us10ns"},
		{"duration", DurationLiteral, "-1h30m", "-1h30m"},
		{"duration", DurationLiteral, "P1Y2M3DT4H5M6S", "1y2mo3d4h5m6s"},
		{"duration", DurationLiteral, "P1W", "7d"},
		{"duration", DurationLiteral, "PT5M", "5m"},
		{"duration", DurationLiteral, "P0001-02-03T04:05:06", "1y2mo3d4h5m6s"},
		{"duration", DurationLiteral, "1500ms", "1s500ms"},
		{"inet", StringLiteral, "x", "! Unable to make inet address from 'x'"},
		{"inet", StringLiteral, "::1", "0:0:0:0:0:0:0:1"},
		{"inet", StringLiteral, "::ffff:1.2.3.4", "1.2.3.4"},
		{"uuid", StringLiteral, "8bfde73d-7204-4ce0-a24c-c6a3528d3c42", `! Invalid STRING constant (8bfde73d-7204-4ce0-a24c-c6a3528d3c42) for "v" of type uuid`},
		{"uuid", UUIDLiteral, "8BFDE73D-7204-4ce0-a24c-c6a3528d3c42", "8bfde73d-7204-4ce0-a24c-c6a3528d3c42"},
		{"timeuuid", UUIDLiteral, "8bfde73d-7204-4ce0-a24c-c6a3528d3c42", "! TimeUUID supports only version 1 UUIDs"},
	} {
		ty := mustType(t, c.ty)
		v, err := ty.ParseLiteral(c.kind, c.text)
		var le *LiteralError
		got := ""
		switch {
		case errors.As(err, &le):
			got = "! " + le.For("v")
		case err != nil:
			got = "! " + err.Error()
		default:
			got = ty.FormatText(v)
			if err := ty.Validate(v); err != nil {
				t.Errorf("%s %s: parsed to an invalid value: %v", c.ty, c.text, err)
			}
		}
		if got != c.want {
			t.Errorf("%s %s %q: %q, want %q", c.ty, c.kind, c.text, got, c.want)
		}
	}
}

func TestFormatIsParsedBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ty := genType(t, 9)
		v := genValue(t, ty)
		text := ty.Format(v)
		if text[0] == '\'' {
			text = text[1 : len(text)-1]
		}
		if ty.Kind() == KindText || ty.Kind() == KindASCII {
			return // quotes are doubled
		}
		if y := ty.FormatText(v); ty.Kind() == KindTimestamp && (len(y) > 24 || y[0] == '-') {
			return // years that the text form has no room for
		}
		got, err := ty.ParseText(text)
		if err != nil || ty.Compare(got, v) != 0 {
			if ty.Kind() == KindInet && len(v) == 16 {
				return
			}
			t.Fatalf("%s: %x prints as %s, which is %x, %v", ty, v, text, got, err)
		}
	})
}

func TestFormatCompound(t *testing.T) {
	one, a := []byte{0, 0, 0, 1}, []byte("it's")
	for _, c := range []struct {
		ty   *Type
		want string
	}{
		{ListOf(TypeInt, false), "[1]"},
		{SetOf(TypeInt, true), "{1}"},
		{MapOf(TypeInt, TypeText, false), "{1: 'it''s'}"},
		{TupleOf(TypeInt, TypeText, TypeInt), "(1, 'it''s', null)"},
		{UDTOf("k", "u", []string{"a", "B"}, []*Type{TypeInt, TypeText}, true), `{a: 1, "B": 'it''s'}`},
		{VectorOf(TypeText, 1), "['it''s']"},
	} {
		elems := [][]byte{one, a}[:len(c.ty.Elems())%3]
		if len(c.ty.Elems()) == 3 {
			elems = [][]byte{one, a}
		}
		if c.ty.Kind() == KindVector {
			elems = [][]byte{a}
		}
		v := c.ty.AppendElements(nil, elems)
		if got := c.ty.Format(v); got != c.want {
			t.Errorf("%s: %s, want %s", c.ty, got, c.want)
		}
	}
	if got := TypeInt.Format(nil); got != "null" {
		t.Error(got)
	}
}

func TestVint(t *testing.T) {
	for _, c := range []struct {
		v   uint64
		hex string
	}{{0, "00"}, {127, "7f"}, {128, "8080"}, {16383, "bfff"}, {16384, "c04000"}, {1<<63 + 1, "ff8000000000000001"}, {1<<56 - 1, "feffffffffffffff"}} {
		p := appendVint(nil, c.v)
		if got := hex.EncodeToString(p); got != c.hex {
			t.Errorf("%d: %s, want %s", c.v, got, c.hex)
		}
		if v, n := readVint(p); v != c.v || n != len(p) {
			t.Errorf("%s: %d of %d bytes", c.hex, v, n)
		}
	}
}

func TestPartitionKey(t *testing.T) {
	one := &Table{Keyspace: "k", Name: "t", PartitionKey: []*Column{{}}}
	two := &Table{Keyspace: "k", Name: "t", PartitionKey: []*Column{{}, {}}}
	for _, c := range []struct {
		t     *Table
		parts [][]byte
		hex   string
	}{{one, [][]byte{{1, 2}}, "0102"}, {two, [][]byte{{1, 2}, {}}, "0002010200000000"}} {
		key, err := AppendPartitionKey(nil, c.parts)
		if err != nil || hex.EncodeToString(key) != c.hex {
			t.Errorf("%x, %v, want %s", key, err, c.hex)
		}
		got, err := SplitPartitionKey(c.t, key)
		if err != nil || len(got) != len(c.parts) || !bytes.Equal(got[0], c.parts[0]) {
			t.Errorf("%x splits to %x, %v", key, got, err)
		}
	}
	if _, err := AppendPartitionKey(nil, [][]byte{make([]byte, 65536)}); errText(err) != "Key length of 65536 is longer than maximum of 65535" {
		t.Error(err)
	}
	for n := range 7 {
		if _, err := SplitPartitionKey(two, []byte{0, 2, 1, 2, 0, 0, 0, 0}[:n]); err == nil {
			t.Errorf("key of %d bytes splits", n)
		}
	}
}

func FuzzValidate(f *testing.F) {
	types := []string{"text", "inet", "duration", "frozen<list<text>>", "frozen<map<int, frozen<set<text>>>>", "frozen<tuple<int, text>>", "vector<text, 3>", "decimal"}
	for i := range types {
		f.Add(uint8(i), []byte{0, 0, 0, 1, 0, 0, 0, 1, 'a'})
	}
	f.Fuzz(func(t *testing.T, i uint8, v []byte) {
		ty, _ := ParseType(types[int(i)%len(types)])
		if ty.Validate(v) != nil {
			return
		}
		ty.Format(v)
		if ty.Compare(v, v) != 0 {
			t.Fatalf("%s: %x differs from itself", ty, v)
		}
	})
}

func FuzzParseText(f *testing.F) {
	for _, s := range []string{"2024-02-03 04:05:06.7+01:00", "1h30m", "P1Y2M", "1e5", "1:2:3", "0xab", "::1"} {
		for i := range len(natives) {
			f.Add(uint8(i), s)
		}
	}
	names := sortedKeys(natives)
	f.Fuzz(func(t *testing.T, i uint8, s string) {
		ty := natives[names[int(i)%len(names)]]
		if v, err := ty.ParseText(s); err == nil && ty.Validate(v) != nil {
			t.Fatalf("%s: %q parses to the invalid %x", ty, s, v)
		}
	})
}
