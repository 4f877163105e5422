package commitlog

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/fail"
	"github.com/ilion-db/ilion/internal/vfs"
)

const (
	// bufferSize is the room for a frame; a larger group gets a buffer of its own.
	bufferSize = 1 << 20
	// enough is what is written without waiting in modes Group and Periodic.
	enough = 256 << 10
	// idleCover is how long after a write the last records are covered by an
	// empty frame, so that damage to them is known as rot.
	idleCover = 100 * time.Millisecond
)

// buffer is a frame in the making.
type buffer struct {
	mem     []byte // room for the frame, page-aligned, len a multiple of pages
	std     []byte // the permanent part, used again after a larger frame
	n       int    // bytes used, header included
	records uint32
	first   time.Duration // when the first record came; not in mode Batch
	waiters waiterList

	// Given before the first record:
	seg *segment
	off int64
	// Given when it is sealed:
	number, synced uint64
	op             vfs.Op // of the write, kept here so that it is not allocated
}

func newBuffer(size int) *buffer {
	std := vfs.AlignedBytes(size)
	return &buffer{mem: std, std: std, n: frameHeaderSize}
}

func (b *buffer) reset() {
	b.mem, b.n, b.records, b.first, b.seg = b.std, frameHeaderSize, 0, 0, nil
	b.waiters, b.op = waiterList{}, vfs.Op{}
}

// lane is one sequence of frames with its own flusher.
//
// Two buffers take turns: appenders fill open while the other is ready to be
// written, being written, or free. Exactly one of ready, free and writing is
// set. Frames are written one at a time in the order of their numbers, so frame
// n is durable before frame n+1 is begun.
//
// Lock order: lane.mu before pool.mu. No I/O happens under mu.
type lane struct {
	log  *Log
	id   uint16
	wake chan struct{} // one slot, for the flusher

	mu      sync.Mutex // protects what follows
	space   *sync.Cond // a buffer, a spare, an error
	blocked int        // goroutines waiting for space

	open, ready, free *buffer
	writing           bool

	seg   *segment // where open goes; nil before the first record
	off   int64    // offset of open in seg
	spare *segment

	number  uint64 // of the last sealed frame
	durable uint64 // of the last written frame
	lastRec uint64 // of the last frame with records
	covered uint64 // highest synced of a durable frame

	force     bool // write open without waiting for company
	closed    bool
	failed    error
	lastWrite time.Duration // on the clock's Mono; when the lane was made before the first
	timer     clock.Timer
	due       time.Duration // when the timer fires, 0 if it is not armed
}

func newLane(log *Log, id uint16) *lane {
	size := min(bufferSize, log.opts.SegmentSize)
	l := &lane{
		log: log, id: id, wake: make(chan struct{}, 1), open: newBuffer(size), free: newBuffer(size),
		lastWrite: log.opts.Clock.Mono(),
	}
	l.space = sync.NewCond(&l.mu)
	return l
}

// errWait is place's answer when the record must wait for a buffer or a segment.
var errWait = ErrWouldBlock

// place makes room for need bytes in open, without waiting. l.mu is held.
func (l *lane) place(need int) error {
	b := l.open
	if b.records > 0 {
		if b.n+need <= len(b.std) && l.off+int64(pad(b.n+need)) <= b.seg.size {
			return nil
		}
		if l.free == nil {
			return errWait
		}
		l.ready = l.seal()
		l.kick()
		b = l.open
	}
	total := pad(frameHeaderSize + need)
	if l.seg == nil || l.off+int64(total) > l.seg.size {
		if err := l.activate(total); err != nil {
			return err
		}
	}
	if total > len(b.mem) {
		b.mem = vfs.AlignedBytes(total)
	}
	b.seg, b.off = l.seg, l.off
	return nil
}

// activate goes on in the spare segment. l.mu is held and open is empty.
func (l *lane) activate(total int) error {
	s := l.spare
	if s == nil {
		if l.log.pool.noSpace.Load() {
			return ErrNoSpace
		}
		return errWait
	}
	l.spare = nil
	s.refs.Add(1)
	l.log.pool.activate(s)
	if l.seg != nil {
		l.seg.refs.Add(-1)
	}
	l.seg, l.off = s, dataStart
	if l.off+int64(total) > s.size {
		return errWait // the small first segment; a full-size spare follows
	}
	return nil
}

// seal closes the open frame, makes the free buffer open and returns the frame
// for writing. l.mu is held and free is not nil.
func (l *lane) seal() *buffer {
	b := l.open
	l.number++
	b.number = l.number
	if b.records > 0 {
		l.lastRec = b.number
	}
	b.seg.refs.Add(1)
	l.off += int64(pad(b.n))
	l.open, l.free = l.free, nil
	l.force = false
	return b
}

// kick wakes the flusher unless it will look anyway. l.mu is held.
func (l *lane) kick() {
	if !l.writing {
		signal(l.wake)
	}
}

// append copies recs into one frame. lead tells that the caller may write it.
func (l *lane) append(recs [][]byte, need int, w *Waiter, wait bool) (pos Position, lead bool, err error) {
	if err := fail.Point("commitlog/append"); err != nil {
		return Position{}, false, err
	}
	l.mu.Lock()
	for {
		if err = l.refusal(); err == nil {
			err = l.place(need)
		}
		if err == nil {
			break
		}
		if err != errWait || !wait {
			l.mu.Unlock()
			return Position{}, false, err
		}
		l.blocked++
		l.space.Wait()
		l.blocked--
	}
	b := l.open
	pos = Position{Segment: b.seg.seq, Offset: uint32(b.off) + uint32(b.n)}
	for _, r := range recs {
		b.n += binary.PutUvarint(b.mem[b.n:], uint64(len(r)))
		b.n += copy(b.mem[b.n:], r)
	}
	mode := l.log.opts.Mode
	if b.records == 0 {
		if mode != Batch {
			b.first = l.log.opts.Clock.Mono()
		}
		lead = !l.writing && l.ready == nil
	} else if mode != Batch && b.n >= enough && b.n-need < enough {
		lead = !l.writing
	}
	b.records += uint32(len(recs))
	if w != nil && mode != Periodic {
		b.waiters.push(w)
	}
	l.mu.Unlock()
	if w != nil && mode == Periodic {
		w.to.Synced(nil)
	}
	return pos, lead, nil
}

// refusal is why the lane takes nothing any more, or nil. l.mu is held.
func (l *lane) refusal() error {
	if l.failed != nil {
		return l.failed
	}
	if l.closed {
		return ErrClosed
	}
	return nil
}

// letGo ends the use of a segment far older than next by a lane that has
// nothing to write, lest an idle lane pins the low-water mark.
func (l *lane) letGo(next uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	behind := uint64(2 * len(l.log.lanes))
	if l.seg == nil || l.seg.seq+behind >= next || l.open.records > 0 || l.ready != nil || l.writing {
		return
	}
	l.seg.refs.Add(-1)
	l.seg = nil
}

// head is a lower bound of the positions of all later appends to the lane.
func (l *lane) head() (Position, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seg == nil {
		return Position{}, false
	}
	return Position{Segment: l.seg.seq, Offset: uint32(l.off) + uint32(l.open.n)}, true
}

func (l *lane) hasSpare() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.spare != nil
}

func (l *lane) giveSpare(s *segment) {
	l.mu.Lock()
	l.spare = s
	l.mu.Unlock()
	l.wakeBlocked()
}

// wakeBlocked lets waiting appenders look again.
func (l *lane) wakeBlocked() {
	l.mu.Lock()
	if l.blocked > 0 {
		l.space.Broadcast()
	}
	l.mu.Unlock()
}

// abort ends everything that waits with err. A write in flight answers its own.
func (l *lane) abort(err error) {
	l.mu.Lock()
	if l.failed == nil {
		l.failed = err
	}
	lists := [2]waiterList{l.open.waiters.take()}
	if l.ready != nil {
		lists[1] = l.ready.waiters.take()
	}
	l.space.Broadcast()
	l.mu.Unlock()
	lists[1].wake(err)
	lists[0].wake(err)
}
