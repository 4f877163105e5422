package coordinator

import (
	"context"
	"errors"
	"sync"
	"time"
)

// queuePerWorker bounds what waits for a worker.
const queuePerWorker = 64

// task is work that may wait for the local store. It ends by its deadline.
type task interface{ run() }

// workers run tasks on a bounded number of goroutines, which end when there is
// nothing to do.
type workers struct {
	max int
	wg  sync.WaitGroup

	mu      sync.Mutex // protects what follows
	queue   []task
	running int
	closed  bool
}

// submit hands a task over; false if too many wait.
func (p *workers) submit(t task) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.queue) >= p.max*queuePerWorker {
		return false
	}
	p.queue = append(p.queue, t)
	if p.running < p.max {
		p.running++
		p.wg.Go(p.work)
	}
	return true
}

func (p *workers) work() {
	for {
		p.mu.Lock()
		if len(p.queue) == 0 {
			p.running--
			p.queue = nil
			p.mu.Unlock()
			return
		}
		t := p.queue[0]
		p.queue[0] = nil
		p.queue = p.queue[1:]
		p.mu.Unlock()
		t.run()
	}
}

// close returns when the last task has ended.
func (p *workers) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.wg.Wait()
}

var errDeadline = errors.New("coordinator: the deadline has passed")

// limited returns a context that ends at a deadline or when the cluster closes.
func (c *Cluster) limited(deadline int64) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(c.ctx)
	t := c.cfg.Clock.AfterFunc(time.Duration(deadline)-c.cfg.Clock.Mono(), func() { cancel(errDeadline) })
	return ctx, func() {
		t.Stop()
		cancel(nil)
	}
}
