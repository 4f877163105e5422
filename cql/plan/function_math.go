package plan

import (
	"encoding/binary"
	"math"
	"math/big"

	"github.com/cockroachdb/apd/v3"

	"github.com/ilion-db/ilion/schema"
)

func init() {
	numbers := []*schema.Type{schema.TypeTinyint, schema.TypeSmallint, schema.TypeInt, schema.TypeBigint, schema.TypeFloat,
		schema.TypeDouble, schema.TypeVarint, schema.TypeDecimal}
	for _, t := range numbers {
		registerMath("abs", t, absolute)
		registerMath("round", t, rounded)
		registerMath("exp", t, viaReal(math.Exp))
		registerMath("log", t, viaReal(math.Log))
		registerMath("log10", t, viaReal(math.Log10))
	}
}

func registerMath(name string, t *schema.Type, f func(t *schema.Type, v []byte) ([]byte, error)) {
	register(&function{name: name, args: []*schema.Type{t}, ret: t, f: func(_ *binding, a [][]byte) ([]byte, error) {
		if len(a[0]) == 0 {
			return nil, nil
		}
		return f(t, a[0])
	}})
}

func absolute(t *schema.Type, v []byte) ([]byte, error) {
	switch rank(t) {
	case 5, 6:
		return realBytes(t, math.Abs(realOf(t, v))), nil
	case 7:
		n := VarintOf(v)
		return VarintBytes(n.Abs(n)), nil
	case 8:
		d := DecimalOf(v)
		d.Negative = false
		return DecimalBytes(d), nil
	}
	n := intOf(t, v)
	if n < 0 {
		n = -n
	}
	return intBytes(t, n), nil
}

// rounded rounds half up, away from zero for decimals, as Java does: floats by
// way of an int, doubles by way of a bigint, where NaN is 0.
func rounded(t *schema.Type, v []byte) ([]byte, error) {
	switch rank(t) {
	case 5, 6:
		x := realOf(t, v)
		whole := math.Floor(x)
		if x-whole >= 0.5 {
			whole++
		}
		via := choose(rank(t) == 5, schema.TypeInt, schema.TypeBigint)
		return realBytes(t, float64(saturated(whole, via))), nil
	case 8:
		d := new(apd.Decimal)
		ctx := exactContext.WithPrecision(maxExponent)
		ctx.Rounding = apd.RoundHalfUp
		if _, err := ctx.RoundToIntegralValue(d, DecimalOf(v)); err != nil {
			return nil, invalid("round failed: %v", err)
		}
		return DecimalBytes(d), nil
	}
	return v, nil
}

// viaReal computes in double precision and cuts the result to the type.
func viaReal(f func(float64) float64) func(t *schema.Type, v []byte) ([]byte, error) {
	return func(t *schema.Type, v []byte) ([]byte, error) {
		y := f(realOf(t, v))
		switch rank(t) {
		case 7, 8:
			if math.IsNaN(y) || math.IsInf(y, 0) {
				return nil, invalid("the result is not a number")
			}
			if rank(t) == 8 {
				return convert(schema.TypeDouble, t, realBytes(schema.TypeDouble, y)), nil
			}
			n, _ := big.NewFloat(y).Int(nil)
			return VarintBytes(n), nil
		}
		return convert(schema.TypeDouble, t, realBytes(schema.TypeDouble, y)), nil
	}
}

// collectionFunction makes the functions of collections, whose types are those
// of the argument; nil if the name is none.
func collectionFunction(name string, t *schema.Type) *function {
	f := &function{name: name, args: []*schema.Type{t}}
	part := func(ret *schema.Type, keep func(i int) bool) *function {
		f.ret = ret
		f.f = func(_ *binding, a [][]byte) ([]byte, error) {
			var parts [][]byte
			it := t.Elements(a[0])
			i := 0
			for p, ok := it.Next(); ok; p, ok = it.Next() {
				if keep(i) {
					parts = append(parts, p)
				}
				i++
			}
			return ret.AppendElements(nil, parts), it.Err()
		}
		return f
	}
	switch {
	case name == "map_keys" && t.Kind() == schema.KindMap:
		return part(schema.SetOf(t.Key(), true), func(i int) bool { return i%2 == 0 })
	case name == "map_values" && t.Kind() == schema.KindMap:
		return part(schema.ListOf(t.Value(), true), func(i int) bool { return i%2 == 1 })
	case name == "collection_count" && t.IsCollection():
		f.ret = schema.TypeInt
		f.f = func(_ *binding, a [][]byte) ([]byte, error) {
			return be32(binary.BigEndian.Uint32(a[0])), nil
		}
		return f
	case (name == "collection_min" || name == "collection_max") && t.Elem() != nil && t.IsCollection():
		f.ret = t.Elem()
		f.f = func(_ *binding, a [][]byte) ([]byte, error) {
			var best []byte
			it := t.Elements(a[0])
			for p, ok := it.Next(); ok; p, ok = it.Next() {
				if best == nil || (f.ret.Compare(p, best) < 0) == (name == "collection_min") {
					best = p
				}
			}
			return best, it.Err()
		}
		return f
	case (name == "collection_sum" || name == "collection_avg") && t.Kind() != schema.KindMap && t.IsCollection() && isNumber(t.Elem()):
		f.ret = t.Elem()
		f.f = func(_ *binding, a [][]byte) ([]byte, error) {
			out, err := sumElements(t, a[0], name == "collection_avg")
			if err != nil {
				err = failedFunction(name, f.args, err)
			}
			return out, err
		}
		return f
	}
	return nil
}

// sumElements adds a collection's numbers up, or averages them.
func sumElements(t *schema.Type, value []byte, average bool) ([]byte, error) {
	var s Sum
	it := t.Elements(value)
	for p, ok := it.Next(); ok; p, ok = it.Next() {
		if err := s.add(t.Elem(), p, average); err != nil {
			return nil, err
		}
	}
	return s.Result(t.Elem(), average), it.Err()
}

// refuseCollection says what a function of collections wants; nil if the name
// is none.
func refuseCollection(name, arg string, t *schema.Type) error {
	want := map[string]string{
		"map_keys": "a map argument", "map_values": "a map argument", "collection_count": "a collection argument",
		"collection_min": "a set/list argument", "collection_max": "a set/list argument",
		"collection_sum": "a numeric set/list argument", "collection_avg": "a numeric set/list argument",
	}[name]
	if want == "" {
		return nil
	}
	return invalid("Function system.%s requires %s, but found argument %s of type %s", name, want, arg, t)
}
