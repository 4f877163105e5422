package hlc

import (
	"sync"
	"testing"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/ring"
)

func TestStampsNeverRepeatNorGoBack(t *testing.T) {
	var offset time.Duration
	s := New(clock.Skewed{Clock: clock.Real, Offset: func() time.Duration { return offset }}, 0)
	a := s.Now()
	offset = -time.Hour
	b := s.Now()
	if b <= a {
		t.Fatalf("%d after %d", b, a)
	}
	again := New(clock.Real, time.Now().Add(time.Hour).UnixMicro())
	if c := again.Now(); c <= time.Now().UnixMicro() {
		t.Fatalf("%d is below the mark", c)
	}
}

func TestStampsAreUniqueAcrossGoroutines(t *testing.T) {
	s := New(clock.Real, 0)
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

func TestFollow(t *testing.T) {
	wall := time.UnixMicro(1_000_000_000_000_000)
	c := New(fixed{clock.Real, wall}, 0)
	near := wall.Add(MaxLead).UnixMicro()
	if !c.Follow(near) {
		t.Error("a stamp as far ahead as allowed is not followed")
	}
	if got := c.Now(); got != near+1 {
		t.Errorf("%d after following %d", got, near)
	}
	if !c.Follow(near - 5) {
		t.Error("an old stamp is refused")
	}
	if c.Follow(near + 2_000_000) {
		t.Error("a stamp too far ahead is followed")
	}
	if got := c.Mark(); got != near+1 {
		t.Errorf("the mark is %d", got)
	}
	if s := c.Stats(); s.Refused != 1 || s.Lead != MaxLead+2*time.Second {
		t.Errorf("%+v", s)
	}
}

type fixed struct {
	clock.Clock
	now time.Time
}

func (f fixed) Now() time.Time { return f.now }

func TestNewest(t *testing.T) {
	n := NewNewest(10)
	for _, step := range []struct {
		token ring.Token
		stamp int64
		want  int64
		newer bool
	}{
		{1, 9, 10, true},
		{1, 10, 10, true},
		{1, 20, 20, false},
		{1, 15, 20, true},
		{1 + stripes, 19, 20, true},
		{2, 15, 15, false},
		{-1, 11, 11, false},
		{ring.MinToken, 11, 11, false},
	} {
		if got, newer := n.Meet(step.token, step.stamp); got != step.want || newer != step.newer {
			t.Errorf("%d at %d: %d %t", step.token, step.stamp, got, newer)
		}
	}
}
