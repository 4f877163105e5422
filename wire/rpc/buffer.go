package rpc

import (
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/valyala/bytebufferpool"
)

const (
	// chunkSize is the usual size of a piece of input in bytes.
	chunkSize = 32 << 10
	// keepSize is the largest capacity in bytes that goes back to a pool.
	keepSize = 1 << 20
)

// Buffers of the two usual sizes have pools of their own: a pool drops what is
// larger than most of what it sees, and would drop the batches of a busy
// connection because of many small ones.
var (
	chunkBuffers bytebufferpool.Pool // of chunkSize
	batchBuffers bytebufferpool.Pool // of batchSize
	largeBuffers bytebufferpool.Pool
)

func poolOf(size int) (p *bytebufferpool.Pool, room int) {
	switch {
	case size <= chunkSize:
		return &chunkBuffers, chunkSize
	case size <= batchSize:
		return &batchBuffers, batchSize
	}
	return &largeBuffers, size
}

// getBuffer returns an empty buffer with room for size bytes.
func getBuffer(size int) *bytebufferpool.ByteBuffer {
	p, room := poolOf(size)
	b := p.Get()
	if cap(b.B) < room {
		b.B = make([]byte, 0, room)
	}
	return b
}

func putBuffer(b *bytebufferpool.ByteBuffer) {
	if cap(b.B) > keepSize {
		return
	}
	// The pool learns from lengths which capacities are worth keeping.
	b.B = b.B[:cap(b.B)]
	if invariant.Enabled {
		b.B[0] = 0xdb
		for n := 1; n < len(b.B); n *= 2 {
			copy(b.B[n:], b.B[:n])
		}
	}
	p, _ := poolOf(len(b.B))
	p.Put(b)
}
