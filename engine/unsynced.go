package engine

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/ilion-db/ilion/commitlog"
	"github.com/ilion-db/ilion/internal/fail"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
)

// stripeBits is the logarithm of the number of counts: 64 KiB of them, so that
// with 64 writes on their way one partition in 256 shares a count with another
// that is written.
const stripeBits = 14

// unsynced counts, by token, the writes that readers may see and a power cut
// would take back: those between their place in the log and its sync. What a
// read has returned must not vanish, or a coordinator has counted a replica
// that does not have the write. There is one for all tables, and none in mode
// periodic, which promises less.
//
// A write is counted before it gets its place, so before it can be seen, and
// is no longer when it is durable. A read looks at the count after it has
// taken what a partition holds: if it is zero, all of that is durable. If the
// log fails the counts stay, since nobody knows any more.
type unsynced [1 << stripeBits]atomic.Int32

func (u *unsynced) of(t ring.Token) *atomic.Int32 { return &u[t.Ordered()>>(64-stripeBits)] }

// add counts records n times.
func (u *unsynced) add(records [][]byte, n int32) {
	if u == nil {
		return
	}
	for _, r := range records {
		u.of(mutation.Record(r).Token()).Add(n)
	}
}

// has tells whether there may be such a write of a partition with that token.
func (u *unsynced) has(t ring.Token) bool { return u != nil && u.of(t).Load() != 0 }

// awaitSync returns when everything that was written before is durable.
func (e *Engine) awaitSync(ctx context.Context) error {
	err := e.log.Sync(ctx)
	if errors.Is(err, commitlog.ErrFailed) {
		return fmt.Errorf("%w (%w)", ErrFailed, err)
	}
	return err
}

// durable makes sure that what the current partition is seen to hold survives
// a power cut, or sets the reader's error.
func (r *reader) durable() bool {
	// What comes from files alone is durable.
	if r.usedMem == 0 || !r.engine.unsynced.has(r.merge.Partition().Token) || fail.Mutant("show-unsynced") {
		return true
	}
	if r.memoryOnly {
		r.err = mutation.ErrWouldBlock
		return false
	}
	r.err = r.engine.awaitSync(r.ctx)
	return r.err == nil
}
