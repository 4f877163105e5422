package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/cql/plan"
	"github.com/ilion-db/ilion/schema"
)

var (
	evalTypes = []string{"ascii", "bigint", "blob", "boolean", "date", "decimal", "double", "duration", "float", "inet", "int",
		"smallint", "text", "time", "timestamp", "timeuuid", "tinyint", "uuid", "varint", "list<int>", "set<decimal>", "map<text, varint>"}
	evalCalls = []string{"abs(%s)", "round(%s)", "exp(%s)", "log(%s)", "log10(%s)", "-%s", "%s + %s", "%s - %s", "%s * %s", "%s / %s", "%s %% %s",
		"to_date(%s)", "to_timestamp(%s)", "to_unix_timestamp(%s)", "min_timeuuid(%s)", "max_timeuuid(%s)", "to_json(%s)", "token(%s)",
		"map_keys(%s)", "map_values(%s)", "collection_count(%s)", "collection_min(%s)", "collection_max(%s)", "collection_sum(%s)",
		"collection_avg(%s)", "%s[0]", "mask_default(%s)", "%s + 2mo", "%s + 1", "1.5 * %s"}
)

// FuzzEval computes functions, casts and operators of any valid values: no
// panic, no hang, and results that are valid for their types.
func FuzzEval(f *testing.F) {
	n := len(evalCalls) + 2*len(evalTypes)
	for i := range len(evalTypes) {
		for j := range n {
			f.Add(byte(i), byte(j), []byte{0, 0, 1, 0x8d, 0x40, 0x20, 0x11, 0xb2, 0x80, 0, 0, 0, 0, 0, 0, 1}, []byte{0x7f, 0, 0, 3, 9})
		}
	}
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, i, j byte, x, y []byte) {
		typ := evalTypes[int(i)%len(evalTypes)]
		arg := "(" + typ + ")?"
		var call string
		switch k := int(j) % n; {
		case k < len(evalCalls):
			call = strings.ReplaceAll(fmt.Sprintf(strings.ReplaceAll(evalCalls[k], "%s", "%[1]s"), arg), "%!(EXTRA", "")
		case k < len(evalCalls)+len(evalTypes):
			call = "CAST(" + arg + " AS " + evalTypes[k-len(evalCalls)] + ")"
		default:
			call = "blob_as_" + evalTypes[k-len(evalCalls)-len(evalTypes)] + "((blob)?)"
		}
		p, err := w.compile("SELECT " + call + " FROM p WHERE a = 1 AND b = 'x'")
		if err != nil {
			return
		}
		width, err := schema.ParseType(typ)
		if err != nil {
			t.Fatal(err)
		}
		values := make([]plan.Value, len(p.Bind.Columns()))
		for i, v := range [][]byte{x, y}[:min(2, len(values))] {
			if n := width.FixedLen(); n > 0 && len(v) > 0 {
				v = append(append([]byte{}, v...), make([]byte, n)...)[:n]
			}
			values[i].Bytes = v
		}
		q := plan.NewQuery(w.env)
		if p.Select.Bind(q, values, &plan.Options{Clock: 1_700_000_000_000_000, Datacenters: []string{"dc1"}}) != nil {
			return
		}
		for _, e := range p.Select.Columns {
			if e.Kind != plan.ExprConst && e.Kind != plan.ExprTerm && e.Kind != plan.ExprCall {
				continue
			}
			out, err := e.Eval(q, nil)
			if err == nil && out != nil {
				if err := e.Type.Validate(out); err != nil {
					t.Fatalf("%s of %x and %x is %x: %v", call, x, y, out, err)
				}
			}
		}
	})
}
