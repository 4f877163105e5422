package engine

import (
	"math"
	"sync"

	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// SetPurgeBound allows tombstones of the range whose local time is at or below
// localTime to be purged, once the table's grace period is over, too. From the
// first call on nothing of the table is purged but under such a bound; with
// Options.ExplicitPurge and more than one replica, from the start. A bound is
// never lowered: that of a partition is the largest of the ranges that hold it.
func (e *Engine) SetPurgeBound(table schema.TableID, r mutation.PartitionRange, localTime uint32) error {
	t, err := e.table(table)
	if err != nil {
		return err
	}
	t.purge.set(r, localTime)
	wake(e.compactWake)
	return nil
}

// PurgedTo is the highest local time, in seconds, of what has been purged of the
// table or is being purged by a task that runs, 0 if there is none. What was
// written up to that second and comes only now may have been deleted by it.
func (e *Engine) PurgedTo(table schema.TableID) uint32 {
	// The tasks first: one that ends meanwhile is in the manifest by then.
	return max(e.purgingTo(table), e.manifest.PurgedTo(table))
}

// purgingTo is PurgedTo for the tasks that run.
func (e *Engine) purgingTo(table schema.TableID) (to uint32) {
	e.compactMu.Lock()
	defer e.compactMu.Unlock()
	for _, k := range e.tasks {
		if k.table.id == table {
			to = max(to, k.purgingTo)
		}
	}
	return to
}

// willPurge announces that the task purges tombstones up to that local time. It
// is called before the task looks for what they may shadow.
func (k *task) willPurge(to uint32) {
	e := k.table.engine
	e.compactMu.Lock()
	defer e.compactMu.Unlock()
	k.purgingTo = to
}

// maxBounds is how many ranges a table keeps bounds for; then the lowest goes,
// and what it allowed waits for the next call.
const maxBounds = 4096

// purgeBounds are the bounds of a table's ranges.
type purgeBounds struct {
	mu       sync.Mutex // protects the rest
	explicit bool       // nothing goes but under a bound
	bounds   []purgeBound
}

type purgeBound struct {
	first, last ring.Token // whole tokens that the range holds
	time        uint32
}

// wait makes purging wait for bounds.
func (b *purgeBounds) wait() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.explicit = true
}

// replicated tells whether other nodes may have replicas of a keyspace's tables.
func replicated(ks *schema.Keyspace) bool {
	s, err := ring.ParseStrategy(ks.Replication)
	return err != nil || s.RF() > 1
}

func (b *purgeBounds) set(r mutation.PartitionRange, time uint32) {
	n := purgeBound{math.MinInt64, math.MaxInt64, time}
	if r.Start != nil {
		n.first = r.Start.Token
		if r.Start.Key != nil || r.Start.After {
			n.first++ // the part of a token that the range holds is left out
			if n.first == math.MinInt64 {
				return
			}
		}
	}
	if r.End != nil {
		n.last = r.End.Token
		if r.End.Key != nil || !r.End.After {
			n.last--
			if n.last == math.MaxInt64 {
				return
			}
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.explicit = true
	lowest := 0
	for i := range b.bounds {
		x := &b.bounds[i]
		if x.first == n.first && x.last == n.last {
			x.time = max(x.time, n.time)
			return
		}
		if x.time < b.bounds[lowest].time {
			lowest = i
		}
	}
	if len(b.bounds) >= maxBounds {
		b.bounds[lowest] = n
		return
	}
	b.bounds = append(b.bounds, n)
}

// before is the time below which tombstones of all tokens from first to last
// may go, given that the grace period ends at grace.
func (b *purgeBounds) before(first, last ring.Token, grace uint32) uint32 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.explicit {
		return grace
	}
	bound := uint32(0)
	for _, x := range b.bounds {
		if x.first <= first && last <= x.last {
			// At or below the bound is below the next second.
			bound = max(bound, min(x.time, math.MaxUint32-1)+1)
		}
	}
	return min(bound, grace)
}
