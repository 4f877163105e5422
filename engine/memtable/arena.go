package memtable

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/ilion-db/ilion/internal/invariant"
)

// Allocator hands out the chunks of which a memtable consists. It is safe for
// concurrent use.
type Allocator interface {
	// Alloc returns a chunk of n bytes, aligned to 8; n is a multiple of 4096,
	// and a power of two up to 2 MiB unless it is for one large value. It need
	// not be zeroed. It cannot be refused: what asks for it is in the log.
	Alloc(n int) []byte
	// Free takes back a chunk that Alloc returned.
	Free(chunk []byte)
}

// HeapAllocator allocates from the Go heap: for tests, and under the build
// tags race and invariants, since the race detector sees nothing elsewhere.
type HeapAllocator struct{}

// Alloc implements Allocator.
func (*HeapAllocator) Alloc(n int) []byte {
	words := make([]uint64, n/8)
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), n)
}

// Free implements Allocator.
func (*HeapAllocator) Free(chunk []byte) {
	poison(unsafe.Pointer(unsafe.SliceData(chunk)), len(chunk))
}

// ref names a piece of the arena; see the package comment.
type ref uint32

const (
	tag       ref = 1 << 31
	unitBits      = 18
	unitMask      = 1<<unitBits - 1
	unit          = 8
	maxChunk      = unit << unitBits // 2 MiB
	minChunk      = 4096
	maxChunks     = 1 << (31 - unitBits)
	// hugePiece is the size from which a piece gets a chunk of its own.
	hugePiece = maxChunk / 2
)

// arena maps references to memory.
type arena struct {
	alloc Allocator
	table atomic.Pointer[[]unsafe.Pointer] // starts of chunks
	bytes atomic.Int64                     // of all chunks

	mu     sync.Mutex // protects what follows and stores to table
	chunks [][]byte
	spare  []uint32 // numbers of chunks that were given back
}

// at is the memory of a piece. It is the hot path of everything.
func (a *arena) at(r ref) unsafe.Pointer {
	t := *a.table.Load()
	return unsafe.Add(t[r>>unitBits], uintptr(r&unitMask)*unit)
}

// grow adds a chunk of n bytes and returns the reference of its start.
func (a *arena) grow(n int) ref {
	c := a.alloc.Alloc(n)
	a.bytes.Add(int64(len(c)))
	a.mu.Lock()
	defer a.mu.Unlock()
	var i int
	if k := len(a.spare); k > 0 {
		i = int(a.spare[k-1])
		a.spare = a.spare[:k-1]
		a.chunks[i] = c
	} else {
		i = len(a.chunks)
		invariant.Check(i < maxChunks, "memtable of more than %d chunks", maxChunks)
		a.chunks = append(a.chunks, c)
	}
	var old []unsafe.Pointer
	if p := a.table.Load(); p != nil {
		old = *p
	}
	// Stores into a table that readers may hold would race; tables are
	// small against the chunks they name.
	t := make([]unsafe.Pointer, max(len(a.chunks), len(old)))
	copy(t, old)
	t[i] = unsafe.Pointer(unsafe.SliceData(c))
	a.table.Store(&t)
	return ref(i) << unitBits
}

// release gives back the chunk that holds r alone.
func (a *arena) release(r ref) {
	a.mu.Lock()
	i := uint32(r >> unitBits)
	c := a.chunks[i]
	a.chunks[i] = nil
	a.spare = append(a.spare, i)
	a.mu.Unlock()
	a.bytes.Add(-int64(len(c)))
	a.alloc.Free(c)
}

// free gives back everything.
func (a *arena) free() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.chunks {
		if c != nil {
			a.alloc.Free(c)
		}
	}
	a.chunks = nil
	a.table.Store(nil)
	a.bytes.Store(0)
}

// poison overwrites memory that nobody may read any more.
func poison(p unsafe.Pointer, n int) {
	if !invariant.Enabled {
		return
	}
	b := unsafe.Slice((*byte)(p), n)
	for i := range b {
		b[i] = 0xdb
	}
}
