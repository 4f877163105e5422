package memtable

import (
	"sync/atomic"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/mutation"
)

// apply links a verified record. s.mu is held.
func (s *shard) apply(b *body, r mutation.Record, o Observer, sum *summary) {
	s.space.txn++
	s.space.run = run{}
	w := place{head: r.Token().Ordered(), key: r.Key()}
	d := s.dir.Load()
	f := s.find(b, d, &w)
	var st state
	var was ref
	if f.at != 0 {
		was = ref(*u32(s.space.arena.at(f.at), offState))
		st = s.space.arena.load(was)
	}
	e := r.Entries()
	for e.Next() {
		s.entry(&st, r, &e, o, sum)
	}
	invariant.Check(e.Err() == nil, "memtable: record that was accepted does not decode: %v", e.Err())
	now := s.space.store(&st)
	if f.at != 0 {
		if was&tag == 0 {
			s.space.retire(was, stateSize)
		}
		atomic.StoreUint32(u32(s.space.arena.at(f.at), offState), uint32(now))
	} else {
		sum.newPartition = true
		s.link(b, d, &f, s.space.newPartition(&w, now))
	}
	s.space.settle()
}

// entry applies one entry of a record to st.
func (s *shard) entry(st *state, r mutation.Record, e *mutation.EntryReader, o Observer, sum *summary) {
	switch e.Kind {
	case mutation.EntryPartitionDeletion:
		st.deletion = st.deletion.Max(e.Deletion)
	case mutation.EntryRangeDeletion:
		st.ranges = s.space.deleteRange(st.ranges, e.Start, e.End, e.Deletion)
	case mutation.EntryStatic:
		w := place{row: e.Row}
		before := s.observed(o, st.static)
		st.static = s.space.entryOf(st.static, &w)
		if o != nil {
			o.Row(r, nil, before, s.observed(o, st.static))
		}
	case mutation.EntryRow:
		w := placeOf(e.Clustering)
		w.row = e.Row
		var before []byte
		if o != nil {
			before = s.observed(o, s.space.arena.rowAt(st.rows, &w))
		}
		st.rows = s.space.upsert(st.rows, &w)
		if w.added {
			sum.newRows++
		}
		if o != nil {
			o.Row(r, e.Clustering, before, s.observed(o, s.space.arena.rowAt(st.rows, &w)))
		}
	}
}

// rowAt returns the entry at the place in rows, 0 if there is none.
func (a *arena) rowAt(rows ref, w *place) ref {
	switch {
	case rows&tag != 0:
		return a.find(rows&^tag, w)
	case rows != 0:
		if k := placeOf(a.key(rows)); k.compare(w) == 0 {
			return rows
		}
	}
	return 0
}

// observed returns the whole row of an entry for an observer. Observers are
// rare and may allocate.
func (s *shard) observed(o Observer, e ref) []byte {
	if o == nil || e == 0 {
		return nil
	}
	versions := s.space.arena.versions(e, nil)
	if len(versions) == 1 {
		return versions[0]
	}
	row, err := s.space.rec.Merge(nil, mutation.Deletion{}, versions...)
	invariant.Check(err == nil, "memtable: row that was accepted does not decode: %v", err)
	return row
}

// found is where a partition is or would be.
type found struct {
	at     ref  // 0 if it is not there
	prev   ref  // in the list of its slot, 0 for the head
	next   ref  // what comes behind the place
	inTree bool // in the crowd
	length int  // of the slot's list as far as it was walked
	place  *place
}

// find looks for a partition and moves the slot's head to its first own
// partition on the way.
func (s *shard) find(b *body, d *directory, w *place) (f found) {
	a := s.space.arena
	slot := d.slotOf(w.head)
	head := d.head(a, slot)
	f.place = w
	h := ref(*head)
	if h == crowded {
		f.inTree = true
		f.at = a.find(ref(b.crowd.root.Load()), w)
		return f
	}
	first := h
	for h != 0 && d.slotOf(a.token(h)) < slot {
		h = a.next(h)
	}
	if h != first {
		atomic.StoreUint32(head, uint32(h))
	}
	for f.next = h; f.next != 0; f.next = a.next(f.next) {
		c := a.comparePartition(f.next, w)
		if c == 0 {
			f.at = f.next
			return f
		}
		if c > 0 {
			return f
		}
		f.prev = f.next
		f.length++
	}
	return f
}

// link publishes a new partition.
func (s *shard) link(b *body, d *directory, f *found, p ref) {
	a := s.space.arena
	slot := d.slotOf(f.place.head)
	switch {
	case f.inTree:
		b.crowd.add(f.place, p)
	case f.prev == 0:
		*u32(a.at(p), offNext) = uint32(f.next)
		atomic.StoreUint32(d.head(a, slot), uint32(p))
	default:
		*u32(a.at(p), offNext) = uint32(f.next)
		atomic.StoreUint32(u32(a.at(f.prev), offNext), uint32(p))
	}
	if f.length >= maxList && !f.inTree {
		s.moveToCrowd(b, d, slot)
	}
	if s.partitions++; s.partitions > maxLoad*d.slots() {
		s.dir.Store(d.doubled(&s.space))
	}
}

// moveToCrowd puts the partitions of a slot into the tree of the crowd.
func (s *shard) moveToCrowd(b *body, d *directory, slot uint64) {
	a := s.space.arena
	head := d.head(a, slot)
	for p := ref(*head); p != 0 && d.slotOf(a.token(p)) <= slot; p = a.next(p) {
		if d.slotOf(a.token(p)) == slot {
			b.crowd.add(&place{head: a.token(p), key: a.key(p)}, p)
		}
	}
	atomic.StoreUint32(head, uint32(crowded))
}

func (c *crowd) add(w *place, p ref) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.space.txn++
	w.entry = p
	c.root.Store(uint32(c.space.insert(ref(c.root.Load()), w)))
	c.space.settle()
}
