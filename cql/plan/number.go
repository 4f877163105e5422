package plan

import (
	"encoding/binary"
	"math"
	"math/big"

	"github.com/cockroachdb/apd/v3"

	"github.com/ilion-db/ilion/schema"
)

// VarintOf reads a varint value: two's complement, big-endian.
func VarintOf(v []byte) *big.Int {
	n := new(big.Int).SetBytes(v)
	if len(v) > 0 && v[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(len(v))*8))
	}
	return n
}

// VarintBytes is the shortest varint value of n.
func VarintBytes(n *big.Int) []byte {
	if n.Sign() == 0 {
		return []byte{0}
	}
	if n.Sign() > 0 {
		b := n.Bytes()
		if b[0]&0x80 != 0 {
			b = append([]byte{0}, b...)
		}
		return b
	}
	// The complement of -n-1 has as many bytes as the shortest form needs.
	b := new(big.Int).Sub(new(big.Int).Neg(n), big.NewInt(1)).Bytes()
	if len(b) == 0 || b[0]&0x80 != 0 {
		b = append([]byte{0}, b...)
	}
	for i := range b {
		b[i] = ^b[i]
	}
	return b
}

// DecimalOf reads a decimal value: i32 scale and a varint.
func DecimalOf(v []byte) *apd.Decimal {
	out := new(apd.Decimal)
	if len(v) < 4 {
		return out
	}
	n := VarintOf(v[4:])
	out.Coeff.SetMathBigInt(new(big.Int).Abs(n))
	out.Negative = n.Sign() < 0
	out.Exponent = -int32(binary.BigEndian.Uint32(v))
	return out
}

// DecimalBytes is the decimal value of d.
func DecimalBytes(d *apd.Decimal) []byte {
	n := d.Coeff.MathBigInt()
	if d.Negative {
		n.Neg(n)
	}
	out := binary.BigEndian.AppendUint32(nil, uint32(-d.Exponent))
	return append(out, VarintBytes(n)...)
}

// rank orders the types of numbers by how much they can hold.
func rank(t *schema.Type) int {
	switch t.Kind() {
	case schema.KindTinyint:
		return 1
	case schema.KindSmallint:
		return 2
	case schema.KindInt:
		return 3
	case schema.KindBigint, schema.KindCounter:
		return 4
	case schema.KindFloat:
		return 5
	case schema.KindDouble:
		return 6
	case schema.KindVarint:
		return 7
	case schema.KindDecimal:
		return 8
	}
	return 0
}

func isNumber(t *schema.Type) bool { return rank(t) > 0 }

// widened is the type that two numbers are computed in.
func widened(a, b *schema.Type) *schema.Type {
	ra, rb := min(rank(a), rank(b)), max(rank(a), rank(b))
	switch {
	case rb == 8, rb == 7 && (ra == 5 || ra == 6):
		return schema.TypeDecimal
	case rb == 7:
		return schema.TypeVarint
	case rb == 6, rb == 5 && ra == 4:
		return schema.TypeDouble
	case rb == 5:
		return schema.TypeFloat
	}
	return [...]*schema.Type{nil, schema.TypeTinyint, schema.TypeSmallint, schema.TypeInt, schema.TypeBigint}[rb]
}

// intOf reads an integer of fixed width.
func intOf(t *schema.Type, v []byte) int64 {
	switch t.Kind() {
	case schema.KindTinyint:
		return int64(int8(v[0]))
	case schema.KindSmallint:
		return int64(int16(binary.BigEndian.Uint16(v)))
	case schema.KindInt:
		return int64(int32(binary.BigEndian.Uint32(v)))
	}
	return int64(binary.BigEndian.Uint64(v))
}

// intBytes writes an integer of fixed width, cutting what does not fit.
func intBytes(t *schema.Type, n int64) []byte {
	switch t.Kind() {
	case schema.KindTinyint:
		return []byte{byte(n)}
	case schema.KindSmallint:
		return binary.BigEndian.AppendUint16(nil, uint16(n))
	case schema.KindInt:
		return be32(uint32(n))
	}
	return be64(n)
}

func realOf(t *schema.Type, v []byte) float64 {
	switch r := rank(t); r {
	case 5:
		return float64(math.Float32frombits(binary.BigEndian.Uint32(v)))
	case 6:
		return math.Float64frombits(binary.BigEndian.Uint64(v))
	case 7:
		f, _ := new(big.Float).SetInt(VarintOf(v)).Float64()
		return f
	case 8:
		f, _ := DecimalOf(v).Float64()
		return f
	}
	return float64(intOf(t, v))
}

func realBytes(t *schema.Type, f float64) []byte {
	if t.Kind() == schema.KindFloat {
		return be32(math.Float32bits(float32(f)))
	}
	return be64(int64(math.Float64bits(f)))
}

// wholeOf is the number without what follows the point.
func wholeOf(t *schema.Type, v []byte) *big.Int {
	switch rank(t) {
	case 5, 6:
		n, _ := big.NewFloat(finite(realOf(t, v))).Int(nil)
		return n
	case 7:
		return VarintOf(v)
	case 8:
		d := DecimalOf(v)
		n := d.Coeff.MathBigInt()
		switch {
		case d.Exponent >= 0:
			n.Mul(n, pow10(min(d.Exponent, maxExponent)))
		case -int64(d.Exponent) > d.NumDigits():
			n.SetInt64(0)
		default:
			n.Quo(n, pow10(-d.Exponent))
		}
		if d.Negative {
			n.Neg(n)
		}
		return n
	}
	return big.NewInt(intOf(t, v))
}

func finite(f float64) float64 {
	if math.IsNaN(f) {
		return 0
	}
	return max(min(f, math.MaxFloat64), -math.MaxFloat64)
}

// maxExponent bounds how far a decimal is written out as an integer. Of an
// integer of fixed width such a number has the lowest bits, which are 0.
const maxExponent = 10000

func pow10(n int32) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

func decimalOf(t *schema.Type, v []byte) *apd.Decimal {
	switch rank(t) {
	case 8:
		return DecimalOf(v)
	case 5, 6:
		d, _, err := apd.NewFromString(t.FormatText(v))
		if err != nil || d.Form != apd.Finite {
			return new(apd.Decimal)
		}
		return d
	}
	n := wholeOf(t, v)
	d := new(apd.Decimal)
	d.Coeff.SetMathBigInt(new(big.Int).Abs(n))
	d.Negative = n.Sign() < 0
	return d
}

// convert turns a number of one type into another as Java's casts do: integers
// are cut, reals saturate.
func convert(from, to *schema.Type, v []byte) []byte {
	if len(v) == 0 {
		return nil
	}
	switch rank(to) {
	case 5, 6:
		return realBytes(to, realOf(from, v))
	case 7:
		return VarintBytes(wholeOf(from, v))
	case 8:
		return DecimalBytes(decimalOf(from, v))
	}
	switch rank(from) {
	case 5, 6:
		return intBytes(to, saturated(realOf(from, v), to))
	case 7, 8:
		// The low 64 bits in two's complement.
		n := wholeOf(from, v)
		return intBytes(to, int64(new(big.Int).And(n, new(big.Int).SetUint64(math.MaxUint64)).Uint64()))
	}
	return intBytes(to, intOf(from, v))
}

func saturated(f float64, to *schema.Type) int64 {
	lo, hi := int64(math.MinInt64), int64(math.MaxInt64)
	if rank(to) < 4 {
		lo, hi = math.MinInt32, math.MaxInt32
	}
	switch {
	case math.IsNaN(f):
		return 0
	case f <= float64(lo):
		return lo
	case f >= float64(hi):
		return hi
	}
	return int64(f)
}
