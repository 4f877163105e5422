package schema

import (
	"encoding/binary"
	"math"
	"slices"

	"pgregory.net/rapid"
)

// genType draws a type that may be in a clustering key.
func genType(t *rapid.T, depth int) *Type {
	kinds := []Kind{
		KindASCII, KindBigint, KindBlob, KindBoolean, KindDecimal, KindDouble, KindFloat, KindInt, KindTimestamp,
		KindUUID, KindText, KindVarint, KindTimeUUID, KindInet, KindDate, KindTime, KindSmallint, KindTinyint,
	}
	if depth < 3 {
		kinds = append(kinds, KindList, KindMap, KindSet, KindTuple, KindVector, KindUDT)
	}
	k := rapid.SampledFrom(kinds).Draw(t, "kind")
	if n := NativeType(k); n != nil {
		return n
	}
	sub := func() *Type { return genType(t, depth+1) }
	switch k {
	case KindList:
		return ListOf(sub(), true)
	case KindSet:
		return SetOf(sub(), true)
	case KindMap:
		return MapOf(sub(), sub(), true)
	case KindTuple:
		return TupleOf(sub(), sub())
	case KindUDT:
		return UDTOf("k", "u", []string{"a", "b"}, []*Type{sub(), sub()}, true)
	}
	return VectorOf(sub(), rapid.IntRange(1, 3).Draw(t, "dim"))
}

// genValue draws a valid value in canonical form, never the empty value of a
// type of fixed width.
func genValue(t *rapid.T, ty *Type) []byte {
	// Few distinct numbers make equal prefixes and small distances likely.
	num := rapid.Custom(func(t *rapid.T) int64 {
		v := rapid.SampledFrom([]int64{0, 1, -1, 127, 128, -128, 255, 256, math.MaxInt64, math.MinInt64}).Draw(t, "n")
		if rapid.Bool().Draw(t, "any") {
			v = rapid.Int64().Draw(t, "n64")
		}
		return v
	}).Draw(t, "num")
	u8 := binary.BigEndian.AppendUint64(nil, uint64(num))
	switch ty.kind {
	case KindBoolean:
		return []byte{byte(num & 1)}
	case KindFloat:
		f := rapid.SampledFrom([]float32{0, float32(math.Copysign(0, -1)), 1, -1, float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), math.MaxFloat32, math.SmallestNonzeroFloat32}).Draw(t, "f")
		if rapid.Bool().Draw(t, "any") {
			f = rapid.Float32().Draw(t, "f32")
		}
		return binary.BigEndian.AppendUint32(nil, math.Float32bits(f))
	case KindDouble:
		f := rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1, -1, math.Float64frombits(0x7ff8000000000000), math.Inf(1), math.Inf(-1), math.MaxFloat64}).Draw(t, "f")
		if rapid.Bool().Draw(t, "any") {
			f = rapid.Float64().Draw(t, "f64")
		}
		return binary.BigEndian.AppendUint64(nil, math.Float64bits(f))
	case KindUUID, KindTimeUUID:
		u := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 0x7f, 0x80, 0xff}), 16, 16).Draw(t, "uuid")
		if ty.kind == KindTimeUUID {
			u[6] = u[6]&0x0f | 0x10
		}
		return u
	case KindVarint:
		n := bigFromBytes(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 0x7f, 0x80, 0xff}), 1, 200).Draw(t, "varint"))
		return appendBig(nil, n)
	case KindDecimal:
		v := binary.BigEndian.AppendUint32(nil, uint32(int32(rapid.IntRange(-3, 3).Draw(t, "scale"))))
		return appendBig(v, bigFromBytes(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 10, 100, 0xf6, 0xff}), 1, 4).Draw(t, "unscaled")))
	case KindInet:
		return rapid.SampledFrom([][]byte{{1, 2, 3, 4}, {0, 0, 0, 0}, {255, 0, 0, 1}, make([]byte, 16)}).Draw(t, "inet")
	case KindTime:
		return binary.BigEndian.AppendUint64(nil, uint64(num)%nanosPerDay)
	case KindASCII:
		return rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 'a', 'b', 0x7f}), 0, 4).Draw(t, "ascii")
	case KindText:
		return []byte(rapid.StringOfN(rapid.SampledFrom([]rune{0, 1, 'a', 'b', 'é', '￿'}), 0, 4, -1).Draw(t, "text"))
	case KindBlob:
		return rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 0x20, 0x40, 0x60, 0xfe, 0xff}), 0, 4).Draw(t, "blob")
	}
	if len(ty.elems) == 0 {
		return u8[8-ty.fixed:]
	}
	return genElems(t, ty)
}

func genElems(t *rapid.T, ty *Type) []byte {
	n := len(ty.elems)
	switch ty.kind {
	case KindVector:
		n = ty.dim
	case KindList, KindSet:
		n = rapid.IntRange(0, 3).Draw(t, "len")
	case KindMap:
		n = 2 * rapid.IntRange(0, 2).Draw(t, "len")
	}
	elems := make([][]byte, n)
	for i := range elems {
		if nullable := ty.kind == KindTuple || ty.kind == KindUDT; nullable && rapid.IntRange(0, 3).Draw(t, "null") == 0 {
			continue
		}
		elems[i] = genValue(t, ty.elems[i%len(ty.elems)])
	}
	if ty.kind == KindSet {
		slices.SortFunc(elems, ty.elems[0].Compare)
		elems = slices.CompactFunc(elems, func(a, b []byte) bool { return ty.elems[0].Compare(a, b) == 0 })
	}
	return ty.AppendElements([]byte{}, elems)
}
