package journal

import (
	"fmt"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/internal/vfs"
)

// Options of Open. FS, Dir, Magic, Clock and MaxBytes are required.
type Options struct {
	FS    vfs.FS
	Dir   string
	Magic [8]byte // tells the owner's files from others
	Clock clock.Clock
	// MaxBytes bounds the files of all streams together; an append that would
	// exceed it is refused with ErrFull, unless it is Urgent.
	MaxBytes int64
	// PendingBytes bounds the entries that wait for the flusher (default 8 MiB,
	// at most 16 MiB).
	PendingBytes int64
	// SegmentBytes is the size at which a file is not appended to any more
	// (default 8 MiB, at most 64 MiB).
	SegmentBytes int64
	// Start holds for streams where reading goes on: segments below are removed
	// by Open, and new ones get higher numbers.
	Start map[[16]byte]Position
}

const (
	defaultPending = 8 << 20
	defaultSegment = 8 << 20
	maxSegmentSize = 64 << 20
	// idleCover is how long after the last write an empty frame vouches for it.
	idleCover = 100 * time.Millisecond
	// keptBuffers bounds the buffers that wait for their next use.
	keptBuffers = 4
	// keptBytes bounds the size of each.
	keptBytes = 1 << 20
)

// Waiter is told the end of an append.
type Waiter interface {
	// Appended is called exactly once for an append that returned nil, from the
	// flusher, and must not block: with nil when the entry is durable, or with an
	// error that matches ErrNoSpace, ErrFailed or ErrClosed.
	Appended(at Position, err error)
}

// Visitor is shown what Open finds: a stream's entries and damage in their
// order, streams in the order of their names.
type Visitor interface {
	// Entry is one entry; it must not be kept.
	Entry(stream [16]byte, at Position, entry []byte)
	Damage(d *Damage)
}

// Journal is a set of streams. Safe for concurrent use.
type Journal struct {
	o Options

	mu      sync.Mutex // protects what follows; never held over I/O or a callback
	streams map[[16]byte]*stream
	dirty   []*stream // with something in open
	free    []*buffer
	pending int64 // bytes in open buffers and in the one being written
	files   int64 // bytes of segments
	closed  bool
	timer   clock.Timer // for covering; nil while none is pending

	wake chan struct{} // of capacity 1
	stop chan struct{}
	done chan struct{} // closed when the flusher has ended
}

// stream is one sequence of segments. Its fields are protected by Journal.mu,
// but file, whose I/O belongs to whoever set writing.
type stream struct {
	id       [16]byte
	open     *buffer
	segments []*segment // ascending; the last is appended to if file is not nil
	last     uint64     // highest number of a segment ever
	number   uint64     // of the next frame
	file     vfs.File
	writing  bool
	written  time.Duration // when the last frame was written, monotonic
	covered  bool          // no entry is without a later frame
}

// segment is a file. Protected by Journal.mu.
type segment struct {
	number uint64
	end    int64 // bytes up to the end of the last durable frame
	data   int64 // up to the end of the last one that has entries
}

// buffer gathers the entries of a frame.
type buffer struct {
	mem     []byte // the header's room first
	waiters []Waiter
}

// Open reads what is in the directory, which it makes if it is not there, and
// starts the flusher. Damage is the visitor's business and no error; a segment
// of a newer format is.
func Open(o Options, v Visitor) (*Journal, error) {
	if o.PendingBytes <= 0 {
		o.PendingBytes = defaultPending
	}
	if o.SegmentBytes <= 0 {
		o.SegmentBytes = defaultSegment
	}
	o.PendingBytes = min(o.PendingBytes, maxPending)
	o.SegmentBytes = min(o.SegmentBytes, maxSegmentSize)
	j := &Journal{
		o: o, streams: map[[16]byte]*stream{},
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	if err := vfs.MkdirAllSync(o.FS, o.Dir); err != nil {
		return nil, fmt.Errorf("journal: make %s: %w", o.Dir, err)
	}
	if err := j.recover(v); err != nil {
		return nil, err
	}
	for id, at := range o.Start {
		s := j.stream(id)
		s.last = max(s.last, at.Segment)
	}
	go j.run()
	return j, nil
}

// stream returns the stream of that id, making it. mu is held, or nobody else
// is there yet.
func (j *Journal) stream(id [16]byte) *stream {
	s := j.streams[id]
	if s == nil {
		s = &stream{id: id, number: 1, covered: true}
		j.streams[id] = s
	}
	return s
}

// Urgency says what may refuse an append.
type Urgency bool

// Urgent appends are taken over MaxBytes: those that lead to files being let go.
const (
	Normal Urgency = false
	Urgent Urgency = true
)

// Append adds one entry, the parts one after the other, to a stream. They are
// copied before it returns. It never waits for I/O: after nil the waiter, if
// there is one, is told the outcome; ErrFull, ErrBacklog, ErrTooLarge and
// ErrClosed refuse the entry.
func (j *Journal) Append(id [16]byte, u Urgency, w Waiter, parts ...[]byte) error {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	if size > MaxEntry {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, size, MaxEntry)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.closed:
		return ErrClosed
	case j.pending > 0 && j.pending+int64(size) > j.o.PendingBytes:
		return ErrBacklog
	case u == Normal && j.files+j.pending+int64(size) > j.o.MaxBytes:
		return ErrFull
	}
	s := j.stream(id)
	if s.open == nil {
		s.open = j.buffer()
		j.dirty = append(j.dirty, s)
	}
	b := s.open
	before := len(b.mem)
	b.mem = encoding.AppendUvarint(b.mem, uint64(size))
	for _, p := range parts {
		b.mem = append(b.mem, p...)
	}
	b.waiters = append(b.waiters, w)
	j.pending += int64(len(b.mem) - before)
	signal(j.wake)
	return nil
}

// buffer returns an empty one. mu is held.
func (j *Journal) buffer() *buffer {
	if n := len(j.free); n > 0 {
		b := j.free[n-1]
		j.free = j.free[:n-1]
		return b
	}
	return &buffer{mem: make([]byte, frameHeaderSize, 4096)}
}

// recycle takes a buffer back, unless it is large. mu is held.
func (j *Journal) recycle(b *buffer) {
	if len(j.free) >= keptBuffers || cap(b.mem) > keptBytes {
		return
	}
	clear(b.waiters)
	b.mem, b.waiters = b.mem[:frameHeaderSize], b.waiters[:0]
	j.free = append(j.free, b)
}

// Bytes is the size of all files together, and of what waits to be written.
func (j *Journal) Bytes() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.files + j.pending
}

// Release removes the segments of a stream whose entries all lie below a
// position.
// The one that is appended to is among them if it ends there; the next append
// begins a new one. It tells whether segments of the stream are left. After an
// error what was not removed is tried again by the next call.
func (j *Journal) Release(id [16]byte, below Position) (left bool, err error) {
	j.mu.Lock()
	s := j.streams[id]
	if s == nil {
		j.mu.Unlock()
		return false, nil
	}
	var doomed []*segment
	var file vfs.File
	for i, g := range s.segments {
		ends := g.number < below.Segment || g.number == below.Segment && g.data <= below.Offset
		if ends && s.file != nil && i == len(s.segments)-1 {
			if s.writing {
				break // more is about to follow
			}
			file = s.retire()
		}
		if ends {
			doomed = append(doomed, g)
		}
	}
	j.mu.Unlock()
	closeFile(file)
	removed, err := j.remove(id, doomed)
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, g := range removed {
		j.files -= g.end
	}
	s.segments = slices.DeleteFunc(s.segments, func(g *segment) bool { return slices.Contains(removed, g) })
	return len(s.segments) > 0, err
}

// remove removes files and returns those that are gone.
func (j *Journal) remove(id [16]byte, doomed []*segment) (removed []*segment, err error) {
	for _, g := range doomed {
		if err := j.o.FS.Remove(path.Join(j.o.Dir, segmentName(id, g.number))); ignoreMissing(err) != nil {
			return removed, fmt.Errorf("journal: release segment: %w", err)
		}
		removed = append(removed, g)
	}
	if len(removed) > 0 {
		if err := j.o.FS.SyncDir(j.o.Dir); err != nil {
			// The names may come back after a crash: nobody forgets them yet.
			return nil, fmt.Errorf("journal: release segment: %w", err)
		}
	}
	return removed, nil
}

// Close writes what has been appended, ends the flusher and closes the files.
func (j *Journal) Close() error {
	j.mu.Lock()
	closed := j.closed
	j.closed = true
	j.mu.Unlock()
	if !closed {
		close(j.stop)
	}
	<-j.done
	return nil
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
