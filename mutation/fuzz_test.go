package mutation_test

import (
	"bytes"
	"testing"

	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/mutation/mutationtest"
)

func FuzzRecord(f *testing.F) {
	f.Add([]byte(goldenRecord()))
	f.Add([]byte(namedRecord()))
	g := mutationtest.NewGen(1)
	for range 20 {
		f.Add([]byte(g.Record()))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		r := mutation.Record(bytes.Clone(p))
		if r.Check() != nil {
			if r.CheckHeader() == nil {
				_ = r.Restamp(1) // may fail, must not panic
			}
			return
		}
		// What Check accepts, the model and a merge read alike.
		m := mutationtest.NewModel(r)
		var merge mutation.Merge
		merge.Init([]mutation.Source{m.Source(false), mutationtest.NewModel(r).Source(false)}, false)
		if got, want := mutationtest.Dump(&merge), mutationtest.Dump(m.Source(false)); got != want {
			t.Fatalf("got\n%swant\n%s", got, want)
		}
		base := r.Timestamp()
		if err := r.Restamp(base + 1); err != nil {
			t.Fatal(err)
		}
		if err := r.Restamp(base); err != nil || !bytes.Equal(r, p) {
			t.Fatalf("re-stamped there and back: %v", err)
		}
	})
}

func FuzzRow(f *testing.F) {
	g := mutationtest.NewGen(2)
	for range 40 {
		r := g.Record()
		e := r.Entries()
		for e.Next() {
			if e.Row != nil {
				f.Add(e.Row, int64(4))
			}
		}
	}
	f.Fuzz(func(t *testing.T, row []byte, ts int64) {
		var r mutation.RowReader
		if r.Init(row) == nil {
			for r.NextCell() {
			}
		}
		var rec mutation.Reconciler
		cover := mutation.Deletion{Timestamp: ts, Set: true}
		var d mutation.Digest
		d.Reset(10, nil)
		p := mutation.Purger{Now: 10, GCBefore: 20, MaxTimestamp: ts}
		_, _ = rec.Merge(nil, cover, row, row) // hostile bytes: errors only
		_, _ = mutation.Shadow(row, cover)
		_, _ = p.Row(nil, row)
		_ = d.Row(nil, row)
		if mutation.CheckRow(row) != nil {
			return
		}
		got, err := rec.Merge(nil, mutation.Deletion{}, row, row)
		if err != nil || !bytes.Equal(got, row) {
			t.Fatalf("%v: %x became %x", err, row, got)
		}
		if got, err = rec.Merge(nil, cover, row); err != nil {
			t.Fatal(err)
		}
		left, err := mutation.Shadow(row, cover)
		if err != nil || (left == mutation.ShadowNone) != bytes.Equal(got, row) ||
			(left == mutation.ShadowAll) != (len(got) == 0) {
			t.Fatalf("shadow says %v (%v): %x became %x", left, err, row, got)
		}
		if purged, err := p.Row(nil, row); err != nil || purged != nil && mutation.CheckRow(purged) != nil {
			t.Fatalf("purge: %v %x", err, purged)
		}
	})
}
