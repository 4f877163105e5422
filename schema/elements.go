package schema

import (
	"encoding/binary"
	"math/bits"

	"github.com/ilion-db/ilion/internal/invariant"
)

// Elements walks what a collection, tuple, user-defined type or vector value
// is made of; a map yields key, value, key, value. It allocates nothing.
//
//	list set map  u32 count | per element i32 length (-1 null) | bytes
//	tuple UDT     per component i32 length (-1 null) | bytes; may end early
//	vector        elements; each after an unsigned vint length if it varies
type Elements struct {
	t    *Type
	rest []byte
	i    int // next element
	n    int // elements expected
	err  error
}

// Elements starts a walk over v, which the elements alias.
func (t *Type) Elements(v []byte) Elements {
	it := Elements{t: t, rest: v, n: len(t.elems)}
	switch t.kind {
	case KindVector:
		it.n = t.dim
	case KindList, KindSet, KindMap:
		if len(v) < 4 {
			it.fail("Not enough bytes to read a " + t.what())
			return it
		}
		n := int64(int32(binary.BigEndian.Uint32(v))) * int64(len(t.elems))
		it.rest = v[4:]
		if n < 0 || n > int64(len(it.rest))/4 {
			it.fail("Not enough bytes to read a " + t.what())
			return it
		}
		it.n = int(n)
	}
	return it
}

func (t *Type) what() string {
	switch t.kind {
	case KindList:
		return "list"
	case KindSet:
		return "set"
	case KindMap:
		return "map"
	}
	return t.text
}

func (it *Elements) fail(msg string) {
	if it.err == nil {
		it.err = &Error{Kind: ErrInvalid, Message: msg}
	}
	it.i, it.n, it.rest = 0, 0, nil
}

// Len is the number of elements that are left, counting those that a tuple
// leaves out at its end.
func (it *Elements) Len() int { return it.n - it.i }

// Type is the type of the element that Next returned last.
func (it *Elements) Type() *Type { return it.t.elems[(it.i-1)%len(it.t.elems)] }

// Err is the error that ended the walk, or nil.
func (it *Elements) Err() error { return it.err }

// Next returns the next element, nil for null; false at the end or on error.
// Components that a tuple leaves out are null.
func (it *Elements) Next() ([]byte, bool) {
	if it.i >= it.n {
		if len(it.rest) > 0 {
			it.extraneous()
		}
		return nil, false
	}
	it.i++
	switch it.t.kind {
	case KindVector:
		return it.nextVector()
	case KindTuple, KindUDT:
		if len(it.rest) == 0 {
			return nil, true
		}
	}
	if len(it.rest) < 4 {
		it.short()
		return nil, false
	}
	n := int(int32(binary.BigEndian.Uint32(it.rest)))
	it.rest = it.rest[4:]
	if n < 0 {
		return nil, true
	}
	return it.take(n)
}

func (it *Elements) take(n int) ([]byte, bool) {
	if n > len(it.rest) {
		it.short()
		return nil, false
	}
	e := it.rest[:n:n]
	it.rest = it.rest[n:]
	return e, true
}

func (it *Elements) nextVector() ([]byte, bool) {
	n := it.t.elems[0].fixed
	if n == 0 {
		u, size := readVint(it.rest)
		if size == 0 || u > uint64(len(it.rest)) {
			it.short()
			return nil, false
		}
		it.rest = it.rest[size:]
		n = int(u)
	}
	return it.take(n)
}

func (it *Elements) short() {
	switch it.t.kind {
	case KindTuple, KindUDT:
		it.fail("Not enough bytes to read " + it.t.text)
	default:
		it.fail("Not enough bytes to read a " + it.t.what())
	}
}

func (it *Elements) extraneous() {
	switch it.t.kind {
	case KindTuple, KindUDT:
		it.fail("Invalid remaining data after end of tuple value")
	default:
		it.fail("Unexpected extraneous bytes after " + it.t.what() + " value")
	}
}

// AppendElements appends the value made of elems: elements, keys and values in
// turn, or components; nil is null. Sets and maps must be in order already.
func (t *Type) AppendElements(dst []byte, elems [][]byte) []byte {
	switch t.kind {
	case KindVector:
		invariant.Check(len(elems) == t.dim, "schema: %d elements for %s", len(elems), t)
		for _, e := range elems {
			if t.elems[0].fixed == 0 {
				dst = appendVint(dst, uint64(len(e)))
			}
			dst = append(dst, e...)
		}
		return dst
	case KindList, KindSet, KindMap:
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(elems)/len(t.elems)))
	}
	for _, e := range elems {
		dst = AppendElement(dst, e)
	}
	return dst
}

// AppendElement appends an i32 length and the bytes, length -1 for nil.
func AppendElement(dst, e []byte) []byte {
	if e == nil {
		return append(dst, 0xff, 0xff, 0xff, 0xff)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(e)))
	return append(dst, e...)
}

// readVint reads Cassandra's unsigned vint: the leading ones of the first byte
// count the bytes that follow, big-endian. Size 0 means that p is too short.
func readVint(p []byte) (v uint64, size int) {
	if len(p) == 0 {
		return 0, 0
	}
	extra := bits.LeadingZeros8(^p[0])
	if len(p) <= extra {
		return 0, 0
	}
	v = uint64(p[0]) & (0xff >> extra)
	for _, b := range p[1 : 1+extra] {
		v = v<<8 | uint64(b)
	}
	return v, 1 + extra
}

func appendVint(dst []byte, v uint64) []byte {
	extra := 0
	for extra < 8 && v >= 1<<(7*(extra+1)) {
		extra++
	}
	if extra == 8 {
		return binary.BigEndian.AppendUint64(append(dst, 0xff), v)
	}
	// The first byte holds extra ones, a zero and the top 7-extra bits.
	dst = append(dst, ^byte(0xff>>extra)|byte(v>>(8*extra)))
	for i := extra - 1; i >= 0; i-- {
		dst = append(dst, byte(v>>(8*i)))
	}
	return dst
}
