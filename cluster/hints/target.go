package hints

import (
	"slices"
	"sync"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/journal"
)

// target is what the store knows of one host's hints.
type target struct {
	s      *Store
	id     [16]byte
	signal chan struct{} // of capacity 1: the deliverer is to look again

	mu        sync.Mutex       // protects what follows
	appended  journal.Position // of the last durable hint
	delivered journal.Position
	freed     journal.Position // up to which files have been released
	parts     []part           // by segment: what is not delivered
	newest    int64            // highest creation time seen
	window    window
	woken     bool
}

// part sums up what is left of a segment. Its counts may be below zero for a
// moment: a hint may be delivered before the flusher has told of it.
type part struct {
	segment        uint64
	records, bytes int64
	oldest         int64 // lower bound of the creation times
}

func newTarget(s *Store, id [16]byte, at journal.Position) *target {
	t := &target{s: s, id: id, signal: make(chan struct{}, 1), delivered: at}
	t.window.init(t)
	return t
}

// added counts a durable hint.
func (t *target) added(at journal.Position, created int64, bytes int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	invariant.Check(below(t.appended, at), "hints: a hint lies before one that was added earlier")
	t.appended = at
	t.count(at.Segment, 1, int64(bytes), created)
	t.newest = max(t.newest, created)
}

// count adds to what is left of a segment. mu is held.
func (t *target) count(segment uint64, records, bytes, created int64) {
	i := slices.IndexFunc(t.parts, func(p part) bool { return p.segment == segment })
	if i < 0 {
		i = len(t.parts)
		t.parts = append(t.parts, part{segment: segment, oldest: created})
	}
	p := &t.parts[i]
	p.records += records
	p.bytes += bytes
	p.oldest = min(p.oldest, created)
	if p.records == 0 {
		t.parts = slices.Delete(t.parts, i, i+1)
	}
}

// forget drops the counts of segments below the position: hints that rot has
// made unreadable were never taken off. mu is held.
func (t *target) forget() {
	t.parts = slices.DeleteFunc(t.parts, func(p part) bool { return p.segment < t.delivered.Segment })
}

func (t *target) pending() (records, bytes, oldest int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.parts {
		records += p.records
		bytes += p.bytes
		if oldest == 0 || p.oldest < oldest {
			oldest = p.oldest
		}
	}
	if records <= 0 {
		return 0, 0, 0
	}
	return records, bytes, oldest
}

// since is a time at or before which no hint was created that follows the
// position in that segment: writes reach their hints within a minute.
func (t *target) since(segment uint64) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := t.newest
	for _, p := range t.parts {
		if p.segment == segment {
			first = min(first, p.oldest)
		}
	}
	return max(0, floorMinute(first)-minute)
}

// keeping is the position that the next image is to hold, if it need hold one:
// once the files below it are gone for good there is nothing to remember.
func (t *target) keeping() (journal.Position, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.delivered, len(t.parts) > 0 || t.delivered != t.freed
}

func (t *target) empty() bool {
	records, _, _ := t.pending()
	return records == 0
}

// released notes that the files below a position are gone.
func (t *target) released(at journal.Position) {
	t.mu.Lock()
	defer t.mu.Unlock()
	invariant.Check(!below(t.delivered, at), "hints: files are released that hold what was not delivered")
	t.freed = at
}

// kick has the deliverer look again.
func (t *target) kick() { signal(t.signal) }

// wake has the deliverer try again at once.
func (t *target) wake() {
	t.mu.Lock()
	t.woken = true
	t.mu.Unlock()
	t.kick()
}
