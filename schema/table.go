package schema

import (
	"slices"
	"strings"
)

// UUID is the 16 bytes of a UUID.
type UUID [16]byte

// TableID names a table for ever; a table that is dropped and created again
// has another one.
type TableID = UUID

// ColumnID names a column within its table. Ids are given in order of
// creation from 1, primary key columns included, and are never reused or
// re-typed: a column that is dropped and added again has another one.
type ColumnID uint32

// ColumnKind says what part of a row a column is.
type ColumnKind uint8

// Kinds of columns. On disk, never renumber.
const (
	PartitionKey ColumnKind = iota
	Clustering
	Static
	Regular
)

// Column is one column of a table. Immutable once in a Snapshot.
type Column struct {
	ID       ColumnID
	Name     string
	Kind     ColumnKind
	Position int // place within PartitionKey or Clustering, else -1
	Type     *Type
	Desc     bool // clustering order, Clustering only
}

// DroppedColumn remembers a column that ALTER TABLE ... DROP removed. Cells of
// ID with a timestamp at or below DroppedAt are to be ignored; since ids are
// not reused, all cells of ID are.
type DroppedColumn struct {
	ID        ColumnID
	Name      string
	Kind      ColumnKind
	Type      *Type
	DroppedAt int64 // microseconds
}

// Table is the definition of a table. Immutable once in a Snapshot.
type Table struct {
	ID       TableID
	Keyspace string
	Name     string
	// Epoch is the schema epoch at which this definition was made.
	Epoch uint64

	PartitionKey []*Column // in key order
	Clustering   []*Column // in key order
	Static       []*Column // by name
	Regular      []*Column // by name
	Dropped      []DroppedColumn
	// NextColumnID is the id that the next added column gets.
	NextColumnID ColumnID

	Options TableOptions
	// TruncatedAt is the microsecond at and below which all data of the table
	// is gone, 0 if it was never truncated.
	TruncatedAt int64
	// TruncatedEpoch is the epoch of the last TRUNCATE, 0 if there was none.
	TruncatedEpoch uint64
	// Virtual tables have rows computed by the node and no storage.
	Virtual bool

	byName  map[string]*Column
	byID    map[ColumnID]*Column
	unknown []byte // optional fields of a newer version, kept
}

// Column returns the column of that name, or nil.
func (t *Table) Column(name string) *Column { return t.byName[name] }

// ColumnByID returns the column with that id, or nil if it was dropped.
func (t *Table) ColumnByID(id ColumnID) *Column { return t.byID[id] }

// Init sorts static and regular columns by name and fills the lookup maps; call
// it once after building or changing a definition, before it is shared.
func (t *Table) Init() {
	byName := func(a, b *Column) int { return strings.Compare(a.Name, b.Name) }
	slices.SortFunc(t.Static, byName)
	slices.SortFunc(t.Regular, byName)
	t.byName = make(map[string]*Column)
	t.byID = make(map[ColumnID]*Column)
	for _, cols := range [][]*Column{t.PartitionKey, t.Clustering, t.Static, t.Regular} {
		for _, c := range cols {
			t.byName[c.Name] = c
			t.byID[c.ID] = c
		}
	}
}

// Columns returns all columns in the order of SELECT *: partition key,
// clustering, static by name, regular by name.
func (t *Table) Columns() []*Column {
	all := make([]*Column, 0, len(t.byID))
	all = append(all, t.PartitionKey...)
	all = append(all, t.Clustering...)
	all = append(all, t.Static...)
	return append(all, t.Regular...)
}

// Keyspace is the definition of a keyspace. Immutable once in a Snapshot.
type Keyspace struct {
	Name          string
	Replication   map[string]string // "class" and factors, as system_schema shows them
	DurableWrites bool
	Virtual       bool
	Tables        map[string]*Table
	Types         map[string]*Type // user-defined types, not frozen

	unknown []byte // optional fields of a newer version, kept
}

// Snapshot is one immutable version of the whole schema. Safe for concurrent
// use; Apply returns a new one.
type Snapshot struct {
	Epoch     uint64
	Version   UUID // hash of the canonical schema, equal for equal schemas
	Keyspaces map[string]*Keyspace

	byID map[TableID]*Table
	// digests are the hashes of the definitions of tables, for the next Version.
	digests  map[*Table]UUID
	building bool // nobody else sees it yet, so keyspaces change in place
}

// Keyspace returns the keyspace of that name, or nil.
func (s *Snapshot) Keyspace(name string) *Keyspace { return s.Keyspaces[name] }

// Table returns a table by name, or nil.
func (s *Snapshot) Table(keyspace, name string) *Table {
	if ks := s.Keyspaces[keyspace]; ks != nil {
		return ks.Tables[name]
	}
	return nil
}

// TableByID returns the live table with that id, or nil.
func (s *Snapshot) TableByID(id TableID) *Table { return s.byID[id] }

// ChangeKind says what a Change does.
type ChangeKind uint8

// Kinds of schema changes. On disk, never renumber.
const (
	CreateKeyspace ChangeKind = iota + 1
	AlterKeyspace
	DropKeyspace
	CreateTable
	AlterTable
	DropTable
	Truncate
	CreateType
	AlterType
	DropType
)

// Change is one schema change as it goes through the metadata log: the new
// definition whole, never a difference, so that applying it needs no code that
// another version may have had wrong. For DropKeyspace and DropTable only the
// names (and the table's id) matter. Truncate names the table and the
// microsecond at and below which its data is gone. The kinds about types carry
// the whole user-defined type, not frozen.
type Change struct {
	Kind        ChangeKind
	Keyspace    *Keyspace // Tables and Types are ignored
	Table       *Table
	TruncatedAt int64
	Type        *Type
}
