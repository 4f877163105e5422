package mem

import (
	"math/bits"
	"sync"
	"unsafe"

	"github.com/ilion-db/ilion/internal/invariant"
)

// Chunk sizes are the powers of two from MinChunk to MaxChunk.
const (
	MinChunk = 4 << 10
	MaxChunk = 2 << 20

	numClasses    = 10 // 4 KiB << 9 = 2 MiB
	slabBlocks    = MaxChunk / MinChunk
	maxMapSlabs   = 32 // a mapping has at most 64 MiB
	touchFromUsed = MaxChunk / 2
)

// ChunkPool hands out chunks. It cuts slabs of 2 MiB into halves (a buddy
// allocator) and joins them again, so that chunks of many small arenas become
// those of a large one. Slabs are mapped many at once and never unmapped
// before Close.
//
// What is handed out is reserved on the share. The mapped memory can exceed it
// only by fragmentation, and by one slab touched ahead.
//
// A slab comes into the free lists touched: a goroutine keeps one such slab
// ready once a megabyte is in use. A caller that is faster than it gets an
// untouched one.
type ChunkPool struct {
	share *Share
	wake  chan struct{}
	done  sync.WaitGroup

	mu       sync.Mutex // protects what follows
	closed   bool
	mappings [][]byte
	fresh    []*slab             // mapped, never touched; the last is next
	slabs    map[uintptr]*slab   // by address / MaxChunk
	free     [numClasses][]block // stacks; an entry is stale unless state agrees
	whole    int                 // free slabs in one piece
	inUse    int64               // bytes handed out
}

// slab is 2 MiB, aligned to its size.
type slab struct {
	mem []byte
	// state of the block that begins at each 4 KiB piece.
	state [slabBlocks]blockState
}

type block struct {
	slab *slab
	at   int // in pieces of 4 KiB
}

// blockState is 0 where no block begins, else 1 + class, with usedBit if it is
// handed out.
type blockState uint8

const usedBit blockState = 0x80

// NewChunkPool returns an empty pool that reserves on share. It has a
// goroutine, which Close ends.
func NewChunkPool(share *Share) *ChunkPool {
	p := &ChunkPool{share: share, wake: make(chan struct{}, 1), slabs: map[uintptr]*slab{}}
	p.done.Go(p.touchAhead)
	return p
}

// TryGet returns a chunk of exactly size bytes, a power of two from MinChunk
// to MaxChunk, or false if the share is used up or the system has no memory.
// What the chunk holds is not defined.
func (p *ChunkPool) TryGet(size int) ([]byte, bool) {
	class := classOf(size)
	if !p.share.TryReserve(int64(size)) {
		return nil, false
	}
	b, err := p.cut(class)
	return b, err == nil
}

// Put gives back a chunk, whole, that no reader can see any more.
func (p *ChunkPool) Put(chunk []byte) {
	class := classOf(len(chunk))
	poison(chunk)
	p.mu.Lock()
	s, at := p.find(chunk)
	invariant.Check(s.state[at] == usedBit|blockState(class+1), "mem: chunk of %d bytes put back twice or in part", len(chunk))
	for class < numClasses-1 {
		buddy := at ^ 1<<class
		if s.state[buddy] != blockState(class+1) {
			break
		}
		s.state[at], s.state[buddy] = 0, 0
		at &^= 1 << class
		class++
	}
	p.push(block{s, at}, class)
	p.inUse -= int64(len(chunk))
	p.mu.Unlock()
	p.share.Release(int64(len(chunk)))
}

// InUse is the number of bytes handed out.
func (p *ChunkPool) InUse() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inUse
}

// Close ends the goroutine and unmaps everything. All chunks must be back.
func (p *ChunkPool) Close() error {
	p.mu.Lock()
	invariant.Check(p.inUse == 0, "mem: chunk pool closed with %d bytes handed out", p.inUse)
	first := !p.closed
	p.closed = true
	p.mu.Unlock()
	if first {
		close(p.wake)
	}
	p.done.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	var err error
	for _, m := range p.mappings {
		if uerr := Unmap(m); err == nil {
			err = uerr
		}
	}
	p.mappings, p.fresh, p.slabs, p.free = nil, nil, nil, [numClasses][]block{}
	return err
}

func classOf(size int) int {
	invariant.Check(size >= MinChunk && size <= MaxChunk && size&(size-1) == 0, "mem: chunk of %d bytes", size)
	return bits.TrailingZeros(uint(size / MinChunk))
}

// cut takes a free block of the class, splitting a larger one if need be. The
// caller has reserved for it.
func (p *ChunkPool) cut(class int) ([]byte, error) {
	size := MinChunk << class
	p.mu.Lock()
	invariant.Check(!p.closed, "mem: chunk asked of a closed pool")
	b, from, err := p.pop(class)
	if err != nil {
		p.mu.Unlock()
		p.share.Release(int64(size))
		return nil, err
	}
	for ; from > class; from-- {
		p.push(block{b.slab, b.at + 1<<(from-1)}, from-1)
	}
	b.slab.state[b.at] = usedBit | blockState(class+1)
	p.inUse += int64(size)
	if p.whole == 0 && p.inUse >= touchFromUsed {
		p.signal()
	}
	p.mu.Unlock()
	at := b.at * MinChunk
	return b.slab.mem[at : at+size : at+size], nil
}

// pop pops the smallest free block of at least the class and tells its
// class. The caller holds mu.
func (p *ChunkPool) pop(class int) (block, int, error) {
	for c := class; c < numClasses; c++ {
		for n := len(p.free[c]); n > 0; n = len(p.free[c]) {
			b := p.free[c][n-1]
			p.free[c] = p.free[c][:n-1]
			if b.slab.state[b.at] != blockState(c+1) {
				continue // it was joined to its buddy since
			}
			if c == numClasses-1 {
				p.whole--
			}
			return b, c, nil
		}
	}
	s, err := p.takeFresh()
	return block{s, 0}, numClasses - 1, err
}

// push makes a block free. The caller holds mu.
func (p *ChunkPool) push(b block, class int) {
	b.slab.state[b.at] = blockState(class + 1)
	p.free[class] = append(p.free[class], b)
	if class == numClasses-1 {
		p.whole++
	}
}

// find returns the slab of a chunk and its place there. The caller holds mu.
func (p *ChunkPool) find(chunk []byte) (*slab, int) {
	addr := uintptr(unsafe.Pointer(unsafe.SliceData(chunk)))
	s := p.slabs[addr/MaxChunk]
	invariant.Check(s != nil, "mem: chunk is of another pool")
	return s, int(addr % MaxChunk / MinChunk)
}

// takeFresh returns a slab that was never touched. The caller holds mu; the
// mapping of address space under it takes microseconds and is rare.
func (p *ChunkPool) takeFresh() (*slab, error) {
	if len(p.fresh) == 0 {
		if err := p.mapMore(); err != nil {
			return nil, err
		}
	}
	s := p.fresh[len(p.fresh)-1]
	p.fresh = p.fresh[:len(p.fresh)-1]
	return s, nil
}

// mapMore maps as many slabs as there are, within bounds.
func (p *ChunkPool) mapMore() error {
	n := min(max(len(p.slabs), 1), maxMapSlabs)
	if heapBacked {
		n = 1
	}
	m, err := Map((n + 1) * MaxChunk)
	if err != nil {
		return err
	}
	p.mappings = append(p.mappings, m)
	// The slabs begin at the first multiple of their size, for huge pages; the
	// ends before and after are never touched and so cost nothing.
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(m))) % MaxChunk)
	for i := n - 1; i >= 0; i-- {
		s := &slab{mem: m[skip+i*MaxChunk:][:MaxChunk:MaxChunk]}
		poison(s.mem)
		p.slabs[uintptr(unsafe.Pointer(unsafe.SliceData(s.mem)))/MaxChunk] = s
		p.fresh = append(p.fresh, s)
	}
	return nil
}

// signal wakes touchAhead. The caller holds mu, so wake is not closed.
func (p *ChunkPool) signal() {
	select {
	case p.wake <- struct{}{}:
	default: // it has been woken already
	}
}

// touchAhead keeps one touched slab free, unless the share could not hand it
// out anyway.
func (p *ChunkPool) touchAhead() {
	for range p.wake {
		p.mu.Lock()
		if p.closed || p.whole > 0 || p.inUse+MaxChunk > p.share.Limit() {
			p.mu.Unlock()
			continue
		}
		s, err := p.takeFresh()
		p.mu.Unlock()
		if err != nil {
			continue // whoever needs the memory will be told
		}
		touch(s.mem)
		p.mu.Lock()
		p.push(block{s, 0}, numClasses-1)
		p.mu.Unlock()
	}
}
