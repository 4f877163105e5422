package bloom

import (
	"math"
	"sync/atomic"
)

// Bounds of the rate of false positives that can be asked for.
const (
	minFP = 1e-6
	maxFP = 0.5
)

// Size gives the number of bits set for a key and the number of bits of a
// filter of n keys with the rate fp of false positives.
func Size(layout Layout, n int, fp float64) (k int, m uint64) {
	if !(fp >= minFP) { // NaN too
		fp = minFP
	}
	fp = min(fp, maxFP)
	n = max(n, 1)
	perKey := -math.Log(fp) / (math.Ln2 * math.Ln2)
	if layout == Standard {
		m = max(uint64(math.Ceil(perKey*float64(n))), 64)
		return min(max(int(math.Round(perKey*math.Ln2)), 1), maxK), m
	}
	perKey, k = blockedBits(perKey, fp)
	lines := max(uint64(math.Ceil(perKey*float64(n)/lineBits)), 1)
	return k, lines * lineBits
}

// found is what blockedBits has found for a rate.
type found struct {
	fp, perKey float64
	k          int
}

// newest is what was found last: finding costs more than building a small
// filter, and mostly all filters have the same rate.
var newest atomic.Pointer[found]

// blockedBits returns the bits for a key with which lines, unevenly filled as
// they are, keep to fp; it starts at what the standard layout needs.
func blockedBits(perKey, fp float64) (float64, int) {
	f := newest.Load()
	if f == nil || f.fp != fp {
		f = &found{fp: fp}
		f.perKey, f.k = findBlockedBits(perKey, fp)
		newest.Store(f)
	}
	return f.perKey, f.k
}

func findBlockedBits(perKey, fp float64) (float64, int) {
	for ; ; perKey += 0.25 {
		best, bestK := 1.0, 1
		for k := 1; k <= min(int(perKey), 14); k++ {
			if r := blockedRate(perKey, k); r < best {
				best, bestK = r, k
			}
		}
		if best <= fp || perKey > 64 {
			return perKey, bestK
		}
	}
}

// blockedRate is the rate of false positives of a line that holds a
// Poisson-distributed number of keys.
func blockedRate(perKey float64, k int) float64 {
	mean := lineBits / perKey
	p := math.Exp(-mean)
	rate := 0.0
	for i := 0; i < int(mean*4)+64; i++ {
		free := math.Pow(1-1.0/lineBits, float64(k*i))
		rate += p * math.Pow(1-free, float64(k))
		p *= mean / float64(i+1)
	}
	return rate
}
