package hints

import (
	"errors"
	"io"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/fail"
	"github.com/ilion-db/ilion/internal/journal"
	"github.com/ilion-db/ilion/mutation"
)

// Sender sends hints to their targets.
type Sender interface {
	// Deliver sends one hint and never waits. After nil, done is called exactly
	// once, from any goroutine: with nil when the target has applied the record,
	// an error that matches ErrRefused if it never will, or another one if it may
	// later; bytesPerSecond is what the target asks for, 0 if it does not say.
	// After an error (the target is down, or too much waits) done is not called.
	// The record is the sender's to read until then.
	Deliver(host [16]byte, created int64, r mutation.Record, done func(bytesPerSecond int64, err error)) error
}

const (
	// firstBackoff doubles up to lastBackoff while a target does not take hints.
	firstBackoff = time.Second
	lastBackoff  = time.Minute
	// burst is how far sending may be ahead of the rate, which saves timers.
	burst = 10 * time.Millisecond
	// maxReadErrors is how often the same place of a file is tried before the
	// rest of the file counts as rot.
	maxReadErrors = 5
)

// deliverer is the loop of one target.
type deliverer struct {
	*target
	sender Sender
	cursor *journal.Cursor
	// held is an entry that was read and could not be sent yet.
	held     []byte
	heldAt   journal.Position
	backoff  time.Duration
	readErrs int
	timer    clock.Timer
}

// deliver runs until the store is closed.
func (t *target) deliver(sender Sender) {
	t.mu.Lock()
	from := t.delivered
	t.mu.Unlock()
	d := &deliverer{target: t, sender: sender, cursor: t.s.journal.Cursor(t.id, from)}
	defer d.cursor.Close()
	defer d.stopTimer()
	for {
		wait, ready := d.step()
		if ready {
			select {
			case <-t.s.stop:
				return
			default:
				continue
			}
		}
		d.arm(wait)
		select {
		case <-t.signal:
		case <-t.s.stop:
			return
		}
	}
}

// arm has the loop look again after a time; 0 is when it is signalled.
func (d *deliverer) arm(wait time.Duration) {
	d.stopTimer()
	if wait > 0 {
		d.timer = d.s.o.Clock.AfterFunc(wait, d.kick)
	}
}

func (d *deliverer) stopTimer() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

// step does one thing and tells whether there may be another; if not, for how
// long to wait unless signalled.
func (d *deliverer) step() (wait time.Duration, ready bool) {
	now := d.s.o.Clock.Mono()
	d.mu.Lock()
	w := &d.window
	if w.taken || d.woken {
		d.backoff = 0
	}
	if d.woken {
		w.next = min(w.next, now)
	}
	failed, busy, full, woken := w.failed, w.inFlight > 0, w.full(), d.woken
	at, next := d.delivered, w.next
	w.taken = false
	if failed && !busy {
		w.rewind()
	}
	// A wake during answers of failure is for what follows them.
	d.woken = woken && failed && busy
	d.mu.Unlock()
	switch {
	case failed && busy:
		return 0, false
	case failed:
		d.held = nil
		d.cursor.Seek(at)
		if woken {
			return 0, true
		}
		return d.retreat(now), false
	case full:
		return 0, false
	case now+burst < next:
		return next - now, false
	}
	if d.held == nil {
		if wait, ready, ok := d.read(now); !ok {
			return wait, ready
		}
	}
	return d.send(now)
}

// retreat returns how long to leave the target alone, and has step see to it.
func (d *deliverer) retreat(now time.Duration) time.Duration {
	d.backoff = min(max(2*d.backoff, firstBackoff), lastBackoff)
	// Between one and one and a half times, so that nodes do not come together.
	wait := d.backoff + time.Duration(d.s.o.Rand.Uint64N(uint64(d.backoff/2)))
	d.mu.Lock()
	d.window.next = now + wait
	d.mu.Unlock()
	return wait
}

// read takes the next entry from the file.
func (d *deliverer) read(now time.Duration) (wait time.Duration, ready, ok bool) {
	entry, at, err := d.cursor.Next()
	damage := (*journal.Damage)(nil)
	switch {
	case err == nil:
		d.held, d.heldAt, d.readErrs = entry, at, 0
		return 0, true, true
	case err == io.EOF:
		d.drained()
		return 0, false, false
	case errors.As(err, &damage):
		d.s.lost(d.target, damage)
		return 0, true, false
	}
	if d.readErrs++; d.readErrs < maxReadErrors {
		return d.retreat(now), false, false
	}
	d.readErrs = 0
	d.s.lost(d.target, &journal.Damage{Stream: d.id, Segment: at.Segment, Offset: at.Offset, Detail: err.Error()})
	d.cursor.SkipSegment()
	return 0, true, false
}

// drained follows the cursor to the end, if everything before has been
// answered, so that the files can go.
func (d *deliverer) drained() {
	d.mu.Lock()
	idle := d.window.count == 0
	if idle && below(d.delivered, d.cursor.Position()) {
		d.delivered = d.cursor.Position()
	}
	news := idle && d.delivered != d.freed
	if idle {
		d.forget()
	}
	d.mu.Unlock()
	if news {
		signal(d.s.keeper.wake)
	}
}

// send sends the entry that is held, or drops it.
func (d *deliverer) send(now time.Duration) (wait time.Duration, ready bool) {
	created, r, err := decodeEntry(d.held)
	d.mu.Lock()
	w := &d.window
	s := w.push()
	s.from, s.next, s.bytes = d.heldAt, d.cursor.Position(), len(r)
	dead := err != nil || d.s.expired(created)
	w.bytes += int64(len(r))
	s.hint = Drop{First: created}
	if !dead {
		s.hint = dropOf(d.id, created, r, Refused)
		w.charge(now, len(r))
	}
	answer := s.answer
	d.mu.Unlock()
	d.held = nil
	switch {
	case err != nil:
		d.s.lost(d.target, &journal.Damage{Stream: d.id, Segment: d.heldAt.Segment, Offset: d.heldAt.Offset, Detail: err.Error()})
		answer(0, nil)
	case dead:
		d.s.keeper.note(dropOf(d.id, created, r, Expired))
		answer(0, nil)
	case fail.Mutant("lose-hint") && created%2 == 0:
		answer(0, nil)
	default:
		if err := d.sender.Deliver(d.id, created, r, answer); err != nil {
			answer(0, err)
		} else {
			d.s.keeper.later()
		}
	}
	return 0, true
}
