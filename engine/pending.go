package engine

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/ilion-db/ilion/commitlog"
	"github.com/ilion-db/ilion/engine/memtable"
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
	err      error // the log's, written before its count

	// The records, once for the append and once for the memtables. They are
	// checked before the log has them: there is no way back from there.
	group   [][]byte
	checked []memtable.Checked
}

// maxKept bounds the records for which a pending keeps its capacity.
const maxKept = 1024

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

// check takes the records, unless one is malformed.
func (p *pending) check(records []mutation.Record) error {
	p.group, p.checked = p.group[:0], p.checked[:0]
	for _, r := range records {
		p.group = append(p.group, r)
		p.checked = append(p.checked, memtable.Checked{})
		if err := p.checked[len(p.checked)-1].Check(r); err != nil {
			return fmt.Errorf("engine: record is refused: %w", err)
		}
	}
	return nil
}

// free returns a pending whose write was refused or has ended.
func (p *pending) free() {
	p.done, p.unsynced = nil, nil
	clear(p.group)
	clear(p.checked)
	if cap(p.group) > maxKept {
		p.group, p.checked = nil, nil
	}
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
