package cache

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/mem"
)

const (
	chunkBytes   = 64 << 10
	chunkEntries = chunkBytes / entryLen
)

type chunk [chunkEntries]entry

type queueID = uint8

const (
	queueNone queueID = iota
	queueSmall
	queueMain
)

// queue is a list of entries; new ones come in at the head.
type queue struct {
	head, tail uint32
	len        int
}

type class struct {
	free  uint32 // list of free frames
	slabs int
	small queue
	main  queue
	taken uint32 // frames taken lately, halved from time to time
}

// table is the open-addressed index: slots hold an entry's index + 1.
type table struct {
	mask  uint64
	slots []atomic.Uint32
}

type heldSlab struct {
	slab
	class   int // -1 when given back
	entries []uint32
}

type shard struct {
	pool   *pool
	index  atomic.Pointer[table]
	chunks atomic.Pointer[[]*chunk]

	mu      sync.Mutex // protects everything below, and all writing of index
	count   int        // entries in the index
	total   int        // entries made
	unused  []uint32   // entries without a frame
	classes [len(classes)]class
	slabs   []heldSlab
	ghosts  []uint32 // fingerprints of evicted blocks
	tick    uint32

	hits, misses, inserts, evictions, refused atomic.Uint64
	blocks                                    atomic.Int64
}

func (s *shard) init(p *pool) {
	s.pool = p
	s.chunks.Store(&[]*chunk{})
	s.index.Store(newTable(64))
	s.ghosts = make([]uint32, 64)
}

func newTable(n int) *table { return &table{uint64(n - 1), make([]atomic.Uint32, n)} }

func (s *shard) entry(i uint32) *entry {
	return &(*s.chunks.Load())[i/uint32(chunkEntries)][i%uint32(chunkEntries)]
}

// lookup finds and pins the block. Without the lock it may fail to see a
// block that is there, never the other way round.
func (s *shard) lookup(h, file, offset uint64) *entry {
	t := s.index.Load()
	for i, n := h&t.mask, uint64(0); n <= t.mask; i, n = (i+1)&t.mask, n+1 {
		v := t.slots[i].Load()
		if v == 0 {
			return nil
		}
		e := s.entry(v - 1)
		if e.offset.Load() != offset || e.file.Load() != file {
			continue
		}
		if !e.pin() {
			return nil
		}
		if e.offset.Load() != offset || e.file.Load() != file {
			e.pins.Add(-1)
			return nil
		}
		if f := e.freq.Load(); f < 3 {
			e.freq.Store(f + 1)
		}
		return e
	}
	return nil
}

func (e *entry) pin() bool {
	for {
		p := e.pins.Load()
		if p < 0 {
			return false
		}
		if e.pins.CompareAndSwap(p, p+1) {
			return true
		}
	}
}

// take returns a frame of class c with pins < 0, in no queue and not in the
// index, or nil. The caller holds mu.
func (s *shard) take(c int) *entry {
	k := &s.classes[c]
	k.taken++
	if s.tick++; s.tick%32 == 0 {
		s.rebalance(c)
	}
	if k.free == 0 && !s.addSlab(c) && !s.evict(c) && !s.steal(c, 1) {
		return nil
	}
	if k.free == 0 {
		return nil
	}
	e := s.entry(k.free - 1)
	k.free = e.next
	e.next = 0
	return e
}

// addSlab takes a slab from the pool for class c.
func (s *shard) addSlab(c int) bool {
	sl, ok := s.pool.take()
	if !ok {
		return false
	}
	return s.useSlab(sl, c)
}

func (s *shard) useSlab(sl slab, c int) bool {
	size := classes[c]
	n := slabSize / size
	for len(s.unused) < n {
		if !s.addChunk() {
			s.pool.put(sl)
			return false
		}
	}
	h := heldSlab{slab: sl, class: c, entries: make([]uint32, n)}
	no := len(s.slabs)
	for i := range s.slabs {
		if s.slabs[i].class < 0 {
			no = i
			break
		}
	}
	if no == len(s.slabs) {
		s.slabs = append(s.slabs, h)
	} else {
		s.slabs[no] = h
	}
	k := &s.classes[c]
	k.slabs++
	for i := range n {
		id := s.unused[len(s.unused)-1]
		s.unused = s.unused[:len(s.unused)-1]
		h.entries[i] = id
		e := s.entry(id)
		e.frame = unsafe.Pointer(&sl.mem[i*size])
		e.class, e.slab = uint8(c), uint32(no)
		e.next, k.free = k.free, id+1
	}
	return true
}

// addChunk makes entries and keeps the index at most half full.
func (s *shard) addChunk() bool {
	b, err := mem.Map(chunkBytes)
	if err != nil {
		return false
	}
	old := *s.chunks.Load()
	list := append(old[:len(old):len(old)], (*chunk)(unsafe.Pointer(unsafe.SliceData(b))))
	s.chunks.Store(&list)
	for i := range chunkEntries {
		id := uint32(s.total + i)
		s.entry(id).pins.Store(-1)
		s.unused = append(s.unused, id)
	}
	s.total += chunkEntries
	size := len(s.index.Load().slots)
	for size < 2*s.total {
		size *= 2
	}
	s.rehash(size)
	return true
}

func (s *shard) rehash(size int) {
	old := s.index.Load()
	if size == len(old.slots) {
		return
	}
	t := newTable(size)
	for i := range old.slots {
		if v := old.slots[i].Load(); v != 0 {
			t.put(s.entry(v-1).hash(), v)
		}
	}
	s.index.Store(t)
	s.ghosts = make([]uint32, size/2)
}

func (e *entry) hash() uint64 { return hash(e.file.Load(), e.offset.Load()) }

func (t *table) put(h uint64, v uint32) {
	i := h & t.mask
	for t.slots[i].Load() != 0 {
		i = (i + 1) & t.mask
	}
	t.slots[i].Store(v)
}

// remove takes an entry out of the index and closes the gap.
func (s *shard) remove(h uint64, v uint32) {
	t := s.index.Load()
	i := h & t.mask
	for t.slots[i].Load() != v {
		invariant.Check(t.slots[i].Load() != 0, "cache: entry %d is not in the index", v)
		i = (i + 1) & t.mask
	}
	for j := (i + 1) & t.mask; ; j = (j + 1) & t.mask {
		w := t.slots[j].Load()
		if w == 0 {
			break
		}
		home := s.entry(w-1).hash() & t.mask
		if (j-home)&t.mask >= (j-i)&t.mask {
			t.slots[i].Store(w)
			i = j
		}
	}
	t.slots[i].Store(0)
	s.count--
	s.blocks.Add(-1)
}

// insert makes a reserved entry visible.
func (s *shard) insert(e *entry, file, offset uint64) {
	h := hash(file, offset)
	t := s.index.Load()
	i := h & t.mask
	for {
		w := t.slots[i].Load()
		if w == 0 {
			break
		}
		if o := s.entry(w - 1); o.offset.Load() == offset && o.file.Load() == file {
			// The other copy stays. This one keeps the key that nobody asks for
			// until it is evicted.
			s.insert(e, e.file.Load(), e.offset.Load())
			return
		}
		i = (i + 1) & t.mask
	}
	e.offset.Store(offset)
	e.file.Store(file)
	t.slots[i].Store(s.number(e))
	s.count++
	s.blocks.Add(1)
	k := &s.classes[e.class]
	fp := uint32(h>>32) | 1
	if g := &s.ghosts[h&uint64(len(s.ghosts)-1)]; *g == fp {
		*g = 0
		s.push(&k.main, queueMain, e)
	} else {
		s.push(&k.small, queueSmall, e)
	}
}

// number is an entry's index + 1, found through its slab.
func (s *shard) number(e *entry) uint32 {
	sl := &s.slabs[e.slab]
	at := uintptr(e.frame) - uintptr(unsafe.Pointer(unsafe.SliceData(sl.mem)))
	return sl.entries[int(at)/classes[e.class]] + 1
}

func (s *shard) giveBack(e *entry) {
	k := &s.classes[e.class]
	e.next, k.free = k.free, s.number(e)
}

func (s *shard) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range *s.chunks.Load() {
		unmap(unsafe.Slice((*byte)(unsafe.Pointer(c)), chunkBytes))
	}
	s.chunks.Store(&[]*chunk{})
	s.index.Store(newTable(64))
	s.slabs, s.unused, s.total, s.count = nil, nil, 0, 0
	s.classes = [len(classes)]class{}
}
