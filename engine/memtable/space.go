package memtable

import (
	"math/bits"
	"unsafe"

	"github.com/ilion-db/ilion/mutation"
)

const (
	smallClass  = 16
	smallMax    = 1024
	smallN      = smallMax / smallClass
	classes     = smallN + 1 + 8*(21-10) // up to 1 MiB
	maxLimbo    = 1 << 16
	advanceRate = 32 // retired pieces between attempts to advance the epoch
)

// space allocates pieces for the writers of one shard, under their lock.
type space struct {
	arena  *arena
	epochs *epochs

	next, end  ref // what is left of the current chunk
	chunk      int // size of the last chunk
	taken      int // bytes of all chunks
	txn        uint64
	free       [classes]ref
	pending    []piece // unlinked by the transaction that runs
	limbo      []piece // unlinked, in the order of epochs
	limboStart int
	sinceTry   int
	lost       int64 // bytes not kept track of since limbo was full

	run run
	rec mutation.Reconciler
	buf []byte
}

type piece struct {
	at    ref
	size  uint32
	epoch uint64
}

// class returns the class of a size and the size of its pieces.
func class(n int) (int, int) {
	if n <= smallMax {
		c := (n + smallClass - 1) / smallClass
		return c, c * smallClass
	}
	// 8 classes for each power of two.
	shift := bits.Len(uint(n-1)) - 4
	n = (n + 1<<shift - 1) >> shift
	if n == 16 {
		n, shift = 8, shift+1
	}
	return smallN + 1 + (shift-7)*8 + n - 8, n << shift
}

// get returns a piece of n bytes, which are not zeroed.
func (s *space) get(n int) ref {
	if n > hugePiece {
		r := s.arena.grow((n + minChunk - 1) &^ (minChunk - 1))
		if r == 0 { // 0 names no piece
			q := s.arena.grow((n + minChunk - 1) &^ (minChunk - 1))
			s.arena.release(r)
			return q
		}
		return r
	}
	c, size := class(n)
	if r := s.free[c]; r != 0 {
		s.free[c] = *(*ref)(s.arena.at(r))
		return r
	}
	units := ref(size / unit)
	if s.end-s.next < units {
		s.refill(size)
	}
	r := s.next
	s.next += units
	return r
}

// refill starts a chunk that has room for size bytes.
func (s *space) refill(size int) {
	n := min(max(s.chunk*2, minChunk), maxChunk)
	for n < size+smallClass {
		n *= 2
	}
	r := s.arena.grow(n)
	s.chunk = n
	s.taken += n
	s.end = r + ref(n/unit)
	s.next = r
	if r == 0 {
		s.next = smallClass / unit
	}
}

// retire takes note of a piece that the running transaction unlinks.
func (s *space) retire(r ref, n int) {
	s.pending = append(s.pending, piece{at: r, size: uint32(n)})
}

// settle is called after the transaction was published: what it unlinked waits
// until no reader can see it.
func (s *space) settle() {
	if len(s.pending) == 0 {
		return
	}
	now := s.epochs.now.Load()
	for _, p := range s.pending {
		if len(s.limbo)-s.limboStart >= maxLimbo {
			s.lost += int64(p.size)
			continue
		}
		p.epoch = now
		s.limbo = append(s.limbo, p)
	}
	if s.sinceTry += len(s.pending); s.sinceTry >= advanceRate {
		s.sinceTry = 0
		s.epochs.advance()
		s.reclaim()
	}
	s.pending = s.pending[:0]
}

// reclaim moves what no reader can see any more to the free lists.
func (s *space) reclaim() {
	now := s.epochs.now.Load()
	for s.limboStart < len(s.limbo) && s.limbo[s.limboStart].epoch+2 <= now {
		p := s.limbo[s.limboStart]
		s.limboStart++
		s.reuse(p)
	}
	if s.limboStart*2 >= len(s.limbo) {
		s.limbo = s.limbo[:copy(s.limbo, s.limbo[s.limboStart:])]
		s.limboStart = 0
	}
}

func (s *space) reuse(p piece) {
	if p.size > hugePiece {
		s.arena.release(p.at)
		return
	}
	c, size := class(int(p.size))
	at := s.arena.at(p.at)
	poison(at, size)
	*(*ref)(at) = s.free[c]
	s.free[c] = p.at
}

func u32(p unsafe.Pointer, off uintptr) *uint32 { return (*uint32)(unsafe.Add(p, off)) }

func bytesAt(p unsafe.Pointer, off uintptr, n int) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(p, off)), n)
}
