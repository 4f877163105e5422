package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ilion-db/ilion/commitlog"
	"github.com/ilion-db/ilion/engine/manifest"
	"github.com/ilion-db/ilion/engine/memtable"
	"github.com/ilion-db/ilion/internal/fail"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/schema"
)

// Flush writes the table's memory to a file and returns when the manifest
// names it.
func (e *Engine) Flush(id schema.TableID) error {
	t, err := e.table(id)
	if err != nil {
		return err
	}
	if !e.enter() {
		return ErrClosed
	}
	defer e.background.Done()
	return t.flush()
}

// FlushAll flushes every table.
func (e *Engine) FlushAll() error {
	if !e.enter() {
		return ErrClosed
	}
	defer e.background.Done()
	for _, t := range e.allTables() {
		if err := t.flush(); err != nil && !isDropped(err) {
			return err
		}
	}
	return nil
}

// flush switches the memtable and writes what was in it. Memtables that an
// earlier flush could not write are written too. The caller is background work,
// see Engine.enter.
func (t *table) flush() error {
	if err := t.hold(context.Background()); err != nil {
		return err
	}
	defer t.prefetch() // without change
	defer func() { <-t.change }()
	pos, switched := t.switchMemory()
	v := t.current.Load()
	if !switched {
		if len(v.mems) == 1 {
			return nil
		}
		pos = t.flushedTo
	}
	t.flushedTo = pos
	if err := t.engine.keepStamps(); err != nil {
		return fmt.Errorf("engine: flush of %s: %w", t.name(), err)
	}
	if fail.Mutant("drop-log-too-early") {
		t.flushing.Store(noPosition)
		t.engine.discardLog()
	}
	for len(t.current.Load().mems) > 1 {
		if err := t.flushOldest(pos); err != nil {
			return fmt.Errorf("engine: flush of %s: %w", t.name(), err)
		}
	}
	t.flushing.Store(noPosition)
	t.engine.discardLog()
	t.engine.wakeWriters()
	t.due.Store(true)
	wake(t.engine.compactWake)
	return nil
}

// keepStamps has the caller keep the stamps of records that are in memtables now.
func (e *Engine) keepStamps() error {
	if e.opts.KeepStamps == nil || fail.Mutant("forget-stamps") {
		return nil
	}
	return e.opts.KeepStamps(e.replayed.Mark)
}

// noteFlush keeps the usual size of a flush, by which compaction counts
// levels.
func (t *table) noteFlush(size int64) {
	if old := t.flushSize.Load(); old > 0 {
		size = (old*3 + size) / 4
	}
	t.flushSize.Store(size)
}

// flushOldest writes the oldest memtable and replaces it by its file. With the
// last one, everything below pos is in files.
func (t *table) flushOldest(pos manifest.Mark) error {
	if len(t.current.Load().mems) > 2 {
		return t.writeOldest(nil)
	}
	return t.writeOldest(&pos)
}

func (t *table) writeOldest(flushed *manifest.Mark) error {
	e := t.engine
	v := t.current.Load()
	m := v.mems[len(v.mems)-1]
	e.flushBegins()
	defer e.flushEnds()
	started := e.opts.Clock.Mono()
	w := e.newFileWriter(t)
	var it memtable.Iter
	it.Init(m.Memtable, mutation.PartitionRange{}, false)
	err := copySource(w, &it)
	it.Close()
	if err != nil {
		w.abort()
		return err
	}
	if flushed != nil && fail.Mutant("flush-edit-before-sync") {
		var early manifest.Edit
		early.Flushed(t.id, *flushed)
		if err := e.commit(&early); err != nil {
			return err
		}
	}
	files, err := w.finish()
	if err != nil {
		return err
	}
	size, err := t.nameFiles(files, flushed)
	if err != nil {
		return err
	}
	if flushed != nil {
		t.logged.Store(false)
	}
	if size > 0 {
		t.noteFlush(size)
	}
	t.publish(slices.Clone(v.mems[:len(v.mems)-1]), append(slices.Clone(v.files), files...))
	e.stats.flushes.Add(1)
	e.stats.flushNanos.Add(int64(e.opts.Clock.Mono() - started))
	return nil
}

// nameFiles makes the manifest name files of what was logged, which are given
// up if it does not, and returns their size. Without a mark the next start
// replays it all the same.
func (t *table) nameFiles(files []*file, flushed *manifest.Mark) (size int64, err error) {
	e := t.engine
	var edit manifest.Edit
	for _, f := range files {
		edit.AddFile(t.id, manifest.File{ID: f.id, Size: f.size})
		size += f.size
	}
	if flushed != nil {
		edit.Flushed(t.id, *flushed)
	} else {
		t.logged.Store(true)
	}
	if err := fail.Point("engine/flush-edit"); err != nil {
		discard(files)
		return 0, err
	}
	if err := e.commit(&edit); err != nil {
		e.giveUp(files, err)
		return 0, err
	}
	return size, nil
}

// yieldBytes is after how much the copying asks whether to yield, some 100 us,
// and itemCost what an item costs beside its bytes.
const (
	yieldBytes = 16 << 10
	itemCost   = 16
)

// copySource streams everything of src into w.
func copySource(w *fileWriter, src mutation.Source) error {
	e := w.table.engine
	last, bytes := e.opts.Clock.Mono(), 0
	count := func(n int) {
		if bytes += n + itemCost; bytes >= yieldBytes {
			last, bytes = e.network.Since(last), 0
		}
	}
	for src.NextPartition() {
		p := src.Partition()
		if err := w.BeginPartition(p); err != nil {
			return err
		}
		count(len(p.Key))
		src.Seek(nil)
		for src.Next() {
			it := src.Item()
			if err := addItem(w, it); err != nil {
				return err
			}
			count(len(it.Clustering) + len(it.Row))
		}
		if src.Err() != nil {
			return src.Err()
		}
		if err := w.EndPartition(); err != nil {
			return err
		}
	}
	return src.Err()
}

func addItem(w *fileWriter, it *mutation.Item) error {
	if it.Kind == mutation.ItemBoundary {
		return w.AddBoundary(it.Clustering, it.Before, it.After)
	}
	return w.AddRow(it.Clustering, it.Row)
}

// discardLog lets the log recycle what no memtable needs, once the manifest
// says so durably: what is left of recycled segments after a crash is no rot.
func (e *Engine) discardLog() {
	e.discarding <- struct{}{}
	defer func() { <-e.discarding }()
	// Asked before the tables: what is appended meanwhile lies above it.
	low := pack(e.log.Head())
	for _, t := range e.allTables() {
		t.mu.Lock() // so that no write is between its position and noteFirst
		low = min(low, t.first.Load(), t.flushing.Load())
		t.mu.Unlock()
	}
	start := unpack(low)
	if start.Segment <= e.discarded {
		return // segments go whole
	}
	var edit manifest.Edit
	edit.LogStart(start)
	if err := e.commit(&edit); err != nil {
		e.logger.Warn("the commit log keeps what it no longer needs", "error", err)
		return
	}
	e.discarded = start.Segment
	e.log.Discard(start)
}

// flushRetry is how long the flusher waits after a failure, a full disk for
// instance.
const flushRetry = time.Second

// flushLoop flushes when memory or log run short, and after a replay into files,
// until the engine closes.
func (e *Engine) flushLoop() {
	for {
		select {
		case <-e.closing:
			return
		case <-e.flushWake:
		}
		for {
			t := e.toFlush()
			if t == nil {
				break
			}
			select {
			case <-e.closing:
				return
			default:
			}
			if err := t.flush(); err != nil && !isDropped(err) {
				e.logger.Error("flush failed", "error", err)
				e.noteSpace(err)
				select {
				case <-e.closing:
					return
				case <-e.failed:
					return
				case <-e.opts.Clock.After(flushRetry):
				}
			}
		}
	}
}

// toFlush is the table to flush next, or nil.
func (e *Engine) toFlush() *table {
	if t := e.logPinned(); t != nil {
		return t
	}
	// Memory of memtables that are flushed and still read is not freed by
	// flushing others: without this a long read would make many tiny files.
	if used := e.memory.Used(); used >= e.opts.MemtableSize {
		if t, active := e.largest(); active >= e.opts.MemtableSize/4 || used >= e.memoryLimit() {
			return t
		}
	}
	return e.replayedAgain()
}

// replayedAgain is a table of which the next start would write records to files
// that are in files already, or nil: a replay has left its mark where it was.
func (e *Engine) replayedAgain() *table {
	for _, t := range e.allTables() {
		if t.logged.Load() {
			return t
		}
	}
	return nil
}

// largest is the table whose memtables hold most, and what those of all tables
// hold.
func (e *Engine) largest() (best *table, all int64) {
	var most int64
	for _, t := range e.allTables() {
		var n int64
		v := t.pin()
		for _, m := range v.mems {
			if !m.Empty() {
				n += m.Bytes()
			}
		}
		v.drop()
		if n > most {
			best, most = t, n
		}
		all += n
	}
	return best, all
}

// logPinned is the table with the oldest unflushed record if the log is too
// large, else nil.
func (e *Engine) logPinned() *table {
	if e.log.Size() <= e.opts.LogSize {
		return nil
	}
	// What lies in the segments that are written now goes with them, however
	// often it is flushed.
	var best *table
	low := pack(commitlog.Position{Segment: e.log.Head().Segment})
	for _, t := range e.allTables() {
		if p := min(t.first.Load(), t.flushing.Load()); p < low {
			best, low = t, p
		}
	}
	return best
}

// noteSpace keeps whether the disk is full.
func (e *Engine) noteSpace(err error) {
	if errors.Is(err, vfs.ErrNoSpace) && !e.diskFull.Swap(true) {
		e.logger.Error("disk full: writes are refused until there is space")
	}
}

func discard(files []*file) {
	for _, f := range files {
		f.obsolete.Store(true)
		f.drop()
	}
}
