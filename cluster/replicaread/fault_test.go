package replicaread

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cluster/clustertest"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/mutation/mutationtest"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

var oneKey = mutation.Key{Token: 7, Key: []byte("k")}

func (n *testNet) row(i int, ts int64, value string) mutation.Record {
	return clustertest.Row(n.table, oneKey, mutationtest.Clustering(i), ts, value)
}

func (n *testNet) command() *mutation.ReadCommand {
	return &mutation.ReadCommand{Table: n.table, Keys: []mutation.Key{oneKey}, Now: 100, Static: true}
}

// read reads on a node and returns what is live.
func (n *testNet) read(node int, cmd *mutation.ReadCommand, level ring.ConsistencyLevel) (string, error) {
	src, err := n.nodes[node].rd.Read(context.Background(), cmd, level)
	if err != nil {
		return "", err
	}
	defer src.Close()
	return live(n.t, src, cmd), nil
}

// waiter is a completer that keeps what is live.
type waiter struct {
	n    *testNet
	cmd  *mutation.ReadCommand
	done chan struct{}
	got  string
	err  error
}

func (a *waiter) CompleteRead(src mutation.Source, err error) {
	if a.err = err; err == nil {
		a.got = live(a.n.t, src, a.cmd)
		src.Close()
	}
	close(a.done)
}

// start is read by StartRead.
func (n *testNet) start(node int, cmd *mutation.ReadCommand, level ring.ConsistencyLevel) (string, error) {
	a := &waiter{n: n, cmd: cmd, done: make(chan struct{})}
	if err := n.nodes[node].rd.StartRead(cmd, level, int64(testClock.Mono()+time.Minute), a); err != nil {
		return "", err
	}
	<-a.done
	return a.got, a.err
}

func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// TestLevels reads at every level with so many nodes dead, in two data centres.
func TestLevels(t *testing.T) {
	factors := map[string]int{"a": 3, "b": 2}
	for _, c := range []struct {
		level           ring.ConsistencyLevel
		dead            []int // 0 to 2 are in a with the coordinator, 3 and 4 in b
		blockFor, alive int   // of Unavailable, 0 if the read succeeds
		reads           int   // requests that it takes at most
	}{
		{level: ring.One},
		{level: ring.LocalOne},
		{level: ring.Two, reads: 1},
		{level: ring.Three, reads: 2},
		{level: ring.Quorum, reads: 2},
		{level: ring.LocalQuorum, reads: 1},
		{level: ring.EachQuorum, reads: 3},
		{level: ring.All, reads: 4},
		{level: ring.Two, dead: []int{1, 2, 3}, reads: 1},
		{level: ring.Two, dead: []int{1, 2, 3, 4}, blockFor: 2, alive: 1},
		{level: ring.Quorum, dead: []int{1, 2}, reads: 2},
		{level: ring.Quorum, dead: []int{1, 2, 3}, blockFor: 3, alive: 2},
		{level: ring.LocalQuorum, dead: []int{3, 4}, reads: 1},
		{level: ring.LocalQuorum, dead: []int{1, 2}, blockFor: 2, alive: 1},
		{level: ring.EachQuorum, dead: []int{1}, reads: 3},
		{level: ring.EachQuorum, dead: []int{1, 2}, blockFor: 2, alive: 1},
		{level: ring.EachQuorum, dead: []int{3}, blockFor: 2, alive: 1},
		{level: ring.All, dead: []int{4}, blockFor: 5, alive: 4},
	} {
		t.Run(fmt.Sprint(c.level, c.dead), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				n := newNet(t, []string{"a", "a", "a", "b", "b"}, nil)
				n.everywhere(factors)
				for i := range n.nodes {
					n.apply(i, n.row(1, 1, "v"))
				}
				for _, i := range c.dead {
					n.nodes[i].down.Store(true)
				}
				got, err := n.read(0, n.command(), c.level)
				if c.blockFor > 0 {
					var e *native.Error
					if !errors.As(err, &e) || e.Code != native.CodeUnavailable || e.Required != int32(c.blockFor) || e.Received != int32(c.alive) {
						t.Fatalf("%+v", err)
					}
					if n.sends() > 0 {
						t.Error("asked although too few are alive")
					}
					return
				}
				if err != nil || !strings.Contains(got, `="v"`) {
					t.Fatalf("%q, %v", got, err)
				}
				if n.sends() != c.reads {
					t.Errorf("%d requests, want %d", n.sends(), c.reads)
				}
			})
		})
	}
}

func TestAnyAndUnknownTable(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNet(t, []string{"a", "a"}, nil)
		n.everywhere(nil)
		invalid := &native.Error{Code: native.CodeInvalid}
		if _, err := n.read(0, n.command(), ring.Any); !errors.Is(err, invalid) {
			t.Error(err)
		}
		cmd := n.command()
		cmd.Table = schema.TableID{99}
		if _, err := n.read(0, cmd, ring.Quorum); !errors.Is(err, invalid) {
			t.Error(err)
		}
		if _, err := n.nodes[0].rd.TryRead(n.command(), ring.Quorum); !errors.Is(err, mutation.ErrWouldBlock) {
			t.Error(err)
		}
	})
}

// TestFaults reads at QUORUM of three while replicas misbehave, by both ways
// of reading.
func TestFaults(t *testing.T) {
	down := fault{err: rpc.ErrPeerDown}
	lost := fault{err: rpc.ErrPeerDown, delay: time.Millisecond}
	late := fault{delay: -1}
	corrupt := fault{reply: wire.Errorf(wire.CodeCorrupt, "a bad block")}
	tombstones := fault{reply: wire.Errorf(wire.CodeTooManyTombstones, "too many")}
	busy := fault{reply: wire.Errorf(wire.CodeOverloaded, "busy")}
	for _, c := range []struct {
		name   string
		faults []fault // of nodes 1 and 2
		code   native.ErrorCode
		reason uint16
	}{
		{name: "one down", faults: []fault{down}},
		{name: "one lost", faults: []fault{lost}},
		{name: "one corrupt", faults: []fault{corrupt}},
		{name: "one busy", faults: []fault{busy}},
		{name: "down and lost", faults: []fault{down, lost}, code: native.CodeUnavailable},
		{name: "both late", faults: []fault{late, late}, code: native.CodeReadTimeout},
		{name: "both corrupt", faults: []fault{corrupt, corrupt}, code: native.CodeReadFailure},
		{name: "tombstones", faults: []fault{tombstones, tombstones}, code: native.CodeReadFailure, reason: native.ReasonTooManyTombstones},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				n := newNet(t, []string{"a", "a", "a"}, nil)
				n.everywhere(nil)
				for i := range n.nodes {
					n.apply(i, n.row(1, 1, "v"))
				}
				for i, f := range c.faults {
					n.fault(i+1, f)
				}
				for _, read := range []func(int, *mutation.ReadCommand, ring.ConsistencyLevel) (string, error){n.read, n.start} {
					got, err := read(0, n.command(), ring.Quorum)
					if c.code == 0 {
						if err != nil || !strings.Contains(got, `="v"`) {
							t.Fatalf("%q, %v", got, err)
						}
						continue
					}
					var e *native.Error
					if !errors.As(err, &e) || e.Code != c.code || e.Required != 2 || e.Received != 1 {
						t.Fatalf("%+v", err)
					}
					if c.code != native.CodeUnavailable && !e.DataPresent {
						t.Error("the local data is not told of")
					}
					if c.code == native.CodeReadFailure && (len(e.Reasons) == 0 || e.Reasons[0].Code != c.reason || !e.Reasons[0].Addr.IsLoopback()) {
						t.Errorf("%+v", e.Reasons)
					}
				}
			})
		})
	}
}

// TestReasonOfTheLocalReplica: clients are told the same of what fails here as of
// what fails elsewhere.
func TestReasonOfTheLocalReplica(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNet(t, []string{"a", "a"}, nil)
		n.everywhere(nil)
		many := errors.New("too many tombstones")
		n.code = func(err error) wire.Code {
			if errors.Is(err, many) {
				return wire.CodeTooManyTombstones
			}
			return 0
		}
		for i := range n.nodes {
			n.nodes[i].store.BeforeRead = func(*mutation.ReadCommand, bool) error { return many }
			_, err := n.read(0, n.command(), ring.All)
			var e *native.Error
			if !errors.As(err, &e) || e.Code != native.CodeReadFailure || len(e.Reasons) != 1 || e.Reasons[0].Code != native.ReasonTooManyTombstones {
				t.Errorf("of node %d: %+v", i, err)
			}
			n.nodes[i].store.BeforeRead = nil
		}
	})
}

// TestCorruptLocalReplica: damage here is no absence of rows.
func TestCorruptLocalReplica(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNet(t, []string{"a", "a", "a"}, nil)
		n.everywhere(nil)
		for i := range n.nodes {
			n.apply(i, n.row(1, 1, "v"))
		}
		n.nodes[0].store.BeforeRead = func(*mutation.ReadCommand, bool) error { return fmt.Errorf("block 7: %w", mutation.ErrCorrupt) }
		if got, err := n.read(0, n.command(), ring.Quorum); err != nil || !strings.Contains(got, `="v"`) {
			t.Fatalf("%q, %v", got, err)
		}
		// Served to another node it is refused as what it is.
		if got, err := n.read(1, n.command(), ring.All); !errors.Is(err, &native.Error{Code: native.CodeReadFailure}) {
			t.Fatalf("%q, %v", got, err)
		}
	})
}

// TestDamagedTable: where the local replica would be enough, the read that meets
// the damage fails, and those after it ask others until it is a while ago.
func TestDamagedTable(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNet(t, []string{"a", "a", "a"}, nil)
		n.everywhere(nil)
		for i := range n.nodes {
			n.apply(i, n.row(1, 1, "v"))
		}
		damage := fmt.Errorf("block 7: %w", mutation.ErrCorrupt)
		n.nodes[0].store.BeforeRead = func(*mutation.ReadCommand, bool) error { return damage }
		all := &mutation.ReadCommand{Table: n.table, Now: 100}
		if _, err := n.read(0, all, ring.One); !errors.Is(err, mutation.ErrCorrupt) {
			t.Fatal(err)
		}
		for _, cmd := range []*mutation.ReadCommand{all, n.command()} {
			if got, err := n.read(0, cmd, ring.One); err != nil || !strings.Contains(got, `="v"`) {
				t.Fatalf("%q, %v", got, err)
			}
		}
		clock.Real.Sleep(damagedFor)
		if ok, err := n.nodes[0].rd.local(all, ring.One); !ok || err != nil {
			t.Error("the local replica is never asked alone again")
		}
		// A try leaves it to who waits, who asks the others.
		if _, err := n.nodes[0].rd.TryRead(n.command(), ring.One); !errors.Is(err, mutation.ErrWouldBlock) {
			t.Errorf("a try of what is damaged: %v", err)
		}
		if got, err := n.read(0, n.command(), ring.One); err != nil || !strings.Contains(got, `="v"`) {
			t.Errorf("behind a try: %q, %v", got, err)
		}
	})
}

// TestNarrowedSections: a piece of the ring that few replicas hold together is
// cut up when one of them fails.
func TestNarrowedSections(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNet(t, []string{"a", "a", "a", "a", "a"}, nil)
		n.place(3, nil, []cluster.ReplicaSet{
			{Range: ring.Range{Start: 100, End: -100}, Read: []int{1, 2, 3}},
			{Range: ring.Range{Start: -100, End: 100}, Read: []int{2, 3, 4}},
		})
		key := mutation.Key{Token: -500, Key: []byte("low")}
		for i := 1; i < 5; i++ {
			if i < 4 {
				n.apply(i, clustertest.Row(n.table, key, mutationtest.Clustering(0), 1, "low"))
			}
			if i > 1 {
				n.apply(i, n.row(1, 1, "high"))
			}
		}
		cmd := &mutation.ReadCommand{Table: n.table, Now: 100}
		if _, err := n.read(0, cmd, ring.Quorum); err != nil || n.sends() != 2 {
			t.Fatalf("%d requests, %v", n.sends(), err)
		}
		n.fault(2, fault{err: rpc.ErrPeerDown, delay: time.Millisecond})
		got, err := n.read(0, cmd, ring.Quorum)
		if err != nil || !strings.Contains(got, "low") || !strings.Contains(got, "high") {
			t.Fatalf("%q, %v", got, err)
		}
	})
}

// TestBlockingLocalReplica reads what is not in memory.
func TestBlockingLocalReplica(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNet(t, []string{"a", "a", "a"}, nil)
		n.everywhere(nil)
		for i, node := range n.nodes {
			n.apply(i, n.row(1, 1, "v"))
			node.store.BeforeRead = func(_ *mutation.ReadCommand, try bool) error {
				if try {
					return mutation.ErrWouldBlock
				}
				return nil
			}
		}
		for _, read := range []func(int, *mutation.ReadCommand, ring.ConsistencyLevel) (string, error){n.read, n.start} {
			if got, err := read(0, n.command(), ring.All); err != nil || !strings.Contains(got, `="v"`) {
				t.Fatalf("%q, %v", got, err)
			}
		}
	})
}

func TestStaleIsUnseen(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNet(t, []string{"a", "a", "a"}, nil)
		n.everywhere(nil)
		for i := range n.nodes {
			n.apply(i, n.row(1, 1, "v"))
		}
		refuse := func(code wire.Code, below uint64) {
			fence := func(epoch uint64) *wire.Error {
				if epoch < below {
					return &wire.Error{Code: code, Epoch: below}
				}
				return nil
			}
			n.nodes[1].fence.Store(&fence)
			n.nodes[2].fence.Store(&fence)
		}
		for i, read := range []func(int, *mutation.ReadCommand, ring.ConsistencyLevel) (string, error){n.read, n.start} {
			epoch := uint64(9 + i)
			refuse(wire.CodeStale, epoch)
			got, err := read(0, n.command(), ring.All)
			if err != nil || !strings.Contains(got, `="v"`) {
				t.Fatalf("%q, %v", got, err)
			}
			if e := n.nodes[0].epoch.Load(); e != epoch {
				t.Errorf("caught up to %d", e)
			}
		}
		// A range is planned again too.
		refuse(wire.CodeNotOwner, 12)
		if got, err := n.read(0, &mutation.ReadCommand{Table: n.table, Now: 100}, ring.Quorum); err != nil || !strings.Contains(got, `="v"`) {
			t.Fatalf("%q, %v", got, err)
		}
		// A replica that is not ahead of us is one that fails.
		n.fault(1, fault{reply: &wire.Error{Code: wire.CodeNotOwner, Epoch: 3}})
		if got, err := n.read(0, n.command(), ring.Quorum); err != nil || !strings.Contains(got, `="v"`) {
			t.Fatalf("%q, %v", got, err)
		}
	})
}

// TestServeBehind: a replica that is behind catches up before it answers.
func TestServeBehind(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNet(t, []string{"a", "a"}, nil)
		n.everywhere(nil)
		for i := range n.nodes {
			n.apply(i, n.row(1, 1, "v"))
		}
		other := n.nodes[1]
		fence := func(uint64) *wire.Error {
			if other.epoch.Load() < 1 {
				return &wire.Error{Code: wire.CodeBehind}
			}
			return nil
		}
		other.fence.Store(&fence)
		if got, err := n.read(0, n.command(), ring.All); err != nil || !strings.Contains(got, `="v"`) || other.epoch.Load() != 1 {
			t.Fatalf("%q, %v", got, err)
		}
	})
}

func TestServeRefuses(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNet(t, []string{"a"}, nil)
		n.everywhere(nil)
		good := wire.Read{ReadCommand: *n.command()}
		good.Version = mutation.DigestVersion
		old := good
		old.Version = 77
		for _, c := range []struct {
			body     []byte
			deadline time.Duration
			code     wire.Code
		}{
			{body: nil, code: wire.CodeInvalid},
			{body: []byte("hostile"), code: wire.CodeInvalid},
			{body: old.Append(nil), code: wire.CodeUnsupported},
			{body: good.Append(nil), deadline: time.Hour, code: wire.CodeTimeout},
		} {
			var got *rpc.Answer
			n.nodes[0].rd.serve(&testRequest{body: c.body, deadline: int64(c.deadline), answer: func(a *rpc.Answer) { got = a }})
			var e *wire.Error
			if got == nil || !errors.As(got.Err, &e) || e.Code != c.code {
				t.Errorf("%v: %+v", c.code, got)
			}
		}
	})
}

// TestHedge: of a slow replica nothing is noticed.
func TestHedge(t *testing.T) {
	for _, policy := range []string{"50ms", "ALWAYS", "99p", "MIN(99p,50ms)"} {
		t.Run(policy, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				n := newNet(t, []string{"a", "a", "a"}, func(o *schema.Table) { o.Options.SpeculativeRetry = policy })
				n.everywhere(nil)
				for i := range n.nodes {
					n.apply(i, n.row(1, 1, "v"))
				}
				for range fewSamples * 2 {
					if _, err := n.read(0, n.command(), ring.Quorum); err != nil {
						t.Fatal(err)
					}
				}
				clock.Real.Sleep(2 * resample)
				for i := 1; i < 3; i++ {
					n.fault(i, fault{delay: -1})
					n.fault(3-i, fault{})
					began := time.Now()
					got, err := n.start(0, n.command(), ring.Quorum)
					if err != nil || !strings.Contains(got, `="v"`) {
						t.Fatalf("%q, %v", got, err)
					}
					// Time is virtual here.
					if took := time.Since(began); took > defaultTimeout/2 {
						t.Errorf("took %v", took)
					}
				}
			})
		})
	}
}

// TestForgetsDroppedTables: what is known of a table ends with it.
func TestForgetsDroppedTables(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNet(t, []string{"a", "a"}, nil)
		n.everywhere(nil)
		rd := n.nodes[0].rd
		gone := &schema.Table{ID: schema.TableID{99}}
		rd.latencyOf(gone, false, rd.now())
		rd.latencyOf(gone, true, rd.now())
		if _, err := n.read(0, n.command(), ring.All); err != nil {
			t.Fatal(err)
		}
		for _, m := range []*sync.Map{&rd.points, &rd.ranges} {
			if _, ok := m.Load(gone.ID); ok {
				t.Error("it is still there")
			}
		}
	})
}

// TestRangesAreTimedApart: reads of partitions do not wait longer for a slow
// replica because pages of ranges take long.
func TestRangesAreTimedApart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNet(t, []string{"a", "a"}, nil)
		n.everywhere(nil)
		rd, table := n.nodes[0].rd, n.snap.TableByID(n.table)
		ranges, points := n.command(), n.command()
		ranges.Keys = nil
		count := func(ranged bool) uint64 { return rd.latencyOf(table, ranged, rd.now()).samples.Load().Snapshot().Count }
		for _, c := range []struct {
			cmd            *mutation.ReadCommand
			points, ranges uint64
		}{{ranges, 0, 1}, {points, 1, 1}} {
			if _, err := n.read(0, c.cmd, ring.All); err != nil {
				t.Fatal(err)
			}
			if count(false) != c.points || count(true) != c.ranges {
				t.Errorf("%d of partitions and %d of ranges, want %d and %d", count(false), count(true), c.points, c.ranges)
			}
		}
	})
}

func TestNoHedge(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNet(t, []string{"a", "a", "a"}, nil)
		n.everywhere(nil)
		n.fault(1, fault{delay: -1})
		n.fault(2, fault{delay: -1})
		_, err := n.read(0, n.command(), ring.Quorum)
		if !errors.Is(err, &native.Error{Code: native.CodeReadTimeout}) || n.sends() != 2 && n.sends() != 1 {
			t.Fatalf("%v after %d requests", err, n.sends())
		}
	})
}

// TestNoReplicas: a keyspace may have none; nothing is read of it, at any level.
func TestNoReplicas(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNet(t, []string{"a"}, nil)
		n.place(0, map[string]int{"a": 0}, []cluster.ReplicaSet{{}})
		all := &mutation.ReadCommand{Table: n.table, Now: 100}
		for level := ring.One; level <= ring.LocalOne; level++ {
			for _, cmd := range []*mutation.ReadCommand{n.command(), all} {
				if _, err := n.read(0, cmd, level); !level.IsSerial() && !errors.Is(err, &native.Error{Code: native.CodeUnavailable}) {
					t.Errorf("%v: %v", level, err)
				}
			}
		}
	})
}

// TestStuckDisk: a read is answered by its deadline although the local replica's
// disk does not answer, and is not used again before that does.
func TestStuckDisk(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNet(t, []string{"a", "a", "a"}, nil)
		n.everywhere(nil)
		for i := range n.nodes {
			n.apply(i, n.row(1, 1, "v"))
		}
		stuck := make(chan struct{})
		n.nodes[0].store.BeforeRead = func(_ *mutation.ReadCommand, try bool) error {
			if try {
				return mutation.ErrWouldBlock
			}
			<-stuck
			return nil
		}
		all := &mutation.ReadCommand{Table: n.table, Now: 100}
		for _, read := range []func() (string, error){
			func() (string, error) { return n.start(0, n.command(), ring.All) },
			func() (string, error) { return n.read(0, n.command(), ring.All) },
			func() (string, error) { return n.read(0, all, ring.All) },
		} {
			_, err := read()
			var e *native.Error
			if !errors.As(err, &e) || e.Code != native.CodeReadTimeout || e.Received != 2 || e.Required != 3 {
				t.Errorf("%+v", err)
			}
		}
		if got, err := n.start(0, n.command(), ring.Quorum); !errors.Is(err, errLate) {
			t.Errorf("%q, %v", got, err) // nobody else is asked: the table's speculative_retry is NEVER
		}
		close(stuck)
		synctest.Wait()
		if got, err := n.start(0, n.command(), ring.All); err != nil || !strings.Contains(got, `="v"`) {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// TestLateRefusal: a replica that was asked to be sure and refuses while the
// pages of the others are brought together changes nothing: there are enough
// without it.
func TestLateRefusal(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNet(t, []string{"a", "a", "a"}, func(t *schema.Table) { t.Options.SpeculativeRetry = "ALWAYS" })
		n.everywhere(nil)
		n.onRepair = func() { clock.Real.Sleep(time.Second) }
		for i, read := range []func(int, *mutation.ReadCommand, ring.ConsistencyLevel) (string, error){n.read, n.start} {
			for late := 1; late < 3; late++ {
				value := fmt.Sprint("new", i, late)
				for replica := 1; replica < 3; replica++ {
					n.apply(replica, n.row(1, int64(2*i+late), value))
				}
				n.fault(late, fault{reply: &wire.Error{Code: wire.CodeStale, Epoch: 9}, delay: 100 * time.Millisecond})
				n.fault(3-late, fault{})
				if got, err := read(0, n.command(), ring.Quorum); err != nil || !strings.Contains(got, value) {
					t.Fatalf("%q, %v", got, err)
				}
			}
		}
		if e := n.nodes[0].epoch.Load(); e != 0 {
			t.Errorf("caught up to %d for a replica that was not needed", e)
		}
	})
}

// TestPagesAreOfAllThatThereIs: a store that leaves out old files, which a
// client would not notice, must not do so where replicas are compared.
func TestPagesAreOfAllThatThereIs(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNet(t, []string{"a", "a"}, nil)
		n.everywhere(nil)
		var reads atomic.Int32
		for i, node := range n.nodes {
			n.apply(i, n.row(1, 1, "v"))
			node.store.BeforeRead = func(cmd *mutation.ReadCommand, _ bool) error {
				if reads.Add(1); !cmd.Digest {
					t.Error("the store may leave out something")
				}
				return nil
			}
		}
		cmd := n.command()
		if got, err := n.start(0, cmd, ring.All); err != nil || !strings.Contains(got, `="v"`) || reads.Load() != 2 || cmd.Digest {
			t.Errorf("%q, %v, %d reads", got, err, reads.Load())
		}
	})
}

// TestStuckPeerDoesNotTakeAllReaders: so many wait for ranges of a peer that
// answers nothing, and the others are told at once.
func TestStuckPeerDoesNotTakeAllReaders(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNet(t, []string{"a", "a"}, nil)
		n.everywhere(nil)
		n.apply(0, n.row(1, 1, "v"))
		n.apply(1, n.row(1, 1, "v"))
		cmd := &mutation.ReadCommand{Table: n.table, Now: 100}
		read := func() error {
			_, err := n.read(0, cmd, ring.All)
			return err
		}
		n.fault(1, fault{delay: -1})
		errs := make(chan error, defaultWaiting)
		for range defaultWaiting {
			go func() { errs <- read() }()
		}
		synctest.Wait()
		clock.Real.Sleep(2 * stuckAfter)
		before := clock.Real.Mono()
		if err := read(); !errors.Is(err, &native.Error{Code: native.CodeOverloaded}) || clock.Real.Mono() != before {
			t.Errorf("%v after %v", err, clock.Real.Mono()-before)
		}
		if got, err := n.read(0, n.command(), ring.One); err != nil || got == "" {
			t.Errorf("%q, %v", got, err)
		}
		n.fault(1, fault{})
		for range defaultWaiting {
			if err := <-errs; !errors.Is(err, &native.Error{Code: native.CodeReadTimeout}) {
				t.Error(err)
			}
		}
		if err := read(); err != nil {
			t.Error(err)
		}
		if held := n.nodes[0].rd.peerOf(n.nodes[1].host).held.Load(); held != 0 {
			t.Errorf("%d are still held", held)
		}
	})
}
