package bench

import (
	"encoding/binary"
	"math/rand/v2"
)

// mix is a bijection of 64 bits that makes keys look random (the finalizer of
// SplitMix64).
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// rowKey is the 16-byte key of row i.
func rowKey(dst []byte, seed uint64, i int64) []byte {
	dst = binary.BigEndian.AppendUint64(dst[:0], mix(uint64(i)^seed<<48))
	return binary.BigEndian.AppendUint64(dst, uint64(i))
}

// value returns the bytes of a column of row i, in dst, which must have the
// capacity of ValueSize. The first half looks random, the second repeats it, so
// that data compresses to about half.
func (c *Config) value(dst []byte, i int64, column int) []byte {
	x := mix(uint64(i)*31 + uint64(column) + c.Seed<<32)
	size := c.ValueSize
	if span := uint64(c.ValueSize - c.ValueSizeMin); span > 0 {
		size = c.ValueSizeMin + int(mix(x)%(span+1))
	}
	dst = dst[:size]
	half := (len(dst) + 1) / 2
	for at := range dst[:half] {
		if at%8 == 0 {
			x = mix(x + 0x9e3779b97f4a7c15)
		}
		dst[at] = byte(x >> (at % 8 * 8))
	}
	copy(dst[half:], dst[:half])
	return dst
}

// picker chooses rows.
type picker struct {
	r      *rand.Rand
	zipf   *rand.Zipf
	kind   string
	rows   int64
	newest func() int64 // rows written so far, for latest
}

func newPicker(c *Config, r *rand.Rand, newest func() int64) *picker {
	p := &picker{r: r, kind: c.Distribution, rows: c.Rows, newest: newest}
	if c.Distribution != "uniform" {
		p.zipf = rand.NewZipf(r, 1.1, 10, uint64(c.Rows-1))
	}
	return p
}

// next returns the number of a row.
func (p *picker) next() int64 {
	switch p.kind {
	case "zipf":
		// Scattered, so that hot rows are not neighbours.
		return int64(mix(p.zipf.Uint64()) % uint64(p.rows))
	case "latest":
		n := max(p.newest(), 1)
		return n - 1 - int64(p.zipf.Uint64())%n
	}
	return p.r.Int64N(p.rows)
}
