package workers

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// held is a pool of one worker that is at work until let is closed. What it has
// run is in order.
type held struct {
	*Pool[int]
	let   chan struct{}
	order []int // of the worker, until Close
}

func hold(t *testing.T, cfg Config[int]) *held {
	t.Helper()
	h := &held{let: make(chan struct{})}
	began := make(chan struct{})
	cfg.Max = 1
	cfg.Run = func(n int) {
		if h.order = append(h.order, n); n == 0 {
			close(began)
			<-h.let
		}
	}
	h.Pool = New(cfg)
	if !h.Submit(0) {
		t.Fatal("a pool without tasks takes none")
	}
	<-began
	return h
}

// What waits is bounded, what was taken is done in its order, and nothing is
// taken after the end.
func TestQueueIsBounded(t *testing.T) {
	const queue = 64
	h := hold(t, Config[int]{Queue: queue})
	want := []int{0}
	for i := 1; i <= queue; i++ {
		if !h.Submit(i) {
			t.Fatalf("the queue is full with %d tasks", i-1)
		}
		want = append(want, i)
	}
	if h.Submit(queue + 1) {
		t.Errorf("more than %d tasks wait", queue)
	}
	if n := h.Queued(); n != queue {
		t.Errorf("%d tasks are said to wait, want %d", n, queue)
	}
	close(h.let)
	h.Close()
	if !slices.Equal(h.order, want) {
		t.Errorf("tasks ran as %v, want %v", h.order, want)
	}
	if h.Submit(1) || h.SubmitWait(1) {
		t.Error("a task is taken after the end")
	}
	h.Close()
}

// A task that waits is charged, and the charge is taken back when it begins.
func TestCostIsBounded(t *testing.T) {
	h := hold(t, Config[int]{Queue: 10, Cost: func(n int) int64 { return int64(n) }, MaxCost: 10})
	for i, step := range []struct {
		task  int
		taken bool
	}{{9, true}, {50, true}, {1, false}, {0, false}} {
		if h.Submit(step.task) != step.taken {
			t.Errorf("step %d: a task of cost %d: taken is not %v", i, step.task, step.taken)
		}
	}
	close(h.let)
	h.Close()
	if h.cost != 0 || !slices.Equal(h.order, []int{0, 9, 50}) {
		t.Errorf("%v ran, and a cost of %d is left", h.order, h.cost)
	}
}

// The newest begins first while the oldest is overdue.
func TestOverdue(t *testing.T) {
	h := hold(t, Config[int]{Queue: 10, Overdue: func(oldest int) bool { return oldest == 2 }})
	for i := 1; i <= 4; i++ {
		h.Submit(i)
	}
	close(h.let)
	h.Close()
	if want := []int{0, 1, 4, 3, 2}; !slices.Equal(h.order, want) {
		t.Errorf("tasks ran as %v, want %v", h.order, want)
	}
}

// All who wait for room get it, though several workers get idle at once.
func TestSubmitWait(t *testing.T) {
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			let := make(chan struct{})
			var done atomic.Int32
			p := New(Config[int]{Max: 2, Queue: 1, Run: func(int) {
				<-let
				done.Add(1)
			}})
			for i := range 3 {
				if !p.Submit(i) {
					t.Fatalf("task %d is refused", i)
				}
			}
			var all sync.WaitGroup
			for i := range 5 {
				all.Go(func() {
					if !p.SubmitWait(i) {
						t.Error("a task is refused for good")
					}
				})
			}
			synctest.Wait()
			close(let)
			all.Wait()
			p.Close()
			if n := done.Load(); n != 8 {
				t.Errorf("%d tasks were done, want 8", n)
			}
		})
	}
}

// Close lets those go who wait for room.
func TestCloseEndsWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hold(t, Config[int]{Queue: 1})
		h.Submit(1)
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if h.SubmitWait(2) {
					t.Error("a task is taken by a pool that is closed")
				}
			})
		}
		synctest.Wait()
		all.Go(h.Close)
		synctest.Wait()
		close(h.let)
		all.Wait()
	})
}

// No more goroutines than Max run, and those that are idle are used again: the
// one last that was last at work.
func TestWorkersAreReused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int32
		p := New(Config[chan struct{}]{Max: 3, Queue: 100, Run: func(let chan struct{}) {
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			<-let
			now.Add(-1)
		}})
		for range 3 {
			let := make(chan struct{})
			for range 50 {
				p.Submit(let)
			}
			synctest.Wait()
			close(let)
			synctest.Wait()
			if p.running != 3 || len(p.idle) != 3 || p.count != 0 {
				t.Fatalf("%d workers, %d of them idle, %d tasks wait", p.running, len(p.idle), p.count)
			}
		}
		if most.Load() != 3 {
			t.Errorf("%d tasks ran at the same time, want 3", most.Load())
		}
		last, let := p.idle[2], make(chan struct{})
		p.Submit(let)
		if slices.Contains(p.idle, last) {
			t.Error("the task went to a worker that had been idle for longer")
		}
		close(let)
		p.Close()
	})
}

// A task costs no memory, whether a worker is idle or it has to wait.
func TestSubmitAllocatesNothing(t *testing.T) {
	done := make(chan struct{}, 64)
	p := New(Config[*int]{Max: 2, Queue: 64, Run: func(*int) { done <- struct{}{} }})
	defer p.Close()
	task := new(int)
	round := func() {
		for range 32 {
			p.Submit(task)
		}
		for range 32 {
			<-done
		}
	}
	round()
	if n := testing.AllocsPerRun(100, round); n >= 1 {
		t.Errorf("32 tasks allocate %v times", n)
	}
}

func BenchmarkSubmit(b *testing.B) {
	done := make(chan struct{}, 64)
	p := New(Config[*int]{Max: 4, Queue: 64, Run: func(*int) { done <- struct{}{} }})
	defer p.Close()
	task := new(int)
	b.Run("idle", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			p.Submit(task)
			<-done
		}
	})
	b.Run("32", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for range 32 {
				p.Submit(task)
			}
			for range 32 {
				<-done
			}
		}
	})
}
