package metadata

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/schema"
)

// history is the log of entries on disk: snapshots and log files.
//
// Thread safety: none; it belongs to whoever writes.
type history struct {
	fs           vfs.FS
	dir          string
	compactAfter int
	warn         func(string)
	patience     patience

	file    vfs.File
	size    int64
	entries int // in file
	stopped error
	tail    []stored
}

// stored is an entry as it lies in a file, for those who pull.
type stored struct {
	before position
	index  uint64
	bytes  []byte
}

// tailEntries and tailBytes bound what is kept in memory for those who pull.
const (
	tailEntries = 512
	tailBytes   = 4 << 20
)

// openHistory makes the directory if it is not there and reads what it holds.
// A generation that is above that of the files begins after their last entry.
func openHistory(fs vfs.FS, dir string, compactAfter int, warn func(string), generation uint16) (*history, *State, error) {
	h := &history{fs: fs, dir: dir, compactAfter: compactAfter, warn: warn}
	if h.compactAfter <= 0 {
		h.compactAfter = defaultCompactAfter
	}
	if h.warn == nil {
		h.warn = func(string) {}
	}
	if err := vfs.MkdirAllSync(fs, dir); err != nil {
		return nil, nil, fmt.Errorf("metadata: make %s: %w", dir, err)
	}
	s, err := h.recover(generation)
	return h, s, err
}

// append makes an entry durable and returns the state after it. If it does not
// apply nothing is written.
func (h *history) append(old *State, kind uint16, proposer [16]byte, payload []byte) (*State, outcome, error) {
	if len(payload) > maxPayload {
		return nil, 0, &schema.Error{Kind: schema.ErrInvalid, Message: fmt.Sprintf("Schema change of %d bytes is larger than the maximum of %d", len(payload), maxPayload)}
	}
	e := entry{index: old.at.index + 1, kind: kind, flags: flagRequired, proposer: proposer, payload: payload}
	var buf []byte
	buf, e.hash = appendEntry(nil, &e, old.at.hash)
	return h.commit(old, &e, buf)
}

// commit applies and writes an entry whose bytes are given.
func (h *history) commit(old *State, e *entry, buf []byte) (*State, outcome, error) {
	if h.stopped != nil {
		return nil, 0, h.stopped
	}
	next, what, err := old.apply(e)
	if err != nil {
		return nil, 0, err
	}
	invariant.Check(next.at == position{e.index, e.hash} && next.at.index == old.at.index+1 && next.Schema.Epoch >= old.Schema.Epoch,
		"metadata: entry %d with epoch %x follows %d with %x", next.at.index, next.Schema.Epoch, old.at.index, old.Schema.Epoch)
	next.check(old)
	whole := buf
	size := h.size
	end := int(size) + len(buf)
	buf = append(slices.Clip(buf), make([]byte, markOffset(end)-end)...)
	if err := h.write(buf); err != nil {
		return nil, 0, h.undo(size, err)
	}
	if err := h.write(appendMark(nil, e.index)); err != nil {
		return nil, 0, h.undo(size, err)
	}
	h.entries++
	h.remember(old.at, e.index, whole)
	if h.entries >= h.compactAfter {
		// The entry is durable whatever becomes of the snapshot: a failure stops
		// the log for the next entry, or that one tries again.
		if err := h.compact(next); h.canPutOff(next, err) {
			h.warn(fmt.Sprintf("metadata: waiting for space on the disk for a snapshot: %v", err))
		} else if err != nil {
			h.stop(err)
		}
	}
	return next, what, nil
}

// remember keeps an entry for those who pull.
func (h *history) remember(before position, index uint64, whole []byte) {
	total := len(whole)
	keep := len(h.tail)
	for keep > 0 && len(h.tail)-keep < tailEntries-1 && total+len(h.tail[keep-1].bytes) <= tailBytes {
		keep--
		total += len(h.tail[keep].bytes)
	}
	// Readers hold what was published: the slice grows and is never written over.
	h.tail = append(h.tail[keep:], stored{before, index, whole})
}

func (h *history) write(p []byte) error {
	if err := h.patience.writeAt(h.file, p, h.size); err != nil {
		return err
	}
	// What a failed sync has left on disk is unknown, whatever its error is.
	if err := h.file.SyncData(); err != nil {
		return h.stop(err)
	}
	h.size += int64(len(p))
	return nil
}

// undo takes back what a write that failed has left after size. The log goes on
// if that was for want of space alone.
func (h *history) undo(size int64, err error) error {
	if h.stopped != nil {
		return err
	}
	if !errors.Is(err, vfs.ErrNoSpace) || h.file.Truncate(size) != nil || h.file.Sync() != nil {
		return h.stop(err)
	}
	h.size = size
	return fmt.Errorf("metadata: %w", err)
}

func (h *history) stop(err error) error {
	h.stopped = fmt.Errorf("%w: %w", ErrStopped, err)
	return h.stopped
}

// compact writes the state as a snapshot, starts a new log after it and
// removes what is older than the snapshot before.
func (h *history) compact(s *State) error {
	if err := h.patience.writeFile(h.fs, snapshotName(h.dir, s.at.index), appendSnapshot(nil, s)); err != nil {
		return err
	}
	f, err := h.create(s)
	if err != nil {
		return err
	}
	if h.file != nil {
		if err := h.file.Close(); err != nil {
			h.warn(fmt.Sprintf("metadata: close %s: %v", h.file.Name(), err))
		}
	}
	h.file, h.size, h.entries = f, logHeaderLen, 0
	h.clean()
	return nil
}

// canPutOff tells whether a snapshot that failed with err can be made after a
// later entry: if that was for want of space alone and this log is still the
// last. A new log that is there, perhaps not durably, is what a start continues.
func (h *history) canPutOff(s *State, err error) bool {
	if !errors.Is(err, vfs.ErrNoSpace) {
		return false
	}
	there, err := vfs.Exists(h.fs, logName(h.dir, s.at.index))
	return err == nil && !there
}

// create makes the log file that continues s and opens it for writing.
func (h *history) create(s *State) (vfs.File, error) {
	name := logName(h.dir, s.at.index)
	if err := h.patience.writeFile(h.fs, name, appendLogHeader(nil, s.Generation, s.at)); err != nil {
		return nil, err
	}
	return h.fs.OpenRW(name, vfs.OpenOptions{})
}

// clean removes snapshots and logs that the last but one snapshot replaces.
// What cannot be removed is tried again next time.
func (h *history) clean() {
	f, err := listFiles(h.fs, h.dir)
	if err != nil {
		h.warn(err.Error())
		return
	}
	if len(f.snapshots) < 2 {
		return
	}
	keep := f.snapshots[len(f.snapshots)-2]
	var old []string
	for _, i := range f.snapshots {
		if i < keep {
			old = append(old, snapshotName(h.dir, i))
		}
	}
	first, found := slices.BinarySearch(f.logs, keep)
	if !found && first > 0 {
		first-- // the log that goes on after a snapshot without one of its own
	}
	for _, i := range f.logs[:first] {
		old = append(old, logName(h.dir, i))
	}
	for _, name := range old {
		if err := h.fs.Remove(name); err != nil {
			h.warn(err.Error())
		}
	}
}

func (h *history) close() error {
	if h.file == nil {
		return nil
	}
	err := h.file.Close()
	h.file, h.stopped = nil, ErrClosed
	return err
}
