package bench

import "testing"

func TestSequence(t *testing.T) {
	s := newSequence(10)
	for i := range int64(4) {
		if n := s.begin(); n != 10+i {
			t.Fatalf("number %d, want %d", n, 10+i)
		}
	}
	for _, step := range []struct {
		end  int64
		ok   bool
		want int64 // rows
	}{{11, true, 10}, {13, true, 10}, {10, true, 12}, {12, false, 14}} {
		s.end(step.end, step.ok)
		if got := s.count(); got != step.want {
			t.Errorf("after %d there are %d rows, want %d", step.end, got, step.want)
		}
	}
	if len(s.early) != 0 || !s.doubtful(12) || s.doubtful(11) {
		t.Errorf("early %v, unknown %v", s.early, s.unknown)
	}
}
