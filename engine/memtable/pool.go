package memtable

import (
	"sync"

	"github.com/ilion-db/ilion/internal/mem"
)

// PoolAllocator takes chunks from the node's pool. What the pool does not
// have, being over the share's limit or larger than a chunk of it, is mapped
// apart and accounted on the same share.
type PoolAllocator struct {
	pool  *mem.ChunkPool
	share *mem.Share

	mu    sync.Mutex     // protects apart
	apart map[*byte]bool // chunks not of the pool; false: on the Go heap
}

// NewPoolAllocator returns an allocator over the pool, whose share it has to
// be. It may serve any number of memtables.
func NewPoolAllocator(pool *mem.ChunkPool, share *mem.Share) *PoolAllocator {
	return &PoolAllocator{pool: pool, share: share, apart: make(map[*byte]bool)}
}

// Alloc implements Allocator.
func (p *PoolAllocator) Alloc(n int, force bool) []byte {
	if n <= mem.MaxChunk {
		if c, ok := p.pool.TryGet(n); ok {
			return c
		}
	} else if p.share.TryReserve(int64(n)) {
		return p.mapApart(n)
	}
	if !force {
		return nil
	}
	p.share.Force(int64(n))
	return p.mapApart(n)
}

func (p *PoolAllocator) mapApart(n int) []byte {
	c, err := mem.Map(n)
	if err != nil {
		// The caller cannot be refused any more. If the system gives no
		// mapping, what the Go heap has is all there is.
		c = make([]byte, n)
	}
	p.mu.Lock()
	p.apart[&c[0]] = err == nil
	p.mu.Unlock()
	return c
}

// Free implements Allocator.
func (p *PoolAllocator) Free(chunk []byte) {
	p.mu.Lock()
	mapped, apart := p.apart[&chunk[0]]
	delete(p.apart, &chunk[0])
	p.mu.Unlock()
	if !apart {
		p.pool.Put(chunk)
		return
	}
	p.share.Release(int64(len(chunk)))
	if mapped {
		// A failure would leave the mapping in place, which harms nobody.
		_ = mem.Unmap(chunk)
	}
}
