package schema

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/ilion-db/ilion/internal/invariant"
)

// Bytes of the comparable form. On disk, never change.
const (
	escaped = 0xff // after a 0x00 inside a variable component

	// Terminator ends a component; BoundLow and BoundHigh stand in its place in
	// a bound before or after everything with a prefix. A descending component
	// has all three inverted.
	Terminator = 0x40
	BoundLow   = 0x20
	BoundHigh  = 0x60

	elemEnd  = 0x00
	elemNull = 0x01
	elemNext = 0x02
)

// ErrComparable is the error of decoding bytes that AppendComparable did not
// write.
var ErrComparable = errors.New("schema: malformed comparable bytes")

// AppendComparable appends one clustering component of value val, terminator
// included. Ascending components compare as bytes as Compare does; descending
// ones the other way round. It refuses an empty value of a type of fixed width
// and types without an order; val must be valid.
func (t *Type) AppendComparable(dst, val []byte, desc bool) ([]byte, error) {
	start := len(dst)
	dst, err := t.appendAsc(dst, val)
	if err != nil {
		return dst[:start], err
	}
	if desc {
		invert(dst[start:])
	}
	return dst, nil
}

func invert(p []byte) {
	for i := range p {
		p[i] = ^p[i]
	}
}

func (t *Type) appendAsc(dst, val []byte) ([]byte, error) {
	if t.fixed > 0 && len(t.elems) == 0 {
		if len(val) != t.fixed {
			return dst, invalid("A value of type %s in a clustering key must have %d bytes, not %d", t, t.fixed, len(val))
		}
		dst = t.appendFixed(dst, val)
		return append(dst, Terminator), nil
	}
	start := len(dst)
	switch {
	case t.kind == KindVarint && len(val) > 0:
		dst = appendComparableVarint(dst, val)
	case t.kind == KindDecimal && len(val) > 0:
		dst = appendComparableDecimal(dst, val)
	case t.kind == KindDuration:
		return dst, invalid("duration type is not supported for PRIMARY KEY column")
	case len(t.elems) > 0:
		var err error
		if dst, err = t.appendElemsAsc(dst, val); err != nil {
			return dst, err
		}
	default:
		dst = append(dst, val...)
	}
	return append(escape(dst, start), 0, Terminator), nil
}

// escape doubles every 0x00 from start on into 0x00 0xFF, in place.
func escape(dst []byte, start int) []byte {
	zeros := 0
	for _, b := range dst[start:] {
		if b == 0 {
			zeros++
		}
	}
	if zeros == 0 {
		return dst
	}
	from := len(dst) - 1
	dst = slices.Grow(dst, zeros)[:len(dst)+zeros]
	for to := len(dst) - 1; to > from; from, to = from-1, to-1 {
		if dst[from] == 0 {
			dst[to] = escaped
			to--
		}
		dst[to] = dst[from]
	}
	return dst
}

func (t *Type) appendFixed(dst, v []byte) []byte {
	switch t.kind {
	case KindInt, KindBigint, KindCounter, KindTimestamp, KindTime, KindSmallint, KindTinyint:
		return append(append(dst, v[0]^0x80), v[1:]...)
	case KindBoolean:
		return append(dst, min(v[0], 1))
	case KindFloat:
		return binary.BigEndian.AppendUint32(dst, floatKey(binary.BigEndian.Uint32(v)))
	case KindDouble:
		return binary.BigEndian.AppendUint64(dst, doubleKey(binary.BigEndian.Uint64(v)))
	case KindUUID:
		dst = binary.BigEndian.AppendUint64(dst, uuidKey(binary.BigEndian.Uint64(v)))
		return append(dst, v[8:]...)
	case KindTimeUUID:
		msb := binary.BigEndian.Uint64(v)
		dst = binary.BigEndian.AppendUint64(dst, uuidTime(msb)<<4|msb>>12&0xf)
		return binary.BigEndian.AppendUint64(dst, binary.BigEndian.Uint64(v[8:])^signBits)
	}
	return append(dst, v...) // date
}

func (t *Type) decodeFixed(dst, v []byte) []byte {
	switch t.kind {
	case KindInt, KindBigint, KindCounter, KindTimestamp, KindTime, KindSmallint, KindTinyint:
		return append(append(dst, v[0]^0x80), v[1:]...)
	case KindFloat:
		u := binary.BigEndian.Uint32(v)
		if u>>31 != 0 {
			u ^= 1 << 31
		} else {
			u = ^u
		}
		return binary.BigEndian.AppendUint32(dst, u)
	case KindDouble:
		u := binary.BigEndian.Uint64(v)
		if u>>63 != 0 {
			u ^= 1 << 63
		} else {
			u = ^u
		}
		return binary.BigEndian.AppendUint64(dst, u)
	case KindUUID:
		dst = binary.BigEndian.AppendUint64(dst, uuidFromKey(binary.BigEndian.Uint64(v)))
		return append(dst, v[8:]...)
	case KindTimeUUID:
		k := binary.BigEndian.Uint64(v)
		dst = binary.BigEndian.AppendUint64(dst, timeToUUID(k>>4)&^0xf000|k&0xf<<12)
		return binary.BigEndian.AppendUint64(dst, binary.BigEndian.Uint64(v[8:])^signBits)
	}
	return append(dst, v...)
}

func (t *Type) appendElemsAsc(dst, val []byte) ([]byte, error) {
	it := t.Elements(val)
	for e, ok := it.Next(); ok; e, ok = it.Next() {
		if e == nil {
			dst = append(dst, elemNull)
			continue
		}
		var err error
		if dst, err = it.Type().appendAsc(append(dst, elemNext), e); err != nil {
			return dst, err
		}
	}
	return append(dst, elemEnd), it.Err()
}

// DecodeComparable takes one component off src and returns the value and what
// follows it. The value is newly allocated.
func (t *Type) DecodeComparable(src []byte, desc bool) (val, rest []byte, err error) {
	return t.DecodeComparableInto(nil, src, desc)
}

// DecodeComparableInto is DecodeComparable that appends the value to dst and
// returns the extended dst. It allocates only to grow dst, but for compound
// types and numbers of any size. The value is never nil.
func (t *Type) DecodeComparableInto(dst, src []byte, desc bool) (val, rest []byte, err error) {
	if dst == nil {
		dst = make([]byte, 0, max(t.fixed, 16))
	}
	if t.fixed > 0 && len(t.elems) == 0 {
		n := t.fixed
		if len(src) <= n || src[n] != term(desc) {
			return dst, src, ErrComparable
		}
		if !desc {
			return t.decodeFixed(dst, src[:n]), src[n+1:], nil
		}
		var buf [16]byte
		copy(buf[:n], src)
		invert(buf[:n])
		return t.decodeFixed(dst, buf[:n]), src[n+1:], nil
	}
	start := len(dst)
	dst, rest, err = unescape(dst, src, desc)
	if err != nil {
		return dst[:start], src, err
	}
	return t.decodeVariable(dst, start, rest)
}

func term(desc bool) byte {
	if desc {
		return Terminator ^ 0xff
	}
	return Terminator
}

// decodeVariable turns the unescaped bytes from start on into the value.
func (t *Type) decodeVariable(dst []byte, start int, rest []byte) ([]byte, []byte, error) {
	if len(dst) == start {
		if len(t.elems) > 0 {
			return dst, rest, ErrComparable
		}
		return dst, rest, nil
	}
	var err error
	switch {
	case t.kind == KindVarint:
		raw := slices.Clone(dst[start:])
		dst, err = decodeComparableVarint(dst[:start], raw)
	case t.kind == KindDecimal:
		raw := slices.Clone(dst[start:])
		dst, err = decodeComparableDecimal(dst[:start], raw)
	case len(t.elems) > 0:
		raw := slices.Clone(dst[start:])
		dst, err = t.decodeElems(dst[:start], raw)
	}
	return dst, rest, err
}

// unescape copies a variable component without escapes and terminator.
func unescape(dst, src []byte, desc bool) (out, rest []byte, err error) {
	var mask byte
	if desc {
		mask = 0xff
	}
	for i := 0; i < len(src); i++ {
		b := src[i] ^ mask
		if b != 0 {
			dst = append(dst, b)
			continue
		}
		if i++; i >= len(src) {
			break
		}
		switch src[i] ^ mask {
		case escaped:
			dst = append(dst, 0)
		case Terminator:
			return dst, src[i+1:], nil
		default:
			return dst, src, ErrComparable
		}
	}
	return dst, src, ErrComparable
}

func (t *Type) decodeElems(dst, raw []byte) ([]byte, error) {
	var elems [][]byte
	for i := 0; ; i++ {
		if len(raw) == 0 {
			return dst, ErrComparable
		}
		tag := raw[0]
		raw = raw[1:]
		switch tag {
		case elemNull:
			if t.kind != KindTuple && t.kind != KindUDT {
				return dst, ErrComparable
			}
			elems = append(elems, nil)
			continue
		case elemNext:
			e, rest, err := t.elems[i%len(t.elems)].DecodeComparable(raw, false)
			if err != nil {
				return dst, err
			}
			elems, raw = append(elems, e), rest
			continue
		case elemEnd:
		default:
			return dst, ErrComparable
		}
		if len(raw) != 0 || !t.fits(len(elems)) {
			return dst, ErrComparable
		}
		return t.AppendElements(dst, elems), nil
	}
}

func (t *Type) fits(n int) bool {
	switch t.kind {
	case KindVector:
		return n == t.dim
	case KindMap:
		return n%2 == 0
	case KindTuple, KindUDT:
		return n == len(t.elems)
	}
	return true
}

// BoundBefore turns a copy of an encoded prefix of clustering components into
// the bound before everything with that prefix, in storage order. An empty
// prefix stays empty: an open start.
func BoundBefore(prefix []byte) []byte { return bound(prefix, BoundLow) }

// BoundAfter is the bound after everything with the prefix.
func BoundAfter(prefix []byte) []byte { return bound(prefix, BoundHigh) }

func bound(prefix []byte, to byte) []byte {
	if len(prefix) == 0 {
		return nil
	}
	b := slices.Clone(prefix)
	SetBound(b, to == BoundHigh)
	return b
}

// SetBound changes an encoded prefix in place into the bound before, or with
// after the bound after, everything with it. The prefix must not be empty.
func SetBound(prefix []byte, after bool) {
	last := &prefix[len(prefix)-1]
	desc := *last == Terminator^0xff
	if !desc && *last != Terminator { // only then, since what is told is allocated
		invariant.Check(false, "schema: bound of %x", prefix)
	}
	switch {
	case desc && after:
		*last = BoundLow ^ 0xff
	case desc:
		*last = BoundHigh ^ 0xff
	case after:
		*last = BoundHigh
	default:
		*last = BoundLow
	}
}
