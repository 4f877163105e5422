package replicaread

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/mutation/mutationtest"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/wire"
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
