package rpc

import (
	"math/bits"
	"sync"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/invariant"
)

const (
	// tickShift makes a tick of a wheel 2^22 ns, 4.2 ms.
	tickShift = 22
	// wheelSlots is a power of two; its ticks are 2.1 s.
	wheelSlots = 512
)

// wheel ends calls whose deadline has passed. All calls of an endpoint share
// one wheel and one timer, which is set for the next slot that was used: while
// answers come in time it fires about once in the length of a deadline.
//
// A call lies in the slot of its tick modulo wheelSlots; one that is due in a
// later round stays. Every tick up to done has been looked at, and no call
// that was due by then is left.
type wheel struct {
	clock clock.Clock

	mu     sync.Mutex // protects what follows, and the wheel's fields of calls
	slots  [wheelSlots]*call
	used   [wheelSlots / 64]uint64 // which slots may hold calls
	done   int64
	armed  int64 // the tick that timer fires at, 0 for none
	timer  clock.Timer
	closed bool
	passed []passed // of expire, kept for its capacity
}

// passed names a call that is due.
type passed struct {
	c      *conn
	stream uint32
}

func (w *wheel) init(c clock.Clock) {
	w.clock = c
	w.done = int64(c.Mono()) >> tickShift
}

// add takes a call with a deadline.
func (w *wheel) add(k *call) {
	// Rounded up: a call is never ended early.
	w.mu.Lock()
	defer w.mu.Unlock()
	invariant.Check(k.slot == 0, "rpc: the deadline of a call is kept twice")
	tick := max(k.due>>tickShift+1, w.done+1)
	i := int(tick & (wheelSlots - 1))
	k.slot = int32(i) + 1
	k.prev, k.next = nil, w.slots[i]
	if k.next != nil {
		k.next.prev = k
	}
	w.slots[i] = k
	w.used[i/64] |= 1 << (i % 64)
	w.arm(tick)
}

// arm sets the timer unless it fires by tick anyway.
func (w *wheel) arm(tick int64) {
	if w.closed || w.armed != 0 && w.armed <= tick {
		return
	}
	w.armed = tick
	d := time.Duration(tick<<tickShift) - w.clock.Mono()
	if w.timer == nil {
		w.timer = w.clock.AfterFunc(d, w.expire)
		return
	}
	w.timer.Reset(d)
}

// remove forgets a call, if it has not passed.
func (w *wheel) remove(k *call) {
	w.mu.Lock()
	w.unlink(k)
	w.mu.Unlock()
}

func (w *wheel) unlink(k *call) {
	if k.slot == 0 {
		return
	}
	if k.prev != nil {
		k.prev.next = k.next
	} else {
		w.slots[k.slot-1] = k.next
	}
	if k.next != nil {
		k.next.prev = k.prev
	}
	k.slot, k.prev, k.next = 0, nil, nil
}

// expire ends the calls that are due.
func (w *wheel) expire() {
	w.mu.Lock()
	w.armed = 0
	now := int64(w.clock.Mono())
	for tick := max(w.done+1, now>>tickShift-wheelSlots+1); tick <= now>>tickShift; tick++ {
		w.collect(int(tick&(wheelSlots-1)), now)
	}
	w.done = max(w.done, now>>tickShift)
	if next := w.next(); next != 0 {
		w.arm(next)
	}
	due := w.passed
	w.passed = nil
	w.mu.Unlock()
	for i := range due {
		due[i].c.expire(due[i].stream)
		due[i].c = nil
	}
	w.mu.Lock()
	if w.passed == nil {
		w.passed = due[:0]
	}
	w.mu.Unlock()
}

func (w *wheel) collect(i int, now int64) {
	for k := w.slots[i]; k != nil; {
		next := k.next
		if k.due <= now {
			w.passed = append(w.passed, passed{k.c, k.stream})
			w.unlink(k)
		}
		k = next
	}
	if w.slots[i] == nil {
		w.used[i/64] &^= 1 << (i % 64)
	}
}

// next is the first tick behind done whose slot may hold calls, or 0.
func (w *wheel) next() int64 {
	first := w.done + 1
	for tick := first; tick < first+wheelSlots; {
		i := int(tick & (wheelSlots - 1))
		if word := w.used[i/64] >> (i % 64); word != 0 {
			return tick + int64(bits.TrailingZeros64(word))
		}
		tick += int64(64 - i%64)
	}
	return 0
}

func (w *wheel) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	if w.timer != nil {
		w.timer.Stop()
	}
}
