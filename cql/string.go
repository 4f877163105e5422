package cql

import (
	"strconv"
	"strings"
)

// String gives the literal as CQL.
func (e *Literal) String() string {
	switch e.Kind {
	case LitNull:
		return "NULL"
	case LitString:
		return QuoteString(e.Text)
	case LitHex:
		return "0x" + e.Text
	}
	return e.Text
}

// String gives `?` or `:name`.
func (e *BindMarker) String() string {
	if e.Name == "" {
		return "?"
	}
	return ":" + Quote(e.Name)
}

// String gives `[a, b]`.
func (e *ListLiteral) String() string { return joinExprs("[", e.Elems, "]") }

// String gives `{a, b}`.
func (e *SetLiteral) String() string { return joinExprs("{", e.Elems, "}") }

// String gives `(a, b)`.
func (e *TupleLiteral) String() string { return joinExprs("(", e.Elems, ")") }

// String gives `{k: v}`.
func (e *MapLiteral) String() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, m := range e.Entries {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(m.Key.String())
		b.WriteString(": ")
		b.WriteString(m.Value.String())
	}
	b.WriteByte('}')
	return b.String()
}

// String gives `{field: v}`.
func (e *UDTLiteral) String() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, f := range e.Fields {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(Quote(f.Name.Name))
		b.WriteString(": ")
		b.WriteString(f.Value.String())
	}
	b.WriteByte('}')
	return b.String()
}

// String gives `[ks.]name(args)`. token keeps its bare name though it is a reserved word.
func (e *FunctionCall) String() string {
	name := quoteWhere(e.Name.Name, isFunctionName)
	switch {
	case e.Name.Keyspace != "":
		name = Quote(e.Name.Keyspace) + "." + name
	case e.Name.Name == "token":
		name = "token"
	}
	if e.Star {
		return name + "(*)"
	}
	return joinExprs(name+"(", e.Args, ")")
}

// String gives `(type)expr`. A bare `as` behind the parentheses would begin an alias.
func (e *TypeHint) String() string {
	expr := operand(e.Expr, 3)
	if c, ok := e.Expr.(*Column); ok && c.Name == "as" {
		expr = `"as"`
	}
	return "(" + e.Type.String() + ")" + expr
}

// String gives `CAST(expr AS type)`.
func (e *Cast) String() string { return "CAST(" + e.Expr.String() + " AS " + e.Type.String() + ")" }

// String gives `left op right` with the parentheses that the tree needs.
func (e *BinaryOp) String() string {
	prec := precedence(e.Op)
	return operand(e.Left, prec) + " " + string(rune(e.Op)) + " " + operand(e.Right, prec+1)
}

// String gives `-expr`. The blank keeps a following number from being read as a negative literal. A negation inside has no
// parentheses: they would nest deeper than what was parsed.
func (e *Negation) String() string {
	if inner, ok := e.Expr.(*Negation); ok {
		return "- " + inner.String()
	}
	return "- " + operand(e.Expr, 3)
}

// String gives the quoted-if-needed name.
func (e *Column) String() string { return Quote(e.Name) }

// String gives `writetime(c)` and the like.
func (e *CellAttr) String() string { return e.Kind.String() + "(" + e.Of.String() + ")" }

// String gives `base[key]`.
func (e *Element) String() string { return operand(e.Base, 3) + "[" + e.Key.String() + "]" }

// String gives `base[from..to]`.
func (e *Slice) String() string {
	var b strings.Builder
	b.WriteString(operand(e.Base, 3))
	b.WriteByte('[')
	if e.From != nil {
		b.WriteString(e.From.String())
	}
	b.WriteString(" .. ")
	if e.To != nil {
		b.WriteString(e.To.String())
	}
	b.WriteByte(']')
	return b.String()
}

// String gives `base.field`. Behind the digits of a number the point would be one of the number.
func (e *Field) String() string {
	base := operand(e.Base, 3)
	if l, ok := e.Base.(*Literal); ok && (l.Kind == LitInteger || l.Kind == LitFloat) {
		base = "(" + base + ")"
	}
	return base + "." + Quote(e.Name.Name)
}

// String gives the type as CQL: the name that system_schema and DESCRIBE use.
func (t *TypeExpr) String() string {
	s := t.bareString()
	if t.Frozen {
		return "frozen<" + s + ">"
	}
	return s
}

func (t *TypeExpr) bareString() string {
	switch t.Kind {
	case TypeNative:
		return t.Name
	case TypeUser:
		name := quoteWhere(t.Name, isTypeName)
		if reservedTypes[t.Name] {
			name = `"` + t.Name + `"`
		}
		if t.Keyspace != "" {
			return Quote(t.Keyspace) + "." + name
		}
		return name
	case TypeCustom:
		return QuoteString(t.Name)
	}
	var b strings.Builder
	b.WriteString([...]string{TypeList: "list", TypeSet: "set", TypeMap: "map", TypeTuple: "tuple", TypeVector: "vector"}[t.Kind])
	b.WriteByte('<')
	for i, a := range t.Args {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(a.String())
	}
	if t.Kind == TypeVector {
		b.WriteString(", ")
		b.WriteString(strconv.Itoa(t.Dim))
	}
	b.WriteByte('>')
	return b.String()
}

func joinExprs(open string, list []Expr, end string) string {
	var b strings.Builder
	b.WriteString(open)
	for i, e := range list {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(e.String())
	}
	b.WriteString(end)
	return b.String()
}

func precedence(op BinaryOperator) int {
	if op == '+' || op == '-' {
		return 1
	}
	return 2
}

// operand puts parentheses around e when it binds looser than prec.
func operand(e Expr, prec int) string {
	own := 3
	switch v := e.(type) {
	case *BinaryOp:
		own = precedence(v.Op)
	case *Negation:
		own = 2
	}
	if own < prec {
		return "(" + e.String() + ")"
	}
	return e.String()
}
