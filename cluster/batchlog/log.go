package batchlog

import (
	"bytes"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/journal"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
)

// Errors that callers compare with errors.Is.
var (
	// ErrFull refuses a batch over Options.MaxBytes; clients are told that the
	// node is overloaded.
	ErrFull = journal.ErrFull
	// ErrNoSpace is the answer while the disk is full.
	ErrNoSpace = journal.ErrNoSpace
)

// Options of Open. FS, Dir and Clock are required.
type Options struct {
	FS    vfs.FS
	Dir   string
	Clock clock.Clock
	// WriteTimeout is that of clients' writes: a batch is replayed when it is
	// twice as old (default 2 s).
	WriteTimeout time.Duration
	// MaxBytes bounds the files (default 256 MiB).
	MaxBytes int64
	// Rate bounds replay, bytes a second (default 1 MiB).
	Rate int64
	Log  *slog.Logger // discards by default
}

const (
	defaultTimeout  = 2 * time.Second
	defaultMaxBytes = 256 << 20
	defaultRate     = 1 << 20
	// segments is how many files MaxBytes is made of at least, so that space
	// comes back in small parts.
	segments = 16
	// keptScratch bounds the buffers of encoded batches that wait for use.
	keptScratch = 256 << 10
)

// Log is the batchlog of one node. Safe for concurrent use.
type Log struct {
	o       Options
	journal *journal.Journal
	storing sync.Pool // *storing

	mu        sync.Mutex // protects what follows; Journal.mu is taken under it
	batches   map[[16]byte]*batch
	order     []*batch // as stored; those that are done are still in it for a while
	marks     [][16]byte
	last      uint64 // highest segment that an entry went to
	sender    Sender
	replaying int           // batches that the sender has
	crowd     bool          // so many that the goroutine waits until some are answered
	look      time.Duration // when timer wakes the goroutine, monotonic, or 0
	timer     clock.Timer   // nil until it is needed first
	closed    bool

	wake chan struct{} // of capacity 1
	stop chan struct{}
	done chan struct{}
}

// batch is one that is not done. Protected by Log.mu.
type batch struct {
	id      [16]byte
	created int64
	at      journal.Position
	stored  bool          // durable at that position
	over    bool          // done
	busy    bool          // being replayed or written again
	failed  bool          // to be replayed again, not before:
	again   time.Duration // monotonic
}

// Open reads what there is in the directory, which it makes if it is not there.
func Open(o Options) (*Log, error) {
	if o.WriteTimeout <= 0 {
		o.WriteTimeout = defaultTimeout
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.Rate <= 0 {
		o.Rate = defaultRate
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	l := &Log{
		o: o, batches: map[[16]byte]*batch{},
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	l.storing.New = func() any { return &storing{log: l} }
	var err error
	l.journal, err = journal.Open(journal.Options{
		FS: o.FS, Dir: o.Dir, Magic: magic, Clock: o.Clock, MaxBytes: o.MaxBytes, SegmentBytes: o.MaxBytes / segments,
	}, (*inventory)(l))
	if err != nil {
		return nil, fmt.Errorf("batchlog: %w", err)
	}
	if len(l.batches) == 0 {
		// Nothing of what was found is needed.
		l.release(journal.Position{Segment: l.last, Offset: math.MaxInt64})
	}
	go l.run()
	return l, nil
}

// inventory is the log while it is being opened, as the journal's visitor.
type inventory Log

func (v *inventory) Entry(_ [16]byte, at journal.Position, entry []byte) {
	l := (*Log)(v)
	l.last = max(l.last, at.Segment)
	if err := l.found(at, entry); err != nil {
		l.o.Log.Error("the batchlog holds an entry that cannot be read", "segment", at.Segment, "offset", at.Offset, "error", err)
	}
}

func (l *Log) found(at journal.Position, entry []byte) error {
	if len(entry) > 0 && entry[0] == kindMarks {
		return decodeMarks(entry, l.finish)
	}
	id, created, err := decodeHead(entry)
	if err != nil {
		return err
	}
	b := l.batches[id]
	if b == nil {
		b = &batch{id: id, created: created}
		l.batches[id] = b
		l.order = append(l.order, b)
	}
	b.at, b.stored = at, true
	return nil
}

func (v *inventory) Damage(d *journal.Damage) {
	l := (*Log)(v)
	l.last = max(l.last, d.Segment)
	l.o.Log.Error("batches of the batchlog cannot be read", "file", d.File, "offset", d.Offset, "detail", d.Detail)
}

// finish takes a batch off the index. mu is held, or nobody else is there yet.
func (l *Log) finish(id [16]byte) {
	if b := l.batches[id]; b != nil {
		b.over = true
		delete(l.batches, id)
	}
}

// storing is one Store under way.
type storing struct {
	log   *Log
	batch *batch
	buf   bytes.Buffer
	done  mutation.Completer
}

// Store keeps a batch; created is its time in microseconds. The records are
// copied before it returns. After nil, done is told once: nil when the batch
// is durable, or an error that matches ErrNoSpace or another failure of the
// disk. After an error, ErrFull among them, done is not called.
func (l *Log) Store(id [16]byte, created int64, records []mutation.Record, done mutation.Completer) error {
	if len(records) > maxRecords {
		return fmt.Errorf("batchlog: %d records, at most %d", len(records), maxRecords)
	}
	s := l.storing.Get().(*storing)
	s.done = done
	s.buf.Reset()
	s.buf.Write(appendBatch(s.buf.AvailableBuffer(), id, created, records))
	l.mu.Lock()
	b := l.batches[id]
	isNew := b == nil
	if isNew {
		b = &batch{id: id, created: created}
	}
	s.batch = b
	err := l.journal.Append([16]byte{}, journal.Normal, s, s.buf.Bytes())
	if err == nil && isNew {
		l.batches[id] = b
		l.order = append(l.order, b)
	}
	l.mu.Unlock()
	if err != nil {
		s.free()
		return fmt.Errorf("batchlog: %w", err)
	}
	return nil
}

// Appended implements journal.Waiter.
func (s *storing) Appended(at journal.Position, err error) {
	l, b, done := s.log, s.batch, s.done
	l.mu.Lock()
	b.placed(at, err)
	switch {
	case err != nil && !b.stored:
		l.finish(b.id)
		l.lookAt(l.o.Clock.Mono() + gather)
	case l.sender != nil && !b.over:
		l.lookAt(l.due(b, l.o.Clock.Mono()))
	}
	l.reached(at)
	l.mu.Unlock()
	s.free()
	done.Complete(err)
}

// placed notes where the batch lies. Log.mu is held.
func (b *batch) placed(at journal.Position, err error) {
	if err == nil {
		b.at, b.stored = at, true
	}
}

func (s *storing) free() {
	s.batch, s.done = nil, nil
	if s.buf.Cap() > keptScratch {
		s.buf = bytes.Buffer{}
	}
	s.log.storing.Put(s)
}

// Done marks a batch: it has been applied and is not replayed any more. One
// that is not known is ignored.
func (l *Log) Done(id [16]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.batches[id] == nil {
		return
	}
	l.finish(id)
	l.marks = append(l.marks, id)
	if len(l.marks) == maxMarks {
		signal(l.wake)
	}
	l.lookAt(l.o.Clock.Mono() + gather)
}

// Pending tells how many batches are not done, and a time in microseconds at
// which the oldest was created, 0 if there is none.
func (l *Log) Pending() (batches int, oldest int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range l.batches {
		if oldest == 0 || b.created < oldest {
			oldest = b.created
		}
	}
	return len(l.batches), oldest
}

// Replay begins to replay, and goes on until Close. It is called once.
func (l *Log) Replay(sender Sender) {
	l.mu.Lock()
	invariant.Check(l.sender == nil, "batchlog: Replay is called a second time")
	l.sender = sender
	l.mu.Unlock()
	signal(l.wake)
}

// Close makes what was stored and marked durable and returns when nothing of
// the log runs any more. What a Sender has taken must still be answered, if
// late.
func (l *Log) Close() error {
	l.mu.Lock()
	closed := l.closed
	l.closed = true
	if l.timer != nil {
		l.timer.Stop()
	}
	l.mu.Unlock()
	if !closed {
		close(l.stop)
	}
	<-l.done
	return l.journal.Close()
}

// release removes the segments below a position and tells whether they are
// gone.
func (l *Log) release(below journal.Position) bool {
	_, err := l.journal.Release([16]byte{}, below)
	if err != nil {
		l.o.Log.Error("segments of the batchlog cannot be removed", "error", err)
	}
	return err == nil
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// sweep forgets what is done and returns the lowest segment that is needed.
// mu is held.
func (l *Log) sweep() (floor uint64) {
	l.order = slices.DeleteFunc(l.order, func(b *batch) bool { return b.over })
	invariant.Check(len(l.order) == len(l.batches), "batchlog: %d batches in order, %d by id", len(l.order), len(l.batches))
	floor = l.last
	for _, b := range l.order {
		if b.stored {
			floor = min(floor, b.at.Segment)
		}
	}
	return floor
}
