package cql

import "strings"

// ResultName gives the name of the result column of a selectable without alias, as Cassandra prints it: names are not quoted,
// functions without keyspace are those of `system`, count(*) and count of a constant are `count`. The planner, which knows user
// functions, may give qualify to name the function of a call ("ks.f"); nil means `system`.
func ResultName(e Selectable, qualify func(*FunctionCall) string) string {
	var b strings.Builder
	writeName(&b, e, qualify)
	return b.String()
}

func writeName(b *strings.Builder, e Expr, qualify func(*FunctionCall) string) {
	list := func(open string, elems []Expr, end string) {
		b.WriteString(open)
		for i, x := range elems {
			if i > 0 {
				b.WriteString(", ")
			}
			writeName(b, x, qualify)
		}
		b.WriteString(end)
	}
	put := func(parts ...any) {
		for _, x := range parts {
			switch x := x.(type) {
			case string:
				b.WriteString(x)
			case Expr:
				writeName(b, x, qualify)
			}
		}
	}
	switch x := e.(type) {
	case *Column:
		put(x.Name)
	case *FunctionCall:
		if x.countsRows() {
			put("count")
			return
		}
		list(callName(x, qualify)+"(", x.Args, ")")
	case *CellAttr:
		put(x.Kind.String(), "(", x.Of, ")")
	case *Cast:
		put("cast(", x.Expr, " as ", x.Type.String(), ")")
	case *Field:
		put(x.Base, ".", x.Name.Name)
	case *Element:
		put(x.Base, "[", x.Key.String(), "]")
	case *Slice:
		put(x.Base, "[", termText(x.From), "..", termText(x.To), "]")
	case *BinaryOp:
		operand := func(e Expr, right bool) {
			if o, ok := e.(*BinaryOp); ok && (o.Op.additive() && (right || !x.Op.additive()) || right && !x.Op.additive()) {
				put("(", e, ")")
				return
			}
			put(e)
		}
		operand(x.Left, false)
		put(" " + string(rune(x.Op)) + " ")
		operand(x.Right, true)
	case *Negation:
		if _, ok := x.Expr.(*BinaryOp); ok {
			put("-(", x.Expr, ")")
			return
		}
		put("-", x.Expr)
	case *TypeHint:
		put("(", x.Type.String(), ")", x.Expr)
	case *ListLiteral:
		list("[", x.Elems, "]")
	case *SetLiteral:
		list("{", x.Elems, "}")
	case *TupleLiteral:
		list("(", x.Elems, ")")
	default:
		put(e.String())
	}
}

// additive tells + and - from the operators that bind tighter.
func (op BinaryOperator) additive() bool { return op == '+' || op == '-' }

// countsRows reports whether the call is count(*) or count of a constant that is not null.
func (e *FunctionCall) countsRows() bool {
	if e.Star {
		return true
	}
	if e.Name.Name != "count" || e.Name.Keyspace != "" || len(e.Args) != 1 {
		return false
	}
	l, ok := e.Args[0].(*Literal)
	return ok && l.Kind != LitNull
}

func callName(f *FunctionCall, qualify func(*FunctionCall) string) string {
	if qualify != nil {
		return qualify(f)
	}
	if f.Name.Keyspace != "" {
		return f.Name.Keyspace + "." + f.Name.Name
	}
	return "system." + f.Name.Name
}

func termText(t Term) string {
	if t == nil {
		return ""
	}
	return t.String()
}
