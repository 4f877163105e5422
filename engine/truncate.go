package engine

import (
	"context"
	"fmt"

	"github.com/ilion-db/ilion/engine/manifest"
	"github.com/ilion-db/ilion/internal/fail"
	"github.com/ilion-db/ilion/schema"
)

// Truncated is when the table was last truncated, in microseconds as told to
// Truncate, 0 if it never was.
func (e *Engine) Truncated(id schema.TableID) int64 {
	if t := e.manifest.State().Tables[id]; t != nil {
		return t.TruncatedAt
	}
	return 0
}

// Truncate drops everything that was written to the table so far, whatever its
// timestamps. It is durable when it returns, and no replay brings anything
// back: the manifest keeps the log position that separates before and after.
// epoch and at are those of the change of the schema that it follows.
func (e *Engine) Truncate(ctx context.Context, id schema.TableID, epoch uint64, at int64) error {
	_ = epoch // one node: nothing older can arrive any more
	t, err := e.table(id)
	if err != nil {
		return err
	}
	if !e.enter() {
		return ErrClosed
	}
	defer e.background.Done()
	if err := t.hold(ctx); err != nil {
		return err
	}
	defer func() { <-t.change }()
	fresh := t.newMemory()
	t.mu.Lock()
	pos := e.mark()
	before := t.first.Load()
	t.flushing.Store(min(t.flushing.Load(), before))
	t.first.Store(noPosition)
	v := t.current.Load()
	t.publish(append([]*memory{fresh}, v.mems...), v.files)
	t.mu.Unlock()
	fresh.drop()
	t.flushedTo = pos
	v = t.current.Load()
	var edit manifest.Edit
	edit.Truncated(id, pos, at)
	for _, f := range v.files {
		edit.RemoveFile(id, f.id)
	}
	if err := fail.Point("engine/truncate-edit"); err != nil {
		return err
	}
	// If the edit cannot be written the old memtables stay, behind the new
	// one, and the next flush writes them and moves the table's mark to pos.
	if err := e.commit(&edit); err != nil {
		return fmt.Errorf("engine: truncate: %w", err)
	}
	t.flushing.Store(noPosition)
	t.publish(v.mems[:1:1], nil)
	for _, f := range v.files {
		f.obsolete.Store(true)
		f.drop()
	}
	e.discardLog()
	e.wakeWriters()
	return nil
}
