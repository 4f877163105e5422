package coordinator

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cluster/hints"
	"github.com/ilion-db/ilion/cluster/metadata"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// pair are records of two partitions.
func (f *fixture) pair() []mutation.Record {
	other := keyAt(f.key.Token + 1<<62)
	return []mutation.Record{f.stampedRow(f.key, 1), f.stampedRow(other, 1)}
}

// batch writes a logged batch.
func (f *fixture) batch(level ring.ConsistencyLevel, records ...mutation.Record) error {
	f.t.Helper()
	o := newOutcome()
	w := &cluster.Write{Records: records, Atomic: true, Consistency: level, Done: o}
	if err := f.Write(context.Background(), w); err != nil {
		return err
	}
	err := <-o.ch
	if o.calls.Load() != 1 {
		f.t.Error("a batch was completed twice")
	}
	return err
}

// ops are the operations that a peer was sent.
func (p *peer) ops() (out []wire.Op) {
	for _, m := range p.messages() {
		out = append(out, m.Op)
	}
	return out
}

func TestLoggedBatchIsKeptFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		members := []metadata.Member{memberAt(0, "dc1", "a"), memberAt(1, "dc1", "a"), memberAt(2, "dc1", "b"), memberAt(3, "dc1", "c"), memberAt(4, "dc2", "d")}
		f := newFixture(t, simple("5"), members...)
		if err := f.batch(ring.All, f.pair()...); err != nil {
			t.Fatal(err)
		}
		f.settle()
		for i, want := range map[int][]wire.Op{
			1: {wire.OpApply, wire.OpApply},
			2: {wire.OpBatchStore, wire.OpApply, wire.OpApply, wire.OpBatchDone},
			3: {wire.OpBatchStore, wire.OpApply, wire.OpApply, wire.OpBatchDone},
			4: {wire.OpApply, wire.OpApply},
		} {
			p := f.peers[hostID(i)]
			if got := p.ops(); !slices.Equal(got, want) {
				t.Errorf("node %d got %v, want %v", i, got, want)
			}
			for _, m := range p.messages() {
				if m.Op == wire.OpApply && !m.apply.Atomic {
					t.Error("a partition of a batch would be stamped again")
				}
			}
		}
		var kept wire.BatchStore
		if err := kept.Decode(f.peers[hostID(2)].messages()[0].Body); err != nil || len(kept.Records) != 2 || kept.Created == 0 {
			t.Errorf("%v %+v", err, kept)
		}
		if f.store.Applied() != 2 {
			t.Errorf("%d records here", f.store.Applied())
		}
	})
}

func TestBatches(t *testing.T) {
	three := []metadata.Member{memberAt(0, "dc1", "a"), memberAt(1, "dc1", "b"), memberAt(2, "dc1", "c")}
	for name, c := range map[string]struct {
		members []metadata.Member
		rf      string
		spoil   func(f *fixture)
		level   ring.ConsistencyLevel
		want    answer
		kind    native.WriteType
	}{
		"one node":              {three[:1], "1", nil, ring.One, answer{code: success}, ""},
		"alone":                 {three, "2", func(f *fixture) { f.peers[hostID(1)].set(dead); f.peers[hostID(2)].set(dead) }, ring.Any, answer{code: success}, ""},
		"one keeper":            {three, "3", func(f *fixture) { f.peers[hostID(1)].set(dead) }, ring.Quorum, answer{code: success}, ""},
		"unavailable":           {three, "3", func(f *fixture) { f.peers[hostID(1)].set(dead) }, ring.All, answer{native.CodeUnavailable, 2, 3}, ""},
		"a keeper is slow":      {three, "3", func(f *fixture) { f.peers[hostID(1)].set(slow) }, ring.One, answer{native.CodeWriteTimeout, 1, 2}, native.WriteBatchLog},
		"a replica is slow":     {three, "3", func(f *fixture) { f.after(1, slow) }, ring.All, answer{native.CodeWriteTimeout, 2, 3}, native.WriteBatch},
		"a replica fails":       {three, "3", func(f *fixture) { f.after(1, failing) }, ring.All, answer{native.CodeWriteFailure, 2, 3}, native.WriteBatch},
		"no replica is needed":  {three, "3", func(f *fixture) { f.after(1, failing) }, ring.Quorum, answer{code: success}, ""},
		"the keepers are local": {three, "1", nil, ring.Quorum, answer{code: success}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, simple(c.rf), c.members...)
				if c.spoil != nil {
					c.spoil(f)
				}
				err := f.batch(c.level, f.pair()...)
				if got := answerOf(err); got != c.want {
					t.Errorf("got %+v, want %+v", got, c.want)
				}
				var e *native.Error
				if errors.As(err, &e) && e.WriteType != c.kind {
					t.Errorf("write type %s, want %s", e.WriteType, c.kind)
				}
				f.settle()
				done := 0
				for _, p := range f.peers {
					for _, op := range p.ops() {
						if op == wire.OpBatchDone {
							done++
						}
					}
				}
				if got := answerOf(err); got.code == native.CodeWriteTimeout && c.kind == native.WriteBatchLog && done > 0 {
					t.Error("a batch that was not written is done")
				}
			})
		})
	}
}

// after makes a peer go wrong once it has kept the batch.
func (f *fixture) after(i int, is behaviour) {
	p := f.peers[hostID(i)]
	p.code = wire.CodeDiskFull
	p.do = func(m *rpc.Message, r rpc.Receiver) error {
		p.do = nil
		p.set(is)
		r.Receive(&rpc.Answer{})
		return nil
	}
}

// A batch is kept until every replica has it or a durable hint, also when its
// level was met long before.
func TestBatchIsKeptUntilAllHaveIt(t *testing.T) {
	for _, c := range []struct {
		name  string
		local bool // the node's own store fails
		hint  error
		done  bool
	}{
		{name: "hint", done: true},
		{name: "no hint", hint: errors.New("rot")},
		{name: "hint that would be too old", hint: hints.ErrExpired, done: true},
		{name: "store fails", local: true, done: true},
		{name: "store fails, no hint", local: true, hint: errors.New("rot")},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, simple("3"), threeMembers()...)
				keeper, late := f.peers[hostID(1)], f.peers[hostID(2)]
				f.hints.hold = true
				if c.local {
					f.store.BeforeApply = func([]mutation.Record, bool) error { return errors.New("rot") }
				} else {
					f.after(2, failing)
				}
				forgotten := func() bool { return slices.Contains(keeper.ops(), wire.OpBatchDone) }
				if err := f.batch(ring.Quorum, f.pair()...); err != nil {
					t.Fatal(err)
				}
				<-clock.Real.After(clockStep)
				if forgotten() {
					t.Fatal("forgotten before all replicas have it")
				}
				late.set(good)
				f.hints.complete(0, nil)
				f.hints.complete(1, c.hint)
				f.settle()
				if forgotten() != c.done {
					t.Errorf("forgotten: %v", forgotten())
				}
			})
		})
	}
}

func TestUnloggedBatchIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, simple("1"), threeMembers()...)
		for range 2 { // by a try, too
			if err := f.write(ring.One, f.pair()...); err != nil {
				t.Fatal(err)
			}
		}
		f.settle()
		for _, p := range f.peers {
			if slices.Contains(p.ops(), wire.OpBatchStore) {
				t.Error("an unlogged batch was kept")
			}
		}
	})
}

func TestBatchWrittenAgainLeavesOutWhatWasTruncated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, simple("3"), threeMembers()...)
		old := f.pair()
		for _, r := range old {
			r.SetEpoch(f.Schema().Epoch)
		}
		if _, err := f.all.change(truncation()); err != nil {
			t.Fatal(err)
		}
		again := func(records ...mutation.Record) {
			t.Helper()
			o := newOutcome()
			if err := f.TryWrite(&cluster.Write{Records: records, Consistency: ring.All, Created: 7, Done: o}); err != nil {
				t.Fatal(err)
			}
			if err := <-o.ch; err != nil {
				t.Fatal(err)
			}
		}
		again(old...)
		again(old[0])
		p := f.peers[hostID(1)]
		if len(p.ops()) != 0 || f.store.Applied() != 0 {
			t.Error("what was truncated came back")
		}
		old[1].SetEpoch(f.Schema().Epoch)
		again(old...)
		got := p.messages()
		if len(got) != 1 || got[0].apply.Hinted != 7 || f.store.Applied() != 1 {
			t.Errorf("%d messages, %d records", len(got), f.store.Applied())
		}
		f.settle()
	})
}

// A batch that is written again is forgotten when it is done: who missed it has
// to have a durable hint by then, although the level is met without.
func TestBatchWrittenAgainWaitsForHints(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil behaviour
		local bool // the node's own store fails
		hint  error
		done  bool
	}{
		{name: "hint", spoil: dead, done: true},
		{name: "refusal", spoil: failing, done: true},
		{name: "no hint", spoil: dead, hint: errors.New("rot")},
		{name: "hint that would be too old", spoil: dead, hint: hints.ErrExpired, done: true},
		{name: "store fails", spoil: good, local: true, done: true},
		{name: "store fails, no hint", spoil: good, local: true, hint: errors.New("rot")},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, simple("3"), threeMembers()...)
				f.peers[hostID(2)].code = wire.CodeFailed
				f.peers[hostID(2)].set(c.spoil)
				f.hints.hold = true
				if c.local {
					f.store.BeforeApply = func([]mutation.Record, bool) error { return errors.New("rot") }
				}
				r := f.row(f.key, 1)
				r.SetEpoch(f.Schema().Epoch)
				o := newOutcome()
				if err := f.TryWrite(&cluster.Write{Records: []mutation.Record{r}, Consistency: ring.Quorum, Created: 7, Done: o}); err != nil {
					t.Fatal(err)
				}
				<-clock.Real.After(clockStep)
				if o.calls.Load() != 0 {
					t.Fatal("done before the hint is durable")
				}
				f.hints.complete(0, c.hint)
				if err := <-o.ch; (err == nil) != c.done {
					t.Errorf("%v", err)
				}
				f.settle()
			})
		})
	}
}

func TestBatchOverTheBoundIsRefused(t *testing.T) {
	f := bareFixture(t, func(c *Config) { c.MaxBytes = writeOverhead }, threeMembers()...)
	f.create(simple("3"))
	err := f.batch(ring.One, f.pair()...)
	if !errors.Is(err, &native.Error{Code: native.CodeOverloaded}) || f.InFlight() != 0 {
		t.Errorf("%v, %d bytes", err, f.InFlight())
	}
}
