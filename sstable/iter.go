package sstable

import (
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
)

// IterOptions say how an iterator reads. The zero value reads all partitions
// in ascending order without entering blocks into the cache.
type IterOptions struct {
	Range   mutation.PartitionRange
	Reverse bool // items within a partition; partitions are always ascending
	// CacheOnly makes the first block that is neither in the cache nor mapped, nor
	// may be taken from the page cache, end the iterator with
	// mutation.ErrWouldBlock. So does a mapped one that is long.
	CacheOnly bool
	// PageCache points to how many bytes of blocks, decoded, CacheOnly may still
	// take from the page cache, of all iterators that have the pointer; nil is none.
	// They belong to one goroutine.
	PageCache *int
	// FillCache enters blocks that are read into the cache.
	FillCache bool
	// ReadAhead reads in large pieces, for scans and compaction.
	ReadAhead bool
}

// Iter streams a table or a part of it. It is reused: NewIter and Close keep
// its buffers, so that lookups allocate nothing. It belongs to one goroutine.
//
// Invariants: blk, if there is one, is a block of the current partition, which
// is partition at of it and has the entries [lo, hi) there; pos is the gap
// between entries at which the iterator stands.
type Iter struct {
	src   source
	opt   IterOptions
	state iterState

	part   mutation.Partition
	key    []byte
	static []byte
	token  uint64

	first int        // block where the partition begins
	seps  separators // of the partition, if it is wide
	at    int
	lo    int
	hi    int
	pos   int
	ended bool // in reverse: the end of the partition has been found
	item  mutation.Item
	clust []byte
	open  mutation.Deletion
	err   error
}

type iterState uint8

const (
	iterClosed iterState = iota
	iterStart            // before the first partition
	iterPart             // at a partition
	iterGap              // the block is right, the partition is not
	iterEnd
)

var _ mutation.Source = (*Iter)(nil)

// NewIter makes it, or a new iterator if it is nil, ready to read the table.
// The table must stay open until the iterator is closed.
func (r *Reader) NewIter(it *Iter, o IterOptions) *Iter {
	if it == nil {
		it = &Iter{}
	}
	it.src.reset(r)
	it.src.cacheOnly, it.src.pageCache = o.CacheOnly, o.PageCache
	it.src.fill, it.src.scrub, it.src.ahead = o.FillCache, false, 0
	if o.ReadAhead {
		it.src.ahead = initialReadAhead
		if o.Range.End != nil {
			it.src.limit = r.idx.endOf(o.Range.End.Token.Ordered())
		}
	}
	it.opt, it.state, it.err = o, iterStart, nil
	it.open, it.item = mutation.Deletion{}, mutation.Item{}
	return it
}

// Err is the error that ended the iterator, or nil.
func (it *Iter) Err() error { return it.err }

// Partition is the current partition.
func (it *Iter) Partition() *mutation.Partition { return &it.part }

// Item is the current item.
func (it *Iter) Item() *mutation.Item { return &it.item }

// Open is the range deletion in force where the iterator stands.
func (it *Iter) Open() mutation.Deletion {
	if it.opt.Reverse && it.state == iterPart && !it.ended && !it.toEnd(nil) {
		return mutation.Deletion{}
	}
	return it.open
}

// Close lets go of the block. The iterator may be used again with NewIter.
func (it *Iter) Close() {
	if it.state != iterClosed {
		it.src.close()
	}
	it.state = iterClosed
	it.opt = IterOptions{}
}

func (it *Iter) fail(err error) bool {
	it.err, it.state = err, iterEnd
	it.src.release()
	return false
}

func (it *Iter) load(no int) bool {
	if err := it.src.load(no); err != nil {
		return it.fail(err)
	}
	return true
}

// broken fails with a block that does not go with its neighbours.
func (it *Iter) broken(no int) bool {
	offset, _ := it.src.r.idx.at(no)
	return it.fail(it.src.r.corrupt(offset, "block does not go on where the one before ended"))
}

// NextPartition moves to the next partition of the range.
func (it *Iter) NextPartition() bool {
	switch it.state {
	case iterClosed, iterEnd:
		return false
	case iterStart:
		if !it.seekStart() {
			return false
		}
	case iterPart:
		if !it.skip() {
			return false
		}
	case iterGap:
	}
	// Partition at of blk, which may lie behind its last one, is the next.
	for it.at >= it.src.blk.parts {
		if !it.behind() {
			return false
		}
	}
	return it.enter() && it.inRange()
}

// inRange ends the iterator behind the range.
func (it *Iter) inRange() bool {
	if end := it.opt.Range.End; end != nil && end.ComparePartition(it.part.Token, it.part.Key) > 0 {
		it.state = iterEnd
		it.src.release()
		return false
	}
	return true
}

// skip goes behind what is left of the current partition. If that is the last
// of its block the next block is not read.
func (it *Iter) skip() bool {
	for it.more() {
		no := it.src.no + 1
		if it.seps.blocks > 0 {
			no = max(no, it.first+it.seps.blocks-1)
		}
		if !it.follow(no) {
			return false
		}
	}
	it.at++
	return true
}

// more tells whether the partition goes on in the next block.
func (it *Iter) more() bool {
	return it.src.blk.flags&blockContinued != 0 && it.at == it.src.blk.parts-1
}

// follow moves to another block of the current partition, later than first.
func (it *Iter) follow(no int) bool {
	if no >= it.src.r.idx.blocks() {
		return it.broken(it.src.no)
	}
	if !it.load(no) {
		return false
	}
	b := &it.src.blk
	if no == it.first {
		it.at = b.parts - 1
		if b.flags&blockContinued == 0 || b.last != it.token {
			return it.broken(no)
		}
	} else {
		it.at = 0
		if b.flags&blockContinues == 0 || b.first != it.token {
			return it.broken(no)
		}
	}
	it.lo, it.hi = b.firstEntry(it.at), b.firstEntry(it.at+1)
	it.pos = it.lo
	return true
}

// enter makes partition at of blk, which must begin there, the current one.
func (it *Iter) enter() bool {
	b := &it.src.blk
	flags, suffix, rest := b.part(it.at)
	if flags&partContinued != 0 {
		return it.broken(it.src.no)
	}
	it.token = b.token(it.at)
	it.key = append(append(it.key[:0], b.keyPre...), suffix...)
	it.part = mutation.Partition{Token: ring.TokenFromOrdered(it.token), Key: it.key}
	if flags&partDeletion != 0 {
		it.part.Deletion = deletionAt(rest)
		rest = rest[deletionLen:]
	}
	if flags&partStatic != 0 {
		it.static = append(it.static[:0], rest...)
		it.part.Static = it.static
	}
	it.first = it.src.no
	it.lo, it.hi = b.firstEntry(it.at), b.firstEntry(it.at+1)
	it.pos, it.ended = it.lo, false
	it.open = mutation.Deletion{}
	it.seps = separators{}
	if it.more() {
		it.seps = it.src.r.wide.of(it.first)
	}
	it.state = iterPart
	return true
}

// Next moves to the next item of the current partition.
func (it *Iter) Next() bool {
	if it.state != iterPart {
		return false
	}
	if it.opt.Reverse {
		return it.prev()
	}
	for it.pos == it.hi {
		if !it.more() {
			return false
		}
		if !it.follow(it.src.no + 1) {
			return false
		}
	}
	it.read(it.pos)
	it.pos++
	if it.item.Kind == mutation.ItemBoundary {
		it.open = it.item.After
	}
	return true
}

func (it *Iter) prev() bool {
	if !it.ended && !it.toEnd(nil) {
		return false
	}
	for it.pos == it.lo {
		if it.src.no <= it.first {
			return false
		}
		if !it.follow(it.src.no - 1) {
			return false
		}
		it.pos = it.hi
	}
	it.pos--
	it.read(it.pos)
	if it.item.Kind == mutation.ItemBoundary {
		it.open = it.item.Before
	}
	return true
}

// read decodes entry i into item.
func (it *Iter) read(i int) {
	b := &it.src.blk
	isBoundary, suffix, body := b.entry(i)
	if len(b.clustPre) == 0 {
		it.item.Clustering = suffix
	} else {
		it.clust = append(append(it.clust[:0], b.clustPre...), suffix...)
		it.item.Clustering = it.clust
	}
	if !isBoundary {
		it.item.Kind, it.item.Row = mutation.ItemRow, body
		return
	}
	it.item.Kind, it.item.Row = mutation.ItemBoundary, nil
	it.item.Before, it.item.After = boundary(body)
}
