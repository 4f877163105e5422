package plan

import (
	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/schema"
)

// castExpr compiles CAST(expr AS type).
func (c *compiler) castExpr(e *cql.Cast, scope exprScope) (*Expr, error) {
	to, err := c.typeOf(e.Type)
	if err != nil {
		return nil, err
	}
	x, err := c.expr(e.Expr, scope)
	if err != nil {
		return nil, err
	}
	if x.Type.Equal(to) {
		return x, nil
	}
	f := castFunction(x.Type, to)
	if f == nil {
		return nil, errCast(e, to)
	}
	return &Expr{Kind: ExprCall, Type: to, Args: []*Expr{x},
		fn: &function{name: "cast", args: []*schema.Type{x.Type}, ret: to,
			f: func(_ *binding, a [][]byte) ([]byte, error) {
				if len(a[0]) == 0 && x.Type.FixedLen() > 0 {
					return nil, nil
				}
				if err := checkWhole(x.Type, to, a[0]); err != nil {
					return nil, err
				}
				return f(a[0]), nil
			}}}, nil
}

// checkWhole refuses to write a decimal out as an integer of too many digits.
func checkWhole(from, to *schema.Type, v []byte) error {
	if from.Kind() == schema.KindDecimal && to.Kind() == schema.KindVarint && DecimalOf(v).Exponent > maxExponent {
		return failedFunction("cast_as_"+to.String(), []*schema.Type{from}, errTooLarge)
	}
	return nil
}

func errCast(e *cql.Cast, to *schema.Type) error {
	name := "cast_as_" + to.String()
	var list []*function
	for _, from := range conversionTypes {
		if castFunction(from, to) != nil {
			list = append(list, &function{name: name, args: []*schema.Type{from}, ret: to})
		}
	}
	if list == nil {
		return invalid("%s cannot be cast to %s", e.Expr, to)
	}
	return invalid("Invalid call to function system.%s, none of its type signatures match (known type signatures: %s)", name, signaturesOf(list))
}

// castFunction is one entry of Cassandra's table of casts, or nil.
func castFunction(from, to *schema.Type) func([]byte) []byte {
	if isNumber(from) && isNumber(to) && to.Kind() != schema.KindCounter {
		return func(v []byte) []byte { return convert(from, to, v) }
	}
	if to.Kind() == schema.KindText || to.Kind() == schema.KindASCII && from.Kind() != schema.KindText {
		switch from.Kind() {
		case schema.KindBoolean, schema.KindASCII, schema.KindDate, schema.KindTime, schema.KindTimestamp,
			schema.KindTimeUUID, schema.KindUUID, schema.KindInet:
		default:
			if !isNumber(from) {
				return nil
			}
		}
		return func(v []byte) []byte { return []byte(from.FormatText(v)) }
	}
	type pair struct{ from, to schema.Kind }
	return map[pair]func([]byte) []byte{
		{schema.KindDate, schema.KindTimestamp}:     func(v []byte) []byte { return be64(milliOfDate(v)) },
		{schema.KindTimestamp, schema.KindBigint}:   func(v []byte) []byte { return v },
		{schema.KindTimestamp, schema.KindDate}:     func(v []byte) []byte { return dateOfMilli(fromBE64(v)) },
		{schema.KindTimeUUID, schema.KindDate}:      func(v []byte) []byte { return dateOfMilli(milliOfTimeUUID(v)) },
		{schema.KindTimeUUID, schema.KindTimestamp}: func(v []byte) []byte { return be64(milliOfTimeUUID(v)) },
	}[pair{from.Kind(), to.Kind()}]
}
