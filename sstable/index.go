package sstable

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"unsafe"

	"github.com/ilion-db/ilion/internal/encoding"
)

var errSection = errors.New("malformed section")

// index knows the first token and the offset of every block. An offset's
// highest bit says that the block is clean: no partition with its first token
// begins or goes on in an earlier block.
type index struct {
	tokens []uint64
	places []byte // 5 bytes a block
	end    int64  // of the last block
}

const cleanBit = 1 << 39

func (x *index) blocks() int { return len(x.tokens) }

func (x *index) place(i int) uint64 {
	p := x.places[5*i : 5*i+5]
	return uint64(binary.LittleEndian.Uint32(p)) | uint64(p[4])<<32
}

func (x *index) clean(i int) bool { return x.place(i)&cleanBit != 0 }

// at is where block i lies, its trailer included.
func (x *index) at(i int) (offset, length int64) {
	offset = int64(x.place(i) &^ cleanBit)
	if i+1 < len(x.tokens) {
		return offset, int64(x.place(i+1)&^cleanBit) - offset
	}
	return offset, x.end - offset
}

func (x *index) add(token uint64, offset int64, clean bool) {
	p := uint64(offset)
	if clean {
		p |= cleanBit
	}
	x.tokens = append(x.tokens, token)
	x.places = append(x.places, byte(p), byte(p>>8), byte(p>>16), byte(p>>24), byte(p>>32))
}

func (x *index) memory() int { return 8*cap(x.tokens) + cap(x.places) }

// find is the block in which a partition with that token begins, if there is
// one; -1 if it lies before all.
func (x *index) find(token uint64) int {
	i := x.lower(token)
	if i < len(x.tokens) && x.tokens[i] == token && x.clean(i) {
		return i
	}
	return i - 1
}

// endOf is where the blocks end that can hold something of the token or a
// lower one.
func (x *index) endOf(token uint64) int64 {
	i := len(x.tokens)
	if token != 1<<64-1 {
		i = x.lower(token + 1)
	}
	if i == len(x.tokens) {
		return x.end
	}
	offset, _ := x.at(i)
	return offset
}

// lower is the first block with a first token of at least t. Tokens are
// uniform: a few steps of interpolation come before the bisection, which
// bounds the cost for tokens that are not.
func (x *index) lower(t uint64) int {
	lo, hi := 0, len(x.tokens) // tokens[lo-1] < t <= tokens[hi]
	for step := 0; hi-lo > 8 && step < 4; step++ {
		first, last := x.tokens[lo], x.tokens[hi-1]
		if t <= first {
			return lo
		}
		if t > last {
			return hi
		}
		h, l := bits.Mul64(t-first, uint64(hi-1-lo))
		at, _ := bits.Div64(h, l, last-first)
		// Look a little to the side, so that both ends come closer.
		mid := lo + int(at)
		slack := max((hi-lo)>>6, 2)
		if x.tokens[mid] < t {
			lo = mid + 1
			if far := mid + slack; far < hi && x.tokens[far] >= t {
				hi = far
			}
		} else {
			hi = mid
			if far := mid - slack; far >= lo && x.tokens[far] < t {
				lo = far + 1
			}
		}
	}
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if x.tokens[mid] < t {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// appendTo appends the section: parts of 16 KiB with a checksum each.
func (x *index) appendTo(dst []byte) []byte {
	for from := 0; from < len(x.tokens); from += indexPerPart {
		to := min(from+indexPerPart, len(x.tokens))
		start := len(dst)
		for _, t := range x.tokens[from:to] {
			dst = binary.LittleEndian.AppendUint64(dst, t)
		}
		dst = append(dst, x.places[5*from:5*to]...)
		dst = binary.LittleEndian.AppendUint32(dst, encoding.CRC32C(dst[start:]))
	}
	return dst
}

// decode reads a section and checks that blocks follow each other.
func (x *index) decode(b []byte, end int64, alloc func(n int) ([]byte, error)) error {
	n := len(b) / indexPart * indexPerPart
	if rest := len(b) % indexPart; rest > 0 {
		if rest < 4+indexEntryLen || (rest-4)%indexEntryLen != 0 {
			return errSection
		}
		n += (rest - 4) / indexEntryLen
	}
	m, err := alloc(n * indexEntryLen)
	if err != nil {
		return err
	}
	x.end = end
	if n > 0 {
		x.tokens = unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(m))), n)[:0]
		x.places = m[8*n:][: 0 : 5*n]
	}
	for len(b) > 0 {
		part := b[:min(len(b), indexPart)]
		b = b[len(part):]
		body := part[:len(part)-4]
		if binary.LittleEndian.Uint32(part[len(body):]) != encoding.CRC32C(body) {
			return errors.New("index checksum does not match")
		}
		k := len(body) / indexEntryLen
		for i := range k {
			x.tokens = append(x.tokens, binary.LittleEndian.Uint64(body[8*i:]))
		}
		x.places = append(x.places, body[8*k:]...)
	}
	for i := range x.tokens {
		if offset, length := x.at(i); length < trailerLen+1 || length > maxBlockRaw || i == 0 && offset != 0 {
			return errSection
		}
		if i > 0 && x.tokens[i] < x.tokens[i-1] {
			return errSection
		}
	}
	if n == 0 && end != 0 {
		return errSection
	}
	return nil
}
