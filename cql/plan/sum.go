package plan

import (
	"math"
	"math/big"

	"github.com/cockroachdb/apd/v3"

	"github.com/ilion-db/ilion/schema"
)

// Sum adds up numbers of one type, as the functions sum and avg do with a
// column's and collection_sum and collection_avg with a collection's. The zero
// Sum is that of no numbers. It belongs to one goroutine.
type Sum struct {
	n int64
	// ints is a sum of integers that wraps around, carry how often it did: up
	// less down.
	ints, carry int64
	// real is a sum of floats by Kahan, with what it lost; plain is the naive
	// one, which is right if there are infinities.
	real, lost, plain float64
	// whole and decimal sum numbers of any size; average is that of decimals.
	whole            *big.Int
	decimal, average *apd.Decimal
}

// Add adds a valid value of t, for Result with the same average. An empty one
// is no number and does not count. The error, meant for the client, says that
// decimals lie too far apart to be added digit by digit.
func (s *Sum) Add(t *schema.Type, v []byte, average bool) error {
	if err := s.add(t, v, average); err != nil {
		return failedFunction(choose(average, "avg", "sum"), []*schema.Type{t}, err)
	}
	return nil
}

func (s *Sum) add(t *schema.Type, v []byte, average bool) (err error) {
	if len(v) == 0 {
		return nil
	}
	switch rank(t) {
	case 5, 6:
		s.addReal(realOf(t, v))
	case 7:
		if s.whole == nil {
			s.whole = new(big.Int)
		}
		s.whole.Add(s.whole, VarintOf(v))
	case 8:
		if average {
			err = s.addAverage(DecimalOf(v))
		} else {
			err = s.addDecimal(DecimalOf(v))
		}
	default:
		s.addInt(intOf(t, v))
	}
	s.n++
	return err
}

func (s *Sum) addInt(v int64) {
	sum := s.ints + v
	switch {
	case v > 0 && sum < s.ints:
		s.carry++
	case v < 0 && sum > s.ints:
		s.carry--
	}
	s.ints = sum
}

func (s *Sum) addReal(f float64) {
	s.plain += f
	f -= s.lost
	sum := s.real + f
	s.lost = (sum - s.real) - f
	s.real = sum
}

func (s *Sum) addDecimal(v *apd.Decimal) error {
	if s.decimal == nil {
		s.decimal = new(apd.Decimal)
	}
	return addExact(s.decimal, s.decimal, v)
}

// addExact sets d to x + y, of as many digits as that takes.
func addExact(d, x, y *apd.Decimal) error {
	apart := int64(x.Exponent) - int64(y.Exponent)
	if max(apart, -apart) > apd.MaxExponent || x.Coeff.BitLen()+y.Coeff.BitLen() > maxBits {
		return errTooLarge
	}
	// What is left to fail is that the exponent is beyond what the context
	// allows; the sum is there all the same.
	_, _ = apd.BaseContext.Add(d, x, y)
	return nil
}

// addAverage moves the average of decimals by its difference to another one,
// rounded at the scale of the difference, as Cassandra does: the result
// depends on the order.
func (s *Sum) addAverage(v *apd.Decimal) error {
	if s.average == nil {
		s.average = new(apd.Decimal)
	}
	d := new(apd.Decimal).Neg(s.average)
	if err := addExact(d, v, d); err != nil {
		return err
	}
	divideHalfEven(d.Coeff.MathBigInt(), s.n+1, &d.Coeff)
	return addExact(s.average, s.average, d)
}

// Result is the sum as a value of t, or the average. A sum wraps around as its
// type does, an average does not and is cut off to an integer.
func (s *Sum) Result(t *schema.Type, average bool) []byte {
	n := int64(1)
	if average {
		n = max(s.n, 1)
	}
	switch rank(t) {
	case 5, 6:
		real := s.real
		if math.IsNaN(real) && math.IsInf(s.plain, 0) {
			real = s.plain
		}
		return realBytes(t, real/float64(n))
	case 7:
		if s.whole == nil {
			return []byte{0}
		}
		return VarintBytes(new(big.Int).Quo(s.whole, big.NewInt(n)))
	case 8:
		d := s.decimal
		if average {
			d = s.average
		}
		if d == nil {
			d = new(apd.Decimal)
		}
		return DecimalBytes(d)
	}
	if average && s.carry != 0 {
		exact := new(big.Int).Lsh(big.NewInt(s.carry), 64)
		exact.Add(exact, big.NewInt(s.ints))
		return intBytes(t, exact.Quo(exact, big.NewInt(n)).Int64())
	}
	return intBytes(t, s.ints/n)
}

// divideHalfEven sets out to x / n, rounded half to even; x is not negative.
func divideHalfEven(x *big.Int, n int64, out *apd.BigInt) {
	d := big.NewInt(n)
	q, r := new(big.Int).QuoRem(x, d, new(big.Int))
	if c := r.Lsh(r, 1).Cmp(d); c > 0 || c == 0 && q.Bit(0) == 1 {
		q.Add(q, big.NewInt(1))
	}
	out.SetMathBigInt(q)
}
