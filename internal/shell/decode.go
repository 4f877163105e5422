package shell

import (
	"encoding/binary"
	"math"
	"math/big"
	"math/bits"
	"strconv"
	"strings"
)

// split cuts the bytes of a composite value into those of its elements; the pairs of a map come one after the other. ok is
// false when the bytes do not fit the type.
func (t *Type) split(raw []byte) (elems [][]byte, ok bool) {
	switch t.Kind {
	case KindList, KindSet:
		return splitCounted(raw, 1)
	case KindMap:
		return splitCounted(raw, 2)
	case KindTuple, KindUDT:
		for range t.Elems {
			if len(raw) == 0 {
				elems = append(elems, nil) // fields added later
				continue
			}
			var e []byte
			if e, raw, ok = cutSized(raw); !ok {
				return nil, false
			}
			elems = append(elems, e)
		}
		return elems, len(raw) == 0
	case KindVector:
		return t.splitVector(raw)
	}
	return nil, false
}

func splitCounted(raw []byte, per int) (elems [][]byte, ok bool) {
	if len(raw) < 4 {
		return nil, len(raw) == 0
	}
	n := int(int32(binary.BigEndian.Uint32(raw)))
	raw = raw[4:]
	if n < 0 || n*per > len(raw)/4 {
		return nil, false
	}
	elems = make([][]byte, 0, n*per)
	for range n * per {
		var e []byte
		if e, raw, ok = cutSized(raw); !ok {
			return nil, false
		}
		elems = append(elems, e)
	}
	return elems, len(raw) == 0
}

// cutSized takes one element with its length (int32, big-endian, negative for null) in front.
func cutSized(raw []byte) (elem, rest []byte, ok bool) {
	if len(raw) < 4 {
		return nil, nil, false
	}
	n := int(int32(binary.BigEndian.Uint32(raw)))
	raw = raw[4:]
	if n < 0 {
		return nil, raw, true
	}
	if n > len(raw) {
		return nil, nil, false
	}
	return raw[:n:n], raw[n:], true
}

func (t *Type) splitVector(raw []byte) (elems [][]byte, ok bool) {
	if t.Dim < 0 || len(t.Elems) != 1 || t.Dim > len(raw) {
		return nil, false
	}
	size := t.Elems[0].fixedSize()
	for range t.Dim {
		n := size
		if size == 0 {
			u, w := unsignedVint(raw)
			if w == 0 || u > uint64(len(raw)) {
				return nil, false
			}
			n, raw = int(u), raw[w:]
		}
		if n > len(raw) {
			return nil, false
		}
		elems = append(elems, raw[:n:n])
		raw = raw[n:]
	}
	return elems, len(raw) == 0
}

// fixedSize gives the bytes of an element in a vector, 0 when its length is written.
func (t *Type) fixedSize() int {
	switch t.Kind {
	case KindBoolean:
		return 1
	case KindInt, KindFloat:
		return 4
	case KindBigint, KindDouble, KindTimestamp:
		return 8
	case KindUUID, KindTimeUUID:
		return 16
	case KindVector:
		return t.Dim * t.Elems[0].fixedSize()
	}
	return 0
}

// unsignedVint reads Cassandra's variable-length integer: as many leading one bits as bytes follow. width is 0 on error.
func unsignedVint(raw []byte) (v uint64, width int) {
	if len(raw) == 0 {
		return 0, 0
	}
	extra := bits.LeadingZeros8(^raw[0])
	if len(raw) < 1+extra {
		return 0, 0
	}
	if extra < 8 {
		v = uint64(raw[0]) & (0xFF >> extra)
	}
	for _, b := range raw[1 : 1+extra] {
		v = v<<8 | uint64(b)
	}
	return v, 1 + extra
}

// integer reads a big-endian two's complement number of 1 to 8 bytes.
func integer(raw []byte) int64 {
	v := int64(int8(raw[0]))
	for _, b := range raw[1:] {
		v = v<<8 | int64(b)
	}
	return v
}

func bigInteger(raw []byte) *big.Int {
	v := new(big.Int).SetBytes(raw)
	if len(raw) > 0 && raw[0]&0x80 != 0 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(len(raw))*8))
	}
	return v
}

// maxDecimalDigits bounds the zeros that a decimal is padded with.
const maxDecimalDigits = 1000

// decimalText writes a decimal as Python's Decimal does: plain for small exponents, else with E.
func decimalText(raw []byte) string {
	scale := int64(int32(binary.BigEndian.Uint32(raw)))
	unscaled := bigInteger(raw[4:])
	digits := new(big.Int).Abs(unscaled).String()
	sign := ""
	if unscaled.Sign() < 0 {
		sign = "-"
	}
	left := int64(len(digits)) - scale // digits left of the point
	point := int64(1)
	if scale >= 0 && left > -6 {
		point = left
	}
	var s string
	switch {
	case point <= 0 && -point < maxDecimalDigits:
		s = "0." + strings.Repeat("0", int(-point)) + digits
	case point >= int64(len(digits)):
		s = digits
	default:
		s = digits[:point] + "." + digits[point:]
	}
	if left != point {
		s += "E" + strconv.FormatInt(left-point, 10)
		if left > point {
			s = strings.Replace(s, "E", "E+", 1)
		}
	}
	return sign + s
}

// floatText writes a float as cqlsh does: precision digits behind the point for common magnitudes.
func floatText(v float64, precision int) string {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 1):
		return "Infinity"
	case math.IsInf(v, -1):
		return "-Infinity"
	}
	if abs := math.Abs(v); abs > 2.220446049250313e-16 {
		if exp := int(math.Log10(abs)); exp >= -4 && exp < precision {
			precision += exp + 1
		}
	}
	s := strconv.FormatFloat(v, 'e', precision-1, 64)
	mantissa, e, _ := strings.Cut(s, "e")
	exp, _ := strconv.Atoi(e)
	if exp < -4 || exp >= precision {
		return trimZeros(mantissa) + "e" + e
	}
	return trimZeros(strconv.FormatFloat(v, 'f', precision-1-exp, 64))
}

func trimZeros(s string) string {
	if !strings.Contains(s, ".") {
		return s
	}
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// durationText writes a duration such as 1y2mo3d4h5m6s7ms8us9ns.
func durationText(raw []byte) (string, bool) {
	var parts [3]int64
	for i := range parts {
		u, w := unsignedVint(raw)
		if w == 0 {
			return "", false
		}
		parts[i] = int64(u>>1) ^ -int64(u&1)
		raw = raw[w:]
	}
	var b strings.Builder
	months, days, nanos := parts[0], parts[1], parts[2]
	if months < 0 || days < 0 || nanos < 0 {
		b.WriteByte('-')
		months, days, nanos = abs(months), abs(days), abs(nanos)
	}
	put := func(rest *int64, unit int64, name string) {
		if n := *rest / unit; n != 0 {
			b.WriteString(strconv.FormatInt(n, 10) + name)
			*rest %= unit
		}
	}
	put(&months, 12, "y")
	put(&months, 1, "mo")
	put(&days, 1, "d")
	put(&nanos, 3600e9, "h")
	put(&nanos, 60e9, "m")
	put(&nanos, 1e9, "s")
	put(&nanos, 1e6, "ms")
	put(&nanos, 1e3, "us")
	put(&nanos, 1, "ns")
	return b.String(), len(raw) == 0
}

func abs(v int64) int64 {
	if v < 0 {
		return -v
	}
	return v
}
