package plan

import (
	"slices"

	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/schema"
)

// compound compiles a literal of a collection, tuple, vector or user-defined
// type.
func (c *compiler) compound(e cql.Term, name string, t *schema.Type) (*term, error) {
	elems, err := compoundParts(e, name, t)
	if err != nil {
		return nil, err
	}
	out := &term{kind: termCompound, typ: t, name: name}
	constant := true
	for i, part := range elems {
		pt := partType(t, i).Freeze()
		sub, err := c.term(part, elementName(t, name, i), pt)
		if err != nil {
			return nil, elementError(e, name, t, part, err)
		}
		if sub.kind == termConst && sub.value == nil && t.Kind() != schema.KindTuple && t.Kind() != schema.KindUDT {
			if t.Kind() == schema.KindVector {
				return nil, invalid("null is not supported inside vectors")
			}
			return nil, invalid("null is not supported inside collections")
		}
		constant = constant && sub.kind == termConst
		out.elems = append(out.elems, sub)
	}
	if !constant {
		return out, nil
	}
	parts := make([][]byte, len(out.elems))
	for i, s := range out.elems {
		parts[i] = s.value
	}
	return &term{kind: termConst, typ: t, value: packCompound(t, parts), name: name}, nil
}

func compoundParts(e cql.Term, name string, t *schema.Type) ([]cql.Term, error) {
	k := t.Kind()
	switch e := e.(type) {
	case *cql.ListLiteral:
		if k == schema.KindVector {
			if len(e.Elems) != t.Dimension() {
				return nil, invalid("Invalid vector literal for %s of type %s; expected %d elements, but given %d", name, t, t.Dimension(), len(e.Elems))
			}
			return e.Elems, nil
		}
		if k != schema.KindList {
			return nil, invalid("Unexpected receiver type '%s'; only list and vector are expected", t)
		}
		return e.Elems, nil
	case *cql.SetLiteral:
		// {} is an empty map too.
		if k != schema.KindSet && (k != schema.KindMap || len(e.Elems) > 0) {
			return nil, invalid("Invalid set literal for %s of type %s", name, t)
		}
		return e.Elems, nil
	case *cql.MapLiteral:
		if k != schema.KindMap {
			return nil, invalid("Invalid map literal for %s of type %s", name, t)
		}
		parts := make([]cql.Term, 0, 2*len(e.Entries))
		for _, m := range e.Entries {
			parts = append(parts, m.Key, m.Value)
		}
		return parts, nil
	case *cql.TupleLiteral:
		return tupleParts(e, name, t)
	case *cql.UDTLiteral:
		return udtParts(e, name, t)
	}
	return nil, invalid("Invalid value for %s of type %s", name, t)
}

// unwrapped is the term between parentheses if the receiver is no tuple.
func unwrapped(e *cql.TupleLiteral, t *schema.Type) cql.Term {
	if len(e.Elems) == 1 && t.Kind() != schema.KindTuple {
		return e.Elems[0]
	}
	return nil
}

func tupleParts(e *cql.TupleLiteral, name string, t *schema.Type) ([]cql.Term, error) {
	if t.Kind() != schema.KindTuple {
		return nil, invalid("Invalid tuple type literal for %s of type %s", name, t)
	}
	if len(e.Elems) > len(t.Elems()) {
		return nil, invalid("Invalid tuple literal for %s: too many elements. Type %s expects %d but got %d",
			name, t, len(t.Elems()), len(e.Elems))
	}
	return e.Elems, nil
}

func udtParts(e *cql.UDTLiteral, name string, t *schema.Type) ([]cql.Term, error) {
	if t.Kind() != schema.KindUDT {
		return nil, invalid("Invalid user type literal for %s of type %s", name, t)
	}
	parts := make([]cql.Term, len(t.Fields()))
	used := 0
	for i, f := range t.Fields() {
		parts[i] = &cql.Literal{Kind: cql.LitNull}
		for _, given := range e.Fields {
			if given.Name.Name == f {
				parts[i] = given.Value
				used++
			}
		}
	}
	for _, given := range e.Fields {
		if used < len(e.Fields) && !contains(t.Fields(), given.Name.Name) {
			return nil, invalid("Unknown field '%s' in value of user defined type %s", given.Name.Name, t)
		}
	}
	return parts, nil
}

// elementError says of a literal which of its parts has the wrong type.
func elementError(e cql.Term, name string, t *schema.Type, part cql.Term, err error) error {
	if _, ok := part.(*cql.Literal); !ok {
		return err
	}
	kind := ""
	switch e.(type) {
	case *cql.ListLiteral:
		kind = "list"
		if t.Kind() == schema.KindVector {
			kind = "vector"
		}
	case *cql.SetLiteral:
		kind = "set"
	case *cql.MapLiteral:
		kind = "map"
	case *cql.TupleLiteral:
		i := slices.Index(e.(*cql.TupleLiteral).Elems, part)
		if l := part.(*cql.Literal); !literalFits(l.Kind, t.Elems()[i]) {
			return invalid("Invalid tuple literal for %s: component %d is not of type %s", name, i, t.Elems()[i])
		}
		return err
	default:
		return err
	}
	role, typ := elementOf(t, part, e)
	if l := part.(*cql.Literal); !literalFits(l.Kind, typ) {
		return invalid("Invalid %s literal for %s: %s %s is not of type %s", kind, name, role, part, typ)
	}
	return err
}

// elementOf says what a part of a literal is, and its type.
func elementOf(t *schema.Type, part, e cql.Term) (role string, _ *schema.Type) {
	m, ok := e.(*cql.MapLiteral)
	if !ok {
		return "value", t.Elem()
	}
	if slices.ContainsFunc(m.Entries, func(entry cql.MapEntry) bool { return entry.Key == part }) {
		return "key", t.Key()
	}
	return "value", t.Value()
}
