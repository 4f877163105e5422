package mutation_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/mutation/mutationtest"
)

// split deals the records out to n models, some of them twice.
func split(g *mutationtest.Gen, records []mutation.Record, n int) []*mutationtest.Model {
	models := make([]*mutationtest.Model, n)
	for i := range models {
		models[i] = mutationtest.NewModel()
	}
	for _, r := range records {
		models[g.R.IntN(n)].Apply(r)
		if g.R.IntN(3) == 0 {
			models[g.R.IntN(n)].Apply(r)
		}
	}
	return models
}

func sources(models []*mutationtest.Model, reverse bool) []mutation.Source {
	all := make([]mutation.Source, len(models))
	for i, m := range models {
		all[i] = m.Source(reverse)
	}
	return all
}

func TestMergeAgainstModel(t *testing.T) {
	var m mutation.Merge
	for seed := range uint64(3000) {
		g := mutationtest.NewGen(seed)
		records := g.Records(1 + g.R.IntN(30))
		models := split(g, records, g.R.IntN(9)+1)
		for _, reverse := range []bool{false, true} {
			want := mutationtest.Dump(mutationtest.NewModel(records...).Source(reverse))
			m.Init(sources(models, reverse), reverse)
			if got := mutationtest.Dump(&m); got != want {
				t.Fatalf("seed %d reverse %v: got\n%swant\n%s", seed, reverse, got, want)
			}
			m.Close()
		}
	}
}

func TestMergeSeek(t *testing.T) {
	var m mutation.Merge
	for seed := range uint64(1500) {
		g := mutationtest.NewGen(seed)
		records := g.Records(1 + g.R.IntN(30))
		models := split(g, records, g.R.IntN(4)+1)
		for _, reverse := range []bool{false, true} {
			want := mutationtest.NewModel(records...).Source(reverse)
			m.Init(sources(models, reverse), reverse)
			for want.NextPartition() {
				if !m.NextPartition() {
					t.Fatal("a partition is missing")
				}
				at := 0
				for range g.R.IntN(3) {
					at += g.R.IntN(5)
					row := at
					if reverse {
						row = 8 - at
					}
					bound := mutationtest.BoundOf(max(row, 0), g.R.IntN(2) == 0)
					want.Seek(bound)
					m.Seek(bound)
					if m.Open() != want.Open() {
						t.Fatalf("seed %d: open %v, want %v", seed, m.Open(), want.Open())
					}
					if g.R.IntN(2) == 0 && want.Next() && !m.Next() {
						t.Fatalf("seed %d: no item", seed)
					}
				}
				if g.R.IntN(4) == 0 {
					continue // leaves the rest of the partition behind
				}
				if got, want := mutationtest.DumpItems(&m), mutationtest.DumpItems(want); got != want {
					t.Fatalf("seed %d reverse %v: got\n%swant\n%s", seed, reverse, got, want)
				}
			}
			if m.NextPartition() {
				t.Fatal("a partition too many")
			}
		}
	}
}

func TestMergePassesErrors(t *testing.T) {
	fault := errors.New("fault")
	for steps := range 60 {
		g := mutationtest.NewGen(uint64(steps))
		models := split(g, g.Records(30), 3)
		all := sources(models, false)
		bad := all[1].(*mutationtest.Source)
		bad.Fail, bad.Steps = fault, steps
		var m mutation.Merge
		m.Init(all, false)
		mutationtest.Dump(&m)
		if bad.Err() != nil && !errors.Is(m.Err(), fault) {
			t.Fatalf("after %d steps: %v", steps, m.Err())
		}
		if m.Err() != nil && (m.Next() || m.NextPartition()) {
			t.Fatal("goes on after an error")
		}
		m.Close()
		if !bad.Closed {
			t.Fatal("input not closed")
		}
	}
}

func TestMergePassesBytesThrough(t *testing.T) {
	g := mutationtest.NewGen(1)
	a := mutationtest.NewModel(g.Records(20)...).Source(false)
	var m mutation.Merge
	m.Init([]mutation.Source{a, mutationtest.NewModel().Source(false)}, false)
	for m.NextPartition() {
		for m.Next() {
			if m.Item().Kind == mutation.ItemRow && &m.Item().Row[0] != &a.Item().Row[0] {
				t.Fatal("a row of one source was copied")
			}
		}
	}
}

func TestMergeOfNothing(t *testing.T) {
	var m mutation.Merge
	m.Init(nil, false)
	if m.NextPartition() || m.Next() || m.Err() != nil {
		t.Fatal("something came of nothing")
	}
	m.Seek([]byte("x"))
	m.Close()
}

func TestAllocations(t *testing.T) {
	g := mutationtest.NewGen(3)
	models := split(g, g.Records(60), 2)
	a, b := models[0].Source(false), models[1].Source(false)
	in := []mutation.Source{a, b}
	var m mutation.Merge
	var row mutation.RowReader
	check := func(name string, f func()) {
		t.Helper()
		f()
		if n := testing.AllocsPerRun(20, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	bound := mutationtest.BoundOf(1, false)
	check("Merge", func() {
		a.Rewind()
		b.Rewind()
		m.Init(in, false)
		for m.NextPartition() {
			m.Seek(bound)
			for m.Next() {
				if m.Item().Kind == mutation.ItemRow {
					if row.Init(m.Item().Row) != nil {
						t.Fatal(row.Err())
					}
					for row.NextCell() {
					}
				}
			}
		}
	})
	var builder mutation.Builder
	buf := make([]byte, 0, 4096)
	value, clustering := make([]byte, 200), []byte("clustering")
	check("Builder", func() {
		builder.Begin(buf, mutation.Header{Key: clustering})
		builder.BeginRow(clustering)
		builder.Marker(mutation.Marker{Timestamp: 2, Set: true})
		for i := range 4 {
			builder.Cell(mutation.Cell{Column: 9 - 2, Timestamp: int64(i), Value: value})
		}
		builder.EndRow()
		builder.DeleteRange(clustering, nil, mutation.Deletion{Timestamp: 1, Set: true})
		buf = builder.Finish()
	})
	var d mutation.Digest
	rowBytes := rowOf(mutation.Marker{Timestamp: 2, Set: true}, mutation.Deletion{}, mutation.Cell{Column: 1, Value: value})
	check("Digest", func() {
		d.Reset(1, nil)
		d.Partition(&mutation.Partition{Key: clustering})
		if d.Row(clustering, rowBytes) != nil {
			t.Fatal("digest")
		}
	})
	p := mutation.Purger{Now: 100, GCBefore: 100, MaxTimestamp: 100}
	dead := rowOf(mutation.Marker{Timestamp: 2, Set: true}, mutation.Deletion{},
		mutation.Cell{Column: 1, Timestamp: 1, Flags: mutation.CellTombstone, LocalTime: 1})
	check("Purger", func() {
		out, err := p.Row(buf, dead)
		if err != nil || len(out) == len(dead) {
			t.Fatal("purge")
		}
	})
}

func BenchmarkMerge(b *testing.B) {
	for _, n := range []int{1, 2, 8, 32} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			g := mutationtest.NewGen(1)
			g.NoDeletions, g.Rows = true, 20000
			models := split(g, g.Records(20000), n)
			all := sources(models, false)
			var m mutation.Merge
			rows := 0
			for b.Loop() {
				for _, s := range all {
					s.(*mutationtest.Source).Rewind()
				}
				m.Init(all, false)
				rows = 0
				for m.NextPartition() {
					for m.Next() {
						rows++
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(rows), "ns/row")
		})
	}
}
