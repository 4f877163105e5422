package sstable

import (
	"github.com/ilion-db/ilion/ring"
)

// seekStart points at the first partition of the range.
func (it *Iter) seekStart() bool {
	r := it.src.r
	start := it.opt.Range.Start
	if r.idx.blocks() == 0 {
		it.state = iterEnd
		return false
	}
	if start == nil {
		if !it.load(0) {
			return false
		}
		it.at = 0
		return true
	}
	token := start.Token.Ordered()
	if start.Key == nil && start.After {
		if token++; token == 0 {
			it.state = iterEnd
			return false
		}
	}
	if !it.seekToken(token) {
		return false
	}
	// Keys count only among equal tokens.
	for start.Key != nil {
		b := &it.src.blk
		for ; it.at < b.parts && b.token(it.at) == token; it.at++ {
			c := b.compareKey(it.at, start.Key)
			if c > 0 || c == 0 && !start.After {
				return true
			}
		}
		if it.at < b.parts {
			return true
		}
		if !it.behind() {
			return false
		}
	}
	return true
}

// seekToken points at the first partition that begins in the table with at
// least that token, or behind the last of a block if it begins the next.
func (it *Iter) seekToken(token uint64) bool {
	no := max(it.src.r.idx.find(token), 0)
	if !it.load(no) {
		return false
	}
	b := &it.src.blk
	it.at = b.lowerToken(token)
	if it.at == 0 && b.flags&blockContinues != 0 {
		it.at = 1 // it began earlier, so its token is lower
	}
	return true
}

// behind goes to the next block in which a partition can begin and points at
// that partition or, if none does there, behind the last; it ends the iterator
// at the end of the table.
func (it *Iter) behind() bool {
	r := it.src.r
	no, goesOn := it.src.no, it.src.blk.flags&blockContinued != 0
	next := no + 1
	if goesOn {
		if seps := r.wide.of(no); seps.blocks > 0 {
			next = no + seps.blocks - 1
		}
	}
	if next >= r.idx.blocks() {
		if goesOn {
			return it.broken(no)
		}
		it.state = iterEnd
		it.src.release()
		return false
	}
	if !it.load(next) {
		return false
	}
	if goesOn != (it.src.blk.flags&blockContinues != 0) {
		return it.broken(next)
	}
	it.at = b2i(goesOn)
	return true
}

// SeekPartition moves to the partition of that key, in either direction and
// whatever the range; false if the table does not have it or on an error. The
// iterator then stands where a call of NextPartition yields the next partition.
func (it *Iter) SeekPartition(token ring.Token, key []byte) bool {
	if it.state == iterClosed || it.err != nil {
		return false
	}
	x := token.Ordered()
	no := it.src.r.idx.find(x)
	if no < 0 {
		it.state = iterStart
		return false
	}
	it.state = iterGap
	if !it.load(no) {
		return false
	}
	b := &it.src.blk
	it.at = b.lowerToken(x)
	if it.at == 0 && b.flags&blockContinues != 0 {
		it.at = 1
	}
	for {
		for ; it.at < b.parts; it.at++ {
			if b.token(it.at) != x {
				return false
			}
			if c := b.compareKey(it.at, key); c == 0 {
				return it.enter()
			} else if c > 0 {
				return false
			}
		}
		// Only a block that begins with the token can hold more of it.
		next := it.src.no + 1
		if next >= it.src.r.idx.blocks() || it.src.r.idx.tokens[next] > x || !it.behind() {
			return false
		}
	}
}

// Seek places the iterator at a clustering bound of the current partition.
func (it *Iter) Seek(bound []byte) {
	if it.state != iterPart {
		return
	}
	if it.opt.Reverse {
		it.seekReverse(bound)
		return
	}
	if len(bound) == 0 {
		return
	}
	if it.seps.blocks > 0 {
		if no := it.first + it.seps.find(bound, false); no > it.src.no && !it.follow(no) {
			return
		}
	}
	for {
		it.pos = it.src.blk.lowerEntry(it.pos, it.hi, bound)
		if it.pos < it.hi || !it.more() {
			break
		}
		if !it.follow(it.src.no + 1) {
			return
		}
	}
	it.reopen()
}

func (it *Iter) reopen() {
	b := &it.src.blk
	it.open = b.openAt(it.lo, it.pos, it.at == 0 && b.flags&blockContinues != 0)
}

func (it *Iter) seekReverse(bound []byte) {
	if !it.ended {
		it.toEnd(bound)
		return
	}
	if len(bound) == 0 {
		return
	}
	if it.seps.blocks > 0 {
		if no := it.first + it.seps.find(bound, true); no < it.src.no {
			if !it.follow(no) {
				return
			}
			it.pos = it.hi
		}
	}
	for {
		it.pos = it.src.blk.lowerEntry(it.lo, it.pos, bound)
		if it.pos > it.lo || it.src.no <= it.first {
			break
		}
		if !it.follow(it.src.no - 1) {
			return
		}
		it.pos = it.hi
	}
	it.reopen()
}

// toEnd places a reverse iterator behind the last item below bound, or at the
// end of the partition if bound is empty.
func (it *Iter) toEnd(bound []byte) bool {
	it.ended = true
	if it.seps.blocks > 0 {
		no := it.first + it.seps.blocks - 1
		if len(bound) > 0 {
			no = it.first + it.seps.find(bound, true)
		}
		if no > it.src.no && !it.follow(no) {
			return false
		}
	}
	for {
		it.pos = it.hi
		if len(bound) > 0 {
			if it.pos = it.src.blk.lowerEntry(it.lo, it.hi, bound); it.pos < it.hi {
				break
			}
		}
		if !it.more() {
			break
		}
		if it.seps.blocks > 0 && len(bound) > 0 {
			break // the block after this one begins at or above bound
		}
		if !it.follow(it.src.no + 1) {
			return false
		}
	}
	it.reopen()
	return true
}
