package batchlog

import (
	"errors"
	"io"
	"time"

	"github.com/ilion-db/ilion/internal/invariant"
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
	// gather is for how long marks and what they make superfluous are gathered.
	gather = 500 * time.Millisecond
	// maxMarks are written at once without waiting for others.
	maxMarks = 1024
	// maxReplaying bounds the batches that are being replayed.
	maxReplaying = 16
	// burst is how far replay may be ahead of the rate, which saves timers.
	burst = 100 * time.Millisecond
)

// replayer is the log's own goroutine.
type replayer struct {
	*Log
	cursor *journal.Cursor
	next   time.Duration // when the next may be replayed, monotonic
	floor  uint64        // segments below have been removed
}

// run writes marks, replays and releases when there is something of that to do.
func (l *Log) run() {
	defer close(l.done)
	r := &replayer{Log: l, cursor: l.journal.Cursor([16]byte{}, journal.Position{}), next: l.o.Clock.Mono()}
	defer r.cursor.Close()
	for {
		select {
		case <-l.wake:
		case <-l.stop:
			l.mark()
			return
		}
		l.mark()
		r.round()
	}
}

// lookAt has the goroutine look again at a monotonic time, if it would not
// before. mu is held.
func (l *Log) lookAt(at time.Duration) {
	if l.closed || l.look != 0 && l.look <= at {
		return
	}
	l.look = at
	wait := max(at-l.o.Clock.Mono(), 0)
	if l.timer == nil {
		l.timer = l.o.Clock.AfterFunc(wait, l.timeUp)
	} else {
		l.timer.Reset(wait)
	}
}

// timeUp is called by the timer.
func (l *Log) timeUp() {
	l.mu.Lock()
	l.look = 0
	l.mu.Unlock()
	signal(l.wake)
}

// due is the monotonic time from when on a batch is replayed unless it is done:
// now for one that is late. mu is held.
func (l *Log) due(b *batch, now time.Duration) time.Duration {
	if b.failed {
		return b.again
	}
	left := 2*l.o.WriteTimeout.Microseconds() - (l.o.Clock.Now().UnixMicro() - b.created)
	// The wall clock of who made it may be anything: it is looked at now and then.
	left = min(max(left, 0), time.Hour.Microseconds())
	return now + time.Duration(left)*time.Microsecond
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
	if err := l.journal.Append([16]byte{}, journal.Urgent, &marking{l, l.marks}, entry); err != nil {
		l.lookAt(l.o.Clock.Mono() + gather)
		return
	}
	l.marks = nil
}

// Appended implements journal.Waiter: what could not be written is tried again.
func (m *marking) Appended(at journal.Position, err error) {
	m.log.mu.Lock()
	defer m.log.mu.Unlock()
	if err != nil {
		m.log.marks = append(m.log.marks, m.ids...)
		m.log.lookAt(m.log.o.Clock.Mono() + gather)
		return
	}
	m.log.reached(at)
}

// reached notes where an entry lies. A new segment may be what the last one need
// not be kept for. mu is held.
func (l *Log) reached(at journal.Position) {
	if at.Segment > l.last {
		l.last = at.Segment
		l.lookAt(l.o.Clock.Mono() + gather)
	}
}

// round replays what is due and releases what is not needed.
func (r *replayer) round() {
	due, floor := r.survey()
	invariant.Check(floor >= r.floor, "batchlog: a batch lies in segment %d, those below %d are removed", floor, r.floor)
	switch {
	case floor <= r.floor:
	case r.release(journal.Position{Segment: floor}):
		r.floor = floor
	default:
		r.lookIn(gather)
	}
	crowded := r.journal.Bytes() > r.o.MaxBytes/2
	for _, b := range due {
		if !r.mayReplay() {
			return
		}
		entry, err := r.read(b.at)
		if err != nil {
			r.unreadable(b, err)
			continue
		}
		cost := time.Duration(float64(len(entry)) / float64(r.o.Rate) * float64(time.Second))
		r.next = max(r.next, r.o.Clock.Mono()) + cost
		if crowded && b.failed && b.at.Segment == floor {
			r.rewrite(b.batch, entry)
		}
		r.replay(b.batch, entry)
	}
}

// lookIn is lookAt for the goroutine.
func (r *replayer) lookIn(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lookAt(r.o.Clock.Mono() + d)
}

// mayReplay tells whether another batch may be replayed now; if not, the
// goroutine looks again when it may.
func (r *replayer) mayReplay() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.crowd = r.replaying >= maxReplaying; r.crowd {
		return false
	}
	if r.o.Clock.Mono()+burst < r.next {
		r.lookAt(r.next)
		return false
	}
	return true
}

// dueBatch is a batch with what the survey saw of it.
type dueBatch struct {
	*batch
	at     journal.Position
	failed bool
}

// survey finds the batches that are due, in order, and the lowest segment that is
// needed. The goroutine looks again when the next batch is due.
func (r *replayer) survey() (due []dueBatch, floor uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	floor = r.sweep()
	if r.sender == nil {
		return nil, floor
	}
	now := r.o.Clock.Mono()
	for _, b := range r.order {
		if b.busy || !b.stored {
			continue
		}
		if at := r.due(b, now); at <= now {
			due = append(due, dueBatch{b, b.at, b.failed})
		} else {
			r.lookAt(at)
		}
	}
	return due, floor
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
	r.mu.Lock()
	defer r.mu.Unlock()
	r.later(b.batch)
}

// replay hands a batch to the sender.
func (r *replayer) replay(b *batch, entry []byte) {
	records, err := decodeRecords(entry)
	if err != nil {
		r.o.Log.Error("a batch cannot be read", "id", b.id, "error", err)
		r.Done(b.id)
		return
	}
	r.mu.Lock()
	over := b.over
	if !over {
		b.busy = true
		r.replaying++
	}
	r.mu.Unlock()
	if over {
		return
	}
	if err := r.sender.Replay(b.id, b.created, records, func(err error) { r.answered(b, err) }); err != nil {
		r.answered(b, err)
	}
}

// answered ends a replay.
func (l *Log) answered(b *batch, err error) {
	if err == nil {
		l.Done(b.id)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	invariant.Check(b.busy && l.replaying > 0, "batchlog: the replay of a batch is answered twice")
	b.busy = false
	l.replaying--
	if err != nil {
		l.later(b)
	}
	if l.crowd && l.replaying <= maxReplaying/2 {
		l.crowd = false
		signal(l.wake)
	}
}

// later leaves a batch alone for a while. mu is held.
func (l *Log) later(b *batch) {
	b.failed, b.again = true, l.o.Clock.Mono()+l.o.WriteTimeout
	l.lookAt(b.again)
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
	w.log.reached(at)
	w.log.lookAt(w.log.o.Clock.Mono() + gather) // the place that it had may go
}
