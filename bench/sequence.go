package bench

import "sync"

// sequence numbers the rows that are inserted during a run and tells up to
// where they are there. It may be used concurrently.
type sequence struct {
	mu      sync.Mutex         // protects what follows
	next    int64              // the next to begin
	ended   int64              // all before it have ended
	early   map[int64]struct{} // ended, but not all before them have
	unknown map[int64]struct{} // ended with an error: may be there or not
}

// maxUnknown bounds what is kept of failed inserts; a run with more of them
// has told enough.
const maxUnknown = 1 << 20

func newSequence(next int64) *sequence {
	return &sequence{next: next, ended: next, early: map[int64]struct{}{}, unknown: map[int64]struct{}{}}
}

// begin takes the next number, for which end must follow.
func (s *sequence) begin() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	return s.next - 1
}

func (s *sequence) end(n int64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !ok && len(s.unknown) < maxUnknown {
		s.unknown[n] = struct{}{}
	}
	s.early[n] = struct{}{}
	for {
		if _, is := s.early[s.ended]; !is {
			return
		}
		delete(s.early, s.ended)
		s.ended++
	}
}

// count is how many rows there are: every lower number has ended.
func (s *sequence) count() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// doubtful tells whether the row may be there or not.
func (s *sequence) doubtful(n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, is := s.unknown[n]
	return is
}
