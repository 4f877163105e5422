package mem

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestShareLimits(t *testing.T) {
	s := NewShare("test", 100)
	if !s.TryReserve(60) || s.TryReserve(41) || !s.TryReserve(40) || s.TryReserve(1) {
		t.Fatal("limit not kept")
	}
	if s.Used() != 100 || s.Limit() != 100 || s.Name() != "test" {
		t.Fatalf("used %d of %d", s.Used(), s.Limit())
	}
	if err := s.Reserve(t.Context(), 101); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("more than the share: %v", err)
	}
	s.Force(50)
	s.Release(149)
	if s.Used() != 1 {
		t.Fatalf("used %d", s.Used())
	}
	defer func() {
		if recover() == nil {
			t.Fatal("released more than was reserved")
		}
	}()
	s.Release(2)
}

// Waiters are served in order, and a small one does not overtake.
func TestShareOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewShare("test", 100)
		if !s.TryReserve(90) {
			t.Fatal("no memory")
		}
		var mu sync.Mutex
		var order []int
		for i, n := range []int64{50, 5, 30} {
			go func() {
				if err := s.Reserve(t.Context(), n); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				order = append(order, i)
			}()
			synctest.Wait()
		}
		if s.TryReserve(1) {
			t.Fatal("overtook those who wait")
		}
		if s.Waiting() != 3 {
			t.Fatalf("%d wait", s.Waiting())
		}
		check := func(want int) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if len(order) != want {
				t.Fatalf("served %v, want %d of them", order, want)
			}
		}
		check(0)
		s.Release(30)
		check(0)
		s.Release(10)
		check(1)
		s.Release(5)
		check(2)
		s.Release(30)
		check(3)
		if order[0] != 0 || order[1] != 1 || s.Used() != 100 || s.Waiting() != 0 {
			t.Fatalf("order %v, used %d", order, s.Used())
		}
	})
}

func TestShareGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewShare("test", 10)
		s.TryReserve(8)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		got := make(chan error, 1)
		go func() { got <- s.Reserve(ctx, 9) }()
		synctest.Wait()
		small := make(chan error, 1)
		go func() { small <- s.Reserve(t.Context(), 2) }()
		if err := <-got; !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("gave up with %v", err)
		}
		if err := <-small; err != nil { // served when the one before it left
			t.Fatal(err)
		}
		s.Release(10)
		if s.Used() != 0 || s.Waiting() != 0 {
			t.Fatalf("used %d, waiting %d", s.Used(), s.Waiting())
		}
	})
}

func TestSharePressure(t *testing.T) {
	s := NewShare("test", 100)
	calls := 0
	remove := s.OnPressure(0.8, func(used, limit int64) {
		calls++
		if limit != 100 {
			t.Errorf("limit %d", limit)
		}
		s.Waiting() // no lock is held
	})
	want := func(n int) {
		t.Helper()
		if calls != n {
			t.Fatalf("%d calls, want %d", calls, n)
		}
	}
	s.TryReserve(80)
	want(0)
	s.TryReserve(1)
	want(1)
	s.TryReserve(1)
	want(1)
	s.Release(2)
	s.TryReserve(5)
	want(2)
	s.TryReserve(50) // refused
	want(3)
	remove()
	s.TryReserve(50)
	want(3)
}

func TestShareConcurrent(t *testing.T) {
	s := NewShare("test", 1000)
	var inside, most atomic.Int64
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 2000 {
				n := int64((g*7+i*13)%400 + 1)
				if i%3 == 0 {
					if !s.TryReserve(n) {
						continue
					}
				} else if err := s.Reserve(t.Context(), n); err != nil {
					t.Error(err)
					return
				}
				now := inside.Add(n)
				most.Store(max(most.Load(), now))
				inside.Add(-n)
				s.Release(n)
			}
		})
	}
	wg.Wait()
	if s.Used() != 0 || s.Waiting() != 0 || most.Load() > 1000 {
		t.Fatalf("used %d, waiting %d, most %d", s.Used(), s.Waiting(), most.Load())
	}
}

func TestShareAllocs(t *testing.T) {
	s := NewShare("test", 1000)
	s.OnPressure(0.5, func(int64, int64) {})
	if n := testing.AllocsPerRun(100, func() {
		if s.TryReserve(600) {
			s.Release(600)
		}
		if s.Reserve(context.Background(), 10) == nil {
			s.Release(10)
		}
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func TestBudget(t *testing.T) {
	for _, total := range []int64{32 << 20, 128 << 20, 256 << 20, 512 << 20, 1 << 30, 2 << 30, 64 << 30} {
		b := NewBudget(total)
		var sum int64
		for _, s := range b.Shares() {
			if s.Limit() < 0 {
				t.Errorf("%d: share %s is %d", total, s.Name(), s.Limit())
			}
			sum += s.Limit()
		}
		if sum != total || b.Total() != total {
			t.Errorf("%d: shares sum up to %d", total, sum)
		}
		if heap := b.Share(Heap).Limit(); heap < 96<<20 && heap < total/2 {
			t.Errorf("%d: heap is %d", total, heap)
		}
	}
	b := NewBudget(100 << 30)
	for k, want := range map[Kind]int64{Memtable: 25, Cache: 35, Metadata: 10, InFlight: 8, Heap: 15, Spare: 7} {
		if got := (b.Share(k).Limit() + 1<<29) >> 30; got != want {
			t.Errorf("%v has %d %%, want %d", k, got, want)
		}
		if b.Share(k).Name() != k.String() {
			t.Errorf("%v is named %s", k, b.Share(k).Name())
		}
	}
}
