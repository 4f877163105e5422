package commitlog

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/internal/vfs"
)

// Numbers on disk. Append only: a released number never changes its meaning.
const (
	// FormatVersion is the version of segments that this package writes.
	FormatVersion = 1

	segmentMagic = "ILIONLOG"
	frameMagic   = 0x31464c49 // "ILF1" in file order

	pageSize = vfs.DirectAlign
	// dataStart is where frames begin: after two copies of the header page.
	dataStart = 2 * pageSize

	frameHeaderSize = 56
	// maxFrame bounds the bytes of one frame for writers and readers.
	maxFrame = 32 << 20
	// maxSegment bounds a segment, so that offsets fit and a wrong size is refused.
	maxSegment = 1 << 30

	// knownFeatures are the required features that this version understands.
	knownFeatures = 0

	segmentSuffix  = ".log"
	setAsideSuffix = ".set-aside"
)

// header is the first page of a segment, written twice.
type header struct {
	version     uint16
	lane        uint16
	required    uint64 // features a reader must know
	optional    uint64 // features a reader may ignore
	incarnation uint64 // random, new on every use of the file
	uses        uint64 // how often the file has been used; the higher copy is the newer
	size        uint64 // bytes of the file
}

func (h *header) encode(page []byte) {
	clear(page[:pageSize])
	copy(page, segmentMagic)
	binary.LittleEndian.PutUint16(page[12:], h.version)
	binary.LittleEndian.PutUint16(page[14:], h.lane)
	binary.LittleEndian.PutUint64(page[16:], h.required)
	binary.LittleEndian.PutUint64(page[24:], h.optional)
	binary.LittleEndian.PutUint64(page[32:], h.incarnation)
	binary.LittleEndian.PutUint64(page[40:], h.uses)
	binary.LittleEndian.PutUint64(page[48:], h.size)
	binary.LittleEndian.PutUint32(page[8:], encoding.CRC32C(page[12:pageSize]))
}

// decodeHeader reads one copy and reports whether it is whole. It does not
// judge the version and the features.
func decodeHeader(page []byte) (h header, ok bool) {
	if len(page) < pageSize || string(page[:8]) != segmentMagic {
		return h, false
	}
	if binary.LittleEndian.Uint32(page[8:]) != encoding.CRC32C(page[12:pageSize]) {
		return h, false
	}
	r := encoding.NewReader(page[12:pageSize])
	h.version = r.U16()
	h.lane = r.U16()
	h.required = r.U64()
	h.optional = r.U64()
	h.incarnation = r.U64()
	h.uses = r.U64()
	h.size = r.U64()
	return h, true
}

// check refuses what a newer version wrote.
func (h *header) check(file string) error {
	if h.version > FormatVersion {
		return &UnsupportedError{File: file, Detail: fmt.Sprintf("format version %d, newest known is %d", h.version, FormatVersion)}
	}
	if unknown := h.required &^ knownFeatures; unknown != 0 {
		return &UnsupportedError{File: file, Detail: fmt.Sprintf("required features %#x are unknown", unknown)}
	}
	return nil
}

// frame is the header of a frame.
type frame struct {
	incarnation uint64
	segment     uint64
	number      uint64 // counts the lane's frames from 1, across segments and restarts
	synced      uint64 // the lane's frames up to this number were durable when this one was written
	length      uint32 // header and records, without padding
	records     uint32
	lane        uint16
}

// encode fills the header of the frame that b holds, b being the whole frame
// without padding, and seals it with its checksum.
func (f *frame) encode(b []byte) {
	binary.LittleEndian.PutUint32(b[0:], frameMagic)
	binary.LittleEndian.PutUint64(b[8:], f.incarnation)
	binary.LittleEndian.PutUint64(b[16:], f.segment)
	binary.LittleEndian.PutUint64(b[24:], f.number)
	binary.LittleEndian.PutUint64(b[32:], f.synced)
	binary.LittleEndian.PutUint32(b[40:], f.length)
	binary.LittleEndian.PutUint32(b[44:], f.records)
	binary.LittleEndian.PutUint16(b[48:], f.lane)
	clear(b[50:frameHeaderSize])
	binary.LittleEndian.PutUint32(b[4:], encoding.CRC32C(b[8:f.length]))
}

// decodeFrame reads a header whose bytes may be anything; ok tells only that
// the magic is there and the length possible. The caller checks the checksum.
func decodeFrame(b []byte) (f frame, ok bool) {
	if len(b) < frameHeaderSize || binary.LittleEndian.Uint32(b) != frameMagic {
		return f, false
	}
	f.incarnation = binary.LittleEndian.Uint64(b[8:])
	f.segment = binary.LittleEndian.Uint64(b[16:])
	f.number = binary.LittleEndian.Uint64(b[24:])
	f.synced = binary.LittleEndian.Uint64(b[32:])
	f.length = binary.LittleEndian.Uint32(b[40:])
	f.records = binary.LittleEndian.Uint32(b[44:])
	f.lane = binary.LittleEndian.Uint16(b[48:])
	return f, f.length >= frameHeaderSize && f.length <= maxFrame
}

// frameIntact checks the checksum of a frame that b begins with.
func frameIntact(b []byte) bool {
	length := binary.LittleEndian.Uint32(b[40:])
	return binary.LittleEndian.Uint32(b[4:]) == encoding.CRC32C(b[8:length])
}

// pad rounds n up to whole pages.
func pad(n int) int { return (n + pageSize - 1) &^ (pageSize - 1) }

// uvarintLen is the length of v as a uvarint.
func uvarintLen(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}

func segmentName(slot uint32) string { return fmt.Sprintf("%08d%s", slot, segmentSuffix) }

// parseSegmentName is the inverse of segmentName; other names are not ours.
func parseSegmentName(name string) (slot uint32, ok bool) {
	digits, found := strings.CutSuffix(name, segmentSuffix)
	if !found || len(digits) < 8 {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || segmentName(uint32(n)) != name {
		return 0, false
	}
	return uint32(n), true
}
