package wire

import (
	"encoding/binary"
	"sync"

	"github.com/pierrec/lz4/v4"
)

const (
	lz4Head  = 4
	lz4Ratio = 255 // no LZ4 block expands more
)

var compressors = sync.Pool{New: func() any { return new(lz4.Compressor) }}

// AppendCompressed appends the compressed form of a body: its length as u32
// and one LZ4 block. It appends nothing and returns false if that would not be
// smaller by an eighth.
func AppendCompressed(dst, body []byte) ([]byte, bool) {
	start := len(dst)
	room := len(body) - len(body)/8 - lz4Head
	if room <= 0 || len(body) > MaxBody {
		return dst, false
	}
	dst = appendU32(dst, uint32(len(body)))
	if cap(dst)-len(dst) < room {
		dst = append(make([]byte, 0, len(dst)+room), dst...)
	}
	c := compressors.Get().(*lz4.Compressor)
	n, err := c.CompressBlock(body, dst[len(dst):len(dst)+room])
	compressors.Put(c)
	if err != nil || n == 0 {
		return dst[:start], false
	}
	return dst[:len(dst)+n], true
}

// DecompressedSize is the length of the body that a compressed one holds, or
// an error if it cannot be true.
func DecompressedSize(b []byte) (int, error) {
	if len(b) < lz4Head {
		return 0, corrupt("compressed body", "%d bytes", len(b))
	}
	n := binary.LittleEndian.Uint32(b)
	if n > MaxBody || int(n) > (len(b)-lz4Head)*lz4Ratio {
		return 0, corrupt("compressed body", "%d bytes are said to hold %d", len(b), n)
	}
	return int(n), nil
}

// Decompress decompresses a body into dst, whose length is its
// DecompressedSize.
func Decompress(dst, b []byte) error {
	n, err := lz4.UncompressBlock(b[lz4Head:], dst)
	if err != nil || n != len(dst) {
		return corrupt("compressed body", "%d bytes of %d: %v", n, len(dst), err)
	}
	return nil
}
