package plan

import (
	"slices"

	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/schema"
)

// tupleTerm yields one value for each of several columns: from a term each, or
// from one term that is a tuple.
type tupleTerm struct {
	terms []*term
	whole *term
}

// bound is one end of a slice.
type bound struct {
	cols      []*schema.Column // a prefix of the restriction's
	tuple     tupleTerm
	inclusive bool
}

type restrictionKind uint8

const (
	restrictEQ restrictionKind = iota
	restrictIN
	restrictSlice
	restrictContains
	restrictContainsKey
	restrictElement
)

// restriction is what a WHERE clause says of one column, or of several
// clustering columns that follow each other. All relations on a column that
// can be one are merged into one.
type restriction struct {
	kind   restrictionKind
	cols   []*schema.Column
	multi  bool        // written as a tuple
	values []tupleTerm // EQ: one; IN: the list; CONTAINS and the like: one
	list   *term       // IN ?
	lo, hi *bound      // slice
	key    *term       // restrictElement
	text   string
}

func (r *restriction) first() *schema.Column { return r.cols[0] }

// restrictions are a whole WHERE clause, by kind of column.
type restrictions struct {
	partition  []*restriction // one per column of the key at most, in key order
	clustering []*restriction // by position of the first column
	other      []*restriction // static and regular
	token      *restriction
}

// where analyses a WHERE clause.
func (c *compiler) where(rels []cql.Relation, filtering bool) (*restrictions, error) {
	out := &restrictions{}
	for i := range rels {
		rs, err := c.relation(&rels[i])
		if err != nil {
			return nil, err
		}
		for _, r := range rs {
			if err := out.add(r, rels[i].Kind == cql.RelToken, filtering); err != nil {
				return nil, err
			}
		}
	}
	byPosition := func(a, b *restriction) int { return a.first().Position - b.first().Position }
	slices.SortStableFunc(out.partition, byPosition)
	slices.SortStableFunc(out.clustering, byPosition)
	return out, nil
}

// add puts r to the restrictions on the same columns.
func (rs *restrictions) add(r *restriction, onToken, filtering bool) error {
	if onToken {
		if rs.token == nil {
			rs.token = r
			return nil
		}
		return rs.token.merge(r)
	}
	list := &rs.other
	switch r.first().Kind {
	case schema.PartitionKey:
		list = &rs.partition
	case schema.Clustering:
		list = &rs.clustering
	}
	for _, have := range *list {
		if slices.Equal(have.cols, r.cols) {
			return rs.addSame(list, have, r)
		}
		if have.kind == restrictSlice && r.kind == restrictSlice && have.first() == r.first() {
			return have.merge(r)
		}
		for _, col := range r.cols {
			if slices.Contains(have.cols, col) {
				return overlapping(have, r, col)
			}
		}
	}
	if r.first().Kind == schema.Clustering && !filtering {
		if err := rs.checkAfterSlice(r); err != nil {
			return err
		}
	}
	*list = append(*list, r)
	return nil
}

// addSame joins two restrictions on the same columns.
func (rs *restrictions) addSame(list *[]*restriction, have, r *restriction) error {
	if have.kind >= restrictContains || r.kind >= restrictContains {
		if have.kind >= restrictContains && r.kind >= restrictContains {
			// Conditions on a collection's elements add up.
			*list = append(*list, r)
			return nil
		}
		return invalid("Collection column %s can only be restricted by CONTAINS, CONTAINS KEY, or map-entry equality", have.first().Name)
	}
	return have.merge(r)
}

func overlapping(have, r *restriction, col *schema.Column) error {
	if have.kind == restrictEQ || r.kind == restrictEQ {
		return invalid("%s cannot be restricted by more than one relation if it includes an Equal", schema.QuoteName(col.Name))
	}
	if have.kind == restrictIN || r.kind == restrictIN {
		return invalid("%s cannot be restricted by more than one relation if it includes a IN", schema.QuoteName(col.Name))
	}
	return invalid("Column \"%s\" cannot be restricted by two inequalities not starting with the same column", col.Name)
}

// checkAfterSlice refuses to restrict clustering columns around a slice.
func (rs *restrictions) checkAfterSlice(r *restriction) error {
	if len(rs.clustering) == 0 {
		return nil
	}
	last := slices.MaxFunc(rs.clustering, func(a, b *restriction) int { return a.first().Position - b.first().Position })
	if last.kind == restrictSlice && r.first().Position > last.first().Position {
		return invalid("Clustering column \"%s\" cannot be restricted (preceding column \"%s\" is restricted by a non-EQ relation)",
			r.first().Name, last.first().Name)
	}
	if r.kind == restrictSlice && r.first().Position < last.first().Position {
		return invalid("PRIMARY KEY column \"%s\" cannot be restricted (preceding column \"%s\" is restricted by a non-EQ relation)",
			last.first().Name, r.first().Name)
	}
	return nil
}

// merge joins two slices on the same columns.
func (r *restriction) merge(o *restriction) error {
	name := columnNames(r.cols)
	switch {
	case r.kind == restrictEQ:
		return invalid("%s cannot be restricted by more than one relation if it includes an Equal", name)
	case r.kind == restrictIN:
		return invalid("%s cannot be restricted by more than one relation if it includes a IN", name)
	case o.kind != restrictSlice:
		return invalid("Column \"%s\" cannot be restricted by both an equality and an inequality relation", name)
	case r.lo != nil && o.lo != nil:
		return invalid("More than one restriction was found for the start bound on %s", name)
	case r.hi != nil && o.hi != nil:
		return invalid("More than one restriction was found for the end bound on %s", name)
	}
	if o.lo != nil {
		r.lo = o.lo
	} else {
		r.hi = o.hi
	}
	if len(o.cols) > len(r.cols) {
		r.cols = o.cols
	}
	return nil
}
