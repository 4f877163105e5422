package plan

import (
	"encoding/binary"

	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// ExprKind is what an Expr is.
type ExprKind uint8

// Kinds of expressions.
const (
	ExprColumn ExprKind = iota
	ExprConst
	ExprTerm
	ExprCall
	ExprToken
	ExprWritetime
	ExprMaxWritetime
	ExprTTL
	ExprElement
	ExprField
	ExprJSON
	ExprTuple
	ExprAggregate
	ExprSlice
)

// Expr is a compiled expression of a SELECT list or a call in a term.
// Immutable and safe for concurrent use.
type Expr struct {
	Kind ExprKind
	Type *schema.Type
	Slot int     // ExprColumn, ExprWritetime, ...: index into Select.Slots
	Args []*Expr // ExprCall, ExprTuple, ExprElement (base, key), ExprField, ExprAggregate
	// Field is the place of ExprField in the user type.
	Field int
	// Aggregate is set for ExprAggregate.
	Aggregate Aggregate

	names []string // ExprJSON
	value []byte
	term  *term
	fn    *function
}

// Row is what an expression reads of a row.
type Row interface {
	// Value is the whole value in a slot, a collection in its serialized form;
	// nil is null. It is valid until the row changes.
	Value(slot int) []byte
	// Cell tells timestamp (microseconds), TTL (seconds, 0 for none) and expiry
	// (seconds since 1970) of a slot's cell; ok is false if it is not live.
	Cell(slot int) (timestamp int64, ttl, expiry uint32, ok bool)
	// Cells calls f for each live cell of a collection in element order.
	Cells(slot int, f func(timestamp int64, ttl, expiry uint32))
	// Token is the token of the partition key.
	Token() ring.Token
}

// AggregateRow is a row that stands for a group.
type AggregateRow interface {
	Row
	// Aggregate is the result of an ExprAggregate.
	Aggregate(e *Expr) ([]byte, error)
}

// Aggregates calls f for each ExprAggregate in e.
func (e *Expr) Aggregates(f func(*Expr)) {
	if e.Kind == ExprAggregate {
		f(e)
		return
	}
	for _, a := range e.Args {
		if a != nil {
			a.Aggregates(f)
		}
	}
}

// Eval computes the expression for a row; nil is null. The result may alias the
// row. row may be nil if no column is used.
func (e *Expr) Eval(q *Query, row Row) ([]byte, error) { return e.eval(&q.binding, row) }

func (e *Expr) evalConst(b *binding) ([]byte, error) { return e.eval(b, nil) }

func (e *Expr) eval(b *binding, row Row) ([]byte, error) {
	switch e.Kind {
	case ExprColumn:
		return row.Value(e.Slot), nil
	case ExprConst:
		return e.value, nil
	case ExprTerm:
		v, err := e.term.eval(b)
		return v.Bytes, err
	case ExprToken:
		if row != nil && e.Args == nil {
			return binary.BigEndian.AppendUint64(nil, uint64(row.Token())), nil
		}
		return e.evalToken(b, row)
	case ExprWritetime, ExprMaxWritetime, ExprTTL:
		return e.evalCell(b, row)
	case ExprSlice:
		return e.evalSlice(b, row)
	case ExprAggregate:
		if r, ok := row.(AggregateRow); ok {
			return r.Aggregate(e)
		}
	case ExprElement:
		return e.evalElement(b, row)
	case ExprJSON:
		return e.evalJSON(b, row)
	case ExprField:
		return e.evalField(b, row)
	case ExprTuple:
		parts, err := evalAll(e.Args, b, row)
		if err != nil {
			return nil, err
		}
		return packCompound(e.Type, parts), nil
	case ExprCall:
		parts, err := evalAll(e.Args, b, row)
		if err != nil {
			return nil, err
		}
		return e.fn.call(b, parts)
	}
	return nil, invalid("aggregate functions cannot be used here")
}

func evalAll(args []*Expr, b *binding, row Row) ([][]byte, error) {
	parts := make([][]byte, len(args))
	size := 0
	for i, a := range args {
		p, err := a.eval(b, row)
		if err != nil {
			return nil, err
		}
		if size += len(p); size > maxResult {
			return nil, errValues()
		}
		parts[i] = p
	}
	return parts, nil
}

func errValues() error { return invalid("An expression has values of more than %d bytes", maxResult) }

func (e *Expr) evalToken(b *binding, row Row) ([]byte, error) {
	parts, err := evalAll(e.Args, b, row)
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		if p == nil {
			return nil, invalid("Invalid null value in condition for the token function")
		}
	}
	k, err := makeKey(nil, parts)
	return be64(int64(k.Token)), err
}

func (e *Expr) evalCell(b *binding, row Row) ([]byte, error) {
	now := b.opts.now()
	one := func(ts int64, ttl, expiry uint32) []byte {
		if e.Kind != ExprTTL {
			return binary.BigEndian.AppendUint64(nil, uint64(ts))
		}
		if ttl == 0 {
			return nil
		}
		return binary.BigEndian.AppendUint32(nil, expiry-min(now, expiry))
	}
	if len(e.Args) == 0 || len(e.Args) == 2 && !e.Args[0].Type.IsMultiCell() {
		ts, ttl, expiry, ok := row.Cell(e.Slot)
		if !ok {
			return nil, nil
		}
		return one(ts, ttl, expiry), nil
	}
	if len(e.Args) == 2 {
		at, err := e.partOf(b, row)
		var out []byte
		row.Cells(e.Slot, func(ts int64, ttl, expiry uint32) {
			if at == 0 {
				out = one(ts, ttl, expiry)
			}
			at--
		})
		return out, err
	}
	// A collection: a list of each element's, or the largest.
	var parts [][]byte
	highest, any := int64(0), false
	row.Cells(e.Slot, func(ts int64, ttl, expiry uint32) {
		if !any || ts > highest {
			highest, any = ts, true
		}
		parts = append(parts, one(ts, ttl, expiry))
	})
	if base := e.Args[0]; base.Type.Kind() == schema.KindUDT && any {
		parts = spread(base.Type, row.Value(base.Slot), parts)
	}
	switch {
	case !any:
		return nil, nil
	case e.Kind == ExprMaxWritetime:
		return binary.BigEndian.AppendUint64(nil, uint64(highest)), nil
	}
	return e.Type.AppendElements(nil, parts), nil
}

// spread gives every field of a user type its place among the cells, of which
// null fields have none.
func spread(t *schema.Type, value []byte, cells [][]byte) [][]byte {
	out := make([][]byte, len(t.Fields()))
	it := t.Elements(value)
	for i := range out {
		if p, ok := it.Next(); ok && p != nil && len(cells) > 0 {
			out[i], cells = cells[0], cells[1:]
		}
	}
	return out
}

// evalElement reads base[key] of a map, set or list.
func (e *Expr) evalElement(b *binding, row Row) ([]byte, error) {
	base, err := e.Args[0].eval(b, row)
	if err != nil || base == nil {
		return nil, err
	}
	key, err := e.Args[1].eval(b, row)
	if err != nil || key == nil {
		return nil, err
	}
	return elementAt(e.Args[0].Type, base, key), nil
}

func (e *Expr) evalField(b *binding, row Row) ([]byte, error) {
	base, err := e.Args[0].eval(b, row)
	if err != nil || base == nil {
		return nil, err
	}
	it := e.Args[0].Type.Elements(base)
	for i := 0; ; i++ {
		p, ok := it.Next()
		if !ok || i == e.Field {
			return p, it.Err()
		}
	}
}

func elementAt(t *schema.Type, value, key []byte) []byte {
	it := t.Elements(value)
	switch t.Kind() {
	case schema.KindMap:
		for k, ok := it.Next(); ok; k, ok = it.Next() {
			v, more := it.Next()
			if more && t.Key().Compare(k, key) == 0 {
				return v
			}
		}
	case schema.KindSet:
		for k, ok := it.Next(); ok; k, ok = it.Next() {
			if t.Elem().Compare(k, key) == 0 {
				return k
			}
		}
	}
	return nil
}

// callTerm compiles what is not a literal: a function call, arithmetic, a cast.
func (c *compiler) callTerm(e cql.Term, name string, t *schema.Type) (*term, error) {
	if call, ok := e.(*cql.FunctionCall); ok && t != nil && (call.Name.Name == "from_json" || call.Name.Name == "fromjson") {
		return c.fromJSONTerm(call, name, t)
	}
	c.hint = t
	x, err := c.expr(e, exprTerm)
	c.hint = nil
	if err != nil {
		return nil, err
	}
	if t != nil && !assignable(x.Type, t) {
		if call, ok := e.(*cql.FunctionCall); ok {
			return nil, invalid("Type error: cannot assign result of function %s (type %s) to %s (type %s)",
				functionDisplay(call.Name), x.Type, name, t)
		}
		return nil, invalid("Type error: cannot assign result of %s (type %s) to %s (type %s)", e, x.Type, name, t)
	}
	if x.Kind == ExprConst {
		return &term{kind: termConst, typ: x.Type, value: x.value, name: name}, nil
	}
	return &term{kind: termCall, typ: x.Type, call: x, name: name}, nil
}
