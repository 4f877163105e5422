package hints

import (
	"errors"
	"time"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/journal"
)

const (
	// maxInFlight and maxInFlightBytes bound what a target is sent before it
	// has answered; one hint is always allowed.
	maxInFlight      = 32
	maxInFlightBytes = 1 << 20
)

// window is what has been sent to a target and not been passed by its
// position yet, in order. Protected by target.mu.
type window struct {
	slots [maxInFlight]slot
	head  int // the oldest
	count int
	// inFlight are those that have not been answered; bytes are theirs.
	inFlight int
	bytes    int64
	failed   bool          // some answer was an error that may pass
	taken    bool          // some answer was not, since the deliverer looked
	rate     int64         // bytes a second
	next     time.Duration // when the next may be sent, monotonic
}

// slot is one hint on its way. Its answer function is made once.
type slot struct {
	from, next journal.Position // of the hint, and behind it
	bytes      int
	hint       Drop // what its refusal leaves
	sent       bool // and not answered
	gone       bool // delivered or dropped
	answer     func(rate int64, err error)
}

func (w *window) init(t *target) {
	w.rate, w.next = t.s.o.Rate, t.s.o.Clock.Mono()
	for i := range w.slots {
		at := i
		w.slots[i].answer = func(rate int64, err error) { t.answered(at, rate, err) }
	}
}

func (w *window) full() bool {
	return w.count == maxInFlight || w.inFlight > 0 && w.bytes >= maxInFlightBytes
}

// push takes a slot for a hint. The window is not full.
func (w *window) push() *slot {
	s := &w.slots[(w.head+w.count)%maxInFlight]
	invariant.Check(w.count < maxInFlight && !s.sent, "hints: more is on its way than there is room for")
	s.sent = true
	w.count++
	w.inFlight++
	s.gone = false
	return s
}

// charge counts bytes that are sent against the rate.
func (w *window) charge(now time.Duration, bytes int) {
	w.next = max(w.next, now) + time.Duration(float64(bytes)/float64(w.rate)*float64(time.Second))
}

// answered is the answer to the hint in a slot; rate is what the target can
// take, 0 if it does not say.
func (t *target) answered(i int, rate int64, err error) {
	refused := errors.Is(err, ErrRefused)
	if refused {
		t.mu.Lock()
		d := t.window.slots[i].hint
		t.mu.Unlock()
		// The drop is noted before the position moves: an image that has the
		// one has the other.
		t.s.keeper.note(d)
	}
	t.mu.Lock()
	w := &t.window
	s := &w.slots[i]
	invariant.Check(s.sent, "hints: a hint is answered twice")
	s.sent, s.gone = false, err == nil || refused
	w.inFlight--
	w.bytes -= int64(s.bytes)
	invariant.Check(w.inFlight >= 0 && w.bytes >= 0, "hints: less than nothing is on its way")
	w.failed = w.failed || !s.gone
	w.taken = w.taken || s.gone
	if rate > 0 {
		w.rate = rate
	}
	t.pass()
	t.mu.Unlock()
	t.kick()
}

// pass moves the position over what is gone. mu is held.
func (t *target) pass() {
	w := &t.window
	for w.count > 0 && w.slots[w.head].gone {
		s := &w.slots[w.head]
		invariant.Check(!below(s.next, t.delivered) && below(s.from, s.next), "hints: the position of what was delivered goes back")
		t.delivered = s.next
		t.count(s.from.Segment, -1, -int64(s.bytes), s.hint.First)
		w.head = (w.head + 1) % maxInFlight
		w.count--
	}
}

// rewind forgets what was sent and not passed: it is read again. Nothing is in
// flight. mu is held.
func (w *window) rewind() {
	invariant.Check(w.inFlight == 0, "hints: what is on its way is forgotten")
	w.head, w.count, w.bytes, w.failed = 0, 0, 0, false
}
