package engine

import (
	"errors"
	"fmt"

	"github.com/ilion-db/ilion/internal/fail"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/sstable"
)

// fileWriter writes a stream into one or more table files, which are durable
// when finish returns and then have to be named by the manifest.
type fileWriter struct {
	table   *table
	options sstable.Options
	w       *sstable.Writer
	name    string
	id      uint64
	done    []*file
	cold    bool // what is written stays out of the cache
}

func (e *Engine) newFileWriter(t *table) *fileWriter {
	return &fileWriter{table: t, options: e.writerOptions(t)}
}

func (w *fileWriter) begin() error {
	e := w.table.engine
	dir := w.table.dir()
	if !w.table.dirMade.Load() {
		if err := vfs.MkdirAllSync(e.opts.FS, dir); err != nil {
			return err
		}
		w.table.dirMade.Store(true)
	}
	w.id = e.nextFile.Add(1) - 1
	w.name = fmt.Sprintf("%s/%d.sst", dir, w.id)
	// What is written past the page cache enters ours, so that a flush or a
	// compaction does not make hot rows cold.
	if !w.cold {
		w.options.Cache, w.options.FileID = e.cache, w.id
	}
	w.options.CreatedAt = e.seconds()
	var err error
	w.w, err = sstable.NewWriter(e.opts.FS, w.name, w.options)
	return err
}

// BeginPartition starts a partition, and a file if there is none.
func (w *fileWriter) BeginPartition(p *mutation.Partition) error {
	if w.w == nil {
		if err := w.begin(); err != nil {
			return err
		}
	}
	return w.w.BeginPartition(p)
}

// AddRow adds a row of the current partition.
func (w *fileWriter) AddRow(clustering, row []byte) error { return w.w.AddRow(clustering, row) }

// AddBoundary adds a change of the range deletion in force.
func (w *fileWriter) AddBoundary(clustering []byte, before, after mutation.Deletion) error {
	return w.w.AddBoundary(clustering, before, after)
}

// EndPartition ends the partition.
func (w *fileWriter) EndPartition() error { return w.w.EndPartition() }

// Cut ends the current file; the next partition begins another.
func (w *fileWriter) Cut() error {
	if w.w == nil {
		return nil
	}
	_, err := w.w.Finish()
	w.w = nil
	if err != nil {
		w.remove(w.name)
		return err
	}
	f, err := w.table.openFile(w.id)
	if err != nil {
		w.remove(w.name)
		return err
	}
	f.created = w.options.CreatedAt
	f.fresh.Store(!w.cold)
	w.done = append(w.done, f)
	return nil
}

// finish ends the last file and makes the directory durable. The files belong
// to the caller.
func (w *fileWriter) finish() ([]*file, error) {
	err := w.Cut()
	if err == nil {
		err = fail.Point("engine/file-written")
	}
	if err == nil && len(w.done) > 0 && !fail.Mutant("skip-dir-sync") {
		err = w.table.engine.opts.FS.SyncDir(w.table.dir())
	}
	if err != nil {
		w.abort()
		return nil, err
	}
	return w.done, nil
}

// abort removes everything written.
func (w *fileWriter) abort() {
	if w.w != nil {
		w.w.Abort()
		w.remove(w.name)
		w.w = nil
	}
	discard(w.done)
	w.done = nil
}

func (w *fileWriter) remove(name string) { w.table.engine.removeFile(name) }

// removeFile removes a file that the manifest does not name. What is left over
// is removed at the next start.
func (e *Engine) removeFile(name string) {
	if err := e.opts.FS.Remove(name); err != nil && !errors.Is(err, vfs.ErrNotExist) {
		e.logger.Warn("file could not be removed", "file", name, "error", err)
	}
}
