package coordinator

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cluster/clustertest"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/wire"
)

// heldStore begins to truncate only when it is let.
type heldStore struct {
	*clustertest.Store
	begun, let chan struct{}
	fail       error
}

func (s *heldStore) Truncate(ctx context.Context, id schema.TableID, epoch uint64, at int64) error {
	s.begun <- struct{}{}
	<-s.let
	if s.fail != nil {
		return s.fail
	}
	return s.Store.Truncate(ctx, id, epoch, at)
}

func heldFixture(t *testing.T) (*fixture, *heldStore) {
	s := &heldStore{begun: make(chan struct{}, 1), let: make(chan struct{}, 1)}
	f := bareFixture(t, func(c *Config) {
		s.Store = c.Replica.(*clustertest.Store)
		c.Replica = s
	}, memberAt(0, "dc1", "r1"), memberAt(1, "dc1", "r1"))
	f.create(simple("2"))
	return f, s
}

func TestWritesWaitWhileATableIsTruncated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := heldFixture(t)
		if err := f.write(ring.All, f.row(f.key, 1)); err != nil {
			t.Fatal(err)
		}
		old, next := f.asks(f.row(f.key, 1)), f.asks(f.row(f.key, 2))
		go func() {
			if _, err := f.all.change(truncation()); err != nil {
				t.Error(err)
			}
		}()
		<-s.begun
		next.epoch = f.all.state.Epoch
		f.serve(old)
		f.serve(next)
		o := newOutcome()
		if err := f.start(ring.All, o, f.row(f.key, 3)); !errors.Is(err, mutation.ErrWouldBlock) {
			t.Errorf("a try while the table is being truncated: %v", err)
		}
		if err := f.start(ring.All, o, f.row(f.key, 3), f.row(f.key, 4)); !errors.Is(err, mutation.ErrWouldBlock) {
			t.Errorf("a batch: %v", err)
		}
		written := make(chan error, 2)
		go func() { written <- f.write(ring.All, f.row(f.key, 3)) }()
		go func() { written <- f.write(ring.All, f.row(f.key, 4), f.row(f.key, 5)) }()
		synctest.Wait()
		if old.answered() || next.answered() || len(written) > 0 {
			t.Fatal("written while the table is being truncated")
		}
		before := f.store.Applied()
		close(s.let)
		if err := errors.Join(<-written, <-written); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := old.code(t); got == 0 {
			t.Error("what was planned before the truncation was applied after it")
		}
		if got := next.code(t); got != 0 {
			t.Errorf("what was planned after the truncation: %v", got)
		}
		if got := f.store.Applied() - before; got != 4 {
			t.Errorf("%d records after the truncation", got)
		}
		f.settle()
	})
}

func TestTruncateWaitsForWritesUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := heldFixture(t)
		applying := make(chan struct{})
		f.store.BeforeApply = func([]mutation.Record, bool) error {
			<-applying
			return nil
		}
		a := f.asks(f.row(f.key, 1))
		go f.serve(a)
		synctest.Wait()
		go f.all.change(truncation())
		synctest.Wait()
		if len(s.begun) > 0 {
			t.Fatal("truncated while a write that was planned before is under way")
		}
		close(applying)
		<-s.begun
		if !a.answered() {
			t.Error("the write was not over")
		}
		close(s.let)
		synctest.Wait()
	})
}

func TestStoreThatCannotTruncate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := heldFixture(t)
		s.fail = errors.New("no disk")
		close(s.let)
		before := f.Schema()
		ctx := context.Background()
		if _, err := f.Propose(ctx, truncation(), nil); !errors.Is(err, s.fail) {
			t.Fatal(err)
		}
		if f.Schema() != before {
			t.Error("the change is shown")
		}
		if err := f.write(ring.All, f.row(f.key, 1)); err != nil {
			t.Errorf("a write by the schema before: %v", err)
		}
		s.fail = nil
		<-s.begun
		if err := f.Follow(f.all.state, nil); err != nil || f.Epoch() != f.all.state.Epoch {
			t.Fatal(err)
		}
	})
}

// A crash may come between a TRUNCATE in the log and in the store.
func TestStartTruncatesWhatWasTruncated(t *testing.T) {
	all := newAgreed(memberAt(0, "dc1", "r1"))
	for _, c := range []schema.Change{
		{Kind: schema.CreateKeyspace, Keyspace: &schema.Keyspace{Name: clustertest.Keyspace, Replication: simple("1")}},
		{Kind: schema.CreateTable, Table: clustertest.Table("t", 1)},
		truncation(),
	} {
		if _, err := all.change(c); err != nil {
			t.Fatal(err)
		}
	}
	truncated, store := 0, &clustertest.Store{}
	if err := store.ApplySchema(all.state.Schema); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		f := bareFixture(t, func(c *Config) {
			c.Metadata = all.log()
			c.Replica = countingStore{store, &truncated}
		}, memberAt(0, "dc1", "r1"))
		if truncated != 1 || f.Epoch() != all.state.Epoch {
			t.Errorf("truncated %d times", truncated)
		}
	}
}

type countingStore struct {
	cluster.Replica
	n *int
}

func (s countingStore) Truncate(ctx context.Context, id schema.TableID, epoch uint64, at int64) error {
	*s.n++
	return s.Replica.Truncate(ctx, id, epoch, at)
}

func TestSubscribersHearInOrder(t *testing.T) {
	f := holder(t)
	var heard []string
	cancel := f.Subscribe(func(s *schema.Snapshot, c schema.Change) {
		if f.Schema() != s {
			t.Error("told before it is in force")
		}
		heard = append(heard, c.Table.Name)
	})
	for i, name := range []string{"a", "b", "c"} {
		if i == 2 {
			cancel()
		}
		if _, err := f.all.change(schema.Change{Kind: schema.CreateTable, Table: clustertest.Table(name, byte(10+i))}); err != nil {
			t.Fatal(err)
		}
	}
	if len(heard) != 2 || heard[0] != "a" || heard[1] != "b" {
		t.Errorf("heard %v", heard)
	}
}

// What a read has found before a TRUNCATE is not brought back after it.
func TestRepairOfWhatWasTruncated(t *testing.T) {
	f := holder(t)
	r := f.row(f.key, 1)
	r.SetEpoch(f.Epoch())
	o := newOutcome()
	if err := f.Repair(context.Background(), r, o); err != nil {
		t.Fatal(err)
	}
	if err := <-o.ch; err != nil || f.store.Applied() != 1 {
		t.Fatalf("%v, %d records", err, f.store.Applied())
	}
	epoch, err := f.all.change(truncation())
	if err != nil {
		t.Fatal(err)
	}
	var e *wire.Error
	if err := f.Repair(context.Background(), r, o); !errors.As(err, &e) || e.Code != wire.CodeStale || e.Epoch != epoch {
		t.Errorf("%v", err)
	}
	if f.store.Applied() != 1 || o.calls.Load() != 1 {
		t.Error("what was truncated came back")
	}
}
