package sstable

import (
	"math/bits"
	"slices"
)

// LogHistogram counts values in buckets that grow by a quarter of a power of
// two. The zero value is empty.
type LogHistogram struct {
	Counts [252]uint64
}

func logBucket(v uint64) int {
	if v < 4 {
		return int(v)
	}
	e := bits.Len64(v) - 1
	return (e-1)*4 + int(v>>(e-2)&3)
}

// BucketMin is the smallest value of a bucket.
func BucketMin(i int) uint64 {
	if i < 4 {
		return uint64(i)
	}
	e := i/4 + 1
	return 1<<e | uint64(i%4)<<(e-2)
}

// Add counts v.
func (h *LogHistogram) Add(v uint64) { h.Counts[logBucket(v)]++ }

// Total is the number of values.
func (h *LogHistogram) Total() (n uint64) {
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// Quantile is a lower bound of the value below which the fraction q lies.
func (h *LogHistogram) Quantile(q float64) uint64 {
	left := uint64(q * float64(h.Total()))
	last := 0
	for i, c := range h.Counts {
		if c == 0 {
			continue
		}
		last = i
		if left < c {
			break
		}
		left -= c
	}
	return BucketMin(last)
}

// dropBins bounds a DropHistogram; dropRound seconds are one bin at first.
const (
	dropBins  = 100
	dropRound = 60
)

// DropBin counts what can be dropped at Time or, after bins were merged, about
// then.
type DropBin struct {
	Time  uint32
	Count uint64
}

// DropHistogram counts drop times in at most 100 bins, sorted by time. Close
// bins are merged at their weighted mean, as in Ben-Haim's streaming histogram.
type DropHistogram struct {
	Bins []DropBin
}

// Add counts one drop time.
func (h *DropHistogram) Add(t uint32) { h.add(roundDrop(t), 1) }

func roundDrop(t uint32) uint32 {
	if r := t % dropRound; r != 0 && t < 1<<32-dropRound {
		t += dropRound - r
	}
	return t
}

func (h *DropHistogram) add(t uint32, n uint64) {
	i, ok := slices.BinarySearchFunc(h.Bins, t, func(b DropBin, t uint32) int {
		switch {
		case b.Time < t:
			return -1
		case b.Time > t:
			return 1
		}
		return 0
	})
	if ok {
		h.Bins[i].Count += n
		return
	}
	h.Bins = slices.Insert(h.Bins, i, DropBin{t, n})
	if len(h.Bins) <= dropBins {
		return
	}
	best := 1
	for j := 2; j < len(h.Bins); j++ {
		if h.Bins[j].Time-h.Bins[j-1].Time < h.Bins[best].Time-h.Bins[best-1].Time {
			best = j
		}
	}
	a, b := h.Bins[best-1], &h.Bins[best]
	b.Time = a.Time + uint32(float64(b.Time-a.Time)*float64(b.Count)/float64(a.Count+b.Count))
	b.Count += a.Count
	h.Bins = slices.Delete(h.Bins, best-1, best)
}

// Below is the number of drop times below t.
func (h *DropHistogram) Below(t uint32) (n uint64) {
	for _, b := range h.Bins {
		if b.Time >= t {
			break
		}
		n += b.Count
	}
	return n
}
