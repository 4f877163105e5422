package sstable

import (
	"fmt"
	"sync"

	"github.com/golang/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/ilion-db/ilion/internal/invariant"
)

// Codec compresses blocks. On disk, never renumber.
type Codec uint8

// Codecs.
const (
	None   Codec = 0
	LZ4    Codec = 1
	Snappy Codec = 2
	Zstd   Codec = 3
)

// String is the codec's name.
func (c Codec) String() string {
	switch c {
	case None:
		return "none"
	case LZ4:
		return "lz4"
	case Snappy:
		return "snappy"
	case Zstd:
		return "zstd"
	}
	return fmt.Sprintf("codec(%d)", uint8(c))
}

// The zstd coders are stateless to their users and costly to make, so that the
// process shares them; both are safe for concurrent use.
var (
	zstdEncoder = sync.OnceValue(func() *zstd.Encoder {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest),
			zstd.WithEncoderConcurrency(2), zstd.WithEncoderCRC(false), zstd.WithWindowSize(128<<10))
		invariant.Check(err == nil, "sstable: zstd encoder: %v", err)
		return e
	})
	zstdDecoder = sync.OnceValue(func() *zstd.Decoder {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(4), zstd.WithDecoderMaxMemory(maxBlockRaw),
			zstd.WithDecodeAllCapLimit(true))
		invariant.Check(err == nil, "sstable: zstd decoder: %v", err)
		return d
	})
)

// compressor turns raw blocks into stored ones; its buffers are reused.
type compressor struct {
	codec    Codec
	minRatio float64
	lz4      lz4.Compressor
	dst      []byte
}

// compress returns what to store for raw and the codec that made it: None if
// compressing gains less than the wanted ratio. The result is valid until the
// next call and may be raw itself.
func (c *compressor) compress(raw []byte) (Codec, []byte) {
	var out []byte
	switch c.codec {
	case LZ4:
		c.grow(lz4.CompressBlockBound(len(raw)))
		n, err := c.lz4.CompressBlock(raw, c.dst[:cap(c.dst)])
		if err != nil || n == 0 {
			return None, raw
		}
		out = c.dst[:n]
	case Snappy:
		c.grow(snappy.MaxEncodedLen(len(raw)))
		out = snappy.Encode(c.dst[:cap(c.dst)], raw)
	case Zstd:
		c.grow(len(raw) + 64)
		out = zstdEncoder().EncodeAll(raw, c.dst[:0])
		c.dst = out
	default:
		return None, raw
	}
	if float64(len(raw)) < c.minRatio*float64(len(out)) || len(raw)/maxRatio >= len(out) {
		return None, raw
	}
	return c.codec, out
}

func (c *compressor) grow(n int) {
	if cap(c.dst) < n || cap(c.dst) > keepBlock {
		c.dst = make([]byte, 0, n)
	}
}

// decompress fills dst, which has the length of the raw block.
func decompress(codec Codec, dst, stored []byte) error {
	var n int
	var err error
	switch codec {
	case None:
		if len(stored) != len(dst) {
			return fmt.Errorf("raw block of %d bytes, %d stored", len(dst), len(stored))
		}
		copy(dst, stored)
		return nil
	case LZ4:
		n, err = lz4.UncompressBlock(stored, dst)
	case Snappy:
		if n, err = snappy.DecodedLen(stored); err == nil && n == len(dst) {
			_, err = snappy.Decode(dst, stored)
		}
	case Zstd:
		var out []byte
		out, err = zstdDecoder().DecodeAll(stored, dst[:0:len(dst)])
		if n = len(out); err == nil && n == len(dst) && n > 0 && &out[0] != &dst[0] {
			copy(dst, out)
		}
	default:
		return fmt.Errorf("unknown %v", codec)
	}
	if err != nil {
		return fmt.Errorf("%v: %w", codec, err)
	}
	if n != len(dst) {
		return fmt.Errorf("%v: %d bytes, %d expected", codec, n, len(dst))
	}
	return nil
}
