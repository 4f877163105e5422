package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/ilion-db/ilion/bloom"
	"github.com/ilion-db/ilion/compaction"
	"github.com/ilion-db/ilion/engine/manifest"
	"github.com/ilion-db/ilion/engine/memtable"
	"github.com/ilion-db/ilion/internal/fail"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/sstable"
)

// task is a compaction from the time it has its files.
type task struct {
	id     uint64
	table  *table
	pick   compaction.Task
	inputs []*file // held
	cuts   []ring.Token
	now    uint32
	total  int64 // bytes
	done   atomic.Int64
	// purgingTo is the highest local time that it may purge, under
	// engine.compactMu.
	purgingTo uint32
}

// run does a task and releases it. The inputs stay what they are if it fails.
func (e *Engine) run(ctx context.Context, k *task) error {
	defer e.release(k)
	started := e.opts.Clock.Mono()
	var err error
	if k.pick.Kind == compaction.DropExpired {
		var purged uint32
		for _, f := range k.inputs {
			purged = max(purged, f.Properties().MaxDrop)
		}
		k.willPurge(purged)
		err = k.replace(nil, purged)
		if err == nil {
			e.stats.expiredOnly.Add(int64(len(k.inputs)))
		}
	} else {
		err = k.merge(ctx)
	}
	if err != nil {
		return fmt.Errorf("engine: %s of %d files of %s: %w", k.pick.Kind, len(k.inputs), k.table.name(), err)
	}
	e.stats.compactions.Add(1)
	e.stats.compactNanos.Add(int64(e.opts.Clock.Mono() - started))
	return nil
}

// merge writes what the inputs hold together and puts it in their place.
func (k *task) merge(ctx context.Context) error {
	e := k.table.engine
	if err := k.checkSpace(); err != nil {
		return err
	}
	w := e.newFileWriter(k.table)
	first := k.inputs[0].Properties() // the same for all
	w.options.RepairedAt, w.options.PendingRepair = first.RepairedAt, first.PendingRepair
	w.options.Level = uint32(k.pick.Level + 1)
	last := e.opts.Clock.Mono()
	job := compaction.Job{Out: w, Cuts: k.cuts, Now: k.now, Dropped: k.droppedColumns(), Yield: func(n int) error {
		k.done.Add(int64(n))
		last = e.network.Since(last)
		return e.yield(ctx)
	}}
	var purges bool
	var in int64
	for _, f := range k.inputs {
		in += f.size
	}
	e.coming.Add(-in)
	defer e.coming.Add(in)
	for _, f := range k.inputs {
		it := f.NewIter(nil, sstable.IterOptions{ReadAhead: true})
		job.Inputs = append(job.Inputs, it)
		c := &f.Properties().Counts
		purges = purges || c.Tombstones() > 0 || c.ExpiringCells > 0
	}
	if purges {
		job.GCBefore = k.gcBefore()
		k.willPurge(max(job.GCBefore, 1) - 1)
		p := purgeable{task: k}
		job.MaxPurgeable = p.timestamp
	}
	result, err := compaction.Run(ctx, &job)
	if err != nil {
		w.abort()
		return err
	}
	files, err := w.finish()
	if err != nil {
		return err
	}
	return k.replace(files, result.PurgedTo)
}

// yield lets flushes go first and ends a task whose engine closes.
func (e *Engine) yield(ctx context.Context) error {
	for {
		select {
		case <-e.closing:
			return ErrClosed
		default:
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		e.spaceMu.Lock()
		n, idle := e.flushing, e.flushIdle
		e.spaceMu.Unlock()
		if n == 0 {
			return e.Err()
		}
		select {
		case <-idle:
		case <-ctx.Done():
		case <-e.closing:
		}
	}
}

// flushBegins and flushEnds say that a memtable is being written, so that
// compactions wait.
func (e *Engine) flushBegins() {
	e.spaceMu.Lock()
	defer e.spaceMu.Unlock()
	if e.flushing++; e.flushing == 1 {
		e.flushIdle = make(chan struct{})
	}
}

func (e *Engine) flushEnds() {
	e.spaceMu.Lock()
	defer e.spaceMu.Unlock()
	if e.flushing--; e.flushing == 0 {
		close(e.flushIdle)
	}
}

// checkSpace refuses a task whose output might not fit.
func (k *task) checkSpace() error {
	e := k.table.engine
	u, err := e.opts.FS.DiskUsage(e.opts.Dir)
	if err != nil || u.Total == 0 {
		return err
	}
	var need uint64
	for _, f := range k.inputs {
		need += uint64(f.size)
	}
	if keep := u.Total / 100 * (100 - diskRefuse); u.Free < need+keep {
		return fmt.Errorf("it needs %d bytes of disk and %d are free: %w", need+keep, u.Free, vfs.ErrNoSpace)
	}
	return nil
}

func (k *task) droppedColumns() []schema.ColumnID {
	var ids []schema.ColumnID
	for _, c := range k.table.def.Load().Dropped {
		ids = append(ids, c.ID)
	}
	slices.Sort(ids)
	return ids
}

// gcBefore is the purge bound of everything in the inputs.
func (k *task) gcBefore() uint32 {
	first, last := k.inputs[0].Properties().FirstToken, k.inputs[0].Properties().LastToken
	for _, f := range k.inputs {
		p := f.Properties()
		first, last = min(first, p.FirstToken), max(last, p.LastToken)
		if p.RepairedAt == 0 && k.table.compaction.Load().OnlyPurgeRepaired {
			return 0
		}
	}
	grace := k.now - min(k.now, uint32(max(k.table.def.Load().Options.GCGraceSeconds, 0)))
	return k.table.purge.before(first, last, grace)
}

// replace puts files in the place of the inputs, durably, unless a truncation
// or a drop has removed an input meanwhile: then nothing changes. The files
// belong to replace.
func (k *task) replace(files []*file, purgedTo uint32) error {
	t := k.table
	e := t.engine
	defer t.prefetch() // without change
	t.change <- struct{}{}
	defer func() { <-t.change }()
	v := t.current.Load()
	for _, f := range k.inputs {
		if !slices.Contains(v.files, f) {
			discard(files)
			return nil
		}
	}
	var edit manifest.Edit
	for _, f := range k.inputs {
		edit.RemoveFile(t.id, f.id)
	}
	var in, out int64
	for _, f := range files {
		edit.AddFile(t.id, manifest.File{ID: f.id, Size: f.size})
		out += f.size
	}
	if purgedTo > 0 {
		edit.Purged(t.id, purgedTo)
	}
	if fail.Mutant("remove-inputs-early") {
		for _, f := range k.inputs {
			e.removeFile(f.path)
		}
	}
	err := fail.Point("engine/compact-edit")
	if err == nil {
		err = e.commit(&edit)
	}
	if err != nil {
		e.giveUp(files, err)
		return err
	}
	kept := slices.DeleteFunc(slices.Clone(v.files), func(f *file) bool { return slices.Contains(k.inputs, f) })
	t.publish(slices.Clone(v.mems), append(kept, files...))
	for _, f := range k.inputs {
		in += f.size
		f.obsolete.Store(true)
		f.drop() // the table's; the task has its own
	}
	e.stats.compactedIn.Add(in)
	e.stats.compactedOut.Add(out)
	return nil
}

// giveUp lets go of files that an edit which failed would have named. They
// stay on disk if the edit may be durable all the same; if it is not, the next
// start removes them.
func (e *Engine) giveUp(files []*file, err error) {
	if !errors.Is(err, ErrFailed) && !errors.Is(err, manifest.ErrFailed) {
		discard(files)
		return
	}
	for _, f := range files {
		f.drop()
	}
}

// purgeable finds out what else the table may hold of a partition. It asks the
// view of the moment: whatever was in a memtable or another file when the task
// began is in it, in whatever form. What is written later than it is asked
// comes later than the purge, too.
type purgeable struct {
	task *task
	iter memtable.Iter
}

// timestamp is the smallest timestamp outside of the task.
func (p *purgeable) timestamp(token ring.Token, key []byte) int64 {
	if fail.Mutant("purge-too-early") {
		return 1<<63 - 1
	}
	if p.task.table.logged.Load() {
		return -1 << 63
	}
	v := p.task.table.pin()
	defer v.drop()
	low := int64(1<<63 - 1)
	for _, m := range v.mems {
		if m.Empty() {
			continue
		}
		if p.iter.InitKey(m.Memtable, token, key, false) {
			low = min(low, m.Stats().MinTimestamp)
		}
		p.iter.Close()
	}
	h := bloom.HashKey(token.Ordered(), key)
	for _, f := range v.files {
		x := f.Properties()
		if x.MinTimestamp < low && x.FirstToken <= token && token <= x.LastToken &&
			!slices.Contains(p.task.inputs, f) && f.MayContain(h) {
			low = x.MinTimestamp
		}
	}
	return low
}
