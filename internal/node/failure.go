package node

import "sync"

// failure is why the node has to end, if it is not the store.
type failure struct {
	once sync.Once
	err  error
	done chan struct{} // closed when err is set
}

// fail makes the node end.
func (n *Node) fail(err error) {
	n.failed.once.Do(func() {
		n.log.Error("the node ends", "error", err)
		n.failed.err = err
		close(n.failed.done)
	})
}

// watchStore makes the node fail with its store.
func (n *Node) watchStore() {
	select {
	case <-n.engine.Failed():
		n.fail(n.engine.Err())
	case <-n.closing:
	}
}

// Failed is closed when the node cannot go on and has to be restarted.
func (n *Node) Failed() <-chan struct{} { return n.failed.done }

// FailedErr is why. It must be called after that only.
func (n *Node) FailedErr() error { return n.failed.err }
