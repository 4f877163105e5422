package engine

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ilion-db/ilion/engine/manifest"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/sstable"
)

// Snapshot is a table's files of one moment: hard links to them.
type Snapshot struct {
	Tag   string
	Table schema.TableID
	Bytes int64 // of its files
	Own   int64 // of those that are no files of the table any more
}

// ErrNoSnapshot is the answer to a tag that there is not.
var ErrNoSnapshot = errors.New("engine: there is no such snapshot")

func (e *Engine) snapshotDir(tag string) (string, error) {
	if tag == "" || strings.ContainsAny(tag, "/\x00") || tag[0] == '.' {
		return "", fmt.Errorf("engine: snapshot: %q is not a name for a directory", tag)
	}
	return e.opts.Dir + "/snapshots/" + tag, nil
}

// Snapshot makes hard links to the table's files under snapshots/TAG/TABLE,
// after a flush, so that they hold everything acknowledged before the call. A
// tag is for once.
func (e *Engine) Snapshot(id schema.TableID, tag string) error {
	dir, err := e.snapshotDir(tag)
	if err != nil {
		return err
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
	e.snapshots <- struct{}{}
	defer func() { <-e.snapshots }()
	name := dir + "/" + hex.EncodeToString(id[:])
	if _, err := e.opts.FS.Stat(name); err == nil {
		return fmt.Errorf("engine: snapshot: there is a snapshot %q of %s", tag, t.name())
	}
	half := name + halfSuffix
	err = e.link(v.files, half)
	if err == nil {
		err = e.opts.FS.Rename(half, name)
	}
	if err == nil {
		err = e.opts.FS.SyncDir(dir)
	}
	if err != nil {
		if err := e.opts.FS.RemoveAll(half); err != nil {
			e.logger.Warn("half of a snapshot could not be removed", "directory", half, "error", err)
		}
		return fmt.Errorf("engine: snapshot: %w", err)
	}
	return nil
}

// halfSuffix ends the name of a snapshot that is being made: one that a crash
// leaves behind is none.
const halfSuffix = ".new"

func (e *Engine) link(files []*file, dir string) error {
	if err := vfs.MkdirAllSync(e.opts.FS, dir); err != nil {
		return err
	}
	for _, f := range files {
		if err := e.opts.FS.Link(f.path, fmt.Sprintf("%s/%d.sst", dir, f.id)); err != nil {
			return err
		}
	}
	return e.opts.FS.SyncDir(dir)
}

// removeHalfSnapshots removes what a crash has left of snapshots that were being
// made.
func (e *Engine) removeHalfSnapshots() error {
	root := e.opts.Dir + "/snapshots"
	tags, err := e.list(root)
	if err != nil {
		return err
	}
	for _, tag := range tags {
		names, err := e.list(root + "/" + tag)
		if err != nil {
			return err
		}
		left := len(names)
		for _, name := range names {
			if !strings.HasSuffix(name, halfSuffix) {
				continue
			}
			if err := e.opts.FS.RemoveAll(root + "/" + tag + "/" + name); err != nil {
				return fmt.Errorf("engine: snapshot: %w", err)
			}
			left--
		}
		if len(names) > 0 && left == 0 {
			if err := e.opts.FS.Remove(root + "/" + tag); err != nil {
				return fmt.Errorf("engine: snapshot: %w", err)
			}
		}
	}
	return nil
}

// Snapshots lists all there are, by tag and table.
func (e *Engine) Snapshots() (all []Snapshot, err error) {
	if !e.enter() {
		return nil, ErrClosed
	}
	defer e.background.Done()
	root := e.opts.Dir + "/snapshots"
	tags, err := e.list(root)
	if err != nil {
		return nil, err
	}
	for _, tag := range tags {
		tables, err := e.list(root + "/" + tag)
		if err != nil {
			return nil, err
		}
		for _, name := range tables {
			raw, err := hex.DecodeString(name)
			if err != nil || len(raw) != len(schema.TableID{}) {
				continue // not ours
			}
			s := Snapshot{Tag: tag, Table: schema.TableID(raw)}
			if err := e.measure(&s, root+"/"+tag+"/"+name); err != nil {
				return nil, err
			}
			all = append(all, s)
		}
	}
	return all, nil
}

// list is the sorted content of a directory, nothing if it is not there or is
// none.
func (e *Engine) list(dir string) ([]string, error) {
	if info, err := e.opts.FS.Stat(dir); errors.Is(err, vfs.ErrNotExist) || err == nil && !info.Dir {
		return nil, nil
	}
	names, err := e.opts.FS.List(dir)
	if err != nil && !errors.Is(err, vfs.ErrNotExist) {
		return nil, fmt.Errorf("engine: %w", err)
	}
	slices.Sort(names)
	return names, nil
}

func (e *Engine) measure(s *Snapshot, dir string) error {
	live := map[string]bool{}
	if t, err := e.table(s.Table); err == nil {
		v := t.pin()
		defer v.drop()
		for _, f := range v.files {
			live[fmt.Sprintf("%d.sst", f.id)] = true
		}
	}
	names, err := e.list(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		info, err := e.opts.FS.Stat(dir + "/" + name)
		if errors.Is(err, vfs.ErrNotExist) {
			continue // removed meanwhile
		} else if err != nil {
			return fmt.Errorf("engine: %w", err)
		}
		if s.Bytes += info.Size; !live[name] {
			s.Own += info.Size
		}
	}
	return nil
}

// DropSnapshot removes a snapshot of the tables that match, and the tag with the
// last of them. ErrNoSnapshot means that there was none.
func (e *Engine) DropSnapshot(tag string, match func(schema.TableID) bool) error {
	dir, err := e.snapshotDir(tag)
	if err != nil {
		return err
	}
	if !e.enter() {
		return ErrClosed
	}
	defer e.background.Done()
	e.snapshots <- struct{}{}
	defer func() { <-e.snapshots }()
	names, err := e.list(dir)
	if err != nil {
		return err
	}
	left := len(names)
	for _, name := range names {
		raw, err := hex.DecodeString(name)
		if err != nil || len(raw) != len(schema.TableID{}) || !match(schema.TableID(raw)) {
			continue
		}
		if err := e.opts.FS.RemoveAll(dir + "/" + name); err != nil {
			return fmt.Errorf("engine: snapshot: %w", err)
		}
		left--
	}
	switch {
	case left == len(names):
		return ErrNoSnapshot
	case left > 0:
		return nil
	}
	if err := e.opts.FS.RemoveAll(dir); err != nil {
		return fmt.Errorf("engine: snapshot: %w", err)
	}
	return nil
}

// Import adds the rows of the table's files in dir, a snapshot of it for
// instance, and returns how many files there were. They stay as they are: what is
// added are copies, checked block by block, and rows in them that are older than
// what the table has do not show. Files that were written for other columns are
// refused, see compareColumns. It is durable when it returns; an error means that
// nothing was added.
func (e *Engine) Import(ctx context.Context, id schema.TableID, dir string) (files int, err error) {
	t, err := e.table(id)
	if err != nil {
		return 0, err
	}
	if !e.enter() {
		return 0, ErrClosed
	}
	defer e.background.Done()
	names, err := e.list(dir)
	if err != nil {
		return 0, err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasSuffix(name, ".sst") })
	if len(names) == 0 {
		return 0, fmt.Errorf("engine: import: there are no table files in %s", dir)
	}
	w := e.newFileWriter(t)
	for _, name := range names {
		if err := e.importFile(ctx, w, dir+"/"+name); err != nil {
			w.abort()
			return 0, fmt.Errorf("engine: import: %w", err)
		}
	}
	copies, err := w.finish()
	if err != nil {
		return 0, fmt.Errorf("engine: import: %w", err)
	}
	if err := t.hold(ctx); err != nil {
		discard(copies)
		return 0, err
	}
	defer t.prefetch() // without change
	defer func() { <-t.change }()
	var edit manifest.Edit
	for _, f := range copies {
		edit.AddFile(id, manifest.File{ID: f.id, Size: f.size})
	}
	if err := e.commit(&edit); err != nil {
		e.giveUp(copies, err)
		return 0, fmt.Errorf("engine: import: %w", err)
	}
	v := t.current.Load()
	t.publish(v.mems, append(slices.Clone(v.files), copies...))
	t.due.Store(true)
	wake(e.compactWake)
	return len(names), nil
}

// importFile copies a file of the writer's table.
func (e *Engine) importFile(ctx context.Context, w *fileWriter, path string) error {
	r, err := sstable.Open(e.opts.FS, path, sstable.OpenOptions{Access: sstable.AccessDirect})
	if err != nil {
		return err
	}
	defer invariant.Release(func() { r.Close() })
	if of := r.Properties().Table; of != w.table.id {
		return fmt.Errorf("%s is of table %s, %s is table %s", path, of, w.table.name(), w.table.id)
	}
	if err := compareColumns(w.table.def.Load(), r.Properties().Columns); err != nil {
		return fmt.Errorf("%s was written for other columns than %s has: %w", path, w.table.name(), err)
	}
	var it sstable.Iter
	defer invariant.Release(it.Close)
	src := &stoppable{Source: r.NewIter(&it, sstable.IterOptions{ReadAhead: true}), ctx: ctx, closing: e.closing}
	if err := copySource(w, src); err != nil {
		return err
	}
	return w.Cut()
}

// compareColumns tells the first of a file's columns that contradicts the table's.
// A file knows columns by their ids, which a table that is made anew under its id
// gives once more, from 1. Columns that came after the file was written, or were
// dropped since, are no contradiction. What a file does not tell of its columns,
// names and clustering order, is not compared.
func compareColumns(def *schema.Table, columns []sstable.Column) error {
	type column struct {
		name  string
		kind  schema.ColumnKind
		typ   *schema.Type
		place int // among the table's columns, -1 if it was dropped
	}
	all := def.Columns()
	known := make(map[schema.ColumnID]column, len(all)+len(def.Dropped))
	for i, c := range all {
		known[c.ID] = column{c.Name, c.Kind, c.Type, i}
	}
	for _, c := range def.Dropped {
		known[c.ID] = column{c.Name, c.Kind, c.Type, -1}
	}
	for i, c := range all[:len(def.PartitionKey)+len(def.Clustering)] {
		if i >= len(columns) || columns[i].ID != c.ID {
			return fmt.Errorf("column %s of the primary key is not at its place there", c.Name)
		}
	}
	last := -1
	for i := range columns {
		c := &columns[i]
		k, given := known[c.ID]
		switch {
		case !given && c.ID >= def.NextColumnID:
			return fmt.Errorf("there is no column with the id %d, there of type %.80q", c.ID, c.Type)
		case !given: // a forced recovery has lost it, and nobody gets its id
		case c.Kind != k.kind:
			return fmt.Errorf("column %s is of another kind there", k.name)
		case c.Type != k.typ.String():
			return fmt.Errorf("column %s is of type %q, there of type %.80q", k.name, k.typ, c.Type)
		case k.place < 0:
		case c.DroppedAt != 0:
			return fmt.Errorf("column %s is one that was dropped there", k.name)
		case k.place <= last:
			// Others come between the old ones, whose order stays.
			return fmt.Errorf("column %s is at another place there", k.name)
		default:
			last = k.place
		}
	}
	return nil
}

// stoppable is a source that ends with its context or the engine.
type stoppable struct {
	mutation.Source
	ctx     context.Context
	closing <-chan struct{}
}

func (s *stoppable) stopped() error {
	select {
	case <-s.closing:
		return ErrClosed
	default:
		return s.ctx.Err()
	}
}

// NextPartition implements mutation.Source.
func (s *stoppable) NextPartition() bool { return s.stopped() == nil && s.Source.NextPartition() }

// Err implements mutation.Source.
func (s *stoppable) Err() error {
	if err := s.stopped(); err != nil {
		return err
	}
	return s.Source.Err()
}
