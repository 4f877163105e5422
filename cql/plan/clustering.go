package plan

import (
	"bytes"
	"slices"

	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/schema"
)

// maxProduct bounds how many keys or clusterings the IN lists of several
// columns may multiply to.
const maxProduct = 100

// eval appends one value per column of r to dst. The columns are of a primary
// key: null, unset and (when it names a whole key) empty values are refused.
func (t *tupleTerm) eval(b *binding, cols []*schema.Column, dst [][]byte) ([][]byte, error) {
	if t.whole != nil {
		return t.evalWhole(b, cols, dst)
	}
	for i, s := range t.terms {
		v, err := s.eval(b)
		if err != nil {
			return dst, err
		}
		if v.Bytes == nil {
			return dst, noValue(v, cols[i])
		}
		dst = append(dst, v.Bytes)
	}
	return dst, nil
}

func noValue(v Value, col *schema.Column) error {
	if v.Unset {
		return invalid("Invalid unset value for column %s", col.Name)
	}
	return invalid("Invalid null value in condition for column %s", col.Name)
}

func (t *tupleTerm) evalWhole(b *binding, cols []*schema.Column, dst [][]byte) ([][]byte, error) {
	v, err := t.whole.eval(b)
	if err != nil {
		return dst, err
	}
	if v.Bytes == nil {
		return dst, noValue(v, cols[0])
	}
	return splitTuple(t.whole.typ, v.Bytes, cols, dst)
}

func splitTuple(t *schema.Type, value []byte, cols []*schema.Column, dst [][]byte) ([][]byte, error) {
	it := t.Elements(value)
	for i := range cols {
		p, ok := it.Next()
		if !ok || p == nil {
			return dst, invalid("Invalid null value in condition for column %s", cols[i].Name)
		}
		dst = append(dst, p)
	}
	return dst, nil
}

// each appends the values that an EQ or IN allows, len(r.cols) after another
// per choice.
func (r *restriction) each(b *binding, dst [][]byte) ([][]byte, error) {
	if r.list == nil {
		for i := range r.values {
			var err error
			if dst, err = r.values[i].eval(b, r.cols, dst); err != nil {
				return dst, err
			}
		}
		return dst, nil
	}
	v, err := r.list.eval(b)
	if err != nil {
		return dst, err
	}
	if v.Unset {
		return dst, noValue(v, r.first())
	}
	if v.Bytes == nil {
		return dst, invalid("Invalid null value for column %s", r.first().Name)
	}
	t := r.list.typ
	it := t.Elements(v.Bytes)
	for p, ok := it.Next(); ok; p, ok = it.Next() {
		if p == nil {
			return dst, invalid("Invalid null value in condition for column %s", r.first().Name)
		}
		if !r.multi {
			dst = append(dst, p)
			continue
		}
		if dst, err = splitTuple(t.Elem(), p, r.cols, dst); err != nil {
			return dst, err
		}
	}
	return dst, it.Err()
}

// clusterings computes what the clustering restrictions select.
type clusterings struct {
	rs   []*restriction // a prefix of the clustering columns, contiguous
	cols []*schema.Column
}

// prefixes yields the encoded prefixes that the leading EQ and IN restrictions
// allow, how many columns they cover, and the slice that follows, if any.
func (cl *clusterings) prefixes(b *binding) (prefixes [][]byte, n int, slice *restriction, err error) {
	prefixes = [][]byte{nil}
	several := 0
	for _, r := range cl.rs {
		if r.kind == restrictSlice {
			return prefixes, n, r, nil
		}
		values, err := r.each(b, nil)
		if err != nil {
			return nil, 0, nil, err
		}
		if len(values) > len(r.cols) {
			several++
		}
		if prefixes, err = extend(prefixes, r.cols, values, several > 1); err != nil {
			return nil, 0, nil, err
		}
		if len(prefixes) > 1 {
			// A row that is named twice is written once: a list would get its
			// elements twice.
			slices.SortFunc(prefixes, bytes.Compare)
			prefixes = slices.CompactFunc(prefixes, bytes.Equal)
		}
		n += len(r.cols)
	}
	return prefixes, n, nil, nil
}

// extend appends every choice of values to every prefix.
func extend(prefixes [][]byte, cols []*schema.Column, values [][]byte, limited bool) ([][]byte, error) {
	choices := len(values) / len(cols)
	if limited && len(prefixes)*choices > maxProduct {
		return nil, errProduct(len(prefixes)*choices, "clustering columns")
	}
	out := make([][]byte, 0, len(prefixes)*choices)
	for _, p := range prefixes {
		for i := range choices {
			e := slices.Clone(p)
			for j, col := range cols {
				var err error
				if e, err = col.Type.AppendComparable(e, values[i*len(cols)+j], col.Desc); err != nil {
					return nil, wrap(err)
				}
			}
			if len(e) > mutation.MaxKeyLen {
				return nil, errClusteringLength(len(e))
			}
			out = append(out, e)
		}
	}
	return out, nil
}

func errProduct(n int, what string) error {
	return invalid("The cartesian product of the IN restrictions on %s produces %d values, this exceeds fail threshold of %d.", what, n, maxProduct)
}

func errClusteringLength(n int) error {
	return invalid("Key length of %d is longer than maximum of %d", n, mutation.MaxKeyLen)
}

// slices computes the ranges selected, ascending and disjoint. An empty result
// selects nothing; a single Slice without bounds everything.
func (cl *clusterings) slices(b *binding) ([]mutation.Slice, error) {
	prefixes, n, last, err := cl.prefixes(b)
	if err != nil {
		return nil, err
	}
	var out []mutation.Slice
	for _, p := range prefixes {
		if last == nil {
			out = append(out, mutation.Slice{Lo: schema.BoundBefore(p), Hi: schema.BoundAfter(p)})
			continue
		}
		ranges, err := last.ranges(b, p)
		if err != nil {
			return nil, err
		}
		out = append(out, ranges...)
	}
	if last == nil && n == len(cl.cols) && len(out) == 1 {
		return out, nil
	}
	return normalizeSlices(out), nil
}

// isSpan tells whether slices has at most one result: all restrictions but the
// last name one value, and that one bounds one column.
func (cl *clusterings) isSpan() bool {
	n := len(cl.rs) - 1
	last := cl.rs[n]
	if last.kind != restrictSlice || len(last.cols) != 1 {
		return false
	}
	for _, r := range cl.rs[:n] {
		if r.kind != restrictEQ || r.list != nil {
			return false
		}
	}
	return true
}

// span is slices where isSpan says so, appended to lo and hi: the range is empty
// if hi is not and not above lo. It uses values and allocates nothing.
func (cl *clusterings) span(b *binding, lo, hi []byte, values *[][]byte) (_, _ []byte, err error) {
	n := len(cl.rs) - 1
	for _, r := range cl.rs[:n] {
		if *values, err = r.each(b, (*values)[:0]); err != nil {
			return lo, hi, err
		}
		for i, col := range r.cols {
			if lo, err = col.Type.AppendComparable(lo, (*values)[i], col.Desc); err != nil {
				return lo, hi, wrap(err)
			}
		}
		if len(lo) > mutation.MaxKeyLen {
			return lo, hi, errClusteringLength(len(lo))
		}
	}
	hi = append(hi, lo...)
	last, loSet, hiSet := cl.rs[n], len(lo) == 0, len(hi) == 0
	col := last.cols[0]
	for i, end := range [2]*bound{last.lo, last.hi} {
		if end == nil {
			continue
		}
		if *values, err = end.tuple.eval(b, end.cols, (*values)[:0]); err != nil {
			return lo, hi, err
		}
		// In storage order a descending column turns above into below.
		if above := i == 0; above != col.Desc {
			lo, err = col.Type.AppendComparable(lo, (*values)[0], col.Desc)
			if err == nil {
				schema.SetBound(lo, !end.inclusive)
			}
			loSet = true
		} else {
			hi, err = col.Type.AppendComparable(hi, (*values)[0], col.Desc)
			if err == nil {
				schema.SetBound(hi, end.inclusive)
			}
			hiSet = true
		}
		if err != nil {
			return lo, hi, wrap(err)
		}
	}
	if !loSet {
		schema.SetBound(lo, false)
	}
	if !hiSet {
		schema.SetBound(hi, true)
	}
	return lo, hi, nil
}

// normalizeSlices sorts, drops empty ranges and joins those that touch.
func normalizeSlices(in []mutation.Slice) []mutation.Slice {
	slices.SortFunc(in, func(a, b mutation.Slice) int { return bytes.Compare(a.Lo, b.Lo) })
	out := in[:0]
	for _, s := range in {
		if len(s.Hi) > 0 && bytes.Compare(s.Lo, s.Hi) >= 0 {
			continue
		}
		if n := len(out); n > 0 && (len(out[n-1].Hi) == 0 || bytes.Compare(s.Lo, out[n-1].Hi) <= 0) {
			if len(out[n-1].Hi) > 0 && (len(s.Hi) == 0 || bytes.Compare(s.Hi, out[n-1].Hi) > 0) {
				out[n-1].Hi = s.Hi
			}
			continue
		}
		out = append(out, s)
	}
	return out
}

// ranges computes what a slice selects below a prefix.
func (r *restriction) ranges(b *binding, prefix []byte) ([]mutation.Slice, error) {
	lower := []mutation.Slice{{Lo: schema.BoundBefore(prefix), Hi: schema.BoundAfter(prefix)}}
	upper := lower
	var err error
	if r.lo != nil {
		if lower, err = r.half(b, prefix, r.lo, true); err != nil {
			return nil, err
		}
	}
	if r.hi != nil {
		if upper, err = r.half(b, prefix, r.hi, false); err != nil {
			return nil, err
		}
	}
	return intersect(lower, upper), nil
}

// half computes the ranges above (or below) a bound of one or more columns. With
// columns of mixed order these are several: (a, b) > (1, 2) is a = 1 with
// b > 2, and a > 1.
func (r *restriction) half(b *binding, prefix []byte, end *bound, above bool) ([]mutation.Slice, error) {
	values, err := end.tuple.eval(b, end.cols, nil)
	if err != nil {
		return nil, err
	}
	var out []mutation.Slice
	p := slices.Clone(prefix)
	for i, col := range end.cols {
		lo, hi := schema.BoundBefore(p), schema.BoundAfter(p)
		if p, err = col.Type.AppendComparable(p, values[i], col.Desc); err != nil {
			return nil, wrap(err)
		}
		inclusive := end.inclusive && i == len(end.cols)-1
		// In storage order a descending column turns above into below.
		if above != col.Desc {
			lo = schema.BoundAfter(p)
			if inclusive {
				lo = schema.BoundBefore(p)
			}
		} else {
			hi = schema.BoundBefore(p)
			if inclusive {
				hi = schema.BoundAfter(p)
			}
		}
		out = append(out, mutation.Slice{Lo: lo, Hi: hi})
	}
	return normalizeSlices(out), nil
}

// intersect joins two ascending disjoint lists.
func intersect(a, b []mutation.Slice) []mutation.Slice {
	var out []mutation.Slice
	for i, j := 0, 0; i < len(a) && j < len(b); {
		s := mutation.Slice{Lo: a[i].Lo, Hi: a[i].Hi}
		if bytes.Compare(b[j].Lo, s.Lo) > 0 {
			s.Lo = b[j].Lo
		}
		if len(s.Hi) == 0 || len(b[j].Hi) > 0 && bytes.Compare(b[j].Hi, s.Hi) < 0 {
			s.Hi = b[j].Hi
		}
		if len(s.Hi) == 0 || bytes.Compare(s.Lo, s.Hi) < 0 {
			out = append(out, s)
		}
		if len(a[i].Hi) == 0 || len(b[j].Hi) > 0 && bytes.Compare(b[j].Hi, a[i].Hi) < 0 {
			j++
		} else {
			i++
		}
	}
	return out
}
