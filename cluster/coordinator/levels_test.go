package coordinator

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/wire"
)

// answer is what a client is to see.
type answer struct {
	code               native.ErrorCode // 0xffff for success
	received, required int
}

const success native.ErrorCode = 0xffff

func answerOf(err error) answer {
	if err == nil {
		return answer{code: success}
	}
	var e *native.Error
	if !errors.As(err, &e) {
		return answer{code: native.CodeServer}
	}
	return answer{e.Code, int(e.Received), int(e.Required)}
}

// three are what a Cassandra answers to a write in a keyspace of three
// replicas of which some are dead, fail or are slow, by level. The columns are
// dead, failing, slow.
var three = []struct {
	level               ring.ConsistencyLevel
	dead, failing, slow int
	want                answer
}{
	{ring.Any, 0, 0, 0, answer{code: success}},
	{ring.Any, 3, 0, 0, answer{code: success}}, // by the hint
	{ring.Any, 0, 3, 0, answer{code: success}},
	{ring.Any, 0, 0, 3, answer{code: success}},
	{ring.One, 0, 0, 0, answer{code: success}},
	{ring.One, 2, 0, 0, answer{code: success}},
	{ring.One, 0, 2, 0, answer{code: success}},
	{ring.One, 0, 0, 2, answer{code: success}},
	{ring.One, 1, 1, 0, answer{code: success}},
	{ring.One, 3, 0, 0, answer{native.CodeUnavailable, 0, 1}},
	{ring.One, 0, 3, 0, answer{native.CodeWriteFailure, 0, 1}},
	{ring.One, 0, 0, 3, answer{native.CodeWriteTimeout, 0, 1}},
	{ring.One, 2, 1, 0, answer{native.CodeWriteTimeout, 0, 1}},
	{ring.One, 0, 2, 1, answer{native.CodeWriteTimeout, 0, 1}},
	{ring.LocalOne, 2, 0, 0, answer{code: success}},
	{ring.LocalOne, 3, 0, 0, answer{native.CodeUnavailable, 0, 1}},
	{ring.LocalOne, 0, 3, 0, answer{native.CodeWriteFailure, 0, 1}},
	{ring.Two, 1, 0, 0, answer{code: success}},
	{ring.Two, 2, 0, 0, answer{native.CodeUnavailable, 1, 2}},
	{ring.Two, 0, 2, 0, answer{native.CodeWriteFailure, 1, 2}},
	{ring.Two, 0, 0, 2, answer{native.CodeWriteTimeout, 1, 2}},
	{ring.Two, 1, 1, 0, answer{native.CodeWriteTimeout, 1, 2}},
	{ring.Three, 0, 0, 0, answer{code: success}},
	{ring.Three, 1, 0, 0, answer{native.CodeUnavailable, 2, 3}},
	{ring.Three, 0, 1, 0, answer{native.CodeWriteFailure, 2, 3}},
	{ring.Three, 0, 0, 1, answer{native.CodeWriteTimeout, 2, 3}},
	{ring.Quorum, 0, 0, 0, answer{code: success}},
	{ring.Quorum, 1, 0, 0, answer{code: success}},
	{ring.Quorum, 0, 1, 0, answer{code: success}},
	{ring.Quorum, 0, 0, 1, answer{code: success}},
	{ring.Quorum, 2, 0, 0, answer{native.CodeUnavailable, 1, 2}},
	{ring.Quorum, 0, 2, 0, answer{native.CodeWriteFailure, 1, 2}},
	{ring.Quorum, 0, 0, 2, answer{native.CodeWriteTimeout, 1, 2}},
	{ring.Quorum, 0, 1, 1, answer{native.CodeWriteTimeout, 1, 2}},
	{ring.Quorum, 1, 1, 0, answer{native.CodeWriteTimeout, 1, 2}},
	{ring.Quorum, 1, 0, 1, answer{native.CodeWriteTimeout, 1, 2}},
	{ring.LocalQuorum, 1, 0, 0, answer{code: success}},
	{ring.LocalQuorum, 2, 0, 0, answer{native.CodeUnavailable, 1, 2}},
	{ring.LocalQuorum, 0, 2, 0, answer{native.CodeWriteFailure, 1, 2}},
	{ring.LocalQuorum, 0, 0, 2, answer{native.CodeWriteTimeout, 1, 2}},
	{ring.EachQuorum, 1, 0, 0, answer{code: success}},
	{ring.EachQuorum, 2, 0, 0, answer{native.CodeUnavailable, 1, 2}},
	{ring.All, 0, 0, 0, answer{code: success}},
	{ring.All, 1, 0, 0, answer{native.CodeUnavailable, 2, 3}},
	{ring.All, 0, 1, 0, answer{native.CodeWriteFailure, 2, 3}},
	{ring.All, 0, 0, 1, answer{native.CodeWriteTimeout, 2, 3}},
}

// fourNodes have three replicas on all but the first, which coordinates.
func fourNodes(t *testing.T, replication map[string]string) *fixture {
	f := newFixture(t, replication, memberAt(0, "dc1", "r1"), memberAt(1, "dc1", "r1"), memberAt(2, "dc1", "r1"), memberAt(3, "dc1", "r1"))
	for range 1 << 12 {
		if !f.holds(f.key) {
			return f
		}
		f.key.Token += 1 << 50
	}
	t.Fatal("the first node holds everything")
	return nil
}

func TestLevelsAndWhatIsWrong(t *testing.T) {
	for _, nts := range []bool{false, true} {
		for _, c := range three {
			t.Run(fmt.Sprintf("nts %t/%v/%d dead %d failing %d slow", nts, c.level, c.dead, c.failing, c.slow), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					replication := simple("3")
					if nts {
						replication = map[string]string{"class": schema.NetworkTopologyStrategy, "dc1": "3"}
					}
					f := fourNodes(t, replication)
					f.spoil(c.dead, c.failing, c.slow)
					if got := answerOf(f.write(c.level, f.row(f.key, 1))); got != c.want {
						t.Errorf("got %+v, want %+v", got, c.want)
					}
					synctest.Wait()
				})
			})
		}
	}
}

// cassandra is the answer to a write with three replicas by the rules of a
// Cassandra: too few alive are told before anything is sent; a failure is told
// if those that did not fail, dead ones included, are fewer than needed, and
// else a time-out; ANY is content with a hint.
func cassandra(level ring.ConsistencyLevel, dead, failing, slow int) answer {
	const replicas = 3
	need := map[ring.ConsistencyLevel]int{
		ring.Any: 1, ring.One: 1, ring.LocalOne: 1, ring.Two: 2, ring.Three: 3, ring.Quorum: 2, ring.LocalQuorum: 2, ring.EachQuorum: 2, ring.All: 3,
	}[level]
	acks := replicas - dead - failing - slow
	switch {
	case level == ring.Any || acks >= need:
		return answer{code: success}
	case replicas-dead < need:
		return answer{native.CodeUnavailable, replicas - dead, need}
	case need+failing > replicas:
		return answer{native.CodeWriteFailure, acks, need}
	}
	return answer{native.CodeWriteTimeout, acks, need}
}

func TestEveryLevelAndEverythingWrong(t *testing.T) {
	for _, c := range three {
		want := c.want
		if got := cassandra(c.level, c.dead, c.failing, c.slow); got != want {
			t.Errorf("the rules say %+v, the table %+v for %+v", got, want, c)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		f := fourNodes(t, simple("3"))
		for level := ring.Any; level <= ring.LocalOne; level++ {
			for i := 0; i < 64 && !level.IsSerial(); i++ {
				dead, failing, slow := i&3, i>>2&3, i>>4
				if dead+failing+slow > 3 {
					continue
				}
				for _, p := range f.peers {
					p.set(good)
				}
				f.spoil(dead, failing, slow)
				got := answerOf(f.write(level, f.row(f.key, 1)))
				if want := cassandra(level, dead, failing, slow); got != want {
					t.Errorf("%v, %d dead, %d failing, %d slow: got %+v, want %+v", level, dead, failing, slow, got, want)
				}
				f.settle()
			}
		}
	})
}

// spoil makes replicas of f.key not answer as they should.
func (f *fixture) spoil(dead_, failing_, slow_ int) {
	for _, n := range f.replicas(f.key) {
		p := f.peers[n]
		switch {
		case dead_ > 0:
			p.set(dead)
			dead_--
		case failing_ > 0:
			p.code = wire.CodeDiskFull
			p.set(failing)
			failing_--
		case slow_ > 0:
			p.set(slow)
			slow_--
		}
	}
}

// Every replica that did not acknowledge gets a hint, and nothing is in flight
// in the end.
func TestWhoMissesAWriteGetsAHint(t *testing.T) {
	for _, is := range []behaviour{dead, slow, failing, gone, backlog} {
		t.Run(fmt.Sprint(is), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := fourNodes(t, simple("3"))
				bad := f.peers[f.replicas(f.key)[1]]
				bad.code = wire.CodeDiskFull
				bad.set(is)
				if err := f.write(ring.Quorum, f.row(f.key, 1)); err != nil {
					t.Fatal(err)
				}
				f.settle()
				if got := f.hints.hosts(); len(got) != 1 || got[0] != bad.host {
					t.Errorf("hints for %v", got)
				}
				want := f.row(f.key, 1)
				want.SetEpoch(f.Schema().Epoch)
				if r := f.hints.kept[0].record; string(r) != string(want) {
					t.Errorf("the hint is %x", r)
				}
			})
		})
	}
}

func TestAnyIsAcknowledgedWhenTheHintIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fourNodes(t, simple("1"))
		f.spoil(1, 0, 0)
		f.hints.hold = true
		o := newOutcome()
		if err := f.start(ring.Any, o, f.row(f.key, 1)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if o.calls.Load() != 0 {
			t.Fatal("acknowledged before the hint is durable")
		}
		f.hints.complete(0, nil)
		if err := <-o.ch; err != nil {
			t.Fatal(err)
		}
		f.settle()
	})
}

func TestAnyWaitsForTheHintsOfFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fourNodes(t, simple("3"))
		f.spoil(0, 3, 0)
		f.hints.hold = true
		o := newOutcome()
		if err := f.start(ring.Any, o, f.row(f.key, 1)); err != nil {
			t.Fatal(err)
		}
		<-clock.Real.After(clockStep)
		if o.calls.Load() != 0 {
			t.Fatal("answered before a hint is durable")
		}
		f.hints.complete(0, errors.New("rot"))
		f.hints.complete(1, nil)
		if err := <-o.ch; err != nil {
			t.Fatal(err)
		}
		f.hints.complete(2, nil)
		f.settle()
	})
}

func TestAnyWithoutAHintTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fourNodes(t, simple("1"))
		f.spoil(1, 0, 0)
		f.hints.err = errors.New("full")
		if got := answerOf(f.write(ring.Any, f.row(f.key, 1))); got != (answer{native.CodeWriteTimeout, 0, 1}) {
			t.Errorf("%+v", got)
		}
		f.settle()
	})
}
