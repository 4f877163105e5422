package plan

import (
	"encoding/binary"
	"math/big"

	"github.com/cockroachdb/apd/v3"
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
