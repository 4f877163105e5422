package plan

import (
	"slices"

	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/schema"
)

// alterTable makes the whole new definition of a table.
func (c *compiler) alterTable(s *cql.AlterTable) (*SchemaPlan, error) {
	ks, err := c.userKeyspace(s.Name)
	if err != nil {
		return nil, err
	}
	name := s.Name.Name
	p := &SchemaPlan{Event: tableEvent(native.ChangeUpdated, ks, name)}
	old := c.snap.Table(ks, name)
	if old == nil {
		if p.NoOp = s.IfExists; !p.NoOp {
			return nil, errNoTable(ks, name)
		}
		return p, nil
	}
	c.table, c.keyspace = old, ks
	a := alteration{c: c, t: copyTable(old)}
	if err := a.apply(s); err != nil {
		return nil, err
	}
	if p.NoOp = s.Kind != cql.AlterTableWith && !a.changed; p.NoOp {
		return p, nil
	}
	p.build = func(_ *Env, o *Options) (schema.Change, error) {
		t := copyTable(a.t)
		t.Dropped = slices.Clone(t.Dropped)
		for i := len(old.Dropped); i < len(t.Dropped); i++ {
			if t.Dropped[i].DroppedAt == 0 {
				t.Dropped[i].DroppedAt = o.Clock
			}
		}
		t.Init()
		return schema.Change{Kind: schema.AlterTable, Table: t}, nil
	}
	p.check = func(snap *schema.Snapshot) error {
		now := snap.Table(ks, name)
		if now == nil || now.ID != old.ID || now.Epoch != old.Epoch {
			return ErrStale
		}
		return nil
	}
	return p, nil
}

// copyTable copies a definition so that its lists and columns may be changed.
func copyTable(old *schema.Table) *schema.Table {
	t := *old
	for _, cols := range []*[]*schema.Column{&t.PartitionKey, &t.Clustering, &t.Static, &t.Regular} {
		*cols = slices.Clone(*cols)
		for i, col := range *cols {
			n := *col
			(*cols)[i] = &n
		}
	}
	t.Dropped = slices.Clone(old.Dropped)
	t.Init()
	return &t
}

type alteration struct {
	c       *compiler
	t       *schema.Table
	changed bool // columns are others
}

func (a *alteration) apply(s *cql.AlterTable) error {
	switch s.Kind {
	case cql.AlterTableAdd:
		for i := range s.Add {
			if err := a.add(&s.Add[i], s.AddIfNotExists); err != nil {
				return err
			}
		}
	case cql.AlterTableDrop:
		return a.dropAll(s)
	case cql.AlterTableRename:
		for _, r := range s.Rename {
			if err := a.rename(r[0].Name, r[1].Name, s.ColumnIfExists); err != nil {
				return err
			}
		}
	case cql.AlterTableWith:
		props, err := properties(s.Options)
		if err != nil {
			return err
		}
		a.t.Options, err = a.t.Options.With(props)
		return err
	case cql.AlterTableType:
		return invalid("Altering column types is no longer supported")
	case cql.AlterTableMask:
		return unsupported("MASKED WITH")
	case cql.AlterTableDropCompact:
		return invalid("Cannot DROP COMPACT STORAGE on table without COMPACT STORAGE")
	}
	return nil
}

func (a *alteration) add(def *cql.ColumnDef, ifNotExists bool) error {
	name := def.Name.Name
	if err := refuseColumn(def); err != nil {
		return err
	}
	if a.t.Column(name) != nil {
		if ifNotExists {
			return nil
		}
		return invalid("Column with name '%s' already exists", name)
	}
	typ, err := a.c.columnType(def.Type)
	if err != nil {
		return err
	}
	col := &schema.Column{ID: a.t.NextColumnID, Name: name, Kind: schema.Regular, Position: -1, Type: typ}
	if def.Static {
		if len(a.t.Clustering) == 0 {
			return invalid("Static columns are only useful (and thus allowed) if the table has at least one clustering column")
		}
		col.Kind = schema.Static
	}
	if hasCounters(a.t) != isCounter(col) && len(a.t.Static)+len(a.t.Regular) > 0 {
		if isCounter(col) {
			return native.ConfigError("%s.%s: Cannot have a counter column (\"%s\") in a non counter table", a.t.Keyspace, a.t.Name, name)
		}
		return native.ConfigError("%s.%s: Cannot have a non counter column (\"%s\") in a counter table", a.t.Keyspace, a.t.Name, name)
	}
	for _, d := range a.t.Dropped {
		if d.Name != name {
			continue
		}
		if (d.Kind == schema.Static) != (col.Kind == schema.Static) {
			return invalid("Cannot re-add previously dropped column '%s' of kind %s, incompatible with previous kind %s",
				name, kindName(col.Kind), kindName(d.Kind))
		}
		if isCounter(col) != (d.Type.Kind() == schema.KindCounter) {
			return invalid("Cannot re-add previously dropped counter column %s", name)
		}
		if !assignable(d.Type, typ) {
			return invalid("Cannot add a column '%s' of type %s, incompatible with previously dropped column '%s' of type %s", name, typ, name, d.Type)
		}
	}
	a.changed = true
	a.t.NextColumnID++
	list := &a.t.Regular
	if def.Static {
		list = &a.t.Static
	}
	*list = append(*list, col)
	sortByName(*list)
	a.t.Init()
	return nil
}

func kindName(k schema.ColumnKind) string {
	return [...]string{"PARTITION_KEY", "CLUSTERING", "STATIC", "REGULAR"}[k]
}

func hasCounters(t *schema.Table) bool {
	return slices.ContainsFunc(t.Regular, isCounter) || slices.ContainsFunc(t.Static, isCounter)
}

func (a *alteration) dropAll(s *cql.AlterTable) error {
	at := int64(0)
	if s.DropTimestamp != nil {
		l, ok := s.DropTimestamp.(*cql.Literal)
		if !ok {
			return invalid("Bind variables are not allowed in schema statements")
		}
		v, err := literal(l, "[timestamp]", schema.TypeBigint)
		if err != nil {
			return err
		}
		at = fromBE64(v)
	}
	for _, id := range s.Drop {
		if err := a.drop(id.Name, at, s.ColumnIfExists); err != nil {
			return err
		}
	}
	return nil
}

func (a *alteration) drop(name string, at int64, ifExists bool) error {
	col := a.t.Column(name)
	switch {
	case col == nil && ifExists:
		return nil
	case col == nil:
		return invalid("Column %s was not found in table '%s.%s'", name, a.t.Keyspace, a.t.Name)
	case col.Kind == schema.PartitionKey || col.Kind == schema.Clustering:
		return invalid("Cannot drop PRIMARY KEY column %s", name)
	}
	a.changed = true
	same := func(c *schema.Column) bool { return c == col }
	a.t.Static = slices.DeleteFunc(a.t.Static, same)
	a.t.Regular = slices.DeleteFunc(a.t.Regular, same)
	a.t.Dropped = append(a.t.Dropped, schema.DroppedColumn{ID: col.ID, Name: name, Kind: col.Kind, Type: col.Type, DroppedAt: at})
	a.t.Init()
	return nil
}

func (a *alteration) rename(from, to string, ifExists bool) error {
	col := a.t.Column(from)
	switch {
	case col == nil && ifExists:
		return nil
	case col == nil:
		return errUndefinedColumn(from, a.t)
	case col.Kind != schema.PartitionKey && col.Kind != schema.Clustering:
		return invalid("Cannot rename non PRIMARY KEY column %s", from)
	case a.t.Column(to) != nil:
		return invalid("Cannot rename column %s to %s in table '%s.%s'; another column with that name already exists",
			from, to, a.t.Keyspace, a.t.Name)
	}
	a.changed = true
	col.Name = to
	a.t.Init()
	return nil
}
