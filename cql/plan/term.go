package plan

import (
	"encoding/binary"
	"slices"

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
	name  string  // of the receiver, for messages
}

// binding is what terms are evaluated against.
type binding struct {
	values []Value
	opts   *Options
	env    *Env
	arena  []byte // grows only; slices of it stay valid
}

func (b *binding) start(values []Value, o *Options) {
	b.values, b.opts, b.arena = values, o, b.arena[:0]
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
	case termCall:
		p, err := t.call.evalConst(b)
		return Value{Bytes: p}, err
	}
	return t.evalCompound(b)
}

func (t *term) evalCompound(b *binding) (Value, error) {
	parts := make([][]byte, len(t.elems))
	for i, e := range t.elems {
		v, err := e.eval(b)
		if err != nil {
			return v, err
		}
		kind := t.typ.Kind()
		isTuple := kind == schema.KindTuple || kind == schema.KindUDT
		switch {
		case v.Unset && isTuple:
			return v, invalid("Invalid unset value for tuple field number %d of %s", i, t.name)
		case v.Unset:
			return v, invalid("unset value is not supported inside collections")
		case v.Bytes == nil && !isTuple:
			return v, invalid("null is not supported inside collections")
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
		return packList(parts, len(parts))
	case schema.KindMap:
		parts = sortParts(t.Key(), parts, 2)
		return packList(parts, len(parts)/2)
	case schema.KindList:
		return packList(parts, len(parts))
	case schema.KindVector:
		return packVector(t, parts)
	}
	out := make([]byte, 0, 4*len(parts))
	for _, p := range parts {
		out = native.AppendValue(out, p)
	}
	return out
}

func packList(parts [][]byte, count int) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(count))
	for _, p := range parts {
		out = native.AppendValue(out, p)
	}
	return out
}

func packVector(t *schema.Type, parts [][]byte) []byte {
	var out []byte
	for _, p := range parts {
		if t.Elem().FixedLen() == 0 {
			out = appendVInt(out, uint64(len(p)))
		}
		out = append(out, p...)
	}
	return out
}

// appendVInt appends Cassandra's unsigned variable-length integer: leading one
// bits of the first byte count the bytes that follow.
func appendVInt(dst []byte, v uint64) []byte {
	extra := 0
	for extra < 8 && v>>(7*(extra+1)) != 0 {
		extra++
	}
	if extra == 8 {
		return binary.BigEndian.AppendUint64(append(dst, 0xff), v)
	}
	at := len(dst)
	for i := extra; i >= 0; i-- {
		dst = append(dst, byte(v>>(8*i)))
	}
	dst[at] |= ^byte(0) << (8 - extra)
	return dst
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

// sortedForm returns a valid value with all its sets and maps in order. It
// returns the value itself if nothing has to move.
func sortedForm(t *schema.Type, value []byte) []byte {
	parts, ok := splitCompound(t, value)
	if !ok {
		return value
	}
	for i, p := range parts {
		if e := partType(t, i); p != nil && needsSorting(e) {
			parts[i] = sortedForm(e, p)
		}
	}
	return packCompound(t, parts)
}

// partType is the type of the i-th part that splitCompound yields.
func partType(t *schema.Type, i int) *schema.Type {
	switch t.Kind() {
	case schema.KindMap:
		return t.Elems()[i&1]
	case schema.KindTuple, schema.KindUDT:
		return t.Elems()[i]
	}
	return t.Elem()
}

// splitCompound takes a valid value apart; the inverse of packCompound. It
// declines vectors of fixed elements, which have nothing to sort.
func splitCompound(t *schema.Type, value []byte) (parts [][]byte, ok bool) {
	switch t.Kind() {
	case schema.KindList, schema.KindSet, schema.KindMap:
		it := iterate(t, value)
		for p, more := it.next(); more; p, more = it.next() {
			parts = append(parts, p)
		}
		return parts, true
	case schema.KindTuple, schema.KindUDT:
		for len(value) >= 4 && len(parts) < len(t.Elems()) {
			n := int32(binary.BigEndian.Uint32(value))
			value = value[4:]
			if n < 0 {
				parts = append(parts, nil)
				continue
			}
			n = min(n, int32(len(value)))
			parts = append(parts, value[:n:n])
			value = value[n:]
		}
		return parts, true
	}
	return nil, false
}

// parts walks the elements of a serialized list or set, or the keys and values
// in turn of a map.
type partIterator struct {
	rest []byte
	left int
}

func iterate(t *schema.Type, value []byte) partIterator {
	if len(value) < 4 {
		return partIterator{}
	}
	n := int(int32(binary.BigEndian.Uint32(value)))
	if t.Kind() == schema.KindMap {
		n *= 2
	}
	return partIterator{rest: value[4:], left: n}
}

func (it *partIterator) next() ([]byte, bool) {
	if it.left <= 0 || len(it.rest) < 4 {
		return nil, false
	}
	it.left--
	n := int32(binary.BigEndian.Uint32(it.rest))
	it.rest = it.rest[4:]
	if n < 0 {
		return nil, true
	}
	if int(n) > len(it.rest) {
		it.left = 0
		return nil, false
	}
	p := it.rest[:n:n]
	it.rest = it.rest[n:]
	return p, true
}

// Receivers of parts, as the names of bind variables show them.

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
	case *cql.ListLiteral, *cql.SetLiteral, *cql.MapLiteral, *cql.TupleLiteral, *cql.UDTLiteral:
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
