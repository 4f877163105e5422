package replicaread

import (
	"sync/atomic"
	"testing"
)

type blocked struct {
	began, let chan struct{}
	done       *atomic.Int32
}

func (b blocked) run() {
	b.began <- struct{}{}
	<-b.let
	b.done.Add(1)
}

// What waits for a worker is bounded, and what was taken is done.
func TestQueueIsBounded(t *testing.T) {
	w := newWorkers(1)
	b := blocked{began: make(chan struct{}, 1+queuePerWorker), let: make(chan struct{}), done: new(atomic.Int32)}
	if !w.submit(b) {
		t.Fatal("an idle worker takes nothing")
	}
	<-b.began
	for i := range queuePerWorker {
		if !w.submit(b) {
			t.Fatalf("the queue is full with %d tasks", i)
		}
	}
	if w.submit(b) {
		t.Errorf("more than %d tasks wait", queuePerWorker)
	}
	close(b.let)
	w.close()
	if n := b.done.Load(); n != 1+queuePerWorker {
		t.Errorf("%d tasks were done, want %d", n, 1+queuePerWorker)
	}
	if w.submit(b) {
		t.Error("a task is taken after the end")
	}
}
