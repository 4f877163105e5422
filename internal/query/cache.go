package query

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/ilion-db/ilion/internal/invariant"
)

// cacheBuckets is how many chains statements are spread over; a power of two.
const cacheBuckets = 1 << 12

// cache has the prepared statements, bounded by bytes.
//
// Thread safety: get takes no lock; the links of chains are atomic and a
// statement that was taken out keeps its own, so that a reader on it goes on.
// Everything else is under mu.
//
// Invariants: a statement is in ring, in its chain and in bytes, or in none.
// The hand passes over statements used since it passed them last, so what goes
// is about the least recently used.
type cache struct {
	buckets [cacheBuckets]atomic.Pointer[statement]

	mu    sync.Mutex // protects what follows
	limit int64
	bytes int64
	ring  []*statement
	hand  int
}

func newCache(limit int64) *cache { return &cache{limit: limit} }

func (c *cache) bucket(id [16]byte) *atomic.Pointer[statement] {
	return &c.buckets[binary.LittleEndian.Uint32(id[:])&(cacheBuckets-1)]
}

// get returns a statement or nil.
func (c *cache) get(id [16]byte) *statement {
	for st := c.bucket(id).Load(); st != nil; st = st.next.Load() {
		if st.id == id {
			if !st.used.Load() {
				st.used.Store(true)
			}
			return st
		}
	}
	return nil
}

// add puts a statement in, or returns the one that is there under its id, and
// says how many had to go.
func (c *cache) add(st *statement) (_ *statement, evicted int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.get(st.id); old != nil {
		return old, 0
	}
	b := c.bucket(st.id)
	st.next.Store(b.Load())
	b.Store(st)
	st.used.Store(true)
	c.ring = append(c.ring, st)
	c.bytes += st.size()
	for c.bytes > c.limit && len(c.ring) > 1 {
		if c.hand >= len(c.ring) {
			c.hand = 0
		}
		old := c.ring[c.hand]
		// The newcomer has not had its chance yet.
		if old == st || old.used.Swap(false) {
			c.hand++
			continue
		}
		c.removeAt(c.hand)
		evicted++
	}
	return st, evicted
}

// remove takes a statement out and tells whether it was in.
func (c *cache) remove(st *statement) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, o := range c.ring {
		if o == st {
			c.removeAt(i)
			return true
		}
	}
	return false
}

func (c *cache) removeAt(i int) {
	st := c.ring[i]
	last := len(c.ring) - 1
	c.ring[i], c.ring[last] = c.ring[last], nil
	c.ring = c.ring[:last]
	c.bytes -= st.size()
	invariant.Check(c.bytes >= 0 && (c.bytes == 0) == (last == 0), "query: %d statements have %d bytes", last, c.bytes)
	at := c.bucket(st.id)
	for at.Load() != st {
		at = &at.Load().next
	}
	at.Store(st.next.Load())
}

// all lists the statements.
func (c *cache) all() []*statement {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*statement(nil), c.ring...)
}

// usage is how many statements there are and how many bytes they take.
func (c *cache) usage() (n int, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.ring), c.bytes
}
