package plan

import (
	"encoding/binary"
	"slices"

	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/schema"
)

type opKind uint8

const (
	opSet           opKind = iota // the whole column
	opAppend                      // c = c + v
	opPrepend                     // list = v + list
	opDiscard                     // c = c - v
	opPut                         // c[key] = v
	opDelete                      // DELETE c
	opDeleteElement               // DELETE c[key]
	opPutField                    // c.field = v
	opDeleteField                 // DELETE c.field
)

// op is one change of a column.
type op struct {
	kind  opKind
	col   *schema.Column
	value *term
	key   *term
	field int
}

func (o *op) needsRead() bool {
	return o.col.Type.Kind() == schema.KindList && (o.kind == opDiscard || o.kind == opPut || o.kind == opDeleteElement)
}

// assignment compiles one entry of SET.
func (c *compiler) assignment(a *cql.Assignment) (op, error) {
	col := c.table.Column(a.Column.Name)
	if col == nil {
		return op{}, errUndefinedColumn(a.Column.Name, c.table)
	}
	if col.Kind == schema.PartitionKey || col.Kind == schema.Clustering {
		return op{}, invalid("PRIMARY KEY part %s found in SET part", schema.QuoteName(col.Name))
	}
	if isCounter(col) {
		return op{}, unsupported("Updating a counter")
	}
	o := op{col: col}
	t := col.Type
	var err error
	switch a.Kind {
	case cql.AssignSet:
		o.value, err = c.term(a.Value, col.Name, t)
	case cql.AssignField:
		return c.putField(a, col)
	case cql.AssignElement:
		return c.putElement(a, col)
	case cql.AssignAdd:
		o.kind = opAppend
		if err = checkMultiCell(col, "+"); err != nil {
			return o, err
		}
		o.value, err = c.term(a.Value, col.Name, t)
	case cql.AssignPrepend:
		o.kind = opPrepend
		if t.Kind() != schema.KindList || !t.IsMultiCell() {
			return o, invalid("Invalid operation (%s = %s + %s) for non list column %s", col.Name, a.Value, col.Name, col.Name)
		}
		o.value, err = c.term(a.Value, col.Name, t)
	case cql.AssignSub:
		o.kind = opDiscard
		if err = checkMultiCell(col, "-"); err != nil {
			return o, err
		}
		if t.Kind() == schema.KindMap {
			t = schema.SetOf(t.Key(), true)
		}
		o.value, err = c.term(a.Value, col.Name, t)
	}
	return o, err
}

func checkMultiCell(col *schema.Column, sign string) error {
	switch {
	case !col.Type.IsCollection():
		return invalid("Invalid operation (%s = %s %s ...) for non counter column %s", col.Name, col.Name, sign, col.Name)
	case !col.Type.IsMultiCell():
		return invalid("Invalid operation (%s = %s %s ...) for frozen collection column %s", col.Name, col.Name, sign, col.Name)
	}
	return nil
}

func (c *compiler) putElement(a *cql.Assignment, col *schema.Column) (op, error) {
	o := op{kind: opPut, col: col}
	t := col.Type
	switch {
	case !t.IsCollection():
		return o, invalid("Invalid operation (%s[%s] = %s) for non collection column %s", col.Name, a.Key, a.Value, col.Name)
	case !t.IsMultiCell():
		return o, invalid("Invalid operation (%s[%s] = %s) for frozen collection column %s", col.Name, a.Key, a.Value, col.Name)
	case t.Kind() == schema.KindSet:
		return o, invalid("Invalid operation (%s[%s] = %s) for set column %s", col.Name, a.Key, a.Value, col.Name)
	}
	var err error
	if o.key, err = c.elementKey(a.Key, col); err != nil {
		return o, err
	}
	vt := t.Elems()[len(t.Elems())-1]
	o.value, err = c.term(a.Value, "value("+col.Name+")", vt.Freeze())
	return o, err
}

// fieldOf is the place of a field of a user type whose fields are cells.
func fieldOf(col *schema.Column, name string) (int, error) {
	t := col.Type
	switch {
	case t.Kind() != schema.KindUDT:
		return 0, invalid("Invalid operation (%s.%s = ...) for non-UDT column %s", col.Name, name, col.Name)
	case !t.IsMultiCell():
		return 0, invalid("Invalid operation (%s.%s = ...) for frozen UDT column %s", col.Name, name, col.Name)
	}
	i := slices.Index(t.Fields(), name)
	if i < 0 {
		return 0, invalid("UDT column %s does not have a field named %s", col.Name, name)
	}
	return i, nil
}

func (c *compiler) putField(a *cql.Assignment, col *schema.Column) (op, error) {
	i, err := fieldOf(col, a.Field.Name)
	if err != nil {
		return op{}, err
	}
	o := op{kind: opPutField, col: col, field: i}
	o.value, err = c.term(a.Value, col.Name+"."+a.Field.Name, col.Type.Elems()[i].Freeze())
	return o, err
}

// fieldPath is the path of a user type's field: its number, u16 big-endian.
func (b *Binder) fieldPath(i int) []byte {
	start := len(b.arena)
	b.arena = binary.BigEndian.AppendUint16(b.arena, uint16(i))
	return b.arena[start:len(b.arena):len(b.arena)]
}

func (c *compiler) elementKey(e cql.Term, col *schema.Column) (*term, error) {
	t := col.Type
	switch t.Kind() {
	case schema.KindList:
		return c.term(e, "idx("+col.Name+")", schema.TypeInt)
	case schema.KindMap:
		return c.term(e, "key("+col.Name+")", t.Key().Freeze())
	}
	return c.term(e, "value("+col.Name+")", t.Elem().Freeze())
}

// deletion compiles one entry of the DELETE list.
func (c *compiler) deletion(d *cql.Deletion) (op, error) {
	col := c.table.Column(d.Column.Name)
	if col == nil {
		return op{}, errUndefinedColumn(d.Column.Name, c.table)
	}
	if col.Kind == schema.PartitionKey || col.Kind == schema.Clustering {
		return op{}, invalid("Invalid identifier %s for deletion (should not be a PRIMARY KEY part)", schema.QuoteName(col.Name))
	}
	o := op{kind: opDelete, col: col}
	if d.Field != nil {
		i, err := fieldOf(col, d.Field.Name)
		o.kind, o.field = opDeleteField, i
		return o, err
	}
	if d.Key == nil {
		return o, nil
	}
	o.kind = opDeleteElement
	switch {
	case !col.Type.IsCollection():
		return o, invalid("Invalid deletion operation for non collection column %s", col.Name)
	case !col.Type.IsMultiCell():
		return o, invalid("Invalid deletion operation for frozen collection column %s", col.Name)
	}
	var err error
	o.key, err = c.elementKey(d.Key, col)
	return o, err
}

// stamp is what all cells of a statement have in common.
type stamp struct {
	ts     int64
	now    uint32
	ttl    uint32
	expiry uint32
}

// cell adds a live cell.
func (s *stamp) cell(b *mutation.Builder, id schema.ColumnID, path, value []byte) {
	c := mutation.Cell{Column: id, Timestamp: s.ts, Value: value}
	if s.ttl != 0 {
		c.Flags, c.TTL, c.LocalTime = mutation.CellExpiring, s.ttl, s.expiry
	}
	if path != nil {
		c.Flags |= mutation.CellPath
		c.Path = path
	}
	b.Cell(c)
}

// dead adds a tombstone.
func (s *stamp) dead(b *mutation.Builder, id schema.ColumnID, path []byte) {
	c := mutation.Cell{Column: id, Timestamp: s.ts, LocalTime: s.now, Flags: mutation.CellTombstone}
	if path != nil {
		c.Flags |= mutation.CellPath
		c.Path = path
	}
	b.Cell(c)
}

// clear deletes a whole collection as it was before ts.
func (s *stamp) clear(b *mutation.Builder, id schema.ColumnID, ts int64) {
	b.Cell(mutation.Cell{Column: id, Timestamp: ts, LocalTime: s.now, Flags: mutation.CellTombstone | mutation.CellCollection})
}

// emit adds what the operations write to the builder's current row.
func (b *Binder) emit(ops []op, s *stamp, prior []ListCell) error {
	for i := range ops {
		o := &ops[i]
		if o.kind == opSet && !o.col.Type.IsMultiCell() {
			v, err := o.value.eval(&b.binding)
			switch {
			case err != nil:
				return err
			case v.Unset:
			case v.Bytes == nil:
				s.dead(&b.builder, o.col.ID, nil)
			default:
				s.cell(&b.builder, o.col.ID, nil, v.Bytes)
			}
			continue
		}
		if err := b.emitCollection(o, s, prior); err != nil {
			return err
		}
	}
	return nil
}

func (b *Binder) emitCollection(o *op, s *stamp, prior []ListCell) error {
	switch o.kind {
	case opDelete:
		if o.col.Type.IsMultiCell() {
			s.clear(&b.builder, o.col.ID, s.ts)
		} else {
			s.dead(&b.builder, o.col.ID, nil)
		}
		return nil
	case opPut, opDeleteElement:
		return b.emitElement(o, s, prior)
	case opDeleteField:
		s.dead(&b.builder, o.col.ID, b.fieldPath(o.field))
		return nil
	}
	v, err := o.value.eval(&b.binding)
	if err != nil || v.Unset {
		return err
	}
	switch o.kind {
	case opPutField:
		if v.Bytes == nil {
			s.dead(&b.builder, o.col.ID, b.fieldPath(o.field))
		} else {
			s.cell(&b.builder, o.col.ID, b.fieldPath(o.field), v.Bytes)
		}
		return nil
	case opSet:
		s.clear(&b.builder, o.col.ID, s.ts-1)
		return b.emitElements(o, s, v.Bytes)
	case opAppend, opPrepend:
		return b.emitElements(o, s, v.Bytes)
	}
	return b.emitDiscard(o, s, v.Bytes, prior)
}

// emitElements adds a cell for each element of a serialized collection.
func (b *Binder) emitElements(o *op, s *stamp, value []byte) error {
	if value == nil {
		return nil
	}
	t := o.col.Type
	it := t.Elements(value)
	total, i := it.Len(), 0
	for p, ok := it.Next(); ok; p, ok = it.Next() {
		p = sortedPart(it.Type(), p)
		if t.Kind() == schema.KindUDT {
			if p != nil {
				s.cell(&b.builder, o.col.ID, b.fieldPath(i), p)
			}
			i++
			continue
		}
		if p == nil {
			return invalid("null is not supported inside collections")
		}
		switch t.Kind() {
		case schema.KindSet:
			s.cell(&b.builder, o.col.ID, p, emptyValue)
		case schema.KindMap:
			v, _ := it.Next()
			if v == nil {
				return invalid("null is not supported inside collections")
			}
			s.cell(&b.builder, o.col.ID, p, sortedPart(it.Type(), v))
		case schema.KindList:
			at := i
			if o.kind == opPrepend {
				at = i - total // those of one statement stay in their order
			}
			s.cell(&b.builder, o.col.ID, b.listPath(at, o.kind == opPrepend), p)
		}
		i++
	}
	if t.Kind() == schema.KindList {
		b.listSeq += uint32(total)
	}
	return it.Err()
}

// sortedPart is sortedForm where it is needed.
func sortedPart(t *schema.Type, p []byte) []byte {
	if p == nil || !needsSorting(t) {
		return p
	}
	return sortedForm(t, p)
}

var emptyValue = []byte{}

// listEpoch is where times of elements that were appended begin; those of
// prepended ones count back from it.
const listEpoch = 1 << 63

// listPath makes the path of a list element, 16 bytes in list order:
//
//	u64  2^63 plus (appended) or minus (prepended) the time in 100 ns, big-endian
//	u32  position within the statement or batch, signed with 2^31 as zero
//	u32  a random number of the coordinator
//
// Time is the coordinator's own, whatever timestamp the client gave, and no
// two statements of a coordinator have the same.
func (b *Binder) listPath(at int, prepend bool) []byte {
	t := uint64(listEpoch) + uint64(b.opts.Clock)*10
	seq := int64(b.listSeq) + int64(at)
	if prepend {
		t = uint64(listEpoch) - uint64(b.opts.Clock)*10
		seq = int64(at) - int64(b.listSeq)
	}
	start := len(b.arena)
	b.arena = binary.BigEndian.AppendUint64(b.arena, t)
	b.arena = binary.BigEndian.AppendUint32(b.arena, uint32(seq+1<<31))
	b.arena = binary.BigEndian.AppendUint32(b.arena, b.env.salt)
	return b.arena[start:len(b.arena):len(b.arena)]
}

// emitElement sets or deletes one element.
func (b *Binder) emitElement(o *op, s *stamp, prior []ListCell) error {
	k, err := o.key.eval(&b.binding)
	if err != nil {
		return err
	}
	var v Value
	if o.kind == opPut {
		if v, err = o.value.eval(&b.binding); err != nil {
			return err
		}
	}
	path := k.Bytes
	if o.col.Type.Kind() == schema.KindList {
		if path, err = listElement(o, k, prior); err != nil {
			return err
		}
	}
	switch {
	case v.Unset:
		return nil
	case k.Unset:
		return invalid("Invalid unset map key")
	case k.Bytes == nil:
		return invalid("Invalid null map key")
	case v.Bytes == nil:
		s.dead(&b.builder, o.col.ID, path)
	default:
		s.cell(&b.builder, o.col.ID, path, v.Bytes)
	}
	return nil
}

// listElement finds the path of the element with an index.
func listElement(o *op, k Value, prior []ListCell) ([]byte, error) {
	switch {
	case k.Unset:
		return nil, invalid("Invalid unset value for list index")
	case len(k.Bytes) != 4:
		return nil, invalid("Invalid null value for list index")
	}
	n := 0
	for i := range prior {
		if prior[i].Column == o.col.ID {
			n++
		}
	}
	if n == 0 {
		if o.kind == opDeleteElement {
			return nil, invalid("Attempted to delete an element from a list which is null")
		}
		return nil, invalid("Attempted to set an element on a list which is null")
	}
	at := int(int32(binary.BigEndian.Uint32(k.Bytes)))
	if at < 0 || at >= n {
		return nil, invalid("List index %d out of bound, list has size %d", at, n)
	}
	for i := range prior {
		if prior[i].Column == o.col.ID {
			if at == 0 {
				return prior[i].Path, nil
			}
			at--
		}
	}
	return nil, nil
}

// emitDiscard deletes elements by value: those of a set, keys of a map, or
// every equal element of a list.
func (b *Binder) emitDiscard(o *op, s *stamp, value []byte, prior []ListCell) error {
	if value == nil {
		return nil
	}
	it := o.value.typ.Elements(value)
	if o.col.Type.Kind() != schema.KindList {
		for p, ok := it.Next(); ok; p, ok = it.Next() {
			if p == nil {
				return invalid("null is not supported inside collections")
			}
			s.dead(&b.builder, o.col.ID, sortedPart(it.Type(), p))
		}
		return it.Err()
	}
	var gone [][]byte
	for p, ok := it.Next(); ok; p, ok = it.Next() {
		gone = append(gone, p)
	}
	elem := o.col.Type.Elem()
	for i := range prior {
		c := &prior[i]
		if c.Column == o.col.ID && slices.ContainsFunc(gone, func(g []byte) bool { return elem.Compare(g, c.Value) == 0 }) {
			s.dead(&b.builder, o.col.ID, c.Path)
		}
	}
	return it.Err()
}
