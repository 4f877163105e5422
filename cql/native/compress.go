package native

import (
	"slices"

	"github.com/golang/snappy"
	"github.com/pierrec/lz4/v4"
)

// Compression is an algorithm agreed on in STARTUP.
type Compression uint8

// Algorithms. Snappy is not allowed in v5.
const (
	NoCompression Compression = iota
	LZ4
	Snappy
)

// String is the name as STARTUP spells it.
func (c Compression) String() string {
	switch c {
	case LZ4:
		return "lz4"
	case Snappy:
		return "snappy"
	}
	return ""
}

// ParseCompression finds the algorithm of a STARTUP option.
func ParseCompression(name string, version uint8) (Compression, error) {
	switch {
	case name == "":
		return NoCompression, nil
	case name == "lz4":
		return LZ4, nil
	case name == "snappy" && version < V5:
		return Snappy, nil
	case name == "snappy":
		return NoCompression, Protocol("Compression type snappy is not supported in protocol v5")
	}
	return NoCompression, Protocol("Unknown compression algorithm: %s", name)
}

// maxRatio bounds what compressed bytes may declare to be before anything is
// allocated. LZ4 cannot exceed 255, Snappy stays under 22.
const maxRatio = 255

// minCompress is the body size in bytes under which compression is not tried.
const minCompress = 256

func checkDeclared(declared, in, limit int) error {
	if declared > limit && declared <= maxRatio*in {
		return Header{Length: uint32(declared)}.CheckLength(limit)
	}
	if declared < 0 || declared > limit || declared > maxRatio*in {
		return Protocol("Compressed body of %d bytes declares %d bytes", in, declared)
	}
	return nil
}

// Decompress appends the uncompressed body of a v3 or v4 frame to dst. The
// declared size is checked against limit, and the input, before it is
// believed.
func Decompress(dst, body []byte, c Compression, limit int) ([]byte, error) {
	switch c {
	case LZ4:
		if len(body) < 4 {
			return dst, Protocol("Compressed body ends too early")
		}
		declared := int(int32(be.Uint32(body)))
		if err := checkDeclared(declared, len(body)-4, limit); err != nil {
			return dst, err
		}
		return decompressLZ4(dst, body[4:], declared)
	case Snappy:
		declared, err := snappy.DecodedLen(body)
		if err != nil {
			return dst, Protocol("Malformed snappy body")
		}
		if err := checkDeclared(declared, len(body), limit); err != nil {
			return dst, err
		}
		start := len(dst)
		dst = slices.Grow(dst, declared)
		if _, err := snappy.Decode(dst[start:start+declared], body); err != nil {
			return dst[:start], Protocol("Malformed snappy body")
		}
		return dst[:start+declared], nil
	}
	return dst, Protocol("Compressed frame on a connection without compression")
}

// decompressLZ4 appends declared bytes, which the caller has checked.
func decompressLZ4(dst, block []byte, declared int) ([]byte, error) {
	if declared == 0 {
		return dst, nil
	}
	start := len(dst)
	dst = slices.Grow(dst, declared)
	n, err := lz4.UncompressBlock(block, dst[start:start+declared])
	if err != nil || n != declared {
		return dst[:start], Protocol("Malformed lz4 block")
	}
	return dst[:start+declared], nil
}

// AppendCompressedFrame appends a whole v3 or v4 frame with its body
// compressed, or as it is if that would not make it shorter.
func AppendCompressedFrame(dst, frame []byte, c Compression) []byte {
	body := frame[HeaderSize:]
	if c == NoCompression || len(body) < minCompress {
		return append(dst, frame...)
	}
	start := len(dst)
	dst = append(dst, frame[:HeaderSize]...)
	switch c {
	case LZ4:
		dst = appendU32(dst, uint32(len(body)))
		dst = appendLZ4(dst, body)
	case Snappy:
		at := len(dst)
		dst = slices.Grow(dst, snappy.MaxEncodedLen(len(body)))
		dst = dst[:at+len(snappy.Encode(dst[at:cap(dst)], body))]
	}
	if len(dst)-start >= len(frame) {
		return append(dst[:start], frame...)
	}
	dst[start+1] |= FlagCompression
	EndFrame(dst, start)
	return dst
}

// appendLZ4 appends an LZ4 block of src.
func appendLZ4(dst, src []byte) []byte {
	at := len(dst)
	dst = slices.Grow(dst, lz4.CompressBlockBound(len(src)))
	n, err := lz4.CompressBlock(src, dst[at:cap(dst)], nil)
	if err != nil || n == 0 {
		// Longer than src, so that no caller keeps it.
		return append(dst[:at], src...)
	}
	return dst[:at+n]
}
