package cache

import (
	"runtime"
	"sync/atomic"
	"unsafe"
)

// A shard ought to have shardBytes, so that it has slabs of every class that
// matters.
const (
	maxShards  = 16
	shardBytes = 8 << 20
)

// MaxBlock is the largest block in bytes that the cache takes.
const MaxBlock = slabSize

// Cache holds blocks by (file, offset).
type Cache struct {
	pool   pool
	shards []shard // a power of two, by the limit that the cache began with
	shift  uint8
}

// Stats are counters of a cache since it was made, and its use now.
type Stats struct {
	Hits, Misses, Inserts, Evictions, Refused uint64
	Bytes                                     int64 // of slabs in use
	Limit                                     int64
	Blocks                                    int64
}

// New returns a cache that uses up to limit bytes for frames.
func New(limit int64) *Cache {
	c := &Cache{}
	c.pool.limit = limit / slabSize
	n := 1
	for c.shift = 64; n < maxShards && int64(n)*2*shardBytes <= limit; n *= 2 {
		c.shift--
	}
	c.shards = make([]shard, n)
	for i := range c.shards {
		c.shards[i].init(&c.pool)
	}
	return c
}

// Handle is a pinned block. The zero value is none.
type Handle struct {
	s *shard
	e *entry
}

// Valid tells whether there is a block.
func (h Handle) Valid() bool { return h.e != nil }

// Bytes are the block; they are valid until Release and are not to be changed
// once published.
func (h Handle) Bytes() []byte { return unsafe.Slice((*byte)(h.e.frame), h.e.size) }

// Release unpins the block. The handle must not be used again.
func (h Handle) Release() {
	if h.e != nil {
		h.e.pins.Add(-1)
	}
}

func hash(file, offset uint64) uint64 {
	x := file*0x9e3779b97f4a7c15 ^ offset*0xd6e8feb86659fd93
	x ^= x >> 32
	x *= 0xd6e8feb86659fd93
	return x ^ x>>29
}

func (c *Cache) shard(h uint64) *shard { return &c.shards[h>>c.shift] }

// Get returns the block, pinned, if it is there. It allocates nothing.
func (c *Cache) Get(file, offset uint64) (Handle, bool) {
	h := hash(file, offset)
	s := c.shard(h)
	e := s.lookup(h, file, offset)
	if e == nil {
		// The index may have been in motion.
		s.mu.Lock()
		e = s.lookup(h, file, offset)
		s.mu.Unlock()
	}
	if e == nil {
		s.misses.Add(1)
		return Handle{}, false
	}
	s.hits.Add(1)
	return Handle{s, e}, true
}

// Reserve returns a pinned frame of size bytes, which nobody else sees, to be
// filled and then published or discarded. It refuses if size is 0 or over
// MaxBlock or if everything that could make room is pinned.
func (c *Cache) Reserve(file, offset uint64, size int) (Handle, bool) {
	if size <= 0 || size > MaxBlock {
		return Handle{}, false
	}
	s := c.shard(hash(file, offset))
	s.mu.Lock()
	e := s.take(classOf(size))
	s.mu.Unlock()
	if e == nil {
		s.refused.Add(1)
		return Handle{}, false
	}
	e.size = uint32(size)
	// Until it is published it has a key that nobody asks for: a reader with an
	// old slot in its hand must not take half-filled bytes.
	e.file.Store(noFile)
	e.offset.Store(uint64(uintptr(e.frame)))
	e.freq.Store(0)
	e.pins.Store(1)
	return Handle{s, e}, true
}

// noFile is no file's id.
const noFile = ^uint64(0)

// Publish makes a reserved block visible, by the key that it was reserved for.
// It stays pinned. If another copy
// came first, that one stays visible and this one goes when it is released.
func (h Handle) Publish(file, offset uint64) {
	s, e := h.s, h.e
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inserts.Add(1)
	s.insert(e, file, offset)
}

// Discard gives a reserved frame back unpublished.
func (h Handle) Discard() {
	s, e := h.s, h.e
	s.mu.Lock()
	defer s.mu.Unlock()
	// A reader with an old slot may hold a pin for a few instructions.
	for !e.pins.CompareAndSwap(1, -1) {
		runtime.Gosched()
	}
	s.giveBack(e)
}

// SetLimit changes the limit and evicts what is over it and not pinned.
func (c *Cache) SetLimit(limit int64) {
	c.pool.setLimit(limit / slabSize)
	for moved := true; moved && c.pool.over(); {
		moved = false
		for i := range c.shards {
			s := &c.shards[i]
			s.mu.Lock()
			if c.pool.over() && s.dropSlab() {
				moved = true
			}
			s.mu.Unlock()
		}
	}
	c.pool.trim()
}

// Stats returns the counters.
func (c *Cache) Stats() Stats {
	st := Stats{}
	st.Bytes, st.Limit = c.pool.usage()
	for i := range c.shards {
		s := &c.shards[i]
		st.Hits += s.hits.Load()
		st.Misses += s.misses.Load()
		st.Inserts += s.inserts.Load()
		st.Evictions += s.evictions.Load()
		st.Refused += s.refused.Load()
		st.Blocks += s.blocks.Load()
	}
	return st
}

// Close gives all memory back. Nobody may hold a block or call again.
func (c *Cache) Close() {
	for i := range c.shards {
		c.shards[i].close()
	}
	c.pool.close()
}

// entry describes a frame. It lies off the heap and holds no Go pointer: frame
// points into a slab, which the pool keeps.
type entry struct {
	pins   atomic.Int32
	freq   atomic.Uint32
	file   atomic.Uint64
	offset atomic.Uint64
	frame  unsafe.Pointer
	size   uint32
	next   uint32 // in a queue or free list, as index + 1
	prev   uint32
	slab   uint32
	class  uint8
	queue  uint8
}

const entryLen = int(unsafe.Sizeof(entry{}))
