package plan

import (
	"encoding/binary"

	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// filter is a restriction that rows are judged by.
type filter struct {
	*restriction
	slots []int
	token bool
}

// Filter is a filter with its values. A row passes if every Filter's Match
// says so.
type Filter struct {
	f       *filter
	choices [][]byte // EQ, IN, CONTAINS: groups of len(slots)
	lo, hi  [][]byte
	key     []byte
	parts   [][]byte // scratch
}

func (f *filter) bind(b *binding, out *Filter) error {
	*out = Filter{f: f, choices: out.choices[:0], parts: out.parts[:0]}
	var err error
	if f.kind == restrictSlice {
		if f.lo != nil {
			if out.lo, err = f.lo.tuple.eval(b, f.lo.cols, nil); err != nil {
				return f.noValue(err)
			}
		}
		if f.hi != nil {
			if out.hi, err = f.hi.tuple.eval(b, f.hi.cols, nil); err != nil {
				return f.noValue(err)
			}
		}
		return nil
	}
	if f.key != nil {
		v, err := f.key.eval(b)
		if err != nil {
			return err
		}
		if v.Bytes == nil {
			return invalid("Unsupported null map key for column %s", f.first().Name)
		}
		out.key = v.Bytes
	}
	if f.kind == restrictIN && f.list == nil && !f.ofKey() {
		return f.bindList(b, out)
	}
	if out.choices, err = f.each(b, out.choices); err != nil {
		return f.noValue(err)
	}
	return nil
}

func (f *filter) ofKey() bool {
	k := f.first().Kind
	return k == schema.PartitionKey || k == schema.Clustering
}

// bindList leaves what is null or unset of a list of values of a column out: nothing is
// equal to them.
func (f *filter) bindList(b *binding, out *Filter) error {
	for i := range f.values {
		v, err := f.values[i].terms[0].eval(b)
		if err != nil {
			return err
		}
		if v.Bytes != nil {
			out.choices = append(out.choices, v.Bytes)
		}
	}
	return nil
}

// noValue words the refusal of null as Cassandra does for columns outside of
// the key.
func (f *filter) noValue(err error) error {
	if f.ofKey() {
		return err
	}
	switch err.Error() {
	case "Invalid null value in condition for column " + f.first().Name:
		if f.kind == restrictElement {
			return invalid("Unsupported null map value for column %s", f.first().Name)
		}
		return invalid("Unsupported null value for column %s", f.first().Name)
	case "Invalid unset value for column " + f.first().Name:
		return invalid("Unsupported unset value for column %s", f.first().Name)
	}
	return err
}

// Match tells whether the row passes.
func (f *Filter) Match(row Row) bool {
	if f.f.token {
		return f.matchToken(row)
	}
	f.parts = f.parts[:0]
	for _, s := range f.f.slots {
		v := row.Value(s)
		if v == nil {
			return false
		}
		f.parts = append(f.parts, v)
	}
	switch f.f.kind {
	case restrictEQ, restrictIN:
		n := len(f.f.cols)
		for i := 0; i < len(f.choices); i += n {
			if f.compare(f.choices[i:i+n]) == 0 {
				return true
			}
		}
		return false
	case restrictSlice:
		return f.within()
	}
	return f.matchElement(f.parts[0])
}

func (f *Filter) within() bool {
	if f.lo != nil {
		c := f.compare(f.lo)
		if c < 0 || c == 0 && !f.f.lo.inclusive {
			return false
		}
	}
	if f.hi != nil {
		c := f.compare(f.hi)
		if c > 0 || c == 0 && !f.f.hi.inclusive {
			return false
		}
	}
	return true
}

// compare orders the row's values against others, column by column.
func (f *Filter) compare(values [][]byte) int {
	for i, v := range values {
		if c := f.f.cols[i].Type.Compare(f.parts[i], v); c != 0 {
			return c
		}
	}
	return 0
}

func (f *Filter) matchElement(value []byte) bool {
	t := f.f.first().Type
	want := f.choices[0]
	if f.f.kind == restrictElement {
		v := elementAt(t, value, f.key)
		return v != nil && t.Value().Compare(v, want) == 0
	}
	it := t.Elements(value)
	isMap, wantKey := t.Kind() == schema.KindMap, f.f.kind == restrictContainsKey
	for p, ok := it.Next(); ok; p, ok = it.Next() {
		elem := it.Type()
		if isMap {
			v, _ := it.Next()
			if !wantKey {
				p, elem = v, it.Type()
			}
		}
		if p != nil && elem.Compare(p, want) == 0 {
			return true
		}
	}
	return false
}

func (f *Filter) matchToken(row Row) bool {
	v := binary.BigEndian.AppendUint64(nil, uint64(row.Token()))
	f.parts = append(f.parts[:0], v)
	big := schema.TypeBigint
	switch {
	case f.f.kind == restrictEQ:
		return string(v) == string(f.choices[0])
	case f.lo != nil && (big.Compare(v, f.lo[0]) < 0 || big.Compare(v, f.lo[0]) == 0 && !f.f.lo.inclusive):
		return false
	case f.hi != nil && (big.Compare(v, f.hi[0]) > 0 || big.Compare(v, f.hi[0]) == 0 && !f.f.hi.inclusive):
		return false
	}
	return true
}

// wire is the filter as replicas may apply it, if it can be said so.
func (f *Filter) wire() (out []mutation.Filter) {
	if f.f.token || len(f.f.cols) != 1 {
		return nil
	}
	id := f.f.first().ID
	one := func(op mutation.FilterOp, v []byte) {
		out = append(out, mutation.Filter{Column: id, Op: op, Key: f.key, Value: v})
	}
	switch f.f.kind {
	case restrictEQ:
		one(mutation.FilterEQ, f.choices[0])
	case restrictIN:
		one(mutation.FilterIn, schema.ListOf(f.f.first().Type, true).AppendElements(nil, f.choices))
	case restrictContains:
		one(mutation.FilterContains, f.choices[0])
	case restrictContainsKey:
		one(mutation.FilterContainsKey, f.choices[0])
	case restrictElement:
		one(mutation.FilterElement, f.choices[0])
	case restrictSlice:
		if f.lo != nil {
			one(choose(f.f.lo.inclusive, mutation.FilterGE, mutation.FilterGT), f.lo[0])
		}
		if f.hi != nil {
			one(choose(f.f.hi.inclusive, mutation.FilterLE, mutation.FilterLT), f.hi[0])
		}
	}
	return out
}

func choose[T any](cond bool, a, b T) T {
	if cond {
		return a
	}
	return b
}

// tokenRange turns conditions on the token into a range of partitions. ok is
// false if it is empty.
func tokenRange(b *binding, r *restriction) (out mutation.PartitionRange, ok bool, err error) {
	value := func(t *tupleTerm) (ring.Token, error) {
		v, err := t.eval(b, r.cols[:1], nil)
		if err != nil {
			return 0, err
		}
		if len(v[0]) != 8 {
			return 0, invalid("Invalid null token value")
		}
		return ring.Token(binary.BigEndian.Uint64(v[0])), nil
	}
	if r.kind == restrictEQ {
		t, err := value(&r.values[0])
		out.Start = &mutation.PartitionBound{Token: t}
		out.End = &mutation.PartitionBound{Token: t, After: true}
		return out, true, err
	}
	if r.lo != nil {
		t, err := value(&r.lo.tuple)
		if err != nil {
			return out, false, err
		}
		out.Start = &mutation.PartitionBound{Token: t, After: !r.lo.inclusive}
	}
	if r.hi != nil {
		t, err := value(&r.hi.tuple)
		if err != nil {
			return out, false, err
		}
		// As an end the smallest token means the end of the ring.
		if t != ring.MinToken {
			out.End = &mutation.PartitionBound{Token: t, After: r.hi.inclusive}
		}
	}
	if out.Start != nil && out.End != nil {
		s, e := out.Start, out.End
		ok = s.Token < e.Token || s.Token == e.Token && !s.After && e.After
		return out, ok, nil
	}
	return out, true, nil
}
