package bloom

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"unsafe"

	bb "github.com/bits-and-blooms/bloom/v3"

	"github.com/ilion-db/ilion/internal/invariant"
)

// Layout says how a filter's bits lie. On disk, never renumber.
type Layout uint8

// Layouts. Default is what a writer uses when nothing else is asked for:
// a miss in a large filter costs about a quarter of the standard layout's.
const (
	Standard Layout = 1
	Blocked  Layout = 2
	Default         = Blocked
)

// String names the layout.
func (l Layout) String() string {
	switch l {
	case Standard:
		return "standard"
	case Blocked:
		return "blocked"
	}
	return fmt.Sprintf("layout(%d)", uint8(l))
}

const (
	headerLen = 32
	lineBits  = 512
	lineBytes = lineBits / 8
	maxK      = 30
)

// ErrCorrupt is wrapped by every error of Decode.
var ErrCorrupt = errors.New("bloom: corrupt filter")

// Filter is an immutable filter over words that may lie off the heap.
type Filter struct {
	layout Layout
	k      uint8
	m      uint64
	keys   uint64
	words  []byte // the words of the format, 8 bytes each
	std    *bb.BloomFilter
}

// Build makes a filter of the hashes for a wanted rate of false positives,
// between 1e-6 and 0.5. Hashes may repeat.
func Build(layout Layout, hashes []Hash, fp float64) *Filter {
	k, m := Size(layout, len(hashes), fp)
	f := &Filter{layout: layout, k: uint8(k), m: m, keys: uint64(len(hashes))}
	words := make([]uint64, (m+63)/64)
	f.words = unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), len(words)*8)
	if layout == Standard {
		f.std = bb.FromWithM(words, uint(m), uint(k))
		var key [8]byte
		for _, h := range hashes {
			binary.LittleEndian.PutUint64(key[:], uint64(h))
			f.std.Add(key[:])
		}
		if !littleEndian {
			f.words = wordsToBytes(words)
		}
		return f
	}
	lines := m / lineBits
	for _, h := range hashes {
		setLine(f.line(h, lines), h, int(k))
	}
	if invariant.Enabled {
		for _, h := range hashes {
			invariant.Check(f.MayContain(h), "bloom: %x was added and is not there", h)
		}
	}
	return f
}

// Keys is the number of hashes that the filter was built of.
func (f *Filter) Keys() uint64 { return f.keys }

// Bytes is the memory that the filter's words take.
func (f *Filter) Bytes() int { return len(f.words) }

// MayContain tells whether the hash may be in the filter; false is certain.
func (f *Filter) MayContain(h Hash) bool {
	if f.std != nil {
		var key [8]byte
		binary.LittleEndian.PutUint64(key[:], uint64(h))
		return f.std.Test(key[:])
	}
	return testLine(f.line(h, f.m/lineBits), h, int(f.k))
}

func (f *Filter) line(h Hash, lines uint64) []byte {
	at, _ := bits.Mul64(uint64(h), lines)
	return f.words[at*lineBytes:][:lineBytes]
}

func firstGroups(h Hash) uint64 {
	x := uint64(h) * mulA
	return x ^ x>>32
}

func nextGroups(x uint64) uint64 {
	x *= mulB
	return x ^ x>>32
}

func setLine(line []byte, h Hash, k int) {
	x := firstGroups(h)
	for k > 0 {
		g := x
		for range min(k, 7) {
			line[g>>3&63] |= 1 << (g & 7)
			g >>= 9
		}
		k -= 7
		x = nextGroups(x)
	}
}

func testLine(line []byte, h Hash, k int) bool {
	_ = line[lineBytes-1]
	x := firstGroups(h)
	for k > 0 {
		g := x
		for range min(k, 7) {
			if line[g>>3&63]>>(g&7)&1 == 0 {
				return false
			}
			g >>= 9
		}
		k -= 7
		x = nextGroups(x)
	}
	return true
}

// AppendTo appends the encoded filter.
func (f *Filter) AppendTo(dst []byte) []byte {
	dst = append(dst, byte(f.layout), f.k, 0, 0, 0, 0, 0, 0)
	dst = binary.LittleEndian.AppendUint64(dst, f.m)
	dst = binary.LittleEndian.AppendUint64(dst, f.keys)
	dst = binary.LittleEndian.AppendUint64(dst, 0)
	return append(dst, f.words...)
}

// Decode reads a filter. A blocked filter aliases b; a standard one does if
// its words lie aligned in memory, else it copies them.
func Decode(b []byte) (*Filter, error) {
	if len(b) < headerLen {
		return nil, fmt.Errorf("%w: %d bytes", ErrCorrupt, len(b))
	}
	f := &Filter{
		layout: Layout(b[0]), k: b[1],
		m:    binary.LittleEndian.Uint64(b[8:]),
		keys: binary.LittleEndian.Uint64(b[16:]),
	}
	zero := binary.LittleEndian.Uint64(b)>>16 | binary.LittleEndian.Uint64(b[24:])
	if f.k == 0 || f.k > maxK || f.m == 0 || zero != 0 {
		return nil, fmt.Errorf("%w: k %d, %d bits", ErrCorrupt, f.k, f.m)
	}
	words := f.m / 64
	if f.m%64 != 0 {
		words++
	}
	if have := uint64(len(b) - headerLen); words > have/8 || words*8 != have {
		return nil, fmt.Errorf("%w: %d bits in %d bytes", ErrCorrupt, f.m, have)
	}
	f.words = b[headerLen:]
	switch f.layout {
	case Blocked:
		if f.m%lineBits != 0 {
			return nil, fmt.Errorf("%w: %d bits are no whole lines", ErrCorrupt, f.m)
		}
	case Standard:
		f.std = bb.FromWithM(bytesToWords(f.words), uint(f.m), uint(f.k))
	default:
		return nil, fmt.Errorf("%w: unknown %v", ErrCorrupt, f.layout)
	}
	return f, nil
}
