package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ilion-db/ilion/commitlog"
	"github.com/ilion-db/ilion/internal/fail"
	"github.com/ilion-db/ilion/mutation"
)

// TryApply starts a write, and never waits: it answers mutation.ErrWouldBlock,
// having done nothing, where memory or the log's buffer are full. Several
// records with atomic set form an all-or-nothing group; without it they do,
// too, unless they are too large for one group: then only Apply takes them.
// After a nil return done is called exactly once; after an error it is not.
// The records are read until done is called and never changed.
func (e *Engine) TryApply(records []mutation.Record, atomic bool, done mutation.Completer) error {
	err := e.tryApply(records, done)
	if err != nil && !atomic && splittable(records, err) {
		return mutation.ErrWouldBlock
	}
	return err
}

// tryApply writes records as one group.
func (e *Engine) tryApply(records []mutation.Record, done mutation.Completer) error {
	if err := e.writable(); err != nil {
		return err
	}
	if len(records) == 1 {
		t, err := e.table(records[0].Table())
		if err != nil {
			return err
		}
		return t.apply(records, done)
	}
	return e.applyGroup(records, done)
}

// Apply is TryApply that waits until it can start.
func (e *Engine) Apply(ctx context.Context, records []mutation.Record, atomic bool, done mutation.Completer) error {
	err := e.applyWaiting(ctx, records, done)
	if err != nil && !atomic && splittable(records, err) {
		return e.applySplit(ctx, records, done)
	}
	return err
}

func (e *Engine) applyWaiting(ctx context.Context, records []mutation.Record, done mutation.Completer) error {
	for {
		err := e.tryApply(records, done)
		if !errors.Is(err, mutation.ErrWouldBlock) {
			return err
		}
		if err := e.waitWritable(ctx); err != nil {
			return err
		}
	}
}

// splittable tells whether records were refused as a group that would be
// taken one by one.
func splittable(records []mutation.Record, err error) bool {
	return len(records) > 1 && errors.Is(err, commitlog.ErrTooLarge)
}

// applySplit writes the halves of a group that is too large for the log.
func (e *Engine) applySplit(ctx context.Context, records []mutation.Record, done mutation.Completer) error {
	for _, r := range records {
		if _, err := e.table(r.Table()); err != nil {
			return err
		}
	}
	j := &joint{done: done}
	j.left.Store(1)
	e.applyParts(ctx, records, j)
	j.Complete(nil)
	return nil
}

func (e *Engine) applyParts(ctx context.Context, records []mutation.Record, j *joint) {
	j.left.Add(1)
	err := e.applyWaiting(ctx, records, j)
	if err == nil {
		return
	}
	if !splittable(records, err) {
		j.Complete(err)
		return
	}
	j.left.Add(-1)
	e.applyParts(ctx, records[:len(records)/2], j)
	e.applyParts(ctx, records[len(records)/2:], j)
}

// ApplySync applies records, as a group, and returns when they are durable as
// the sync mode promises.
func (e *Engine) ApplySync(ctx context.Context, records ...mutation.Record) error {
	a, ok := e.awaits.Get().(await)
	if !ok {
		a = make(await, 1)
	}
	if err := e.Apply(ctx, records, true, a); err != nil {
		e.awaits.Put(a)
		return err
	}
	// The outcome is on its way even if ctx ends: waiting for it bounds what
	// is in flight.
	err := <-a
	e.awaits.Put(a)
	return err
}

// apply writes records of this table.
func (t *table) apply(records []mutation.Record, done mutation.Completer) error {
	p := newPending(done)
	err := p.check(records)
	if err == nil {
		err = t.applyChecked(p)
	}
	if err != nil {
		p.free()
	}
	return err
}

// applyChecked logs and links what p holds. After an error p is the caller's.
func (t *table) applyChecked(p *pending) error {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.gone != nil {
		return t.gone
	}
	mem := t.current.Load().mems[0]
	durable := t.durable.Load()
	if durable {
		pos, err := t.engine.append(p)
		if err != nil {
			return err
		}
		t.noteFirst(pos)
	}
	mem.LinkAll(p.checked)
	if !durable {
		p.finish() // there is no log to wait for
	}
	p.finish()
	return nil
}

// append gives the records of p a log position.
func (e *Engine) append(p *pending) (commitlog.Position, error) {
	if err := fail.Point("engine/append"); err != nil {
		return commitlog.Position{}, err
	}
	p.unsynced = e.unsynced
	e.unsynced.add(p.group, 1)
	pos, err := e.place(p.group, p)
	if err != nil {
		e.unsynced.add(p.group, -1)
	}
	return pos, err
}

// place gives a group its place in the log, and the log's errors their names
// here.
func (e *Engine) place(group [][]byte, p *pending) (commitlog.Position, error) {
	if len(group) > 1 && fail.Mutant("split-group") {
		if _, err := e.log.Append(group[:1], nil); err != nil {
			return commitlog.Position{}, err
		}
		group = group[1:]
	}
	pos, err := e.log.TryAppend(group, &p.Waiter)
	switch {
	case err == nil:
	case errors.Is(err, commitlog.ErrWouldBlock):
		return pos, mutation.ErrWouldBlock
	case errors.Is(err, commitlog.ErrNoSpace):
		return pos, fmt.Errorf("%w (%w)", ErrDiskFull, err)
	case errors.Is(err, commitlog.ErrFailed):
		return pos, fmt.Errorf("%w (%w)", ErrFailed, err)
	case errors.Is(err, commitlog.ErrClosed):
		return pos, ErrClosed
	}
	return pos, err
}

// applyGroup writes records of several partitions and perhaps tables as one
// group of the log.
func (e *Engine) applyGroup(records []mutation.Record, done mutation.Completer) error {
	tables := make([]*table, 0, 4)
	for _, r := range records {
		t, err := e.table(r.Table())
		if err != nil {
			return err
		}
		if !slices.Contains(tables, t) {
			tables = append(tables, t)
		}
	}
	if len(tables) == 1 {
		return tables[0].apply(records, done)
	}
	// In one order, so that two groups never wait for each other.
	slices.SortFunc(tables, func(a, b *table) int { return bytes.Compare(a.id[:], b.id[:]) })
	p := newPending(done)
	err := p.check(records)
	if err == nil {
		err = e.applyTables(tables, p)
	}
	if err != nil {
		p.free()
	}
	return err
}

// applyTables is table.applyChecked for records of several tables, in order.
func (e *Engine) applyTables(tables []*table, p *pending) error {
	for _, t := range tables {
		t.mu.RLock()
		defer t.mu.RUnlock()
		if t.gone != nil {
			return t.gone
		}
	}
	pos, err := e.append(p)
	if err != nil {
		return err
	}
	for _, t := range tables {
		t.noteFirst(pos)
	}
	for i := range p.checked {
		// Not asked of the engine again: it may have dropped the table meanwhile,
		// which this write comes before.
		id := p.checked[i].Table()
		t := tables[slices.IndexFunc(tables, func(t *table) bool { return t.id == id })]
		t.current.Load().mems[0].Link(&p.checked[i], nil)
	}
	p.finish()
	return nil
}
