package plan

import (
	"slices"

	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/schema"
)

func tableEvent(change, keyspace, name string) *native.SchemaChange {
	return &native.SchemaChange{Change: change, Target: native.TargetTable, Keyspace: keyspace, Name: name}
}

func (c *compiler) createTable(s *cql.CreateTable) (*SchemaPlan, error) {
	ks, err := c.userKeyspace(s.Name)
	if err != nil {
		return nil, err
	}
	name := s.Name.Name
	if err := schema.CheckTableName(ks, name); err != nil {
		return nil, err
	}
	c.keyspace = ks // user types of columns are looked up there
	b := tableBuilder{c: c, t: &schema.Table{Keyspace: ks, Name: name, NextColumnID: 1}}
	id, err := b.build(s)
	if err != nil {
		return nil, err
	}
	if c.snap.Keyspace(ks) == nil {
		return nil, errNoKeyspace(ks)
	}
	p := &SchemaPlan{Event: tableEvent(native.ChangeCreated, ks, name)}
	if c.snap.Table(ks, name) != nil {
		if p.NoOp = s.IfNotExists; !p.NoOp {
			return nil, native.AlreadyExists(ks, name)
		}
	}
	p.build = func(env *Env, o *Options) (schema.Change, error) {
		t := *b.t
		if t.ID = id; id == (schema.TableID{}) {
			t.ID = env.timeUUID(o.Clock)
		}
		t.Init()
		return schema.Change{Kind: schema.CreateTable, Table: &t}, nil
	}
	p.check = func(snap *schema.Snapshot) error {
		switch {
		case snap.Keyspace(ks) == nil:
			return errNoKeyspace(ks)
		case snap.Table(ks, name) != nil:
			return ErrStale
		}
		return nil
	}
	return p, nil
}

// tableBuilder makes a definition out of CREATE TABLE.
type tableBuilder struct {
	c    *compiler
	t    *schema.Table
	cols []*schema.Column // in the order of the text
	kind map[string]*schema.Column
}

func (b *tableBuilder) build(s *cql.CreateTable) (id schema.TableID, err error) {
	name := s.Name.Name
	if s.CompactStorage {
		return id, invalid("Compact tables are not allowed in Cassandra starting with 4.0 version.")
	}
	b.kind = make(map[string]*schema.Column, len(s.Columns))
	for i := range s.Columns {
		if err := b.column(&s.Columns[i], name); err != nil {
			return id, err
		}
	}
	switch {
	case s.KeyCount == 0:
		return id, invalid("No PRIMARY KEY specifed for table '%s' (exactly one required)", name)
	case s.KeyCount > 1:
		return id, invalid("Multiple PRIMARY KEY specified for table '%s' (exactly one required)", name)
	}
	if err := b.primaryKey(s); err != nil {
		return id, err
	}
	if err := b.clusteringOrder(s.ClusteringOrder); err != nil {
		return id, err
	}
	if err := b.others(); err != nil {
		return id, err
	}
	// Ids are given in order of the key and then of names, so that equal
	// statements make equal tables.
	for _, col := range b.ordered() {
		col.ID = b.t.NextColumnID
		b.t.NextColumnID++
	}
	return b.options(s.Options)
}

func (b *tableBuilder) ordered() []*schema.Column {
	return slices.Concat(b.t.PartitionKey, b.t.Clustering, b.t.Static, b.t.Regular)
}

func (b *tableBuilder) column(def *cql.ColumnDef, table string) error {
	name := def.Name.Name
	if err := refuseColumn(def); err != nil {
		return err
	}
	if b.kind[name] != nil {
		return invalid("Duplicate column '%s' declaration for table '%s'", name, table)
	}
	t, err := b.c.columnType(def.Type)
	if err != nil {
		return err
	}
	col := &schema.Column{Name: name, Kind: schema.Regular, Position: -1, Type: t}
	if def.Static {
		col.Kind = schema.Static
	}
	b.kind[name] = col
	b.cols = append(b.cols, col)
	return nil
}

// refuseColumn refuses what a column of this version cannot have.
func refuseColumn(def *cql.ColumnDef) error {
	switch {
	case def.Mask != nil:
		return unsupported("MASKED WITH")
	case def.Check != "":
		return unsupported("A CHECK constraint")
	}
	return nil
}

// columnType resolves the type of a column.
func (c *compiler) columnType(e *cql.TypeExpr) (*schema.Type, error) {
	t, err := c.typeOf(e)
	if err != nil {
		return nil, err
	}
	return t, wrap(schema.CheckColumnType(t))
}

func (b *tableBuilder) primaryKey(s *cql.CreateTable) error {
	add := func(ids []cql.Ident, kind schema.ColumnKind, to *[]*schema.Column) error {
		for i, id := range ids {
			col := b.kind[id.Name]
			switch {
			case col == nil:
				return invalid("Unknown column '%s' referenced in PRIMARY KEY for table '%s'", id.Name, b.t.Name)
			case col.Kind == schema.PartitionKey || col.Kind == schema.Clustering:
				return invalid("Duplicate column '%s' in PRIMARY KEY clause for table '%s'", id.Name, b.t.Name)
			case col.Kind == schema.Static:
				return invalid("Static column '%s' cannot be part of the PRIMARY KEY", id.Name)
			}
			if err := checkKeyType(col); err != nil {
				return err
			}
			col.Kind, col.Position = kind, i
			*to = append(*to, col)
		}
		return nil
	}
	if err := add(s.PartitionKey, schema.PartitionKey, &b.t.PartitionKey); err != nil {
		return err
	}
	return add(s.ClusteringKey, schema.Clustering, &b.t.Clustering)
}

func checkKeyType(col *schema.Column) error {
	t := col.Type
	switch {
	case t.IsMultiCell() && t.IsCollection():
		return invalid("Invalid non-frozen collection type %s for PRIMARY KEY column '%s'", t, col.Name)
	case t.IsMultiCell():
		return invalid("Invalid non-frozen user-defined type \"%s\" for PRIMARY KEY column '%s'", qualified(t), col.Name)
	case t.Kind() == schema.KindCounter:
		return invalid("counter type is not supported for PRIMARY KEY column '%s'", col.Name)
	case t.ContainsDuration():
		return invalid("duration type is not supported for PRIMARY KEY column '%s'", col.Name)
	}
	return nil
}

func (b *tableBuilder) clusteringOrder(order []cql.ClusteringOrder) error {
	for i, o := range order {
		col := b.kind[o.Column.Name]
		if col == nil || col.Kind != schema.Clustering {
			return invalid("Only clustering key columns can be defined in CLUSTERING ORDER directive: [%s] are not clustering columns", o.Column.Name)
		}
		if slices.ContainsFunc(order[:i], func(before cql.ClusteringOrder) bool { return before.Column.Name == col.Name }) {
			return invalid("Duplicate column '%s' in CLUSTERING ORDER BY clause for table '%s'", col.Name, b.t.Name)
		}
		col.Desc = o.Desc
	}
	// Those that are not named at the end are ascending.
	for i, o := range order {
		col := b.t.Clustering[i]
		if o.Column.Name == col.Name {
			continue
		}
		if slices.ContainsFunc(order, func(o cql.ClusteringOrder) bool { return o.Column.Name == col.Name }) {
			return invalid("The order of columns in the CLUSTERING ORDER directive must match that of the clustering columns (%s must appear before %s)",
				col.Name, order[i].Column.Name)
		}
		return invalid("Missing CLUSTERING ORDER for column %s", col.Name)
	}
	return nil
}

func (b *tableBuilder) others() error {
	counters := 0
	for _, col := range b.cols {
		switch col.Kind {
		case schema.Static:
			if len(b.t.Clustering) == 0 {
				return invalid("Static columns are only useful (and thus allowed) if the table has at least one clustering column")
			}
			b.t.Static = append(b.t.Static, col)
		case schema.Regular:
			b.t.Regular = append(b.t.Regular, col)
		default:
			continue
		}
		if isCounter(col) {
			counters++
		}
	}
	if counters > 0 && counters < len(b.t.Static)+len(b.t.Regular) {
		return invalid("Cannot mix counter and non counter columns in the same table")
	}
	sortByName(b.t.Static)
	sortByName(b.t.Regular)
	return nil
}

func sortByName(cols []*schema.Column) {
	slices.SortFunc(cols, func(a, b *schema.Column) int {
		switch {
		case a.Name < b.Name:
			return -1
		case a.Name > b.Name:
			return 1
		}
		return 0
	})
}

func (b *tableBuilder) options(in []cql.Property) (id schema.TableID, err error) {
	props, err := properties(in)
	if err != nil {
		return id, err
	}
	if b.t.Options, err = schema.DefaultOptions().With(props); err != nil {
		return id, err
	}
	if b.t.Options.DefaultTTL > 0 && len(b.t.Regular) > 0 && isCounter(b.t.Regular[0]) {
		return id, native.ConfigError("Cannot set default_time_to_live on a table with counters")
	}
	for _, p := range props {
		if p.Name == "id" {
			u, err := schema.ParseUUID(p.Value)
			if err != nil {
				return id, native.ConfigError("Invalid table id")
			}
			id = schema.TableID(u)
		}
	}
	return id, nil
}

func (c *compiler) dropTable(s *cql.DropTable) (*SchemaPlan, error) {
	ks, err := c.userKeyspace(s.Name)
	if err != nil {
		return nil, err
	}
	name := s.Name.Name
	p := &SchemaPlan{Event: tableEvent(native.ChangeDropped, ks, name)}
	t := c.snap.Table(ks, name)
	if t == nil {
		if p.NoOp = s.IfExists; !p.NoOp {
			return nil, errNoTable(ks, name)
		}
		return p, nil
	}
	p.build = func(*Env, *Options) (schema.Change, error) {
		return schema.Change{Kind: schema.DropTable, Table: &schema.Table{ID: t.ID, Keyspace: ks, Name: name}}, nil
	}
	p.check = func(snap *schema.Snapshot) error {
		now := snap.Table(ks, name)
		if now == nil || now.ID != t.ID {
			return ErrStale
		}
		return nil
	}
	return p, nil
}

func (c *compiler) truncate(s *cql.Truncate) (*SchemaPlan, error) {
	if err := c.useTable(s.Table); err != nil {
		return nil, err
	}
	t := c.table
	if ks := c.snap.Keyspace(t.Keyspace); isSystemKeyspace(ks.Name) && !ks.Virtual {
		return nil, errSystemKeyspace(ks.Name)
	}
	if t.Virtual {
		return nil, invalid("Truncation is not supported by table %s", tableName(t))
	}
	return &SchemaPlan{
		Truncate: true,
		build: func(_ *Env, o *Options) (schema.Change, error) {
			return schema.Change{Kind: schema.Truncate, TruncatedAt: o.Clock,
				Table: &schema.Table{ID: t.ID, Keyspace: t.Keyspace, Name: t.Name}}, nil
		},
		check: func(snap *schema.Snapshot) error {
			if snap.TableByID(t.ID) == nil {
				return ErrStale
			}
			return nil
		},
	}, nil
}
