package clock

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestSeldom(t *testing.T) {
	for _, start := range []time.Duration{-3 * time.Hour, -seldom, 0, 1, 3 * time.Hour} {
		var s Seldom
		for i, c := range []struct {
			after time.Duration // start
			held  uint64
			ok    bool
		}{
			{0, 0, true},
			{0, 0, false},
			{1, 0, false},
			{seldom - 1, 0, false},
			{seldom + 1, 3, true},
			{seldom + 2, 0, false},
			{3 * seldom, 1, true},
			{9 * seldom, 0, true},
		} {
			if held, ok := s.Pass(start + c.after); held != c.held || ok != c.ok {
				t.Errorf("from %v: the %d. at %v: %d, %v", start, i, c.after, held, ok)
			}
		}
	}
}

// Of many at once one is let through, and each of the others is told of once.
func TestSeldomAtOnce(t *testing.T) {
	var s Seldom
	var passed, told atomic.Uint64
	pass := func(now time.Duration) {
		if held, ok := s.Pass(now); ok {
			passed.Add(1)
			told.Add(held)
		}
	}
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() { pass(7) })
	}
	all.Wait()
	if passed.Load() != 1 {
		t.Errorf("%d of 100 are let through", passed.Load())
	}
	pass(2 * seldom)
	if passed.Load() != 2 || told.Load() != 99 {
		t.Errorf("%d of 101 are let through, and %d told of", passed.Load(), told.Load())
	}
}
