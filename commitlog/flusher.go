package commitlog

import (
	"context"
	"time"

	"github.com/ilion-db/ilion/internal/fail"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/vfs"
)

// run is the lane's flusher: it writes whatever is due, then waits for an
// append or the timer.
func (l *lane) run() {
	defer l.log.flushers.Done()
	for {
		for l.flush(false) {
		}
		l.arm()
		select {
		case <-l.wake:
		case <-l.log.stop:
			return
		}
	}
}

// flush writes one frame if one is due and nobody else is writing, and tells
// whether it did. With cover it writes an empty one if there is nothing else
// and the last records are uncovered. Besides the flusher, a lone blocking
// caller and Close call it.
func (l *lane) flush(cover bool) bool {
	l.mu.Lock()
	if l.writing || l.failed != nil {
		l.mu.Unlock()
		return false
	}
	b := l.ready
	switch {
	case b != nil:
		l.ready = nil
	case l.open.records > 0:
		if !l.isDue() {
			l.mu.Unlock()
			return false
		}
		b = l.seal()
	case l.open.waiters.head != nil:
		// Sync found nothing open: what it waits for is durable by now.
		list := l.open.waiters.take()
		l.force = false
		l.mu.Unlock()
		list.wake(nil)
		return true
	case cover || l.idle():
		if !l.startCover() {
			l.mu.Unlock()
			return false
		}
		b = l.seal()
	default:
		l.mu.Unlock()
		return false
	}
	l.writing = true
	b.synced = l.durable
	l.mu.Unlock()
	l.write(b)
	return true
}

// isDue tells whether the open frame, which has records, is to be written now.
// l.mu is held.
func (l *lane) isDue() bool {
	o := &l.log.opts
	if o.Mode == Batch || l.force || l.closed || l.open.n >= enough {
		return true
	}
	return l.log.opts.Clock.Mono()-l.open.first >= l.window()
}

func (l *lane) window() time.Duration {
	if l.log.opts.Mode == Group {
		return l.log.opts.GroupWindow
	}
	return l.log.opts.SyncPeriod
}

// idle tells whether it is time to cover the last records. l.mu is held.
func (l *lane) idle() bool {
	return l.lastRec > l.covered && l.log.opts.Clock.Mono()-l.lastWrite >= idleCover
}

// startCover places an empty frame in open. l.mu is held.
func (l *lane) startCover() bool {
	if l.lastRec <= l.covered {
		return false
	}
	if l.place(0) != nil {
		l.lastWrite = l.log.opts.Clock.Mono() // no room: try again later
		return false
	}
	return true
}

// write makes a sealed frame durable, hands its buffer back and tells its waiters.
func (l *lane) write(b *buffer) {
	f := frame{
		incarnation: b.seg.header.incarnation, segment: b.seg.seq, number: b.number, synced: b.synced,
		length: uint32(b.n), records: b.records, lane: l.id,
	}
	f.encode(b.mem)
	whole := b.mem[:pad(b.n)]
	if f.number != f.synced+1 || b.off%pageSize != 0 || b.off+int64(len(whole)) > b.seg.size {
		invariant.Check(false, "commitlog: frame %d of %d bytes is written at %d of a segment of %d, %d are durable",
			f.number, len(whole), b.off, b.seg.size, f.synced)
	}
	clear(whole[b.n:])
	if fail.Mutant("ack-before-sync") {
		list := b.waiters.take()
		list.wake(nil)
	}
	start := l.log.opts.Clock.Mono()
	b.op = vfs.Op{File: b.seg.file, Buf: whole, Off: b.off}
	err := l.log.submit(&b.op)
	now := l.log.opts.Clock.Mono()
	l.log.counters.wrote(&f, len(whole), now-start)
	if err != nil {
		err = l.log.fail(err)
	}
	list := b.waiters.take()
	seg := b.seg
	b.reset()

	l.mu.Lock()
	l.writing = false
	l.free = b
	l.lastWrite = now
	if err == nil {
		l.durable = f.number
		l.covered = max(l.covered, f.synced)
	}
	if l.blocked > 0 {
		l.space.Broadcast()
	}
	l.mu.Unlock()
	if seg.refs.Add(-1) == 0 {
		signal(l.log.pool.wake)
	}
	list.wake(err)
}

// arm sets the timer for what is next due.
func (l *lane) arm() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil {
		return
	}
	var at time.Duration
	switch {
	case l.open.records > 0 && l.log.opts.Mode != Batch:
		at = l.open.first + l.window()
	case l.lastRec > l.covered:
		at = l.lastWrite + idleCover
	default:
		return
	}
	if l.due != 0 && l.due <= at {
		return
	}
	l.due = at
	l.timer.Reset(max(at-l.log.opts.Clock.Mono(), 1))
}

// tick is the timer's function.
func (l *lane) tick() {
	l.mu.Lock()
	l.due = 0
	l.mu.Unlock()
	signal(l.wake)
}

// lead writes the open frame for a lone blocking caller, which saves it the
// way to the flusher and back, and leaves the rest to the flusher.
func (l *lane) lead() {
	if !l.flush(false) {
		signal(l.wake)
		return
	}
	l.mu.Lock()
	more := l.open.records > 0 || l.ready != nil || l.open.waiters.head != nil || l.due == 0
	l.mu.Unlock()
	if more {
		signal(l.wake)
	}
}

// wait makes everything appended before the call durable.
func (l *lane) wait(ctx context.Context) error {
	p := l.log.getParked()
	l.mu.Lock()
	if l.failed != nil {
		err := l.failed
		l.mu.Unlock()
		l.log.parked.Put(p)
		return err
	}
	if l.open.records == 0 && l.ready == nil && !l.writing {
		l.mu.Unlock()
		l.log.parked.Put(p)
		return nil
	}
	l.open.waiters.push(&p.Waiter)
	l.force = true
	l.mu.Unlock()
	signal(l.wake)
	select {
	case err := <-p.done:
		l.log.parked.Put(p)
		return err
	case <-ctx.Done():
		return ctx.Err() // p is the log's until it is told
	}
}
