package plan

import (
	"slices"

	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/schema"
)

// Modification is a compiled INSERT, UPDATE or DELETE. Immutable and safe for
// concurrent use; Bind needs a Binder of its own.
type Modification struct {
	// Table is the definition that the statement was compiled for.
	Table *schema.Table

	name  string // INSERT, UPDATE, DELETE
	epoch uint64
	// partition has one restriction per column of the key. If every one is a
	// single value, key has their terms.
	partition []*restriction
	key       []*term
	// clustering restricts a prefix of the clustering columns; full has the
	// terms if all are restricted to a single value.
	clustering clusterings
	full       []*term
	lossy      bool // some clustering column is kept as written, too

	marker     bool // INSERT
	static     []op // by column id
	row        []op
	deleteRows bool // DELETE without selections
	ttl        *term
	timestamp  *term
	needsRead  bool
	direct     *directWrite // or nil
}

// NeedsRead tells whether Bind has to be given rows that were read before: an
// element of a list is named by its index or value.
func (m *Modification) NeedsRead() bool { return m.needsRead }

func (c *compiler) insert(s *cql.Insert) (*Modification, error) {
	if s.JSON != nil {
		return c.insertJSON(s)
	}
	if err := c.writable(s.Table); err != nil {
		return nil, err
	}
	if s.IfNotExists {
		return nil, unsupported("A conditional write (IF NOT EXISTS)")
	}
	if len(s.Columns) != len(s.Values) {
		return nil, invalid("Unmatched column names/values")
	}
	if len(s.Columns) == 0 {
		return nil, invalid("No columns provided to INSERT")
	}
	m := c.newModification("INSERT")
	m.marker = true
	given := make(map[*schema.Column]*term, len(s.Columns))
	for i, id := range s.Columns {
		col := c.table.Column(id.Name)
		if col == nil {
			return nil, errUndefinedColumn(id.Name, c.table)
		}
		if given[col] != nil {
			return nil, invalid("The column names contains duplicates")
		}
		if isCounter(col) {
			return nil, invalid("INSERT statements are not allowed on counter tables, use UPDATE instead")
		}
		t, err := c.term(s.Values[i], col.Name, col.Type)
		if err != nil {
			return nil, err
		}
		given[col] = t
		if col.Kind == schema.Static || col.Kind == schema.Regular {
			m.add(op{kind: opSet, col: col, value: t})
		}
	}
	if err := m.insertKeys(given); err != nil {
		return nil, err
	}
	return m, c.finish(m, &s.Using)
}

// insertKeys takes the primary key from the values of an INSERT.
func (m *Modification) insertKeys(given map[*schema.Column]*term) error {
	var missing []*schema.Column
	for _, col := range m.Table.PartitionKey {
		if given[col] == nil {
			missing = append(missing, col)
			continue
		}
		m.key = append(m.key, given[col])
	}
	if missing != nil {
		return invalid("Some partition key parts are missing: %s", columnNames(missing))
	}
	for _, col := range m.Table.Clustering {
		if given[col] == nil {
			missing = append(missing, col)
			continue
		}
		m.full = append(m.full, given[col])
	}
	if missing == nil {
		return nil
	}
	if len(m.row) > 0 || len(m.full) > 0 || len(m.static) == 0 {
		return invalid("Some clustering keys are missing: %s", columnNames(missing))
	}
	m.marker = false // only the static row is written
	return nil
}

func (c *compiler) update(s *cql.Update) (*Modification, error) {
	if err := c.writable(s.Table); err != nil {
		return nil, err
	}
	if s.IfExists || len(s.Conditions) > 0 {
		return nil, unsupported("A conditional write (IF)")
	}
	m := c.newModification("UPDATE")
	for i := range s.Assignments {
		o, err := c.assignment(&s.Assignments[i])
		if err != nil {
			return nil, err
		}
		m.add(o)
	}
	if err := c.modificationKeys(m, s.Where); err != nil {
		return nil, err
	}
	return m, c.finish(m, &s.Using)
}

func (c *compiler) delete(s *cql.Delete) (*Modification, error) {
	if err := c.writable(s.Table); err != nil {
		return nil, err
	}
	if s.IfExists || len(s.Conditions) > 0 {
		return nil, unsupported("A conditional write (IF)")
	}
	if s.Using.TTL != nil {
		return nil, invalid("TTL is not supported in DELETE statements")
	}
	m := c.newModification("DELETE")
	m.deleteRows = len(s.Selections) == 0
	for i := range s.Selections {
		o, err := c.deletion(&s.Selections[i])
		if err != nil {
			return nil, err
		}
		m.add(o)
	}
	if err := c.modificationKeys(m, s.Where); err != nil {
		return nil, err
	}
	return m, c.finish(m, &s.Using)
}

func (c *compiler) newModification(name string) *Modification {
	m := &Modification{Table: c.table, name: name, epoch: c.snap.Epoch}
	m.clustering.cols = c.table.Clustering
	for _, col := range c.table.Clustering {
		m.lossy = m.lossy || col.Type.Lossy()
	}
	return m
}

// writable resolves the table of a write and refuses those that the server
// keeps for itself.
func (c *compiler) writable(n cql.Name) error {
	if err := c.useTable(n); err != nil {
		return err
	}
	if ks := c.snap.Keyspace(c.table.Keyspace); isSystemKeyspace(ks.Name) && !ks.Virtual {
		return errSystemKeyspace(ks.Name)
	}
	if c.table.Virtual {
		return invalid("Modification is not supported by table %s", tableName(c.table))
	}
	return nil
}

func isCounter(c *schema.Column) bool { return c.Type.Kind() == schema.KindCounter }

func (m *Modification) add(o op) {
	if o.col.Kind == schema.Static {
		m.static = append(m.static, o)
	} else {
		m.row = append(m.row, o)
	}
	m.needsRead = m.needsRead || o.needsRead()
}

// modificationKeys compiles the WHERE clause of an UPDATE or DELETE.
func (c *compiler) modificationKeys(m *Modification, where []cql.Relation) error {
	rs, err := c.where(where, false)
	if err != nil {
		return err
	}
	if rs.token != nil {
		return invalid("The token function cannot be used in WHERE clauses for %s statements", m.name)
	}
	if len(rs.other) > 0 {
		cols := make([]*schema.Column, 0, len(rs.other))
		for _, r := range rs.other {
			cols = append(cols, r.first())
		}
		return invalid("Non PRIMARY KEY columns found in where clause: %s ", columnNames(cols))
	}
	if err := m.checkPartition(rs.partition); err != nil {
		return err
	}
	m.partition = rs.partition
	m.key = singles(rs.partition)
	return m.clusteringKeys(rs.clustering)
}

func (m *Modification) checkPartition(rs []*restriction) error {
	if len(rs) < len(m.Table.PartitionKey) {
		var missing []*schema.Column
		for _, col := range m.Table.PartitionKey {
			if !slices.ContainsFunc(rs, func(r *restriction) bool { return r.first() == col }) {
				missing = append(missing, col)
			}
		}
		return invalid("Some partition key parts are missing: %s", columnNames(missing))
	}
	for _, r := range rs {
		if r.kind > restrictIN {
			return invalid("Only EQ and IN relation are supported on the partition key (unless you use the token() function) for %s statements", m.name)
		}
	}
	return nil
}

// singles returns the terms if every restriction is an EQ written per column.
func singles(rs []*restriction) []*term {
	var out []*term
	for _, r := range rs {
		if r.kind != restrictEQ || r.values[0].whole != nil {
			return nil
		}
		out = append(out, r.values[0].terms...)
	}
	return out
}

func (m *Modification) clusteringKeys(rs []*restriction) error {
	m.clustering.rs = rs
	all := m.Table.Clustering
	n, sliced := 0, false
	for _, r := range rs {
		switch {
		case r.kind > restrictSlice:
			return invalid("Clustering columns can only be restricted with CONTAINS with a secondary index or filtering")
		case r.first().Position != n:
			return invalid("PRIMARY KEY column \"%s\" cannot be restricted as preceding column \"%s\" is not restricted",
				r.first().Name, all[n].Name)
		case r.kind == restrictSlice:
			sliced = true
		}
		n = r.first().Position + len(r.cols)
	}
	if sliced && m.name == "UPDATE" {
		return invalid("Slice restrictions are not supported on the clustering columns in UPDATE statements")
	}
	onlyStatic := len(m.static) > 0 && len(m.row) == 0 && !m.deleteRows
	switch {
	case onlyStatic && n > 0:
		return invalid("Invalid restrictions on clustering columns since the %s statement modifies only static columns", m.name)
	case m.deleteRows || onlyStatic:
	case sliced, n < len(all) && m.name == "DELETE":
		return invalid("Range deletions are not supported for specific columns")
	case n < len(all):
		return invalid("Some clustering keys are missing: %s", columnNames(all[n:]))
	}
	if n == len(all) && !sliced && !onlyStatic {
		m.full = singles(rs)
	}
	return nil
}

// finish compiles USING and puts the operations in order.
func (c *compiler) finish(m *Modification, u *cql.Using) (err error) {
	if u.Timeout != nil {
		return unsupported("USING TIMEOUT")
	}
	if u.Timestamp != nil {
		if m.timestamp, err = c.term(u.Timestamp, "[timestamp]", schema.TypeBigint); err != nil {
			return err
		}
	}
	if u.TTL != nil {
		if m.ttl, err = c.term(u.TTL, "[ttl]", schema.TypeInt); err != nil {
			return err
		}
	}
	byID := func(a, b op) int { return int(a.col.ID) - int(b.col.ID) }
	slices.SortStableFunc(m.static, byID)
	slices.SortStableFunc(m.row, byID)
	m.findDirect()
	return nil
}

// partitionKeyBinds are the markers that the partition key is bound by, nil
// unless each column has one of its own.
func partitionKeyBinds(key []*term, n int) []uint16 {
	if len(key) != n {
		return nil
	}
	out := make([]uint16, 0, n)
	for _, t := range key {
		if t.kind != termBind {
			return nil
		}
		out = append(out, uint16(t.index))
	}
	return out
}
