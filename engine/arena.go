package engine

import (
	"sync"
	"unsafe"

	"github.com/ilion-db/ilion/engine/memtable"
	"github.com/ilion-db/ilion/internal/mem"
)

// arena gives memtables their chunks: those of the pool while the share has
// room, and mappings of their own for what cannot be refused (a record that is
// in the log already) or is no size of the pool's: large values.
//
// Where the system refuses a mapping, the chunk is of the Go heap and the engine
// ends: the record is linked and can be read until then. If the heap gets
// nothing either, the runtime ends the process and says so.
type arena struct {
	pool    *mem.ChunkPool
	share   *mem.Share
	heap    memtable.HeapAllocator
	mapping func(n int) ([]byte, error) // mem.Map
	unmap   func(b []byte) error        // mem.Unmap
	// refused is told, in a goroutine of its own, since locks are held, why the
	// system does not do either.
	refused func(err error)

	mu  sync.Mutex     // protects own
	own map[*byte]bool // the chunks that are not of the pool; true for mappings
}

func newArena(share *mem.Share, refused func(err error)) *arena {
	return &arena{
		pool: mem.NewChunkPool(share), share: share, mapping: mem.Map, unmap: mem.Unmap, refused: refused, own: map[*byte]bool{},
	}
}

// Alloc implements memtable.Allocator.
func (a *arena) Alloc(n int) []byte {
	if n <= mem.MaxChunk && n&(n-1) == 0 {
		if b, ok := a.pool.TryGet(n); ok {
			return b
		}
	}
	a.share.Force(int64(n))
	b, err := a.mapping(n)
	if err != nil {
		b = a.heap.Alloc(n)
		go a.refused(err)
	}
	a.mu.Lock()
	a.own[unsafe.SliceData(b)] = err == nil
	a.mu.Unlock()
	return b
}

// Free implements memtable.Allocator.
func (a *arena) Free(b []byte) {
	a.mu.Lock()
	mapped, own := a.own[unsafe.SliceData(b)]
	delete(a.own, unsafe.SliceData(b))
	a.mu.Unlock()
	n := int64(len(b))
	switch {
	case !own:
		a.pool.Put(b)
		return
	case !mapped:
		a.heap.Free(b)
	default:
		if err := a.unmap(b); err != nil {
			go a.refused(err) // it is still there, and counted
			return
		}
	}
	a.share.Release(n)
}

// idle tells whether everything has been given back.
func (a *arena) idle() bool {
	a.mu.Lock()
	own := len(a.own)
	a.mu.Unlock()
	return own == 0 && a.pool.InUse() == 0
}

// close unmaps the pool. Every memtable has been freed.
func (a *arena) close() { a.pool.Close() }
