package rpc

import (
	"sync"
	"sync/atomic"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/valyala/bytebufferpool"
)

const (
	// chunkSize is the usual size of a piece of input in bytes.
	chunkSize = 32 << 10
	// keepSize is the largest capacity in bytes that goes back to a pool.
	keepSize = 1 << 20
)

var (
	inputPool  bytebufferpool.Pool
	outputPool bytebufferpool.Pool
)

// getBuffer returns an empty buffer with room for size bytes.
func getBuffer(p *bytebufferpool.Pool, size int) *bytebufferpool.ByteBuffer {
	b := p.Get()
	if cap(b.B) < size {
		b.B = make([]byte, 0, size)
	}
	return b
}

func putBuffer(p *bytebufferpool.Pool, b *bytebufferpool.ByteBuffer) {
	if cap(b.B) > keepSize || cap(b.B) == 0 {
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
	p.Put(b)
}

// chunk is a piece of input that requests alias. It is shared between the
// reader that fills it and the requests in it: whoever drops the last
// reference gives it back.
type chunk struct {
	buf  *bytebufferpool.ByteBuffer
	b    []byte // all of buf
	refs atomic.Int32
	from *conn // charged
}

var chunkPool = sync.Pool{New: func() any { return new(chunk) }}

// newChunk returns a chunk of at least size bytes with one reference, charged
// to c and its endpoint.
func newChunk(c *conn, size int) *chunk {
	k := chunkPool.Get().(*chunk)
	k.buf = getBuffer(&inputPool, size)
	k.b = k.buf.B[:cap(k.buf.B)]
	k.from = c
	k.refs.Store(1)
	c.charge(int64(len(k.b)))
	return k
}

func (k *chunk) retain() { k.refs.Add(1) }

// release drops a reference; the caller must not touch the bytes afterwards.
func (k *chunk) release() {
	if k.refs.Add(-1) != 0 {
		return
	}
	k.from.charge(-int64(len(k.b)))
	putBuffer(&inputPool, k.buf)
	k.buf, k.b, k.from = nil, nil, nil
	chunkPool.Put(k)
}
