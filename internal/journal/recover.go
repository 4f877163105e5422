package journal

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/internal/vfs"
)

// recover shows the visitor what the directory holds, removes what is below
// Start and what a crash left of files that were being made.
func (j *Journal) recover(v Visitor) error {
	names, err := j.o.FS.List(j.o.Dir)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	found := map[[16]byte][]uint64{}
	removed := false
	for _, name := range names {
		id, number, ok := parseSegmentName(name)
		if old := ok && number < j.o.Start[id].Segment; old || strings.HasSuffix(name, segmentSuffix+newSuffix) {
			if err := j.o.FS.Remove(path.Join(j.o.Dir, name)); err != nil {
				return fmt.Errorf("journal: %w", err)
			}
			removed = true
		} else if ok {
			found[id] = append(found[id], number)
		}
	}
	if removed {
		if err := j.o.FS.SyncDir(j.o.Dir); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
	}
	ids := make([][16]byte, 0, len(found))
	for id := range found {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) })
	for _, id := range ids {
		if err := j.recoverStream(id, found[id], v); err != nil {
			return err
		}
	}
	return nil
}

// scanned is what a segment's file holds.
type scanned struct {
	file string
	segment
	header header
	intact bool  // the header
	tail   int64 // bytes after end, not frames
	last   uint64
}

// recoverStream reads the segments of one stream in order.
func (j *Journal) recoverStream(id [16]byte, numbers []uint64, v Visitor) error {
	s := j.stream(id)
	slices.Sort(numbers)
	var prev *scanned
	for _, number := range numbers {
		file := path.Join(j.o.Dir, segmentName(id, number))
		b, err := vfs.ReadFile(j.o.FS, file, maxSegment)
		if err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		g := &scanned{file: file, segment: segment{number: number, end: dataStart}}
		if err := j.readHeader(g, id, b); err != nil {
			return err
		}
		expect := s.number
		if g.intact {
			expect = g.header.first
			if prev != nil && s.number < expect {
				// The header vouches for frames that are not there.
				v.Damage(&Damage{Stream: id, Segment: prev.number, File: prev.file, Offset: prev.end, Length: prev.tail,
					Detail: fmt.Sprintf("frames %d to %d are missing", s.number, expect-1)})
			}
			s.number = max(s.number, expect)
		} else {
			v.Damage(&Damage{Stream: id, Segment: number, File: file, Length: dataStart, Detail: "both copies of the header are damaged"})
		}
		g.scan(id, b, expect, v)
		s.number = max(s.number, g.last+1)
		s.last = max(s.last, number)
		s.segments = append(s.segments, &segment{number: number, end: g.end, data: g.data})
		j.files += g.end
		prev = g
	}
	return nil
}

// readHeader checks the header against the file's name and refuses a newer
// format by name.
func (j *Journal) readHeader(g *scanned, id [16]byte, b []byte) error {
	h, ok := decodeHeader(b)
	g.header = h
	if !ok || h.magic != j.o.Magic || h.stream != id || h.segment != g.number {
		return nil
	}
	g.intact = true
	if h.version != formatVersion || h.required&^knownFeatures != 0 {
		return fmt.Errorf("%w: %s has format version %d and required features %#x", ErrUnsupported, g.file, h.version, h.required)
	}
	return nil
}

// scan visits the frames of a file of which expect is to be the first.
func (g *scanned) scan(id [16]byte, b []byte, expect uint64, v Visitor) {
	for off := int64(dataStart); off < int64(len(b)); {
		f, ok := decodeFrame(b[off:], id, g.number)
		if !ok || f.number != expect {
			next := nextFrame(b, off, id, g.number, expect)
			if next < 0 {
				g.tail = int64(len(b)) - off
				return
			}
			v.Damage(&Damage{Stream: id, Segment: g.number, File: g.file, Offset: off, Length: next - off, Detail: "damaged or missing frame"})
			off = next
			f, _ = decodeFrameHeader(b[off:])
		}
		visitEntries(b[off+frameHeaderSize:off+int64(f.length)], func(index int, entry []byte) {
			v.Entry(id, Position{Segment: g.number, Offset: off, Index: index}, entry)
		})
		g.last, expect = f.number, f.number+1
		off += pad(int64(f.length))
		g.end = min(off, int64(len(b)))
		if f.entries > 0 {
			g.data = off
		}
	}
}

// nextFrame returns the offset at or after off of an intact frame with at
// least that number, or -1.
func nextFrame(b []byte, off int64, id [16]byte, segment, number uint64) int64 {
	for ; off+frameHeaderSize <= int64(len(b)); off += sectorSize {
		if f, ok := decodeFrame(b[off:], id, segment); ok && f.number >= number {
			return off
		}
	}
	return -1
}

// visitEntries calls f for each entry of an intact frame.
func visitEntries(p []byte, f func(index int, entry []byte)) {
	r := encoding.NewReader(p)
	for i := 0; r.Len() > 0; i++ {
		f(i, r.Bytes())
	}
}
