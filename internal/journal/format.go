package journal

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/ilion-db/ilion/internal/encoding"
)

// Numbers on disk. Append only: a released number never changes its meaning.
const (
	formatVersion = 1

	sectorSize = 512
	// dataStart is where frames begin: after two copies of the header.
	dataStart = 2 * sectorSize

	frameMagic      = 0x314a4c49 // "ILJ1" in file order
	frameHeaderSize = 48

	// MaxEntry bounds the bytes of one entry: the largest batch there is, and
	// some.
	MaxEntry = 20 << 20
	// maxPending bounds Options.PendingBytes, and so what a frame gathers.
	maxPending = 16 << 20
	// maxFrame bounds a frame for readers.
	maxFrame = frameHeaderSize + maxPending + MaxEntry + binary.MaxVarintLen64
	// maxSegment bounds what Open reads of one file.
	maxSegment = maxSegmentSize + 2*maxFrame

	// knownFeatures are the required features that this version understands.
	knownFeatures = 0

	segmentSuffix = ".seg"
	newSuffix     = ".new"
)

// Position is the place of an entry in its stream.
type Position struct {
	Segment uint64
	Offset  int64 // of the frame in the file
	Index   int   // of the entry in the frame
}

// header is what a segment begins with.
type header struct {
	magic    [8]byte
	version  uint16
	required uint64
	segment  uint64
	first    uint64 // number of the first frame
	stream   [16]byte
}

func (h *header) encode() []byte {
	p := make([]byte, sectorSize)
	copy(p, h.magic[:])
	binary.LittleEndian.PutUint16(p[12:], h.version)
	binary.LittleEndian.PutUint64(p[16:], h.required)
	binary.LittleEndian.PutUint64(p[32:], h.segment)
	binary.LittleEndian.PutUint64(p[40:], h.first)
	copy(p[48:], h.stream[:])
	binary.LittleEndian.PutUint32(p[8:], encoding.CRC32C(p[12:]))
	return p
}

// decodeHeader reads the first of two copies that is whole.
func decodeHeader(b []byte) (h header, ok bool) {
	for off := 0; off < dataStart && off+sectorSize <= len(b); off += sectorSize {
		p := b[off : off+sectorSize]
		if binary.LittleEndian.Uint32(p[8:]) != encoding.CRC32C(p[12:]) {
			continue
		}
		copy(h.magic[:], p)
		h.version = binary.LittleEndian.Uint16(p[12:])
		h.required = binary.LittleEndian.Uint64(p[16:])
		h.segment = binary.LittleEndian.Uint64(p[32:])
		h.first = binary.LittleEndian.Uint64(p[40:])
		copy(h.stream[:], p[48:])
		return h, true
	}
	return h, false
}

// frame is the header of one.
type frame struct {
	segment, number uint64
	stream          [16]byte
	length, entries uint32
}

// encode writes the header into p, which is the whole frame without padding.
func (f *frame) encode(p []byte) {
	binary.LittleEndian.PutUint32(p, frameMagic)
	binary.LittleEndian.PutUint64(p[8:], f.segment)
	binary.LittleEndian.PutUint64(p[16:], f.number)
	copy(p[24:40], f.stream[:])
	binary.LittleEndian.PutUint32(p[40:], f.length)
	binary.LittleEndian.PutUint32(p[44:], f.entries)
	binary.LittleEndian.PutUint32(p[4:], encoding.CRC32C(p[8:f.length]))
}

// decodeFrameHeader reads what the first bytes of a frame say, unverified but
// for the magic and a possible length.
func decodeFrameHeader(p []byte) (f frame, ok bool) {
	if len(p) < frameHeaderSize || binary.LittleEndian.Uint32(p) != frameMagic {
		return f, false
	}
	f.segment = binary.LittleEndian.Uint64(p[8:])
	f.number = binary.LittleEndian.Uint64(p[16:])
	copy(f.stream[:], p[24:])
	f.length = binary.LittleEndian.Uint32(p[40:])
	f.entries = binary.LittleEndian.Uint32(p[44:])
	return f, f.length >= frameHeaderSize && f.length <= maxFrame
}

// decodeFrame reads a frame of the segment at the start of p and reports
// whether it is intact.
func decodeFrame(p []byte, stream [16]byte, segment uint64) (f frame, ok bool) {
	f, ok = decodeFrameHeader(p)
	if !ok || f.stream != stream || f.segment != segment || int(f.length) > len(p) {
		return f, false
	}
	p = p[:f.length]
	return f, binary.LittleEndian.Uint32(p[4:]) == encoding.CRC32C(p[8:]) && countEntries(p[frameHeaderSize:]) == int(f.entries)
}

// countEntries returns how many entries p holds, or -1 if it is not made of
// entries.
func countEntries(p []byte) int {
	r := encoding.NewReader(p)
	n := 0
	for ; r.Len() > 0; n++ {
		r.Bytes()
	}
	if r.Err() != nil {
		return -1
	}
	return n
}

// pad is n rounded up to whole sectors.
func pad(n int64) int64 { return (n + sectorSize - 1) &^ (sectorSize - 1) }

func segmentName(stream [16]byte, number uint64) string {
	return fmt.Sprintf("%x-%016x%s", stream, number, segmentSuffix)
}

func parseSegmentName(name string) (stream [16]byte, number uint64, ok bool) {
	base, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok || len(base) != 32+1+16 || base[32] != '-' {
		return stream, 0, false
	}
	if _, err := hex.Decode(stream[:], []byte(base[:32])); err != nil {
		return stream, 0, false
	}
	number, err := strconv.ParseUint(base[33:], 16, 64)
	return stream, number, err == nil && segmentName(stream, number) == name
}
