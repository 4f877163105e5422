package engine

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/ilion-db/ilion/compaction"
	"github.com/ilion-db/ilion/internal/level"
	"github.com/ilion-db/ilion/schema"
)

// compactCheck is how often tables are looked at for what time alone makes
// due: expired files and tombstones.
const compactCheck = 30 * time.Second

// compactLoop starts what the pickers find, until the engine closes.
func (e *Engine) compactLoop() {
	ticker := e.opts.Clock.NewTicker(compactCheck)
	defer ticker.Stop()
	for _, t := range e.allTables() {
		t.due.Store(true)
	}
	for {
		for _, t := range e.dueTables() {
			if !e.startTasks(t) {
				break
			}
		}
		select {
		case <-e.closing:
			return
		case <-e.failed:
			return
		case <-e.compactWake:
		case <-ticker.C():
			for _, t := range e.allTables() {
				t.due.Store(true)
			}
		}
	}
}

// dueTables are those in which a file came or a task ended since they were
// looked at, those with most files first.
func (e *Engine) dueTables() []*table {
	var due []*table
	files := map[*table]int{}
	for _, t := range e.allTables() {
		if t.due.Load() {
			v := t.pin()
			files[t] = len(v.files)
			v.drop()
			due = append(due, t)
		}
	}
	slices.SortFunc(due, func(a, b *table) int { return cmp.Compare(files[b], files[a]) })
	return due
}

// startTasks starts the table's tasks while there are free slots, and tells
// whether there still are.
func (e *Engine) startTasks(t *table) bool {
	for {
		select {
		case e.compactSlots <- struct{}{}:
		default:
			return false
		}
		t.due.Store(false)
		task := e.claim(t, mostUrgent)
		if len(task) == 0 {
			<-e.compactSlots
			return true
		}
		e.background.Go(func() {
			defer func() { <-e.compactSlots; wake(e.compactWake) }()
			if err := e.run(context.Background(), task[0]); err == nil {
				t.due.Store(true)
			} else if !errors.Is(err, ErrClosed) {
				// It is tried again after the next flush or check.
				e.logger.Error("compaction failed", "table", t.name(), "error", err)
			}
		})
	}
}

func mostUrgent(o *compaction.Options, s *compaction.State) []compaction.Task {
	tasks := compaction.Pick(o, s)
	return tasks[:min(1, len(tasks))]
}

// Compact merges all files of the table into as few as its strategy makes, and
// returns when that is done. Files of running tasks are waited for.
func (e *Engine) Compact(ctx context.Context, id schema.TableID) error {
	t, err := e.table(id)
	if err != nil {
		return err
	}
	if !e.enter() {
		return ErrClosed
	}
	defer e.background.Done()
	select {
	case e.compactSlots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-e.closing:
		return ErrClosed
	}
	defer func() { <-e.compactSlots; t.due.Store(true); wake(e.compactWake) }()
	if err := e.awaitIdle(ctx, t); err != nil {
		return err
	}
	tasks := e.claim(t, compaction.Major)
	for i, k := range tasks {
		if err := e.run(ctx, k); err != nil {
			for _, k := range tasks[i+1:] {
				e.release(k)
			}
			return err
		}
	}
	return nil
}

// enter counts a caller as background work; false once the engine closes.
func (e *Engine) enter() bool {
	e.compactMu.Lock()
	defer e.compactMu.Unlock()
	select {
	case <-e.closing:
		return false
	default:
	}
	e.background.Add(1)
	return true
}

// awaitIdle waits until no task has files of the table.
func (e *Engine) awaitIdle(ctx context.Context, t *table) error {
	for {
		e.compactMu.Lock()
		idle, done := len(t.compacting) == 0, e.taskDone
		e.compactMu.Unlock()
		if idle {
			return nil
		}
		select {
		case <-done:
		case <-ctx.Done():
			return ctx.Err()
		case <-e.closing:
			return ErrClosed
		}
	}
}

// claim asks a picker for tasks and takes their files. Each task holds a
// reference to its files until release.
func (e *Engine) claim(t *table, pick func(*compaction.Options, *compaction.State) []compaction.Task) []*task {
	e.compactMu.Lock()
	// After the lock, so that the files of a task that has ended are gone.
	v := t.pin()
	defer v.drop() // with the lock gone: it may close files
	defer e.compactMu.Unlock()
	// Every write that began before is in the statistics of its memtable.
	t.mu.Lock()
	gone := t.gone
	t.mu.Unlock()
	if gone != nil {
		return nil
	}
	state := t.pickState(v)
	var tasks []*task
	for _, p := range pick(t.compaction.Load(), state) {
		e.lastTask++
		k := &task{id: e.lastTask, table: t, pick: p, now: state.Now, cuts: compaction.ShardsOf(state, &p)}
		for _, id := range p.Tables {
			f := v.file(id)
			f.acquire()
			t.compacting[id] = true
			k.inputs = append(k.inputs, f)
			k.total += int64(f.Properties().RawBytes)
		}
		e.tasks[k.id] = k
		tasks = append(tasks, k)
	}
	return tasks
}

// release gives up a task's files.
func (e *Engine) release(k *task) {
	e.compactMu.Lock()
	for _, f := range k.inputs {
		delete(k.table.compacting, f.id)
	}
	delete(e.tasks, k.id)
	close(e.taskDone)
	e.taskDone = make(chan struct{})
	e.compactMu.Unlock()
	for _, f := range k.inputs {
		f.drop()
	}
}

func (v *view) file(id uint64) *file {
	i := slices.IndexFunc(v.files, func(f *file) bool { return f.id == id })
	return v.files[i]
}

// pickState is what the pickers know of the table. The caller holds compactMu.
func (t *table) pickState(v *view) *compaction.State {
	e, def := t.engine, t.def.Load()
	now := e.seconds()
	grace := now - min(now, uint32(max(def.Options.GCGraceSeconds, 0)))
	s := &compaction.State{
		Now: now, GraceBefore: grace, GCBefore: t.purge.before(math.MinInt64, math.MaxInt64, grace),
		DefaultTTL: uint32(max(def.Options.DefaultTTL, 0)), OthersMinTimestamp: math.MaxInt64,
		FlushSize: t.flushSize.Load(),
	}
	if t.logged.Load() {
		s.OthersMinTimestamp = math.MinInt64
	}
	for _, m := range v.mems {
		if !m.Empty() {
			s.OthersMinTimestamp = min(s.OthersMinTimestamp, m.Stats().MinTimestamp)
		}
	}
	for _, f := range v.files {
		i := tableInfo(f, s.GCBefore)
		i.Busy = t.compacting[f.id]
		s.Tables = append(s.Tables, i)
	}
	// In a fixed order: the same state gives the same tasks.
	slices.SortFunc(s.Tables, func(a, b compaction.TableInfo) int { return cmp.Compare(a.ID, b.ID) })
	return s
}

func tableInfo(f *file, gcBefore uint32) compaction.TableInfo {
	p := f.Properties()
	i := compaction.TableInfo{
		ID: f.id, Size: f.size, First: p.FirstToken, Last: p.LastToken,
		MinTimestamp: p.MinTimestamp, MaxTimestamp: p.MaxTimestamp,
		AllExpire: p.AllExpire, MaxDrop: p.MaxDrop, MinTTL: p.MinTTL, MaxTTL: p.MaxTTL,
		CreatedAt: f.created, Repaired: p.RepairedAt != 0, PendingRepair: p.PendingRepair, FormatLevel: max(p.FormatLevel, uint32(level.First)),
	}
	c := &p.Counts
	i.Tombstones = c.Tombstones() > 0
	if all := c.Cells + c.Markers + c.PartitionTombstones + c.RowTombstones + c.Boundaries; all > 0 {
		i.Droppable = min(float64(p.DroppableBefore(gcBefore))/float64(all), 1)
	}
	return i
}

// seconds is the wall clock in seconds since 1970.
func (e *Engine) seconds() uint32 {
	return uint32(min(max(e.opts.Clock.Now().Unix(), 0), math.MaxUint32))
}

// TaskInfo is a running compaction.
type TaskInfo struct {
	ID          uint64
	Table       schema.TableID
	Kind        string
	Done, Total int64 // bytes of input, before compression
}

// Tasks lists the running compactions, by id.
func (e *Engine) Tasks() []TaskInfo {
	e.compactMu.Lock()
	defer e.compactMu.Unlock()
	var all []TaskInfo
	for _, k := range e.tasks {
		all = append(all, TaskInfo{k.id, k.table.id, k.pick.Kind.String(), min(k.done.Load(), k.total), k.total})
	}
	slices.SortFunc(all, func(a, b TaskInfo) int { return cmp.Compare(a.ID, b.ID) })
	return all
}
