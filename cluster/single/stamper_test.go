package single

import (
	"sync"
	"testing"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
)

func TestStampsNeverRepeatNorGoBack(t *testing.T) {
	var offset time.Duration
	s := NewStamper(clock.Skewed{Clock: clock.Real, Offset: func() time.Duration { return offset }}, 0)
	a := s.Now()
	offset = -time.Hour
	b := s.Now()
	if b <= a {
		t.Fatalf("%d after %d", b, a)
	}
	again := NewStamper(clock.Real, time.Now().Add(time.Minute).UnixMicro())
	if c := again.Now(); c <= time.Now().UnixMicro() {
		t.Fatalf("%d is below the mark", c)
	}
}

func TestStampsAreUniqueAcrossGoroutines(t *testing.T) {
	s := NewStamper(clock.Real, 0)
	const each = 2000
	got := make([][]int64, 4)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			for range each {
				got[i] = append(got[i], s.Now())
			}
		})
	}
	wg.Wait()
	seen := map[int64]bool{}
	for _, g := range got {
		for _, v := range g {
			if seen[v] {
				t.Fatalf("%d twice", v)
			}
			seen[v] = true
		}
	}
}
