package wireserver

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// task is what a worker does.
type task interface{ run() }

// workers are reusable goroutines for what may block, and a bounded queue before
// them. Safe for concurrent use. Goroutines are started as needed up to the
// maximum and live until close.
type workers struct {
	s       *Server
	queue   chan task
	cores   int32
	helpers atomic.Int32 // groups queued or being executed
	idle    atomic.Int32

	mu      sync.Mutex // protects what follows
	running int
	closed  bool

	wg sync.WaitGroup
}

func newWorkers(s *Server) *workers {
	return &workers{s: s, queue: make(chan task, s.cfg.QueueLength), cores: int32(runtime.GOMAXPROCS(0))}
}

// free tells whether another core than the reader's may help.
func (w *workers) free() bool { return w.helpers.Load() < w.cores-1 }

// submit hands a task to a worker or queues it. False means that the queue is
// full, or the server closed, and the task still the caller's.
func (w *workers) submit(t task) bool {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return false
	}
	select {
	case w.queue <- t:
	default:
		w.mu.Unlock()
		w.s.stats.queueFull.Add(1)
		return false
	}
	if int(w.idle.Load()) < len(w.queue) && w.running < w.s.cfg.Workers {
		w.running++
		w.wg.Add(1)
		go w.run()
	}
	w.mu.Unlock()
	return true
}

func (w *workers) run() {
	defer w.wg.Done()
	for {
		w.idle.Add(1)
		t, ok := <-w.queue
		w.idle.Add(-1)
		if !ok {
			return
		}
		t.run()
	}
}

// close lets the workers do what is queued, whose connections are closed or are
// being, and waits for them.
func (w *workers) close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.queue)
	}
	w.mu.Unlock()
	w.wg.Wait()
}

// sender sends answers that got ready after their frame was read. One goroutine
// does it for all of them while there are any.
type sender struct {
	runFn func()

	mu         sync.Mutex // protects what follows
	head, tail *batch
	running    bool
	closed     bool

	wg sync.WaitGroup
}

func (d *sender) init() { d.runFn = d.run }

// later has a batch sent whose sending the caller has set.
func (d *sender) later(b *batch) {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		b.send() // to a connection that is closed or about to be
		return
	}
	if b.next = nil; d.tail == nil {
		d.head = b
	} else {
		d.tail.next = b
	}
	d.tail = b
	start := !d.running
	if d.running = true; start {
		d.wg.Add(1)
	}
	d.mu.Unlock()
	if start {
		go d.runFn()
	}
}

func (d *sender) run() {
	defer d.wg.Done()
	// What gets ready at the same time does so first, and goes in one frame.
	runtime.Gosched()
	for {
		d.mu.Lock()
		b := d.head
		if d.head, d.tail = nil, nil; b == nil {
			d.running = false
			d.mu.Unlock()
			return
		}
		d.mu.Unlock()
		for b != nil {
			next := b.next
			b.next = nil
			b.send()
			b = next
		}
	}
}

// close waits for what is being sent.
func (d *sender) close() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.wg.Wait()
}
