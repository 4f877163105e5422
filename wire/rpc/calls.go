package rpc

import (
	"sync"

	"github.com/ilion-db/ilion/internal/invariant"
)

// call is a request that waits for its answer.
type call struct {
	r      Receiver
	c      *conn
	stream uint32

	// Protected by the connection's mutex. While busy an answer in part is handed
	// on: what would end the call says so in ended, and the reader ends it.
	busy  bool
	ended error

	// Of the wheel, protected by its mutex.
	due        int64 // clock.Mono nanoseconds, 0 for never
	slot       int32 // plus 1; 0 while in none
	prev, next *call
}

var callPool = sync.Pool{New: func() any { return new(call) }}

func (c *call) recycle() {
	invariant.Check(c.slot == 0, "rpc: a call is recycled whose deadline is kept")
	c.r, c.c, c.busy, c.ended = nil, nil, false, nil
	callPool.Put(c)
}

// callTable finds calls by their streams, which are given out in order: stream
// s lies at index s modulo the length, a power of two. A stream is not used
// again before 4 billion others, so a late answer finds nothing.
type callTable struct {
	slots []*call
	last  uint32
	count int
}

const firstSlots = 16

// add gives k a stream that is not 0.
func (t *callTable) add(k *call) {
	if 2*t.count >= len(t.slots) {
		t.grow()
	}
	mask := uint32(len(t.slots) - 1)
	for t.last++; t.last == 0 || t.slots[t.last&mask] != nil; t.last++ {
	}
	k.stream = t.last
	t.slots[t.last&mask] = k
	t.count++
}

func (t *callTable) grow() {
	old := t.slots
	t.slots = make([]*call, max(firstSlots, 2*len(old)))
	for _, k := range old {
		if k != nil {
			t.slots[k.stream&uint32(len(t.slots)-1)] = k
		}
	}
}

// find returns the call of a stream, or nil.
func (t *callTable) find(stream uint32) *call {
	if len(t.slots) == 0 {
		return nil
	}
	if k := t.slots[stream&uint32(len(t.slots)-1)]; k != nil && k.stream == stream {
		return k
	}
	return nil
}

// take removes and returns the call of a stream, or nil.
func (t *callTable) take(stream uint32) *call {
	k := t.find(stream)
	if k != nil {
		t.slots[stream&uint32(len(t.slots)-1)] = nil
		t.count--
		invariant.Check(t.count >= 0, "rpc: more calls are over than were made")
	}
	return k
}

// takeAll removes all calls and returns them, but for one that the reader is
// busy with: that hears of err.
func (t *callTable) takeAll(err error) []*call {
	all := make([]*call, 0, t.count)
	for _, k := range t.slots {
		switch {
		case k == nil:
		case k.busy:
			k.ended = err
		default:
			all = append(all, k)
		}
	}
	t.slots, t.count = nil, 0
	return all
}
