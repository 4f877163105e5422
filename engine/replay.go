package engine

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ilion-db/ilion/commitlog"
	"github.com/ilion-db/ilion/engine/manifest"
	"github.com/ilion-db/ilion/internal/fail"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/schema"
)

// Replayed is what an Open found in the log.
type Replayed struct {
	Records int64
	Mark    int64 // largest timestamp that a server gave, microseconds
}

// Replayed tells what Open found in the log.
func (e *Engine) Replayed() Replayed { return e.replayed }

// replayer brings the records of the log into memtables and files. The goroutine
// that reads the log hands them to workers; at most one memtable is written to
// a file meanwhile, by a goroutine.
type replayer struct {
	engine  *Engine
	state   *manifest.State
	workers *replayWorkers
	result  Replayed
	flush   chan error // of the flush that runs, else nil

	// Of the last record; most have the table of the one before.
	id    schema.TableID
	table *table          // nil if it was dropped
	marks *manifest.Table // nil if there are none
}

// replay applies the log to the memtables, flushing when they are full.
func (e *Engine) replay(state *manifest.State) error {
	start, last := e.replayBounds(state)
	aside := map[string]bool{}
	for _, n := range e.opts.SetAside {
		aside[n[strings.LastIndexByte(n, '/')+1:]] = true
	}
	r := &replayer{engine: e, state: state}
	log, _, err := commitlog.Open(commitlog.Options{
		FS: e.opts.FS, Clock: e.opts.Clock, Rand: e.opts.Rand, Dir: e.opts.Dir + "/commitlog",
		Mode: e.opts.Sync, SyncPeriod: e.opts.SyncPeriod, SegmentSize: e.opts.SegmentSize,
		MaxSize: e.opts.LogSize, Lanes: e.opts.Lanes, Start: start, LastSegment: last, SetAside: aside,
		OnReplay: func(bytes int64) {
			r.workers = newReplayWorkers(e, bytes > e.opts.MemtableSize)
		},
		OnFailure:  e.fail,
		OnPressure: func(uint64, int64) { e.wakeFlush() },
	}, r.record)
	// Whatever the outcome, nothing is left that uses the memtables.
	if ownErr := r.end(err); ownErr != nil && err == nil {
		err = errors.Join(ownErr, log.Close())
	}
	if err != nil {
		e.takeBack(state)
		return e.explain(err)
	}
	e.log, e.discarded, e.replayed = log, start.Segment, r.result
	if e.opts.LogSize == 0 {
		e.opts.LogSize = commitlog.DefaultMaxSize
	}
	return nil
}

// takeBack removes the files that a replay which has failed made the manifest name
// beyond those in state. All that they hold is in the log still, and starts that
// fail again and again would fill the disk with copies of it.
func (e *Engine) takeBack(state *manifest.State) {
	var edit manifest.Edit
	var written []*file
	for id, t := range e.allTables() {
		var before map[uint64]manifest.File
		if s := state.Tables[id]; s != nil {
			before = s.Files
		}
		for _, f := range t.current.Load().files {
			if _, named := before[f.id]; !named {
				edit.RemoveFile(id, f.id)
				written = append(written, f)
			}
		}
	}
	if edit.Empty() {
		return
	}
	if err := e.commit(&edit); err != nil {
		e.logger.Warn("table files that a failed start has written are kept", "files", len(written), "error", err)
		return
	}
	for _, f := range written {
		f.obsolete.Store(true)
	}
}

// record takes one record of the log. Its frame has passed its checksum and a
// worker's Put checks its structure, so that is enough here.
func (r *replayer) record(pos commitlog.Position, raw []byte) error {
	rec := mutation.Record(raw)
	if err := rec.CheckHeader(); err != nil {
		return err
	}
	if id := rec.Table(); id != r.id {
		r.id, r.table, r.marks = id, r.engine.allTables()[id], r.state.Tables[id]
	}
	t, s := r.table, r.marks
	if t == nil {
		return nil
	}
	if s != nil && (s.Flushed.Below(pos) || s.Truncated.Below(pos)) && !fail.Mutant("replay-everything") {
		return nil
	}
	if err := fail.Point("engine/replay"); err != nil {
		return err
	}
	r.result.Records++
	if rec.Optional()&mutation.FlagServerStamped != 0 {
		r.result.Mark = max(r.result.Mark, rec.Timestamp())
	}
	if err := r.makeRoom(); err != nil {
		return err
	}
	t.noteFirst(pos)
	return r.workers.hand(t, rec)
}

// end waits for everything that runs, and stores what is left unless the log
// could not be read.
func (r *replayer) end(unread error) error {
	var err error
	if r.workers != nil {
		if unread != nil {
			r.workers.giveUp(unread)
		}
		err = r.workers.close()
	}
	return errors.Join(err, r.wait())
}

// used is the memory of memtables.
func (r *replayer) used() int64 { return r.engine.memory.Used() - r.workers.held.Load() }

// makeRoom starts a flush when one is due, and waits for it when memory is
// used up.
func (r *replayer) makeRoom() error {
	if r.workers.files {
		// Of the little that went to memtables nothing has to be flushed.
		if !r.workers.unfit.Load() && r.used() < r.engine.memoryLimit()/8 {
			return nil
		}
		old := r.workers
		r.workers = nil // closed once, whatever comes of it
		if err := old.close(); err != nil {
			return err
		}
		r.workers = newReplayWorkers(r.engine, false)
	}
	used := r.used()
	if used < r.engine.opts.MemtableSize {
		return nil
	}
	if r.flush != nil {
		if used < r.engine.memoryLimit() && len(r.flush) == 0 {
			return nil
		}
		if err := r.wait(); err != nil {
			return err
		}
		if r.used() < r.engine.opts.MemtableSize {
			return nil
		}
	}
	return r.startFlush()
}

// wait waits for the flush that runs.
func (r *replayer) wait() error {
	if r.flush == nil {
		return nil
	}
	err := <-r.flush
	r.flush = nil
	return err
}

// startFlush writes the largest table's memory to a file. The log is not open
// yet, so the table's mark stays: what is written now would be replayed again
// if this start did not end, which changes nothing.
func (r *replayer) startFlush() error {
	t, _ := r.engine.largest()
	if t == nil {
		return nil
	}
	// Only this goroutine replaces the view until the flush has ended, and
	// then only it; and no worker is in the middle of a batch.
	r.workers.pause()
	fresh := t.newMemory()
	v := t.current.Load()
	t.publish([]*memory{fresh, v.mems[0]}, v.files)
	fresh.drop()
	done := make(chan error, 1)
	r.flush = done
	go func() { done <- t.writeOldest(nil) }()
	return nil
}

// replayBounds is the position below which no table needs a record, and the
// highest segment that the manifest names.
func (e *Engine) replayBounds(state *manifest.State) (start commitlog.Position, last uint64) {
	return state.LogStart, lastSegment(state)
}

func lastSegment(state *manifest.State) uint64 {
	last := state.LogStart.Segment
	for _, t := range state.Tables {
		last = max(last, t.Flushed.Last(), t.Truncated.Last())
	}
	return last
}

// explain adds to a damaged log's error which flag goes on without it.
func (e *Engine) explain(err error) error {
	var c *commitlog.CorruptError
	if !errors.As(err, &c) {
		return fmt.Errorf("engine: %w", err)
	}
	var names []string
	for _, t := range e.allTables() {
		names = append(names, t.def.Load().Keyspace+"."+t.def.Load().Name)
	}
	return fmt.Errorf("engine: %w\nThe log holds writes of all tables that were not flushed (%s).\n"+
		"To start without what cannot be read of it, add --set-aside %s",
		err, strings.Join(names, ", "), c.File[strings.LastIndexByte(c.File, '/')+1:])
}
