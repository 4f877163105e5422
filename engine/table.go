package engine

import (
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ilion-db/ilion/commitlog"
	"github.com/ilion-db/ilion/compaction"
	"github.com/ilion-db/ilion/engine/manifest"
	"github.com/ilion-db/ilion/schema"
)

// table is one table's part of the engine.
type table struct {
	engine *Engine
	id     schema.TableID
	def    atomic.Pointer[schema.Table]
	// durable is false for keyspaces without a commit log.
	durable atomic.Bool

	// mu orders writes against the switch of memtables. A write holds it shared
	// from taking its log position to linking its rows; the switch holds it
	// alone, so every record below the position it then takes is in the old
	// memtable and every later one in the new. Nobody holds it over I/O or a
	// wait.
	mu   sync.RWMutex
	gone error // why the table takes nothing any more, protected by mu

	// current is what reads see and writes go to; nil once the engine is closed.
	current atomic.Pointer[view]

	// change is a one-slot semaphore for those who replace the view: flush,
	// compaction, truncate, drop. It may be held over I/O.
	change chan struct{}

	// first is the lowest log position of a record that is in memory only, as
	// packed by pack, or noPosition.
	first atomic.Uint64
	// flushing is first of the memtables that are being flushed.
	flushing atomic.Uint64

	// flushedTo separates what is in files from what is in mems[0]; protected
	// by change.
	flushedTo manifest.Mark
	dirMade   atomic.Bool // a flush and compactions may find out at once

	purge purgeBounds
	// logged is set while files hold records that the next start would replay
	// all the same, because the table's mark could not be moved with them. Then
	// nothing is purged: a replay could bring back what a tombstone that went
	// has shadowed.
	logged atomic.Bool

	plain      atomic.Pointer[plainColumns]
	compaction atomic.Pointer[compaction.Options]
	due        atomic.Bool     // to be looked at by compactLoop
	flushSize  atomic.Int64    // bytes, a moving average
	compacting map[uint64]bool // file ids in a running compaction, under engine.compactMu
}

const noPosition = math.MaxUint64

// pack makes a position comparable in one atomic word. 2^32 segments of 64 KiB
// are 256 TiB of log.
func pack(p commitlog.Position) uint64 { return p.Segment<<32 | uint64(p.Offset) }

func unpack(u uint64) commitlog.Position {
	return commitlog.Position{Segment: u >> 32, Offset: uint32(u)}
}

func newTable(e *Engine, def *schema.Table) *table {
	t := &table{engine: e, id: def.ID, change: make(chan struct{}, 1), compacting: map[uint64]bool{}}
	t.def.Store(def)
	t.first.Store(noPosition)
	t.flushing.Store(noPosition)
	return t
}

// noteFirst keeps the lowest position that is only in memory. The caller holds
// mu shared.
func (t *table) noteFirst(p commitlog.Position) {
	u := pack(p)
	for {
		old := t.first.Load()
		if old <= u || t.first.CompareAndSwap(old, u) {
			return
		}
	}
}

// pin returns the current view with a reference, which the caller drops; nil
// if the engine is closed.
func (t *table) pin() *view {
	for {
		// A view that has ended was replaced, so that this comes to an end.
		if v := t.current.Load(); v == nil || v.tryAcquire() {
			return v
		}
	}
}

// end makes the table refuse writes, and flushes and truncations that have not
// begun, with err. Writes that have begun are linked when it returns.
func (t *table) end(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gone == nil {
		t.gone = err
	}
}

// hold takes change for a flush or a truncation. The caller gives it back after
// a nil error.
func (t *table) hold(ctx context.Context) error {
	select {
	case t.change <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	t.mu.RLock()
	err := t.gone
	t.mu.RUnlock()
	if err != nil {
		<-t.change
	}
	return err
}

// publish replaces the view. The caller holds change.
func (t *table) publish(mems []*memory, files []*file) {
	old := t.current.Swap(newView(mems, files))
	if old != nil {
		old.drop()
	}
}

// prefetch asks for new files to be in the page cache, if they are read through
// it: they were written past it. The caller is background work and does not hold
// change.
func (t *table) prefetch() {
	for _, f := range t.current.Load().files {
		if f.fresh.CompareAndSwap(true, false) {
			f.Prefetch()
		}
	}
}

// newMemory makes a memtable for the table.
func (t *table) newMemory() *memory {
	return newMemory(t.engine.newMemtable(t.id))
}

// switchMemory puts a fresh memtable in front and returns the mark in the log
// that separates the two, with the old view's memtables. The caller holds
// change.
func (t *table) switchMemory() (manifest.Mark, bool) {
	fresh := t.newMemory()
	t.mu.Lock()
	v := t.current.Load()
	// With logged set the mark has to be moved even if there is nothing to
	// write: the log waits for it.
	if v.mems[0].Empty() && !t.logged.Load() {
		t.mu.Unlock()
		fresh.drop()
		return manifest.Mark{}, false
	}
	pos := t.engine.mark()
	t.flushing.Store(min(t.flushing.Load(), t.first.Load()))
	t.first.Store(noPosition)
	t.publish(append([]*memory{fresh}, v.mems...), slices.Clone(v.files))
	t.mu.Unlock()
	fresh.drop() // the view holds it
	return pos, true
}

// mark separates the records of the log so far from later ones. The caller
// keeps out writes of the table that it is about.
func (e *Engine) mark() manifest.Mark {
	m := manifest.Mark{Low: e.log.Head()}
	if e.opts.Lanes > 1 {
		m.Heads, m.Next = e.log.Heads()
	}
	return m
}
