package memtable

import (
	"testing"

	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/mutation/mutationtest"
)

// FuzzPut puts hostile bytes between good records: they are refused whole, or
// applied as the model does if they are canonical.
func FuzzPut(f *testing.F) {
	g := mutationtest.NewGen(9)
	for range 30 {
		f.Add([]byte(g.Record()))
	}
	var b mutation.Builder // an empty path is not none
	b.Begin(nil, mutation.Header{Token: -5, Key: []byte("a")})
	b.BeginRow(mutationtest.Clustering(1))
	b.Cell(mutation.Cell{Column: 3, Timestamp: 5, Value: []byte("x")})
	b.Cell(mutation.Cell{Column: 3, Timestamp: 6, Flags: mutation.CellPath, Path: []byte{}, Value: []byte("y")})
	b.EndRow()
	f.Add([]byte(b.Finish()))
	good := g.Records(3)
	f.Fuzz(func(t *testing.T, p []byte) {
		m := newTest(t)
		model := mutationtest.NewModel(good...)
		r := mutation.Record(p)
		valid := r.Check() == nil
		for i, x := range append([]mutation.Record{good[0], r, r}, good...) {
			before := ""
			if i == 1 {
				before = dump(m, false)
			}
			if err := m.Put(x, nil); err == nil || i != 1 {
				continue
			}
			if valid {
				t.Fatal("a good record was refused")
			}
			if dump(m, false) != before {
				t.Fatal("a refused record left something")
			}
		}
		if !valid {
			for _, reverse := range []bool{false, true} {
				dump(m, reverse) // whatever it yields, it ends
			}
			return
		}
		model.Apply(r)
		for _, reverse := range []bool{false, true} {
			if got, want := mergedIter(m, reverse), merged(model.Source(reverse), reverse); got != want {
				t.Fatalf("reverse %v: got\n%swant\n%s", reverse, got, want)
			}
		}
	})
}
