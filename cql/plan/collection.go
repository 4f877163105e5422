package plan

import (
	"encoding/binary"
	"slices"

	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/schema"
)

type opKind uint8

const (
	opSet           opKind = iota // the whole column
	opAppend                      // c = c + v
	opPrepend                     // list = v + list
	opDiscard                     // c = c - v
	opPut                         // c[key] = v
	opDelete                      // DELETE c
	opDeleteElement               // DELETE c[key]
	opPutField                    // c.field = v
	opDeleteField                 // DELETE c.field
)

// op is one change of a column.
type op struct {
	kind  opKind
	col   *schema.Column
	value *term
	key   *term
	field int
}

func (o *op) needsRead() bool {
	return o.col.Type.Kind() == schema.KindList && (o.kind == opDiscard || o.kind == opPut || o.kind == opDeleteElement)
}

// assignment compiles one entry of SET.
func (c *compiler) assignment(a *cql.Assignment) (op, error) {
	col := c.table.Column(a.Column.Name)
	if col == nil {
		return op{}, errUndefinedColumn(a.Column.Name, c.table)
	}
	if col.Kind == schema.PartitionKey || col.Kind == schema.Clustering {
		return op{}, invalid("PRIMARY KEY part %s found in SET part", schema.QuoteName(col.Name))
	}
	if isCounter(col) {
		return op{}, unsupported("Updating a counter")
	}
	o := op{col: col}
	t := col.Type
	var err error
	switch a.Kind {
	case cql.AssignSet:
		o.value, err = c.term(a.Value, col.Name, t)
	case cql.AssignField:
		return c.putField(a, col)
	case cql.AssignElement:
		return c.putElement(a, col)
	case cql.AssignAdd:
		o.kind = opAppend
		if err = checkMultiCell(col, "+", a.Value); err != nil {
			return o, err
		}
		if t.Kind() == schema.KindMap && isCollectionLiteral(a.Value) && !isMapLiteral(a.Value) {
			return o, invalid("Value for a map addition has to be a map, but was: '%s'", a.Value)
		}
		o.value, err = c.term(a.Value, col.Name, t)
	case cql.AssignPrepend:
		o.kind = opPrepend
		if t.Kind() != schema.KindList || !t.IsMultiCell() {
			return o, invalid("Invalid operation (%s = %s - %s) for non list column %s", col.Name, a.Value, col.Name, col.Name)
		}
		o.value, err = c.term(a.Value, col.Name, t)
	case cql.AssignSub:
		o.kind = opDiscard
		if err = checkMultiCell(col, "-", a.Value); err != nil {
			return o, err
		}
		if t.Kind() == schema.KindMap {
			if _, isSet := a.Value.(*cql.SetLiteral); !isSet && isCollectionLiteral(a.Value) {
				return o, invalid("Value for a map substraction has to be a set, but was: '%s'", a.Value)
			}
			t = schema.SetOf(t.Key(), true)
		}
		o.value, err = c.term(a.Value, col.Name, t)
	}
	return o, err
}

// isMapLiteral tells whether e may be a map; {} may.
func isMapLiteral(e cql.Term) bool {
	if set, ok := e.(*cql.SetLiteral); ok {
		return len(set.Elems) == 0
	}
	_, ok := e.(*cql.MapLiteral)
	return ok
}

func isCollectionLiteral(e cql.Term) bool {
	switch e.(type) {
	case *cql.ListLiteral, *cql.SetLiteral, *cql.MapLiteral:
		return true
	}
	return false
}

func checkMultiCell(col *schema.Column, sign string, v cql.Term) error {
	switch {
	case !col.Type.IsCollection():
		return invalid("Invalid operation (%s = %s %s %s) for non counter column %s", col.Name, col.Name, sign, v, col.Name)
	case !col.Type.IsMultiCell():
		return invalid("Invalid operation (%s = %s %s %s) for frozen collection column %s", col.Name, col.Name, sign, v, col.Name)
	}
	return nil
}

func (c *compiler) putElement(a *cql.Assignment, col *schema.Column) (op, error) {
	o := op{kind: opPut, col: col}
	t := col.Type
	switch {
	case !t.IsCollection():
		return o, invalid("Invalid operation (%s[%s] = %s) for non collection column %s", col.Name, a.Key, a.Value, col.Name)
	case !t.IsMultiCell():
		return o, invalid("Invalid operation (%s[%s] = %s) for frozen collection column %s", col.Name, a.Key, a.Value, col.Name)
	case t.Kind() == schema.KindSet:
		return o, invalid("Invalid operation (%s[%s] = %s) for set column %s", col.Name, a.Key, a.Value, col.Name)
	}
	var err error
	if o.key, err = c.elementKey(a.Key, col); err != nil {
		return o, err
	}
	vt := t.Elems()[len(t.Elems())-1]
	o.value, err = c.term(a.Value, "value("+col.Name+")", vt.Freeze())
	return o, err
}

// fieldOf is the place of a field of a user type whose fields are cells.
func fieldOf(col *schema.Column, name string) (int, error) {
	t := col.Type
	switch {
	case t.Kind() != schema.KindUDT:
		return 0, invalid("Invalid operation (%s.%s = ...) for non-UDT column %s", col.Name, name, col.Name)
	case !t.IsMultiCell():
		return 0, invalid("Invalid operation (%s.%s = ...) for frozen UDT column %s", col.Name, name, col.Name)
	}
	i := slices.Index(t.Fields(), name)
	if i < 0 {
		return 0, invalid("UDT column %s does not have a field named %s", col.Name, name)
	}
	return i, nil
}

func (c *compiler) putField(a *cql.Assignment, col *schema.Column) (op, error) {
	i, err := fieldOf(col, a.Field.Name)
	if err != nil {
		return op{}, err
	}
	o := op{kind: opPutField, col: col, field: i}
	o.value, err = c.term(a.Value, col.Name+"."+a.Field.Name, col.Type.Elems()[i].Freeze())
	return o, err
}

// fieldPath is the path of a user type's field: its number, u16 big-endian.
func (b *Binder) fieldPath(i int) []byte {
	start := len(b.arena)
	b.arena = binary.BigEndian.AppendUint16(b.arena, uint16(i))
	return b.arena[start:len(b.arena):len(b.arena)]
}

func (c *compiler) elementKey(e cql.Term, col *schema.Column) (*term, error) {
	t := col.Type
	switch t.Kind() {
	case schema.KindList:
		return c.term(e, "idx("+col.Name+")", schema.TypeInt)
	case schema.KindMap:
		return c.term(e, "key("+col.Name+")", t.Key().Freeze())
	}
	return c.term(e, "value("+col.Name+")", t.Elem().Freeze())
}

// deletion compiles one entry of the DELETE list.
func (c *compiler) deletion(d *cql.Deletion) (op, error) {
	col := c.table.Column(d.Column.Name)
	if col == nil {
		return op{}, errUndefinedColumn(d.Column.Name, c.table)
	}
	if col.Kind == schema.PartitionKey || col.Kind == schema.Clustering {
		return op{}, invalid("Invalid identifier %s for deletion (should not be a PRIMARY KEY part)", schema.QuoteName(col.Name))
	}
	o := op{kind: opDelete, col: col}
	if d.Field != nil {
		i, err := fieldOf(col, d.Field.Name)
		o.kind, o.field = opDeleteField, i
		return o, err
	}
	if d.Key == nil {
		return o, nil
	}
	o.kind = opDeleteElement
	switch {
	case !col.Type.IsCollection():
		return o, invalid("Invalid deletion operation for non collection column %s", col.Name)
	case !col.Type.IsMultiCell():
		return o, invalid("Invalid deletion operation for frozen collection column %s", col.Name)
	}
	var err error
	o.key, err = c.elementKey(d.Key, col)
	return o, err
}
