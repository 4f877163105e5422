package cql

// Expr is a term or a selectable: anything that stands for a value. The concrete types are pointers.
//
//	*Literal *BindMarker *ListLiteral *SetLiteral *MapLiteral *UDTLiteral *TupleLiteral
//	*FunctionCall *TypeHint *Cast *BinaryOp *Negation
//	*Column *CellAttr *Element *Slice *Field
type Expr interface {
	expr()
	// Pos is where the first token of the expression stands.
	Pos() Pos
	// String gives the expression as CQL that parses to the same tree.
	String() string
}

// Term is an Expr on the value side (VALUES, SET, WHERE); Selectable is an Expr of a SELECT list. The grammar lets columns,
// CellAttr, Cast, Slice and count(*) through only in a Selectable.
type (
	Term       = Expr
	Selectable = Expr
)

// LiteralKind tells how a constant was written.
type LiteralKind uint8

// Kinds of literals. Text of a Literal holds the unquoted string, the digits with sign, true/false in lower case, the
// uuid as written, the hex digits without 0x, the duration as written, or "NaN", "Infinity", "-NaN", "-Infinity" for Float.
const (
	LitNull LiteralKind = iota
	LitString
	LitInteger
	LitFloat
	LitBool
	LitUUID
	LitHex
	LitDuration
)

// String gives the name that Cassandra's messages use for the kind.
func (k LiteralKind) String() string {
	return [...]string{"NULL", "STRING", "INTEGER", "FLOAT", "BOOLEAN", "UUID", "HEX", "DURATION"}[k]
}

// BinaryOperator is an arithmetic operator byte: '+', '-', '*', '/' or '%'.
type BinaryOperator byte

// CellAttrKind tells which attribute of a cell a CellAttr reads.
type CellAttrKind uint8

// Kinds of CellAttr.
const (
	AttrWritetime CellAttrKind = iota
	AttrMaxWritetime
	AttrTTL
)

// String gives the function name in lower case.
func (k CellAttrKind) String() string { return [...]string{"writetime", "maxwritetime", "ttl"}[k] }

type (
	// Literal is a constant.
	Literal struct {
		Kind     LiteralKind
		Text     string
		Position Pos
	}

	// BindMarker is `?` (Name empty) or `:name`. Index counts all markers of the statement from 0.
	BindMarker struct {
		Name     string
		Index    int
		Position Pos
	}

	// ListLiteral is `[a, b]`: a list or a vector.
	ListLiteral struct {
		Elems    []Expr
		Position Pos
	}

	// SetLiteral is `{a, b}`. With no elements it is `{}`, which is an empty set or an empty map.
	SetLiteral struct {
		Elems    []Expr
		Position Pos
	}

	// MapLiteral is `{k: v, ...}` with at least one entry (except as a property value).
	MapLiteral struct {
		Entries  []MapEntry
		Position Pos
	}

	// MapEntry is one pair of a MapLiteral.
	MapEntry struct{ Key, Value Expr }

	// UDTLiteral is `{field: v, ...}`. When the receiver is a map and all names are columns the planner refuses it.
	UDTLiteral struct {
		Fields   []UDTField
		Position Pos
	}

	// UDTField is one field of a UDTLiteral.
	UDTField struct {
		Name  Ident
		Value Expr
	}

	// TupleLiteral is `(a, b)`. Between parentheses a single term is that term itself in arithmetic and a one-element tuple
	// in WHERE and VALUES: the parser gives a TupleLiteral with one element there.
	TupleLiteral struct {
		Elems    []Expr
		Position Pos
	}

	// FunctionCall is `[ks.]name(args)`. Star marks count(*), which has no Args. token(...) is a FunctionCall too.
	FunctionCall struct {
		Name     Name // both parts folded as identifiers are
		Args     []Expr
		Star     bool
		Position Pos
	}

	// TypeHint is `(type) expr`.
	TypeHint struct {
		Type     *TypeExpr
		Expr     Expr
		Position Pos
	}

	// Cast is `CAST(expr AS type)`.
	Cast struct {
		Expr     Expr
		Type     *TypeExpr
		Position Pos
	}

	// BinaryOp is `left op right`. Its position is that of the left operand.
	BinaryOp struct {
		Op          BinaryOperator
		Left, Right Expr
		OpPos       Pos
	}

	// Negation is `-expr` where expr is not a number literal.
	Negation struct {
		Expr     Expr
		Position Pos
	}

	// Column is a reference to a column (or, as a property value, a bare word).
	Column struct {
		Ident
	}

	// CellAttr is WRITETIME(c), MAXWRITETIME(c) or TTL(c); Of is a *Column, *Element, *Slice or *Field.
	CellAttr struct {
		Kind     CellAttrKind
		Of       Expr
		Position Pos
	}

	// Element is `base[key]`.
	Element struct {
		Base, Key Expr
	}

	// Slice is `base[from..to]`; either end may be nil.
	Slice struct {
		Base, From, To Expr
	}

	// Field is `base.name`.
	Field struct {
		Base Expr
		Name Ident
	}
)

func (*Literal) expr()      {}
func (*BindMarker) expr()   {}
func (*ListLiteral) expr()  {}
func (*SetLiteral) expr()   {}
func (*MapLiteral) expr()   {}
func (*UDTLiteral) expr()   {}
func (*TupleLiteral) expr() {}
func (*FunctionCall) expr() {}
func (*TypeHint) expr()     {}
func (*Cast) expr()         {}
func (*BinaryOp) expr()     {}
func (*Negation) expr()     {}
func (*Column) expr()       {}
func (*CellAttr) expr()     {}
func (*Element) expr()      {}
func (*Slice) expr()        {}
func (*Field) expr()        {}

// Pos implements Expr.
func (e *Literal) Pos() Pos { return e.Position }

// Pos implements Expr.
func (e *BindMarker) Pos() Pos { return e.Position }

// Pos implements Expr.
func (e *ListLiteral) Pos() Pos { return e.Position }

// Pos implements Expr.
func (e *SetLiteral) Pos() Pos { return e.Position }

// Pos implements Expr.
func (e *MapLiteral) Pos() Pos { return e.Position }

// Pos implements Expr.
func (e *UDTLiteral) Pos() Pos { return e.Position }

// Pos implements Expr.
func (e *TupleLiteral) Pos() Pos { return e.Position }

// Pos implements Expr.
func (e *FunctionCall) Pos() Pos { return e.Position }

// Pos implements Expr.
func (e *TypeHint) Pos() Pos { return e.Position }

// Pos implements Expr.
func (e *Cast) Pos() Pos { return e.Position }

// Pos implements Expr.
func (e *BinaryOp) Pos() Pos { return e.Left.Pos() }

// Pos implements Expr.
func (e *Negation) Pos() Pos { return e.Position }

// Pos implements Expr.
func (e *Column) Pos() Pos { return e.Ident.Pos }

// Pos implements Expr.
func (e *CellAttr) Pos() Pos { return e.Position }

// Pos implements Expr.
func (e *Element) Pos() Pos { return e.Base.Pos() }

// Pos implements Expr.
func (e *Slice) Pos() Pos { return e.Base.Pos() }

// Pos implements Expr.
func (e *Field) Pos() Pos { return e.Base.Pos() }

// TypeKind tells the shape of a TypeExpr.
type TypeKind uint8

// Kinds of types.
const (
	TypeNative TypeKind = iota // Name is the lower-case native name ("int", "text"; "varchar" is kept as "varchar")
	TypeUser                   // Keyspace (may be empty) and Name
	TypeList                   // Args[0]
	TypeSet                    // Args[0]
	TypeMap                    // Args[0] key, Args[1] value
	TypeTuple                  // Args, at least one
	TypeVector                 // Args[0], Dim
	TypeCustom                 // Name is the class string between quotes
)

// TypeExpr is a type as written. frozen<...> is not a node of its own: it sets Frozen on the type inside.
type TypeExpr struct {
	Kind     TypeKind
	Frozen   bool
	Keyspace string
	Name     string
	Args     []*TypeExpr
	Dim      int
	Position Pos
}
