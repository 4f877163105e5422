package memtable

// cursor walks the entries of a tree, or the one entry that there is instead.
type cursor struct {
	arena  *arena
	root   ref // of the tree, 0 if there is none
	single ref
	entry  ref // where it stands, 0 outside
	depth  int
	path   [maxDepth]step
}

type step struct {
	node node
	i    int
}

// start sets the cursor on a tagged root or an entry; it stands nowhere.
func (c *cursor) start(a *arena, at ref) {
	c.arena, c.root, c.single, c.entry, c.depth = a, 0, 0, 0, 0
	if at&tag != 0 {
		c.root = at &^ tag
	} else {
		c.single = at
	}
}

// settle takes over the entry at the end of the path.
func (c *cursor) settle() bool {
	s := &c.path[c.depth-1]
	c.entry = s.node.child(s.i)
	return true
}

// descend goes down from r to its first or last entry.
func (c *cursor) descend(r ref, last bool) bool {
	for {
		n := c.arena.node(r)
		i := 0
		if last {
			i = n.count() - 1
		}
		c.path[c.depth] = step{n, i}
		c.depth++
		if n.leaf() {
			return c.settle()
		}
		r = n.child(i)
	}
}

// first goes to the first entry, last to the last; false if there is none.
func (c *cursor) first() bool { return c.end(false) }
func (c *cursor) last() bool  { return c.end(true) }

func (c *cursor) end(last bool) bool {
	c.depth = 0
	if c.entry = c.single; c.root == 0 {
		return c.entry != 0
	}
	return c.descend(c.root, last)
}

// seek goes to the first entry at or above w, 0 if there is none.
func (c *cursor) seek(w *place) bool {
	if c.root == 0 {
		c.entry = 0
		if c.single != 0 && c.compareSingle(w) >= 0 {
			c.entry = c.single
		}
		return c.entry != 0
	}
	c.depth = 0
	for r := c.root; ; {
		n := c.arena.node(r)
		if !n.leaf() {
			i := c.arena.childOf(n, w)
			c.path[c.depth] = step{n, i}
			c.depth++
			r = n.child(i)
			continue
		}
		i, _ := c.arena.search(n, w)
		c.path[c.depth] = step{n, i}
		c.depth++
		if i == n.count() {
			c.path[c.depth-1].i--
			return c.next()
		}
		return c.settle()
	}
}

// seekBelow goes to the last entry below w.
func (c *cursor) seekBelow(w *place) bool {
	if c.root == 0 {
		c.entry = 0
		if c.single != 0 && c.compareSingle(w) < 0 {
			c.entry = c.single
		}
		return c.entry != 0
	}
	if c.seek(w) {
		return c.prev()
	}
	return c.last()
}

func (c *cursor) compareSingle(w *place) int {
	k := placeOf(c.arena.key(c.single))
	return k.compare(w)
}

// next goes to the next entry; false at the end.
func (c *cursor) next() bool {
	for d := c.depth - 1; d >= 0; d-- {
		s := &c.path[d]
		if s.i+1 == s.node.count() {
			continue
		}
		s.i++
		c.depth = d + 1
		if s.node.leaf() {
			return c.settle()
		}
		return c.descend(s.node.child(s.i), false)
	}
	c.entry = 0
	return false
}

// prev goes to the entry before; false at the start.
func (c *cursor) prev() bool {
	for d := c.depth - 1; d >= 0; d-- {
		s := &c.path[d]
		if s.i == 0 {
			continue
		}
		s.i--
		c.depth = d + 1
		if s.node.leaf() {
			return c.settle()
		}
		return c.descend(s.node.child(s.i), true)
	}
	c.entry = 0
	return false
}

// step is next or, in reverse, prev.
func (c *cursor) step(reverse bool) bool {
	if reverse {
		return c.prev()
	}
	return c.next()
}
