package replicaread

import "sync"

// task is work that may block.
type task interface{ run() }

// queuePerWorker is how many tasks may wait for each worker.
const queuePerWorker = 64

// workers are reusable goroutines, started as needed up to a bound, with a
// bounded queue before them. Safe for concurrent use.
type workers struct {
	max int

	mu      sync.Mutex // protects what follows
	wake    sync.Cond
	queue   []task // ring: count from first on
	first   int
	count   int
	idle    int // waiting and not yet woken
	running int
	closed  bool

	wg sync.WaitGroup
}

func newWorkers(n int) *workers {
	w := &workers{max: n, queue: make([]task, n*queuePerWorker)}
	w.wake.L = &w.mu
	return w
}

// submit hands t over; false means that the queue is full or closed, and t
// still the caller's. It never waits.
func (w *workers) submit(t task) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || w.count == len(w.queue) {
		return false
	}
	w.queue[(w.first+w.count)%len(w.queue)] = t
	w.count++
	switch {
	case w.idle > 0:
		w.idle--
		w.wake.Signal()
	case w.running < w.max:
		w.running++
		w.wg.Add(1)
		go w.work()
	}
	return true
}

func (w *workers) work() {
	defer w.wg.Done()
	for t := w.next(); t != nil; t = w.next() {
		t.run()
	}
}

// next waits for a task; nil is the end.
func (w *workers) next() task {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.count == 0 {
		if w.closed {
			return nil
		}
		w.idle++
		w.wake.Wait()
	}
	t := w.queue[w.first]
	w.queue[w.first] = nil
	w.first = (w.first + 1) % len(w.queue)
	w.count--
	return t
}

// close ends the workers once what is queued is done, and waits for them.
func (w *workers) close() {
	w.mu.Lock()
	w.closed = true
	w.wake.Broadcast()
	w.mu.Unlock()
	w.wg.Wait()
}
