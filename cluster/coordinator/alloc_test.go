//go:build !race && !invariants

package coordinator

import (
	"sync/atomic"
	"testing"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// idleStore applies nothing, at once.
type idleStore struct{ cluster.Replica }

func (idleStore) TryApply(_ []mutation.Record, _ bool, done cluster.Completer) error {
	done.Complete(nil)
	return nil
}

// idlePeer has everything applied at once.
type idlePeer struct{ answer rpc.Answer }

func (*idlePeer) Up() bool                  { return true }
func (*idlePeer) Notify(*rpc.Message) error { return nil }
func (p *idlePeer) Send(_ *rpc.Message, r rpc.Receiver) error {
	r.Receive(&p.answer)
	return nil
}

// counted is a completer that counts.
type counted struct{ n, failed atomic.Int64 }

func (c *counted) Complete(err error) {
	c.n.Add(1)
	if err != nil {
		c.failed.Add(1)
	}
}

// quietRequest is a request whose answer goes nowhere.
type quietRequest struct {
	*asking
	n int
}

func (q *quietRequest) ReplyEpoch(uint64, ...[]byte) { q.n++ }

// idleFixture has as many nodes as it says, where nothing takes any time.
func idleFixture(t testing.TB, n int, replication map[string]string) *fixture {
	members := threeMembers()[:n]
	f := bareFixture(t, func(c *Config) {
		c.Replica = idleStore{c.Replica}
		p := &idlePeer{}
		c.Peer = func([16]byte) Peer { return p }
	}, members...)
	f.create(replication)
	return f
}

func (f *fixture) writing(level ring.ConsistencyLevel, stamped bool) func() {
	done := new(counted)
	r := f.row(f.key, 1)
	if stamped {
		r = f.stampedRow(f.key, 1)
	}
	w := &cluster.Write{Records: []mutation.Record{r}, Consistency: level, Done: done}
	return func() {
		before := done.n.Load()
		if stamped {
			if err := r.Restamp(f.Now()); err != nil {
				f.t.Fatal(err)
			}
		}
		if err := f.TryWrite(w); err != nil || done.n.Load() != before+1 || done.failed.Load() > 0 {
			f.t.Fatal("a write went wrong")
		}
	}
}

func TestWritesAllocateNothing(t *testing.T) {
	for name, write := range map[string]func(){
		"one node":           idleFixture(t, 1, simple("1")).writing(ring.One, false),
		"one node, stamped":  idleFixture(t, 1, simple("1")).writing(ring.LocalQuorum, true),
		"three, QUORUM":      idleFixture(t, 3, simple("3")).writing(ring.Quorum, true),
		"three, ONE":         idleFixture(t, 3, simple("3")).writing(ring.One, false),
		"three, EACH_QUORUM": idleFixture(t, 3, map[string]string{"class": schema.NetworkTopologyStrategy, "dc1": "3"}).writing(ring.EachQuorum, true),
	} {
		if n := testing.AllocsPerRun(1000, write); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestServingAllocatesNothing(t *testing.T) {
	f := idleFixture(t, 3, simple("3"))
	a := f.asks(f.row(f.key, 1))
	a.deadline = 0
	forward := f.asks(f.row(f.key, 1))
	forward.op, forward.deadline = wire.OpForward, 0
	forward.body = (&wire.Apply{Records: []mutation.Record{f.row(f.key, 1)}, Forward: [][16]byte{hostID(2)}, ID: 5}).Append(nil)
	for name, q := range map[string]*quietRequest{"apply": {asking: a}, "forward": {asking: forward}} {
		if n := testing.AllocsPerRun(1000, func() { f.serve(q) }); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
		if q.n == 0 || q.failed != nil {
			t.Errorf("%s: %d answers, %v", name, q.n, q.failed)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	for name, write := range map[string]func(){
		"OneNode":     idleFixture(b, 1, simple("1")).writing(ring.One, true),
		"ThreeQuorum": idleFixture(b, 3, simple("3")).writing(ring.Quorum, true),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				write()
			}
		})
	}
}

func BenchmarkServe(b *testing.B) {
	f := idleFixture(b, 3, simple("3"))
	a := f.asks(f.row(f.key, 1))
	a.deadline = 0
	q := &quietRequest{asking: a}
	b.ReportAllocs()
	for b.Loop() {
		f.serve(q)
	}
}
