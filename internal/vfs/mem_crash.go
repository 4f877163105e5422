package vfs

// CrashOptions says what of the unsynced changes a crash image holds.
type CrashOptions struct {
	// Keep is the chance, in percent, that an unsynced change is in the image:
	// each 512-byte piece of a write, each change of a size, each change of a
	// directory for itself. 0 is exactly what was synced, 100 everything. In
	// between, writes are torn and reordered.
	Keep int
	// Prefix keeps the changes of the whole file system in their order up to a
	// point that Rand chooses, and Keep percent of the pieces of the one there.
	Prefix bool
	// Rand makes the choices; the same numbers make the same image. Nil is a
	// fixed sequence.
	Rand interface{ Uint64() uint64 }
}

// CrashClone returns what the disk may hold if the power is cut now. It shares
// memory with m but neither sees what the other does later. The clone has no
// locks, no open files, no hook, the same capacity, and keeps its promises
// even if m loses syncs.
func (m *Mem) CrashClone(o CrashOptions) *Mem {
	m.crash.Lock()
	defer m.crash.Unlock()
	m.names.Lock()
	defer m.names.Unlock()
	c := &crash{to: NewMem(), opts: o, nodes: map[*memNode]*memNode{}, fates: map[uint64]bool{}}
	c.to.capPages.Store(m.capPages.Load())
	if o.Rand == nil {
		c.opts.Rand = new(splitMix)
	}
	if o.Prefix {
		c.cut = m.chooseCut(c.opts.Rand)
	}
	c.to.root = c.clone(m.root)
	return c.to
}

// crash is the making of one image.
type crash struct {
	to    *Mem
	opts  CrashOptions
	cut   uint64 // Prefix: changes before it are kept, those after it lost
	nodes map[*memNode]*memNode
	fates map[uint64]bool // of directory changes, by seq
}

// chooseCut returns the seq of one of the unsynced changes, or one past all.
func (m *Mem) chooseCut(rand interface{ Uint64() uint64 }) uint64 {
	oldest, last := m.seq.Load(), m.seq.Load()
	seen := map[*memNode]bool{}
	var walk func(n *memNode)
	walk = func(n *memNode) {
		if seen[n] {
			return
		}
		seen[n] = true
		if n.dir == nil {
			if len(n.log) > 0 {
				oldest = min(oldest, n.log[0].seq)
			}
			return
		}
		if len(n.dir.log) > 0 {
			oldest = min(oldest, n.dir.log[0].seq)
		}
		for _, entries := range []map[string]*memNode{n.dir.cur, n.dir.durable} {
			for _, child := range entries {
				walk(child)
			}
		}
	}
	walk(m.root)
	return oldest + rand.Uint64()%(last-oldest+2)
}

// coin decides over a change or a piece of one.
func (c *crash) coin(seq uint64) bool {
	if c.opts.Prefix && seq != c.cut {
		return seq < c.cut
	}
	switch {
	case c.opts.Keep <= 0:
		return false
	case c.opts.Keep >= 100:
		return true
	}
	return c.opts.Rand.Uint64()%100 < uint64(c.opts.Keep)
}

// fate is coin, remembered: both halves of a rename get the same.
func (c *crash) fate(seq uint64) bool {
	kept, ok := c.fates[seq]
	if !ok {
		kept = c.coin(seq)
		c.fates[seq] = kept
	}
	return kept
}

// clone returns the surviving form of a node, the same for all its names.
func (c *crash) clone(n *memNode) *memNode {
	if done := c.nodes[n]; done != nil {
		return done
	}
	if n.dir == nil {
		own := c.cloneFile(n)
		c.nodes[n] = own
		return own
	}
	own := newDirNode()
	c.nodes[n] = own
	for name, child := range sortedEntries(n.dir.survivors(c)) {
		kept := c.clone(child)
		kept.links++
		own.dir.cur[name], own.dir.durable[name] = kept, kept
	}
	return own
}

// survivors are the entries that the image of the directory has.
func (d *memDir) survivors(c *crash) map[string]*memNode {
	kept := make(map[string]*memNode, len(d.durable))
	for name, n := range d.durable {
		kept[name] = n
	}
	for i := range d.log {
		if c.fate(d.log[i].seq) {
			d.log[i].apply(kept)
		}
	}
	return kept
}

func (c *crash) cloneFile(n *memNode) *memNode {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tok = newToken()
	own := newFileNode()
	im := n.durable.share()
	for i := range n.log {
		ch := &n.log[i]
		if ch.kind == changeSize {
			if ch.forced || c.coin(ch.seq) {
				if ch.shrink {
					im.resize(ch.size, own.tok)
				} else {
					im.size = max(im.size, ch.size)
				}
			}
			continue
		}
		for at := 0; at < len(ch.data); at += grainSize {
			if ch.forced || c.coin(ch.seq) {
				im.write(ch.data[at:at+grainSize], ch.off+int64(at), own.tok)
			}
		}
	}
	if len(n.log) > 0 {
		im.resize(im.size, own.tok)
	}
	own.durable = im.share()
	own.cur = im
	own.tok = newToken()
	own.charged = (im.size + pageSize - 1) / pageSize
	c.to.usedPages.Add(own.charged)
	return own
}

// splitMix is a small random sequence (SplitMix64) for callers without one.
type splitMix uint64

func (s *splitMix) Uint64() uint64 {
	*s += 0x9e3779b97f4a7c15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
