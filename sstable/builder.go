package sstable

import (
	"encoding/binary"
	"math/bits"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/mutation"
)

// span is a piece of the builder's heap.
type span struct{ from, to int }

type partRef struct {
	token    uint64
	key      span
	static   span
	deletion mutation.Deletion
	flags    byte
	first    int
}

type entryRef struct {
	clustering span
	body       span
	boundary   bool
}

// builder collects the content of one block and encodes it. Keys are kept
// whole until then, because only then the common prefix is known.
type builder struct {
	heap    []byte
	parts   []partRef
	entries []entryRef
	keyPre  int // length of the common prefix of all keys, and of all clusterings
	clusPre int
	size    int // estimate of everything but the prefixes' saving
	meta    blockMeta
	out     []byte
}

// blockMeta is what a block says about its content.
type blockMeta struct {
	flags            uint16
	minTime, maxTime int64
	openStart        mutation.Deletion
	openEnd          mutation.Deletion
}

func newBlockMeta() blockMeta { return blockMeta{minTime: 1<<63 - 1, maxTime: -1 << 63} }

func (m *blockMeta) timestamp(ts int64) {
	m.minTime, m.maxTime = min(m.minTime, ts), max(m.maxTime, ts)
}

func (b *builder) reset() {
	if cap(b.heap) > keepBlock {
		b.heap, b.out = nil, nil
	}
	b.heap, b.parts, b.entries = b.heap[:0], b.parts[:0], b.entries[:0]
	b.keyPre, b.clusPre = 0, 0
	b.size = blockHeader + 2*deletionLen + blockPad
	b.meta = newBlockMeta()
}

func (b *builder) empty() bool { return len(b.parts) == 0 }

func (b *builder) keep(p []byte) span {
	from := len(b.heap)
	b.heap = append(b.heap, p...)
	return span{from, len(b.heap)}
}

func (b *builder) bytes(s span) []byte { return b.heap[s.from:s.to] }

func commonPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	i := 0
	for ; i+8 <= n; i += 8 {
		if x := binary.LittleEndian.Uint64(a[i:]) ^ binary.LittleEndian.Uint64(b[i:]); x != 0 {
			return i + bits.TrailingZeros64(x)/8
		}
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

const (
	maxShort  = 1<<16 - 1         // the largest block with offsets of 2 bytes
	partCost  = 8 + 2 + 2 + 1 + 1 // token, first entry, end, flags, length
	entryCost = 2 + 1             // end, length and kind
)

// estimate is the most that the block can take with offsets of 2 bytes.
func (b *builder) estimate() int {
	size := b.size
	if n := len(b.parts); n > 1 {
		size -= (n - 1) * b.keyPre
	}
	if n := len(b.entries); n > 1 {
		size -= (n - 1) * b.clusPre
	}
	return size
}

// fits tells whether the block stays within target with n more partitions of
// that key and static row (head), and one entry.
func (b *builder) fits(target int, head *mutation.Partition, clustering, body []byte) bool {
	size := b.size + entryCost + len(clustering) + len(body)
	parts, entries := len(b.parts), len(b.entries)
	keyPre, clusPre := b.keyPre, b.clusPre
	if head != nil {
		size += partCost + len(head.Key) + deletionLen + len(head.Static)
		if parts > 0 {
			keyPre = commonPrefix(b.bytes(b.parts[0].key)[:keyPre], head.Key)
		}
		size -= parts * keyPre
	} else if parts > 1 {
		size -= (parts - 1) * keyPre
	}
	if entries > 0 {
		clusPre = commonPrefix(b.bytes(b.entries[0].clustering)[:clusPre], clustering)
		size -= entries * clusPre
	}
	return size <= min(target, maxShort)
}

func (b *builder) addPart(token uint64, p *mutation.Partition, continued bool) {
	ref := partRef{token: token, key: b.keep(p.Key), first: len(b.entries)}
	if continued {
		ref.flags = partContinued
		b.meta.flags |= blockContinues
	} else {
		if p.Deletion.Set {
			ref.flags |= partDeletion
			ref.deletion = p.Deletion
			b.size += deletionLen
		}
		if len(p.Static) > 0 {
			ref.flags |= partStatic
			ref.static = b.keep(p.Static)
		}
	}
	if len(b.parts) == 0 {
		b.keyPre = len(p.Key)
	} else {
		b.keyPre = commonPrefix(b.bytes(b.parts[0].key)[:b.keyPre], p.Key)
	}
	b.size += partCost + len(p.Key) + ref.static.to - ref.static.from
	if len(p.Key) >= 128 {
		b.size += 2
	}
	b.parts = append(b.parts, ref)
}

func (b *builder) addEntry(clustering, body []byte, isBoundary bool) {
	if len(b.entries) == 0 {
		b.clusPre = len(clustering)
	} else {
		b.clusPre = commonPrefix(b.bytes(b.entries[0].clustering)[:b.clusPre], clustering)
	}
	b.entries = append(b.entries, entryRef{b.keep(clustering), b.keep(body), isBoundary})
	b.size += entryCost + len(clustering) + len(body)
	if len(clustering) >= 64 {
		b.size += 2
	}
	if isBoundary {
		b.meta.flags |= blockBoundaries
	}
}

// finish encodes the block; the result is valid until the next finish.
func (b *builder) finish() []byte {
	invariant.Check(len(b.parts) > 0, "sstable: empty block")
	flags := b.meta.flags
	first, last := b.parts[0].token, b.parts[len(b.parts)-1].token
	width := (bits.Len64(last-first) + 7) / 8
	one := len(b.parts) == len(b.entries)
	for i := 0; one && i < len(b.parts); i++ {
		one = b.parts[i].first == i
	}
	if one {
		flags |= blockOneEach
	}
	offLen := 2
	if b.estimate() > maxShort {
		flags |= blockWide
		offLen = 4
	}
	if b.meta.openStart.Set {
		flags |= blockOpenStart
	}
	if b.meta.openEnd.Set {
		flags |= blockOpenEnd
	}
	dst := b.out[:0]
	dst = binary.LittleEndian.AppendUint16(dst, flags)
	dst = append(dst, byte(width), 0)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(b.parts)))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(b.entries)))
	dst = binary.LittleEndian.AppendUint64(dst, first)
	dst = binary.LittleEndian.AppendUint64(dst, last)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(b.meta.minTime))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(b.meta.maxTime))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(b.keyPre))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(b.clusPre))
	if b.meta.openStart.Set {
		dst = appendDeletion(dst, b.meta.openStart)
	}
	if b.meta.openEnd.Set {
		dst = appendDeletion(dst, b.meta.openEnd)
	}
	dst = append(dst, b.bytes(b.parts[0].key)[:b.keyPre]...)
	if len(b.entries) > 0 {
		dst = append(dst, b.bytes(b.entries[0].clustering)[:b.clusPre]...)
	}
	for i := range b.parts {
		var t [8]byte
		binary.LittleEndian.PutUint64(t[:], b.parts[i].token-first)
		dst = append(dst, t[:width]...)
	}
	if !one {
		for i := range b.parts {
			dst = appendOffset(dst, offLen, b.parts[i].first)
		}
	}
	dst = b.appendHeaps(dst, offLen)
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
	b.out = dst
	return dst
}

func appendOffset(dst []byte, n, v int) []byte {
	if n == 2 {
		return binary.LittleEndian.AppendUint16(dst, uint16(v))
	}
	return binary.LittleEndian.AppendUint32(dst, uint32(v))
}

func setOffset(dst []byte, n, i, v int) {
	if n == 2 {
		binary.LittleEndian.PutUint16(dst[2*i:], uint16(v))
		return
	}
	binary.LittleEndian.PutUint32(dst[4*i:], uint32(v))
}

// appendHeaps appends the two columns of end offsets and the two heaps.
func (b *builder) appendHeaps(dst []byte, offLen int) []byte {
	partEnds := len(dst)
	entEnds := partEnds + len(b.parts)*offLen
	for range (len(b.parts) + len(b.entries)) * offLen {
		dst = append(dst, 0)
	}
	base := len(dst)
	for i := range b.parts {
		p := &b.parts[i]
		dst = append(dst, p.flags)
		key := b.bytes(p.key)[b.keyPre:]
		dst = binary.AppendUvarint(dst, uint64(len(key)))
		dst = append(dst, key...)
		if p.flags&partDeletion != 0 {
			dst = appendDeletion(dst, p.deletion)
		}
		dst = append(dst, b.bytes(p.static)...)
		setOffset(dst[partEnds:], offLen, i, len(dst)-base)
	}
	base = len(dst)
	for i := range b.entries {
		e := &b.entries[i]
		clustering := b.bytes(e.clustering)[b.clusPre:]
		h := uint64(len(clustering)) << 1
		if e.boundary {
			h |= entryBoundary
		}
		dst = binary.AppendUvarint(dst, h)
		dst = append(dst, clustering...)
		dst = append(dst, b.bytes(e.body)...)
		setOffset(dst[entEnds:], offLen, i, len(dst)-base)
	}
	return dst
}
