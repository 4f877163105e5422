package workers

import (
	"sync"

	"github.com/ilion-db/ilion/internal/invariant"
)

// Config of a pool.
type Config[T any] struct {
	// Max is how many tasks run at the same time. At least 1.
	Max int
	// Queue is how many wait for a worker. At least 1.
	Queue int
	// Run does a task. It must not panic.
	Run func(T)

	// Cost of a task that waits, in a unit of the owner's; none by default.
	Cost func(T) int64
	// MaxCost is what those that wait may cost: none is queued once it is reached.
	MaxCost int64
	// Overdue tells of the oldest task that waits whether the newest is to be
	// begun before it; none is by default.
	Overdue func(oldest T) bool
}

// Pool runs tasks; see the package.
type Pool[T any] struct {
	cfg Config[T]

	mu      sync.Mutex // protects what follows
	room    sync.Cond  // for SubmitWait
	waiting int        // in SubmitWait
	idle    []chan T   // of workers that wait for a task; only if the queue is empty
	running int        // workers that were started
	queue   []T        // ring: count from first on
	first   int
	count   int
	cost    int64 // of the queue
	closed  bool

	wg sync.WaitGroup
}

// New returns a pool without goroutines; they come with the tasks.
func New[T any](cfg Config[T]) *Pool[T] {
	invariant.Check(cfg.Max > 0 && cfg.Queue > 0 && cfg.Run != nil, "workers: a pool without workers or a queue")
	p := &Pool[T]{cfg: cfg, queue: make([]T, cfg.Queue)}
	p.room.L = &p.mu
	return p
}

// Submit hands a task over and does not wait. False means that the queue is
// full, or the pool closed, and t still the caller's.
func (p *Pool[T]) Submit(t T) bool {
	p.mu.Lock()
	ok := p.handOver(t)
	p.mu.Unlock()
	return ok
}

// SubmitWait is Submit that waits for room. False means that the pool is closed.
func (p *Pool[T]) SubmitWait(t T) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.handOver(t) {
		if p.closed {
			return false
		}
		p.waiting++
		p.room.Wait()
		p.waiting--
	}
	// There may be more room than for this one, and nobody to tell the next:
	// a worker that finds the queue empty does not.
	if p.waiting > 0 {
		p.room.Signal()
	}
	return true
}

// handOver gives t away under p.mu: it may have been run when true is returned.
func (p *Pool[T]) handOver(t T) bool {
	switch n := len(p.idle); {
	case p.closed:
		return false
	case n > 0:
		invariant.Check(p.count == 0, "workers: a worker is idle while tasks wait")
		mine := p.idle[n-1]
		p.idle = p.idle[:n-1]
		mine <- t // has room, since its worker is idle
	case p.running < p.cfg.Max:
		p.running++
		p.wg.Add(1)
		go p.work(t)
	case p.count < len(p.queue) && (p.cfg.Cost == nil || p.cost < p.cfg.MaxCost):
		p.queue[(p.first+p.count)%len(p.queue)] = t
		p.count++
		if p.cfg.Cost != nil {
			p.cost += p.cfg.Cost(t)
		}
	default:
		return false
	}
	return true
}

func (p *Pool[T]) work(t T) {
	defer p.wg.Done()
	mine := make(chan T, 1)
	for ok := true; ok; t, ok = p.next(mine) {
		p.cfg.Run(t)
	}
}

// next is a worker's next task; false is its end.
func (p *Pool[T]) next(mine chan T) (t T, ok bool) {
	p.mu.Lock()
	switch {
	case p.count > 0:
		t = p.pop()
		if p.waiting > 0 {
			p.room.Signal()
		}
		p.mu.Unlock()
		return t, true
	case p.closed:
		p.mu.Unlock()
		return t, false
	}
	p.idle = append(p.idle, mine)
	p.mu.Unlock()
	t, ok = <-mine
	return t, ok
}

// pop takes the next task of the queue, under p.mu.
func (p *Pool[T]) pop() (t T) {
	i := p.first
	if p.cfg.Overdue != nil && p.cfg.Overdue(p.queue[i]) {
		i = (p.first + p.count - 1) % len(p.queue)
	} else {
		p.first = (p.first + 1) % len(p.queue)
	}
	t, p.queue[i] = p.queue[i], t
	p.count--
	if p.cfg.Cost != nil {
		p.cost -= p.cfg.Cost(t)
		invariant.Check(p.cost >= 0 && (p.count > 0 || p.cost == 0), "workers: the cost of a task changed while it waited")
	}
	return t
}

// Queued is how many tasks wait for a worker.
func (p *Pool[T]) Queued() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

// Close takes no further task, has those run that were taken, and returns when
// the last worker has ended. It may be called more than once.
func (p *Pool[T]) Close() {
	p.mu.Lock()
	p.closed = true
	for _, mine := range p.idle {
		close(mine)
	}
	p.idle = nil
	p.room.Broadcast()
	p.mu.Unlock()
	p.wg.Wait()
}
