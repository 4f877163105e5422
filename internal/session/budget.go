package session

import (
	"sync"
	"sync/atomic"
)

// chunkSize is the usual size in bytes of a chunk of input: ten or more small
// requests fit, and it is what a busy connection costs.
const chunkSize = 16 << 10

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

// Full implements netbuf.Gate.
func (b *budget) Full() bool { return b.used.Load() >= b.max }

// Wait implements netbuf.Gate: it returns when there is room or the budget is
// closed.
func (b *budget) Wait() {
	if !b.Full() {
		return
	}
	b.mu.Lock()
	b.waiters.Add(1)
	for b.Full() && !b.closed {
		b.room.Wait()
	}
	b.waiters.Add(-1)
	b.mu.Unlock()
}

// Charge implements netbuf.Account, whether or not there is room.
func (b *budget) Charge(n int64) {
	if b.used.Add(n); n < 0 && b.waiters.Load() > 0 {
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
