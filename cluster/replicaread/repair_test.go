package replicaread

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/mutation/mutationtest"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// TestRepairSendsWhatDiffers looks at the records that bring replicas what they
// lack.
func TestRepairSendsWhatDiffers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNet(t, []string{"a", "a", "a"}, nil)
		n.everywhere(nil)
		for i := range n.nodes {
			for row := range 10 {
				n.apply(i, n.row(row, 1, "same"))
			}
		}
		n.apply(0, n.row(3, 2, "newer"))
		n.apply(1, n.row(5, 2, "other"))
		var b mutation.Builder
		b.Begin(nil, mutation.Header{Table: n.table, Timestamp: 5, Token: oneKey.Token, Key: oneKey.Key})
		b.DeleteRange(mutationtest.BoundOf(7, false), mutationtest.BoundOf(8, true), mutation.Deletion{Timestamp: 5, LocalTime: 50, Set: true})
		b.DeleteRange(mutationtest.BoundOf(20, false), mutationtest.BoundOf(30, true), mutation.Deletion{Timestamp: 5, LocalTime: 50, Set: true})
		n.apply(2, b.Finish())
		got, err := n.read(0, n.command(), ring.All)
		if err != nil || !strings.Contains(got, "newer") || !strings.Contains(got, "other") || strings.Count(got, "same") != 6 {
			t.Fatalf("%s, %v", got, err)
		}
		rows := map[int][]string{}
		for _, r := range n.repair {
			if r.record.Origin() != mutation.FromReadRepair {
				t.Error("not marked as a read repair")
			}
			e := r.record.Entries()
			for e.Next() {
				place := e.Clustering
				if e.Kind == mutation.EntryRangeDeletion {
					place = e.Start
				}
				rows[r.to] = append(rows[r.to], fmt.Sprintf("%d %x", e.Kind, place))
			}
		}
		row := func(i int) string { return fmt.Sprintf("%d %x", mutation.EntryRow, mutationtest.Clustering(i)) }
		cut := fmt.Sprintf("%d %x", mutation.EntryRangeDeletion, mutationtest.Clustering(7))
		// The deletion of 20 to 30 shadows nothing and goes nowhere.
		want := map[int][]string{1: {row(3), cut}, 2: {row(3), row(5)}}
		for i := 1; i < 3; i++ {
			if !slices.Equal(rows[i], want[i]) {
				t.Errorf("node %d got %v, want %v", i, rows[i], want[i])
			}
		}
		// Each replica alone has the same now, and nothing is left to repair.
		n.repair = nil
		for i := range n.nodes {
			src, err := n.nodes[i].store.Read(context.Background(), n.command())
			if err != nil {
				t.Fatal(err)
			}
			if alone := live(t, src, n.command()); alone != got {
				t.Errorf("node %d has\n%s", i, alone)
			}
		}
		if again, err := n.read(1, n.command(), ring.All); err != nil || again != got || len(n.repair) > 0 {
			t.Errorf("%d repairs, %v", len(n.repair), err)
		}
	})
}

// TestRepairMustBeAcknowledged: what no quorum holds is not given out.
func TestRepairMustBeAcknowledged(t *testing.T) {
	for option, code := range map[string]native.ErrorCode{"BLOCKING": native.CodeReadTimeout, "NONE": 0} {
		t.Run(option, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				n := newNet(t, []string{"a", "a"}, func(o *schema.Table) { o.Options.ReadRepair = option })
				n.everywhere(nil)
				n.apply(0, n.row(1, 1, "v"))
				n.nodes[1].store.BeforeApply = func([]mutation.Record, bool) error { return errors.New("refused") }
				got, err := n.start(0, n.command(), ring.All)
				if code == 0 {
					if err != nil || !strings.Contains(got, `="v"`) {
						t.Fatalf("%q, %v", got, err)
					}
					return
				}
				var e *native.Error
				if !errors.As(err, &e) || e.Code != code {
					t.Fatal(err)
				}
			})
		})
	}
}

// TestRefusedRepair: a replica that answers and does not take what it lacks, since
// its disk is full, is replaced by another one.
func TestRefusedRepair(t *testing.T) {
	full := errors.New("the disk is full")
	setUp := func(t *testing.T, refuse ...int) *testNet {
		n := newNet(t, []string{"a", "a", "a"}, nil)
		n.everywhere(nil)
		for _, i := range refuse {
			n.nodes[i].store.BeforeApply = func([]mutation.Record, bool) error { return full }
		}
		n.nodes[0].rd.peerOf(n.nodes[2].host).latency.Store(int64(time.Second)) // it is asked last
		return n
	}
	both := func(n *testNet, f func(got string, err error)) {
		f(n.read(0, n.command(), ring.Quorum))
		f(n.start(0, n.command(), ring.Quorum))
	}
	for lacks := range 2 {
		inBubble(t, func(t *testing.T) {
			n := setUp(t, lacks)
			n.apply(1-lacks, n.row(1, 1, "v"))
			n.apply(2, n.row(2, 1, "v"))
			both(n, func(got string, err error) {
				if err != nil || strings.Count(got, `="v"`) != 2 {
					t.Errorf("without node %d: %q, %v", lacks, got, err)
				}
			})
		})
	}
	// Where nobody is left who does, it is an error.
	inBubble(t, func(t *testing.T) {
		n := setUp(t, 1, 2)
		n.apply(0, n.row(1, 1, "v"))
		both(n, func(got string, err error) {
			var e *native.Error
			if !errors.As(err, &e) || e.Code != native.CodeReadTimeout || e.Received != 1 || e.Required != 2 {
				t.Errorf("%q, %+v", got, err)
			}
		})
		if len(n.repair) != 4 {
			t.Errorf("%d repairs were sent", len(n.repair))
		}
	})
}

// TestRefusalBeforeAFailedRepair: a replica that was asked to be sure and refuses
// for its epoch while another is being repaired is needed when that one does not
// take the repair. The read is then made again at that epoch.
func TestRefusalBeforeAFailedRepair(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNet(t, []string{"a", "a", "a"}, func(t *schema.Table) { t.Options.SpeculativeRetry = "ALWAYS" })
		n.everywhere(nil)
		reader, late := n.nodes[0], n.nodes[2]
		reader.rd.peerOf(late.host).latency.Store(int64(time.Second)) // it is asked last
		n.apply(0, n.row(1, 1, "v"))
		n.onRepair = func() { clock.Real.Sleep(time.Second) }
		n.nodes[1].store.BeforeApply = func([]mutation.Record, bool) error { return errors.New("the disk is full") }
		n.fault(2, fault{delay: 100 * time.Millisecond})
		for i, read := range []func(int, *mutation.ReadCommand, ring.ConsistencyLevel) (string, error){n.read, n.start} {
			at := uint64(5 + i)
			fence := func(epoch uint64) *wire.Error {
				if epoch >= at {
					return nil
				}
				return &wire.Error{Code: wire.CodeStale, Epoch: at}
			}
			late.fence.Store(&fence)
			if got, err := read(0, n.command(), ring.Quorum); err != nil || !strings.Contains(got, `="v"`) {
				t.Errorf("%q, %v", got, err)
			}
			if e := reader.epoch.Load(); e != at {
				t.Errorf("the read was made at epoch %d, want %d", e, at)
			}
		}
	})
}

// TestReplicasThatHoldAreCounted: one that takes none of several repairs is one that
// does not hold what was read.
func TestReplicasThatHoldAreCounted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNet(t, []string{"a", "a", "a"}, nil)
		n.everywhere(nil)
		for i := range 3 {
			n.apply(0, n.row(i, 1, strings.Repeat("v", maxRepair*2/3)))
		}
		n.nodes[1].store.BeforeApply = func([]mutation.Record, bool) error { return errors.New("refused") }
		_, err := n.read(0, n.command(), ring.All)
		var e *native.Error
		if !errors.As(err, &e) || e.Code != native.CodeReadTimeout || e.Received != 2 || e.Required != 3 {
			t.Errorf("%+v", err)
		}
		if len(n.repair) < 4 {
			t.Errorf("%d repairs of two replicas: none has had several", len(n.repair))
		}
	})
}

// TestRepairThatCannotBeSent: a read that needs a replica which a row is too long
// for fails at once, and the log tells which table that is in.
func TestRepairThatCannotBeSent(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNet(t, []string{"a", "a", "a"}, nil)
		n.everywhere(nil)
		n.apply(0, n.row(1, 1, "v"))
		var log strings.Builder
		n.nodes[0].rd.cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
		for i := 1; i < 3; i++ {
			n.nodes[i].store.BeforeApply = func([]mutation.Record, bool) error { return rpc.ErrTooLarge }
		}
		began := time.Now()
		for range 3 {
			_, err := n.start(0, n.command(), ring.Quorum)
			var e *native.Error
			if !errors.As(err, &e) || e.Code != native.CodeReadTimeout || e.Received != 1 || e.Required != 2 {
				t.Fatalf("%+v", err)
			}
		}
		// Time is virtual here.
		if took := time.Since(began); took > 0 {
			t.Errorf("the errors took %v", took)
		}
		table := n.snap.TableByID(n.table)
		if strings.Count(log.String(), "does not take") != 1 || !strings.Contains(log.String(), "table="+table.Keyspace+"."+table.Name) {
			t.Error(log.String())
		}
		n.nodes[2].store.BeforeApply = nil
		n.apply(2, n.row(1, 1, "v"))
		if got, err := n.start(0, n.command(), ring.Quorum); err != nil || !strings.Contains(got, `="v"`) {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// TestRepairOfAChangedTableIsRefused: a read that was planned before the table
// changed, by TRUNCATE maybe, brings nothing back, and is made again.
func TestRepairOfAChangedTableIsRefused(t *testing.T) {
	for _, local := range []bool{false, true} {
		inBubble(t, func(t *testing.T) {
			n := newNet(t, []string{"a", "a"}, nil)
			n.everywhere(nil)
			n.apply(0, n.row(1, 1, "v"))
			var changed, refused atomic.Bool
			fence := func(epoch uint64) *wire.Error {
				if epoch >= 5 || !changed.Load() {
					return nil
				}
				refused.Store(true)
				return &wire.Error{Code: wire.CodeStale, Epoch: 5}
			}
			other := n.nodes[1]
			other.fence.Store(&fence)
			other.store.BeforeApply = func([]mutation.Record, bool) error {
				if other.store.Applied() == 0 && !refused.Load() {
					t.Error("brought a record that was planned before the change")
				}
				return nil
			}
			// Both have answered at the epoch before when the table changes.
			n.onRepair = func() { changed.Store(true) }
			at := 0
			if local {
				at = 1
			}
			got, err := n.start(at, n.command(), ring.All)
			if err != nil || !strings.Contains(got, `="v"`) {
				t.Fatalf("%q, %v", got, err)
			}
			if !refused.Load() || other.store.Applied() != 1 || n.nodes[at].epoch.Load() != 5 {
				t.Errorf("refused %v, %d records, epoch %d", refused.Load(), other.store.Applied(), n.nodes[at].epoch.Load())
			}
		})
	}
}

// TestPeersAreRepairedFirst: what peers lack is on its way before the local
// store, which may keep its caller waiting, is asked to take what it lacks.
func TestPeersAreRepairedFirst(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNet(t, []string{"a", "a", "a"}, nil)
		n.everywhere(nil)
		for i := range n.nodes {
			n.apply(i, n.row(i, 1, "v"))
		}
		before := -1
		n.nodes[0].store.BeforeApply = func([]mutation.Record, bool) error {
			n.mu.Lock()
			defer n.mu.Unlock()
			before = len(n.repair)
			return nil
		}
		got, err := n.start(0, n.command(), ring.All)
		if err != nil || strings.Count(got, `="v"`) != 3 {
			t.Fatalf("%q, %v", got, err)
		}
		if before != 2 {
			t.Errorf("%d of 2 peers were sent what they lack before", before)
		}
	})
}

// TestLocalRepairOnAStuckDisk: a read is answered by its deadline although the
// local store does not acknowledge what it lacked.
func TestLocalRepairOnAStuckDisk(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNet(t, []string{"a", "a"}, nil)
		n.everywhere(nil)
		stuck := make(chan func(), 2)
		n.nodes[0].store.Acknowledge = func(done func()) { stuck <- done }
		for i, read := range []func(int, *mutation.ReadCommand, ring.ConsistencyLevel) (string, error){n.start, n.read} {
			n.apply(1, n.row(i, 1, "v"))
			_, err := read(0, n.command(), ring.All)
			var e *native.Error
			if !errors.As(err, &e) || e.Code != native.CodeReadTimeout || e.Received != 1 || e.Required != 2 {
				t.Errorf("%+v", err)
			}
		}
		for range cap(stuck) {
			(<-stuck)()
		}
		if got, err := n.start(0, n.command(), ring.All); err != nil || strings.Count(got, `="v"`) != 2 {
			t.Errorf("%q, %v", got, err)
		}
	})
}
