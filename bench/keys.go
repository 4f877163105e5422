package bench

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
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

// size is the length of the value that x stands for.
func (d *Data) size(x uint64) int {
	if span := uint64(d.ValueSize - d.ValueSizeMin); span > 0 {
		return d.ValueSizeMin + int(mix(x)%(span+1))
	}
	return d.ValueSize
}

// value returns the bytes of a column of row i, in dst if it has room. The
// first half looks random, the second repeats it, so that data compresses to
// about half.
func (d *Data) value(dst []byte, i int64, column int) []byte {
	x := mix(uint64(i)*31 + uint64(column) + d.Seed<<32)
	size := d.size(x)
	dst = slices.Grow(dst[:0], size)[:size]
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
	rand      *rand.Rand
	kind      string
	rows      int64
	newest    func() int64 // rows written so far, for latest
	zipf      *zipf        // for latest, over as many as there are
	scrambled scrambled    // for zipf
}

// newPicker chooses among so many rows; latest goes by newest instead.
func newPicker(kind string, rows int64, r *rand.Rand, newest func() int64) *picker {
	p := &picker{rand: r, kind: kind, rows: rows, newest: newest}
	switch kind {
	case "zipf":
		p.scrambled = newScrambled(rows)
	case "latest":
		p.zipf = newZipf(1)
	}
	return p
}

// next returns the number of a row.
func (p *picker) next() int64 {
	switch p.kind {
	case "zipf":
		return p.scrambled.next(p.rand)
	case "latest":
		n := max(p.newest(), 1)
		if n != p.zipf.n {
			p.zipf.resize(n)
		}
		return n - 1 - p.zipf.next(p.rand)
	}
	return p.rand.Int64N(p.rows)
}
