package cql

type (
	// CreateKeyspace is CREATE KEYSPACE.
	CreateKeyspace struct {
		node
		Name        Ident
		IfNotExists bool
		Options     []Property
	}

	// AlterKeyspace is ALTER KEYSPACE.
	AlterKeyspace struct {
		node
		Name     Ident
		IfExists bool
		Options  []Property
	}

	// DropKeyspace is DROP KEYSPACE.
	DropKeyspace struct {
		node
		Name     Ident
		IfExists bool
	}

	// ColumnDef is one column of CREATE TABLE or ALTER TABLE ADD.
	ColumnDef struct {
		Name       Ident
		Type       *TypeExpr
		Static     bool
		PrimaryKey bool          // written behind the column itself
		Mask       *FunctionCall // MASKED WITH f(...); DEFAULT gives the call mask_default()
		Check      string        // text of a CHECK constraint, which the planner refuses
	}

	// ClusteringOrder is one entry of CLUSTERING ORDER BY.
	ClusteringOrder struct {
		Column Ident
		Desc   bool
	}

	// CreateTable is CREATE TABLE. PartitionKey and ClusteringKey hold what a PRIMARY KEY clause or the inline PRIMARY KEY says; KeyCount
	// is how many of them the text has (the planner demands exactly one).
	CreateTable struct {
		node
		Name            Name
		IfNotExists     bool
		Columns         []ColumnDef
		PartitionKey    []Ident
		ClusteringKey   []Ident
		KeyCount        int
		ClusteringOrder []ClusteringOrder
		CompactStorage  bool
		Options         []Property
	}

	// CopyTable is CREATE TABLE a LIKE b, of a later release.
	CopyTable struct {
		node
		Name        Name
		Like        Name
		IfNotExists bool
		Options     []Property
	}

	// AlterTableKind tells what an AlterTable does.
	AlterTableKind uint8

	// AlterTable is ALTER TABLE.
	AlterTable struct {
		node
		Name     Name
		IfExists bool
		Kind     AlterTableKind
		// AddIfNotExists and ColumnIfExists are ADD IF NOT EXISTS, DROP/RENAME/ALTER IF EXISTS.
		AddIfNotExists     bool
		ColumnIfExists     bool
		Add                []ColumnDef // AlterTableAdd; AlterTableType and AlterTableMask use Add[0]
		Drop               []Ident
		DropTimestamp      Term // USING TIMESTAMP of DROP, else nil
		Rename             [][2]Ident
		Options            []Property
		DropCompactStorage bool
	}

	// DropTable is DROP TABLE.
	DropTable struct {
		node
		Name     Name
		IfExists bool
	}

	// FieldDef is one field of a user type.
	FieldDef struct {
		Name Ident
		Type *TypeExpr
	}

	// CreateType is CREATE TYPE.
	CreateType struct {
		node
		Name        Name
		IfNotExists bool
		Fields      []FieldDef
	}

	// AlterTypeKind tells what an AlterType does.
	AlterTypeKind uint8

	// AlterType is ALTER TYPE. FieldIfNotExists / FieldIfExists belong to ADD and RENAME.
	AlterType struct {
		node
		Name             Name
		IfExists         bool
		Kind             AlterTypeKind
		FieldIfNotExists bool
		FieldIfExists    bool
		Field            FieldDef // ADD and ALTER
		Rename           [][2]Ident
	}

	// DropType is DROP TYPE.
	DropType struct {
		node
		Name     Name
		IfExists bool
	}

	// IndexTargetKind tells which part of a column an index covers.
	IndexTargetKind uint8

	// IndexTarget is one target of CREATE INDEX.
	IndexTarget struct {
		Kind   IndexTargetKind
		Column Ident
	}

	// CreateIndex is CREATE [CUSTOM] INDEX. Name is empty when the server is to choose it; Class is the USING string.
	CreateIndex struct {
		node
		Custom      bool
		IfNotExists bool
		Name        Name // the keyspace part is not allowed by the planner
		Table       Name
		Targets     []IndexTarget
		Class       string
		Options     []Property
	}

	// DropIndex is DROP INDEX.
	DropIndex struct {
		node
		Name     Name
		IfExists bool
	}

	// CreateView is CREATE MATERIALIZED VIEW.
	CreateView struct {
		node
		Name            Name
		IfNotExists     bool
		Star            bool
		Selectors       []Selector
		Base            Name
		Where           []Relation
		PartitionKey    []Ident
		ClusteringKey   []Ident
		ClusteringOrder []ClusteringOrder
		CompactStorage  bool
		Options         []Property
	}

	// AlterView is ALTER MATERIALIZED VIEW.
	AlterView struct {
		node
		Name     Name
		IfExists bool
		Options  []Property
	}

	// DropView is DROP MATERIALIZED VIEW.
	DropView struct {
		node
		Name     Name
		IfExists bool
	}

	// FunctionArg is one argument of CREATE FUNCTION.
	FunctionArg struct {
		Name Ident
		Type *TypeExpr
	}

	// CreateFunction is CREATE FUNCTION.
	CreateFunction struct {
		node
		Name              Name
		OrReplace         bool
		IfNotExists       bool
		Args              []FunctionArg
		CalledOnNullInput bool
		Returns           *TypeExpr
		Language          string
		Body              string
	}

	// CreateAggregate is CREATE AGGREGATE. FinalFunc is empty and InitCond nil when absent.
	CreateAggregate struct {
		node
		Name        Name
		OrReplace   bool
		IfNotExists bool
		ArgTypes    []*TypeExpr
		StateFunc   string
		StateType   *TypeExpr
		FinalFunc   string
		InitCond    Term
	}

	// DropFunction is DROP FUNCTION, or DROP AGGREGATE when Aggregate is set. ArgTypes counts only when HasArgs.
	DropFunction struct {
		node
		Aggregate bool
		Name      Name
		IfExists  bool
		HasArgs   bool
		ArgTypes  []*TypeExpr
	}

	// CreateTrigger is CREATE TRIGGER.
	CreateTrigger struct {
		node
		Name        Ident
		IfNotExists bool
		Table       Name
		Class       string
	}

	// DropTrigger is DROP TRIGGER.
	DropTrigger struct {
		node
		Name     Ident
		IfExists bool
		Table    Name
	}
)

// Kinds of AlterTable.
const (
	AlterTableAdd AlterTableKind = iota
	AlterTableDrop
	AlterTableRename
	AlterTableWith
	AlterTableType // ALTER c TYPE t
	AlterTableMask // ALTER c [DROP MASKED | MASKED WITH f()]
	AlterTableDropCompact
)

// Kinds of AlterType.
const (
	AlterTypeAdd AlterTypeKind = iota
	AlterTypeRename
	AlterTypeAlter
)

// Kinds of IndexTarget.
const (
	IndexSimple IndexTargetKind = iota
	IndexValues
	IndexKeys
	IndexEntries
	IndexFull
)

// String gives the function name of the target in lower case, empty for a plain column.
func (k IndexTargetKind) String() string {
	return [...]string{"", "values", "keys", "entries", "full"}[k]
}
