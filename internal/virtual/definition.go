package virtual

import (
	"crypto/md5"
	"strings"
	"sync"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/schema"
)

// definition is a table as text: the partition key, the clustering columns and
// the others, parted by "|", each a list of "name type" parted by ", ". Types
// have no blanks in them.
type definition struct {
	name    string
	columns string
	comment string
}

// keyspaceDefinition is a keyspace and what its tables have in common.
type keyspaceDefinition struct {
	name        string
	virtual     bool
	replication map[string]string
	options     func(*schema.TableOptions)
	tables      []definition
}

// catalog is all definitions, the same for every Registry of the process.
type catalog struct {
	// planned are the keyspaces as the planner needs them, every table virtual;
	// shown are the same as clients shall see them.
	planned, shown map[string]*schema.Keyspace
}

// definitions is built at the first use, so that starting does not wait for it.
var definitions = sync.OnceValue(buildDefinitions)

func buildDefinitions() *catalog {
	c := &catalog{planned: map[string]*schema.Keyspace{}, shown: map[string]*schema.Keyspace{}}
	types := map[string]*schema.Type{}
	for _, d := range []keyspaceDefinition{systemKeyspace, schemaKeyspace, authKeyspace, distributedKeyspace,
		tracesKeyspace, viewsKeyspace, virtualSchemaKeyspace} {
		planned, shown := d.keyspace(), d.keyspace()
		for _, t := range d.tables {
			a := d.table(t, types)
			b := *a
			a.Virtual = true
			b.Virtual = d.virtual
			planned.Tables[t.name], shown.Tables[t.name] = a, &b
		}
		c.planned[d.name], c.shown[d.name] = planned, shown
	}
	return c
}

func (d *keyspaceDefinition) keyspace() *schema.Keyspace {
	return &schema.Keyspace{Name: d.name, Virtual: d.virtual, Replication: d.replication, DurableWrites: true,
		Tables: map[string]*schema.Table{}, Types: map[string]*schema.Type{}}
}

func (d *keyspaceDefinition) table(def definition, types map[string]*schema.Type) *schema.Table {
	t := &schema.Table{ID: tableID(d.name, def.name), Keyspace: d.name, Name: def.name, Options: schema.DefaultOptions()}
	if d.options != nil {
		d.options(&t.Options)
	}
	t.Options.Comment = def.comment
	parts := strings.Split(def.columns, " | ")
	invariant.Check(len(parts) == 3, "virtual: columns of %s", def.name)
	t.PartitionKey = parseColumns(parts[0], schema.PartitionKey, types)
	t.Clustering = parseColumns(parts[1], schema.Clustering, types)
	t.Regular = parseColumns(parts[2], schema.Regular, types)
	t.Init()
	for i, c := range t.Columns() {
		c.ID = schema.ColumnID(i + 1)
		t.NextColumnID = c.ID + 1
	}
	t.Init()
	return t
}

func parseColumns(list string, kind schema.ColumnKind, types map[string]*schema.Type) []*schema.Column {
	if list == "-" {
		return nil
	}
	var out []*schema.Column
	for i, item := range strings.Split(list, ", ") {
		name, text, ok := strings.Cut(item, " ")
		invariant.Check(ok, "virtual: column %s", item)
		typ := types[text]
		if typ == nil {
			var err error
			typ, err = schema.ParseType(text)
			invariant.Check(err == nil, "virtual: type of column %s", item)
			types[text] = typ
		}
		c := &schema.Column{Name: name, Kind: kind, Position: -1, Type: typ}
		if kind == schema.PartitionKey || kind == schema.Clustering {
			c.Position = i
		}
		out = append(out, c)
	}
	return out
}

// tableID is the version 3 UUID of keyspace and name, as Cassandra makes the
// ids of its system tables.
func tableID(keyspace, name string) schema.TableID {
	u := schema.TableID(md5.Sum([]byte(keyspace + name)))
	u[6] = u[6]&0x0f | 0x30
	u[8] = u[8]&0x3f | 0x80
	return u
}
