package plan

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"time"

	"github.com/cockroachdb/apd/v3"

	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/schema"
)

// operand compiles one side of an operation: a marker takes the type of the
// other side.
func (c *compiler) operand(e, other cql.Expr, scope exprScope) (*Expr, error) {
	var typ *schema.Type
	switch e.(type) {
	case *cql.Literal, *cql.BindMarker:
		switch other.(type) {
		case *cql.Literal, *cql.BindMarker:
			typ = c.hint
		default:
			if isLiteral(e) {
				break // of the smallest type that has it
			}
			x, err := c.expr(other, scope)
			if err != nil {
				return nil, err
			}
			typ = x.Type
		}
	}
	l, isLit := e.(*cql.Literal)
	if typ == nil || isLit && !literalFits(l.Kind, typ) {
		return c.expr(e, scope)
	}
	return c.termExpr(e, "[operand]", typ)
}

// binaryExpr compiles an arithmetic operation.
func (c *compiler) binaryExpr(e *cql.BinaryOp, scope exprScope) (*Expr, error) {
	left, err := c.operand(e.Left, e.Right, scope)
	if err != nil {
		return nil, err
	}
	right, err := c.operand(e.Right, e.Left, scope)
	if err != nil {
		return nil, err
	}
	f := operation(byte(e.Op), left.Type, right.Type)
	if f == nil {
		return nil, invalid("the '%c' operation is not supported between %s and %s", e.Op, e.Left, e.Right)
	}
	return &Expr{Kind: ExprCall, Type: f.ret, fn: f, Args: []*Expr{left, right}}, nil
}

func (c *compiler) negationExpr(e *cql.Negation, scope exprScope) (*Expr, error) {
	x, err := c.expr(e.Expr, scope)
	if err != nil {
		return nil, err
	}
	if !isNumber(x.Type) {
		return nil, invalid("the '-' operation is not supported on %s", e.Expr)
	}
	t := x.Type
	f := &function{name: "-", args: []*schema.Type{t}, ret: t, f: func(_ *binding, a [][]byte) ([]byte, error) {
		if len(a[0]) == 0 {
			return nil, nil
		}
		if rank(t) == 5 || rank(t) == 6 {
			return realBytes(t, -realOf(t, a[0])), nil
		}
		if rank(t) == 8 {
			d := DecimalOf(a[0]) // 0 - d would have another scale
			d.Negative = !d.Negative
			return DecimalBytes(d), nil
		}
		zero := convert(schema.TypeInt, t, be32(0))
		return compute('-', t, zero, a[0])
	}}
	return &Expr{Kind: ExprCall, Type: t, fn: f, Args: []*Expr{x}}, nil
}

// operation is the function of an operator for two types, or nil.
func operation(op byte, a, b *schema.Type) *function {
	f := &function{name: string(op), args: []*schema.Type{a, b}}
	switch {
	case isNumber(a) && isNumber(b):
		f.ret = widened(a, b)
		f.f = func(_ *binding, args [][]byte) ([]byte, error) {
			if len(args[0]) == 0 || len(args[1]) == 0 {
				return nil, nil
			}
			for i, t := range f.args {
				if err := checkFinite(t, f.ret, args[i]); err != nil {
					return nil, f.failed(err)
				}
			}
			out, err := compute(op, f.ret, widen(a, f.ret, args[0]), widen(b, f.ret, args[1]))
			return out, f.failed(err)
		}
	case isText(a) && isText(b) && op == '+':
		f.ret = b
		if a.Kind() == schema.KindText {
			f.ret = a
		}
		f.f = func(_ *binding, args [][]byte) ([]byte, error) {
			return append(append(make([]byte, 0, len(args[0])+len(args[1])), args[0]...), args[1]...), nil
		}
	case (a.Kind() == schema.KindDate || a.Kind() == schema.KindTimestamp) && b.Kind() == schema.KindDuration && (op == '+' || op == '-'):
		f.ret = a
		f.f = func(_ *binding, args [][]byte) ([]byte, error) {
			out, err := moveTime(op, a, args[0], args[1])
			return out, f.failed(err)
		}
	default:
		return nil
	}
	return f
}

// checkFinite refuses to make a decimal of a number that is none.
func checkFinite(from, to *schema.Type, v []byte) error {
	if r := rank(from); to.Kind() != schema.KindDecimal || r != 5 && r != 6 {
		return nil
	}
	switch f := realOf(from, v); {
	case math.IsNaN(f):
		return errors.New("A NaN cannot be converted into a decimal")
	case math.IsInf(f, 0):
		return errors.New("An infinite number cannot be converted into a decimal")
	}
	return nil
}

// maxExact is the largest whole number up to which doubles have them all.
const maxExact = 1 << 53

// widen converts an operand to the type of the operation. Cassandra turns
// integers and floats into decimals by way of doubles, so that 1 becomes 1.0;
// integers that a double does not have stay exact here.
func widen(from, to *schema.Type, v []byte) []byte {
	if to.Kind() == schema.KindDecimal && from.Kind() == schema.KindFloat {
		return convert(schema.TypeDouble, to, convert(from, schema.TypeDouble, v))
	}
	if to.Kind() == schema.KindDecimal && rank(from) <= rank(schema.TypeBigint) {
		if n := intOf(from, v); n > -maxExact && n < maxExact {
			if out, ok := schema.ParseDecimal(schema.JavaDouble(float64(n))); ok {
				return out
			}
		}
	}
	return convert(from, to, v)
}

func isText(t *schema.Type) bool {
	return t.Kind() == schema.KindText || t.Kind() == schema.KindASCII
}

// failed words the error of an operator as Cassandra does.
func (f *function) failed(err error) error {
	if err == nil {
		return nil
	}
	types := []string{f.args[0].String(), f.args[1].String()}
	return native.FunctionFailure("", f.name, types,
		"the operation '"+types[0]+" "+f.name+" "+types[1]+"' failed: "+err.Error())
}

var (
	errDivision      = errors.New("/ by zero")
	errDivisionWhole = errors.New("BigInteger divide by zero")
	errRemainder     = errors.New("Division by zero")
	errTooLarge      = errors.New("the numbers are too large")
)

// compute does an operation on two values of one type of number.
func compute(op byte, t *schema.Type, a, b []byte) ([]byte, error) {
	switch rank(t) {
	case 5, 6:
		x, y := realOf(t, a), realOf(t, b)
		switch op {
		case '+':
			x += y
		case '-':
			x -= y
		case '*':
			x *= y
		case '/':
			x /= y
		default:
			x = math.Mod(x, y)
		}
		return realBytes(t, x), nil
	case 7:
		return computeWhole(op, VarintOf(a), VarintOf(b))
	case 8:
		return computeDecimal(op, DecimalOf(a), DecimalOf(b))
	}
	x, y := intOf(t, a), intOf(t, b)
	switch op {
	case '+':
		x += y
	case '-':
		x -= y
	case '*':
		x *= y
	default:
		if y == 0 {
			return nil, errDivision
		}
		if op == '/' {
			x /= y
		} else {
			x %= y
		}
	}
	return intBytes(t, x), nil
}

// maxBits bounds the numbers of any size that an operation takes, in bits together.
const maxBits = 1 << 20

func computeWhole(op byte, x, y *big.Int) ([]byte, error) {
	if x.BitLen()+y.BitLen() > maxBits {
		return nil, errTooLarge
	}
	switch op {
	case '+':
		x.Add(x, y)
	case '-':
		x.Sub(x, y)
	case '*':
		x.Mul(x, y)
	default:
		if y.Sign() == 0 {
			return nil, errDivisionWhole
		}
		if op == '/' {
			x.Quo(x, y)
		} else {
			x.Rem(x, y)
		}
	}
	return VarintBytes(x), nil
}

// Scales of a quotient of decimals: as many digits behind the point as make
// minScale significant ones.
const (
	minScale = 32
	maxScale = 1000
	// maxQuotient bounds the digits before the point.
	maxQuotient = 10000
)

// divideDecimal rounds half up to a scale that depends on the operands.
func divideDecimal(d, x, y *apd.Decimal) error {
	first := int(x.NumDigits()) + int(x.Exponent) - int(y.NumDigits()) - int(y.Exponent)
	scale := min(max(minScale-first, -int(x.Exponent), -int(y.Exponent), minScale), maxScale)
	switch {
	case x.IsZero() || first < -maxScale-1: // all digits lie behind the last place
		d.SetInt64(0)
		return nil
	case first > maxQuotient:
		return errTooLarge
	}
	// The digits that are cut off lie behind the one that decides.
	ctx := apd.BaseContext.WithPrecision(uint32(max(first, 0) + scale + 2))
	ctx.Rounding = apd.RoundDown
	if _, err := ctx.Quo(d, x, y); err != nil {
		return err
	}
	ctx.Rounding = apd.RoundHalfUp
	_, err := ctx.Quantize(d, d, -int32(scale))
	return err
}

// remainder of a smaller number is that number, whatever the scales.
func remainder(d, x, y *apd.Decimal) error {
	if new(apd.Decimal).Abs(x).Cmp(new(apd.Decimal).Abs(y)) < 0 {
		d.Set(x)
		return nil
	}
	_, err := exactContext.Rem(d, x, y)
	return err
}

// exactContext has sums and products exact.
var exactContext = apd.BaseContext.WithPrecision(maxExponent)

func computeDecimal(op byte, x, y *apd.Decimal) (out []byte, err error) {
	if x.Coeff.BitLen()+y.Coeff.BitLen() > maxBits {
		return nil, errTooLarge
	}
	d := new(apd.Decimal)
	switch op {
	case '+':
		_, err = exactContext.Add(d, x, y)
	case '-':
		_, err = exactContext.Sub(d, x, y)
	case '*':
		_, err = exactContext.Mul(d, x, y)
	default:
		if y.IsZero() && op != '/' {
			return nil, errRemainder
		}
		if y.IsZero() {
			return nil, errDivisionWhole
		}
		if op == '/' {
			if err = divideDecimal(d, x, y); err == nil {
				d.Reduce(d)
			}
		} else {
			err = remainder(d, x, y)
		}
	}
	if err != nil {
		return nil, err
	}
	return DecimalBytes(d), nil
}

// moveTime adds a duration to a date or timestamp: months, then days, then the
// rest.
func moveTime(op byte, t *schema.Type, v, by []byte) ([]byte, error) {
	if len(v) == 0 {
		return nil, nil
	}
	d, err := schema.DecodeDuration(by)
	if err != nil {
		return nil, wrap(err)
	}
	sign := 1
	if op == '-' {
		sign = -1
	}
	isDate := t.Kind() == schema.KindDate
	switch {
	case isDate && d.Nanos%(milliPerDay*1e6) != 0:
		return nil, fmt.Errorf("The duration must have a day precision. Was: %s", d)
	case d.Nanos%1e6 != 0:
		return nil, fmt.Errorf("The duration must have a millisecond precision. Was: %s", d)
	}
	ms := int64(0)
	if isDate {
		ms = milliOfDate(v)
	} else {
		ms = fromBE64(v)
	}
	at := addMonths(time.UnixMilli(ms).UTC(), sign*int(d.Months)).AddDate(0, 0, sign*int(d.Days))
	ms = at.UnixMilli() + int64(sign)*(int64(d.Nanos)/1e6)
	if isDate {
		return dateOfMilli(ms), nil
	}
	return be64(ms), nil
}

// addMonths keeps the day unless the month is too short.
func addMonths(t time.Time, n int) time.Time {
	out := t.AddDate(0, n, 0)
	if out.Day() != t.Day() {
		out = out.AddDate(0, 0, -out.Day())
	}
	return out
}
