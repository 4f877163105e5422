package sstable

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/bits"

	"github.com/ilion-db/ilion/mutation"
)

var errBlock = errors.New("malformed block")

// block is a view of a raw block: where its columns lie. Unless it came from
// check, the bytes must have passed check before.
type block struct {
	data     []byte
	flags    uint16
	width    uint8 // bytes of a token offset
	offLen   uint8 // bytes of an offset: 2 or 4
	parts    int
	entries  int
	first    uint64
	last     uint64
	mask     uint64
	keyPre   []byte
	clustPre []byte
	tokens   int // offsets of the columns and heaps in data
	firsts   int
	partEnds int
	entEnds  int
	partHeap int
	entHeap  int
	openFrom mutation.Deletion
	openTo   mutation.Deletion
}

// init reads the header and lays out the columns. It fails if the columns do
// not fit in; what they hold is not looked at.
func (b *block) init(data []byte) error {
	if len(data) < blockHeader+blockPad || len(data) > maxBlockRaw {
		return errBlock
	}
	*b = block{
		data:    data,
		flags:   binary.LittleEndian.Uint16(data),
		width:   data[2],
		offLen:  2,
		parts:   int(binary.LittleEndian.Uint32(data[4:])),
		entries: int(binary.LittleEndian.Uint32(data[8:])),
		first:   binary.LittleEndian.Uint64(data[12:]),
		last:    binary.LittleEndian.Uint64(data[20:]),
	}
	if b.flags&blockWide != 0 {
		b.offLen = 4
	}
	b.mask = ^uint64(0)
	if b.width < 8 {
		b.mask = 1<<(8*b.width) - 1
	}
	keyLen, clustLen := int(binary.LittleEndian.Uint16(data[44:])), int(binary.LittleEndian.Uint16(data[46:]))
	at, end := blockHeader, len(data)-blockPad
	if b.width > 8 || data[3] != 0 || b.flags&^blockKnown != 0 || b.parts == 0 ||
		b.parts > end || b.entries > end || b.first > b.last {
		return errBlock
	}
	if b.flags&blockOpenStart != 0 {
		if at+deletionLen > end {
			return errBlock
		}
		b.openFrom = deletionAt(data[at:])
		at += deletionLen
	}
	if b.flags&blockOpenEnd != 0 {
		if at+deletionLen > end {
			return errBlock
		}
		b.openTo = deletionAt(data[at:])
		at += deletionLen
	}
	if at+keyLen+clustLen > end {
		return errBlock
	}
	b.keyPre, b.clustPre = data[at:at+keyLen], data[at+keyLen:at+keyLen+clustLen]
	b.tokens = at + keyLen + clustLen
	b.firsts = b.tokens + b.parts*int(b.width)
	b.partEnds = b.firsts
	if b.flags&blockOneEach == 0 {
		b.partEnds += b.parts * int(b.offLen)
	} else if b.entries != b.parts {
		return errBlock
	}
	b.entEnds = b.partEnds + b.parts*int(b.offLen)
	b.partHeap = b.entEnds + b.entries*int(b.offLen)
	if b.partHeap > end {
		return errBlock
	}
	b.entHeap = b.partHeap + b.offset(b.partEnds, b.parts-1)
	if b.entHeap > end {
		return errBlock
	}
	return nil
}

// check is init and a walk over everything that later reads rely on: every
// offset, length and flag. Orders are Verify's business.
func (b *block) check(data []byte) error {
	if err := b.init(data); err != nil {
		return err
	}
	end := len(data) - blockPad
	heap := end - b.entHeap
	prev := 0
	for i := range b.entries {
		at := b.offset(b.entEnds, i)
		if at <= prev || at > heap {
			return errBlock
		}
		if !checkEntry(data[b.entHeap+prev : b.entHeap+at]) {
			return errBlock
		}
		prev = at
	}
	if b.entries > 0 && prev != heap || b.entries == 0 && heap != 0 {
		return errBlock
	}
	prev, firstPrev := 0, 0
	token := b.first
	for i := range b.parts {
		at := b.offset(b.partEnds, i)
		if at <= prev || b.partHeap+at > b.entHeap {
			return errBlock
		}
		if !checkPart(data[b.partHeap+prev:b.partHeap+at], i == 0 && b.flags&blockContinues != 0) {
			return errBlock
		}
		prev = at
		f := b.firstEntry(i)
		if f < firstPrev || f > b.entries || i == 0 && f != 0 {
			return errBlock
		}
		firstPrev = f
		t := b.token(i)
		if t < token || i == 0 && t != b.first {
			return errBlock
		}
		token = t
	}
	if token != b.last {
		return errBlock
	}
	return nil
}

func checkEntry(e []byte) bool {
	h, n := binary.Uvarint(e)
	if n <= 0 || h>>1 > uint64(len(e)-n) {
		return false
	}
	if h&1 != entryBoundary {
		return true
	}
	body := e[n+int(h>>1):]
	if len(body) == 0 || body[0]&^boundaryKnown != 0 {
		return false
	}
	return len(body) == 1+deletionLen*bits.OnesCount8(body[0])
}

func checkPart(p []byte, continued bool) bool {
	if len(p) == 0 || p[0]&^partKnown != 0 || (p[0]&partContinued != 0) != continued {
		return false
	}
	if continued && p[0] != partContinued {
		return false
	}
	n, w := binary.Uvarint(p[1:])
	if w <= 0 || n > uint64(len(p)-1-w) {
		return false
	}
	rest := len(p) - 1 - w - int(n)
	if p[0]&partDeletion != 0 {
		rest -= deletionLen
	}
	if p[0]&partStatic != 0 {
		return rest > 0
	}
	return rest == 0
}

func (b *block) offset(column, i int) int {
	if b.offLen == 2 {
		return int(binary.LittleEndian.Uint16(b.data[column+2*i:]))
	}
	return int(binary.LittleEndian.Uint32(b.data[column+4*i:]))
}

func (b *block) token(i int) uint64 {
	return b.first + binary.LittleEndian.Uint64(b.data[b.tokens+i*int(b.width):])&b.mask
}

// firstEntry is the index of the first entry of partition i; that of the one
// behind the last is the number of entries.
func (b *block) firstEntry(i int) int {
	switch {
	case i == b.parts:
		return b.entries
	case b.flags&blockOneEach != 0:
		return i
	}
	return b.offset(b.firsts, i)
}

// lowerToken is the first partition with a token of at least x. Tokens are
// uniform, so that the search starts where x ought to be.
func (b *block) lowerToken(x uint64) int {
	if x <= b.first {
		return 0
	}
	if x > b.last {
		return b.parts
	}
	lo, hi := 0, b.parts-1 // token(lo) < x <= token(hi)
	if b.parts > 4 {
		h, l := bits.Mul64(x-b.first, uint64(b.parts-1))
		at, _ := bits.Div64(h, l, b.last-b.first)
		if i := int(at); b.token(i) < x {
			lo = i
			for step := 1; lo+step < hi; step *= 2 {
				if b.token(lo+step) >= x {
					hi = lo + step
					break
				}
				lo += step
			}
		} else {
			hi = i
			for step := 1; hi-step > lo; step *= 2 {
				if b.token(hi-step) < x {
					lo = hi - step
					break
				}
				hi -= step
			}
		}
	}
	for hi-lo > 1 {
		mid := int(uint(lo+hi) >> 1)
		if b.token(mid) < x {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}

// part returns the record of partition i: its flags, the key less the block's
// prefix and what follows.
func (b *block) part(i int) (flags byte, suffix, rest []byte) {
	from := 0
	if i > 0 {
		from = b.offset(b.partEnds, i-1)
	}
	p := b.data[b.partHeap+from : b.partHeap+b.offset(b.partEnds, i)]
	if p[1] < 0x80 {
		n := 2 + int(p[1])
		return p[0], p[2:n], p[n:]
	}
	n, w := binary.Uvarint(p[1:])
	return p[0], p[1+w : 1+w+int(n)], p[1+w+int(n):]
}

// compareKey orders the key of partition i against key.
func (b *block) compareKey(i int, key []byte) int {
	_, suffix, _ := b.part(i)
	if len(key) < len(b.keyPre) {
		if c := bytes.Compare(b.keyPre, key); c != 0 {
			return c
		}
	}
	if c := bytes.Compare(b.keyPre, key[:len(b.keyPre)]); c != 0 {
		return c
	}
	return bytes.Compare(suffix, key[len(b.keyPre):])
}

// entry returns entry i: whether it is a boundary, the clustering less the
// block's prefix, and the row or the boundary's deletions.
func (b *block) entry(i int) (boundary bool, suffix, body []byte) {
	from := 0
	if i > 0 {
		from = b.offset(b.entEnds, i-1)
	}
	to := b.entHeap + b.offset(b.entEnds, i)
	e := b.data[b.entHeap+from : to : to]
	if h := e[0]; h < 0x80 {
		n := 1 + int(h>>1)
		return h&1 != 0, e[1:n], e[n:]
	}
	h, w := binary.Uvarint(e)
	n := w + int(h>>1)
	return h&1 != 0, e[w:n], e[n:]
}

func (b *block) isBoundary(i int) bool {
	from := 0
	if i > 0 {
		from = b.offset(b.entEnds, i-1)
	}
	return b.data[b.entHeap+from]&1 != 0
}

// boundary decodes the body of a boundary.
func boundary(body []byte) (before, after mutation.Deletion) {
	flags := body[0]
	body = body[1:]
	if flags&boundaryBefore != 0 {
		before = deletionAt(body)
		body = body[deletionLen:]
	}
	if flags&boundaryAfter != 0 {
		after = deletionAt(body)
	}
	return before, after
}

// lowerEntry is the first entry in [lo, hi) with a clustering of at least
// bound, or hi.
func (b *block) lowerEntry(lo, hi int, bound []byte) int {
	n := min(len(bound), len(b.clustPre))
	switch c := bytes.Compare(bound[:n], b.clustPre[:n]); {
	case c > 0:
		return hi
	case c < 0 || n < len(b.clustPre):
		return lo
	}
	bound = bound[n:]
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if _, suffix, _ := b.entry(mid); bytes.Compare(suffix, bound) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// openAt is the range deletion in force between entries i-1 and i of the
// partition whose entries here begin at lo; continues tells that it began in
// an earlier block.
func (b *block) openAt(lo, i int, continues bool) mutation.Deletion {
	if b.flags&blockBoundaries != 0 {
		for j := i - 1; j >= lo; j-- {
			if b.isBoundary(j) {
				_, _, body := b.entry(j)
				_, after := boundary(body)
				return after
			}
		}
	}
	if continues {
		return b.openFrom
	}
	return mutation.Deletion{}
}
