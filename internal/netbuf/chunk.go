package netbuf

import (
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/ilion-db/ilion/internal/invariant"
)

// Chunks are of 2^minBits to 2^maxBits bytes, which have a pool each. Larger
// ones are of the size that is asked for and are not used again.
const (
	minBits = 14
	maxBits = 20
)

var pools [maxBits - minBits + 1]sync.Pool

// Account is charged for the bytes of chunks from their making to their last
// release: n is negative then. It is called by any goroutine, and must not block.
type Account interface{ Charge(n int64) }

// Chunk is a piece of input that requests alias. It is shared between the
// reader that fills it and the requests in it.
type Chunk struct {
	// B is all of it. After the last release nobody may touch it.
	B       []byte
	refs    atomic.Int32
	account Account
	tainted atomic.Bool
}

// class is the pool of chunks with room for size bytes; false if there is none.
func class(size int) (int, bool) {
	if size <= 1<<minBits {
		return 0, true
	}
	n := bits.Len(uint(size-1)) - minBits
	return n, n < len(pools)
}

// Get returns a chunk of at least size bytes with one reference.
func Get(size int, a Account) *Chunk {
	n, pooled := class(size)
	if !pooled {
		return Wrap(make([]byte, size), a)
	}
	k, ok := pools[n].Get().(*Chunk)
	if !ok {
		k = &Chunk{B: make([]byte, 1<<(minBits+n))}
	}
	return k.begin(a)
}

// Wrap makes a chunk with one reference of bytes that the caller owns and gives
// away.
func Wrap(b []byte, a Account) *Chunk { return (&Chunk{B: b}).begin(a) }

func (k *Chunk) begin(a Account) *Chunk {
	k.account = a
	k.refs.Store(1)
	a.Charge(int64(len(k.B)))
	return k
}

// Retain adds a reference.
func (k *Chunk) Retain() { k.refs.Add(1) }

// Release drops a reference. The caller must not touch the bytes afterwards.
func (k *Chunk) Release() {
	n := k.refs.Add(-1)
	invariant.Check(n >= 0, "netbuf: a chunk was released twice")
	if n > 0 {
		return
	}
	a := k.account
	k.account = nil
	size := len(k.B)
	if n, pooled := class(size); pooled && size == 1<<(minBits+n) && !k.tainted.Load() {
		if invariant.Enabled {
			mangle(k.B)
		}
		pools[n].Put(k)
	}
	a.Charge(-int64(size))
}

// Taint says that somebody unknown may still use the bytes: they are never used
// again.
func (k *Chunk) Taint() { k.tainted.Store(true) }

// mangle makes the use of bytes after their release show.
func mangle(b []byte) {
	b[0] = 0xdb
	for n := 1; n < len(b); n *= 2 {
		copy(b[n:], b[:n])
	}
}
