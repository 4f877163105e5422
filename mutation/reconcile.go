package mutation

import (
	"slices"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/schema"
)

// normalizeRow sorts cells, reconciles those at one place and drops what the
// row's own deletions shadow.
func normalizeRow(w *rowWriter, sorted bool) {
	if !sorted {
		slices.SortFunc(w.cells, func(a, b Cell) int {
			if o := a.order(&b); o != 0 {
				return o
			}
			if a.wins(&b) {
				return -1
			}
			if b.wins(&a) {
				return 1
			}
			return 0
		})
	}
	if w.deletion.Covers(w.marker.Timestamp) {
		w.marker = Marker{}
	}
	out := w.cells[:0]
	var cover collectionCover
	for i := range w.cells {
		c := w.cells[i]
		if len(out) > 0 && out[len(out)-1].order(&c) == 0 {
			continue // the winner came first
		}
		if !w.deletion.Covers(c.Timestamp) && !cover.drops(&c) {
			out = append(out, c)
		}
	}
	w.cells = out
}

// Reconciler merges versions of a row. It is reused and then allocates
// nothing.
type Reconciler struct {
	out     rowWriter
	readers []RowReader
}

// Merge appends to dst the row that the versions reconcile to, less what cover
// (the partition's or a range's deletion) shadows. Versions may come in any
// order. With nothing left it appends nothing. dst must not alias a version.
func (m *Reconciler) Merge(dst []byte, cover Deletion, versions ...[]byte) ([]byte, error) {
	m.out.reset()
	m.readers = m.readers[:0]
	for range versions {
		m.readers = append(m.readers, RowReader{})
	}
	for i, v := range versions {
		r := &m.readers[i]
		if err := r.Init(v); err != nil {
			return dst, err
		}
		if r.Marker.supersedes(m.out.marker) {
			m.out.marker = r.Marker
		}
		m.out.deletion = m.out.deletion.Max(r.Deletion)
	}
	// A row deletion that a wider one covers says nothing more.
	if cover.Set && m.out.deletion.Set && cover.Timestamp >= m.out.deletion.Timestamp {
		m.out.deletion = Deletion{}
	}
	shadow := m.out.deletion.Max(cover)
	if shadow.Covers(m.out.marker.Timestamp) {
		m.out.marker = Marker{}
	}
	if err := m.mergeCells(shadow); err != nil {
		return dst, err
	}
	if m.out.empty() {
		return dst, nil
	}
	at := len(dst)
	dst = m.out.append(dst)
	if invariant.Enabled {
		err := CheckRow(dst[at:])
		invariant.Check(err == nil, "mutation: row that was merged: %v", err)
	}
	return dst, nil
}

func (m *Reconciler) mergeCells(shadow Deletion) error {
	for i := range m.readers {
		if err := m.readers[i].advance(); err != nil {
			return err
		}
	}
	var cover collectionCover
	for {
		best := m.first()
		if best < 0 {
			return nil
		}
		c := m.readers[best].Cell
		for i := range m.readers {
			r := &m.readers[i]
			if r.Cells < 0 || r.Cell.order(&c) != 0 {
				continue
			}
			if err := r.advance(); err != nil {
				return err
			}
		}
		if !shadow.Covers(c.Timestamp) && !cover.drops(&c) {
			m.out.cells = append(m.out.cells, c)
		}
	}
}

// advance moves to the next cell; behind the last one, Cells is -1.
func (r *RowReader) advance() error {
	if !r.NextCell() {
		r.Cells = -1
		return r.Err()
	}
	return nil
}

// first is the reader whose cell comes first, the winner of those at one
// place, or -1 at the end.
func (m *Reconciler) first() int {
	best := -1
	for i := range m.readers {
		if m.readers[i].Cells < 0 {
			continue
		}
		if best < 0 {
			best = i
			continue
		}
		c, b := &m.readers[i].Cell, &m.readers[best].Cell
		if o := c.order(b); o < 0 || o == 0 && c.wins(b) {
			best = i
		}
	}
	return best
}

// collectionCover is the deletion of a whole collection, which comes before
// its elements.
type collectionCover struct {
	deletion Deletion
	column   schema.ColumnID
}

// drops takes the next cell and tells whether it is shadowed.
func (d *collectionCover) drops(c *Cell) bool {
	if c.Flags&CellCollection != 0 {
		d.deletion, d.column = Deletion{Timestamp: c.Timestamp, LocalTime: c.LocalTime, Set: true}, c.Column
		return false
	}
	return d.deletion.Set && d.column == c.Column && d.deletion.Covers(c.Timestamp)
}
