package mutation_test

import (
	"testing"

	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/mutation/mutationtest"
)

// FuzzMerge merges two records, one of them of any bytes that Check accepts,
// and a third, and wants what the model has of the three, in both directions
// and in any order.
func FuzzMerge(f *testing.F) {
	for seed := range uint64(12) {
		f.Add([]byte(mutationtest.NewGen(seed).Record()), seed)
	}
	f.Fuzz(func(t *testing.T, p []byte, seed uint64) {
		a := mutation.Record(p)
		if a.Check() != nil {
			return
		}
		g := mutationtest.NewGen(seed)
		b, c := g.Record(), g.Record()
		all := mutationtest.NewModel(a, b, c)
		for _, order := range [][]mutation.Record{{a, b, c}, {c, a, b}} {
			for _, reverse := range []bool{false, true} {
				var sources []mutation.Source
				for _, r := range order {
					sources = append(sources, mutationtest.NewModel(r).Source(reverse))
				}
				var merge mutation.Merge
				merge.Init(sources, reverse)
				if got, want := mutationtest.Dump(&merge), mutationtest.Dump(all.Source(reverse)); got != want {
					t.Fatalf("reverse %v: got\n%swant\n%s", reverse, got, want)
				}
			}
		}
	})
}
