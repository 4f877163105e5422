package memtable

import (
	"unsafe"

	"github.com/ilion-db/ilion/mutation"
)

const (
	stateSize  = 32
	partHeader = partitionToken + offKey
)

// state is the content of a partition, decoded.
type state struct {
	deletion mutation.Deletion
	static   ref // entry
	rows     ref // entry, or tag and root
	ranges   ref // root
}

// load decodes a state reference.
func (a *arena) load(r ref) state {
	if r&tag != 0 {
		return state{rows: r &^ tag}
	}
	p := a.at(r)
	st := state{
		static: ref(*u32(p, 16)),
		rows:   ref(*u32(p, 20)),
		ranges: ref(*u32(p, 24)),
	}
	if *u32(p, 12) != 0 {
		st.deletion = mutation.Deletion{
			Timestamp: *(*int64)(p), LocalTime: *u32(p, 8), Set: true}
	}
	return st
}

// store encodes a state. A lone row needs no piece.
func (s *space) store(st *state) ref {
	if st.static == 0 && st.ranges == 0 && !st.deletion.Set && st.rows != 0 && st.rows&tag == 0 {
		return st.rows | tag
	}
	r := s.get(stateSize)
	p := s.arena.at(r)
	*(*int64)(p) = st.deletion.Timestamp
	*u32(p, 8) = st.deletion.LocalTime
	*u32(p, 12) = 0
	if st.deletion.Set {
		*u32(p, 12) = 1
	}
	*u32(p, 16) = uint32(st.static)
	*u32(p, 20) = uint32(st.rows)
	*u32(p, 24) = uint32(st.ranges)
	return r
}

// newPartition writes a partition that no list holds yet.
func (s *space) newPartition(w *place, st ref) ref {
	r := s.get(partHeader+len(w.key)) + partitionToken/unit
	p := s.arena.at(r)
	*(*uint64)(unsafe.Add(p, -partitionToken)) = w.head
	*u32(p, offNext) = 0
	*u32(p, offState) = uint32(st)
	*(*uint16)(unsafe.Add(p, offKeyLen)) = uint16(len(w.key))
	copy(bytesAt(p, offKey, len(w.key)), w.key)
	return r
}

// upsert returns rows with w in it.
func (s *space) upsert(rows ref, w *place) ref {
	switch {
	case rows == 0:
		return s.entryOf(0, w)
	case rows&tag != 0:
		if s.run.insert(s, w) {
			return rows
		}
		return s.run.start(s, rows&^tag, w) | tag
	}
	there := placeOf(s.arena.key(rows))
	if there.compare(w) == 0 {
		return s.entryOf(rows, w)
	}
	there.entry = rows
	return s.insert(s.insert(0, &there), w) | tag
}

// deleteRange puts a range deletion into the tree of boundaries.
func (s *space) deleteRange(root ref, start, end []byte, d mutation.Deletion) ref {
	from, to := placeOf(start), placeOf(end)
	if len(end) != 0 && from.compare(&to) >= 0 {
		return root
	}
	var c cursor
	below := s.inForce(root, &from, false) // just below start
	running := s.inForce(root, &from, true)
	last := running // as it was, above the boundary passed last
	running = running.Max(d)
	root = s.setBoundary(root, &from, below, running)
	for at := from; ; {
		c.start(s.arena, tag|root)
		if root == 0 || !c.seek(&at) {
			break
		}
		e := c.entry
		w := placeOf(s.arena.key(e))
		if w.compare(&at) == 0 {
			if !c.next() {
				break
			}
			e = c.entry
			w = placeOf(s.arena.key(e))
		}
		if len(end) != 0 && w.compare(&to) >= 0 {
			break
		}
		last = s.arena.above(e)
		above := last.Max(d)
		root = s.setBoundary(root, &w, running, above)
		running, at = above, w
	}
	if len(end) != 0 {
		if root != 0 {
			if e := s.arena.find(root, &to); e != 0 {
				last = s.arena.above(e)
			}
		}
		root = s.setBoundary(root, &to, running, last)
	}
	return root
}

// inForce is the deletion in force just above (with at) or just below w.
func (s *space) inForce(root ref, w *place, at bool) mutation.Deletion {
	if root == 0 {
		return mutation.Deletion{}
	}
	if at {
		if e := s.arena.find(root, w); e != 0 {
			return s.arena.above(e)
		}
	}
	var c cursor
	c.start(s.arena, tag|root)
	if !c.seekBelow(w) {
		return mutation.Deletion{}
	}
	return s.arena.above(c.entry)
}

// setBoundary makes above what is in force above w, where below is in force
// below it: a boundary where they differ, none where not.
func (s *space) setBoundary(root ref, w *place, below, above mutation.Deletion) ref {
	if below != above {
		var b [boundaryLen]byte
		w.row, w.replace = encodeBoundary(&b, above), true
		return s.insert(root, w)
	}
	if root == 0 {
		return 0
	}
	return s.remove(root, w)
}
