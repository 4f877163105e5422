package plan

import (
	"encoding/json"
	"testing"

	"github.com/ilion-db/ilion/schema"
)

var jsonTypes = []string{
	"ascii", "bigint", "blob", "boolean", "date", "decimal", "double", "duration", "float", "inet", "int", "smallint", "text", "time",
	"timestamp", "timeuuid", "tinyint", "uuid", "varint",
	"list<frozen<list<varint>>>", "set<decimal>", "map<text, frozen<map<int, text>>>", "map<frozen<list<text>>, inet>",
	"tuple<int, text, blob>", "vector<float, 2>", "frozen<map<frozen<tuple<int, text>>, duration>>", "map<boolean, varint>", "map<blob, double>",
}

// FuzzJSON prints any valid value as JSON, which is JSON, and reads any JSON
// as any type, which gives a valid value: one that is printed and read again
// is itself.
func FuzzJSON(f *testing.F) {
	for i := range jsonTypes {
		f.Add(byte(i), []byte{0, 0, 0, 1, 0, 0, 0, 1, 'a'}, `[1, 2.5, "a", null, {"k": "v"}]`)
		f.Add(byte(i), []byte{}, `{"1": {"2": "x"}, "[\"a\"]": "::1"}`)
		f.Add(byte(i), []byte{0, 0, 0, 0, 0, 0, 0, 0}, `"2024-02-03"`)
		f.Add(byte(i), []byte("<&\u2028>"), `true`)
		f.Add(byte(i), []byte{}, `""`)
		f.Add(byte(i), []byte{}, `["", 1]`)
	}
	f.Fuzz(func(t *testing.T, which byte, v []byte, text string) {
		typ, err := schema.ParseType(jsonTypes[int(which)%len(jsonTypes)])
		if err != nil {
			t.Fatal(err)
		}
		if v != nil && typ.Validate(v) == nil {
			if out := appendJSON(nil, typ, v); !json.Valid(out) {
				t.Fatalf("%s: %x prints as %s", typ, v, out)
			}
		}
		doc, err := decodeJSON([]byte(text))
		if err != nil {
			return
		}
		got, err := fromJSON(typ, doc)
		if err != nil || got == nil {
			return
		}
		if err := typ.Validate(got); err != nil && len(got) < typ.FixedLen() {
			return // "" for a type that has no empty value, or in a vector
		} else if err != nil {
			t.Fatalf("%s: %s is read as the invalid %x: %v", typ, text, got, err)
		}
		out := appendJSON(nil, typ, got)
		doc, err = decodeJSON(out)
		if err != nil {
			t.Fatalf("%s: %s is %x and prints as %s: %v", typ, text, got, out, err)
		}
		if again, err := fromJSON(typ, doc); err == nil && again != nil && typ.Compare(again, got) != 0 {
			t.Fatalf("%s: %s is %x, prints as %s, and is %x then", typ, text, got, out, again)
		}
	})
}
