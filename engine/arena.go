package engine

import (
	"sync"
	"unsafe"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/mem"
)

// arena gives memtables their chunks: those of the pool while the share has
// room, and mappings of their own for what cannot be refused (a record that is
// in the log already) or is no size of the pool's: large values.
type arena struct {
	pool  *mem.ChunkPool
	share *mem.Share

	mu  sync.Mutex // protects own
	own map[*byte]struct{}
}

func newArena(share *mem.Share) *arena {
	return &arena{pool: mem.NewChunkPool(share), share: share, own: map[*byte]struct{}{}}
}

// Alloc implements memtable.Allocator.
func (a *arena) Alloc(n int) []byte {
	if n <= mem.MaxChunk && n&(n-1) == 0 {
		if b, ok := a.pool.TryGet(n); ok {
			return b
		}
	}
	a.share.Force(int64(n))
	b, err := mem.Map(n)
	invariant.Check(err == nil, "engine: no memory for a logged record: %v", err)
	a.mu.Lock()
	a.own[unsafe.SliceData(b)] = struct{}{}
	a.mu.Unlock()
	return b
}

// Free implements memtable.Allocator.
func (a *arena) Free(b []byte) {
	a.mu.Lock()
	_, own := a.own[unsafe.SliceData(b)]
	delete(a.own, unsafe.SliceData(b))
	a.mu.Unlock()
	if !own {
		a.pool.Put(b)
		return
	}
	n := len(b)
	err := mem.Unmap(b)
	invariant.Check(err == nil, "engine: unmapping a chunk: %v", err)
	a.share.Release(int64(n))
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
