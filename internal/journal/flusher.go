package journal

import (
	"errors"
	"path"

	"github.com/ilion-db/ilion/internal/fail"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/vfs"
)

// run is the flusher: it writes what has been gathered until there is nothing,
// then waits.
func (j *Journal) run() {
	defer close(j.done)
	for {
		select {
		case <-j.wake:
			j.flush()
			j.cover(false)
			j.arm()
		case <-j.stop:
			j.flush()
			j.cover(true)
			j.closeFiles()
			return
		}
	}
}

// flush writes a frame for each stream that has entries until none has.
func (j *Journal) flush() {
	for {
		j.mu.Lock()
		if len(j.dirty) == 0 {
			j.mu.Unlock()
			return
		}
		s := j.dirty[0]
		j.dirty = j.dirty[1:]
		b := s.open
		s.open, s.writing = nil, true
		j.mu.Unlock()
		j.write(s, b)
	}
}

// write makes the buffer's entries durable as one frame and tells the waiters.
// The stream is marked as being written.
func (j *Journal) write(s *stream, b *buffer) {
	bytes := int64(len(b.mem) - frameHeaderSize)
	if fail.Mutant("journal-ack-before-sync") {
		for _, w := range b.waiters {
			tell(w, Position{}, nil)
		}
		clear(b.waiters)
	}
	at, err := j.append(s, b)
	j.mu.Lock()
	j.pending -= bytes // who is told may count on the room
	j.mu.Unlock()
	for i, w := range b.waiters {
		at.Index = i
		tell(w, at, err)
	}
	j.mu.Lock()
	j.recycle(b)
	j.mu.Unlock()
}

func tell(w Waiter, at Position, err error) {
	if w != nil {
		w.Appended(at, err)
	}
}

// append writes the frame and takes the mark of writing off the stream.
func (j *Journal) append(s *stream, b *buffer) (Position, error) {
	g, err := j.current(s)
	if err == nil {
		f := frame{segment: g.number, number: s.number, stream: s.id, length: uint32(len(b.mem)), entries: uint32(len(b.waiters))}
		f.encode(b.mem)
		invariant.Check(g.end%sectorSize == 0 && len(b.mem) <= maxFrame, "journal: frame of %d bytes is written at %d", len(b.mem), g.end)
		n := len(b.mem)
		b.mem = append(b.mem, make([]byte, pad(int64(n))-int64(n))...)
		err = writeSync(s.file, b.mem, g.end)
	}
	now := j.o.Clock.Mono()
	j.mu.Lock()
	s.writing, s.written = false, now
	if err != nil {
		// What the kernel makes of this file from here on is not known: it is
		// not written again.
		file := s.retire()
		j.mu.Unlock()
		closeFile(file)
		return Position{}, classify(err)
	}
	defer j.mu.Unlock()
	at := Position{Segment: g.number, Offset: g.end}
	g.end += int64(len(b.mem))
	j.files += int64(len(b.mem))
	s.number++
	s.covered = len(b.waiters) == 0
	if !s.covered {
		g.data = g.end
	}
	return at, nil
}

func writeSync(f vfs.File, p []byte, off int64) error {
	if err := fail.Point("journal/write"); err != nil {
		return err
	}
	if _, err := f.WriteAt(p, off); err != nil {
		return err
	}
	if err := fail.Point("journal/sync"); err != nil {
		return err
	}
	return f.SyncData()
}

// retire ends appending to the stream's file, which the caller closes without
// the lock. Journal.mu is held.
func (s *stream) retire() vfs.File {
	file := s.file
	s.file, s.covered = nil, true
	return file
}

// closeFile closes the file, if there is one. The outcome changes nothing: what
// was acknowledged has been synced.
func closeFile(f vfs.File) {
	if f != nil {
		_ = f.Close()
	}
}

// current returns the segment to append to, a new one if there is none or it
// is full. The flusher alone calls it, while the stream is marked as written.
func (j *Journal) current(s *stream) (*segment, error) {
	j.mu.Lock()
	if s.file != nil {
		g := s.segments[len(s.segments)-1]
		if g.end < j.o.SegmentBytes {
			j.mu.Unlock()
			return g, nil
		}
	}
	full := s.retire()
	s.last++
	h := header{magic: j.o.Magic, version: formatVersion, segment: s.last, first: s.number, stream: s.id}
	j.mu.Unlock()
	closeFile(full)
	f, err := j.create(&h)
	if err != nil {
		return nil, err
	}
	g := &segment{number: h.segment, end: dataStart}
	j.mu.Lock()
	defer j.mu.Unlock()
	s.file = f
	s.segments = append(s.segments, g)
	j.files += dataStart
	return g, nil
}

// create makes a segment's file: its name appears when its header is durable.
func (j *Journal) create(h *header) (f vfs.File, err error) {
	name := path.Join(j.o.Dir, segmentName(h.stream, h.segment))
	f, err = j.o.FS.Create(name+newSuffix, vfs.OpenOptions{})
	if err != nil {
		return nil, err
	}
	page := h.encode()
	page = append(page, page...)
	if _, err = f.WriteAt(page, 0); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = j.o.FS.Rename(name+newSuffix, name)
	}
	if err == nil && !fail.Mutant("journal-skip-directory-sync") {
		err = j.o.FS.SyncDir(j.o.Dir)
	}
	if err == nil {
		return f, nil
	}
	// The first error is the one to tell. What cannot be removed is an empty
	// segment, or a name that Open removes.
	return nil, errors.Join(err, f.Close(), ignoreMissing(j.o.FS.Remove(name+newSuffix)), ignoreMissing(j.o.FS.Remove(name)))
}

func ignoreMissing(err error) error {
	if errors.Is(err, vfs.ErrNotExist) {
		return nil
	}
	return err
}

// cover writes an empty frame for each stream whose last write is a while ago
// and not vouched for; with all, for all of them.
func (j *Journal) cover(all bool) {
	now := j.o.Clock.Mono()
	j.mu.Lock()
	var due []*stream
	for _, s := range j.streams {
		if s.file != nil && !s.covered && s.open == nil && (all || now-s.written >= idleCover) {
			s.writing = true
			due = append(due, s)
		}
	}
	j.mu.Unlock()
	for _, s := range due {
		// Its failure ends the file, and the next one vouches.
		_, _ = j.append(s, &buffer{mem: make([]byte, frameHeaderSize)})
	}
}

// arm sets a timer if something is left to be covered.
func (j *Journal) arm() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.timer != nil {
		return
	}
	for _, s := range j.streams {
		if s.file != nil && !s.covered {
			j.timer = j.o.Clock.AfterFunc(idleCover, j.tick)
			return
		}
	}
}

func (j *Journal) tick() {
	j.mu.Lock()
	j.timer = nil
	j.mu.Unlock()
	signal(j.wake)
}

// closeFiles is the end of the flusher.
func (j *Journal) closeFiles() {
	j.mu.Lock()
	if j.timer != nil {
		j.timer.Stop()
	}
	var files []vfs.File
	for _, s := range j.streams {
		files = append(files, s.retire())
	}
	j.mu.Unlock()
	for _, f := range files {
		closeFile(f)
	}
}
