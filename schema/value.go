package schema

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"unicode/utf8"
)

// Values are Cassandra's serialized bytes, big-endian. A nil slice is null and
// never given to the functions here; an empty one is the empty value, which
// most types allow.

// EmptyAllowed tells whether the empty value is a value of the type.
func (t *Type) EmptyAllowed() bool {
	switch t.kind {
	case KindSmallint, KindTinyint, KindDate, KindTime, KindDuration, KindList, KindSet, KindMap, KindVector:
		return false
	}
	return true
}

// Validate tells in Cassandra's words why v is not a value of the type.
func (t *Type) Validate(v []byte) error {
	n := len(v)
	if n == 0 && t.EmptyAllowed() {
		return nil
	}
	switch t.kind {
	case KindInt:
		return wantLen(n, 4, "Expected 4 or 0 byte int (%d)")
	case KindBigint, KindCounter:
		return wantLen(n, 8, "Expected 8 or 0 byte long (%d)")
	case KindSmallint:
		return wantLen(n, 2, "Expected 2 bytes for a smallint (%d)")
	case KindTinyint:
		return wantLen(n, 1, "Expected 1 byte for a tinyint (%d)")
	case KindBoolean:
		return wantLen(n, 1, "Expected 1 or 0 byte value (%d)")
	case KindFloat:
		return wantLen(n, 4, "Expected 4 or 0 byte value for a float (%d)")
	case KindDouble:
		return wantLen(n, 8, "Expected 8 or 0 byte value for a double (%d)")
	case KindTimestamp:
		return wantLen(n, 8, "Expected 8 or 0 byte long for date (%d)")
	case KindDate:
		return wantLen(n, 4, "Expected 4 byte long for date (%d)")
	case KindTime:
		return wantLen(n, 8, "Expected 8 byte long for time (%d)")
	case KindUUID, KindTimeUUID:
		if n == 16 && t.kind == KindTimeUUID && v[6]>>4 != 1 {
			return invalid("Invalid version for TimeUUID type.")
		}
		return wantLen(n, 16, "UUID should be 16 or 0 bytes (%d)")
	case KindASCII:
		return validateASCII(v)
	case KindText:
		if !utf8.Valid(v) {
			return invalid("String didn't validate.")
		}
	case KindVarint:
		return wantNumber(n)
	case KindDecimal:
		if n < 5 {
			return invalid("Expected 0 or at least 5 bytes (%d)", n)
		}
		return wantNumber(n)
	case KindInet:
		if n != 4 && n != 16 {
			return invalid("addr is of illegal length")
		}
	case KindDuration:
		_, err := DecodeDuration(v)
		return err
	case KindEmpty:
		return invalid("Data not allowed for EmptyType")
	}
	if len(t.elems) > 0 {
		return t.validateElems(v)
	}
	return nil
}

// maxNumber bounds the bytes of a varint or decimal, and maxNumberText the
// characters of one that is written out: to turn the one into the other, and to
// compare two decimals, costs more than in proportion to their length.
const (
	maxNumber     = 1 << 18
	maxNumberText = 1 << 18
)

func wantNumber(n int) error {
	if n > maxNumber {
		return invalid("A number of %d bytes is longer than the maximum of %d", n, maxNumber)
	}
	return nil
}

func wantLen(n, want int, format string) error {
	if n != want {
		return invalid(format, n)
	}
	return nil
}

func validateASCII(v []byte) error {
	for _, b := range v {
		if b >= 0x80 {
			return invalid("Invalid byte for ascii: %d", int8(b))
		}
	}
	return nil
}

func (t *Type) validateElems(v []byte) error {
	it := t.Elements(v)
	for e, ok := it.Next(); ok; e, ok = it.Next() {
		if e == nil {
			if t.IsCollection() || t.kind == KindVector {
				return invalid("null is not supported inside collections")
			}
			continue
		}
		if err := it.Type().Validate(e); err != nil {
			return err
		}
	}
	return it.Err()
}

// Compare orders two valid values as Cassandra does. The empty value is least;
// of a tuple it equals one of nulls.
func (t *Type) Compare(a, b []byte) int {
	if t.kind == KindTuple || t.kind == KindUDT {
		return t.compareElems(a, b)
	}
	if len(a) == 0 || len(b) == 0 {
		return cmp.Compare(len(a), len(b))
	}
	switch t.kind {
	case KindInt:
		return cmp.Compare(int32(binary.BigEndian.Uint32(a)), int32(binary.BigEndian.Uint32(b)))
	case KindBigint, KindCounter, KindTimestamp, KindTime:
		return cmp.Compare(int64(binary.BigEndian.Uint64(a)), int64(binary.BigEndian.Uint64(b)))
	case KindSmallint:
		return cmp.Compare(int16(binary.BigEndian.Uint16(a)), int16(binary.BigEndian.Uint16(b)))
	case KindTinyint:
		return cmp.Compare(int8(a[0]), int8(b[0]))
	case KindBoolean:
		return cmp.Compare(min(a[0], 1), min(b[0], 1))
	case KindFloat:
		return cmp.Compare(floatKey(binary.BigEndian.Uint32(a)), floatKey(binary.BigEndian.Uint32(b)))
	case KindDouble:
		return cmp.Compare(doubleKey(binary.BigEndian.Uint64(a)), doubleKey(binary.BigEndian.Uint64(b)))
	case KindUUID:
		return compareUUID(a, b)
	case KindTimeUUID:
		return compareTimeUUID(a, b)
	case KindVarint:
		return compareVarint(a, b)
	case KindDecimal:
		return compareDecimal(a, b)
	case KindList, KindSet, KindMap, KindVector:
		return t.compareElems(a, b)
	}
	return bytes.Compare(a, b)
}

// compareElems compares element by element; a missing or null one is less.
func (t *Type) compareElems(a, b []byte) int {
	ia, ib := t.Elements(a), t.Elements(b)
	collection := t.IsCollection()
	for {
		ea, oka := ia.Next()
		eb, okb := ib.Next()
		switch {
		case !oka && !okb:
			return 0
		case collection && !oka:
			return -1
		case collection && !okb:
			return 1
		case ea == nil && eb == nil:
			continue
		case ea == nil:
			return -1
		case eb == nil:
			return 1
		}
		if c := ia.Type().Compare(ea, eb); c != 0 {
			return c
		}
	}
}

// doubleKey maps IEEE bits to an unsigned number of the same order: -0.0
// before 0.0, every NaN the same and last.
func doubleKey(u uint64) uint64 {
	if math.IsNaN(math.Float64frombits(u)) {
		u = 0x7ff8000000000000
	}
	if u>>63 != 0 {
		return ^u
	}
	return u | 1<<63
}

func floatKey(u uint32) uint32 {
	if u&0x7f800000 == 0x7f800000 && u&0x7fffff != 0 {
		u = 0x7fc00000
	}
	if u>>31 != 0 {
		return ^u
	}
	return u | 1<<31
}

// uuidTime is the 60-bit time of a version 1 UUID.
func uuidTime(msb uint64) uint64 {
	return msb<<48&0x0fff000000000000 | msb<<16&0x0000ffff00000000 | msb>>32
}

// uuidKey is the first half of a UUID rearranged so that it sorts: version,
// then for version 1 the time, else what is left in order.
func uuidKey(msb uint64) uint64 {
	version := msb >> 12 & 0xf
	if version == 1 {
		return version<<60 | uuidTime(msb)
	}
	return version<<60 | msb>>16<<12 | msb&0xfff
}

func uuidFromKey(k uint64) uint64 {
	if version := k >> 60; version != 1 {
		return k<<4>>16<<16 | version<<12 | k&0xfff
	}
	return timeToUUID(k &^ (0xf << 60))
}

// timeToUUID is the first half of the version 1 UUID of a 60-bit time.
func timeToUUID(ts uint64) uint64 {
	return ts<<32 | ts>>16&0xffff0000 | 1<<12 | ts>>48
}

func compareUUID(a, b []byte) int {
	if c := cmp.Compare(uuidKey(binary.BigEndian.Uint64(a)), uuidKey(binary.BigEndian.Uint64(b))); c != 0 {
		return c
	}
	return bytes.Compare(a[8:], b[8:])
}

// signBits flips the sign of each of 8 bytes, which makes signed bytes sort as
// unsigned ones.
const signBits = 0x8080808080808080

func compareTimeUUID(a, b []byte) int {
	if c := cmp.Compare(uuidTime(binary.BigEndian.Uint64(a)), uuidTime(binary.BigEndian.Uint64(b))); c != 0 {
		return c
	}
	return cmp.Compare(binary.BigEndian.Uint64(a[8:])^signBits, binary.BigEndian.Uint64(b[8:])^signBits)
}

// minimalVarint drops bytes that only repeat the sign.
func minimalVarint(v []byte) []byte {
	for len(v) > 1 && (v[0] == 0 && v[1] < 0x80 || v[0] == 0xff && v[1] >= 0x80) {
		v = v[1:]
	}
	return v
}

func compareVarint(a, b []byte) int {
	a, b = minimalVarint(a), minimalVarint(b)
	na, nb := a[0] >= 0x80, b[0] >= 0x80
	switch {
	case na != nb && na:
		return -1
	case na != nb:
		return 1
	case len(a) != len(b) && na:
		return cmp.Compare(len(b), len(a))
	case len(a) != len(b):
		return cmp.Compare(len(a), len(b))
	}
	return bytes.Compare(a, b)
}
