package wireserver

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/ilion-db/ilion/internal/workers"
)

// task is what a worker does.
type task interface{ run() }

// pool runs what may block, and groups of what may not.
type pool struct {
	*workers.Pool[task]

	stats   *stats
	cores   int32
	helpers atomic.Int32 // groups queued or being executed
}

func newPool(s *Server) *pool {
	return &pool{
		Pool:  workers.New(workers.Config[task]{Max: s.cfg.Workers, Queue: s.cfg.QueueLength, Run: task.run}),
		stats: &s.stats, cores: int32(runtime.GOMAXPROCS(0)),
	}
}

// free tells whether another core than the reader's may help.
func (w *pool) free() bool { return w.helpers.Load() < w.cores-1 }

// submit hands a task to a worker or queues it. False means that the queue is
// full, or the server closed, and the task still the caller's.
func (w *pool) submit(t task) bool {
	ok := w.Submit(t)
	if !ok {
		w.stats.queueFull.Add(1)
	}
	return ok
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
