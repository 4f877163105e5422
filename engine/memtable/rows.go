package memtable

import (
	"sync/atomic"
	"unsafe"

	"github.com/ilion-db/ilion/mutation"
)

// Rows looks several rows up at once, so that the waits for memory overlap. Init
// starts it and Close ends it; in between it keeps what it has found from being
// used again, so it must not be held while waiting for anything slow. The zero
// value is ready for Init. Not safe for concurrent use.
type Rows struct {
	body   *body
	pin    *pin
	places [RowsAtOnce]place
	found  [RowsAtOnce]ref // partitions, 0 for none
	states [RowsAtOnce]ref
}

// RowsAtOnce is how many rows Find takes at most.
const RowsAtOnce = warmAhead

// Init starts looking rows up in m.
func (r *Rows) Init(m *Memtable) {
	if r.body = m.body.Load(); r.body != nil {
		r.pin = r.body.epochs.enter(unsafe.Pointer(r))
	}
}

// Close lets go of what was found.
func (r *Rows) Close() {
	if r.pin != nil {
		r.pin.leave()
	}
	r.pin, r.body = nil, nil
}

// Find finds the partitions of at most RowsAtOnce rows. Has and Row tell what
// there is of them.
func (r *Rows) Find(keys []mutation.RowKey) {
	n := len(keys)
	found := r.found[:n]
	clear(found)
	if r.body == nil {
		return
	}
	a := &r.body.arena
	var dirs [RowsAtOnce]*directory
	for i := range keys {
		w := &r.places[i]
		w.head, w.key = keys[i].Token.Ordered(), keys[i].Key.Key
		dirs[i] = r.body.shardOf(w.head).dir.Load()
		found[i] = ref(atomic.LoadUint32(dirs[i].head(a, dirs[i].slotOf(w.head))))
	}
	// The loads of one round do not depend on each other.
	for _, p := range found {
		if p != 0 && p != crowded {
			a.next(p)
		}
	}
	for i := range found {
		if found[i] != 0 {
			found[i] = a.lookup(dirs[i], &r.body.crowd, &r.places[i])
		}
	}
	for i, p := range found {
		if p != 0 {
			r.states[i] = ref(atomic.LoadUint32(u32(a.at(p), offState)))
		}
	}
	for i, p := range found {
		if p != 0 {
			atomic.LoadUint32(u32(a.at(r.states[i]&^tag), 0))
		}
	}
	clear(r.places[:n])
}

// Has tells whether there is anything of the i-th row's partition.
func (r *Rows) Has(i int) bool { return r.found[i] != 0 }

// Row is what is stored of the i-th row, nil for nothing. It is whole and valid
// until Close. False means that more belongs to it: another version, or a
// deletion, or static columns.
func (r *Rows) Row(i int, clustering []byte) (row []byte, whole bool) {
	if r.found[i] == 0 {
		return nil, true
	}
	a := &r.body.arena
	st := a.load(r.states[i])
	if st.deletion.Set || st.static != 0 || st.ranges != 0 {
		return nil, false
	}
	if st.rows == 0 {
		return nil, true
	}
	w := placeOf(clustering)
	e := a.rowAt(st.rows, &w)
	if e == 0 {
		return nil, true
	}
	return a.row(e), a.older(e) == 0
}
