package plan

import (
	"slices"
	"strings"

	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/schema"
)

// Value is a bound value: null has no Bytes, unset says so.
type Value = native.Value

type termKind uint8

const (
	termConst termKind = iota
	termBind
	termCompound // collection, tuple or vector with parts that are not constant
	termCall
	termJSON // a column of INSERT JSON
)

// term is a compiled right-hand side: it yields bytes of its type without
// walking a syntax tree.
type term struct {
	kind  termKind
	typ   *schema.Type
	index int     // termBind: which value
	value []byte  // termConst: nil is null
	elems []*term // termCompound: elements; of a map keys and values in turn
	call  *Expr   // termCall
	doc   *document
	unset bool   // termJSON: a column that is not given is unset, not null
	name  string // of the receiver, for messages
}

// binding is what terms are evaluated against.
type binding struct {
	values []Value
	opts   *Options
	env    *Env
	arena  []byte // grows only; slices of it stay valid

	stampBuf stamp
	// columns are those of doc, decoded.
	doc     *document
	columns map[string]any
}

func (b *binding) start(values []Value, o *Options) {
	b.values, b.opts, b.arena = values, o, b.arena[:0]
	b.doc, b.columns = nil, nil
	if cap(b.arena) > maxKeptRecord {
		b.arena = nil
	}
}

// eval yields the value of t. A value that a client bound has been validated.
func (t *term) eval(b *binding) (Value, error) {
	switch t.kind {
	case termConst:
		return Value{Bytes: t.value}, nil
	case termBind:
		v := b.values[t.index]
		if v.Bytes == nil {
			return v, nil
		}
		if err := t.typ.Validate(v.Bytes); err != nil {
			return v, wrap(err)
		}
		if needsSorting(t.typ) {
			v.Bytes = sortedForm(t.typ, v.Bytes)
		}
		return v, nil
	case termJSON:
		return t.doc.value(b, t)
	case termCall:
		p, err := t.call.evalConst(b)
		return Value{Bytes: p}, err
	}
	return t.evalCompound(b)
}

func (t *term) evalCompound(b *binding) (Value, error) {
	parts := make([][]byte, len(t.elems))
	size := 0
	for i, e := range t.elems {
		v, err := e.eval(b)
		if err != nil {
			return v, err
		}
		kind := t.typ.Kind()
		isTuple := kind == schema.KindTuple || kind == schema.KindUDT
		switch {
		case v.Unset && isTuple:
			return v, invalid("Invalid unset value for tuple field number %d", i)
		case v.Unset:
			return v, invalid("unset value is not supported inside collections")
		case v.Bytes == nil && !isTuple:
			return v, invalid("null is not supported inside collections")
		}
		if size += len(v.Bytes); size > maxResult {
			return Value{}, errValues()
		}
		parts[i] = v.Bytes
	}
	return Value{Bytes: packCompound(t.typ, parts)}, nil
}

// packCompound serializes parts as a value of t; sets and maps are put into
// order, of duplicates the last wins.
func packCompound(t *schema.Type, parts [][]byte) []byte {
	switch t.Kind() {
	case schema.KindSet:
		parts = sortParts(t.Elem(), parts, 1)
	case schema.KindMap:
		parts = sortParts(t.Key(), parts, 2)
	}
	return t.AppendElements(nil, parts)
}

// sortParts orders groups of n parts by the first of each and drops all but
// the last of equal ones.
func sortParts(t *schema.Type, parts [][]byte, n int) [][]byte {
	groups := make([]int, len(parts)/n)
	for i := range groups {
		groups[i] = i
	}
	slices.SortStableFunc(groups, func(a, b int) int { return t.Compare(parts[a*n], parts[b*n]) })
	out := make([][]byte, 0, len(parts))
	for i, g := range groups {
		if i+1 < len(groups) && t.Compare(parts[g*n], parts[groups[i+1]*n]) == 0 {
			continue
		}
		out = append(out, parts[g*n:g*n+n]...)
	}
	return out
}

// needsSorting tells whether values of t may come in an order that is not the
// canonical one: there is a set or map in it. Values of non-frozen ones are
// taken apart into cells, which are sorted anyway.
func needsSorting(t *schema.Type) bool {
	k := t.Kind()
	if k == schema.KindSet || k == schema.KindMap {
		return !t.IsMultiCell()
	}
	return t.Frozen() && slices.ContainsFunc(t.Elems(), needsSorting)
}

// sortedForm returns a valid value with all its sets and maps in order.
func sortedForm(t *schema.Type, value []byte) []byte {
	if len(value) == 0 {
		return value
	}
	var parts [][]byte
	it := t.Elements(value)
	for p, ok := it.Next(); ok; p, ok = it.Next() {
		if p != nil && needsSorting(it.Type()) {
			p = sortedForm(it.Type(), p)
		}
		parts = append(parts, p)
	}
	if k := t.Kind(); k != schema.KindSet && k != schema.KindMap && len(parts) == 0 {
		return value
	}
	return packCompound(t, parts)
}

// partType is the type of the i-th part of a compound value.
func partType(t *schema.Type, i int) *schema.Type {
	e := t.Elems()
	return e[i%len(e)]
}

// elementName is the name of a part as bind variables show it.
func elementName(t *schema.Type, name string, i int) string {
	switch t.Kind() {
	case schema.KindMap:
		if i&1 == 0 {
			return "key(" + name + ")"
		}
	case schema.KindTuple:
		return name + "[" + itoa(i) + "]"
	case schema.KindUDT:
		return name + "." + t.Fields()[i]
	}
	return "value(" + name + ")"
}

// term compiles e for a receiver of the given name and type.
func (c *compiler) term(e cql.Term, name string, t *schema.Type) (*term, error) {
	switch e := e.(type) {
	case *cql.BindMarker:
		return c.bind(e, name, t), nil
	case *cql.Literal:
		v, err := literal(e, name, t)
		return &term{kind: termConst, typ: t, value: v, name: name}, err
	case *cql.TypeHint:
		return c.hintTerm(e, name, t)
	case *cql.Negation:
		if l, ok := e.Expr.(*cql.Literal); ok && isNumber(t) && (l.Kind == cql.LitInteger || l.Kind == cql.LitFloat) {
			negative := *l
			if text, ok := strings.CutPrefix(l.Text, "-"); ok {
				negative.Text = text
			} else {
				negative.Text = "-" + l.Text
			}
			return c.term(&negative, name, t)
		}
	case *cql.TupleLiteral:
		if inner := unwrapped(e, t); inner != nil {
			return c.term(inner, name, t)
		}
		return c.compound(e, name, t)
	case *cql.ListLiteral, *cql.SetLiteral, *cql.MapLiteral, *cql.UDTLiteral:
		return c.compound(e, name, t)
	}
	return c.callTerm(e, name, t)
}

func (c *compiler) bind(m *cql.BindMarker, name string, t *schema.Type) *term {
	if m.Name != "" {
		name = m.Name
	}
	c.vars.set(m.Index, c.table, name, t)
	return &term{kind: termBind, typ: t, index: m.Index, name: name}
}

func (c *compiler) hintTerm(e *cql.TypeHint, name string, t *schema.Type) (*term, error) {
	hint, err := c.typeOf(e.Type)
	if err != nil {
		return nil, err
	}
	if !assignable(hint, t) {
		return nil, invalid("Cannot assign value %s to %s of type %s", e, schema.QuoteName(name), t)
	}
	return c.term(e.Expr, name, hint)
}

// assignable tells whether a value of type from may be stored as to without
// conversion.
func assignable(from, to *schema.Type) bool {
	if from.Freeze().Equal(to.Freeze()) || to.Kind() == schema.KindBlob {
		return true
	}
	switch to.Kind() {
	case schema.KindText:
		return from.Kind() == schema.KindASCII
	case schema.KindUUID:
		return from.Kind() == schema.KindTimeUUID
	case schema.KindBigint:
		return from.Kind() == schema.KindTimestamp || from.Kind() == schema.KindCounter
	case schema.KindCounter:
		return from.Kind() == schema.KindBigint
	case schema.KindTimestamp:
		return from.Kind() == schema.KindBigint
	}
	return false
}
