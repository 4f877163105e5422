package mutation

import "slices"

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
	var collection Deletion
	var of Cell
	for i := range w.cells {
		c := w.cells[i]
		if len(out) > 0 && out[len(out)-1].order(&c) == 0 {
			continue // the winner came first
		}
		if w.deletion.Covers(c.Timestamp) {
			continue
		}
		if c.Flags&CellCollection != 0 {
			collection = Deletion{Timestamp: c.Timestamp, LocalTime: c.LocalTime, Set: true}
			of = c
		} else if collection.Set && of.Column == c.Column && collection.Covers(c.Timestamp) {
			continue
		}
		out = append(out, c)
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
	return m.out.append(dst), nil
}

func (m *Reconciler) mergeCells(shadow Deletion) error {
	live := m.readers
	for i := range live {
		if !live[i].NextCell() {
			if live[i].Err() != nil {
				return live[i].Err()
			}
			live[i].Cells = -1 // ended
		}
	}
	var collection Deletion
	var of Cell
	for {
		best := -1
		for i := range live {
			if live[i].Cells < 0 {
				continue
			}
			if best < 0 {
				best = i
				continue
			}
			o := live[i].Cell.order(&live[best].Cell)
			if o < 0 || o == 0 && live[i].Cell.wins(&live[best].Cell) {
				best = i
			}
		}
		if best < 0 {
			return nil
		}
		c := live[best].Cell
		for i := range live {
			if live[i].Cells >= 0 && live[i].Cell.order(&c) == 0 && !live[i].NextCell() {
				if live[i].Err() != nil {
					return live[i].Err()
				}
				live[i].Cells = -1
			}
		}
		if shadow.Covers(c.Timestamp) {
			continue
		}
		if c.Flags&CellCollection != 0 {
			collection = Deletion{Timestamp: c.Timestamp, LocalTime: c.LocalTime, Set: true}
			of = c
		} else if collection.Set && of.Column == c.Column && collection.Covers(c.Timestamp) {
			continue
		}
		m.out.cells = append(m.out.cells, c)
	}
}
