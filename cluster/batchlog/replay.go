package batchlog

import (
	"errors"
	"io"
	"time"

	"github.com/ilion-db/ilion/internal/journal"
	"github.com/ilion-db/ilion/mutation"
)

// Sender applies batches that nobody has marked as done.
type Sender interface {
	// Replay applies the records to their replicas, each of which must have
	// applied its own or have a durable hint, and never waits. After nil, done is
	// called exactly once, from any goroutine: nil if the batch is done, an error
	// if it is to be replayed again. After an error done is not called. The
	// records are the sender's to read until then.
	Replay(id [16]byte, created int64, records []mutation.Record, done func(err error)) error
}

const (
	// tickEvery is how often marks are written and old batches looked for.
	tickEvery = 500 * time.Millisecond
	// maxMarks are written at once without waiting for the tick.
	maxMarks = 1024
	// maxReplaying bounds the batches that are being replayed.
	maxReplaying = 16
)

// replayer is the log's own goroutine.
type replayer struct {
	*Log
	cursor *journal.Cursor
	next   time.Duration // when the next may be replayed, monotonic
	floor  uint64        // segments below have been removed
}

// run writes marks, replays and releases, now and then.
func (l *Log) run() {
	defer close(l.done)
	r := &replayer{Log: l, cursor: l.journal.Cursor([16]byte{}, journal.Position{}), next: l.o.Clock.Mono()}
	defer r.cursor.Close()
	ticker := l.o.Clock.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C():
		case <-l.wake:
		case <-l.stop:
			l.mark()
			return
		}
		l.mark()
		r.round()
	}
}

// marking is an entry of marks under way.
type marking struct {
	log *Log
	ids [][16]byte
}

// mark appends the marks that have been gathered.
func (l *Log) mark() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.marks) == 0 {
		return
	}
	entry := appendMarks(make([]byte, 0, 1+len(l.marks)*idLen), l.marks)
	// Over the bound, too: marks are what makes room.
	if err := l.journal.Append([16]byte{}, journal.Urgent, &marking{l, l.marks}, entry); err == nil {
		l.marks = nil
	}
}

// Appended implements journal.Waiter: what could not be written is tried again.
func (m *marking) Appended(at journal.Position, err error) {
	m.log.mu.Lock()
	defer m.log.mu.Unlock()
	if err != nil {
		m.log.marks = append(m.log.marks, m.ids...)
		return
	}
	m.log.last = max(m.log.last, at.Segment)
}

// round replays what is due and releases what is not needed.
func (r *replayer) round() {
	due, floor, busy := r.survey()
	if floor > r.floor && r.release(journal.Position{Segment: floor}) {
		r.floor = floor
	}
	crowded := r.journal.Bytes() > r.o.MaxBytes/2
	for _, b := range due {
		now := r.o.Clock.Mono()
		if busy >= maxReplaying || now < r.next {
			return
		}
		entry, err := r.read(b.at)
		if err != nil {
			r.unreadable(b, err)
			continue
		}
		r.next = now + time.Duration(float64(len(entry))/float64(r.o.Rate)*float64(time.Second))
		if crowded && b.failed && b.at.Segment == floor {
			r.rewrite(b.batch, entry)
		}
		if r.replay(b.batch, entry) {
			busy++
		}
	}
}

// dueBatch is a batch with what the survey saw of it.
type dueBatch struct {
	*batch
	at     journal.Position
	failed bool
}

// survey finds the batches that are due, in order, the lowest segment that is
// needed, and how many are being replayed.
func (r *replayer) survey() (due []dueBatch, floor uint64, busy int) {
	now, wall := r.o.Clock.Mono(), r.o.Clock.Now().UnixMicro()
	r.mu.Lock()
	defer r.mu.Unlock()
	floor = r.sweep()
	for _, b := range r.order {
		switch {
		case b.busy:
			busy++
		case r.sender == nil || !b.stored || b.failed && now < b.again:
		case wall-b.created > 2*r.o.WriteTimeout.Microseconds():
			due = append(due, dueBatch{b, b.at, b.failed})
		}
	}
	return due, floor, busy
}

// read returns the entry at a position.
func (r *replayer) read(at journal.Position) ([]byte, error) {
	r.cursor.Seek(at)
	entry, found, err := r.cursor.Next()
	if err == nil && found != at {
		err = errCorrupt
	}
	return entry, err
}

// unreadable gives up a batch that rot has reached, and leaves one whose file
// cannot be read now for later.
func (r *replayer) unreadable(b dueBatch, err error) {
	r.o.Log.Error("a batch cannot be read", "id", b.id, "segment", b.at.Segment, "offset", b.at.Offset, "error", err)
	if errors.Is(err, journal.ErrCorrupt) || errors.Is(err, errCorrupt) || err == io.EOF {
		r.Done(b.id)
		return
	}
	r.answered(b.batch, err)
}

// replay hands a batch to the sender and tells whether it took it.
func (r *replayer) replay(b *batch, entry []byte) bool {
	records, err := decodeRecords(entry)
	if err != nil {
		r.o.Log.Error("a batch cannot be read", "id", b.id, "error", err)
		r.Done(b.id)
		return false
	}
	r.mu.Lock()
	over := b.over
	b.busy = !over
	r.mu.Unlock()
	if over {
		return false
	}
	if err := r.sender.Replay(b.id, b.created, records, func(err error) { r.answered(b, err) }); err != nil {
		r.answered(b, err)
		return false
	}
	return true
}

// answered ends a replay.
func (l *Log) answered(b *batch, err error) {
	if err == nil {
		l.Done(b.id)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b.busy, b.failed = false, true
	b.again = l.o.Clock.Mono() + l.o.WriteTimeout
}

// rewriting is a batch that is written again at the end.
type rewriting struct {
	log   *Log
	batch *batch
}

// rewrite writes a batch again, so that the file it is in can go.
func (r *replayer) rewrite(b *batch, entry []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b.over {
		return // its mark is not to come before it
	}
	// If it is refused, or fails, the batch stays where it is.
	_ = r.journal.Append([16]byte{}, journal.Urgent, &rewriting{r.Log, b}, entry)
}

// Appended implements journal.Waiter.
func (w *rewriting) Appended(at journal.Position, err error) {
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	w.batch.placed(at, err)
	w.log.last = max(w.log.last, at.Segment)
}
