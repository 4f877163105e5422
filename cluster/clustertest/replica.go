package clustertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/mutation/mutationtest"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// Replica tests a cluster.Replica. open makes an empty one that knows no table
// and ends it when the test does.
func Replica(t *testing.T, open func(t *testing.T) cluster.Replica) {
	for name, test := range map[string]func(*testing.T, cluster.Replica){
		"reads what was written": replicaModel,
		"keys and ranges":        replicaKeys,
		"groups":                 replicaGroups,
		"unknown tables":         replicaUnknown,
		"truncate":               replicaTruncate,
		"many writers":           replicaWriters,
		"tries":                  replicaTries,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func write(t *testing.T, r cluster.Replica, records ...mutation.Record) {
	t.Helper()
	done := newAwait()
	if err := r.Apply(context.Background(), records, len(records) > 1, done); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func dump(t *testing.T, r cluster.Replica, cmd *mutation.ReadCommand) string {
	t.Helper()
	src, err := r.Read(context.Background(), cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	return mutationtest.Dump(src)
}

func stamped(g *mutationtest.Gen, table schema.TableID) mutation.Record {
	r := g.Record()
	copy(r[4:20], table[:]) // where a record names its table
	return r
}

func replicaModel(t *testing.T, r cluster.Replica) {
	s := tables(t, r.ApplySchema, "t")
	id := s.Table(Keyspace, "t").ID
	for seed := range uint64(20) {
		keys := []mutation.Key{
			{Token: ring.Token(seed), Key: []byte(fmt.Sprint("a", seed))},
			{Token: ring.Token(seed), Key: []byte(fmt.Sprint("b", seed))},
		}
		g := mutationtest.NewGen(seed)
		g.Keys = keys
		model := mutationtest.NewModel()
		for range 12 {
			rec := stamped(g, id)
			model.Apply(rec)
			write(t, r, rec)
		}
		for _, reverse := range []bool{false, true} {
			got := dump(t, r, &mutation.ReadCommand{Table: id, Keys: keys, Static: true, Reverse: reverse})
			if want := mutationtest.Dump(model.Source(reverse)); got != want {
				t.Fatalf("seed %d, reverse %t:\n%s\nwant\n%s", seed, reverse, got, want)
			}
		}
	}
}

func keysOf(n int) []mutation.Key {
	keys := make([]mutation.Key, n)
	for i := range keys {
		k := fmt.Appendf(nil, "key%d", i)
		keys[i] = mutation.Key{Token: ring.Murmur3(k), Key: k}
	}
	slices.SortFunc(keys, func(a, b mutation.Key) int {
		if a.Token < b.Token {
			return -1
		}
		return 1
	})
	return keys
}

func replicaKeys(t *testing.T, r cluster.Replica) {
	s := tables(t, r.ApplySchema, "t", "u")
	id := s.Table(Keyspace, "t").ID
	keys := keysOf(9)
	for i, k := range keys[:8] {
		write(t, r, Row(id, k, mutationtest.Clustering(i), 1, "v"))
	}
	count := func(cmd mutation.ReadCommand) int {
		return strings.Count(dump(t, r, &cmd), "partition ")
	}
	bound := func(i int, after bool) *mutation.PartitionBound {
		return &mutation.PartitionBound{Token: keys[i].Token, Key: keys[i].Key, After: after}
	}
	for name, c := range map[string]struct {
		cmd  mutation.ReadCommand
		want int
	}{
		"one key":       {mutation.ReadCommand{Table: id, Keys: keys[3:4]}, 1},
		"absent key":    {mutation.ReadCommand{Table: id, Keys: keys[8:]}, 0},
		"some keys":     {mutation.ReadCommand{Table: id, Keys: []mutation.Key{keys[0], keys[5], keys[8]}}, 2},
		"all":           {mutation.ReadCommand{Table: id}, 8},
		"other table":   {mutation.ReadCommand{Table: s.Table(Keyspace, "u").ID}, 0},
		"from":          {mutation.ReadCommand{Table: id, Range: mutation.PartitionRange{Start: bound(2, false)}}, 6},
		"behind":        {mutation.ReadCommand{Table: id, Range: mutation.PartitionRange{Start: bound(2, true)}}, 5},
		"up to":         {mutation.ReadCommand{Table: id, Range: mutation.PartitionRange{End: bound(2, true)}}, 3},
		"between":       {mutation.ReadCommand{Table: id, Range: mutation.PartitionRange{Start: bound(1, true), End: bound(4, false)}}, 2},
		"reverse range": {mutation.ReadCommand{Table: id, Reverse: true}, 8},
	} {
		if got := count(c.cmd); got != c.want {
			t.Errorf("%s: %d partitions, want %d", name, got, c.want)
		}
	}
}

func replicaGroups(t *testing.T, r cluster.Replica) {
	s := tables(t, r.ApplySchema, "t", "u")
	a, b := s.Table(Keyspace, "t").ID, s.Table(Keyspace, "u").ID
	keys := keysOf(2)
	c := mutationtest.Clustering(0)
	write(t, r, Row(a, keys[0], c, 1, "x"), Row(b, keys[0], c, 1, "y"), Row(a, keys[1], c, 1, "z"))
	for _, want := range []struct {
		id    schema.TableID
		key   int
		value string
	}{{a, 0, "x"}, {b, 0, "y"}, {a, 1, "z"}} {
		got := dump(t, r, &mutation.ReadCommand{Table: want.id, Keys: keys[want.key : want.key+1]})
		if !strings.Contains(got, fmt.Sprintf("=%q", want.value)) {
			t.Errorf("%s is missing: %s", want.value, got)
		}
	}
}

func replicaUnknown(t *testing.T, r cluster.Replica) {
	tables(t, r.ApplySchema, "t")
	done := newAwait()
	bad := Row(schema.TableID{99}, keysOf(1)[0], mutationtest.Clustering(0), 1, "v")
	if err := r.Apply(context.Background(), []mutation.Record{bad}, false, done); err == nil {
		t.Error("a write to an unknown table was taken")
	}
	if len(done) > 0 {
		t.Error("a write was refused and completed")
	}
	if src, err := r.Read(context.Background(), &mutation.ReadCommand{Table: schema.TableID{99}}); err == nil {
		src.Close()
		t.Error("a read of an unknown table was answered")
	}
}

func replicaTruncate(t *testing.T, r cluster.Replica) {
	s := tables(t, r.ApplySchema, "t", "u")
	a, b := s.Table(Keyspace, "t").ID, s.Table(Keyspace, "u").ID
	k, c := keysOf(1), mutationtest.Clustering(0)
	write(t, r, Row(a, k[0], c, 5, "x"))
	write(t, r, Row(b, k[0], c, 5, "y"))
	if err := r.Truncate(context.Background(), a, 9, 100); err != nil {
		t.Fatal(err)
	}
	if got := dump(t, r, &mutation.ReadCommand{Table: a}); got != "" {
		t.Errorf("after truncation:\n%s", got)
	}
	if r.Truncated(a) != 100 || r.Truncated(b) != 0 {
		t.Errorf("truncated at %d and %d", r.Truncated(a), r.Truncated(b))
	}
	if got := dump(t, r, &mutation.ReadCommand{Table: b}); got == "" {
		t.Error("another table was truncated")
	}
	write(t, r, Row(a, k[0], c, 200, "z"))
	if got := dump(t, r, &mutation.ReadCommand{Table: a, Keys: k}); !strings.Contains(got, `="z"`) {
		t.Errorf("a write after the truncation is missing: %s", got)
	}
}

func replicaWriters(t *testing.T, r cluster.Replica) {
	s := tables(t, r.ApplySchema, "t")
	id := s.Table(Keyspace, "t").ID
	const writers, each = 4, 50
	keys := keysOf(writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			done := make(await, each+1)
			for i := range each {
				rec := Row(id, keys[w], mutationtest.Clustering(i), 1, "v")
				if err := r.Apply(context.Background(), []mutation.Record{rec}, false, done); err != nil {
					t.Error(err)
					return
				}
			}
			for range each {
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
			if len(done) > 0 {
				t.Error("a write was completed twice")
			}
		})
	}
	wg.Wait()
	if got := strings.Count(dump(t, r, &mutation.ReadCommand{Table: id, Keys: keys}), "  row "); got != writers*each {
		t.Errorf("%d rows, want %d", got, writers*each)
	}
}

// replicaTries checks that a try does all or nothing.
func replicaTries(t *testing.T, r cluster.Replica) {
	s := tables(t, r.ApplySchema, "t")
	id := s.Table(Keyspace, "t").ID
	k := keysOf(1)
	done := newAwait()
	rec := Row(id, k[0], mutationtest.Clustering(0), 1, "v")
	switch err := r.TryApply([]mutation.Record{rec}, false, done); {
	case err == nil:
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	case errors.Is(err, mutation.ErrWouldBlock):
		if len(done) > 0 {
			t.Fatal("a write that would block was completed")
		}
		write(t, r, rec)
	default:
		t.Fatal(err)
	}
	cmd := &mutation.ReadCommand{Table: id, Keys: k}
	src, err := r.TryRead(cmd)
	if errors.Is(err, mutation.ErrWouldBlock) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if !src.NextPartition() {
		if !errors.Is(src.Err(), mutation.ErrWouldBlock) {
			t.Errorf("TryRead sees nothing: %v", src.Err())
		}
		return
	}
	if got := mutationtest.DumpItems(src); !strings.Contains(got, `="v"`) {
		t.Error(got)
	}
}
