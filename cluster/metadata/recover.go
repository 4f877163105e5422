package metadata

import (
	"fmt"

	"github.com/ilion-db/ilion/internal/vfs"
)

// recover loads the newest good snapshot, replays the logs after it and leaves
// the last one open for writing.
func (h *history) recover(generation uint16) (*State, error) {
	f, err := listFiles(h.fs, h.dir)
	if err != nil {
		return nil, err
	}
	s, bad, err := h.loadSnapshot(f.snapshots, generation)
	if err != nil {
		return nil, err
	}
	s, err = h.replay(s, f.logs)
	if err != nil {
		if bad != nil {
			return nil, bad
		}
		return nil, err
	}
	if generation > s.Generation {
		raised := *s
		raised.Generation = generation
		raised.seal()
		s = &raised
		if h.file != nil {
			if err := h.compact(s); err != nil {
				return nil, fmt.Errorf("metadata: start generation %d: %w", s.Generation, err)
			}
		}
	}
	if bad != nil {
		if err := h.repair(s, f.snapshots, bad); err != nil {
			return nil, err
		}
	}
	if h.file != nil {
		return s, nil
	}
	if h.file, err = h.create(s); err != nil {
		return nil, fmt.Errorf("metadata: make the log: %w", err)
	}
	h.size = logHeaderLen
	return s, nil
}

// repair replaces snapshots that could not be read, of which bad was the
// newest, by a new one.
func (h *history) repair(s *State, indexes []uint64, bad error) error {
	h.warn(fmt.Sprintf("%v; made again from the log", bad))
	if err := h.compact(s); err != nil {
		return fmt.Errorf("metadata: make the snapshot again: %w", err)
	}
	for _, i := range indexes {
		name := snapshotName(h.dir, i)
		p, err := vfs.ReadFile(h.fs, name, maxSnapshot)
		if err != nil {
			continue // removed by compact
		}
		if _, err := readSnapshot(name, p); err != nil {
			if err := h.fs.Remove(name); err != nil {
				return fmt.Errorf("metadata: %w", err)
			}
		}
	}
	return nil
}

// loadSnapshot returns the newest snapshot that is good, else the empty state,
// and the error of the newest if that is not it.
func (h *history) loadSnapshot(indexes []uint64, generation uint16) (s *State, bad, err error) {
	for i := len(indexes) - 1; i >= 0; i-- {
		name := snapshotName(h.dir, indexes[i])
		p, err := vfs.ReadFile(h.fs, name, maxSnapshot)
		if err != nil {
			return nil, nil, fmt.Errorf("metadata: %w", err)
		}
		s, err := readSnapshot(name, p)
		if err == nil && s.at.index != indexes[i] {
			err = &CorruptError{name, 16, fmt.Sprintf("index %d", s.at.index)}
		}
		if err == nil {
			return s, bad, nil
		}
		if bad == nil {
			bad = err
		}
	}
	return newState(generation), bad, nil
}

// replay applies the logs that continue s. The last one stays open.
func (h *history) replay(s *State, logs []uint64) (*State, error) {
	start := 0
	for i, index := range logs {
		if index <= s.at.index {
			start = i
		}
	}
	for i, index := range logs[start:] {
		last := start+i == len(logs)-1
		if index > s.at.index {
			return nil, &CorruptError{logName(h.dir, index), 16, fmt.Sprintf("entries %d to %d are missing", s.at.index+1, index)}
		}
		next, err := h.replayFile(s, index, last)
		if err != nil {
			return nil, err
		}
		s = next
	}
	if len(logs) == 0 && s.at.index != 0 {
		// A snapshot is followed by its log; only a crash between the two, whose
		// log before is still there, leaves it alone.
		return nil, &CorruptError{snapshotName(h.dir, s.at.index), 0, "the log is missing"}
	}
	return s, nil
}

// replayFile applies the entries of one log that are after s.
func (h *history) replayFile(s *State, index uint64, last bool) (*State, error) {
	name := logName(h.dir, index)
	p, err := vfs.ReadFile(h.fs, name, maxLogSize)
	if err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	generation, at, err := readLogHeader(name, p)
	if err != nil {
		return nil, err
	}
	if at.index != index || at.contradicts(s.at) {
		return nil, &CorruptError{name, 16, "does not continue the history"}
	}
	off, n, marked, bad := logHeaderLen, 0, true, false
	for marked && off < len(p) || bad && (last || off < len(p)) {
		e, size, ok := readEntry(p[off:], at)
		if !ok {
			if !last || bad || !torn(p[off:]) {
				return nil, &CorruptError{name, int64(off), fmt.Sprintf("entry %d", at.index+1)}
			}
			break
		}
		start := off
		off = markOffset(off + size)
		rest := p[min(off, len(p)):]
		marked = readMark(rest, e.index)
		// The mark itself went bad where another follows, or in a file that is not
		// the last; behind it must be an entry. Else what has no mark is the last.
		if bad = !marked && len(rest) > 0 && !(last && torn(rest)); marked || bad {
			off += markLen
		}
		n++
		at = position{e.index, e.hash}
		if e.index <= s.at.index {
			if at.contradicts(s.at) {
				return nil, &CorruptError{name, int64(off), "differs from the snapshot"}
			}
			continue
		}
		if s, err = h.follow(s, &e, generation, p[start:start+size]); err != nil {
			return nil, fmt.Errorf("metadata: %s: entry %d: %w", name, e.index, err)
		}
	}
	// A crash while a snapshot from a peer was installed leaves a log that ends
	// before it: a new one begins.
	if last && at.index >= s.at.index {
		err = h.openTail(name, off, n, marked, at.index)
	}
	return s, err
}

// torn tells whether p can be what a crash left of one unacknowledged entry:
// it holds no mark anywhere.
func torn(p []byte) bool {
	for i := range p {
		if p[i] == markMagic[0] && readMark(p[i:], 0) {
			return false
		}
	}
	return true
}

// openTail opens the last log for writing at off, cuts off a torn entry and
// marks a last entry that has no mark.
func (h *history) openTail(name string, off, n int, marked bool, index uint64) error {
	f, err := h.fs.OpenRW(name, vfs.OpenOptions{})
	if err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	h.file, h.size, h.entries = f, int64(off), n
	size, err := f.Size()
	if err == nil && size > h.size {
		h.warn(fmt.Sprintf("metadata: %s: cut %d bytes of an entry that was never acknowledged", name, size-h.size))
		if err = f.Truncate(h.size); err == nil {
			err = f.Sync()
		}
	}
	if err == nil && !marked {
		err = h.write(appendMark(nil, index))
	}
	if err != nil {
		h.file = nil
		return fmt.Errorf("metadata: %s: %w", name, joinClose(err, f))
	}
	return nil
}

func joinClose(err error, f vfs.File) error {
	if cerr := f.Close(); cerr != nil {
		return fmt.Errorf("%w (and %v)", err, cerr)
	}
	return err
}

// follow is the state after an entry of a file of that generation.
func (h *history) follow(s *State, e *entry, generation uint16, whole []byte) (*State, error) {
	if generation > s.Generation {
		raised := *s
		raised.Generation = generation
		s = &raised
	}
	before := s.at
	s, _, err := s.apply(e)
	if err == nil {
		h.remember(before, e.index, whole)
	}
	return s, err
}
