package mutationtest

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// Model is a dumb copy of the data of one table. Not safe for concurrent use.
type Model struct {
	parts map[string]*part
}

type part struct {
	token    ring.Token
	key      []byte
	deletion mutation.Deletion
	static   *row
	rows     map[string]*row
	ranges   []rangeDeletion
}

type rangeDeletion struct {
	start, end []byte
	deletion   mutation.Deletion
}

type row struct {
	marker   mutation.Marker
	deletion mutation.Deletion
	cells    map[place]mutation.Cell
}

type place struct {
	column             schema.ColumnID
	collection, pathed bool // an empty path is not none
	path               string
}

// NewModel returns a model that holds nothing but the records.
func NewModel(records ...mutation.Record) *Model {
	m := &Model{parts: make(map[string]*part)}
	for _, r := range records {
		m.Apply(r)
	}
	return m
}

// Apply takes in a record, which must be well-formed.
func (m *Model) Apply(r mutation.Record) {
	if err := r.Check(); err != nil {
		panic(err)
	}
	id := string(tokenBytes(r.Token())) + string(r.Key())
	p := m.parts[id]
	if p == nil {
		p = &part{token: r.Token(), key: bytes.Clone(r.Key()), rows: make(map[string]*row)}
		m.parts[id] = p
	}
	e := r.Entries()
	for e.Next() {
		switch e.Kind {
		case mutation.EntryPartitionDeletion:
			p.deletion = later(p.deletion, e.Deletion)
		case mutation.EntryStatic:
			if p.static == nil {
				p.static = newRow()
			}
			p.static.apply(e.Row)
		case mutation.EntryRow:
			w := p.rows[string(e.Clustering)]
			if w == nil {
				w = newRow()
				p.rows[string(e.Clustering)] = w
			}
			w.apply(e.Row)
		case mutation.EntryRangeDeletion:
			p.ranges = append(p.ranges, rangeDeletion{
				bytes.Clone(e.Start), bytes.Clone(e.End), e.Deletion})
		}
	}
}

func tokenBytes(t ring.Token) []byte {
	u := t.Ordered()
	return []byte{byte(u >> 56), byte(u >> 48), byte(u >> 40), byte(u >> 32),
		byte(u >> 24), byte(u >> 16), byte(u >> 8), byte(u)}
}

func newRow() *row { return &row{cells: make(map[place]mutation.Cell)} }

func (w *row) apply(encoded []byte) {
	var r mutation.RowReader
	if err := r.Init(encoded); err != nil {
		panic(err)
	}
	if r.Marker.Set && (!w.marker.Set || markerLess(w.marker, r.Marker)) {
		w.marker = r.Marker
	}
	w.deletion = later(w.deletion, r.Deletion)
	for r.NextCell() {
		c := r.Cell
		c.Path, c.Value = bytes.Clone(c.Path), bytes.Clone(c.Value)
		at := place{c.Column, c.Flags&mutation.CellCollection != 0, c.Flags&mutation.CellPath != 0, string(c.Path)}
		if old, ok := w.cells[at]; !ok || cellLess(old, c) {
			w.cells[at] = c
		}
	}
	if r.Err() != nil {
		panic(r.Err())
	}
}

// cellLess tells whether b wins over a. It is FEATURES' list of ties, written
// down once more.
func cellLess(a, b mutation.Cell) bool {
	kind := func(c mutation.Cell) int {
		if c.Flags&mutation.CellTombstone != 0 {
			return 2
		}
		if c.Flags&mutation.CellExpiring != 0 {
			return 1
		}
		return 0
	}
	return cmp.Or(
		cmp.Compare(a.Timestamp, b.Timestamp),
		cmp.Compare(kind(a), kind(b)),
		cmp.Compare(a.LocalTime, b.LocalTime),
		cmp.Compare(b.TTL, a.TTL),
		bytes.Compare(a.Value, b.Value),
		cmp.Compare(a.Flags, b.Flags)) < 0
}

func markerLess(a, b mutation.Marker) bool {
	kind := func(m mutation.Marker) int {
		if m.TTL != 0 {
			return 1
		}
		return 0
	}
	return cmp.Or(
		cmp.Compare(a.Timestamp, b.Timestamp),
		cmp.Compare(kind(a), kind(b)),
		cmp.Compare(a.Expiry, b.Expiry),
		cmp.Compare(b.TTL, a.TTL)) < 0
}

func later(a, b mutation.Deletion) mutation.Deletion {
	if !a.Set || b.Set && cmp.Or(cmp.Compare(a.Timestamp, b.Timestamp),
		cmp.Compare(a.LocalTime, b.LocalTime)) < 0 {
		return b
	}
	return a
}

// at is the range deletion in force at c and just above it.
func (p *part) at(c []byte) mutation.Deletion {
	var d mutation.Deletion
	for _, r := range p.ranges {
		above := bytes.Compare(r.start, c) <= 0
		below := len(r.end) == 0 || bytes.Compare(c, r.end) < 0
		if above && below {
			d = later(d, r.deletion)
		}
	}
	if d.Set && p.deletion.Set && d.Timestamp <= p.deletion.Timestamp {
		return mutation.Deletion{}
	}
	return d
}

// survivors encodes what of the row cover leaves, nil for nothing.
func (w *row) survivors(b *mutation.Builder, cover mutation.Deletion) []byte {
	dead := func(ts int64) bool { return cover.Set && ts <= cover.Timestamp }
	b.Begin(nil, mutation.Header{})
	b.BeginRow(nil)
	d := w.deletion
	if d.Set && dead(d.Timestamp) {
		d = mutation.Deletion{}
	}
	if d.Set {
		b.DeleteRow(d)
	}
	gone := func(ts int64) bool { return dead(ts) || d.Set && ts <= d.Timestamp }
	if w.marker.Set && !gone(w.marker.Timestamp) {
		b.Marker(w.marker)
	}
	for at, c := range w.cells {
		if gone(c.Timestamp) {
			continue
		}
		whole, ok := w.cells[place{column: at.column, collection: true}]
		if ok && !at.collection && c.Timestamp <= whole.Timestamp {
			continue
		}
		b.Cell(c)
	}
	b.EndRow()
	rec := b.Finish()
	e := rec.Entries()
	if !e.Next() {
		return nil
	}
	return e.Row
}

// Source returns a source of what the model holds at this moment.
func (m *Model) Source(reverse bool) *Source {
	s := &Source{reverse: reverse, at: -1}
	for _, id := range slices.Sorted(maps.Keys(m.parts)) {
		s.parts = append(s.parts, m.parts[id].content())
	}
	return s
}

func (p *part) content() content {
	var b mutation.Builder
	c := content{head: mutation.Partition{Token: p.token, Key: p.key, Deletion: p.deletion}}
	if p.static != nil {
		c.head.Static = p.static.survivors(&b, p.deletion)
	}
	var last mutation.Deletion
	var places []string
	for _, r := range p.ranges {
		if places = append(places, string(r.start)); len(r.end) > 0 {
			places = append(places, string(r.end))
		}
	}
	bounds := make(map[string]bool)
	for _, s := range places {
		bounds[s] = true
	}
	places = append(places, slices.Collect(maps.Keys(p.rows))...)
	slices.Sort(places)
	for _, s := range slices.Compact(places) {
		k := []byte(s)
		if bounds[s] {
			if d := p.at(k); d != last {
				c.items = append(c.items, mutation.Item{
					Kind: mutation.ItemBoundary, Clustering: k, Before: last, After: d})
				last = d
			}
		}
		if w := p.rows[s]; w != nil {
			if row := w.survivors(&b, later(p.deletion, p.at(k))); row != nil {
				c.items = append(c.items, mutation.Item{
					Kind: mutation.ItemRow, Clustering: k, Row: row})
			}
		}
	}
	c.end = last
	return c
}
