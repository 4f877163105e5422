package cql

// Operator is a comparison of a WHERE or IF clause.
type Operator uint8

// Operators. OpNotIn, OpBetween, OpNotBetween, OpNotContains, OpNotContainsKey and OpIsNull are parsed so that the planner can refuse
// them by name.
const (
	OpEq Operator = iota
	OpNe
	OpLt
	OpLe
	OpGt
	OpGe
	OpIn
	OpNotIn
	OpContains
	OpContainsKey
	OpNotContains
	OpNotContainsKey
	OpLike
	OpIsNotNull
	OpIsNull
	OpBetween
	OpNotBetween
)

// String gives the operator as CQL.
func (o Operator) String() string {
	return [...]string{"=", "!=", "<", "<=", ">", ">=", "IN", "NOT IN", "CONTAINS", "CONTAINS KEY", "NOT CONTAINS",
		"NOT CONTAINS KEY", "LIKE", "IS NOT NULL", "IS NULL", "BETWEEN", "NOT BETWEEN"}[o]
}

// RelationKind tells what stands on the left of a Relation.
type RelationKind uint8

// Kinds of relations.
const (
	RelColumn    RelationKind = iota // Columns[0] op ...
	RelElement                       // Columns[0][Key] op ...
	RelToken                         // token(Columns...) op ...
	RelTuple                         // (Columns...) op ...; Values are *TupleLiteral or *BindMarker
	RelIndexExpr                     // expr(Index, Value)
)

// Relation is one condition of a WHERE clause. Right side: Value for the operators with one operand, and for `IN ?` the marker; Values
// for `IN (...)` (InList true; may be empty) and for BETWEEN (two). OpIsNotNull and OpIsNull have neither.
type Relation struct {
	Kind     RelationKind
	Columns  []Ident
	Key      Term
	Op       Operator
	Value    Term
	Values   []Term
	InList   bool
	Index    Name
	Position Pos
	OpPos    Pos
}

// Condition is one condition of an IF clause. Key is set for `c[k]`, Field for `c.f`. Value, Values and InList as in Relation.
type Condition struct {
	Column   Ident
	Key      Term
	Field    *Ident
	Op       Operator
	Value    Term
	Values   []Term
	InList   bool
	Position Pos
}

// Selector is one entry of a SELECT list.
type Selector struct {
	Expr  Selectable
	Alias *Ident // nil without AS
}

// OrderBy is one column of ORDER BY. ANN is set (with Vector) for `ORDER BY c ANN OF v`.
type OrderBy struct {
	Column   Ident
	Desc     bool
	ANN      bool
	Vector   Term
	Position Pos
}

// Using holds the USING clause; absent parts are nil.
type Using struct {
	Timestamp Term
	TTL       Term
	Timeout   Term // an extension that the planner may refuse
	Position  Pos
}

// JSONDefault tells what INSERT JSON does to columns that the document does not name.
type JSONDefault uint8

// Values of JSONDefault.
const (
	JSONDefaultNull JSONDefault = iota
	JSONDefaultUnset
)

// BatchKind is the kind of a Batch.
type BatchKind uint8

// Kinds of batches.
const (
	BatchLogged BatchKind = iota
	BatchUnlogged
	BatchCounter
)

// String gives the kind in upper case.
func (k BatchKind) String() string { return [...]string{"LOGGED", "UNLOGGED", "COUNTER"}[k] }

// AssignKind is the form of an Assignment.
type AssignKind uint8

// Forms of assignments.
const (
	AssignSet     AssignKind = iota // c = v
	AssignAdd                       // c = c + v, c += v
	AssignSub                       // c = c - v, c -= v
	AssignPrepend                   // c = v + c
	AssignElement                   // c[Key] = v
	AssignField                     // c.Field = v
)

// Assignment is one entry of SET. A prefix form `c = v + c` on a counter or number is for the planner to tell apart.
type Assignment struct {
	Kind   AssignKind
	Column Ident
	Key    Term
	Field  Ident
	Value  Term
}

// Deletion is one entry of the DELETE list: a column, an element (Key set) or a field (Field set).
type Deletion struct {
	Column Ident
	Key    Term
	Field  *Ident
}

type (
	// Select is a SELECT. Star means `SELECT *` (Selectors empty).
	Select struct {
		node
		JSON              bool
		Distinct          bool
		Star              bool
		Selectors         []Selector
		From              Name
		Where             []Relation
		GroupBy           []Expr // *Column or *FunctionCall
		OrderBy           []OrderBy
		PerPartitionLimit Term
		Limit             Term
		AllowFiltering    bool
		AllowPos          Pos        // of ALLOW
		Options           []Property // SELECT ... WITH (5.1 and ANN options)
	}

	// Insert is an INSERT. With JSON set, Columns and Values are empty and JSON is a string literal or a marker.
	Insert struct {
		node
		Table       Name
		Columns     []Ident
		Values      []Term
		JSON        Term
		JSONDefault JSONDefault
		IfNotExists bool
		Using       Using
	}

	// Update is an UPDATE.
	Update struct {
		node
		Table       Name
		Using       Using
		Assignments []Assignment
		Where       []Relation
		IfExists    bool
		Conditions  []Condition
	}

	// Delete is a DELETE; without Selections it deletes rows.
	Delete struct {
		node
		Selections []Deletion
		Table      Name
		Using      Using
		Where      []Relation
		IfExists   bool
		Conditions []Condition
	}

	// Batch is BEGIN ... APPLY BATCH; Statements are *Insert, *Update or *Delete and may be none.
	Batch struct {
		node
		Kind       BatchKind
		Using      Using
		Statements []Statement
	}

	// Truncate is TRUNCATE [TABLE] name.
	Truncate struct {
		node
		Table Name
	}

	// Use is USE keyspace.
	Use struct {
		node
		Keyspace Ident
	}

	// Unsupported is a statement that is recognised by its first words but not parsed: BEGIN TRANSACTION, COMMENT ON and the
	// like. Feature names it in the form that an error message can use.
	Unsupported struct {
		node
		Feature string
	}
)
