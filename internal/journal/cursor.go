package journal

import (
	"fmt"
	"io"
	"path"

	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/internal/vfs"
)

// Cursor reads a stream in order, and goes on as it grows. It belongs to one
// goroutine.
type Cursor struct {
	j      *Journal
	stream [16]byte

	at      Position // of the next entry
	after   int64    // offset of the next frame, while entries are left in this one
	entries encoding.Reader

	file   vfs.File
	opened uint64 // number of the segment that file is
}

// Cursor returns a cursor whose first entry is the one at from, or the first
// after it. The zero position is the stream's start.
func (j *Journal) Cursor(stream [16]byte, from Position) *Cursor {
	return &Cursor{j: j, stream: stream, at: from}
}

// Next returns the next entry and its position. The entry stays valid, also
// after later calls. io.EOF means that there is none yet. A *Damage tells what
// was passed over; the next call goes on behind it. After another error the
// same is tried again by the next call.
func (c *Cursor) Next() ([]byte, Position, error) {
	for c.entries.Len() == 0 {
		if err := c.load(); err != nil {
			return nil, c.at, err
		}
	}
	at := c.at
	entry := c.entries.Bytes()
	c.advance()
	return entry, at, nil
}

// advance goes to the entry after the one just read.
func (c *Cursor) advance() {
	c.at.Index++
	if c.entries.Len() == 0 {
		c.at.Offset, c.at.Index = c.after, 0
	}
}

// Position is that of the next entry, or where it will be.
func (c *Cursor) Position() Position { return c.at }

// Seek goes to another position of the stream.
func (c *Cursor) Seek(at Position) {
	c.at, c.entries = at, encoding.Reader{}
}

// SkipSegment leaves out what is left of the segment that the cursor is in.
func (c *Cursor) SkipSegment() {
	c.Seek(Position{Segment: c.at.Segment + 1})
}

// Close closes the cursor's file. The cursor may go on: it opens it again.
func (c *Cursor) Close() {
	closeFile(c.file)
	c.file = nil
}

// place finds the segment that the cursor's position is in and its durable end.
func (c *Cursor) place() (end int64, ok bool) {
	c.j.mu.Lock()
	defer c.j.mu.Unlock()
	s := c.j.streams[c.stream]
	if s == nil {
		return 0, false
	}
	for _, g := range s.segments {
		if g.number > c.at.Segment {
			c.at = Position{Segment: g.number}
		}
		if g.number < c.at.Segment {
			continue
		}
		c.at.Offset = max(c.at.Offset, dataStart)
		if c.at.Offset < g.end {
			return g.end, true
		}
	}
	return 0, false
}

// load reads the next frame.
func (c *Cursor) load() error {
	end, ok := c.place()
	if !ok {
		c.Close()
		return io.EOF
	}
	if err := c.open(); err != nil {
		return err
	}
	head := make([]byte, frameHeaderSize)
	if _, err := c.file.ReadAt(head, c.at.Offset); err != nil {
		return fmt.Errorf("journal: read: %w", err)
	}
	f, ok := decodeFrameHeader(head)
	if !ok || int64(f.length) > end-c.at.Offset {
		return c.damaged(end)
	}
	b := make([]byte, f.length)
	if _, err := c.file.ReadAt(b, c.at.Offset); err != nil {
		return fmt.Errorf("journal: read: %w", err)
	}
	if f, ok = decodeFrame(b, c.stream, c.at.Segment); !ok {
		return c.damaged(end)
	}
	c.entries = encoding.NewReader(b[frameHeaderSize:])
	c.after = c.at.Offset + pad(int64(f.length))
	for i := 0; i < c.at.Index && c.entries.Len() > 0; i++ {
		c.entries.Bytes()
	}
	if c.entries.Len() == 0 {
		c.at.Offset, c.at.Index = c.after, 0
	}
	return nil
}

// open makes file that of the position.
func (c *Cursor) open() error {
	if c.file != nil && c.opened == c.at.Segment {
		return nil
	}
	c.Close()
	f, err := c.j.o.FS.Open(c.name(), vfs.OpenOptions{})
	if err != nil {
		return fmt.Errorf("journal: read: %w", err)
	}
	c.file, c.opened = f, c.at.Segment
	return nil
}

func (c *Cursor) name() string { return path.Join(c.j.o.Dir, segmentName(c.stream, c.at.Segment)) }

// damaged goes to the next intact frame of the file, or behind the segment's
// end, and returns what lies between.
func (c *Cursor) damaged(end int64) error {
	b := make([]byte, end-c.at.Offset)
	if _, err := c.file.ReadAt(b, c.at.Offset); err != nil {
		return fmt.Errorf("journal: read: %w", err)
	}
	next := nextFrame(b, sectorSize, c.stream, c.at.Segment, 0)
	if next < 0 {
		next = int64(len(b))
	}
	d := &Damage{Stream: c.stream, Segment: c.at.Segment, File: c.name(), Offset: c.at.Offset, Length: next, Detail: "damaged frame"}
	c.at.Offset, c.at.Index = c.at.Offset+next, 0
	return d
}
