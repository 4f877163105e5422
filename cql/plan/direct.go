package plan

import (
	"math"

	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// directKey has the markers of a whole primary key.
type directKey struct {
	partition, clustering []*term
	cols                  []*schema.Column // of clustering
}

// directWrite is a modification that does nothing but set columns of one row to
// values that are bound as they are.
type directWrite struct {
	key   directKey
	cells []directCell // ascending by column
}

type directCell struct {
	column schema.ColumnID
	value  *term
}

// Direct is the scratch of executing plain statements about one row by their
// values alone. It belongs to one goroutine at a time.
type Direct struct {
	cells      []mutation.PlainCell
	parts      [][]byte
	key        []byte
	clustering []byte
}

// asBound tells whether the value of a term is what the client binds, once it is
// validated.
func (t *term) asBound() bool { return t.kind == termBind && !needsSorting(t.typ) }

// bound is the value of a term that is asBound; false if it is none.
func (t *term) bound(values []Value) ([]byte, bool) {
	v := values[t.index].Bytes
	return v, v != nil && t.typ.Validate(v) == nil
}

// newDirectKey is false unless each column of the primary key has a marker.
func newDirectKey(t *schema.Table, partition, clustering []*term) (k directKey, ok bool) {
	if len(partition) != len(t.PartitionKey) || len(clustering) != len(t.Clustering) {
		return k, false
	}
	for _, list := range [][]*term{partition, clustering} {
		for _, x := range list {
			if !x.asBound() {
				return k, false
			}
		}
	}
	return directKey{partition: partition, clustering: clustering, cols: t.Clustering}, true
}

// row finds the key that values name, in d or aliasing them; false if Bind has to
// judge them.
func (k *directKey) row(d *Direct, values []Value) (key []byte, ok bool) {
	if len(k.partition) == 1 {
		key, ok = k.partition[0].bound(values)
		if !ok || len(key) == 0 || len(key) > mutation.MaxKeyLen {
			return nil, false
		}
	} else {
		d.parts = d.parts[:0]
		for _, t := range k.partition {
			v, ok := t.bound(values)
			if !ok {
				return nil, false
			}
			d.parts = append(d.parts, v)
		}
		var err error
		if key, err = schema.AppendPartitionKey(d.key[:0], d.parts); err != nil {
			return nil, false
		}
		d.key = key
	}
	d.clustering = d.clustering[:0]
	for i, t := range k.clustering {
		v, ok := t.bound(values)
		if !ok {
			return nil, false
		}
		var err error
		if d.clustering, err = k.cols[i].Type.AppendComparable(d.clustering, v, k.cols[i].Desc); err != nil {
			return nil, false
		}
	}
	return key, len(d.clustering) <= mutation.MaxKeyLen
}

// findDirect finds out whether the modification is a directWrite.
func (m *Modification) findDirect() {
	if len(m.static) > 0 || m.deleteRows || m.needsRead || m.lossy || m.ttl != nil || m.timestamp != nil || m.Table.Options.DefaultTTL != 0 {
		return
	}
	k, ok := newDirectKey(m.Table, m.key, m.full)
	if !ok {
		return
	}
	w := &directWrite{key: k}
	for i := range m.row {
		o := &m.row[i]
		if o.kind != opSet || o.col.Type.IsMultiCell() || !o.value.asBound() {
			return
		}
		w.cells = append(w.cells, directCell{o.col.ID, o.value})
	}
	m.direct = w
}

// Direct tells whether AppendDirect may be tried.
func (m *Modification) Direct() bool { return m.direct != nil }

// AppendDirect appends the record that Bind would make of the values, for less;
// false if they are none that this can be done for, and Bind has to judge them.
// There must be as many as markers. o is as for Bind; it asks stamp for the
// clock of writes that bring no time.
func (m *Modification) AppendDirect(d *Direct, dst []byte, values []Value, o *Options, stamp func() int64) ([]byte, bool) {
	w := m.direct
	key, ok := w.key.row(d, values)
	if !ok {
		return dst, false
	}
	d.cells = d.cells[:0]
	for i := range w.cells {
		c := &w.cells[i]
		v, ok := c.value.bound(values)
		if !ok {
			if values[c.value.index].Unset {
				continue
			}
			return dst, false // null, or not valid
		}
		d.cells = append(d.cells, mutation.PlainCell{Column: c.column, Value: v})
	}
	if !m.marker && len(d.cells) == 0 {
		return dst, false
	}
	h := mutation.Header{
		Table: m.Table.ID, Epoch: m.epoch, Timestamp: o.Timestamp, Token: ring.Murmur3(key), Key: key, Coordinator: o.Coordinator,
	}
	if !o.HasTimestamp {
		h.Timestamp, h.Optional = stamp(), mutation.FlagServerStamped
	} else if h.Timestamp == math.MinInt64 {
		return dst, false
	}
	return mutation.AppendPlain(dst, &h, d.clustering, m.marker, d.cells), true
}

// findDirect finds out whether the statement reads plain columns of one row.
func (s *Select) findDirect() {
	if s.Table.Virtual || s.Plain == nil || s.Aggregated || s.Distinct || s.MergeOrder || s.readStatic || s.token != nil ||
		len(s.filters) > 0 || s.limit != nil || s.perPartition != nil || len(s.prefix) != len(s.Table.Clustering) {
		return
	}
	if k, ok := newDirectKey(s.Table, s.key, s.prefix); ok {
		s.direct = &k
	}
}

// Direct tells whether the statement wants plain columns of one row and nothing
// else, so that DirectRow may be tried.
func (s *Select) Direct() bool { return s.direct != nil }

// DirectRow finds the row that the values name; false if Bind has to judge them.
// There must be as many as markers. The key aliases them or d, and the
// clustering d: they are valid until d is used again.
func (s *Select) DirectRow(d *Direct, values []Value) (k mutation.Key, clustering []byte, ok bool) {
	key, ok := s.direct.row(d, values)
	if !ok {
		return k, nil, false
	}
	return mutation.Key{Token: ring.Murmur3(key), Key: key}, d.clustering, true
}
