package node

import "sync"

// Questions about the cluster are answered by a few goroutines, since some
// wait for other nodes.
const (
	queueWorkers = 4
	queueLength  = 64
)

// queue runs functions one after the other on a few goroutines.
type queue struct{ work chan func() }

func newQueue() *queue { return &queue{make(chan func(), queueLength)} }

// add answers false if too many functions wait. It does not wait itself.
func (q *queue) add(f func()) bool {
	select {
	case q.work <- f:
		return true
	default:
		return false
	}
}

// run works until closing is closed.
func (q *queue) run(closing <-chan struct{}) {
	var all sync.WaitGroup
	for range queueWorkers {
		all.Go(func() {
			for {
				select {
				case f := <-q.work:
					f()
				case <-closing:
					return
				}
			}
		})
	}
	all.Wait()
}
