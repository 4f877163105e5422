package metadata

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ilion-db/ilion/internal/encoding"
)

const (
	formatVersion = 1

	logMagic      = "ILIONMLG"
	snapshotMagic = "ILIONMSN"
	identityMagic = "ILIONIDT"
	markMagic     = "ILIONMRK"

	logHeaderLen   = 64
	entryHeaderLen = 72
	markLen        = 20
	sectorLen      = 512
	snapshotFixed  = 56

	// maxPayload bounds an entry, maxLogSize and maxSnapshot what a reader
	// takes into memory.
	maxPayload  = 16 << 20
	maxLogSize  = 1 << 30
	maxSnapshot = 1 << 30
)

// Errors that callers compare with errors.Is.
var (
	// ErrCorrupt is wrapped by a *CorruptError.
	ErrCorrupt = errors.New("metadata: corrupt")
	// ErrUnknownFeature means that a newer version wrote the file.
	ErrUnknownFeature = errors.New("metadata: written by a newer version")
	// ErrClosed is the answer after Close.
	ErrClosed = errors.New("metadata: log is closed")
	// ErrStopped is wrapped by the answer after a failed write or sync.
	ErrStopped = errors.New("metadata: log has stopped after a failed write")
)

// CorruptError says where bytes are not what was written.
type CorruptError struct {
	File   string
	Offset int64
	What   string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("metadata: %s at offset %d: %s", e.File, e.Offset, e.What)
}

// Unwrap makes errors.Is(err, ErrCorrupt) true.
func (e *CorruptError) Unwrap() error { return ErrCorrupt }

// Kinds of entries. On disk, never renumber.
const (
	kindSchema  uint16 = 1
	kindMember  uint16 = 2
	kindCommand uint16 = 3

	flagRequired uint16 = 1
)

type chainHash [32]byte

// position is a place in the history: everything up to index.
type position struct {
	index uint64
	hash  chainHash
}

// contradicts tells whether two histories have another entry at the same place.
func (p position) contradicts(other position) bool {
	return p.index == other.index && p.hash != other.hash
}

type entry struct {
	index    uint64
	kind     uint16
	flags    uint16
	proposer [16]byte
	hash     chainHash
	payload  []byte
}

// appendEntry appends the entry, chained behind prev, and returns its hash.
func appendEntry(dst []byte, e *entry, prev chainHash) ([]byte, chainHash) {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(e.payload)))
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.LittleEndian.AppendUint64(dst, e.index)
	dst = binary.LittleEndian.AppendUint16(dst, e.kind)
	dst = binary.LittleEndian.AppendUint16(dst, e.flags)
	dst = append(dst, 0, 0, 0, 0)
	dst = append(dst, e.proposer[:]...)
	hash := chain(prev, dst[start+8:start+40], e.payload)
	dst = append(dst, hash[:]...)
	dst = append(dst, e.payload...)
	binary.LittleEndian.PutUint32(dst[start+4:], entryCRC(dst[start:]))
	return dst, hash
}

func entryCRC(p []byte) uint32 {
	return encoding.UpdateCRC32C(encoding.CRC32C(p[:4]), p[8:])
}

func chain(prev chainHash, head, payload []byte) (h chainHash) {
	s := sha256.New()
	s.Write(prev[:])
	s.Write(head)
	s.Write(payload)
	return chainHash(s.Sum(nil))
}

// readEntry decodes the entry at the start of p; size is its length without
// the mark. The payload aliases p. Ok is false for bytes that are no entry.
func readEntry(p []byte, prev position) (e entry, size int, ok bool) {
	if len(p) < entryHeaderLen {
		return e, 0, false
	}
	n := binary.LittleEndian.Uint32(p)
	if n > maxPayload || int(n) > len(p)-entryHeaderLen {
		return e, 0, false
	}
	size = entryHeaderLen + int(n)
	p = p[:size]
	if binary.LittleEndian.Uint32(p[4:]) != entryCRC(p) {
		return e, 0, false
	}
	e = entry{
		index:   binary.LittleEndian.Uint64(p[8:]),
		kind:    binary.LittleEndian.Uint16(p[16:]),
		flags:   binary.LittleEndian.Uint16(p[18:]),
		payload: p[entryHeaderLen:],
	}
	copy(e.proposer[:], p[24:])
	copy(e.hash[:], p[40:])
	return e, size, e.index == prev.index+1 && e.hash == chain(prev.hash, p[8:40], e.payload)
}

// markOffset is the place in the file of the mark of an entry that ends at
// end: no sector holds parts of both, so that what spoils the one spares the
// other.
func markOffset(end int) int { return (end + sectorLen - 1) &^ (sectorLen - 1) }

func appendMark(dst []byte, index uint64) []byte {
	start := len(dst)
	dst = append(dst, markMagic...)
	dst = binary.LittleEndian.AppendUint64(dst, index)
	return binary.LittleEndian.AppendUint32(dst, encoding.CRC32C(dst[start:]))
}

// readMark tells whether p starts with the mark of the index; of any one if
// index is 0.
func readMark(p []byte, index uint64) bool {
	if len(p) < markLen || string(p[:8]) != markMagic {
		return false
	}
	i := binary.LittleEndian.Uint64(p[8:])
	return (index == 0 || i == index) && binary.LittleEndian.Uint32(p[16:]) == encoding.CRC32C(p[:16])
}

// appendHead appends what log and snapshot files start with.
func appendHead(dst []byte, magic string, generation uint16, at position) []byte {
	dst = append(dst, magic...)
	dst = binary.LittleEndian.AppendUint16(dst, formatVersion)
	dst = binary.LittleEndian.AppendUint16(dst, 0)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(generation))
	dst = binary.LittleEndian.AppendUint64(dst, at.index)
	return append(dst, at.hash[:]...)
}

func appendLogHeader(dst []byte, generation uint16, at position) []byte {
	start := len(dst)
	dst = append(appendHead(dst, logMagic, generation, at), 0, 0, 0, 0)
	return binary.LittleEndian.AppendUint32(dst, encoding.CRC32C(dst[start:]))
}

func readLogHeader(file string, p []byte) (generation uint16, at position, err error) {
	if len(p) < logHeaderLen || string(p[:8]) != logMagic {
		return 0, at, &CorruptError{file, 0, "not a metadata log"}
	}
	if encoding.CRC32C(p[:60]) != binary.LittleEndian.Uint32(p[60:]) {
		return 0, at, &CorruptError{file, 0, "checksum of the header"}
	}
	generation, at, _, err = readHead(file, p, formatVersion)
	return generation, at, err
}

// readHead decodes a head whose checksum is right, of a version up to newest.
func readHead(file string, p []byte, newest uint16) (generation uint16, at position, version uint16, err error) {
	version = binary.LittleEndian.Uint16(p[8:])
	if version == 0 || version > newest {
		return 0, at, 0, fmt.Errorf("%w: %s has version %d", ErrUnknownFeature, file, version)
	}
	if f := binary.LittleEndian.Uint16(p[10:]); f != 0 {
		return 0, at, 0, fmt.Errorf("%w: %s needs features %#x", ErrUnknownFeature, file, f)
	}
	at.index = binary.LittleEndian.Uint64(p[16:])
	copy(at.hash[:], p[24:])
	return uint16(binary.LittleEndian.Uint32(p[12:])), at, version, nil
}
