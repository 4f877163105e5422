package plan

import (
	"slices"
	"strings"

	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/schema"
)

// relation compiles one condition.
func (c *compiler) relation(rel *cql.Relation) ([]*restriction, error) {
	switch rel.Kind {
	case cql.RelIndexExpr:
		return nil, unsupported("A custom index expression")
	case cql.RelToken:
		return c.tokenRelation(rel)
	case cql.RelTuple:
		return c.tupleRelation(rel)
	}
	col := c.table.Column(rel.Columns[0].Name)
	if col == nil {
		return nil, errUndefinedColumn(rel.Columns[0].Name, c.table)
	}
	if rel.Kind == cql.RelElement {
		return c.elementRelation(rel, col)
	}
	return c.columnRelation(rel, col)
}

func (c *compiler) columnRelation(rel *cql.Relation, col *schema.Column) ([]*restriction, error) {
	r := &restriction{cols: []*schema.Column{col}, text: relationText(rel)}
	if err := checkOperator(rel, col, r.text); err != nil {
		return nil, err
	}
	one := func(t *term, err error) ([]*restriction, error) {
		r.values = []tupleTerm{{terms: []*term{t}}}
		return []*restriction{r}, err
	}
	switch rel.Op {
	case cql.OpEq:
		return one(c.term(rel.Value, col.Name, col.Type))
	case cql.OpContains:
		r.kind = restrictContains
		t := col.Type.Elem()
		if col.Type.Kind() == schema.KindMap {
			t = col.Type.Value()
		}
		return one(c.term(rel.Value, "value("+col.Name+")", t.Freeze()))
	case cql.OpContainsKey:
		r.kind = restrictContainsKey
		return one(c.term(rel.Value, "key("+col.Name+")", col.Type.Key().Freeze()))
	case cql.OpIn:
		r.kind = restrictIN
		if !rel.InList {
			m, ok := rel.Value.(*cql.BindMarker)
			if !ok {
				return nil, invalid("Invalid IN value for %s", col.Name)
			}
			r.list = c.bind(m, "in("+col.Name+")", schema.ListOf(col.Type, true))
			return []*restriction{r}, nil
		}
		for _, v := range rel.Values {
			t, err := c.term(v, col.Name, col.Type)
			if err != nil {
				return nil, err
			}
			r.values = append(r.values, tupleTerm{terms: []*term{t}})
		}
		if len(r.values) == 1 {
			r.kind = restrictEQ // as Cassandra has it, in messages too
		}
		return []*restriction{r}, nil
	}
	t, err := c.term(rel.Value, col.Name, col.Type)
	if err != nil {
		return nil, err
	}
	r.setSlice(rel.Op, tupleTerm{terms: []*term{t}})
	return []*restriction{r}, nil
}

func (r *restriction) setSlice(op cql.Operator, t tupleTerm) {
	r.kind = restrictSlice
	b := &bound{cols: r.cols, tuple: t, inclusive: op == cql.OpGe || op == cql.OpLe}
	if op == cql.OpGt || op == cql.OpGe {
		r.lo = b
	} else {
		r.hi = b
	}
}

// relationText is a condition as messages show it.
func relationText(rel *cql.Relation) string {
	left := ""
	for i, c := range rel.Columns {
		if i > 0 {
			left += ", "
		}
		left += schema.QuoteName(c.Name)
	}
	switch rel.Kind {
	case cql.RelTuple:
		left = "(" + left + ")"
	case cql.RelToken:
		left = "token(" + left + ")"
	case cql.RelElement:
		left += "[" + rel.Key.String() + "]"
	}
	right := ""
	switch {
	case rel.InList:
		right = "("
		for i, v := range rel.Values {
			if i > 0 {
				right += ", "
			}
			right += v.String()
		}
		right += ")"
	case rel.Value != nil:
		right = rel.Value.String()
	}
	if right == "" {
		return left + " " + rel.Op.String()
	}
	return left + " " + rel.Op.String() + " " + right
}

func errNotEqual(text string) error { return invalid("Unsupported \"!=\" relation: %s", text) }

// checkOperator refuses operators that the column or this version cannot do.
func checkOperator(rel *cql.Relation, col *schema.Column, text string) error {
	t := col.Type
	switch rel.Op {
	case cql.OpNe:
		return errNotEqual(text)
	case cql.OpIsNotNull:
		return invalid("Unsupported restriction: %s", text)
	case cql.OpLike:
		return invalid("LIKE restriction is only supported on properly indexed columns. %s is not valid.", text)
	case cql.OpIsNull, cql.OpNotIn, cql.OpBetween, cql.OpNotBetween, cql.OpNotContains, cql.OpNotContainsKey:
		return unsupported(rel.Op.String() + " in a WHERE clause")
	case cql.OpContains:
		if !t.IsCollection() {
			return invalid("Cannot use CONTAINS on non-collection column %s", schema.QuoteName(col.Name))
		}
		return nil
	case cql.OpContainsKey:
		if t.Kind() != schema.KindMap {
			return invalid("Cannot use CONTAINS KEY on non-map column %s", schema.QuoteName(col.Name))
		}
		return nil
	case cql.OpLt, cql.OpLe, cql.OpGt, cql.OpGe:
		if t.ContainsDuration() {
			switch {
			case t.Kind() == schema.KindDuration:
				return invalid("Slice restrictions are not supported on duration columns")
			case t.IsCollection():
				return invalid("Slice restrictions are not supported on collections containing durations")
			case t.Kind() == schema.KindTuple:
				return invalid("Slice restrictions are not supported on tuples containing durations")
			}
			return invalid("Slice restrictions are not supported on UDTs containing durations")
		}
	}
	if t.IsMultiCell() && !t.IsCollection() {
		return invalid("Non-frozen UDT column '%s' (%s) cannot be restricted by any relation", schema.QuoteName(col.Name), t)
	}
	if t.IsMultiCell() {
		return invalid("Collection column '%s' (%s) cannot be restricted by a '%s' relation", schema.QuoteName(col.Name), t, rel.Op)
	}
	return nil
}

// elementRelation compiles m[k] = v.
func (c *compiler) elementRelation(rel *cql.Relation, col *schema.Column) ([]*restriction, error) {
	t := col.Type
	switch {
	case t.Kind() == schema.KindList:
		return nil, invalid("Indexes on list entries (%s[index] = value) are not currently supported.", schema.QuoteName(col.Name))
	case t.Kind() != schema.KindMap:
		return nil, invalid("Column %s cannot be used as a map", schema.QuoteName(col.Name))
	case !t.IsMultiCell():
		return nil, invalid("Map-entry equality predicates on frozen map column %s are not supported", schema.QuoteName(col.Name))
	case rel.Op != cql.OpEq:
		return nil, invalid("Only EQ relations are supported on map entries")
	}
	key, err := c.term(rel.Key, "key("+col.Name+")", t.Key().Freeze())
	if err != nil {
		return nil, err
	}
	v, err := c.term(rel.Value, "value("+col.Name+")", t.Value().Freeze())
	if err != nil {
		return nil, err
	}
	return []*restriction{{kind: restrictElement, cols: []*schema.Column{col}, key: key,
		values: []tupleTerm{{terms: []*term{v}}}, text: relationText(rel)}}, nil
}

// tokenRelation compiles a condition on token(partition key).
func (c *compiler) tokenRelation(rel *cql.Relation) ([]*restriction, error) {
	r := &restriction{text: relationText(rel)}
	for _, id := range rel.Columns {
		col := c.table.Column(id.Name)
		if col == nil {
			return nil, errUndefinedColumn(id.Name, c.table)
		}
		r.cols = append(r.cols, col)
	}
	if !slices.Equal(r.cols, c.table.PartitionKey) {
		for _, col := range c.table.PartitionKey {
			if !slices.Contains(r.cols, col) {
				return nil, invalid("The token() function must be applied to all partition key components or none of them")
			}
		}
		if slices.ContainsFunc(r.cols, func(col *schema.Column) bool { return col.Kind != schema.PartitionKey }) {
			return nil, invalid("The token() function must contains only partition key components")
		}
		return nil, invalid("The token function arguments must be in the partition key order: %s", columnNames(c.table.PartitionKey))
	}
	switch rel.Op {
	case cql.OpEq, cql.OpLt, cql.OpLe, cql.OpGt, cql.OpGe:
	default:
		if rel.Op != cql.OpNe {
			return nil, native.Syntax("%s cannot be used with the token function", rel.Op)
		}
		return nil, errNotEqual(r.text)
	}
	t, err := c.term(rel.Value, "partition key token", schema.TypeBigint)
	if err != nil {
		return nil, err
	}
	tt := tupleTerm{terms: []*term{t}}
	if rel.Op == cql.OpEq {
		r.values = []tupleTerm{tt}
	} else {
		r.setSlice(rel.Op, tt)
		for _, b := range []*bound{r.lo, r.hi} {
			if b != nil {
				b.cols = r.cols[:1]
			}
		}
	}
	return []*restriction{r}, nil
}

// tupleRelation compiles (a, b) op ... on clustering columns.
func (c *compiler) tupleRelation(rel *cql.Relation) ([]*restriction, error) {
	r := &restriction{multi: true, text: relationText(rel)}
	types := make([]*schema.Type, 0, len(rel.Columns))
	for _, id := range rel.Columns {
		col := c.table.Column(id.Name)
		switch {
		case col == nil:
			return nil, errUndefinedColumn(id.Name, c.table)
		case col.Kind != schema.Clustering:
			return nil, invalid("Multi-column relations can only be applied to clustering columns but was applied to: %s", schema.QuoteName(col.Name))
		case slices.Contains(r.cols, col):
			return nil, invalid("Column \"%s\" appeared twice in a relation: %s", col.Name, r.text)
		case len(r.cols) > 0 && col.Position != r.cols[len(r.cols)-1].Position+1:
			return nil, invalid("Clustering columns must appear in the PRIMARY KEY order in multi-column relations: %s", r.text)
		}
		r.cols = append(r.cols, col)
		types = append(types, col.Type)
	}
	switch rel.Op {
	case cql.OpEq, cql.OpLt, cql.OpLe, cql.OpGt, cql.OpGe:
		t, err := c.tupleValue(rel.Value, r, types)
		if err != nil {
			return nil, err
		}
		if rel.Op == cql.OpEq {
			r.values = []tupleTerm{t}
		} else {
			r.setSlice(rel.Op, t)
		}
		return []*restriction{r}, nil
	case cql.OpIn:
	case cql.OpNe:
		return nil, errNotEqual(r.text)
	default:
		return nil, invalid("%s cannot be used for multi-column relations", rel.Op)
	}
	r.kind = restrictIN
	if !rel.InList {
		m, ok := rel.Value.(*cql.BindMarker)
		if !ok {
			return nil, invalid("Invalid IN value in %s", r.text)
		}
		r.list = c.bind(m, "in"+markerName(r.cols), schema.ListOf(schema.TupleOf(types...), true))
		return []*restriction{r}, nil
	}
	for _, v := range rel.Values {
		t, err := c.tupleValue(v, r, types)
		if err != nil {
			return nil, err
		}
		r.values = append(r.values, t)
	}
	if len(r.values) == 1 {
		r.kind = restrictEQ
	}
	return []*restriction{r}, nil
}

// markerName is the name of a marker for values of several columns.
func markerName(cols []*schema.Column) string {
	names := make([]string, len(cols))
	for i, col := range cols {
		names[i] = col.Name
	}
	return "(" + strings.Join(names, ",") + ")"
}

func (c *compiler) tupleValue(v cql.Term, r *restriction, types []*schema.Type) (tupleTerm, error) {
	switch v := v.(type) {
	case *cql.BindMarker:
		return tupleTerm{whole: c.bind(v, markerName(r.cols), schema.TupleOf(types...))}, nil
	case *cql.TupleLiteral:
		if len(v.Elems) != len(types) {
			return tupleTerm{}, invalid("Expected %d elements in value tuple, but got %d: %s", len(types), len(v.Elems), v)
		}
		var out tupleTerm
		for i, e := range v.Elems {
			t, err := c.term(e, r.cols[i].Name, types[i])
			if err != nil {
				return out, err
			}
			out.terms = append(out.terms, t)
		}
		return out, nil
	}
	return tupleTerm{}, invalid("Invalid tuple value %s in %s", v, r.text)
}
