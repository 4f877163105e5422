package vfs

import (
	"iter"
	"maps"
	"path"
	"slices"
	"strings"
	"syscall"
)

// memDir is a directory. Its fields are protected by Mem.names.
type memDir struct {
	cur     map[string]*memNode
	durable map[string]*memNode
	log     []dirChange // from durable to cur, in order
}

// dirChange is a change of entries that need not survive a crash. It survives
// as a whole or not at all; a rename into another directory is two changes
// with one seq that share their fate until one directory is synced.
type dirChange struct {
	seq     uint64
	entries [2]dirEntry
	n       int
}

// dirEntry is a name and its new node, or nil if the name is gone.
type dirEntry struct {
	name string
	node *memNode
}

func newDirNode() *memNode {
	return &memNode{dir: &memDir{cur: map[string]*memNode{}, durable: map[string]*memNode{}}}
}

// change sets entries and records it as one.
func (d *memDir) change(seq uint64, entries ...dirEntry) {
	c := dirChange{seq: seq}
	c.n = copy(c.entries[:], entries)
	c.apply(d.cur)
	d.log = append(d.log, c)
}

func (c *dirChange) apply(to map[string]*memNode) {
	for _, e := range c.entries[:c.n] {
		if e.node == nil {
			delete(to, e.name)
		} else {
			to[e.name] = e.node
		}
	}
}

func (d *memDir) sync() {
	for i := range d.log {
		d.log[i].apply(d.durable)
	}
	d.log = nil
}

// split returns the parts of a path below the root.
func split(name string) []string {
	clean := strings.Trim(path.Clean("/"+name), "/")
	if clean == "" {
		return nil
	}
	return strings.Split(clean, "/")
}

// lookup finds a node. The caller holds names.
func (m *Mem) lookup(name string) (*memNode, error) {
	n := m.root
	for _, part := range split(name) {
		if n.dir == nil {
			return nil, syscall.ENOTDIR
		}
		if n = n.dir.cur[part]; n == nil {
			return nil, syscall.ENOENT
		}
	}
	return n, nil
}

// parent finds the directory of a name and the name's last part. The caller
// holds names.
func (m *Mem) parent(name string) (*memDir, string, error) {
	parts := split(name)
	if len(parts) == 0 {
		return nil, "", syscall.EINVAL
	}
	n, err := m.lookup(strings.Join(parts[:len(parts)-1], "/"))
	if err != nil {
		return nil, "", err
	}
	if n.dir == nil {
		return nil, "", syscall.ENOTDIR
	}
	return n.dir, parts[len(parts)-1], nil
}

// freeIfGone gives back the space of a file without a name or a handle. The
// caller holds names.
func (m *Mem) freeIfGone(n *memNode) {
	if n.dir != nil || n.links > 0 || n.opens > 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.release(m, 0)
}

func (m *Mem) unlink(d *memDir, name string) {
	n := d.cur[name]
	d.change(m.nextSeq(), dirEntry{name: name})
	n.links--
	m.freeIfGone(n)
}

func (m *Mem) rename(oldName, newName string) error {
	from, oldBase, err := m.parent(oldName)
	if err != nil {
		return err
	}
	to, newBase, err := m.parent(newName)
	if err != nil {
		return err
	}
	n, target := from.cur[oldBase], to.cur[newBase]
	switch {
	case n == nil:
		return syscall.ENOENT
	case n == target:
		return nil
	case target != nil && target.dir != nil:
		return syscall.EEXIST
	case target != nil && n.dir != nil:
		return syscall.ENOTDIR
	case n.dir != nil && strings.HasPrefix(path.Clean("/"+newName)+"/", path.Clean("/"+oldName)+"/"):
		return syscall.EINVAL
	}
	seq := m.nextSeq()
	if from == to {
		from.change(seq, dirEntry{name: oldBase}, dirEntry{newBase, n})
	} else {
		to.change(seq, dirEntry{newBase, n})
		from.change(seq, dirEntry{name: oldBase})
	}
	if target != nil {
		target.links--
		m.freeIfGone(target)
	}
	return nil
}

func (m *Mem) mkdirAll(dir string) error {
	n := m.root
	for _, part := range split(dir) {
		next := n.dir.cur[part]
		if next == nil {
			next = newDirNode()
			next.links = 1
			n.dir.change(m.nextSeq(), dirEntry{part, next})
		}
		if next.dir == nil {
			return syscall.ENOTDIR
		}
		n = next
	}
	return nil
}

// removeTree removes the names below a directory, each as a change of its own.
func (m *Mem) removeTree(d *memDir) {
	for name, n := range sortedEntries(d.cur) {
		if n.dir != nil {
			m.removeTree(n.dir)
		}
		m.unlink(d, name)
	}
}

// sortedEntries yields entries by name, so that the choices of a crash do not
// depend on the order of a map.
func sortedEntries(entries map[string]*memNode) iter.Seq2[string, *memNode] {
	return func(yield func(string, *memNode) bool) {
		for _, name := range slices.Sorted(maps.Keys(entries)) {
			if !yield(name, entries[name]) {
				return
			}
		}
	}
}
