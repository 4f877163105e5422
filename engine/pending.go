package engine

import (
	"sync"
	"sync/atomic"

	"github.com/ilion-db/ilion/commitlog"
	"github.com/ilion-db/ilion/mutation"
)

// pending is a write between its log position and its acknowledgement. The
// flusher may finish before the rows are linked, so both count down and the
// last completes the write: nobody is told of a write that cannot be read yet.
type pending struct {
	commitlog.Waiter
	unsynced *unsynced // in which group is counted
	done     mutation.Completer
	left     atomic.Int32
	err      error    // the log's, written before its count
	group    [][]byte // of the append, kept for its capacity
}

var pendingPool = sync.Pool{New: func() any {
	p := &pending{}
	p.Waiter.Init(p)
	return p
}}

func newPending(done mutation.Completer) *pending {
	p := pendingPool.Get().(*pending)
	p.done, p.err = done, nil
	p.left.Store(2)
	return p
}

// free returns a pending whose append was refused.
func (p *pending) free() {
	p.done, p.unsynced = nil, nil
	clear(p.group)
	pendingPool.Put(p)
}

// Synced is called by the log's flusher.
func (p *pending) Synced(err error) {
	p.err = err
	if err == nil {
		p.unsynced.add(p.group, -1)
	}
	p.finish()
}

// finish counts down.
func (p *pending) finish() {
	if p.left.Add(-1) != 0 {
		return
	}
	done, err := p.done, p.err
	p.free()
	done.Complete(err)
}

// await is a Completer for a caller that blocks.
type await chan error

func (a await) Complete(err error) { a <- err }

// linkFailed completes a write whose rows cannot be linked once the log has
// answered too.
func (p *pending) linkFailed(err error) {
	p.done = failing{p.done, err}
	p.finish()
}

// failing turns any outcome into err.
type failing struct {
	mutation.Completer
	err error
}

func (f failing) Complete(error) { f.Completer.Complete(f.err) }

// joint is a Completer of several parts: the last to complete tells the first
// error.
type joint struct {
	done mutation.Completer
	left atomic.Int32
	err  atomic.Pointer[error]
}

func (j *joint) Complete(err error) {
	if err != nil {
		j.err.CompareAndSwap(nil, &err)
	}
	if j.left.Add(-1) != 0 {
		return
	}
	if p := j.err.Load(); p != nil {
		j.done.Complete(*p)
		return
	}
	j.done.Complete(nil)
}
