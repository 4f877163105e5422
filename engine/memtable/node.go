package memtable

import (
	"encoding/binary"
	"unsafe"
)

// Kinds of tree nodes: leaves of three capacities and inner nodes.
const (
	leaf4 = iota
	leaf8
	leaf16
	inner16
)

var (
	capacity = [...]int{4, 8, 16, 16}
	nodeSize = [...]int{8 + 4*12, 8 + 8*12, 8 + 16*12, 8 + 16*16}
)

const (
	fanout   = 16
	maxDepth = 16
)

// node is a tree node in memory.
type node struct {
	p unsafe.Pointer
}

func (s *space) node(r ref) node { return node{s.arena.at(r)} }
func (a *arena) node(r ref) node { return node{a.at(r)} }
func (n node) header() *uint64   { return (*uint64)(n.p) }
func (n node) count() int        { return int(*n.header() & 0xff) }
func (n node) kind() int         { return int(*n.header() >> 8 & 0xff) }
func (n node) txn() uint64       { return *n.header() >> 16 }
func (n node) setCount(c int)    { *n.header() = *n.header()&^0xff | uint64(c) }
func (n node) leaf() bool        { return n.kind() != inner16 }
func (n node) full() bool        { return n.count() == fanout }
func (n node) heads() []uint64   { return unsafe.Slice((*uint64)(unsafe.Add(n.p, 8)), n.cap()) }
func (n node) cap() int          { return capacity[n.kind()] }
func (n node) size() int         { return nodeSize[n.kind()] }
func (n node) array(k int) []ref {
	return unsafe.Slice((*ref)(unsafe.Add(n.p, 8+n.cap()*(8+4*k))), n.cap())
}
func (n node) refs() []ref       { return n.array(0) }
func (n node) smallest() []ref   { return n.array(1) } // inner nodes only
func (n node) head(i int) uint64 { return *(*uint64)(unsafe.Add(n.p, 8+8*i)) }
func (n node) child(i int) ref   { return *(*ref)(unsafe.Add(n.p, 8+n.cap()*8+4*i)) }
func (n node) minOf(i int) ref   { return *(*ref)(unsafe.Add(n.p, 8+n.cap()*12+4*i)) }

// entry returns the entry with the key that the i-th place stands for.
func (n node) entry(i int) ref {
	if n.leaf() {
		return n.child(i)
	}
	return n.minOf(i)
}

// newNode allocates an empty node that the running transaction owns.
func (s *space) newNode(kind int) (ref, node) {
	r := s.get(nodeSize[kind])
	n := s.node(r)
	*n.header() = s.txn<<16 | uint64(kind)<<8
	return r, n
}

// own returns a node of that content that the transaction may change, with
// room for at least room entries.
func (s *space) own(r ref, room int) (ref, node) {
	n := s.node(r)
	if n.txn() == s.txn && n.cap() >= room {
		return r, n
	}
	kind := n.kind()
	for capacity[kind] < room {
		kind++
	}
	c, m := s.newNode(kind)
	k := n.count()
	m.setCount(k)
	copy(m.heads(), n.heads()[:k])
	copy(m.refs(), n.refs()[:k])
	if kind == inner16 {
		copy(m.smallest(), n.smallest()[:k])
	}
	s.retire(r, n.size())
	return c, m
}

// insertAt makes room at i and fills it. The node must have room.
func (n node) insertAt(i int, head uint64, child, smallest ref) {
	k := n.count()
	h, c := n.heads(), n.refs()
	copy(h[i+1:k+1], h[i:k])
	copy(c[i+1:k+1], c[i:k])
	h[i], c[i] = head, child
	if !n.leaf() {
		m := n.smallest()
		copy(m[i+1:k+1], m[i:k])
		m[i] = smallest
	}
	n.setCount(k + 1)
}

func (n node) removeAt(i int) {
	k := n.count()
	h, c := n.heads(), n.refs()
	copy(h[i:k], h[i+1:k])
	copy(c[i:k], c[i+1:k])
	if !n.leaf() {
		m := n.smallest()
		copy(m[i:k], m[i+1:k])
	}
	n.setCount(k - 1)
}

// moveTail moves what lies from i on into the empty node to.
func (n node) moveTail(i int, to node) {
	k := n.count()
	copy(to.heads(), n.heads()[i:k])
	copy(to.refs(), n.refs()[i:k])
	if !n.leaf() {
		copy(to.smallest(), n.smallest()[i:k])
	}
	to.setCount(k - i)
	n.setCount(i)
}

// keyHead is the first 8 bytes of a key, to compare as a number.
func keyHead(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.BigEndian.Uint64(b)
	}
	var v uint64
	for i, c := range b {
		v |= uint64(c) << (56 - 8*i)
	}
	return v
}

// Offsets that partitions and entries share.
const (
	offKeyLen = 8
	offKey    = 12
)

// key is the key of a partition or an entry.
func (a *arena) key(r ref) []byte {
	p := a.at(r)
	return bytesAt(p, offKey, int(*(*uint16)(unsafe.Add(p, offKeyLen))))
}
