package memtable

import "bytes"

// place is what is looked for or put into a tree.
type place struct {
	head uint64 // orders first; equal heads are told apart by key
	key  []byte

	// row is what an insert adds at the place: merged into the row that is
	// there, or with replace instead of it. If entry is set, it is linked as it
	// is.
	row     []byte
	replace bool
	entry   ref

	added bool // the place was empty
}

func placeOf(key []byte) place { return place{head: keyHead(key), key: key} }

// compare orders two places.
func (w *place) compare(o *place) int {
	switch {
	case w.head < o.head:
		return -1
	case w.head > o.head:
		return 1
	}
	return bytes.Compare(w.key, o.key)
}

// compare orders the i-th entry of n against the place.
func (a *arena) compare(n node, i int, w *place) int {
	switch h := n.head(i); {
	case h < w.head:
		return -1
	case h > w.head:
		return 1
	}
	return bytes.Compare(a.key(n.entry(i)), w.key)
}

// search returns the first entry of n at or above the place and whether it is
// at it.
func (a *arena) search(n node, w *place) (int, bool) {
	lo, hi := 0, n.count()
	for lo < hi {
		mid := (lo + hi) / 2
		switch c := a.compare(n, mid, w); {
		case c < 0:
			lo = mid + 1
		case c > 0:
			hi = mid
		default:
			return mid, true
		}
	}
	return lo, false
}

// childOf returns the child of n in which the place belongs.
func (a *arena) childOf(n node, w *place) int {
	i, at := a.search(n, w)
	if !at && i > 0 {
		i--
	}
	return i
}

// find returns the entry at the place, 0 if there is none.
func (a *arena) find(root ref, w *place) ref {
	for root != 0 {
		n := a.node(root)
		if n.leaf() {
			if i, at := a.search(n, w); at {
				return n.child(i)
			}
			return 0
		}
		root = n.child(a.childOf(n, w))
	}
	return 0
}

// insert returns the root of the tree with w in it. root may be 0.
func (s *space) insert(root ref, w *place) ref {
	if root == 0 {
		r, n := s.newNode(leaf4)
		n.insertAt(0, w.head, s.entryOf(0, w), 0)
		return r
	}
	left, right := s.insertBelow(root, w)
	if right == 0 {
		return left
	}
	r, n := s.newNode(inner16)
	for i, c := range [...]ref{left, right} {
		m := s.node(c)
		n.insertAt(i, m.head(0), c, m.entry(0))
	}
	return r
}

// insertBelow inserts into the subtree at r, which it replaces by one or two.
func (s *space) insertBelow(r ref, w *place) (left, right ref) {
	n := s.node(r)
	if n.leaf() {
		return s.insertLeaf(r, n, w)
	}
	i := s.arena.childOf(n, w)
	s.run.passes(n, i)
	l, added := s.insertBelow(n.child(i), w)
	r, n = s.own(r, 0)
	m := s.node(l)
	n.heads()[i], n.refs()[i], n.smallest()[i] = m.head(0), l, m.entry(0)
	if added == 0 {
		return r, 0
	}
	m = s.node(added)
	return s.addTo(r, n, i+1, m.head(0), added, m.entry(0))
}

func (s *space) insertLeaf(r ref, n node, w *place) (left, right ref) {
	i, at := s.arena.search(n, w)
	if !at {
		left, right = s.addTo(r, n, i, w.head, s.entryOf(0, w), 0)
		if right == 0 {
			s.run.arrives(s.node(left), i)
		}
		return left, right
	}
	old := n.child(i)
	e := s.entryOf(old, w)
	if e == old {
		return r, 0
	}
	r, n = s.own(r, 0)
	n.refs()[i] = e
	s.run.arrives(n, i)
	return r, 0
}

// addTo adds to a node, splitting it if it is full: in the middle, but where
// an end grows so that the full part is not touched again.
func (s *space) addTo(r ref, n node, i int, head uint64, child, smallest ref) (left, right ref) {
	if !n.full() {
		r, n = s.own(r, n.count()+1)
		n.insertAt(i, head, child, smallest)
		return r, 0
	}
	kind := n.kind()
	switch i {
	case fanout:
		if kind != inner16 {
			kind = leaf4
		}
		q, m := s.newNode(kind)
		m.insertAt(0, head, child, smallest)
		return r, q
	case 0:
		if kind != inner16 {
			kind = leaf4
		}
		q, m := s.newNode(kind)
		m.insertAt(0, head, child, smallest)
		return q, r
	}
	r, n = s.own(r, 0)
	q, m := s.newNode(kind)
	n.moveTail(fanout/2, m)
	if i <= fanout/2 {
		n.insertAt(i, head, child, smallest)
	} else {
		m.insertAt(i-fanout/2, head, child, smallest)
	}
	return r, q
}

// remove returns the root of the tree without what is at w, which must be
// there; 0 if nothing is left.
func (s *space) remove(root ref, w *place) ref {
	root = s.removeBelow(root, w)
	for root != 0 {
		n := s.node(root)
		if n.leaf() || n.count() > 1 {
			break
		}
		s.retire(root, n.size())
		root = n.child(0)
	}
	return root
}

func (s *space) removeBelow(r ref, w *place) ref {
	n := s.node(r)
	var i int
	if n.leaf() {
		at := false
		if i, at = s.arena.search(n, w); !at {
			return r
		}
		s.retireEntry(n.child(i))
	} else {
		i = s.arena.childOf(n, w)
		if c := s.removeBelow(n.child(i), w); c != 0 {
			r, n = s.own(r, 0)
			m := s.node(c)
			n.heads()[i], n.refs()[i], n.smallest()[i] = m.head(0), c, m.entry(0)
			return r
		}
	}
	if n.count() == 1 {
		s.retire(r, n.size())
		return 0
	}
	r, n = s.own(r, 0)
	n.removeAt(i)
	return r
}
