package sstable

import (
	"bytes"
	"encoding/binary"
)

// wideWriter collects, for every partition of at least wideMin blocks, the
// shortest byte strings that separate its blocks.
type wideWriter struct {
	entries []byte
	heap    []byte

	first  int // first block of the open partition
	blocks int
	ends   []uint32
	seps   []byte
}

func (w *wideWriter) begin(block int) {
	w.first, w.blocks = block, 1
	w.ends, w.seps = w.ends[:0], w.seps[:0]
}

// next notes that the partition goes on in another block: last < separator
// and separator <= first, for the clusterings on both sides.
func (w *wideWriter) next(last, first []byte) {
	w.blocks++
	w.seps = append(w.seps, first[:min(commonPrefix(last, first)+1, len(first))]...)
	w.ends = append(w.ends, uint32(len(w.seps)))
}

func (w *wideWriter) end() {
	if w.blocks < wideMin {
		return
	}
	w.entries = binary.LittleEndian.AppendUint32(w.entries, uint32(w.first))
	w.entries = binary.LittleEndian.AppendUint32(w.entries, uint32(w.blocks))
	w.entries = binary.LittleEndian.AppendUint64(w.entries, uint64(len(w.heap)))
	for _, e := range w.ends {
		w.heap = binary.LittleEndian.AppendUint32(w.heap, e)
	}
	w.heap = append(w.heap, w.seps...)
}

func (w *wideWriter) appendTo(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(w.entries)/wideEntryLen))
	dst = append(dst, w.entries...)
	return append(dst, w.heap...)
}

// wideIndex is the decoded section; it aliases its bytes.
type wideIndex struct {
	entries []byte
	heap    []byte
}

func (w *wideIndex) count() int { return len(w.entries) / wideEntryLen }

func (w *wideIndex) entry(i int) (first, blocks int, offset uint64) {
	e := w.entries[i*wideEntryLen:]
	return int(binary.LittleEndian.Uint32(e)), int(binary.LittleEndian.Uint32(e[4:])), binary.LittleEndian.Uint64(e[8:])
}

func (w *wideIndex) decode(b []byte) error {
	if len(b) < 4 {
		return errSection
	}
	n := int(binary.LittleEndian.Uint32(b))
	if n > (len(b)-4)/wideEntryLen {
		return errSection
	}
	w.entries, w.heap = b[4:4+n*wideEntryLen], b[4+n*wideEntryLen:]
	return nil
}

// check tells whether everything lies within the section and the table's
// blocks; nothing else may be called before.
func (w *wideIndex) check(blocks int) error {
	next := 0
	for i := range w.count() {
		first, count, offset := w.entry(i)
		if first < next || count < wideMin || count > blocks-first || offset > uint64(len(w.heap)) {
			return errSection
		}
		next = first + count - 1 // the last block may hold the beginning of another
		heap := w.heap[offset:]
		if len(heap) < 4*(count-1) {
			return errSection
		}
		seps := separators{ends: heap[:4*(count-1)], heap: heap[4*(count-1):]}
		prev := 0
		for j := range count - 1 {
			e := int(binary.LittleEndian.Uint32(seps.ends[4*j:]))
			if e < prev || e > len(seps.heap) {
				return errSection
			}
			prev = e
		}
	}
	return nil
}

// separators are those of one partition; the zero value has none.
type separators struct {
	blocks int
	ends   []byte
	heap   []byte
}

// of returns the separators of the partition that begins in block and goes on
// in the next.
func (w *wideIndex) of(block int) separators {
	lo, hi := 0, w.count()
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if first, _, _ := w.entry(mid); first < block {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == w.count() {
		return separators{}
	}
	first, blocks, offset := w.entry(lo)
	if first != block {
		return separators{}
	}
	heap := w.heap[offset:]
	return separators{blocks, heap[:4*(blocks-1)], heap[4*(blocks-1):]}
}

// at is the separator between blocks j and j+1 of the partition.
func (s *separators) at(j int) []byte {
	from := uint32(0)
	if j > 0 {
		from = binary.LittleEndian.Uint32(s.ends[4*(j-1):])
	}
	return s.heap[from:binary.LittleEndian.Uint32(s.ends[4*j:])]
}

// find is the block of the partition, counted from 0, that holds the first
// item at or above bound unless the block after it does. With below it is the
// one that holds the last item below bound, unless the block before it does.
func (s *separators) find(bound []byte, below bool) int {
	lo, hi := 0, s.blocks-1
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		c := bytes.Compare(s.at(mid), bound)
		if c < 0 || c == 0 && !below {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}
