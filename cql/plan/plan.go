package plan

import (
	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/schema"
)

// Kind is the kind of a Plan; it says which of its fields is set.
type Kind uint8

// Kinds of plans.
const (
	KindModification Kind = iota + 1
	KindBatch
	KindSelect
	KindSchema
	KindUse
	KindDescribe
)

// Plan is a statement compiled for one version of the schema. Immutable and
// safe for concurrent use.
type Plan struct {
	Kind Kind
	// Table is the table of a modification or SELECT, else nil.
	Table *schema.Table

	Modification *Modification
	Batch        *Batch
	Select       *Select
	Schema       *SchemaPlan
	Describe     *Describe
	Use          string // the keyspace

	// Bind describes the markers in order; never nil.
	Bind *native.Metadata
	// PartitionKey has the marker of each column of the partition key, or is
	// nil if not each has one.
	PartitionKey []uint16
	// Result describes the rows of a SELECT or DESCRIBE, else nil.
	Result *native.Metadata

	tables []*schema.Table // all that the plan depends on
}

// Valid tells whether the plan still fits a newer version of the schema. Plans
// of schema changes, USE and DESCRIBE never do: compile them again.
func (p *Plan) Valid(snap *schema.Snapshot) bool {
	for _, t := range p.tables {
		if snap.Table(t.Keyspace, t.Name) != t {
			return false
		}
	}
	return p.Kind <= KindSelect
}

// Compile binds a statement to the schema. keyspace is the one in use, or
// empty. Errors are *native.Error and meant for the client.
func Compile(stmt cql.Statement, snap *schema.Snapshot, keyspace string) (*Plan, error) {
	c := &compiler{snap: snap, keyspace: keyspace}
	c.vars.cols = make([]native.Column, len(stmt.Markers()))
	p := &Plan{}
	if err := c.statement(p, stmt); err != nil {
		return nil, wrap(err)
	}
	var err error
	p.Bind, err = c.vars.metadata()
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (c *compiler) statement(p *Plan, stmt cql.Statement) (err error) {
	switch s := stmt.(type) {
	case *cql.Select:
		p.Kind = KindSelect
		p.Select, err = c.selectPlan(s)
		if err != nil {
			return err
		}
		p.Table = c.table
		p.Result = p.Select.Result
		p.PartitionKey = partitionKeyBinds(p.Select.key, len(c.table.PartitionKey))
	case *cql.Insert, *cql.Update, *cql.Delete:
		p.Kind = KindModification
		p.Modification, err = c.modification(stmt)
		if err != nil {
			return err
		}
		p.Table = c.table
		p.PartitionKey = partitionKeyBinds(p.Modification.key, len(c.table.PartitionKey))
	case *cql.Batch:
		p.Kind = KindBatch
		p.Batch, err = c.batch(s)
		if err != nil {
			return err
		}
		for _, m := range p.Batch.statements {
			p.tables = append(p.tables, m.Table)
		}
		if len(p.Batch.statements) > 0 {
			m := p.Batch.statements[0]
			p.PartitionKey = partitionKeyBinds(m.key, len(m.Table.PartitionKey))
		}
	case *cql.Use:
		p.Kind, p.Use = KindUse, s.Keyspace.Name
		if c.snap.Keyspace(p.Use) == nil {
			return invalid("Keyspace '%s' does not exist", p.Use)
		}
	case *cql.Describe:
		p.Kind = KindDescribe
		p.Describe, err = c.describe(s)
		if err == nil {
			p.Result = p.Describe.Result
		}
		return err
	default:
		return c.definition(p, stmt)
	}
	if p.Table != nil {
		p.tables = append(p.tables, p.Table)
	}
	return nil
}

func (c *compiler) modification(stmt cql.Statement) (*Modification, error) {
	switch s := stmt.(type) {
	case *cql.Insert:
		return c.insert(s)
	case *cql.Update:
		return c.update(s)
	case *cql.Delete:
		return c.delete(s)
	}
	return nil, invalid("Only INSERT, UPDATE and DELETE statements are allowed in a batch")
}
