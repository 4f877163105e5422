package exec

import (
	"encoding/binary"
	"slices"

	"github.com/ilion-db/ilion/cql/plan"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// slot is one column's place in the current row.
type slot struct {
	col   *schema.Column
	value []byte // nil is null; of a multi-cell column made on demand
	cell  cell   // timestamp and expiry of value
	// The live cells of a multi-cell column are row.cells[from:to].
	from, to int
}

type cell struct {
	path, value []byte
	timestamp   int64
	ttl, expiry uint32
}

// row is the current row: the partition's part stays while its rows pass. It
// implements plan.Row.
type row struct {
	sel       *plan.Select
	now       uint32
	token     ring.Token
	slots     []slot
	cells     []cell
	static    int // how many of cells belong to the static row
	arena     []byte
	kept      int // how much of arena belongs to the partition
	reader    mutation.RowReader
	rowSlots  []int // slots that change from row to row
	lastKey   int   // position of the last clustering column that is read, or -1
	clustered []int // slot of each clustering column, or -1
	dead      int   // tombstones passed, since it was set
}

// use prepares the slots for a statement.
func (r *row) use(sel *plan.Select, now uint32) {
	r.now = now
	if r.sel == sel {
		return
	}
	r.sel = sel
	r.slots, r.rowSlots, r.lastKey = r.slots[:0], r.rowSlots[:0], -1
	r.clustered = r.clustered[:0]
	for range sel.Table.Clustering {
		r.clustered = append(r.clustered, -1)
	}
	for i, col := range sel.Slots {
		r.slots = append(r.slots, slot{col: col})
		if col.Kind == schema.Clustering {
			r.clustered[col.Position] = i
			r.lastKey = max(r.lastKey, col.Position)
		}
		if col.Kind == schema.Clustering || col.Kind == schema.Regular {
			r.rowSlots = append(r.rowSlots, i)
		}
	}
}

// partition takes the key and the static row; static tells whether anything in
// it is live.
func (r *row) partition(p *mutation.Partition) (static bool, err error) {
	r.token, r.arena, r.cells = p.Token, r.arena[:0], r.cells[:0]
	for i := range r.slots {
		r.slots[i] = slot{col: r.slots[i].col}
	}
	r.key(p.Key)
	if p.Static != nil {
		static, err = r.decode(p.Static, p.Deletion)
	}
	// Collections of the static row outlive the rows.
	for i := range r.slots {
		if r.slots[i].col.Kind == schema.Static && r.slots[i].to > r.slots[i].from {
			r.assemble(&r.slots[i])
		}
	}
	r.static, r.kept = len(r.cells), len(r.arena)
	return static, err
}

func (r *row) key(key []byte) {
	if len(r.sel.Table.PartitionKey) == 1 {
		for i := range r.slots {
			if r.slots[i].col.Kind == schema.PartitionKey {
				r.slots[i].value = key
			}
		}
		return
	}
	var buf [8][]byte
	parts := plan.SplitKey(r.sel.Table, key, buf[:0])
	for i := range r.slots {
		if s := &r.slots[i]; s.col.Kind == schema.PartitionKey && s.col.Position < len(parts) {
			s.value = parts[s.col.Position]
		}
	}
}

// clear forgets the last row but keeps the partition.
func (r *row) clear() {
	r.cells, r.arena = r.cells[:r.static], r.arena[:r.kept]
	for _, i := range r.rowSlots {
		s := &r.slots[i]
		s.value, s.from, s.to = nil, 0, 0
	}
}

// load takes a row and tells whether it is live.
func (r *row) load(clustering, data []byte, cover mutation.Deletion) (live bool, err error) {
	r.clear()
	if live = !cover.Set && r.sel.Plain != nil && r.loadPlain(data); !live {
		dead := r.dead
		live, err = r.decode(data, cover)
		if !live && r.dead == dead {
			r.dead++ // the row's own deletion, or a marker that has expired
		}
	}
	if err != nil || !live || r.lastKey < 0 {
		return live, err
	}
	return live, r.clustering(clustering)
}

// loadPlain is decode of a row that only says what lives, whatever the time,
// for a statement that asks for values alone. False means that it is not such a
// row, or damaged: decode has to judge it.
func (r *row) loadPlain(data []byte) bool {
	rr := &r.reader
	if rr.Init(data) != nil || !rr.Plain() {
		return false
	}
	slotOf := r.sel.SlotOf
	for rr.NextCell() {
		c := &rr.Cell
		if c.Flags&(mutation.CellPath|mutation.CellTombstone|mutation.CellExpiring) != 0 {
			r.clear()
			return false
		}
		if int(c.Column) < len(slotOf) && slotOf[c.Column] >= 0 {
			r.slots[slotOf[c.Column]].value = c.Value
		}
	}
	if rr.Err() != nil {
		r.clear()
		return false
	}
	return true
}

// clustering decodes the components that are read. Those whose original bytes
// came with the row keep them.
func (r *row) clustering(c []byte) error {
	for i, col := range r.sel.Table.Clustering[:r.lastKey+1] {
		start := len(r.arena)
		out, rest, err := col.Type.DecodeComparableInto(r.arena, c, col.Desc)
		if err != nil {
			return err
		}
		r.arena, c = out, rest
		if s := r.clustered[i]; s >= 0 && r.slots[s].value == nil {
			r.slots[s].value = r.arena[start:len(r.arena):len(r.arena)]
		}
	}
	return nil
}

// decode puts the live cells of a row into the slots. What cover shadows and
// what has expired is passed over.
func (r *row) decode(data []byte, cover mutation.Deletion) (live bool, err error) {
	if r.arena == nil {
		r.arena = make([]byte, 0, 256)
	}
	rr := &r.reader
	if err := rr.Init(data); err != nil {
		return false, err
	}
	live = rr.Marker.Live(r.now) && !cover.Covers(rr.Marker.Timestamp)
	cover = cover.Max(rr.Deletion)
	for rr.NextCell() {
		c := &rr.Cell
		if !c.Live(r.now) {
			if c.Flags&mutation.CellCollection == 0 {
				r.dead++
			}
			continue
		}
		if cover.Covers(c.Timestamp) {
			continue
		}
		at := int32(plan.SlotUnread)
		if int(c.Column) < len(r.sel.SlotOf) {
			if at = r.sel.SlotOf[c.Column]; at == plan.SlotDropped {
				continue
			}
		}
		if c.Flags&mutation.CellKey == 0 {
			live = true
		}
		if at < 0 {
			continue
		}
		s := &r.slots[at]
		if c.Flags&mutation.CellPath == 0 {
			s.value = c.Value
			s.cell = cell{timestamp: c.Timestamp, ttl: c.TTL, expiry: c.LocalTime}
			continue
		}
		if s.to == 0 {
			s.from = len(r.cells)
		}
		r.cells = append(r.cells, cell{path: c.Path, value: c.Value, timestamp: c.Timestamp, ttl: c.TTL, expiry: c.LocalTime})
		s.to = len(r.cells)
	}
	return live, rr.Err()
}

// Value implements plan.Row.
func (r *row) Value(i int) []byte {
	s := &r.slots[i]
	if s.value == nil && s.to > s.from {
		r.assemble(s)
	}
	return s.value
}

// order sorts a collection's cells as its type does; storage has them by the
// bytes of their paths, which is list order already.
func (r *row) order(s *slot) []cell {
	cells := r.cells[s.from:s.to]
	var t *schema.Type
	switch s.col.Type.Kind() {
	case schema.KindSet:
		t = s.col.Type.Elem()
	case schema.KindMap:
		t = s.col.Type.Key()
	default:
		return cells
	}
	byPath := func(a, b cell) int { return t.Compare(a.path, b.path) }
	if !slices.IsSortedFunc(cells, byPath) {
		slices.SortFunc(cells, byPath)
	}
	return cells
}

// assemble makes a multi-cell column's value out of its cells.
func (r *row) assemble(s *slot) {
	cells := r.order(s)
	start := len(r.arena)
	if s.col.Type.Kind() == schema.KindUDT {
		r.assembleFields(s.col.Type, cells)
		s.value = r.arena[start:len(r.arena):len(r.arena)]
		return
	}
	r.arena = appendI32(r.arena, len(cells))
	for i := range cells {
		c := &cells[i]
		if s.col.Type.Kind() != schema.KindList {
			r.arena = schema.AppendElement(r.arena, c.path)
		}
		if s.col.Type.Kind() != schema.KindSet {
			r.arena = schema.AppendElement(r.arena, c.value)
		}
	}
	s.value = r.arena[start:len(r.arena):len(r.arena)]
}

// assembleFields puts a user type together, whose paths are numbers of fields.
func (r *row) assembleFields(t *schema.Type, cells []cell) {
	at := 0
	for i := range t.Fields() {
		var v []byte
		if at < len(cells) && len(cells[at].path) == 2 && int(cells[at].path[0])<<8|int(cells[at].path[1]) == i {
			v = cells[at].value
			at++
		}
		r.arena = schema.AppendElement(r.arena, v)
	}
}

// Cell implements plan.Row.
func (r *row) Cell(i int) (timestamp int64, ttl, expiry uint32, ok bool) {
	s := &r.slots[i]
	return s.cell.timestamp, s.cell.ttl, s.cell.expiry, s.value != nil
}

// Cells implements plan.Row.
func (r *row) Cells(i int, f func(timestamp int64, ttl, expiry uint32)) {
	s := &r.slots[i]
	for _, c := range r.order(s) {
		f(c.timestamp, c.ttl, c.expiry)
	}
}

// Token implements plan.Row.
func (r *row) Token() ring.Token { return r.token }

func appendI32(dst []byte, n int) []byte {
	return append(dst, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

// appendPlain appends the result columns of the current row if they are bare.
func (r *row) appendPlain(dst []byte, base, limit int) ([]byte, error) {
	for _, i := range r.sel.Plain {
		s := &r.slots[i]
		v := s.value
		if v == nil {
			if s.to == s.from {
				dst = append(dst, 0xff, 0xff, 0xff, 0xff)
				continue
			}
			v = r.Value(i)
		}
		if len(dst)-base+len(v) > limit {
			return dst, errSize(limit)
		}
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(v)))
		dst = append(dst, v...)
	}
	return dst, nil
}

// appendRow appends the result columns of the current row, unless the result, which
// begins at base, would have more bytes than limit: a row may name a column often.
func (r *row) appendRow(dst []byte, q *plan.Query, base, limit int) ([]byte, error) {
	if r.sel.Plain != nil {
		return r.appendPlain(dst, base, limit)
	}
	for _, x := range r.sel.Columns {
		v, err := x.Eval(q, r)
		if err == nil && len(dst)-base+len(v) > limit {
			err = errSize(limit)
		}
		if err != nil {
			return dst, err
		}
		dst = schema.AppendElement(dst, v)
	}
	return dst, nil
}

func (r *row) matches(q *plan.Query) bool {
	for i := range q.Filters {
		if !q.Filters[i].Match(r) {
			return false
		}
	}
	return true
}
