//go:build !race && !invariants

package replicaread

import (
	"testing"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/mutation/mutationtest"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// fixed is a replica that always finds the same.
type fixed struct {
	cluster.Replica
	src *mutationtest.Source
}

func (f *fixed) TryRead(*mutation.ReadCommand) (mutation.Source, error) {
	f.src.Rewind()
	return f.src, nil
}

// echo answers a request as a replica with the same content would.
type echo struct {
	reply []byte
	last  rpc.Receiver
}

func (e *echo) send(_ schema.UUID, _ *rpc.Message, r rpc.Receiver) error {
	e.last = r
	return nil
}

type drop struct {
	t     testing.TB
	calls int
}

func (d *drop) CompleteRead(src mutation.Source, err error) {
	if err != nil {
		d.t.Fatal(err)
	}
	rows := 0
	for src.NextPartition() {
		for src.Next() {
			rows++
		}
	}
	if rows != 1 {
		d.t.Fatalf("%d rows", rows)
	}
	src.Close()
	d.calls++
}

func allocReader(t testing.TB) (*testNet, *echo, *mutation.ReadCommand) {
	n := newNet(t, []string{"a", "a", "a"}, nil)
	n.everywhere(nil)
	e := &echo{}
	rd := n.nodes[0].rd
	rd.cfg.Send = e.send
	f := &fixed{src: mutationtest.NewModel(n.row(1, 1, "v")).Source(false)}
	rd.cfg.Replica = f
	cmd := n.command()
	c := wire.Read{ReadCommand: *cmd}
	c.Digest = true
	var s store
	if err := s.read(t.Context(), rd, &c, true); err != nil {
		t.Fatal(err)
	}
	e.reply = s.reply.Append(nil)
	return n, e, cmd
}

// TestLocalReadAllocatesNothing: with the local replica enough, a read costs
// what the replica's costs.
func TestLocalReadAllocatesNothing(t *testing.T) {
	n, e, cmd := allocReader(t)
	rd := n.nodes[0].rd
	if got := testing.AllocsPerRun(100, func() {
		src, err := rd.TryRead(cmd, ring.One)
		if err != nil {
			t.Fatal(err)
		}
		src.Close()
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
	if e.last != nil {
		t.Error("another node was asked")
	}
}

// TestQuorumReadAllocatesNothing: nor does a point read that asks another node,
// once it is warm.
func TestQuorumReadAllocatesNothing(t *testing.T) {
	n, e, cmd := allocReader(t)
	rd := n.nodes[0].rd
	done := &drop{t: t}
	a := &rpc.Answer{Body: e.reply}
	if got := testing.AllocsPerRun(100, func() {
		if err := rd.StartRead(cmd, ring.Quorum, 0, done); err != nil {
			t.Fatal(err)
		}
		e.last.Receive(a)
	}); got > 0.5 {
		t.Errorf("%v allocations", got)
	}
	if done.calls != 101 {
		t.Errorf("%d reads were completed", done.calls)
	}
}

func BenchmarkQuorumRead(b *testing.B) {
	n, e, cmd := allocReader(b)
	rd := n.nodes[0].rd
	done := &drop{t: b}
	a := &rpc.Answer{Body: e.reply}
	b.ReportAllocs()
	for b.Loop() {
		if err := rd.StartRead(cmd, ring.Quorum, 0, done); err != nil {
			b.Fatal(err)
		}
		e.last.Receive(a)
	}
}
