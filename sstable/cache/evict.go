package cache

func (s *shard) push(q *queue, id queueID, e *entry) {
	v := s.number(e)
	e.queue, e.next, e.prev = id, q.head, 0
	if q.head != 0 {
		s.entry(q.head - 1).prev = v
	} else {
		q.tail = v
	}
	q.head = v
	q.len++
}

func (s *shard) unlink(q *queue, e *entry) {
	if e.prev != 0 {
		s.entry(e.prev - 1).next = e.next
	} else {
		q.head = e.next
	}
	if e.next != 0 {
		s.entry(e.next - 1).prev = e.prev
	} else {
		q.tail = e.prev
	}
	e.queue, e.next, e.prev = queueNone, 0, 0
	q.len--
}

func (k *class) queueOf(e *entry) *queue {
	if e.queue == queueSmall {
		return &k.small
	}
	return &k.main
}

// evict frees one frame of class c: S3-FIFO. It gives up after every entry
// had a few chances and all were pinned.
func (s *shard) evict(c int) bool {
	k := &s.classes[c]
	for tries := 5*(k.small.len+k.main.len) + 1; tries > 0; tries-- {
		n := k.small.len + k.main.len
		if n == 0 {
			return false
		}
		if k.small.len*10 > n || k.main.len == 0 {
			e := s.entry(k.small.tail - 1)
			switch {
			case e.freq.Load() > 0:
				s.unlink(&k.small, e)
				e.freq.Store(0)
				s.push(&k.main, queueMain, e)
			case s.drop(e, true):
				return true
			default: // pinned
				s.unlink(&k.small, e)
				s.push(&k.main, queueMain, e)
			}
			continue
		}
		e := s.entry(k.main.tail - 1)
		f := e.freq.Load()
		if f == 0 && s.drop(e, false) {
			return true
		}
		s.unlink(&k.main, e)
		if f > 0 {
			e.freq.Store(f - 1)
		}
		s.push(&k.main, queueMain, e)
	}
	return false
}

// drop evicts an entry unless it is pinned; its frame is then free.
func (s *shard) drop(e *entry, remember bool) bool {
	if !e.pins.CompareAndSwap(0, -1) {
		return false
	}
	h := e.hash()
	s.remove(h, s.number(e))
	k := &s.classes[e.class]
	s.unlink(k.queueOf(e), e)
	if remember {
		s.ghosts[h&uint64(len(s.ghosts)-1)] = uint32(h>>32) | 1
	}
	s.evictions.Add(1)
	s.giveBack(e)
	return true
}

// steal moves up to n slabs from the class that has most of them to class c.
func (s *shard) steal(c, n int) bool {
	from := -1
	for i := range s.classes {
		if i != c && s.classes[i].slabs > 0 && (from < 0 || s.classes[i].slabs > s.classes[from].slabs) {
			from = i
		}
	}
	return from >= 0 && s.move(from, c, n)
}

func (s *shard) move(from, to, n int) bool {
	moved := false
	for i := range s.slabs {
		if n == 0 {
			break
		}
		if s.slabs[i].class == from && s.emptySlab(i) {
			sl := s.slabs[i].slab
			s.slabs[i] = heldSlab{class: -1}
			moved = s.useSlab(sl, to) || moved
			n--
		}
	}
	return moved
}

// emptySlab evicts everything from a slab and takes its entries off their
// frames; it fails, with some evicted, if one is pinned or reserved.
func (s *shard) emptySlab(i int) bool {
	sl := &s.slabs[i]
	for _, id := range sl.entries {
		e := s.entry(id)
		if e.queue != queueNone && !s.drop(e, false) {
			return false
		}
		if e.pins.Load() >= 0 {
			return false // reserved, not published
		}
	}
	k := &s.classes[sl.class]
	// What is free of the slab leaves the list of free frames. A frame that was
	// taken and not yet pinned by Reserve is in no list: then the slab stays.
	free := 0
	for v := k.free; v != 0; v = s.entry(v - 1).next {
		if s.entry(v-1).slab == uint32(i) {
			free++
		}
	}
	if free != len(sl.entries) {
		return false
	}
	var kept uint32
	for v := k.free; v != 0; {
		e := s.entry(v - 1)
		next := e.next
		if e.slab != uint32(i) {
			e.next, kept = kept, v
		} else {
			e.next = 0
			s.unused = append(s.unused, v-1)
		}
		v = next
	}
	k.free = kept
	k.slabs--
	return true
}

// dropSlab gives one slab back to the pool, of the class that has most.
func (s *shard) dropSlab() bool {
	order := -1
	for i := range s.slabs {
		c := s.slabs[i].class
		if c >= 0 && (order < 0 || s.classes[c].slabs > s.classes[order].slabs) {
			order = c
		}
	}
	for pass := range 2 { // the largest class first, then any
		for i := range s.slabs {
			c := s.slabs[i].class
			if c < 0 || pass == 0 && c != order {
				continue
			}
			if s.emptySlab(i) {
				s.pool.put(s.slabs[i].slab)
				s.slabs[i] = heldSlab{class: -1}
				return true
			}
		}
	}
	return false
}

// rebalance moves a slab to class c from one that has many slabs and takes
// few frames, so that memory follows the sizes that are asked for.
func (s *shard) rebalance(c int) {
	k := &s.classes[c]
	for i := range s.classes {
		o := &s.classes[i]
		if i != c && o.slabs > 1 && uint64(o.taken)*4*uint64(k.slabs+1) < uint64(k.taken)*uint64(o.slabs) && k.free == 0 {
			if s.move(i, c, 1) {
				break
			}
		}
	}
	if s.tick%256 == 0 {
		for i := range s.classes {
			s.classes[i].taken /= 2
		}
	}
}
