package exec

import (
	"encoding/binary"
	"math"
	"math/big"

	"github.com/cockroachdb/apd/v3"

	"github.com/ilion-db/ilion/cql/plan"
	"github.com/ilion-db/ilion/schema"
)

// accumulator is the state of one aggregate function.
type accumulator struct {
	n    int64
	ints int64
	// real is a sum of floats by Kahan, with what it lost; plain is the naive
	// one, which is right if there are infinities.
	real, lost, plain float64
	// whole and decimal sum numbers of any size.
	whole   *big.Int
	decimal *apd.Decimal
	best    []byte
	any     bool
}

func (a *accumulator) add(q *plan.Query, x *plan.Expr, row *row) error {
	if x.Aggregate == plan.AggCountRows {
		a.n++
		return nil
	}
	v, err := x.Args[0].Eval(q, row)
	if err != nil || v == nil {
		return err
	}
	t := x.Args[0].Type
	switch x.Aggregate {
	case plan.AggMin, plan.AggMax:
		c := 0
		if a.any {
			c = t.Compare(v, a.best)
		}
		if !a.any || c < 0 && x.Aggregate == plan.AggMin || c > 0 && x.Aggregate == plan.AggMax {
			a.best, a.any = append(a.best[:0], v...), true
		}
		return nil
	case plan.AggSum, plan.AggAvg:
		if len(v) == 0 {
			return nil
		}
		if x.Aggregate == plan.AggAvg && t.Kind() == schema.KindDecimal {
			a.addAverage(plan.DecimalOf(v))
		} else {
			a.sum(t, v)
		}
	}
	a.n++
	return nil
}

func (a *accumulator) sum(t *schema.Type, v []byte) {
	switch t.Kind() {
	case schema.KindTinyint:
		a.ints += int64(int8(v[0]))
	case schema.KindSmallint:
		a.ints += int64(int16(binary.BigEndian.Uint16(v)))
	case schema.KindInt:
		a.ints += int64(int32(binary.BigEndian.Uint32(v)))
	case schema.KindBigint, schema.KindCounter:
		a.ints += int64(binary.BigEndian.Uint64(v))
	case schema.KindFloat:
		a.addReal(float64(math.Float32frombits(binary.BigEndian.Uint32(v))))
	case schema.KindDouble:
		a.addReal(math.Float64frombits(binary.BigEndian.Uint64(v)))
	case schema.KindVarint:
		if a.whole == nil {
			a.whole = new(big.Int)
		}
		a.whole.Add(a.whole, plan.VarintOf(v))
	case schema.KindDecimal:
		if a.decimal == nil {
			a.decimal = new(apd.Decimal)
		}
		_, _ = apd.BaseContext.Add(a.decimal, a.decimal, plan.DecimalOf(v))
	}
}

func (a *accumulator) addReal(f float64) {
	a.plain += f
	f -= a.lost
	sum := a.real + f
	a.lost = (sum - a.real) - f
	a.real = sum
}

func (a *accumulator) realSum() float64 {
	if math.IsNaN(a.real) && math.IsInf(a.plain, 0) {
		return a.plain
	}
	return a.real
}

// addAverage moves the average of decimals by its difference to another one,
// rounded at the scale of the difference, as Cassandra does: the result
// depends on the order.
func (a *accumulator) addAverage(v *apd.Decimal) {
	if a.decimal == nil {
		a.decimal = new(apd.Decimal)
	}
	d := new(apd.Decimal)
	if _, err := apd.BaseContext.Sub(d, v, a.decimal); err != nil {
		return
	}
	divideHalfEven(d.Coeff.MathBigInt(), a.n+1, &d.Coeff)
	_, _ = apd.BaseContext.Add(a.decimal, a.decimal, d)
}

// result is the aggregate's value. Sums wrap around as their type does, the
// average of integers is cut off.
func (a *accumulator) result(x *plan.Expr) ([]byte, error) {
	switch x.Aggregate {
	case plan.AggCount, plan.AggCountRows:
		return binary.BigEndian.AppendUint64(nil, uint64(a.n)), nil
	case plan.AggMin, plan.AggMax:
		if !a.any {
			return nil, nil
		}
		return a.best, nil
	}
	n := int64(1)
	if x.Aggregate == plan.AggAvg {
		n = max(a.n, 1)
	}
	switch x.Type.Kind() {
	case schema.KindTinyint:
		return []byte{byte(a.ints / n)}, nil
	case schema.KindSmallint:
		return binary.BigEndian.AppendUint16(nil, uint16(a.ints/n)), nil
	case schema.KindInt:
		return binary.BigEndian.AppendUint32(nil, uint32(a.ints/n)), nil
	case schema.KindBigint:
		return binary.BigEndian.AppendUint64(nil, uint64(a.ints/n)), nil
	case schema.KindFloat:
		return binary.BigEndian.AppendUint32(nil, math.Float32bits(float32(a.realSum()/float64(n)))), nil
	case schema.KindDouble:
		return binary.BigEndian.AppendUint64(nil, math.Float64bits(a.realSum()/float64(n))), nil
	case schema.KindVarint:
		if a.whole == nil {
			return []byte{0}, nil
		}
		return plan.VarintBytes(new(big.Int).Quo(a.whole, big.NewInt(n))), nil
	}
	if a.decimal == nil {
		return plan.DecimalBytes(new(apd.Decimal)), nil
	}
	return plan.DecimalBytes(a.decimal), nil
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
