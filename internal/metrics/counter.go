package metrics

import (
	"math/bits"
	"runtime"
	"sync/atomic"
	"unsafe"
)

// maxStripes bounds the memory of a counter to 8 KiB.
const maxStripes = 64

// stripe has two cache lines to itself: processors fetch lines in pairs.
type stripe struct {
	n atomic.Uint64
	_ [120]byte
}

// stripesFor returns a power of two that is enough for this machine's
// processors, at most limit.
func stripesFor(limit int) int {
	return min(limit, 1<<bits.Len(uint(runtime.GOMAXPROCS(0)-1)))
}

// hint is a number that differs between goroutines that run at the same time:
// where their stack is. It needs neither a lock nor a call into the runtime.
func hint() uint64 {
	var here byte
	return uint64(uintptr(unsafe.Pointer(&here))>>10) * 0x9e3779b97f4a7c15 >> 58
}

// Counter is a number that grows. Make one with a Registry or NewCounter.
type Counter struct {
	stripes []stripe
	mask    uint64
}

// NewCounter returns a counter that no registry knows.
func NewCounter() *Counter {
	n := stripesFor(maxStripes)
	return &Counter{stripes: make([]stripe, n), mask: uint64(n - 1)}
}

// Inc adds one.
func (c *Counter) Inc() { c.Add(1) }

// Add adds n.
func (c *Counter) Add(n uint64) { c.stripes[hint()&c.mask].n.Add(n) }

// Value is the sum so far.
func (c *Counter) Value() uint64 {
	var sum uint64
	for i := range c.stripes {
		sum += c.stripes[i].n.Load()
	}
	return sum
}

// Gauge is a number that goes up and down. The zero value is 0 and ready.
type Gauge struct{ n atomic.Int64 }

// Set makes it n.
func (g *Gauge) Set(n int64) { g.n.Store(n) }

// Add adds n, which may be negative.
func (g *Gauge) Add(n int64) { g.n.Add(n) }

// Value is the number now.
func (g *Gauge) Value() int64 { return g.n.Load() }
