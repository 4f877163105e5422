package plan

import (
	"errors"

	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/schema"
)

// compiler is the state of compiling one statement.
type compiler struct {
	snap     *schema.Snapshot
	keyspace string // in use, may be empty
	table    *schema.Table
	vars     variables
	// slots are the columns that a SELECT reads, see slot.
	slots                   []*schema.Column
	aggregated, inAggregate bool
	// hint is the type that a term is wanted to have.
	hint *schema.Type
}

// variables are the bind markers' metadata, by index.
type variables struct {
	cols []native.Column
}

func (v *variables) set(i int, t *schema.Table, name string, typ *schema.Type) {
	col := native.Column{Name: name, Type: typ}
	if t != nil {
		col.Keyspace, col.Table = t.Keyspace, t.Name
	}
	v.cols[i] = col
}

// metadata finishes the variables; a marker that nothing gave a type is a bug
// of the compiler or stands where none may.
func (v *variables) metadata() (*native.Metadata, error) {
	for i := range v.cols {
		if v.cols[i].Type == nil {
			return nil, invalid("Invalid bind marker at position %d", i)
		}
	}
	return native.NewMetadata(v.cols), nil
}

// wrap turns an error of package schema or cql into one of the protocol.
func wrap(err error) error {
	if err == nil {
		return nil
	}
	if e := ErrorOf(err); e != nil {
		return e
	}
	return native.Invalid("%s", err.Error())
}

// ErrorOf is the protocol's form of an error of cql, schema or the protocol
// itself, nil of any other.
func ErrorOf(err error) *native.Error {
	var n *native.Error
	if errors.As(err, &n) {
		return n
	}
	var x *cql.SyntaxError
	if errors.As(err, &x) {
		return native.Syntax("%s", x.Msg)
	}
	var s *schema.Error
	if !errors.As(err, &s) {
		return nil
	}
	switch s.Kind {
	case schema.ErrConfig:
		return native.ConfigError("%s", s.Message)
	case schema.ErrSyntax:
		return native.Syntax("%s", s.Message)
	case schema.ErrExists:
		e := native.AlreadyExists(s.Keyspace, s.Table)
		if s.Message != "" {
			e.Msg = s.Message
		}
		return e
	}
	return native.Invalid("%s", s.Message)
}

// keyspaceOf is the keyspace that a name means.
func (c *compiler) keyspaceOf(n cql.Name) (string, error) {
	if n.Keyspace != "" {
		return n.Keyspace, nil
	}
	if c.keyspace == "" {
		return "", native.Invalid("%s", msgNoKeyspace)
	}
	return c.keyspace, nil
}

// useTable resolves a table and makes it the one that columns are of.
func (c *compiler) useTable(n cql.Name) error {
	ks, err := c.keyspaceOf(n)
	if err != nil {
		return err
	}
	if c.snap.Keyspace(ks) == nil {
		return invalid("keyspace %s does not exist", ks)
	}
	t := c.snap.Table(ks, n.Name)
	if t == nil {
		return invalid("table %s does not exist", n.Name)
	}
	c.table = t
	return nil
}

// typeOf resolves a type as written.
func (c *compiler) typeOf(e *cql.TypeExpr) (*schema.Type, error) {
	t, err := c.rawType(e)
	if err != nil {
		return nil, err
	}
	if e.Frozen {
		if !t.IsCollection() && t.Kind() != schema.KindTuple && t.Kind() != schema.KindUDT && t.Kind() != schema.KindVector {
			return nil, native.Syntax("frozen<> is only allowed on collections, tuples, and user-defined types (got %s)", t)
		}
		return t.Freeze(), nil
	}
	return t, nil
}

func (c *compiler) rawType(e *cql.TypeExpr) (*schema.Type, error) {
	args := make([]*schema.Type, len(e.Args))
	for i, a := range e.Args {
		t, err := c.typeOf(a)
		if err != nil {
			return nil, err
		}
		args[i] = t
	}
	switch e.Kind {
	case cql.TypeList:
		return schema.ListOf(args[0], false), nil
	case cql.TypeSet:
		return schema.SetOf(args[0], false), nil
	case cql.TypeMap:
		return schema.MapOf(args[0], args[1], false), nil
	case cql.TypeTuple:
		return schema.TupleOf(args...), nil
	case cql.TypeVector:
		t, err := schema.NewVector(args[0], e.Dim)
		return t, wrap(err)
	case cql.TypeCustom:
		t, err := schema.ParseType(schema.QuoteText(e.Name))
		return t, wrap(err)
	case cql.TypeUser:
		return c.userType(e)
	}
	t, err := schema.ParseType(e.Name)
	return t, wrap(err)
}

func (c *compiler) userType(e *cql.TypeExpr) (*schema.Type, error) {
	ks := e.Keyspace
	if ks == "" {
		ks = c.keyspace
		if c.table != nil {
			ks = c.table.Keyspace
		}
	}
	if k := c.snap.Keyspace(ks); k != nil {
		if t := k.Types[e.Name]; t != nil {
			return t, nil
		}
	}
	return nil, invalid("Unknown type %s.%s", ks, e.Name)
}
