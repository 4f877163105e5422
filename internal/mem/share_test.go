package mem

import (
	"sync"
	"sync/atomic"
	"testing"
)

func TestShareLimits(t *testing.T) {
	s := NewShare("test", 100)
	if !s.TryReserve(60) || s.TryReserve(41) || !s.TryReserve(40) || s.TryReserve(1) {
		t.Fatal("limit not kept")
	}
	if s.Used() != 100 || s.Limit() != 100 || s.Name() != "test" {
		t.Fatalf("used %d of %d", s.Used(), s.Limit())
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

func TestShareConcurrent(t *testing.T) {
	s := NewShare("test", 1000)
	var inside, most atomic.Int64
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 2000 {
				n := int64((g*7+i*13)%400 + 1)
				if !s.TryReserve(n) {
					continue
				}
				now := inside.Add(n)
				most.Store(max(most.Load(), now))
				inside.Add(-n)
				s.Release(n)
			}
		})
	}
	wg.Wait()
	if s.Used() != 0 || most.Load() > 1000 {
		t.Fatalf("used %d, most %d", s.Used(), most.Load())
	}
}

func TestShareAllocs(t *testing.T) {
	s := NewShare("test", 1000)
	if n := testing.AllocsPerRun(100, func() {
		if s.TryReserve(600) {
			s.Release(600)
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
