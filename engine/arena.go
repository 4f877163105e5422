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
func (a *arena) Alloc(n int, force bool) []byte {
	if n <= mem.MaxChunk && n&(n-1) == 0 {
		if b, ok := a.pool.TryGet(n); ok {
			return b
		}
		if !force {
			return nil
		}
	}
	if !force {
		if !a.share.TryReserve(int64(n)) {
			return nil
		}
	} else {
		a.share.Force(int64(n))
	}
	b, err := mem.Map(n)
	if err != nil {
		a.share.Release(int64(n))
		// With force there is no way back: the record is in the log.
		invariant.Check(!force, "engine: no memory for a logged record: %v", err)
		return nil
	}
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
