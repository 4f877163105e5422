package schema

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"math/big"
	"slices"
	"strconv"
)

// maxShortVarint is the most bytes of a varint whose length is in its head.
const maxShortVarint = 126

func appendComparableVarint(dst, v []byte) []byte {
	v = minimalVarint(v)
	n := len(v)
	switch neg := v[0] >= 0x80; {
	case n <= maxShortVarint && neg:
		dst = append(dst, byte(0x80-n))
	case n <= maxShortVarint:
		dst = append(dst, byte(0x80+n))
	case neg:
		dst = binary.BigEndian.AppendUint32(append(dst, 0x01), ^uint32(n))
	default:
		dst = binary.BigEndian.AppendUint32(append(dst, 0xff), uint32(n))
	}
	return append(dst, v...)
}

func decodeComparableVarint(dst, src []byte) ([]byte, error) {
	head, body := src[0], src[1:]
	n := int(head) - 0x80
	if head == 0x01 || head == 0xff {
		if len(body) < 4 {
			return dst, ErrComparable
		}
		u := binary.BigEndian.Uint32(body)
		if head == 0x01 {
			u = ^u
		}
		n, body = int(u), body[4:]
		if n <= maxShortVarint {
			return dst, ErrComparable
		}
	}
	neg := head < 0x80
	if n < 0 {
		n = -n
	}
	if n == 0 || n != len(body) || len(minimalVarint(body)) != n || neg != (body[0] >= 0x80) {
		return dst, ErrComparable
	}
	return append(dst, body...), nil
}

// decimalParts is a decimal as sign, digits without zeros at either end and
// the exponent e of 0.d1d2... x 10^e.
type decimalParts struct {
	sign   int
	digits []byte // '0' to '9'
	exp    int64
}

func splitDecimal(v []byte) decimalParts {
	if len(v) < 5 {
		return decimalParts{}
	}
	scale := int64(int32(binary.BigEndian.Uint32(v)))
	n := bigFromBytes(v[4:])
	if n.Sign() == 0 {
		return decimalParts{}
	}
	digits := new(big.Int).Abs(n).Append(nil, 10)
	p := decimalParts{sign: n.Sign(), exp: int64(len(digits)) - scale}
	p.digits = bytes.TrimRight(digits, "0")
	return p
}

func compareDecimal(a, b []byte) int {
	if len(a) > 4 && len(b) > 4 && [4]byte(a) == [4]byte(b) { // of one scale
		return compareVarint(a[4:], b[4:])
	}
	pa, pb := splitDecimal(a), splitDecimal(b)
	if pa.sign != pb.sign || pa.sign == 0 {
		return cmp.Compare(pa.sign, pb.sign)
	}
	c := cmp.Compare(pa.exp, pb.exp)
	if c == 0 {
		c = bytes.Compare(pa.digits, pb.digits)
	}
	return c * pa.sign
}

func appendComparableDecimal(dst, v []byte) []byte {
	p := splitDecimal(v)
	dst = append(dst, byte(2+p.sign))
	if p.sign == 0 {
		return dst
	}
	start := len(dst)
	dst = binary.BigEndian.AppendUint64(dst, uint64(p.exp)^1<<63)
	for i := 0; i < len(p.digits); i += 2 {
		pair := (p.digits[i] - '0') * 10
		if i+1 < len(p.digits) {
			pair += p.digits[i+1] - '0'
		}
		dst = append(dst, pair+1)
	}
	dst = append(dst, 0)
	if p.sign < 0 {
		invert(dst[start:])
	}
	return dst
}

// decodeComparableDecimal gives the number back with the fewest digits; the
// scale that the user wrote is lost.
func decodeComparableDecimal(dst, src []byte) ([]byte, error) {
	sign := src[0]
	src = src[1:]
	if sign == 2 && len(src) == 0 {
		return append(dst, 0, 0, 0, 0, 0), nil
	}
	if sign != 1 && sign != 3 || len(src) < 10 {
		return dst, ErrComparable
	}
	if sign == 1 {
		invert(src)
	}
	exp := int64(binary.BigEndian.Uint64(src) ^ 1<<63)
	pairs := src[8 : len(src)-1]
	if src[len(src)-1] != 0 || exp > math.MaxInt32*2 || exp < -math.MaxInt32*2 {
		return dst, ErrComparable
	}
	digits := make([]byte, 0, 2*len(pairs)+1)
	if sign == 1 {
		digits = append(digits, '-')
	}
	for _, b := range pairs {
		if b == 0 || b > 100 {
			return dst, ErrComparable
		}
		digits = append(digits, '0'+(b-1)/10, '0'+(b-1)%10)
	}
	digits = bytes.TrimRight(digits, "0")
	count := int64(len(digits))
	if sign == 1 {
		count--
	}
	scale := count - exp
	// A scale below the least is made up for by zeros, as in the original.
	if scale < math.MinInt32 {
		if math.MinInt32-scale > int64(math.MaxUint16)*3 {
			return dst, ErrComparable
		}
		digits = append(digits, bytes.Repeat([]byte{'0'}, int(math.MinInt32-scale))...)
		scale = math.MinInt32
	}
	n, ok := new(big.Int).SetString(string(digits), 10)
	if !ok || scale > math.MaxInt32 {
		return dst, ErrComparable
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(int32(scale)))
	return appendBig(dst, n), nil
}

// bigFromBytes reads big-endian two's complement.
func bigFromBytes(v []byte) *big.Int {
	n := new(big.Int)
	if len(v) == 0 || v[0] < 0x80 {
		return n.SetBytes(v)
	}
	inv := slices.Clone(v)
	invert(inv)
	return n.Not(n.SetBytes(inv))
}

// appendBig appends the minimal two's complement bytes of n.
func appendBig(dst []byte, n *big.Int) []byte {
	start := len(dst)
	if n.Sign() >= 0 {
		if n.BitLen()%8 == 0 {
			dst = append(dst, 0)
		}
		return append(dst, n.Bytes()...)
	}
	m := new(big.Int).Not(n)
	if m.BitLen()%8 == 0 {
		dst = append(dst, 0)
	}
	dst = append(dst, m.Bytes()...)
	invert(dst[start:])
	return dst
}

// DecimalText prints a decimal value as Java's BigDecimal does: plain where
// the scale is not negative and the number not tiny, else with an exponent.
func DecimalText(v []byte) string {
	if len(v) < 5 {
		return ""
	}
	scale := int64(int32(binary.BigEndian.Uint32(v)))
	n := bigFromBytes(v[4:])
	neg := n.Sign() < 0
	d := string(n.Abs(n).Append(nil, 10))
	adjusted := int64(len(d)-1) - scale
	switch {
	case scale == 0:
	case scale > 0 && adjusted >= -6:
		for int64(len(d)) <= scale {
			d = "0" + d
		}
		point := len(d) - int(scale)
		d = d[:point] + "." + d[point:]
	default:
		if len(d) > 1 {
			d = d[:1] + "." + d[1:]
		}
		if adjusted != 0 {
			d += "E"
			if adjusted > 0 {
				d += "+"
			}
			d += strconv.FormatInt(adjusted, 10)
		}
	}
	if neg {
		d = "-" + d
	}
	return d
}

// ParseDecimal reads the text of a number as BigDecimal does and returns the
// value; ok is false if it is none, or its scale does not fit.
func ParseDecimal(s string) (v []byte, ok bool) {
	mant, exp := s, int64(0)
	if i := bytes.IndexAny([]byte(s), "eE"); i >= 0 {
		var err error
		if exp, err = strconv.ParseInt(s[i+1:], 10, 32); err != nil {
			return nil, false
		}
		mant = s[:i]
	}
	digits := make([]byte, 0, len(mant))
	scale, point := int64(0), false
	for i := range len(mant) {
		switch c := mant[i]; {
		case c >= '0' && c <= '9':
			digits = append(digits, c)
			if point {
				scale++
			}
		case c == '.' && !point:
			point = true
		case (c == '-' || c == '+') && i == 0:
		default:
			return nil, false
		}
	}
	n, ok := new(big.Int).SetString(string(digits), 10)
	scale -= exp
	if !ok || scale != int64(int32(scale)) {
		return nil, false
	}
	if mant[0] == '-' {
		n.Neg(n)
	}
	return appendBig(binary.BigEndian.AppendUint32(nil, uint32(int32(scale))), n), true
}
