package plan

import (
	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/schema"
)

// Aggregate is an aggregate function.
type Aggregate uint8

// Aggregate functions.
const (
	AggNone Aggregate = iota
	AggCountRows
	AggCount
	AggMin
	AggMax
	AggSum
	AggAvg
)

var aggregates = map[string]Aggregate{
	"count": AggCount, "countrows": AggCountRows, "min": AggMin, "max": AggMax, "sum": AggSum, "avg": AggAvg,
}

// numberSignatures are those of an aggregate of numbers.
func numberSignatures(name string) string {
	var list []*function
	for _, t := range conversionTypes {
		if isNumber(t) {
			list = append(list, &function{name: name, args: []*schema.Type{t}, ret: t})
		}
	}
	return signaturesOf(list)
}

// aggregateExpr compiles a call of an aggregate function; it returns nil if the
// name is none.
func (c *compiler) aggregateExpr(e *cql.FunctionCall, scope exprScope) (*Expr, error) {
	agg, ok := aggregates[e.Name.Name]
	if !ok || e.Name.Keyspace != "" && e.Name.Keyspace != "system" {
		return nil, nil
	}
	if scope != exprSelection || c.inAggregate {
		return nil, invalid("aggregate functions cannot be used as arguments of aggregate functions")
	}
	out := &Expr{Kind: ExprAggregate, Aggregate: agg, Type: schema.TypeBigint}
	c.aggregated = true
	if e.Star || len(e.Args) == 0 && agg == AggCountRows || agg == AggCount && len(e.Args) == 1 && isLiteral(e.Args[0]) {
		if agg != AggCount && agg != AggCountRows {
			return nil, invalid("Invalid call to function %s", functionDisplay(e.Name))
		}
		out.Aggregate = AggCountRows
		return out, nil
	}
	if len(e.Args) != 1 {
		if agg == AggCount {
			return nil, invalid("Invalid number of arguments in call to function %s: 1 required but %d provided", functionDisplay(e.Name), len(e.Args))
		}
		return nil, invalid("Invalid number of arguments for function %s(any)", functionDisplay(e.Name))
	}
	c.inAggregate = true
	x, err := c.expr(e.Args[0], scope)
	c.inAggregate = false
	if err != nil {
		return nil, err
	}
	out.Args = []*Expr{x}
	switch agg {
	case AggCount:
		return out, nil
	case AggSum, AggAvg:
		if !isNumber(x.Type) {
			return nil, invalid("Invalid call to function %s, none of its type signatures match (known type signatures: %s)", nameAsCalled(e.Name), numberSignatures(e.Name.Name))
		}
	}
	out.Type = x.Type
	if x.Type.Kind() == schema.KindCounter {
		out.Type = schema.TypeBigint
	}
	return out, nil
}
