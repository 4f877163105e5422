package hlc

import (
	"sync/atomic"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/ring"
)

// stripes is how many newest stamps are kept, 128 KiB of them. Writes of
// different partitions meet in a stripe once in stripes; it matters only if
// they are stamped and arrive in different orders.
const stripes = 1 << 14

// Newest keeps the newest server stamps that a replica has met, by token.
type Newest struct {
	stamps [stripes]atomic.Int64
}

// NewNewest starts with floor everywhere: no stamp met before a restart is
// above it.
func NewNewest(floor int64) *Newest {
	n := new(Newest)
	for i := range n.stamps {
		n.stamps[i].Store(floor)
	}
	return n
}

// Meet notes the stamp of a write of a partition with that token. If one that
// is not older was met before, it is returned, and newer is true.
func (n *Newest) Meet(token ring.Token, stamp int64) (newest int64, newer bool) {
	s := &n.stamps[uint64(token)%stripes]
	if raise(s, stamp) {
		return stamp, false
	}
	newest = s.Load()
	invariant.Check(newest >= stamp, "hlc: the newest stamp is older than one that was met")
	return newest, true
}
