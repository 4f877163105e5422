package coordinator

import (
	"context"
	"math"
	"slices"
	"sync"
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

// TestLastAnswerAtTheDeadline: a write whose last replica answers in the moment
// in which its deadline passes is over once, and its record free once.
func TestLastAnswerAtTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fourNodes(t, simple("1"))
		var last rpc.Receiver
		f.peers[f.replicas(f.key)[0]].do = func(_ *rpc.Message, r rpc.Receiver) error {
			last = r
			return nil
		}
		o := newOutcome()
		for range 5000 {
			if err := f.start(ring.One, o, f.row(f.key, 1)); err != nil {
				t.Fatal(err)
			}
			w := last.(*slot).w
			var both sync.WaitGroup
			both.Go(func() { last.Receive(&rpc.Answer{Err: rpc.ErrDeadline}) })
			both.Go(func() { w.expire(math.MaxInt64) })
			both.Wait()
			if got := answerOf(<-o.ch); got != (answer{native.CodeWriteTimeout, 0, 1}) {
				t.Fatalf("%+v", got)
			}
		}
		if len(f.pool.free) != 1 || len(f.pool.all) != 1 || len(o.ch) > 0 || f.InFlight() != 0 {
			t.Errorf("%d of %d records are free, %d bytes in flight", len(f.pool.free), len(f.pool.all), f.InFlight())
		}
	})
}

// Whatever a replica answers but that it has the write, the others are enough
// and it gets a hint; what is sent again is sent to all.
func TestWhatAReplicaMayAnswer(t *testing.T) {
	for code := wire.Code(1); code < 64; code++ {
		synctest.Test(t, func(t *testing.T) {
			f := fourNodes(t, simple("3"))
			bad := f.peers[f.replicas(f.key)[0]]
			bad.answers(refusal(wire.Error{Code: code, Epoch: f.Epoch()}))
			for _, host := range f.replicas(f.key)[1:] {
				f.peers[host].answers(after(time.Millisecond, ok))
			}
			if err := f.write(ring.Quorum, f.row(f.key, 1)); err != nil {
				t.Errorf("%v: %v", code, err)
			}
			f.settle()
			hints := f.hints.hosts()
			if has := slices.Contains(hints, bad.host); has == (code == wire.CodeNewer) || len(hints) > 1 {
				t.Errorf("%v: %d hints", code, len(hints))
			}
		})
	}
}

// A store that had no time for a write has not failed.
func TestStoreWithoutTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, simple("2"), memberAt(0, "dc1", "r1"), memberAt(1, "dc1", "r1"))
		ctx, cancel := context.WithCancel(context.Background())
		f.store.BeforeApply = func(_ []mutation.Record, try bool) error {
			if try {
				return mutation.ErrWouldBlock
			}
			cancel()
			return ctx.Err()
		}
		o := newOutcome()
		if err := f.Write(ctx, &cluster.Write{Records: []mutation.Record{f.row(f.key, 1)}, Consistency: ring.All, Done: o}); err != nil {
			t.Fatal(err)
		}
		if got := answerOf(<-o.ch); got != (answer{native.CodeWriteTimeout, 1, 2}) {
			t.Errorf("%+v", got)
		}
		f.settle()
	})
}

// A deadline that is over when the write begins ends it like any other.
func TestDeadlineThatIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fourNodes(t, simple("3"))
		f.spoil(0, 0, 3)
		o := newOutcome()
		w := &cluster.Write{Records: []mutation.Record{f.row(f.key, 1)}, Consistency: ring.Quorum, Deadline: int64(clock.Real.Mono()) - 1, Done: o}
		if err := f.TryWrite(w); err != nil {
			t.Fatal(err)
		}
		if got := answerOf(<-o.ch); got != (answer{native.CodeWriteTimeout, 0, 2}) {
			t.Errorf("%+v", got)
		}
		f.settle()
		if n := len(f.hints.hosts()); n != 3 || o.calls.Load() != 1 {
			t.Errorf("%d hints, told %d times", n, o.calls.Load())
		}
	})
}

// A batch that was let in is not refused by its parts, of which some would be
// written and others not.
func TestBatchIsLetInAsAWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := bareFixture(t, func(c *Config) { c.MaxBytes = 3 * writeOverhead }, threeMembers()...)
		f.create(simple("3"))
		for _, p := range f.peers {
			p.answers(after(time.Millisecond, ok))
		}
		var records []mutation.Record
		for i := range 8 {
			records = append(records, f.row(keyAt(ring.Token(i)<<60), 1))
		}
		o := newOutcome()
		if err := f.Write(context.Background(), &cluster.Write{Records: records, Consistency: ring.All, Done: o}); err != nil {
			t.Fatal(err)
		}
		if err := <-o.ch; err != nil || o.calls.Load() != 1 {
			t.Errorf("%v, told %d times", err, o.calls.Load())
		}
		f.settle()
	})
}

// A write that is planned again when too few replicas are left goes to those
// that are alive, and as hints to the others: it has reached somebody already.
func TestPlannedAgainWithTooFewAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fourNodes(t, simple("3"))
		hosts := f.replicas(f.key)
		f.log.setBehind(true)
		epoch, err := f.all.change(schema.Change{Kind: schema.Truncate, Table: &schema.Table{Keyspace: clustertest.Keyspace, Name: "t"}, TruncatedAt: 5})
		if err != nil {
			t.Fatal(err)
		}
		for _, host := range hosts {
			f.peers[host].answers(refusal(wire.Error{Code: wire.CodeStale, Epoch: epoch}), ok)
		}
		o := newOutcome()
		if err := f.start(ring.Quorum, o, f.row(f.key, 1)); err != nil {
			t.Fatal(err)
		}
		f.peers[hosts[1]].set(dead)
		f.peers[hosts[2]].set(dead)
		f.log.setBehind(false)
		if got := answerOf(<-o.ch); got != (answer{native.CodeWriteTimeout, 1, 2}) {
			t.Errorf("%+v", got)
		}
		f.settle()
		kept := f.hints.hosts()
		slices.SortFunc(kept, func(a, b [16]byte) int { return slices.Index(hosts, a) - slices.Index(hosts, b) })
		if !slices.Equal(kept, hosts[1:]) || o.calls.Load() != 1 {
			t.Errorf("hints for %v, told %d times", kept, o.calls.Load())
		}
	})
}

// Replicas that refuse again and again, each time at a later epoch, are followed
// until the deadline.
func TestFenceThatNeverLetsThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fourNodes(t, simple("1"))
		p := f.peers[f.replicas(f.key)[0]]
		sent := 0
		p.do = func(m *rpc.Message, r rpc.Receiver) error {
			sent++
			clock.Real.AfterFunc(clockStep, func() {
				epoch, err := f.all.change(schema.Change{Kind: schema.Truncate, Table: &schema.Table{Keyspace: clustertest.Keyspace, Name: "t"}, TruncatedAt: int64(sent)})
				if err != nil {
					t.Error(err)
				}
				e := &wire.Error{Code: wire.CodeStale, Epoch: epoch}
				if int64(clock.Real.Mono()) >= m.Deadline {
					r.Receive(&rpc.Answer{Err: rpc.ErrDeadline})
					return
				}
				r.Receive(&rpc.Answer{Err: e, Epoch: epoch})
			})
			return nil
		}
		if got := answerOf(f.write(ring.One, f.row(f.key, 1))); got != (answer{native.CodeWriteTimeout, 0, 1}) {
			t.Errorf("%+v", got)
		}
		f.settle()
		if n := len(f.hints.hosts()); sent < 2 || n != 1 {
			t.Errorf("sent %d times, %d hints", sent, n)
		}
	})
}

// A keyspace without replicas takes nothing at any level.
func TestNoReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, map[string]string{"class": schema.NetworkTopologyStrategy, "dc1": "0"}, threeMembers()...)
		for level := ring.One; level <= ring.LocalOne; level++ {
			if level.IsSerial() {
				continue
			}
			if got := answerOf(f.write(level, f.row(f.key, 1))); got.code != native.CodeUnavailable || got.received != 0 || got.required == 0 {
				t.Errorf("%v: %+v", level, got)
			}
		}
		if got := answerOf(f.write(ring.Any, f.row(f.key, 1))); got != (answer{native.CodeWriteFailure, 0, 1}) {
			t.Errorf("ANY: %+v", got)
		}
		f.settle()
	})
}
