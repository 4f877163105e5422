package mutation

import (
	"bytes"
	"encoding/binary"
)

// head is the first 8 bytes of a clustering, to compare as a number.
func head(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.BigEndian.Uint64(b)
	}
	var v uint64
	for i, c := range b {
		v |= uint64(c) << (56 - 8*i)
	}
	return v
}

// mergeHeap orders inputs by partition or by item. Ended inputs come last.
type mergeHeap struct {
	index   []int32
	items   bool
	reverse bool // order items descending
}

// compare orders two inputs.
func (h *mergeHeap) compare(a, b *mergeInput) int {
	if h.items {
		switch {
		case a.item == nil || b.item == nil:
			return endedLast(a.item == nil, b.item == nil)
		case h.reverse:
			a, b = b, a
		}
		if a.head != b.head {
			if a.head < b.head {
				return -1
			}
			return 1
		}
		if c := bytes.Compare(a.item.Clustering, b.item.Clustering); c != 0 {
			return c
		}
		return int(b.item.Kind) - int(a.item.Kind) // boundaries first
	}
	switch {
	case a.part == nil || b.part == nil:
		return endedLast(a.part == nil, b.part == nil)
	case a.part.Token != b.part.Token:
		if a.part.Token < b.part.Token {
			return -1
		}
		return 1
	}
	return bytes.Compare(a.part.Key, b.part.Key)
}

func endedLast(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// down restores the heap below place i.
func (h *mergeHeap) down(in []mergeInput, i int) {
	for {
		least, l := i, 2*i+1
		if l < len(h.index) && h.compare(&in[h.index[l]], &in[h.index[least]]) < 0 {
			least = l
		}
		if r := l + 1; r < len(h.index) && h.compare(&in[h.index[r]], &in[h.index[least]]) < 0 {
			least = r
		}
		if least == i {
			return
		}
		h.index[i], h.index[least] = h.index[least], h.index[i]
		i = least
	}
}

// equals appends the places that compare equal to the root, ascending.
func (h *mergeHeap) equals(in []mergeInput, dst []int32) []int32 {
	root := &in[h.index[0]]
	dst = append(dst, 0)
	for at := len(dst) - 1; at < len(dst); at++ {
		for c := 2*dst[at] + 1; c <= 2*dst[at]+2 && int(c) < len(h.index); c++ {
			if h.compare(&in[h.index[c]], root) == 0 {
				dst = append(dst, c)
			}
		}
	}
	return dst
}
