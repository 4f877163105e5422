package plan

import (
	"strings"

	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/schema"
)

// cellExpr compiles WRITETIME, MAXWRITETIME and TTL of a column, of an element
// of a set or map, or of a field.
func (c *compiler) cellExpr(e *cql.CellAttr, scope exprScope) (*Expr, error) {
	var part *Expr
	of := e.Of
	switch p := of.(type) {
	case *cql.Element:
		of = p.Base
	case *cql.Field:
		of = p.Base
	}
	name, ok := of.(*cql.Column)
	if !ok {
		return nil, unsupported(strings.ToUpper(e.Kind.String()) + " of a part of a column")
	}
	x, err := c.columnExpr(name, scope)
	if err != nil {
		return nil, err
	}
	col := c.table.Column(name.Name)
	if col.Kind == schema.PartitionKey || col.Kind == schema.Clustering {
		return nil, invalid("Cannot use selection function %s on PRIMARY KEY part %s", e.Kind, schema.QuoteName(col.Name))
	}
	if of != e.Of {
		if part, err = c.expr(e.Of, scope); err != nil {
			return nil, err
		}
	}
	out := &Expr{Slot: x.Slot, Type: schema.TypeBigint}
	switch e.Kind {
	case cql.AttrTTL:
		out.Kind, out.Type = ExprTTL, schema.TypeInt
	case cql.AttrMaxWritetime:
		out.Kind = ExprMaxWritetime
	default:
		out.Kind = ExprWritetime
	}
	switch {
	case part != nil:
		out.Args = []*Expr{x, part}
	case col.Type.IsMultiCell():
		out.Args = []*Expr{x}
		if out.Kind != ExprMaxWritetime {
			out.Type = schema.ListOf(out.Type, true)
		}
	}
	return out, nil
}

// partOf tells which live cell of a column in cells holds the part, or -1; a
// frozen column has one cell for all parts.
func (e *Expr) partOf(b *binding, row Row) (int, error) {
	base, part := e.Args[0], e.Args[1]
	v := row.Value(base.Slot)
	if v == nil {
		return -1, nil
	}
	it := base.Type.Elements(v)
	if part.Kind == ExprField {
		cell := 0
		for i := 0; i <= part.Field; i++ {
			p, ok := it.Next()
			if !ok || i == part.Field && p == nil {
				return -1, it.Err()
			}
			if i < part.Field && p != nil {
				cell++
			}
		}
		return cell, nil
	}
	key, err := part.Args[1].eval(b, row)
	if err != nil || key == nil {
		return -1, err
	}
	for cell := 0; ; cell++ {
		k, ok := it.Next()
		if !ok {
			return -1, it.Err()
		}
		if base.Type.Elems()[0].Compare(k, key) == 0 {
			return cell, nil
		}
		if base.Type.Kind() == schema.KindMap {
			it.Next()
		}
	}
}

// sliceExpr compiles c[a..b] of a set or map.
func (c *compiler) sliceExpr(e *cql.Slice, scope exprScope) (*Expr, error) {
	base, err := c.expr(e.Base, scope)
	if err != nil {
		return nil, err
	}
	t := base.Type
	if k := t.Kind(); k != schema.KindMap && k != schema.KindSet {
		return nil, sliceOfNone(e.Base, t)
	}
	out := &Expr{Kind: ExprSlice, Type: t, Args: []*Expr{base, nil, nil}}
	for i, end := range []cql.Term{e.From, e.To} {
		if end == nil {
			continue
		}
		if out.Args[1+i], err = c.termExpr(end, "key("+e.Base.String()+")", t.Elems()[0]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func sliceOfNone(e cql.Expr, t *schema.Type) error {
	if t.Kind() == schema.KindList {
		return invalid("Slice selection is only allowed on sets and maps, but %s is a list", e)
	}
	return invalid("Invalid slice selection: %s of type %s is not a collection", e, t)
}

// evalSlice keeps the elements of a set or map whose keys lie between the
// bounds, both included; none are null unless the column is frozen.
func (e *Expr) evalSlice(b *binding, row Row) ([]byte, error) {
	v, err := e.Args[0].eval(b, row)
	if err != nil || v == nil {
		return nil, err
	}
	var ends [2][]byte
	for i := range ends {
		if e.Args[1+i] == nil {
			continue
		}
		if ends[i], err = e.Args[1+i].eval(b, row); err != nil || ends[i] == nil {
			return nil, err
		}
	}
	kt := e.Type.Elems()[0]
	var parts [][]byte
	it := e.Type.Elements(v)
	for k, ok := it.Next(); ok; k, ok = it.Next() {
		in := (ends[0] == nil || kt.Compare(k, ends[0]) >= 0) && (ends[1] == nil || kt.Compare(k, ends[1]) <= 0)
		if in {
			parts = append(parts, k)
		}
		if e.Type.Kind() == schema.KindMap {
			if value, _ := it.Next(); in {
				parts = append(parts, value)
			}
		}
	}
	if parts == nil && e.Type.IsMultiCell() {
		return nil, it.Err()
	}
	return e.Type.AppendElements(nil, parts), it.Err()
}
