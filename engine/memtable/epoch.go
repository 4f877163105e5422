package memtable

import (
	"sync/atomic"
	"unsafe"
)

const stripes = 4

// pin counts the readers of one epoch on one stripe; padded to a cache line.
type pin struct {
	n atomic.Int64
	_ [56]byte
}

// epochs tells when a piece that was unlinked can be seen by no reader.
type epochs struct {
	now  atomic.Uint64
	pins [3][stripes]pin
}

// enter pins the current epoch. The same pin has to be left.
func (e *epochs) enter(who unsafe.Pointer) *pin {
	stripe := uintptr(who) >> 9 % stripes
	for {
		now := e.now.Load()
		p := &e.pins[now%3][stripe]
		p.n.Add(1)
		if e.now.Load() == now {
			return p
		}
		p.n.Add(-1)
	}
}

func (p *pin) leave() { p.n.Add(-1) }

// advance moves to the next epoch if nobody is pinned in the one before the
// current.
func (e *epochs) advance() {
	now := e.now.Load()
	for i := range stripes {
		if e.pins[(now+2)%3][i].n.Load() != 0 {
			return
		}
	}
	e.now.CompareAndSwap(now, now+1)
}
