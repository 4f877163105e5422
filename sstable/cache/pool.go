package cache

import (
	"sync"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/mem"
)

const (
	slabSize   = 64 << 10
	regionSize = 4 << 20
)

// classes are the frame sizes; every slab is cut into as many as fit.
var classes = [...]int{256, 512, 768, 1024, 1536, 2048, 2560, 3072, 3584, 4096, 5056, 6528, 8192,
	10880, 13056, 16384, 21824, 32768, slabSize}

func classOf(size int) int {
	for i, c := range classes {
		if size <= c {
			return i
		}
	}
	return -1
}

// slab is 64 KiB of a region.
type slab struct {
	mem    []byte
	region int
}

type region struct {
	mem  []byte
	used int
}

// pool hands out slabs up to a limit and maps regions for them.
type pool struct {
	mu      sync.Mutex // protects everything below
	limit   int64      // in slabs
	used    int64
	free    []slab
	regions []region
	spare   []int // numbers of regions that were given back
}

func (p *pool) take() (slab, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.used >= p.limit {
		return slab{}, false
	}
	if len(p.free) == 0 && !p.grow() {
		return slab{}, false
	}
	s := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	p.used++
	p.regions[s.region].used++
	return s, true
}

func (p *pool) grow() bool {
	size := int(min(regionSize, max(p.limit-p.used, 1)*slabSize))
	b, err := mem.Map(size)
	if err != nil {
		return false // then the cache stays as large as it is
	}
	no := len(p.regions)
	if n := len(p.spare); n > 0 {
		no = p.spare[n-1]
		p.spare = p.spare[:n-1]
		p.regions[no] = region{mem: b}
	} else {
		p.regions = append(p.regions, region{mem: b})
	}
	for at := 0; at < size; at += slabSize {
		p.free = append(p.free, slab{b[at : at+slabSize : at+slabSize], no})
	}
	return true
}

func (p *pool) put(s slab) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, s)
	p.used--
	p.regions[s.region].used--
}

func (p *pool) setLimit(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limit = n
}

func (p *pool) over() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.used > p.limit
}

func (p *pool) usage() (used, limit int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.used * slabSize, p.limit * slabSize
}

// trim gives back regions of which nothing is used.
func (p *pool) trim() {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := p.free[:0]
	for _, s := range p.free {
		if p.regions[s.region].used > 0 {
			kept = append(kept, s)
		}
	}
	clear(p.free[len(kept):])
	p.free = kept
	for i := range p.regions {
		if r := &p.regions[i]; r.mem != nil && r.used == 0 {
			unmap(r.mem)
			r.mem = nil
			p.spare = append(p.spare, i)
		}
	}
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.regions {
		if r.mem != nil {
			unmap(r.mem)
		}
	}
	p.regions, p.free, p.spare, p.used, p.limit = nil, nil, nil, 0, 0
}

func unmap(b []byte) {
	err := mem.Unmap(b)
	invariant.Check(err == nil, "cache: unmap: %v", err)
}
