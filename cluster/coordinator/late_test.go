package coordinator

import (
	"testing"
	"testing/synctest"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/wire"
)

// made is the second in which the hints and batches of these tests were made.
const made = 1_000

// A hint that comes when its only replica has purged a tombstone of its second
// or later is refused, and a part of a batch is left out.
func TestLateHint(t *testing.T) {
	for _, c := range []struct {
		name    string
		rf      string
		op      wire.Op
		purged  uint32
		want    wire.Code
		applied int
		late    uint64
	}{
		{"nothing is purged", "1", wire.OpHint, 0, 0, 1, 0},
		{"what is older is purged", "1", wire.OpHint, made - 1, 0, 1, 0},
		{"what is as old is purged", "1", wire.OpHint, made, wire.CodePurged, 0, 1},
		{"what is newer is purged", "1", wire.OpHint, made + 1, wire.CodePurged, 0, 1},
		{"more than one replica", "2", wire.OpHint, made + 1, 0, 1, 0},
		{"part of a batch", "1", wire.OpApply, made - 1, 0, 1, 0},
		{"part of a batch, late", "1", wire.OpApply, made, 0, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, simple(c.rf), memberAt(0, "dc1", "r1"), memberAt(1, "dc1", "r1"))
				for !f.holds(f.key) {
					f.key.Token += 1 << 50
				}
				f.store.Purged = c.purged
				body := wire.Apply{Hinted: made*1_000_000 + 999_999, Records: []mutation.Record{f.row(f.key, 1)}}
				a := f.asks()
				a.op, a.body = c.op, body.Append(nil)
				f.serve(a)
				synctest.Wait()
				if got := a.code(t); got != c.want {
					t.Errorf("%v, want %v", got, c.want)
				}
				if got := f.store.Applied(); got != c.applied {
					t.Errorf("%d records applied, want %d", got, c.applied)
				}
				if got := f.stats.Late.Value(); got != c.late {
					t.Errorf("%d counted, want %d", got, c.late)
				}
				f.settle()
			})
		})
	}
}

// Of a part of a batch nothing is left when it comes to a worker: its tombstone was
// purged while it waited. The store is not asked for nothing.
func TestLateOnAWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, simple("1"), memberAt(0, "dc1", "r1"), memberAt(1, "dc1", "r1"))
		for !f.holds(f.key) {
			f.key.Token += 1 << 50
		}
		f.store.BeforeApply = func(_ []mutation.Record, try bool) error {
			if !try {
				t.Error("the store is asked for what is late")
				return nil
			}
			f.store.Purged = made
			return mutation.ErrWouldBlock
		}
		body := wire.Apply{Hinted: made * 1_000_000, Records: []mutation.Record{f.row(f.key, 1)}}
		a := f.asks()
		a.body = body.Append(nil)
		f.serve(a)
		synctest.Wait()
		if got := a.code(t); got != 0 || f.stats.Late.Value() != 1 {
			t.Errorf("%v, %d counted", got, f.stats.Late.Value())
		}
		f.settle()
	})
}

// A batch that is written again leaves out what this node is the only replica
// of and has purged tombstones of that are not older. The others judge for
// themselves.
func TestLateBatch(t *testing.T) {
	for _, c := range []struct {
		name    string
		rf      string
		members int
		purged  uint32
		applied int // here
		sent    int
	}{
		{"alone", "1", 1, made - 1, 2, 0},
		{"alone, late", "1", 1, made, 0, 0},
		{"of three", "1", 3, made - 1, 1, 1},
		{"of three, late", "1", 3, made, 0, 1},
		{"more than one replica", "3", 3, made, 2, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, simple(c.rf), threeMembers()[:c.members]...)
				f.store.Purged = c.purged
				mine, other := f.key, f.key
				for !f.holds(mine) {
					mine.Token += 1 << 50
				}
				other.Token = mine.Token + 1
				for c.sent == 1 && f.holds(other) {
					other.Token += 1 << 50
				}
				records := []mutation.Record{f.row(mine, 1), f.row(other, 1)}
				for _, r := range records {
					r.SetEpoch(f.Schema().Epoch)
				}
				again := func(start func(w *cluster.Write) error) {
					t.Helper()
					o := newOutcome()
					w := &cluster.Write{Records: records, Consistency: ring.All, Created: made * 1_000_000, Done: o}
					if err := start(w); err != nil {
						t.Fatal(err)
					}
					if err := <-o.ch; err != nil {
						t.Error(err)
					}
					f.settle()
				}
				sent := func() (n int) {
					for _, p := range f.peers {
						n += len(p.messages())
					}
					return n
				}
				again(f.TryWrite)
				if f.store.Applied() != c.applied || sent() != c.sent {
					t.Errorf("%d records applied and %d sent, want %d and %d", f.store.Applied(), sent(), c.applied, c.sent)
				}
				// Planned before the tombstone went, and begun after it.
				again(f.newBatch)
				if f.store.Applied() != 2*c.applied || sent() != 2*c.sent {
					t.Errorf("%d records applied and %d sent in the end, want %d and %d", f.store.Applied(), sent(), 2*c.applied, 2*c.sent)
				}
				if got, want := f.stats.Late.Value() > 0, c.purged >= made && c.rf == "1"; got != want {
					t.Errorf("counted: %v", got)
				}
			})
		})
	}
}
