package compaction

import (
	"context"
	"errors"
	"math"
	"regexp"
	"testing"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/mutation/mutationtest"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// minTimestamps is the smallest timestamp in the sources for each partition.
func minTimestamps(t *testing.T, all []mutation.Source) map[string]int64 {
	m := make(map[string]int64)
	for _, s := range all {
		for s.NextPartition() {
			p := s.Partition()
			key := string(p.Key)
			ts, ok := m[key]
			if !ok {
				ts = math.MaxInt64
			}
			deletion := func(d mutation.Deletion) {
				if d.Set {
					ts = min(ts, d.Timestamp)
				}
			}
			row := func(b []byte) {
				var r mutation.RowReader
				if err := r.Init(b); err != nil {
					t.Fatal(err)
				}
				if r.Marker.Set {
					ts = min(ts, r.Marker.Timestamp)
				}
				deletion(r.Deletion)
				for r.NextCell() {
					ts = min(ts, r.Cell.Timestamp)
				}
			}
			deletion(p.Deletion)
			if p.Static != nil {
				row(p.Static)
			}
			for s.Next() {
				deletion(s.Item().Before)
				deletion(s.Item().After)
				if s.Item().Row != nil {
					row(s.Item().Row)
				}
			}
			m[key] = ts
		}
	}
	return m
}

func sources(models []*mutationtest.Model) []mutation.Source {
	all := make([]mutation.Source, len(models))
	for i, m := range models {
		all[i] = m.Source(false)
	}
	return all
}

func merged(all ...mutation.Source) *mutation.Merge {
	m := new(mutation.Merge)
	m.Init(all, false)
	return m
}

// TestRunKeepsWhatIsLive merges some tables of many and compares what readers
// of all tables see before and after, at every time from the merge on.
func TestRunKeepsWhatIsLive(t *testing.T) {
	purged := int64(0)
	for seed := range uint64(2000) {
		g := mutationtest.NewGen(seed)
		records := g.Records(1 + g.R.IntN(40))
		models := make([]*mutationtest.Model, 1+g.R.IntN(5))
		for i := range models {
			models[i] = mutationtest.NewModel()
		}
		for _, r := range records {
			models[g.R.IntN(len(models))].Apply(r)
		}
		k := 1 + g.R.IntN(len(models))
		inputs, others := models[:k], models[k:]
		oldest := minTimestamps(t, sources(others))
		now := 10 + g.R.Uint32N(5)*10
		var w mutationtest.Writer
		result, err := Run(context.Background(), &Job{
			Inputs: sources(inputs), Out: &w, Now: now, GCBefore: g.R.Uint32N(now + 1),
			MaxPurgeable: func(_ ring.Token, key []byte) int64 {
				if ts, ok := oldest[string(key)]; ok {
					return ts
				}
				return math.MaxInt64
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		purged += result.Purged
		for at := now; at <= 60; at += 5 {
			want := mutationtest.DumpLive(merged(sources(models)...), at)
			got := mutationtest.DumpLive(merged(append(sources(others), w.Source(false))...), at)
			if got != want {
				t.Fatalf("seed %d, merged at %d, read at %d: got\n%swant\n%s", seed, now, at, got, want)
			}
		}
	}
	if purged < 500 {
		t.Errorf("only %d deletions purged: the test tests little", purged)
	}
}

// emptyPartition matches a partition of which nothing is left.
var emptyPartition = regexp.MustCompile(`(?m)^partition -?\d+ "."\n(partition|\z)`)

// TestRunWithoutPurging must keep everything, byte for byte.
func TestRunWithoutPurging(t *testing.T) {
	for seed := range uint64(500) {
		g := mutationtest.NewGen(seed)
		records := g.Records(1 + g.R.IntN(40))
		models := make([]*mutationtest.Model, 3)
		for i := range models {
			models[i] = mutationtest.NewModel()
		}
		for _, r := range records {
			models[g.R.IntN(3)].Apply(r)
		}
		var w mutationtest.Writer
		result, err := Run(context.Background(), &Job{Inputs: sources(models), Out: &w, Now: 100, GCBefore: 100})
		if err != nil || result.Purged != 0 {
			t.Fatalf("%v, %d purged", err, result.Purged)
		}
		got, want := mutationtest.Dump(w.Source(false)), mutationtest.Dump(merged(sources(models)...))
		if want = emptyPartition.ReplaceAllString(want, "$1"); got != want {
			t.Fatalf("seed %d: got\n%swant\n%s", seed, got, want)
		}
	}
}

func TestRunPurgesEverything(t *testing.T) {
	for seed := range uint64(500) {
		g := mutationtest.NewGen(seed)
		model := mutationtest.NewModel(g.Records(30)...)
		var w mutationtest.Writer
		if _, err := Run(context.Background(), &Job{Inputs: []mutation.Source{model.Source(false)}, Out: &w,
			Now: 1000, GCBefore: 1000, Dropped: []schema.ColumnID{2},
			MaxPurgeable: func(ring.Token, []byte) int64 { return math.MaxInt64 }}); err != nil {
			t.Fatal(err)
		}
		s := w.Source(false)
		for s.NextPartition() {
			for s.Next() {
				var r mutation.RowReader
				if s.Item().Kind != mutation.ItemRow || r.Init(s.Item().Row) != nil ||
					r.HasTombstones() || r.HasExpiring() || s.Partition().Deletion.Set {
					t.Fatalf("seed %d: left %+v of %+v", seed, s.Item(), s.Partition())
				}
				for r.NextCell() {
					if r.Cell.Column == 2 {
						t.Fatal("a dropped column is left")
					}
				}
			}
		}
	}
}

func TestRunCuts(t *testing.T) {
	g := mutationtest.NewGen(1)
	g.NoDeletions = true
	for i := range 100 {
		g.Keys = append(g.Keys, mutation.Key{Token: ring.Token(uint64(i) * 0x9e3779b97f4a7c15), Key: []byte{byte(i)}})
	}
	model := mutationtest.NewModel(g.Records(1000)...)
	var w mutationtest.Writer
	yields := 0
	result, err := Run(context.Background(), &Job{
		Inputs: []mutation.Source{model.Source(false)}, Out: &w,
		Cuts:  Cuts(8, ring.MinToken, math.MaxInt64),
		Yield: func(n int) error { yields += n; return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Cut(); err != nil || w.Files != 8 {
		t.Errorf("%d files, want 8 (%v)", w.Files, err)
	}
	if result.Partitions != 100 || yields == 0 && result.BytesIn > yieldBytes {
		t.Errorf("%+v, yielded for %d bytes", result, yields)
	}
}

func TestRunStops(t *testing.T) {
	fault := errors.New("fault")
	g := mutationtest.NewGen(1)
	g.Rows, g.NoDeletions = 1000, true
	model := mutationtest.NewModel(g.Records(5000)...)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for name, c := range map[string]struct {
		ctx   context.Context
		yield func(int) error
		steps int
		want  error
	}{
		"context": {ctx, nil, math.MaxInt, context.Canceled},
		"yield":   {context.Background(), func(int) error { return fault }, math.MaxInt, fault},
		"input":   {context.Background(), nil, 100, fault},
	} {
		in := model.Source(false)
		in.Fail, in.Steps = fault, c.steps
		var w mutationtest.Writer
		_, err := Run(c.ctx, &Job{Inputs: []mutation.Source{in}, Out: &w, Yield: c.yield})
		if !errors.Is(err, c.want) || !in.Closed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRunThatPanics has the yield of a merge panic: its inputs are closed, unless
// an assertion has failed, which may have left a lock locked that Close wants.
func TestRunThatPanics(t *testing.T) {
	g := mutationtest.NewGen(1)
	g.Rows, g.NoDeletions = 1000, true
	model := mutationtest.NewModel(g.Records(5000)...)
	for _, fails := range []bool{false, true} {
		in := model.Source(false)
		yield := func(int) error {
			invariant.Check(!fails, "as told")
			panic("as told")
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("there was no panic")
				}
			}()
			var w mutationtest.Writer
			_, err := Run(context.Background(), &Job{Inputs: []mutation.Source{in}, Out: &w, Yield: yield})
			t.Error(err)
		}()
		if in.Closed == fails {
			t.Errorf("an assertion fails: %v; closed: %v", fails, in.Closed)
		}
	}
}
