package metadata

import (
	"fmt"

	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/schema"
)

// recover loads the newest good snapshot, replays the logs after it and leaves
// the last one open for writing.
func (l *single) recover() error {
	f, err := listFiles(l.fs, l.dir)
	if err != nil {
		return err
	}
	s, bad, err := l.loadSnapshot(f.snapshots)
	if err != nil {
		return err
	}
	s, err = l.replay(s, f.logs)
	if err != nil {
		if bad != nil {
			return bad
		}
		return err
	}
	l.state.Store(s)
	if l.opts.Generation > s.generation {
		s = &state{generation: l.opts.Generation, at: s.at, schema: s.schema, members: s.members}
		l.state.Store(s)
		if l.file != nil {
			if err := l.compact(s); err != nil {
				return fmt.Errorf("metadata: start generation %d: %w", s.generation, err)
			}
		}
	}
	if bad != nil {
		if err := l.repair(s, f.snapshots, bad); err != nil {
			return err
		}
	}
	if l.file != nil {
		return nil
	}
	if l.file, err = l.create(s); err != nil {
		return fmt.Errorf("metadata: make the log: %w", err)
	}
	l.size = logHeaderLen
	return nil
}

// repair replaces snapshots that could not be read, of which bad was the
// newest, by a new one.
func (l *single) repair(s *state, indexes []uint64, bad error) error {
	l.opts.Warn(fmt.Sprintf("%v; made again from the log", bad))
	if err := l.compact(s); err != nil {
		return fmt.Errorf("metadata: make the snapshot again: %w", err)
	}
	for _, i := range indexes {
		name := snapshotName(l.dir, i)
		p, err := vfs.ReadFile(l.fs, name, maxSnapshot)
		if err != nil {
			continue // removed by compact
		}
		if _, err := readSnapshot(name, p); err != nil {
			if err := l.fs.Remove(name); err != nil {
				return fmt.Errorf("metadata: %w", err)
			}
		}
	}
	return nil
}

// loadSnapshot returns the newest snapshot that is good, else the empty state,
// and the error of the newest if that is not it.
func (l *single) loadSnapshot(indexes []uint64) (s *state, bad, err error) {
	for i := len(indexes) - 1; i >= 0; i-- {
		name := snapshotName(l.dir, indexes[i])
		p, err := vfs.ReadFile(l.fs, name, maxSnapshot)
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
	return &state{generation: l.opts.Generation, schema: schema.NewSnapshot()}, bad, nil
}

// replay applies the logs that continue s. The last one stays open.
func (l *single) replay(s *state, logs []uint64) (*state, error) {
	start := 0
	for i, index := range logs {
		if index <= s.at.index {
			start = i
		}
	}
	for i, index := range logs[start:] {
		last := start+i == len(logs)-1
		if index > s.at.index {
			return nil, &CorruptError{logName(l.dir, index), 16, fmt.Sprintf("entries %d to %d are missing", s.at.index+1, index)}
		}
		next, err := l.replayFile(s, index, last)
		if err != nil {
			return nil, err
		}
		s = next
	}
	if len(logs) == 0 && s.at.index != 0 {
		// A snapshot is followed by its log; only a crash between the two, whose
		// log before is still there, leaves it alone.
		return nil, &CorruptError{snapshotName(l.dir, s.at.index), 0, "the log is missing"}
	}
	return s, nil
}

// replayFile applies the entries of one log that are after s.
func (l *single) replayFile(s *state, index uint64, last bool) (*state, error) {
	name := logName(l.dir, index)
	p, err := vfs.ReadFile(l.fs, name, maxLogSize)
	if err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	generation, at, err := readLogHeader(name, p)
	if err != nil {
		return nil, err
	}
	if at.index != index || at.index == s.at.index && at.hash != s.at.hash {
		return nil, &CorruptError{name, 16, "does not continue the history"}
	}
	off, n, marked := logHeaderLen, 0, true
	for off < len(p) {
		e, size, ok := readEntry(p[off:], at)
		if !ok {
			if !last || !torn(p[off:]) {
				return nil, &CorruptError{name, int64(off), fmt.Sprintf("entry %d", at.index+1)}
			}
			break
		}
		off = markOffset(off + size)
		rest := p[min(off, len(p)):]
		if marked = readMark(rest, e.index); marked {
			off += markLen
		} else if len(rest) > 0 && !(last && torn(rest)) {
			// The mark itself went bad; what follows must be an entry.
			off += markLen
		}
		n++
		at = position{e.index, e.hash}
		if e.index <= s.at.index {
			if e.index == s.at.index && e.hash != s.at.hash {
				return nil, &CorruptError{name, int64(off), "differs from the snapshot"}
			}
			continue
		}
		if s, err = s.apply(&e, generation); err != nil {
			return nil, fmt.Errorf("metadata: %s: entry %d: %w", name, e.index, err)
		}
	}
	if last {
		err = l.openTail(name, off, n, marked, at.index)
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
func (l *single) openTail(name string, off, n int, marked bool, index uint64) error {
	f, err := l.fs.OpenRW(name, vfs.OpenOptions{})
	if err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	l.file, l.size, l.entries = f, int64(off), n
	size, err := f.Size()
	if err == nil && size > l.size {
		l.opts.Warn(fmt.Sprintf("metadata: %s: cut %d bytes of an entry that was never acknowledged", name, size-l.size))
		if err = f.Truncate(l.size); err == nil {
			err = f.Sync()
		}
	}
	if err == nil && !marked {
		err = l.write(appendMark(nil, index))
	}
	if err != nil {
		l.file = nil
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

// apply is the state after an entry.
func (s *state) apply(e *entry, generation uint16) (*state, error) {
	next := &state{generation: generation, at: position{e.index, e.hash}, schema: s.schema, members: s.members}
	switch e.kind {
	case kindSchema:
		c, err := schema.DecodeChange(e.payload)
		if err != nil {
			return nil, err
		}
		next.schema, err = s.schema.Apply(c, next.epoch())
		return next, err
	case kindMember:
		m, err := decodeMember(e.payload)
		if err != nil {
			return nil, err
		}
		next.members = withMember(s.members, m)
		return next, nil
	}
	if e.flags&flagRequired != 0 {
		return nil, fmt.Errorf("%w: entry of kind %d", ErrUnknownFeature, e.kind)
	}
	return next, nil
}
