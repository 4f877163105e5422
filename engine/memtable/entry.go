package memtable

import (
	"bytes"
	"encoding/binary"
	"unsafe"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/mutation"
)

// smallRow is the size in bytes up to which a row is copied by every update.
const smallRow = 1024

// maxVersions bounds the versions of a row: sizes double from 1 KiB on, and a
// record is far below 2 GiB.
const maxVersions = 24

func (a *arena) rowLen(e ref) int    { return int(*u32(a.at(e), 0)) }
func (a *arena) older(e ref) ref     { return ref(*u32(a.at(e), 4)) }
func (a *arena) entrySize(e ref) int { return offKey + len(a.key(e)) + a.rowLen(e) }

// row is the row of an entry, without its older versions.
func (a *arena) row(e ref) []byte {
	p := a.at(e)
	k := uintptr(*(*uint16)(unsafe.Add(p, offKeyLen)))
	return bytesAt(p, offKey+k, int(*u32(p, 0)))
}

// newEntry writes an entry. key and row may lie in the arena.
func (s *space) newEntry(key, row []byte, older ref) ref {
	e := s.get(offKey + len(key) + len(row))
	p := s.arena.at(e)
	*u32(p, 0) = uint32(len(row))
	*u32(p, 4) = uint32(older)
	*(*uint16)(unsafe.Add(p, offKeyLen)) = uint16(len(key))
	copy(bytesAt(p, offKey, len(key)), key)
	copy(bytesAt(p, offKey+uintptr(len(key)), len(row)), row)
	return e
}

func (s *space) retireEntry(e ref) { s.retire(e, s.arena.entrySize(e)) }

// versions appends the versions of a row, newest first.
func (a *arena) versions(e ref, dst [][]byte) [][]byte {
	for ; e != 0; e = a.older(e) {
		dst = append(dst, a.row(e))
	}
	return dst
}

// entryOf returns the entry that w makes of old (0 for none), which it retires
// unless it is the answer.
func (s *space) entryOf(old ref, w *place) ref {
	switch {
	case w.entry != 0:
		w.added = true
		return w.entry
	case old == 0:
		w.added = true
		return s.newEntry(w.key, w.row, 0)
	case w.replace:
		if bytes.Equal(s.arena.row(old), w.row) {
			return old
		}
		s.retireEntry(old)
		return s.newEntry(w.key, w.row, 0)
	}
	return s.mergeEntry(old, w)
}

// mergeEntry reconciles the row of w with the versions in old that are small
// or not much larger than what they are merged with.
func (s *space) mergeEntry(old ref, w *place) ref {
	var fixed [maxVersions + 1][]byte
	versions := append(fixed[:0], w.row)
	size := len(w.row)
	e := old
	for e != 0 && len(versions) <= maxVersions {
		n := s.arena.rowLen(e)
		if n > smallRow && n > 2*size {
			break
		}
		versions = append(versions, s.arena.row(e))
		size += n
		e = s.arena.older(e)
	}
	if len(versions) == 1 {
		return s.newEntry(w.key, w.row, old)
	}
	out, err := s.rec.Merge(s.buf[:0], mutation.Deletion{}, versions...)
	invariant.Check(err == nil, "memtable: row that was accepted does not decode: %v", err)
	if s.buf = out; cap(out) > maxChunk {
		s.buf = nil
	}
	if len(versions) == 2 && bytes.Equal(out, versions[1]) {
		return old
	}
	for o := old; o != e; {
		next := s.arena.older(o)
		s.retireEntry(o)
		o = next
	}
	return s.newEntry(w.key, out, e)
}

// A boundary's entry holds in place of a row the deletion in force above it:
// u8 1 if there is one | u64 timestamp | u32 local time.
const boundaryLen = 13

func encodeBoundary(b *[boundaryLen]byte, d mutation.Deletion) []byte {
	*b = [boundaryLen]byte{}
	if d.Set {
		b[0] = 1
		binary.LittleEndian.PutUint64(b[1:], uint64(d.Timestamp))
		binary.LittleEndian.PutUint32(b[9:], d.LocalTime)
	}
	return b[:]
}

// above is the deletion in force above the boundary that e is.
func (a *arena) above(e ref) mutation.Deletion {
	b := a.row(e)
	if b[0] == 0 {
		return mutation.Deletion{}
	}
	return mutation.Deletion{
		Timestamp: int64(binary.LittleEndian.Uint64(b[1:])),
		LocalTime: binary.LittleEndian.Uint32(b[9:]),
		Set:       true,
	}
}
