package metrics

import (
	"math/bits"
	"sync/atomic"
)

const (
	subBits    = 3 // 8 buckets to a power of two
	subBuckets = 1 << subBits
	topBits    = 42 // values over 2^topBits share the last bucket
	numBuckets = (topBits-subBits+1)*subBuckets + 1

	// maxHistStripes bounds the memory of a histogram to 20 KiB.
	maxHistStripes = 8
)

// histStripe is padded by its size: neighbours meet in few lines.
type histStripe struct {
	sum     atomic.Uint64
	buckets [numBuckets]atomic.Uint64
	_       [64]byte
}

// Histogram is a distribution of whole numbers. Make one with a Registry or
// NewHistogram.
type Histogram struct {
	stripes []histStripe
	mask    uint64
}

// NewHistogram returns a histogram that no registry knows.
func NewHistogram() *Histogram {
	n := stripesFor(maxHistStripes)
	return &Histogram{stripes: make([]histStripe, n), mask: uint64(n - 1)}
}

// Observe counts one value.
func (h *Histogram) Observe(v uint64) {
	s := &h.stripes[hint()&h.mask]
	s.buckets[bucketOf(v)].Add(1)
	s.sum.Add(v)
}

// bucketOf is the index of the bucket whose upper bound, inclusive, is the
// first that is not below v.
func bucketOf(v uint64) int {
	if v > 0 {
		v-- // bounds are inclusive: 8 belongs with those up to 8
	}
	if v < subBuckets {
		return int(v)
	}
	exp := bits.Len64(v) - 1 - subBits
	return min(exp<<subBits+int(v>>exp), numBuckets-1)
}

// upperBound is the largest value of bucket i. The last one has no bound and
// yields twice its lower one.
func upperBound(i int) uint64 {
	if i < subBuckets {
		return uint64(i) + 1
	}
	exp := i>>subBits - 1
	return (uint64(i&(subBuckets-1)|subBuckets) + 1) << exp
}

// Snapshot is a histogram at about one moment. The zero value is empty.
type Snapshot struct {
	Count uint64
	Sum   uint64

	buckets [numBuckets]uint64
}

// Snapshot adds the stripes up.
func (h *Histogram) Snapshot() *Snapshot {
	s := &Snapshot{}
	for i := range h.stripes {
		from := &h.stripes[i]
		s.Sum += from.sum.Load()
		for b := range from.buckets {
			n := from.buckets[b].Load()
			s.buckets[b] += n
			s.Count += n
		}
	}
	return s
}

// Merge adds another snapshot to this one.
func (s *Snapshot) Merge(o *Snapshot) {
	s.Count += o.Count
	s.Sum += o.Sum
	for i, n := range o.buckets {
		s.buckets[i] += n
	}
}

// Quantile returns the upper bound of the bucket that holds the q-th part (0
// to 1) of the values: not below the true quantile, and at most an eighth
// above. It is 0 if there are none.
func (s *Snapshot) Quantile(q float64) uint64 {
	if s.Count == 0 {
		return 0
	}
	rank := min(uint64(max(q, 0)*float64(s.Count)), s.Count-1)
	for i, n := range s.buckets {
		if rank < n {
			return upperBound(i)
		}
		rank -= n
	}
	return upperBound(numBuckets - 1)
}

// octaves calls f with the upper bound of each power of two up to the largest
// value and the number of values that are not over it.
func (s *Snapshot) octaves(f func(bound, count uint64)) {
	var sum uint64
	for i, n := range s.buckets[:numBuckets-1] {
		sum += n
		if bound := upperBound(i); bound&(bound-1) == 0 {
			f(bound, sum)
			if sum == s.Count {
				return
			}
		}
	}
}
