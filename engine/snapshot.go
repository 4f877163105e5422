package engine

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/schema"
)

// Snapshot makes hard links to the table's files under snapshots/TAG/TABLE,
// after a flush, so that they hold everything acknowledged before the call.
func (e *Engine) Snapshot(id schema.TableID, tag string) error {
	if tag == "" || strings.ContainsAny(tag, "/\x00") || tag[0] == '.' {
		return fmt.Errorf("engine: snapshot: %q is not a name for a directory", tag)
	}
	t, err := e.table(id)
	if err != nil {
		return err
	}
	if !e.enter() {
		return ErrClosed
	}
	defer e.background.Done()
	if err := t.flush(); err != nil {
		return err
	}
	v := t.pin() // keeps the files from going away
	defer v.drop()
	dir := e.opts.Dir + "/snapshots/" + tag + "/" + hex.EncodeToString(id[:])
	if err := vfs.MkdirAllSync(e.opts.FS, dir); err != nil {
		return fmt.Errorf("engine: snapshot: %w", err)
	}
	for _, f := range v.files {
		if err := e.opts.FS.Link(f.path, fmt.Sprintf("%s/%d.sst", dir, f.id)); err != nil {
			return fmt.Errorf("engine: snapshot: %w", err)
		}
	}
	if err := e.opts.FS.SyncDir(dir); err != nil {
		return fmt.Errorf("engine: snapshot: %w", err)
	}
	return nil
}

// DropSnapshot removes a snapshot.
func (e *Engine) DropSnapshot(tag string) error {
	if tag == "" || strings.ContainsAny(tag, "/\x00") || tag[0] == '.' {
		return fmt.Errorf("engine: snapshot: %q is not a name of one", tag)
	}
	if err := e.opts.FS.RemoveAll(e.opts.Dir + "/snapshots/" + tag); err != nil {
		return fmt.Errorf("engine: snapshot: %w", err)
	}
	return nil
}
