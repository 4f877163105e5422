package session

import (
	"sync"
	"sync/atomic"
)

// chunkSize is the usual size of a chunk in bytes: ten or more small requests
// fit, and it is what a busy connection costs.
const chunkSize = 16 << 10

// chunk is a piece of input that decoded requests alias. It is shared between
// the reader that fills it and the requests in it: whoever drops the last
// reference gives it back.
type chunk struct {
	b    []byte
	refs atomic.Int32
	from *budget
	// tainted bytes may still be used by somebody unknown: never reuse them.
	tainted atomic.Bool
}

var chunkPool = sync.Pool{New: func() any { return &chunk{b: make([]byte, chunkSize)} }}

// newChunk returns a chunk of at least size bytes with one reference, charged
// to from whether or not there is room: see budget.
func newChunk(size int, from *budget) *chunk {
	var k *chunk
	if size <= chunkSize {
		k = chunkPool.Get().(*chunk)
	} else {
		k = &chunk{b: make([]byte, size)}
	}
	k.from = from
	k.refs.Store(1)
	from.used.Add(int64(len(k.b)))
	return k
}

// wrapChunk makes a chunk of bytes that the caller owns.
func wrapChunk(b []byte, from *budget) *chunk {
	k := &chunk{b: b, from: from}
	k.refs.Store(1)
	from.used.Add(int64(len(b)))
	return k
}

func (k *chunk) retain() { k.refs.Add(1) }

// release drops a reference; the caller must not touch the bytes afterwards.
func (k *chunk) release() {
	if k.refs.Add(-1) != 0 {
		return
	}
	from := k.from
	k.from = nil
	n := len(k.b)
	if n == chunkSize && !k.tainted.Load() {
		chunkPool.Put(k)
	}
	from.give(int64(n))
}

// budget bounds the bytes of input in flight on all connections. A reader
// waits for room before it takes its first chunk; the further chunks of a turn
// are never waited for, since those that hold some would wait for each other.
// So the bound is exceeded by at most one frame per connection being read.
type budget struct {
	max  int64
	used atomic.Int64

	waiters atomic.Int32
	mu      sync.Mutex // for room
	room    sync.Cond
	closed  bool // protected by mu
}

func newBudget(limit int64) *budget {
	b := &budget{max: limit}
	b.room.L = &b.mu
	return b
}

func (b *budget) full() bool { return b.used.Load() >= b.max }

// wait returns when there is room or the budget is closed.
func (b *budget) wait() {
	if !b.full() {
		return
	}
	b.mu.Lock()
	b.waiters.Add(1)
	for b.full() && !b.closed {
		b.room.Wait()
	}
	b.waiters.Add(-1)
	b.mu.Unlock()
}

func (b *budget) give(n int64) {
	b.used.Add(-n)
	if b.waiters.Load() > 0 {
		b.mu.Lock()
		b.room.Broadcast()
		b.mu.Unlock()
	}
}

func (b *budget) close() {
	b.mu.Lock()
	b.closed = true
	b.room.Broadcast()
	b.mu.Unlock()
}
