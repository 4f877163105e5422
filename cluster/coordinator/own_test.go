package coordinator

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cluster/clustertest"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// A coordinator whose own store does not take a write keeps a hint for itself,
// as it does for others.
func TestOwnStoreThatMissesAWrite(t *testing.T) {
	for _, c := range []struct {
		name  string
		store func(ctx context.Context, f *fixture)
		want  answer // at ALL
		hints int
	}{
		{"takes it", func(context.Context, *fixture) {}, answer{code: success}, 0},
		{"refuses", func(_ context.Context, f *fixture) {
			f.store.BeforeApply = func([]mutation.Record, bool) error { return errors.New("the disk is full") }
		}, answer{native.CodeWriteFailure, 0, 3}, 1},
		{"has no room until the deadline", func(ctx context.Context, f *fixture) {
			f.store.BeforeApply = func(_ []mutation.Record, try bool) error {
				if try {
					return mutation.ErrWouldBlock
				}
				<-ctx.Done()
				return context.Cause(ctx)
			}
		}, answer{native.CodeWriteTimeout, 2, 3}, 1},
		{"syncs after the deadline", func(_ context.Context, f *fixture) {
			f.store.Acknowledge = func(done func()) { clock.Real.AfterFunc(time.Minute, done) }
		}, answer{native.CodeWriteTimeout, 2, 3}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, simple("3"), threeMembers()...)
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				defer cancel()
				c.store(ctx, f)
				o := newOutcome()
				w := &cluster.Write{Records: []mutation.Record{f.row(f.key, 1)}, Consistency: ring.All, Done: o}
				err := f.TryWrite(w)
				if errors.Is(err, mutation.ErrWouldBlock) {
					err = f.Write(ctx, w)
				}
				if err != nil {
					t.Fatal(err)
				}
				if got := answerOf(<-o.ch); got != c.want {
					t.Errorf("%+v", got)
				}
				f.settle()
				hosts := f.hints.hosts()
				if len(hosts) != c.hints || c.hints > 0 && hosts[0] != f.cfg.HostID || o.calls.Load() != 1 {
					t.Errorf("hints for %v, told %d times", hosts, o.calls.Load())
				}
				want := f.row(f.key, 1)
				want.SetEpoch(f.Schema().Epoch)
				if len(hosts) > 0 && string(f.hints.kept[0].record) != string(want) {
					t.Errorf("the hint is %x", f.hints.kept[0].record)
				}
			})
		})
	}
}

// What waits for the store on a worker, as a part of a batch does, leaves a hint
// when its time is up.
func TestOwnStoreWithoutRoomForABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, simple("3"), threeMembers()...)
		f.store.BeforeApply = func(_ []mutation.Record, try bool) error {
			if try {
				return mutation.ErrWouldBlock
			}
			<-clock.Real.After(time.Minute)
			return context.DeadlineExceeded
		}
		if err := f.batch(ring.Quorum, f.pair()...); err != nil {
			t.Error(err)
		}
		f.settle()
		if got := f.hints.hosts(); len(got) != 2 || got[0] != f.cfg.HostID || got[1] != f.cfg.HostID {
			t.Errorf("hints for %v", got)
		}
		for i := range 2 {
			if p := f.peers[hostID(1+i)]; !slices.Contains(p.ops(), wire.OpBatchDone) {
				t.Errorf("node %d is not told that the batch is done", 2+i)
			}
		}
	})
}

// At ANY the hint of the only replica that is there, which is this node and does
// not take the write, is enough once it is durable.
func TestAnyByAHintForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, simple("2"), memberAt(0, "dc1", "r1"), memberAt(1, "dc1", "r1"))
		f.peers[hostID(1)].set(failing)
		f.peers[hostID(1)].code = wire.CodeFailed
		f.store.BeforeApply = func([]mutation.Record, bool) error { return errors.New("the disk is full") }
		f.hints.hold = true
		o := newOutcome()
		if err := f.start(ring.Any, o, f.row(f.key, 1)); err != nil {
			t.Fatal(err)
		}
		<-clock.Real.After(clockStep)
		if o.calls.Load() != 0 {
			t.Fatal("answered before a hint is durable")
		}
		at := slices.Index(f.hints.hosts(), f.cfg.HostID)
		if at < 0 {
			t.Fatal("no hint for itself")
		}
		f.hints.complete(at, nil)
		if err := <-o.ch; err != nil {
			t.Error(err)
		}
		f.hints.complete(1-at, nil)
		f.settle()
	})
}

// told is a receiver that counts.
type told struct {
	n    int
	code wire.Code
	rate uint64
}

func (a *told) Receive(answer *rpc.Answer) {
	a.n++
	var e *wire.Error
	var reply wire.HintReply
	switch {
	case errors.As(answer.Err, &e):
		a.code = e.Code
	case answer.Err != nil:
		a.code = wire.CodeFailed
	case reply.Decode(answer.Body) == nil:
		a.rate = reply.Rate
	}
}

// A hint for this node itself meets what one of another node meets, and is
// answered once.
func TestHintForItself(t *testing.T) {
	for _, c := range []struct {
		name    string
		rf      string
		change  func(f *fixture, m *rpc.Message)
		want    wire.Code
		applied int
	}{
		{"applied", "2", nil, 0, 1},
		{"store would wait", "2", func(f *fixture, _ *rpc.Message) {
			f.store.BeforeApply = func(_ []mutation.Record, try bool) error {
				if try {
					return mutation.ErrWouldBlock
				}
				return nil
			}
		}, 0, 1},
		{"store refuses", "2", func(f *fixture, _ *rpc.Message) {
			f.store.BeforeApply = func([]mutation.Record, bool) error { return errors.New("the disk is full") }
		}, wire.CodeFailed, 0},
		{"no room in time", "2", func(f *fixture, _ *rpc.Message) {
			f.store.BeforeApply = func(_ []mutation.Record, try bool) error {
				if try {
					return mutation.ErrWouldBlock
				}
				<-clock.Real.After(time.Minute)
				return context.DeadlineExceeded
			}
		}, wire.CodeTimeout, 0},
		{"table truncated since", "2", func(f *fixture, m *rpc.Message) {
			if _, err := f.all.change(truncation()); err != nil {
				f.t.Fatal(err)
			}
			m.Epoch = f.Epoch()
		}, 0, 0},
		{"table truncated meanwhile", "2", func(f *fixture, _ *rpc.Message) {
			if _, err := f.all.change(truncation()); err != nil {
				f.t.Fatal(err)
			}
		}, wire.CodeStale, 0},
		{"table dropped", "2", func(f *fixture, _ *rpc.Message) {
			drop := schema.Change{Kind: schema.DropTable, Table: &schema.Table{Keyspace: clustertest.Keyspace, Name: "t"}}
			if _, err := f.all.change(drop); err != nil {
				f.t.Fatal(err)
			}
		}, 0, 0},
		{"purged since", "1", func(f *fixture, _ *rpc.Message) { f.store.Purged = made }, wire.CodePurged, 0},
		{"damaged", "2", func(_ *fixture, m *rpc.Message) { m.Body = m.Body[:9] }, wire.CodeInvalid, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, simple(c.rf), memberAt(0, "dc1", "r1"), memberAt(1, "dc1", "r1"))
				for !f.holds(f.key) {
					f.key.Token += 1 << 50
				}
				r := f.row(f.key, 1)
				r.SetEpoch(f.Schema().Epoch)
				body := wire.Apply{Hinted: made * 1_000_000, Records: []mutation.Record{r}}
				m := &rpc.Message{
					Op: wire.OpHint, Epoch: f.Epoch(), Deadline: int64(clock.Real.Mono() + 2*time.Second), Body: body.Append(nil),
				}
				if c.change != nil {
					c.change(f, m)
				}
				var a told
				f.ServeOwn(m, &a)
				f.settle()
				if a.n != 1 || a.code != c.want || f.store.Applied() != c.applied {
					t.Errorf("%d answers, %v, %d records applied", a.n, a.code, f.store.Applied())
				}
				if (a.rate > 0) != (c.want == 0) {
					t.Errorf("a rate of %d", a.rate)
				}
			})
		})
	}
}

// A node that is no replica any more refuses a hint for itself for good.
func TestHintForItselfOfAnothersRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fourNodes(t, simple("3"))
		body := wire.Apply{Hinted: made * 1_000_000, Records: []mutation.Record{f.row(f.key, 1)}}
		var a told
		f.ServeOwn(&rpc.Message{Op: wire.OpHint, Epoch: f.Epoch(), Body: body.Append(nil)}, &a)
		f.settle()
		if a.n != 1 || a.code != wire.CodeNotOwner || f.store.Applied() != 0 {
			t.Errorf("%d answers, %v, %d records applied", a.n, a.code, f.store.Applied())
		}
	})
}
