package ring

import (
	"encoding/binary"
	"math/bits"
)

const (
	c1 = 0x87c37b91114253d5
	c2 = 0x4cf5ad432745937f
)

// Murmur3 is the token of a partition key: the first half of murmur3 x64 128
// with seed 0, except that bytes of the tail are sign-extended as Java does.
// The least number, which is no token, becomes the greatest. It allocates
// nothing.
func Murmur3(key []byte) Token {
	var h1, h2 uint64
	n := uint64(len(key))
	for len(key) >= 16 {
		k1 := binary.LittleEndian.Uint64(key)
		k2 := binary.LittleEndian.Uint64(key[8:])
		key = key[16:]
		h1 ^= bits.RotateLeft64(k1*c1, 31) * c2
		h1 = (bits.RotateLeft64(h1, 27)+h2)*5 + 0x52dce729
		h2 ^= bits.RotateLeft64(k2*c2, 33) * c1
		h2 = (bits.RotateLeft64(h2, 31)+h1)*5 + 0x38495ab5
	}
	if len(key) > 8 {
		h2 ^= bits.RotateLeft64(tail(key[8:])*c2, 33) * c1
		key = key[:8]
	}
	if len(key) > 0 {
		h1 ^= bits.RotateLeft64(tail(key)*c1, 31) * c2
	}
	h1 ^= n
	h2 ^= n
	h1 += h2
	h2 += h1
	h1 = mix(h1) + mix(h2)
	if h1 == 1<<63 {
		return 1<<63 - 1
	}
	return Token(h1)
}

// tail combines up to 8 bytes, each sign-extended before it is shifted, so
// that a byte from 0x80 on flips all bits above it.
func tail(p []byte) uint64 {
	var k uint64
	for i, b := range p {
		k ^= uint64(int64(int8(b))) << (8 * i)
	}
	return k
}

func mix(k uint64) uint64 {
	k ^= k >> 33
	k *= 0xff51afd7ed558ccd
	k ^= k >> 33
	k *= 0xc4ceb9fe1a85ec53
	return k ^ k>>33
}
