package plan_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/ilion-db/ilion/cql/plan"
	"github.com/ilion-db/ilion/mutation"
)

// TestSpanIsTheGeneralSlice compares what a range of one column is bound to with
// what it would be the general way, for all kinds of ends, orders and values.
func TestSpanIsTheGeneralSlice(t *testing.T) {
	w := newWorld(t)
	if err := w.change("CREATE TABLE spans (k int, a int, b int, c text, PRIMARY KEY (k, a, b, c)) WITH CLUSTERING ORDER BY (a ASC, b DESC, c ASC)"); err != nil {
		t.Fatal(err)
	}
	var ends []string
	for _, lo := range []string{"", " > ?", " >= ?"} {
		for _, hi := range []string{"", " < ?", " <= ?"} {
			ends = append(ends, lo+"|"+hi)
		}
	}
	number := func(n int) plan.Value { return plan.Value{Bytes: binary.BigEndian.AppendUint32(nil, uint32(n))} }
	q := plan.NewQuery(w.env)
	compared, empty := 0, 0
	for _, prefix := range []struct {
		text, column string
		values       []plan.Value
	}{
		{"", "a", nil},
		{" AND a = ?", "b", []plan.Value{number(5)}},
		{" AND a = ? AND b = ?", "c", []plan.Value{number(-5), number(5)}},
	} {
		for _, end := range ends {
			lo, hi, _ := bytes.Cut([]byte(end), []byte("|"))
			text := "SELECT * FROM spans WHERE k = ?" + prefix.text
			for _, e := range [][]byte{lo, hi} {
				if len(e) > 0 {
					text += " AND " + prefix.column + string(e)
				}
			}
			if len(lo)+len(hi) == 0 {
				continue
			}
			p, err := w.compile(text)
			if err != nil {
				t.Fatal(text, err)
			}
			for _, pair := range [][2]int{{1, 3}, {3, 1}, {2, 2}, {-1, 1}, {0, 0}} {
				values := append([]plan.Value{number(1)}, prefix.values...)
				for i, e := range [][]byte{lo, hi} {
					switch {
					case len(e) == 0:
					case prefix.column == "c":
						values = append(values, plan.Value{Bytes: bytes.Repeat([]byte{0}, max(0, pair[i]))})
					default:
						values = append(values, number(pair[i]))
					}
				}
				if err := p.Select.Bind(q, values, &plan.Options{Clock: 5_000_000}); err != nil {
					t.Fatal(text, err)
				}
				want, err := p.Select.Slices(q)
				if err != nil {
					t.Fatal(text, err)
				}
				got := q.Command.Slices
				if q.Empty != (len(want) == 0) || len(got) != len(want) || len(want) == 1 && !equalSlices(got[0], want[0]) {
					t.Errorf("%s with %v: %x, empty %v, in general %x", text, pair, got, q.Empty, want)
				}
				compared++
				if q.Empty {
					empty++
				}
			}
			// What is not there is refused the same way.
			for i := 1; i < 1+len(prefix.values)+1; i++ {
				values := append([]plan.Value{number(1)}, prefix.values...)
				for range len(bytes.Fields(append(append([]byte{}, lo...), hi...))) / 2 {
					values = append(values, number(1))
				}
				values[i] = plan.Value{}
				err := p.Select.Bind(q, values, &plan.Options{Clock: 5_000_000})
				_, want := p.Select.Slices(q)
				if err == nil || want == nil || err.Error() != want.Error() {
					t.Errorf("%s without value %d: %v, in general %v", text, i, err, want)
				}
			}
		}
	}
	if compared < 100 || empty < 10 || empty > compared/2 {
		t.Errorf("%d compared, %d of them empty", compared, empty)
	}
}

func equalSlices(a, b mutation.Slice) bool { return bytes.Equal(a.Lo, b.Lo) && bytes.Equal(a.Hi, b.Hi) }

func TestSpanAllocatesNothing(t *testing.T) {
	w := newWorld(t)
	p, err := w.compile("SELECT * FROM t WHERE k = ? AND c1 = ? AND c2 >= ?")
	if err != nil {
		t.Fatal(err)
	}
	q, o := plan.NewQuery(w.env), &plan.Options{Clock: 5_000_000}
	values := []plan.Value{{Bytes: []byte{0, 0, 0, 1}}, {Bytes: []byte{0, 0, 0, 1}}, {Bytes: []byte("some text")}}
	if n := testing.AllocsPerRun(100, func() {
		if err := p.Select.Bind(q, values, o); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
