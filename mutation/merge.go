package mutation

import (
	"bytes"
)

// Merge joins any number of sources into one: partitions and rows that several
// of them hold are reconciled, and what a partition's or a range's deletion
// shadows is gone from the rows. A row that one source alone holds, and of
// which nothing is shadowed, passes as it is, aliasing that source. Init makes
// a Merge ready for use again; it then allocates nothing.
//
// Invariants: parts is a heap of all inputs by partition, and group the places
// in it of the inputs that hold the current one, a connected part of the heap
// with the root in it; items and equal are the same for items within the
// group. Inputs are advanced only when the next item is asked for, so that
// slices live as long as Source promises.
type Merge struct {
	in      []mergeInput
	reverse bool
	parts   mergeHeap
	items   mergeHeap
	group   []int32 // places in parts
	equal   []int32 // places in items
	single  *mergeInput
	started bool // items are loaded
	spare   int  // items that Next may still pass, see Bound; below 0 any number

	part     Partition
	item     *Item // the current one: made, or an input's
	made     Item
	open     Deletion // in force where the merge stands
	cover    Deletion // open or the partition's deletion
	rec      Reconciler
	versions [][]byte
	static   []byte
	row      []byte
	err      error
}

var _ Source = (*Merge)(nil)

type mergeInput struct {
	src  Source
	part *Partition // nil at the end
	item *Item      // nil at the end of the partition
	head uint64     // first bytes of the item's clustering
	open Deletion
	// loaded tells load that item is still to be yielded.
	loaded bool
}

// Init starts to merge sources, which the merge owns until Close; each must
// stand before its first partition and run the way that reverse says.
func (m *Merge) Init(sources []Source, reverse bool) {
	m.in = m.in[:0]
	m.parts.index = m.parts.index[:0]
	for i, s := range sources {
		m.in = append(m.in, mergeInput{src: s})
		m.parts.index = append(m.parts.index, int32(i))
	}
	m.reverse, m.spare = reverse, -1
	m.parts.items = false
	m.items.items, m.items.reverse = true, reverse
	// At first every input is advanced.
	m.group = m.group[:0]
	for i := range sources {
		m.group = append(m.group, int32(i))
	}
	m.single, m.part, m.err = nil, Partition{}, nil
	m.item, m.made = &m.made, Item{}
	m.equal = m.equal[:0]
	m.items.index = m.items.index[:0]
}

// Bound makes Next fail with ErrWouldBlock where it would pass more than n items
// of which nothing is left, in all partitions together. Init lifts the bound.
func (m *Merge) Bound(n int) { m.spare = n }

// pass counts an item of which nothing is left; false if it is one too many.
func (m *Merge) pass() bool {
	if m.spare == 0 {
		m.fail(ErrWouldBlock)
		return false
	}
	m.spare--
	return true
}

// NextPartition implements Source.
func (m *Merge) NextPartition() bool {
	if m.err != nil {
		return false
	}
	for i := len(m.group) - 1; i >= 0; i-- {
		in := &m.in[m.parts.index[m.group[i]]]
		in.part = nil
		if in.src.NextPartition() {
			in.part = in.src.Partition()
		} else if err := in.src.Err(); err != nil {
			m.fail(err)
			return false
		}
		m.parts.down(m.in, int(m.group[i]))
	}
	m.group = m.group[:0]
	m.single, m.started, m.part = nil, false, Partition{}
	m.equal = m.equal[:0]
	if len(m.parts.index) == 0 || m.in[m.parts.index[0]].part == nil {
		return false
	}
	m.group = m.parts.equals(m.in, m.group)
	return m.enter()
}

// enter makes the partition that the inputs of group hold the current one.
func (m *Merge) enter() bool {
	first := &m.in[m.parts.index[m.group[0]]]
	m.part = *first.part
	m.versions = m.versions[:0]
	for _, g := range m.group {
		p := m.in[m.parts.index[g]].part
		m.part.Deletion = m.part.Deletion.Max(p.Deletion)
		if p.Static != nil {
			m.versions = append(m.versions, p.Static)
		}
	}
	if len(m.group) == 1 {
		m.single = first
	}
	m.openInputs()
	if m.part.Static = nil; len(m.versions) > 0 {
		var ok bool
		m.part.Static, ok = m.reconcile(&m.static, m.part.Deletion)
		if !ok {
			return false
		}
	}
	return true
}

// openInputs takes over the deletions in force where the inputs stand.
func (m *Merge) openInputs() {
	for _, g := range m.group {
		in := &m.in[m.parts.index[g]]
		in.open, in.item, in.loaded = in.src.Open(), nil, false
	}
	m.setOpen()
}

// setOpen finds the deletion that wins of those open. One that the partition's
// deletion covers says nothing.
func (m *Merge) setOpen() {
	var d Deletion
	for _, g := range m.group {
		d = d.Max(m.in[m.parts.index[g]].open)
	}
	m.open = m.effective(d)
	m.cover = m.part.Deletion.Max(m.open)
}

func (m *Merge) effective(d Deletion) Deletion {
	if d.Set && m.part.Deletion.Covers(d.Timestamp) {
		return Deletion{}
	}
	return d
}

// Partition implements Source.
func (m *Merge) Partition() *Partition { return &m.part }

// Open implements Source.
func (m *Merge) Open() Deletion { return m.open }

// Item implements Source.
func (m *Merge) Item() *Item { return m.item }

// Err implements Source.
func (m *Merge) Err() error { return m.err }

func (m *Merge) fail(err error) { m.err = err }

// Close implements Source: it closes all inputs.
func (m *Merge) Close() {
	for i := range m.in {
		m.in[i].src.Close()
		m.in[i] = mergeInput{}
	}
	m.in = m.in[:0]
	m.parts.index, m.items.index = m.parts.index[:0], m.items.index[:0]
	m.group, m.equal = m.group[:0], m.equal[:0]
	m.single, m.part, m.item, m.made = nil, Partition{}, &m.made, Item{}
}

// Seek implements Source.
func (m *Merge) Seek(bound []byte) {
	if m.err != nil || len(m.group) == 0 {
		return
	}
	// What was yielded is passed; it must not hold its input back.
	for _, e := range m.equal {
		m.in[m.items.index[e]].item = nil
	}
	for _, g := range m.group {
		in := &m.in[m.parts.index[g]]
		// An input whose next item is read already and lies behind the bound
		// would lose it.
		in.loaded = m.started && in.item != nil &&
			(bytes.Compare(in.item.Clustering, bound) >= 0) != m.reverse
		if len(bound) == 0 {
			in.loaded = m.started && in.item != nil
		}
		if !in.loaded {
			in.src.Seek(bound)
			in.open = in.src.Open()
		}
	}
	m.setOpen()
	m.started = false
}

// load reads the first item of every input of the group.
func (m *Merge) load() bool {
	m.started = true
	m.equal = m.equal[:0]
	m.items.index = m.items.index[:0]
	for _, g := range m.group {
		i := m.parts.index[g]
		if in := &m.in[i]; !in.loaded && !m.advance(in) {
			return false
		}
		m.in[i].loaded = false
		m.items.index = append(m.items.index, i)
	}
	for i := len(m.items.index)/2 - 1; i >= 0; i-- {
		m.items.down(m.in, i)
	}
	return true
}

// advance moves an input to its next item; false on an error.
func (m *Merge) advance(in *mergeInput) bool {
	if in.src.Next() {
		in.item = in.src.Item()
		in.head = head(in.item.Clustering)
		return true
	}
	in.item = nil
	if err := in.src.Err(); err != nil {
		m.fail(err)
		return false
	}
	return true
}

// Next implements Source.
func (m *Merge) Next() bool {
	if m.err != nil || len(m.group) == 0 {
		return false
	}
	if m.single != nil {
		return m.nextSingle()
	}
	if !m.started && !m.load() {
		return false
	}
	for {
		for i := len(m.equal) - 1; i >= 0; i-- {
			if !m.advance(&m.in[m.items.index[m.equal[i]]]) {
				return false
			}
			m.items.down(m.in, int(m.equal[i]))
		}
		m.equal = m.equal[:0]
		top := m.in[m.items.index[0]].item
		if top == nil {
			return false
		}
		m.equal = m.items.equals(m.in, m.equal)
		if m.emit(top) {
			return true
		}
		if m.err != nil || !m.pass() {
			return false
		}
	}
}

// nextSingle is Next for a partition of one input.
func (m *Merge) nextSingle() bool {
	in := m.single
	for in.src.Next() {
		it := in.src.Item()
		if it.Kind == ItemRow && !m.cover.Set {
			m.item = it
			return true
		}
		if it.Kind == ItemBoundary {
			in.open = m.behind(it)
			if m.boundary(it.Clustering) {
				return true
			}
		} else {
			m.versions = append(m.versions[:0], it.Row)
			if m.rowAt(it.Clustering) {
				return true
			}
		}
		if m.err != nil || !m.pass() {
			return false
		}
	}
	if err := in.src.Err(); err != nil {
		m.fail(err)
	}
	return false
}

// behind is the deletion in force once the source has passed the boundary.
func (m *Merge) behind(it *Item) Deletion {
	if m.reverse {
		return it.Before
	}
	return it.After
}

// emit makes the current item of what the inputs of equal hold at one place,
// all rows or all boundaries; false if nothing is left of it.
func (m *Merge) emit(top *Item) bool {
	m.versions = m.versions[:0]
	for _, e := range m.equal {
		in := &m.in[m.items.index[e]]
		if in.item.Kind == ItemBoundary {
			in.open = m.behind(in.item)
		} else {
			m.versions = append(m.versions, in.item.Row)
		}
	}
	if top.Kind == ItemBoundary {
		return m.boundary(top.Clustering)
	}
	return m.rowAt(top.Clustering)
}

// boundary makes a boundary the current item if the winning deletion changes.
func (m *Merge) boundary(clustering []byte) bool {
	before := m.open
	m.setOpen()
	if before == m.open {
		return false
	}
	m.made = Item{Kind: ItemBoundary, Clustering: clustering, Before: before, After: m.open}
	if m.reverse {
		m.made.Before, m.made.After = m.open, before
	}
	m.item = &m.made
	return true
}

// rowAt makes the row of m.versions the current item unless nothing is left.
func (m *Merge) rowAt(clustering []byte) bool {
	row, ok := m.reconcile(&m.row, m.cover)
	if !ok || row == nil {
		return false
	}
	m.made = Item{Kind: ItemRow, Clustering: clustering, Row: row}
	m.item = &m.made
	return true
}

// reconcile returns what is left of m.versions under cover, nil for nothing;
// false on an error. It uses buf only if bytes change.
func (m *Merge) reconcile(buf *[]byte, cover Deletion) ([]byte, bool) {
	if len(m.versions) == 1 {
		row := m.versions[0]
		if !cover.Set {
			return row, true
		}
		left, err := Shadow(row, cover)
		switch {
		case err != nil:
			m.fail(err)
			return nil, false
		case left == ShadowNone:
			return row, true
		case left == ShadowAll:
			return nil, true
		}
	}
	out, err := m.rec.Merge((*buf)[:0], cover, m.versions...)
	if err != nil {
		m.fail(err)
		return nil, false
	}
	if *buf = out; len(out) == 0 {
		return nil, true
	}
	return out, true
}

// Shadowed says how much of a row a deletion shadows.
type Shadowed uint8

// Answers of Shadow.
const (
	ShadowNone Shadowed = iota
	ShadowSome
	ShadowAll
)

// Shadow tells how much of an encoded row d shadows.
func Shadow(row []byte, d Deletion) (Shadowed, error) {
	var r RowReader
	if err := r.Init(row); err != nil {
		return 0, err
	}
	switch {
	case !d.Set:
		return ShadowNone, nil
	case r.Base <= d.Timestamp:
		return ShadowAll, nil
	case r.Marker.Set && d.Covers(r.Marker.Timestamp), r.Deletion.Set && d.Covers(r.Deletion.Timestamp):
		return ShadowSome, nil
	}
	for r.NextCell() {
		if d.Covers(r.Cell.Timestamp) {
			return ShadowSome, nil
		}
	}
	return ShadowNone, r.Err()
}
