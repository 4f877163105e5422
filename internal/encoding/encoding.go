// Package encoding reads and writes the integers and byte strings of the
// project's formats. A Reader is bounds-checked: it never reads past its
// bytes, and after the first failure it yields zeros and keeps the error, so
// that a decoder checks once at its end.
package encoding

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// ErrShort is the error of a Reader that was asked for more than there is.
var ErrShort = errors.New("encoding: input ends too early")

// ErrVarint is the error of a varint longer than 10 bytes.
var ErrVarint = errors.New("encoding: malformed varint")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// CRC32C is the Castagnoli checksum of p.
func CRC32C(p []byte) uint32 { return crc32.Checksum(p, castagnoli) }

// UpdateCRC32C continues a checksum with p.
func UpdateCRC32C(crc uint32, p []byte) uint32 { return crc32.Update(crc, castagnoli, p) }

// Zigzag maps small signed numbers to small unsigned ones; Unzigzag back.
func Zigzag(v int64) uint64 { return uint64(v<<1) ^ uint64(v>>63) }

// Unzigzag is the inverse of Zigzag.
func Unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// AppendUvarint appends v in 7-bit groups, least significant first.
func AppendUvarint(dst []byte, v uint64) []byte { return binary.AppendUvarint(dst, v) }

// AppendBytes appends a uvarint length and p.
func AppendBytes(dst, p []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(p)))
	return append(dst, p...)
}

// AppendString appends a uvarint length and s.
func AppendString(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// Reader decodes from a byte slice. Byte strings it returns alias the slice.
type Reader struct {
	b   []byte
	off int
	err error
}

// NewReader returns a reader of b.
func NewReader(b []byte) Reader { return Reader{b: b} }

// Err is the first error, or nil.
func (r *Reader) Err() error { return r.err }

// Len is the number of bytes left.
func (r *Reader) Len() int { return len(r.b) - r.off }

// Offset is the number of bytes read.
func (r *Reader) Offset() int { return r.off }

// Rest returns what is left without consuming it.
func (r *Reader) Rest() []byte { return r.b[r.off:] }

// Fail records err unless there is an error already.
func (r *Reader) Fail(err error) {
	if r.err == nil {
		r.err = err
		r.off = len(r.b)
	}
}

// Take returns the next n bytes, or nil and sets the error.
func (r *Reader) Take(n int) []byte {
	if n < 0 || n > len(r.b)-r.off {
		r.Fail(ErrShort)
		return nil
	}
	p := r.b[r.off : r.off+n : r.off+n]
	r.off += n
	return p
}

// U8 reads one byte.
func (r *Reader) U8() uint8 {
	if p := r.Take(1); p != nil {
		return p[0]
	}
	return 0
}

// U16 reads 2 bytes, little-endian.
func (r *Reader) U16() uint16 {
	if p := r.Take(2); p != nil {
		return binary.LittleEndian.Uint16(p)
	}
	return 0
}

// U32 reads 4 bytes, little-endian.
func (r *Reader) U32() uint32 {
	if p := r.Take(4); p != nil {
		return binary.LittleEndian.Uint32(p)
	}
	return 0
}

// U64 reads 8 bytes, little-endian.
func (r *Reader) U64() uint64 {
	if p := r.Take(8); p != nil {
		return binary.LittleEndian.Uint64(p)
	}
	return 0
}

// Uvarint reads an unsigned varint.
func (r *Reader) Uvarint() uint64 {
	v, n := binary.Uvarint(r.b[r.off:])
	if n <= 0 {
		if n == 0 {
			r.Fail(ErrShort)
		} else {
			r.Fail(ErrVarint)
		}
		return 0
	}
	r.off += n
	return v
}

// Varint reads a zigzag varint.
func (r *Reader) Varint() int64 { return Unzigzag(r.Uvarint()) }

// Bytes reads a uvarint length and that many bytes, aliasing the input.
func (r *Reader) Bytes() []byte {
	n := r.Uvarint()
	if n > uint64(r.Len()) {
		r.Fail(ErrShort)
		return nil
	}
	return r.Take(int(n))
}

// String reads a uvarint length and that many bytes as a string.
func (r *Reader) String() string { return string(r.Bytes()) }
