package coordinator

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/cluster/clustertest"
	"github.com/ilion-db/ilion/cluster/hlc"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// answers makes a peer answer its i-th request by the i-th function, the last
// one for all that follow.
func (p *peer) answers(f ...func(m *rpc.Message, r rpc.Receiver)) {
	n := 0
	p.do = func(m *rpc.Message, r rpc.Receiver) error {
		i := min(n, len(f)-1)
		n++
		f[i](m, r)
		return nil
	}
}

func ok(_ *rpc.Message, r rpc.Receiver) { r.Receive(&rpc.Answer{}) }

func refusal(e wire.Error) func(*rpc.Message, rpc.Receiver) {
	return func(_ *rpc.Message, r rpc.Receiver) { r.Receive(&rpc.Answer{Err: &e, Epoch: e.Epoch}) }
}

func after(d time.Duration, f func(*rpc.Message, rpc.Receiver)) func(*rpc.Message, rpc.Receiver) {
	return func(m *rpc.Message, r rpc.Receiver) { clock.Real.AfterFunc(d, func() { f(m, r) }) }
}

// stampOf is the stamp of the record in a message.
func stampOf(t *testing.T, m message) int64 {
	t.Helper()
	if err := m.apply.Decode(m.Body); err != nil || len(m.apply.Records) != 1 {
		t.Fatal(err, len(m.apply.Records))
	}
	return m.apply.Records[0].Timestamp()
}

func TestNewerStampIsFollowedBeforeTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fourNodes(t, simple("3"))
		hosts := f.replicas(f.key)
		a, b, c := f.peers[hosts[0]], f.peers[hosts[1]], f.peers[hosts[2]]
		stamp := f.Now()
		newer := stamp + 5_000_000
		a.answers(after(time.Millisecond, refusal(wire.Error{Code: wire.CodeNewer, Timestamp: newer})), ok)
		b.answers(after(time.Second, ok), after(2*time.Millisecond, ok))
		c.answers(after(time.Second, ok), after(2*time.Millisecond, ok))
		begin := clock.Real.Mono()
		if err := f.write(ring.Quorum, f.stampedRow(f.key, stamp)); err != nil {
			t.Fatal(err)
		}
		if took := clock.Real.Mono() - begin; took > 500*time.Millisecond {
			t.Errorf("answered after %v: answers to the first attempt were counted", took)
		}
		f.settle()
		for _, p := range []*peer{a, b, c} {
			got := p.messages()
			if len(got) != 2 || stampOf(t, got[0]) != stamp || stampOf(t, got[1]) <= newer {
				t.Errorf("%d messages", len(got))
			}
		}
		if f.Now() <= newer {
			t.Error("the clock has not followed")
		}
		if n := len(f.hints.hosts()); n != 0 {
			t.Errorf("%d hints", n)
		}
	})
}

func TestNewerStampThatIsNotFollowed(t *testing.T) {
	for name, newer := range map[string]time.Duration{"too far ahead": hlc.MaxLead + time.Minute, "always newer": time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := fourNodes(t, simple("1"))
				p := f.peers[f.replicas(f.key)[0]]
				p.answers(func(m *rpc.Message, r rpc.Receiver) {
					r.Receive(&rpc.Answer{Err: &wire.Error{Code: wire.CodeNewer, Timestamp: f.Now() + newer.Microseconds()}})
				})
				if err := f.write(ring.One, f.stampedRow(f.key, f.Now())); err != nil {
					t.Fatal(err)
				}
				if n := len(p.messages()); n > maxStamps+1 {
					t.Errorf("sent %d times", n)
				}
				f.settle()
			})
		})
	}
}

func TestClientStampIsNeverChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fourNodes(t, simple("1"))
		f.write(ring.One, f.row(f.key, 42))
		got := f.peers[f.replicas(f.key)[0]].messages()
		if len(got) != 1 || stampOf(t, got[0]) != 42 {
			t.Errorf("%d messages", len(got))
		}
	})
}

func TestOwnStoreKnowsNewerStamps(t *testing.T) {
	f := newFixture(t, simple("1"), memberAt(0, "dc1", "r1"))
	late := f.Now() + time.Second.Microseconds()
	if err := f.write(ring.One, f.stampedRow(f.key, late)); err != nil {
		t.Fatal(err)
	}
	f.cfg.Stamps.Follow(late)
	r := f.stampedRow(f.key, late-500)
	if err := f.write(ring.One, r); err != nil {
		t.Fatal(err)
	}
	if r.Timestamp() <= late {
		t.Errorf("stamped %d after %d", r.Timestamp(), late)
	}
}

func TestStaleWriteIsPlannedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fourNodes(t, simple("1"))
		p := f.peers[f.replicas(f.key)[0]]
		f.log.setBehind(true)
		epoch, err := f.all.change(schema.Change{Kind: schema.Truncate, Table: &schema.Table{Keyspace: clustertest.Keyspace, Name: "t"}, TruncatedAt: 5})
		if err != nil {
			t.Fatal(err)
		}
		p.answers(refusal(wire.Error{Code: wire.CodeStale, Epoch: epoch}), ok)
		o := newOutcome()
		if err := f.start(ring.One, o, f.row(f.key, 1)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if o.calls.Load() != 0 {
			t.Fatal("answered before the coordinator has caught up")
		}
		if heard := f.log.heard; len(heard) == 0 || heard[len(heard)-1] != epoch {
			t.Errorf("heard %v", heard)
		}
		f.log.setBehind(false)
		if err := <-o.ch; err != nil {
			t.Fatal(err)
		}
		f.settle()
		got := p.messages()
		if len(got) != 2 || got[1].Epoch < epoch || got[1].apply.Records[0].Epoch() != epoch {
			t.Errorf("%d messages", len(got))
		}
		if n := len(f.hints.hosts()); n != 0 {
			t.Errorf("%d hints", n)
		}
	})
}

func TestStaleWriteWhoseEpochNeverComesTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fourNodes(t, simple("1"))
		p := f.peers[f.replicas(f.key)[0]]
		p.answers(refusal(wire.Error{Code: wire.CodeNotOwner, Epoch: 99}))
		if got := answerOf(f.write(ring.One, f.row(f.key, 1))); got != (answer{native.CodeWriteTimeout, 0, 1}) {
			t.Errorf("%+v", got)
		}
		f.settle()
	})
}

// An answer that comes after the write has been answered finds its own write,
// and the record is not used for another before.
func TestLateAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fourNodes(t, simple("3"))
		hosts := f.replicas(f.key)
		var held []rpc.Receiver
		f.peers[hosts[2]].answers(func(_ *rpc.Message, r rpc.Receiver) { held = append(held, r) })
		for range 3 {
			if err := f.write(ring.Quorum, f.row(f.key, 1)); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(f.pool.all); n != 3 {
			t.Fatalf("%d records for three writes that are not over", n)
		}
		// What fails late is nothing to the client, but a hint.
		held[0].Receive(&rpc.Answer{Err: &wire.Error{Code: wire.CodeFailed}})
		held[1].Receive(&rpc.Answer{Err: rpc.ErrPeerDown})
		held[2].Receive(&rpc.Answer{})
		f.settle()
		if n := len(f.hints.hosts()); n != 2 {
			t.Errorf("%d hints", n)
		}
		f.write(ring.Quorum, f.row(f.key, 1))
		if n := len(f.pool.all); n != 3 {
			t.Errorf("%d records: those that were free are not used again", n)
		}
		held[3].Receive(&rpc.Answer{})
	})
}

// The caller may use its buffer again once it has been answered.
func TestRecordIsCopied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fourNodes(t, simple("3"))
		hosts := f.replicas(f.key)
		f.peers[hosts[2]].set(gone)
		r := f.row(f.key, 1)
		copied := slices.Clone(r)
		copied.SetEpoch(f.Schema().Epoch)
		want := string(copied)
		if err := f.write(ring.Quorum, r); err != nil {
			t.Fatal(err)
		}
		clear(r)
		f.settle()
		if len(f.hints.kept) != 1 || string(f.hints.kept[0].record) != want {
			t.Error("the hint is not what was written")
		}
	})
}

func TestTooMuchInFlightIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := bareFixture(t, func(c *Config) { c.MaxBytes = 3 * writeOverhead }, memberAt(0, "dc1", "r1"), memberAt(1, "dc1", "r1"))
		f.create(simple("2"))
		f.peers[hostID(1)].set(slow)
		var outcomes []*outcome
		refused := 0
		for range 10 {
			o := newOutcome()
			switch err := f.start(ring.All, o, f.row(f.key, 1)); answerOf(err).code {
			case success:
				outcomes = append(outcomes, o)
			case native.CodeOverloaded:
				refused++
			default:
				t.Fatal(err)
			}
		}
		if len(outcomes) == 0 || refused == 0 {
			t.Fatalf("%d taken, %d refused", len(outcomes), refused)
		}
		for _, o := range outcomes {
			if got := answerOf(<-o.ch); got != (answer{native.CodeWriteTimeout, 1, 2}) {
				t.Errorf("%+v", got)
			}
		}
		f.settle()
		if err := f.write(ring.One, f.row(f.key, 1)); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestStoreThatWouldWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, simple("2"), memberAt(0, "dc1", "r1"), memberAt(1, "dc1", "r1"))
		f.store.BeforeApply = func(_ []mutation.Record, try bool) error {
			if try {
				return mutation.ErrWouldBlock
			}
			return nil
		}
		o := newOutcome()
		if err := f.start(ring.One, o, f.row(f.key, 1)); err != mutation.ErrWouldBlock {
			t.Fatal(err)
		}
		if n := len(f.peers[hostID(1)].messages()); n != 0 || f.InFlight() != 0 {
			t.Fatalf("a try that would wait has sent %d messages", n)
		}
		if err := f.write(ring.All, f.row(f.key, 1)); err != nil {
			t.Fatal(err)
		}
		f.settle()
	})
}
