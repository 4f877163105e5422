package memtable

import (
	"bytes"
	"sync/atomic"
	"unsafe"

	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
)

// Iter reads a memtable; it is a mutation.Source. Init or InitKey start it and
// Close ends it; in between it keeps replaced pieces from being used again, so
// it must not be held while waiting for anything slow. The zero value is ready
// for Init, and an Iter that is reused allocates nothing.
//
// A partition is seen as it is when the Iter arrives at it. Partitions that
// are added meanwhile may or may not be seen.
type Iter struct {
	body    *body
	pin     *pin
	reverse bool

	// Where the walk over partitions is.
	shards  []*shard
	shard   int // place in shards
	dir     *directory
	slot    uint64
	warm    uint64 // slots below it have been warmed, or need not be
	node    ref    // in the list of slot, 0 before it
	inCrowd bool   // slot is crowded and crowd walks it
	crowd   cursor
	limits  mutation.PartitionRange
	started bool // limits.Start lies behind
	only    ref  // with InitKey: the one partition, then 0
	keyed   bool

	part   mutation.Partition
	rows   cursor
	ranges cursor
	open   mutation.Deletion
	item   mutation.Item
	err    error

	rec      mutation.Reconciler
	versions [][]byte
	static   []byte
	row      []byte
}

var _ mutation.Source = (*Iter)(nil)

func (it *Iter) begin(m *Memtable, reverse bool) {
	it.body = m.body.Load()
	it.reverse, it.keyed, it.only = reverse, false, 0
	it.part, it.item, it.open = mutation.Partition{}, mutation.Item{}, mutation.Deletion{}
	it.rows.entry, it.ranges.entry = 0, 0
	it.rows.depth, it.ranges.depth = 0, 0
	it.err = nil
	it.shards, it.shard, it.dir, it.node, it.inCrowd = nil, 0, nil, 0, false
	it.started = false
	if it.body != nil {
		it.pin = it.body.epochs.enter(unsafe.Pointer(it))
		it.shards = *it.body.shards.Load()
	}
}

// Init starts to read the partitions of the range; in reverse the items within
// a partition descend. The bounds must not change until Close.
func (it *Iter) Init(m *Memtable, limits mutation.PartitionRange, reverse bool) {
	it.begin(m, reverse)
	it.limits = limits
	if it.body == nil {
		return
	}
	from := uint64(0)
	if b := limits.Start; b != nil {
		from = b.Token.Ordered()
	}
	it.started = limits.Start == nil
	it.shard = shardIndex(from, len(it.shards))
	it.dir = it.shards[it.shard].dir.Load()
	it.slot = it.dir.slotOf(from)
	it.warm = it.slot + warmAhead // a short walk needs nothing
	it.enterSlot(from)
}

// InitKey starts to read one partition and tells whether there is one; then
// NextPartition yields it.
func (it *Iter) InitKey(m *Memtable, token ring.Token, key []byte, reverse bool) bool {
	it.begin(m, reverse)
	it.keyed = true
	return it.Get(token, key)
}

// Get moves an Iter that InitKey has started to another partition, in any
// order, and tells whether there is one; then NextPartition yields it.
func (it *Iter) Get(token ring.Token, key []byte) bool {
	if it.body == nil {
		return false
	}
	w := place{head: token.Ordered(), key: key}
	s := it.body.shardOf(w.head)
	it.only = it.body.arena.lookup(s.dir.Load(), &it.body.crowd, &w)
	return it.only != 0
}

// enterSlot starts the walk of it.slot at the tokens from there on.
func (it *Iter) enterSlot(from uint64) {
	a := &it.body.arena
	h := ref(atomic.LoadUint32(it.dir.head(a, it.slot)))
	it.node, it.inCrowd = h, h == crowded
	if it.inCrowd {
		it.node = 0
		w := place{head: max(from, it.slot<<(64-it.dir.bits))}
		it.crowd.start(a, tag|ref(it.body.crowd.root.Load()))
		if it.crowd.seek(&w) {
			it.node = it.crowd.entry
		}
	}
}

// nextNode returns the next partition of the walk, 0 at the end.
func (it *Iter) nextNode() ref {
	a := &it.body.arena
	for {
		for it.node != 0 {
			n := it.node
			if it.inCrowd {
				it.node = 0
				if it.crowd.next() {
					it.node = it.crowd.entry
				}
			} else {
				it.node = a.next(n)
			}
			switch s := it.dir.slotOf(a.token(n)); {
			case s == it.slot:
				return n
			case s > it.slot:
				it.node = 0
			}
		}
		if it.slot++; it.slot == it.dir.end() {
			if it.shard++; it.shard == len(it.shards) {
				it.slot--
				it.shard--
				return 0
			}
			it.dir = it.shards[it.shard].dir.Load()
			it.slot = it.dir.first
			it.warm = it.slot
		}
		if it.slot >= it.warm {
			it.warmSlots()
		}
		it.enterSlot(0)
	}
}

// NextPartition implements mutation.Source.
func (it *Iter) NextPartition() bool {
	if it.body == nil || it.err != nil {
		return false
	}
	if it.keyed {
		n := it.only
		it.only = 0
		return n != 0 && it.enter(n)
	}
	a := &it.body.arena
	for {
		n := it.nextNode()
		if n == 0 {
			return false
		}
		token, key := ring.TokenFromOrdered(a.token(n)), a.key(n)
		if !it.started {
			if it.limits.Start.ComparePartition(token, key) < 0 {
				continue
			}
			it.started = true
		}
		if e := it.limits.End; e != nil && e.ComparePartition(token, key) > 0 {
			it.node, it.shard = 0, len(it.shards)-1
			it.dir = it.shards[it.shard].dir.Load()
			it.slot = it.dir.end() - 1
			return false
		}
		return it.enter(n)
	}
}

// enter makes n the current partition.
func (it *Iter) enter(n ref) bool {
	a := &it.body.arena
	st := a.load(ref(atomic.LoadUint32(u32(a.at(n), offState))))
	it.part = mutation.Partition{
		Token:    ring.TokenFromOrdered(a.token(n)),
		Key:      a.key(n),
		Deletion: st.deletion,
	}
	if st.static != 0 {
		var ok bool
		if it.part.Static, ok = it.whole(st.static, &it.static); !ok {
			return false
		}
	}
	it.rows.start(a, st.rows)
	it.ranges.start(a, 0)
	it.open = mutation.Deletion{}
	if st.ranges != 0 {
		it.ranges.start(a, tag|st.ranges)
	}
	if it.reverse {
		it.rows.last()
		if it.ranges.last() {
			it.open = a.above(it.ranges.entry)
		}
	} else {
		it.rows.first()
		it.ranges.first()
	}
	return true
}

// whole returns the row of an entry, reconciled if it has older versions.
func (it *Iter) whole(e ref, buf *[]byte) ([]byte, bool) {
	a := &it.body.arena
	if a.older(e) == 0 {
		return a.row(e), true
	}
	it.versions = a.versions(e, it.versions[:0])
	out, err := it.rec.Merge((*buf)[:0], mutation.Deletion{}, it.versions...)
	if err != nil {
		it.err = err
		return nil, false
	}
	*buf = out
	return out, true
}

// Partition implements mutation.Source.
func (it *Iter) Partition() *mutation.Partition { return &it.part }

// Open implements mutation.Source.
func (it *Iter) Open() mutation.Deletion { return it.open }

// Item implements mutation.Source.
func (it *Iter) Item() *mutation.Item { return &it.item }

// Err implements mutation.Source.
func (it *Iter) Err() error { return it.err }

// Seek implements mutation.Source.
func (it *Iter) Seek(bound []byte) {
	if it.body == nil || len(bound) == 0 {
		return
	}
	a := &it.body.arena
	w := placeOf(bound)
	if e := it.rows.entry; e != 0 && it.passes(a.key(e), bound) {
		if it.reverse {
			it.rows.seekBelow(&w)
		} else {
			it.rows.seek(&w)
		}
	}
	e := it.ranges.entry
	if e == 0 || !it.passes(a.key(e), bound) {
		return
	}
	if it.reverse {
		it.open = mutation.Deletion{}
		if it.ranges.seekBelow(&w) {
			it.open = a.above(it.ranges.entry)
		}
		return
	}
	// The deletion in force is that above the last boundary below.
	below := it.ranges
	if it.ranges.seekBelow(&w) {
		it.open = a.above(it.ranges.entry)
	}
	it.ranges = below
	it.ranges.seek(&w)
}

// passes tells whether a seek to bound passes the key.
func (it *Iter) passes(key, bound []byte) bool {
	return (bytes.Compare(key, bound) < 0) != it.reverse
}

// Next implements mutation.Source.
func (it *Iter) Next() bool {
	if it.body == nil || it.err != nil {
		return false
	}
	a := &it.body.arena
	row, edge := it.rows.entry, it.ranges.entry
	if row == 0 && edge == 0 {
		return false
	}
	if edge != 0 && row != 0 {
		if (bytes.Compare(a.key(edge), a.key(row)) <= 0) != it.reverse {
			row = 0
		} else {
			edge = 0
		}
	}
	if row != 0 {
		it.item = mutation.Item{Kind: mutation.ItemRow, Clustering: a.key(row)}
		var ok bool
		if it.item.Row, ok = it.whole(row, &it.row); !ok {
			return false
		}
		it.rows.step(it.reverse)
		return true
	}
	it.item = mutation.Item{Kind: mutation.ItemBoundary, Clustering: a.key(edge)}
	it.ranges.step(it.reverse)
	if it.reverse {
		it.item.After = it.open
		if e := it.ranges.entry; e != 0 {
			it.item.Before = a.above(e)
		}
		it.open = it.item.Before
		return true
	}
	it.item.Before, it.item.After = it.open, a.above(edge)
	it.open = it.item.After
	return true
}

// Close implements mutation.Source. What the Iter has yielded dies.
func (it *Iter) Close() {
	if it.pin != nil {
		it.pin.leave()
		it.pin = nil
	}
	it.body, it.shards, it.dir = nil, nil, nil
	it.only = 0
}
