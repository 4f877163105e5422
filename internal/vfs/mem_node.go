package vfs

import (
	"sync"
	"syscall"
)

// maxUnsynced is how many changes of one file Mem remembers; then the oldest
// becomes durable, as a kernel writes back in time.
const maxUnsynced = 1 << 18

// memNode is a file or a directory, whatever names it has.
type memNode struct {
	dir *memDir // nil for a file; protected by Mem.names

	// Both protected by Mem.names: a file's space is given back when it has
	// neither a name nor a handle.
	links, opens int

	mu      sync.RWMutex // protects what follows
	tok     uint64       // marks what cur and durable own
	cur     image        // what reads see
	durable image        // what is on the medium for certain
	log     []change     // from durable to cur, in order
	charged int64        // pages that count against the capacity
}

type changeKind uint8

const (
	changeWrite changeKind = iota
	changeSize             // also the growing of a write
)

// change is a write or a change of size that need not survive a crash.
type change struct {
	kind   changeKind
	forced bool   // durable, but later in order than one that is not
	seq    uint64 // order among all changes of the file system
	off    int64  // of data, a multiple of grainSize
	data   []byte // whole grains as they were after the write
	size   int64  // of changeSize
	shrink bool   // changeSize cut bytes off
}

func newFileNode() *memNode { return &memNode{tok: newToken()} }

// write applies p and records it. The caller holds mu and has charged for it.
func (n *memNode) write(m *Mem, p []byte, off int64, sync bool) {
	end := off + int64(len(p))
	n.cur.write(p, off, n.tok)
	grew := end > n.cur.size
	if grew {
		n.cur.size = end
	}
	if sync && len(n.log) == 0 {
		n.writeThrough(off, end)
		return
	}
	from := off / grainSize * grainSize
	to := (end + grainSize - 1) / grainSize * grainSize
	data := make([]byte, to-from)
	n.cur.read(data, from)
	if grew {
		n.record(change{kind: changeSize, seq: m.nextSeq(), size: end})
	}
	n.record(change{kind: changeWrite, forced: sync, seq: m.nextSeq(), off: from, data: data})
	if sync {
		n.forceSizes()
	}
}

// writeThrough makes the pages of [off, end) durable, with the size. As the
// log is empty, they differ from what is durable only there.
func (n *memNode) writeThrough(off, end int64) {
	for i := off / pageSize; i*pageSize < end; i++ {
		n.settle(int(i))
	}
	n.durable.size = n.cur.size
}

// settle makes page i of cur durable by sharing it.
func (n *memNode) settle(i int) {
	p := n.cur.page(i)
	if p == n.durable.page(i) {
		return
	}
	n.cur.set(i, p, n.tok)
	n.durable.set(i, p, n.tok)
}

// forceSizes is what a synchronous write does to earlier changes of size: they
// travel in the same inode.
func (n *memNode) forceSizes() {
	for i := range n.log {
		if n.log[i].kind == changeSize {
			n.log[i].forced = true
		}
	}
	n.popForced()
}

func (n *memNode) popForced() {
	i := 0
	for i < len(n.log) && n.log[i].forced {
		n.applyDurable(&n.log[i])
		i++
	}
	n.log = n.log[i:]
}

func (n *memNode) applyDurable(c *change) {
	if c.kind == changeSize {
		if c.shrink {
			n.durable.resize(c.size, n.tok)
		} else {
			n.durable.size = max(n.durable.size, c.size)
		}
		return
	}
	n.durable.write(c.data, c.off, n.tok)
}

func (n *memNode) record(c change) {
	if len(n.log) >= maxUnsynced {
		n.applyDurable(&n.log[0])
		n.log = n.log[1:]
	}
	n.log = append(n.log, c)
}

// truncate changes the size of cur and records it. It is never durable by
// itself: O_DSYNC speaks of writes only.
func (n *memNode) truncate(m *Mem, size int64) {
	if size == n.cur.size {
		return
	}
	shrink := size < n.cur.size
	if shrink {
		n.cur.resize(size, n.tok)
	} else {
		n.cur.size = size
	}
	n.record(change{kind: changeSize, seq: m.nextSeq(), size: size, shrink: shrink})
}

// sync makes everything durable that is in the log. A change that DropDirty
// took out of it is not, unless its page was changed again.
func (n *memNode) sync() {
	for i := range n.log {
		c := &n.log[i]
		switch {
		case c.kind == changeWrite:
			for p := c.off / pageSize; p*pageSize < c.off+int64(len(c.data)); p++ {
				n.settle(int(p))
			}
		case c.shrink:
			for p := range max(n.durable.numPages(), n.cur.numPages()) {
				n.settle(p)
			}
		}
	}
	if len(n.log) > 0 {
		n.durable.size = n.cur.size
	}
	n.log = nil
}

// reserve charges for pages up to end and returns how far the space reaches.
func (n *memNode) reserve(m *Mem, end int64) (int64, error) {
	want := (end+pageSize-1)/pageSize - n.charged
	if want <= 0 {
		return end, nil
	}
	got := m.takePages(want)
	n.charged += got
	if got < want {
		return n.charged * pageSize, syscall.ENOSPC
	}
	return end, nil
}

// release gives back the pages past keep bytes.
func (n *memNode) release(m *Mem, keep int64) {
	if pages := (keep + pageSize - 1) / pageSize; pages < n.charged {
		m.usedPages.Add(pages - n.charged)
		n.charged = pages
	}
}
