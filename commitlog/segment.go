package commitlog

import (
	"errors"
	"fmt"
	"path"
	"sync/atomic"

	"github.com/ilion-db/ilion/internal/fail"
	"github.com/ilion-db/ilion/internal/vfs"
)

// newSuffix marks a file that is still being filled. It becomes a segment by
// rename, so that a file with a segment's name always has its full size and at
// least one good copy of its header.
const newSuffix = ".new"

// zeroChunk is how much is written at a time when a segment is filled.
const zeroChunk = 1 << 20

// segment is one file of the log. Its fields are set before it is shared,
// except where said otherwise.
type segment struct {
	slot   uint32
	size   int64
	header header
	// seq orders segments by their first use; given when the segment becomes a
	// lane's active one, 0 before.
	seq uint64
	// file is opened and closed by the goroutine that prepares segments; flushers
	// use it while refs > 0.
	file vfs.File
	// refs counts the lane whose active segment this is and the sealed frames
	// that are not written yet. Once it is 0 again the segment is only read.
	refs atomic.Int32
	// aside tells to keep the file under another name instead of using it again.
	aside bool
}

func (o *Options) path(name string) string { return path.Join(o.Dir, name) }

// openOptions are those of a segment's file for frames.
func (l *Log) openOptions() vfs.OpenOptions {
	return vfs.OpenOptions{Direct: l.direct, DataSync: l.direct}
}

// createSegment makes a new file of size bytes of written zeros and a header.
func (l *Log) createSegment(slot uint32, size int, h header) (*segment, error) {
	o := &l.opts
	name := o.path(segmentName(slot))
	h.size = uint64(size)
	if err := l.fillNew(name+newSuffix, &h); err != nil {
		// A half-filled file must not keep the space that others may need.
		if rerr := o.FS.Remove(name + newSuffix); rerr != nil && !errors.Is(rerr, vfs.ErrNotExist) {
			err = errors.Join(err, rerr)
		}
		return nil, fmt.Errorf("commitlog: prepare segment %s: %w", name, err)
	}
	if err := o.FS.Rename(name+newSuffix, name); err != nil {
		return nil, fmt.Errorf("commitlog: prepare segment: %w", err)
	}
	if err := o.FS.SyncDir(o.Dir); err != nil {
		return nil, fmt.Errorf("commitlog: prepare segment: %w", err)
	}
	f, err := o.FS.OpenRW(name, l.openOptions())
	if err != nil {
		return nil, fmt.Errorf("commitlog: prepare segment: %w", err)
	}
	return &segment{slot: slot, size: int64(size), header: h, file: f}, nil
}

// fillNew writes the whole file and syncs it.
func (l *Log) fillNew(name string, h *header) (err error) {
	fs := l.opts.FS
	if err := fs.Remove(name); err != nil && !errors.Is(err, vfs.ErrNotExist) {
		return err
	}
	f, err := fs.Create(name, vfs.OpenOptions{Direct: l.direct})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	chunk := vfs.AlignedBytes(min(zeroChunk, int(h.size)))
	h.encode(chunk)
	copy(chunk[pageSize:2*pageSize], chunk[:pageSize])
	for off := 0; off < int(h.size); {
		n := min(len(chunk), int(h.size)-off)
		if _, err := f.WriteAt(chunk[:n], int64(off)); err != nil {
			return err
		}
		if off == 0 {
			clear(chunk[:dataStart])
		}
		off += n
	}
	return f.Sync()
}

// reuseSegment gives a discarded file a new header. The copies are written one
// after the other, each durable before the next, so that one is always good;
// frames of the old incarnation are dead once the first is there.
func (l *Log) reuseSegment(s *segment, lane uint16, incarnation uint64) (*segment, error) {
	if err := fail.Point("commitlog/recycle"); err != nil {
		return nil, fmt.Errorf("commitlog: recycle segment: %w", err)
	}
	name := l.opts.path(segmentName(s.slot))
	if s.file == nil {
		f, err := l.opts.FS.OpenRW(name, l.openOptions())
		if err != nil {
			return nil, fmt.Errorf("commitlog: recycle segment: %w", err)
		}
		s.file = f
	}
	h := s.header
	h.version, h.required, h.optional = FormatVersion, 0, 0
	h.lane, h.uses, h.incarnation = lane, h.uses+1, incarnation
	if fail.Mutant("reuse-incarnation") {
		h.incarnation = s.header.incarnation
	}
	page := vfs.AlignedBytes(pageSize)
	h.encode(page)
	for off := int64(0); off < dataStart; off += pageSize {
		if err := l.writeHeader(s.file, name, page, off); err != nil {
			return nil, fmt.Errorf("commitlog: recycle segment: %w", err)
		}
	}
	return &segment{slot: s.slot, size: s.size, header: h, file: s.file}, nil
}

func (l *Log) writeHeader(f vfs.File, name string, page []byte, off int64) error {
	if fail.Mutant("skip-header-sync") {
		plain, err := l.opts.FS.OpenRW(name, vfs.OpenOptions{Direct: l.direct})
		if err != nil {
			return err
		}
		_, err = plain.WriteAt(page, off)
		return errors.Join(err, plain.Close())
	}
	return l.writeDurable(f, page, off)
}

// writeDurable returns when p is on the disk. This is the one place through
// which frames and headers reach a file.
func (l *Log) writeDurable(f vfs.File, p []byte, off int64) error {
	return l.submit(&vfs.Op{File: f, Buf: p, Off: off})
}

// submit is writeDurable of an op that the caller keeps.
func (l *Log) submit(op *vfs.Op) error {
	if err := fail.Point("commitlog/write"); err != nil {
		return err
	}
	if err := fail.Point("commitlog/sync"); err != nil {
		return err
	}
	op.Sync = !l.direct // else the file was opened for durable writes
	return l.queue.Do(op)
}
