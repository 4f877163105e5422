package memtable

import (
	"sync/atomic"
	"unsafe"
)

const (
	pageHeads = 256
	firstBits = 4
	// maxLoad is the number of partitions for each slot at which a directory
	// doubles.
	maxLoad = 1
	// maxList is the length of a slot's list from which its partitions move to
	// a tree. At load 1 a list of a uniform hash reaches it about never.
	maxList = 28
	// crowded marks such a slot.
	crowded = tag
)

// directory holds the heads of the slots of one shard. It is immutable but for
// the heads; doubling makes a new one.
type directory struct {
	bits  uint // of a slot's number, those of the shard included
	first uint64
	pages []ref
	heads int // of each page
}

func (d *directory) slotOf(token uint64) uint64 { return token >> (64 - d.bits) }

// slots is the number of slots of the shard.
func (d *directory) slots() int { return len(d.pages) * d.heads }

func (d *directory) end() uint64 { return d.first + uint64(d.slots()) }

func (d *directory) head(a *arena, slot uint64) *uint32 {
	i := int(slot - d.first)
	return u32(a.at(d.pages[i/d.heads]), uintptr(i%d.heads)*4)
}

func newDirectory(s *space, bits uint, first uint64, slots int) *directory {
	d := &directory{bits: bits, first: first, heads: min(slots, pageHeads)}
	for range slots / d.heads {
		p := s.get(d.heads * 4)
		clear(bytesAt(s.arena.at(p), 0, d.heads*4))
		d.pages = append(d.pages, p)
	}
	return d
}

// doubled returns a directory of twice the slots over the same lists and
// retires the pages of d.
func (d *directory) doubled(s *space) *directory {
	n := newDirectory(s, d.bits+1, d.first*2, d.slots()*2)
	for slot := d.first; slot < d.end(); slot++ {
		h := *d.head(s.arena, slot)
		*n.head(s.arena, 2*slot) = h
		*n.head(s.arena, 2*slot+1) = h
	}
	for _, p := range d.pages {
		s.retire(p, d.heads*4)
	}
	return n
}

// halves returns directories of the lower and the upper half of the slots.
func (d *directory) halves() (low, high *directory) {
	k := len(d.pages) / 2
	low = &directory{bits: d.bits, first: d.first, pages: d.pages[:k:k], heads: d.heads}
	high = &directory{bits: d.bits, first: d.first + uint64(k*d.heads), pages: d.pages[k:], heads: d.heads}
	return low, high
}

// Offsets of a partition.
const (
	offNext        = 0
	offState       = 4
	partitionToken = 8 // in front of it
)

func (a *arena) token(p ref) uint64 {
	return *(*uint64)(unsafe.Add(a.at(p), -partitionToken))
}

func (a *arena) next(p ref) ref { return ref(atomic.LoadUint32(u32(a.at(p), offNext))) }

// comparePartition orders a partition against a place.
func (a *arena) comparePartition(p ref, w *place) int {
	switch t := a.token(p); {
	case t < w.head:
		return -1
	case t > w.head:
		return 1
	}
	k := place{key: a.key(p)}
	w2 := place{key: w.key}
	return k.compare(&w2)
}

// lookup returns the partition at the place, 0 if there is none.
func (a *arena) lookup(d *directory, crowd *crowd, w *place) ref {
	h := ref(atomic.LoadUint32(d.head(a, d.slotOf(w.head))))
	if h == crowded {
		return a.find(ref(crowd.root.Load()), w)
	}
	for h != 0 {
		if c := a.comparePartition(h, w); c >= 0 {
			if c == 0 {
				return h
			}
			return 0
		}
		h = a.next(h)
	}
	return 0
}
