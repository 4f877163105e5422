package bloom

import (
	"math/bits"

	farm "github.com/dgryski/go-farm"
)

// Hash is what a filter knows of a key: 64 uniform bits.
type Hash uint64

const (
	mulA = 0x9e3779b97f4a7c15
	mulB = 0xd6e8feb86659fd93
)

// HashKey mixes a token, in its unsigned form, with a second hash of the
// partition key. The token alone would not do: within one table tokens share
// their top bits.
func HashKey(token uint64, key []byte) Hash {
	return mix(token, farm.Fingerprint64(key))
}

// Row makes the hash of a row from that of its partition and its clustering.
func (h Hash) Row(clustering []byte) Hash {
	return mix(uint64(h), farm.Fingerprint64(clustering))
}

func mix(a, b uint64) Hash {
	hi, lo := bits.Mul64(a^mulA, b^mulB)
	x := (hi ^ lo ^ a) * mulA
	return Hash(x ^ x>>32)
}
