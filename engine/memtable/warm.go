package memtable

import (
	"sync/atomic"
	"unsafe"

	"github.com/ilion-db/ilion/mutation"
)

// warmAhead is how many records or slots are looked up together: about as many
// misses of its caches as a core waits for at once.
const warmAhead = 16

// PutAll applies records that need not be seen together. Each costs less than
// with Put in a large memtable: where they belong is looked up for several at
// once, so that the waits for memory overlap. An error means that a record is
// malformed; those before it are applied.
func (m *Memtable) PutAll(records []mutation.Record) error {
	for len(records) > 0 {
		n := min(warmAhead, len(records))
		m.warm(records[:n])
		for _, r := range records[:n] {
			if err := m.Put(r, nil); err != nil {
				return err
			}
		}
		records = records[n:]
	}
	return nil
}

// warm brings into the cache what find will look at first for records whose
// headers have been checked: the heads of their slots and the partitions there.
// It changes nothing.
func (m *Memtable) warm(records []mutation.Record) {
	b := m.body.Load()
	if b == nil || len(records) < 2 {
		return
	}
	var refs [warmAhead]ref
	pin := b.epochs.enter(unsafe.Pointer(&refs))
	defer pin.leave()
	a := &b.arena
	shards := *b.shards.Load()
	for i, r := range records {
		token := r.Token().Ordered()
		d := shards[shardIndex(token, len(shards))].dir.Load()
		refs[i] = ref(atomic.LoadUint32(d.head(a, d.slotOf(token))))
	}
	// The loads of one round do not depend on each other.
	for range 2 {
		for i, p := range refs[:len(records)] {
			if p != 0 && p != crowded {
				refs[i] = a.next(p)
			}
		}
	}
}

// warmSlots brings into the cache what the walk meets in the next slots: the
// first partition of each, with its state or its only row.
func (it *Iter) warmSlots() {
	a := &it.body.arena
	var refs [warmAhead]ref
	n := int(min(warmAhead, it.dir.end()-it.slot))
	it.warm = it.slot + uint64(n)
	for i := range n {
		refs[i] = ref(atomic.LoadUint32(it.dir.head(a, it.slot+uint64(i))))
	}
	for i, p := range refs[:n] {
		if p == 0 || p == crowded {
			refs[i] = 0
			continue
		}
		refs[i] = ref(atomic.LoadUint32(u32(a.at(p), offState))) &^ tag
	}
	for _, e := range refs[:n] {
		if e != 0 {
			atomic.LoadUint32(u32(a.at(e), 0))
		}
	}
}
