package memtable

// run is where the transaction that runs has put a row last: rows of one
// partition come in order, and the next one mostly belongs behind it in the
// same leaf, without another way down from the root.
//
// The leaf is the transaction's own, so that it may be changed in place, and
// stays where it is until the tree is changed in another way; then the run
// starts anew.
type run struct {
	leaf node
	at   int // place of the last row in leaf
	ok   bool

	// While start goes down: what lies behind the leaf, the head and the entry
	// of the next one. An entry of 0 is nothing.
	tracks    bool
	aboveHead uint64
	above     ref
}

// start inserts w from the root and begins a run there.
func (r *run) start(s *space, root ref, w *place) ref {
	*r = run{tracks: true}
	root = s.insert(root, w)
	r.tracks = false
	return root
}

// passes notes on the way down that child i of n is entered.
func (r *run) passes(n node, i int) {
	if r.tracks && i+1 < n.count() {
		r.aboveHead, r.above = n.head(i+1), n.minOf(i+1)
	}
}

// arrives notes that a row was put into place i of the leaf, which was not
// split.
func (r *run) arrives(leaf node, i int) {
	if r.tracks {
		r.leaf, r.at, r.ok = leaf, i, true
	}
}

// insert puts w into the leaf of the run if it belongs behind the last row and
// there is room; else it does nothing.
func (r *run) insert(s *space, w *place) bool {
	n := r.leaf
	if !r.ok || n.count() == n.cap() || s.arena.compare(n, r.at, w) >= 0 {
		return false
	}
	if r.above != 0 {
		above := place{head: r.aboveHead, key: s.arena.key(r.above)}
		if w.compare(&above) >= 0 {
			return false
		}
	}
	i, there := r.at+1, false
	for ; i < n.count(); i++ {
		if c := s.arena.compare(n, i, w); c >= 0 {
			there = c == 0
			break
		}
	}
	if there {
		n.refs()[i] = s.entryOf(n.child(i), w)
	} else {
		n.insertAt(i, w.head, s.entryOf(0, w), 0)
	}
	r.at = i
	return true
}
