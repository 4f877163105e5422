package engine

import (
	"sync/atomic"

	"github.com/ilion-db/ilion/internal/invariant"
)

// refs counts the users of something that ends when the last one lets go. It
// starts with one user, its owner.
type refs struct{ n atomic.Int32 }

func (r *refs) init() { r.n.Store(1) }

// tryAcquire adds a user unless the thing has ended.
func (r *refs) tryAcquire() bool {
	for {
		n := r.n.Load()
		if n == 0 {
			return false
		}
		if r.n.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// acquire adds a user; the caller is or holds one already.
func (r *refs) acquire() {
	n := r.n.Add(1)
	invariant.Check(n > 1, "engine: reference taken to something that has ended")
}

// release drops a user and reports whether it was the last.
func (r *refs) release() bool {
	n := r.n.Add(-1)
	invariant.Check(n >= 0, "engine: reference released twice")
	return n == 0
}
