package plan

import (
	"maps"
	"slices"

	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/schema"
)

// Describe is a compiled DESCRIBE. It is good for one execution.
type Describe struct {
	// Result describes the rows.
	Result *native.Metadata

	rows    [][][]byte
	cluster bool
	owners  bool
}

// DescribeInfo is what DESCRIBE CLUSTER tells besides the schema.
type DescribeInfo struct {
	Cluster, Partitioner, Snitch string
	// Owners has, per end of a token range, the addresses of its replicas for
	// the keyspace in use.
	Owners map[string][]string
}

// Rows are the answer: per row a value for each column of Result.
func (d *Describe) Rows(info *DescribeInfo) [][][]byte {
	if !d.cluster {
		return d.rows
	}
	row := [][]byte{[]byte(info.Cluster), []byte(info.Partitioner), []byte(info.Snitch)}
	if d.owners {
		list := schema.ListOf(schema.TypeText, true)
		var parts [][]byte
		for _, t := range slices.Sorted(maps.Keys(info.Owners)) {
			var addrs [][]byte
			for _, a := range info.Owners[t] {
				addrs = append(addrs, []byte(a))
			}
			parts = append(parts, []byte(t), list.AppendElements(nil, addrs))
		}
		row = append(row, ownersType.AppendElements(nil, parts))
	}
	return [][][]byte{row}
}

var ownersType = schema.MapOf(schema.TypeText, schema.ListOf(schema.TypeText, true), false)

func describeColumns(names ...string) []native.Column {
	var out []native.Column
	for _, n := range names {
		out = append(out, native.Column{Keyspace: "system", Table: "describe", Name: n, Type: schema.TypeText})
	}
	return out
}

func (c *compiler) describe(s *cql.Describe) (*Describe, error) {
	d := &Describe{}
	switch s.Kind {
	case cql.DescCluster:
		d.cluster, d.owners = true, c.keyspace != ""
		cols := describeColumns("cluster", "partitioner", "snitch")
		if d.owners {
			cols = append(cols, native.Column{Keyspace: "system", Table: "describe", Name: "range_ownership", Type: ownersType})
		}
		d.Result = native.NewMetadata(cols)
		return d, nil
	case cql.DescKeyspaces, cql.DescTables, cql.DescTypes, cql.DescFunctions, cql.DescAggregates:
		d.Result = native.NewMetadata(describeColumns("keyspace_name", "type", "name"))
		return d, c.describeList(d, s)
	}
	d.Result = native.NewMetadata(describeColumns("keyspace_name", "type", "name", "create_statement"))
	return d, c.describeElements(d, s)
}

func (d *Describe) add(keyspace, kind, name string, create ...string) {
	row := [][]byte{[]byte(schema.QuoteName(keyspace)), []byte(kind), []byte(schema.QuoteName(name))}
	for _, s := range create {
		row = append(row, []byte(s))
	}
	d.rows = append(d.rows, row)
}

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func (c *compiler) describeList(d *Describe, s *cql.Describe) error {
	names := sortedNames(c.snap.Keyspaces)
	if s.Kind == cql.DescKeyspaces {
		for _, n := range names {
			d.add(n, "keyspace", n)
		}
		return nil
	}
	if c.keyspace != "" {
		if c.snap.Keyspace(c.keyspace) == nil {
			return invalid("'%s' not found in keyspaces", c.keyspace)
		}
		names = []string{c.keyspace}
	}
	for _, n := range names {
		ks := c.snap.Keyspace(n)
		switch s.Kind {
		case cql.DescTables:
			for _, t := range sortedNames(ks.Tables) {
				d.add(n, "table", t)
			}
		case cql.DescTypes:
			for _, t := range sortedNames(ks.Types) {
				d.add(n, "type", t)
			}
		}
	}
	return nil
}

func (c *compiler) describeElements(d *Describe, s *cql.Describe) error {
	switch s.Kind {
	case cql.DescSchema:
		for _, n := range sortedNames(c.snap.Keyspaces) {
			ks := c.snap.Keyspace(n)
			if s.Full || !isSystemKeyspace(n) && !ks.Virtual {
				d.keyspace(ks, s.WithInternals)
			}
		}
		return nil
	case cql.DescKeyspace:
		return c.describeKeyspace(d, s)
	case cql.DescGeneric:
		return c.describeGeneric(d, s)
	}
	name := s.Name.Keyspace
	if name == "" {
		name = c.keyspace
	}
	if name == "" {
		return invalid("No keyspace specified and no current keyspace")
	}
	ks := c.snap.Keyspace(name)
	if ks == nil {
		return invalid("'%s' not found in keyspaces", name)
	}
	switch s.Kind {
	case cql.DescTable:
		if t := ks.Tables[s.Name.Name]; t != nil {
			d.add(name, "table", t.Name, t.CreateStatement(s.WithInternals))
			return nil
		}
		return invalid("Table '%s' not found in keyspace '%s'", s.Name.Name, name)
	case cql.DescType:
		if t := ks.Types[s.Name.Name]; t != nil {
			d.add(name, "type", t.Name(), t.CreateStatement())
			return nil
		}
		return invalid("User defined type '%s' not found in '%s'", s.Name.Name, name)
	case cql.DescIndex:
		return invalid("Table for existing index '%s' not found in '%s'", s.Name.Name, name)
	case cql.DescView:
		return invalid("Materialized view '%s' not found in keyspace '%s'", s.Name.Name, name)
	case cql.DescAggregate:
		return invalid("User defined aggregate '%s' not found in '%s'", s.Name.Name, name)
	}
	return invalid("User defined function '%s' not found in '%s'", s.Name.Name, name)
}

func (c *compiler) describeKeyspace(d *Describe, s *cql.Describe) error {
	name := s.Name.Keyspace
	if name == "" {
		name = s.Name.Name
	}
	if name == "" {
		name = c.keyspace
	}
	if name == "" {
		return invalid("No keyspace specified and no current keyspace")
	}
	ks := c.snap.Keyspace(name)
	if ks == nil {
		return invalid("'%s' not found in keyspaces", name)
	}
	if s.Only {
		d.add(name, "keyspace", name, ks.CreateStatement())
		return nil
	}
	d.keyspace(ks, s.WithInternals)
	return nil
}

// keyspace adds a keyspace and all that is in it, types before what uses them.
func (d *Describe) keyspace(ks *schema.Keyspace, internals bool) {
	d.add(ks.Name, "keyspace", ks.Name, ks.CreateStatement())
	done := map[string]bool{}
	var addType func(n string)
	addType = func(n string) {
		if done[n] {
			return
		}
		done[n] = true
		for _, other := range sortedNames(ks.Types) {
			if other != n && ks.Types[n].References(ks.Name, other) {
				addType(other)
			}
		}
		d.add(ks.Name, "type", n, ks.Types[n].CreateStatement())
	}
	for _, n := range sortedNames(ks.Types) {
		addType(n)
	}
	for _, n := range sortedNames(ks.Tables) {
		d.add(ks.Name, "table", n, ks.Tables[n].CreateStatement(internals))
	}
}

// describeGeneric shows what has the name: a keyspace, or a table or type of
// the keyspace in use.
func (c *compiler) describeGeneric(d *Describe, s *cql.Describe) error {
	if s.Name.Keyspace == "" {
		if ks := c.snap.Keyspace(s.Name.Name); ks != nil {
			d.keyspace(ks, s.WithInternals)
			return nil
		}
	}
	name := s.Name.Keyspace
	if name == "" {
		name = c.keyspace
	}
	if name == "" {
		return invalid("'%s' not found in keyspaces", s.Name.Name)
	}
	ks := c.snap.Keyspace(name)
	if ks == nil {
		return invalid("'%s' not found in keyspaces", name)
	}
	if t := ks.Tables[s.Name.Name]; t != nil {
		d.add(name, "table", t.Name, t.CreateStatement(s.WithInternals))
		return nil
	}
	if t := ks.Types[s.Name.Name]; t != nil {
		d.add(name, "type", t.Name(), t.CreateStatement())
		return nil
	}
	return invalid("'%s' not found in keyspace '%s'", s.Name.Name, name)
}
