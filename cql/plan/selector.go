package plan

import (
	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/schema"
)

// exprScope says where an expression stands.
type exprScope uint8

const (
	exprTerm      exprScope = iota // a value: no columns
	exprSelection                  // a SELECT list
)

// expr compiles an expression.
func (c *compiler) expr(e cql.Expr, scope exprScope) (*Expr, error) {
	switch e := e.(type) {
	case *cql.Column:
		return c.columnExpr(e, scope)
	case *cql.Literal:
		t := literalType(e)
		if t == nil {
			return nil, errNoType(e)
		}
		v, err := literal(e, "[selection]", t)
		return &Expr{Kind: ExprConst, Type: t, value: v}, err
	case *cql.BindMarker:
		return nil, errNoType(e)
	case *cql.TypeHint:
		return c.hintExpr(e, scope)
	case *cql.FunctionCall:
		return c.callExpr(e, scope)
	case *cql.CellAttr:
		return c.cellExpr(e, scope)
	case *cql.Element:
		return c.elementExpr(e, scope)
	case *cql.TupleLiteral:
		return c.tupleExpr(e, scope)
	case *cql.Cast:
		return c.castExpr(e, scope)
	case *cql.BinaryOp:
		return c.binaryExpr(e, scope)
	case *cql.Negation:
		return c.negationExpr(e, scope)
	case *cql.Field:
		return c.fieldExpr(e, scope)
	case *cql.Slice:
		return c.sliceExpr(e, scope)
	}
	return nil, errNoType(e)
}

func errNoType(e cql.Expr) error {
	return invalid("Cannot infer type for term %s in selection clause (try using a cast to force a type)", e)
}

func (c *compiler) columnExpr(e *cql.Column, scope exprScope) (*Expr, error) {
	if scope == exprTerm {
		return nil, invalid("Invalid column reference %s in a value", e.Name)
	}
	col := c.table.Column(e.Name)
	if col == nil {
		return nil, errUndefinedColumn(e.Name, c.table)
	}
	return &Expr{Kind: ExprColumn, Type: col.Type, Slot: c.slot(col)}, nil
}

// slot is the place where a row keeps the column's value.
func (c *compiler) slot(col *schema.Column) int {
	for i, s := range c.slots {
		if s == col {
			return i
		}
	}
	c.slots = append(c.slots, col)
	return len(c.slots) - 1
}

func (c *compiler) hintExpr(e *cql.TypeHint, scope exprScope) (*Expr, error) {
	t, err := c.typeOf(e.Type)
	if err != nil {
		return nil, err
	}
	switch e.Expr.(type) {
	case *cql.Column, *cql.FunctionCall, *cql.Element, *cql.Cast, *cql.BinaryOp, *cql.Negation:
		x, err := c.expr(e.Expr, scope)
		if err == nil && !assignable(x.Type, t) {
			return nil, invalid("Cannot assign value %s to %s of type %s", e.Expr, e, t)
		}
		return x, err
	}
	return c.termExpr(e.Expr, "[selection]", t)
}

// termExpr compiles a constant, marker or collection of them for a type.
func (c *compiler) termExpr(e cql.Expr, name string, t *schema.Type) (*Expr, error) {
	sub, err := c.term(e, name, t)
	if err != nil {
		return nil, err
	}
	if sub.kind == termConst {
		return &Expr{Kind: ExprConst, Type: t, value: sub.value}, nil
	}
	return &Expr{Kind: ExprTerm, Type: t, term: sub}, nil
}

func (c *compiler) callExpr(e *cql.FunctionCall, scope exprScope) (*Expr, error) {
	if e.Name.Name == "token" && e.Name.Keyspace == "" {
		return c.tokenExpr(e, scope)
	}
	if x, err := c.aggregateExpr(e, scope); x != nil || err != nil {
		return x, err
	}
	receiver := c.hint
	c.hint = nil // the arguments have other receivers
	args := make([]argument, len(e.Args))
	exprs := make([]*Expr, len(e.Args))
	for i, a := range e.Args {
		args[i].text = a.String()
		switch a := a.(type) {
		case *cql.Literal:
			args[i].lit = a
		case *cql.BindMarker:
			args[i].marker = true
		default:
			x, err := c.expr(a, scope)
			if err != nil {
				return nil, err
			}
			exprs[i], args[i].typ = x, x.Type
		}
	}
	f, err := resolve(e.Name, args, scope, receiver)
	if err != nil {
		return nil, err
	}
	for i, a := range e.Args {
		if exprs[i] == nil {
			name := "arg" + itoa(i) + "(" + functionDisplay(e.Name) + ")"
			if scope == exprSelection {
				name = "[selection]"
			}
			if exprs[i], err = c.termExpr(a, name, f.args[i]); err != nil {
				return nil, err
			}
		}
	}
	return &Expr{Kind: ExprCall, Type: f.ret, fn: f, Args: exprs}, nil
}

// tokenExpr compiles token(...), whose arguments have the types of the
// partition key.
func (c *compiler) tokenExpr(e *cql.FunctionCall, scope exprScope) (*Expr, error) {
	pk := c.table.PartitionKey
	if len(e.Args) != len(pk) {
		return nil, invalid("Invalid number of arguments in call to function system.token: %d required but %d provided", len(pk), len(e.Args))
	}
	args := make([]*Expr, len(pk))
	own := true
	for i, a := range e.Args {
		var err error
		if col, ok := a.(*cql.Column); ok && scope == exprSelection {
			own = own && col.Name == pk[i].Name
			args[i], err = c.columnExpr(col, scope)
		} else {
			own = false
			if l, ok := a.(*cql.Literal); ok && !literalFits(l.Kind, pk[i].Type) {
				return nil, errArgument(a.String(), i, "system.token", pk[i].Type)
			}
			args[i], err = c.termExpr(a, "arg"+itoa(i)+"(system.token)", pk[i].Type)
		}
		if err != nil {
			return nil, err
		}
		if !assignable(args[i].Type, pk[i].Type) {
			return nil, errArgument(a.String(), i, "system.token", pk[i].Type)
		}
	}
	if own {
		args = nil
	}
	return &Expr{Kind: ExprToken, Type: schema.TypeBigint, Args: args}, nil
}

func (c *compiler) elementExpr(e *cql.Element, scope exprScope) (*Expr, error) {
	base, err := c.expr(e.Base, scope)
	if err != nil {
		return nil, err
	}
	var kt, vt *schema.Type
	switch base.Type.Kind() {
	case schema.KindMap:
		kt, vt = base.Type.Key(), base.Type.Value()
	case schema.KindSet:
		kt, vt = base.Type.Elem(), base.Type.Elem()
	default:
		return nil, elementOfNone(e.Base, base.Type)
	}
	key, err := c.termExpr(e.Key, "key("+e.Base.String()+")", kt)
	if err != nil {
		return nil, err
	}
	return &Expr{Kind: ExprElement, Type: vt, Args: []*Expr{base, key}}, nil
}

func elementOfNone(e cql.Expr, t *schema.Type) error {
	if t.Kind() == schema.KindList {
		return invalid("Element selection is only allowed on sets and maps, but %s is a list", e)
	}
	return invalid("Invalid element selection: %s is of type %s is not a collection", e, t)
}

func (c *compiler) fieldExpr(e *cql.Field, scope exprScope) (*Expr, error) {
	base, err := c.expr(e.Base, scope)
	if err != nil {
		return nil, err
	}
	if base.Type.Kind() != schema.KindUDT {
		return nil, invalid("Invalid field selection: %s of type %s is not a user type", e.Base, base.Type)
	}
	for i, f := range base.Type.Fields() {
		if f == e.Name.Name {
			return &Expr{Kind: ExprField, Type: base.Type.Elems()[i], Field: i, Args: []*Expr{base}}, nil
		}
	}
	return nil, invalid("%s of type %s has no field %s", e.Base, base.Type, e.Name.Name)
}

func (c *compiler) tupleExpr(e *cql.TupleLiteral, scope exprScope) (*Expr, error) {
	if len(e.Elems) == 1 {
		return c.expr(e.Elems[0], scope)
	}
	out := &Expr{Kind: ExprTuple}
	types := make([]*schema.Type, len(e.Elems))
	for i, a := range e.Elems {
		x, err := c.expr(a, scope)
		if err != nil {
			return nil, err
		}
		out.Args = append(out.Args, x)
		types[i] = x.Type.Freeze()
	}
	out.Type = schema.TupleOf(types...)
	return out, nil
}

func isLiteral(e cql.Expr) bool {
	_, ok := e.(*cql.Literal)
	return ok
}
