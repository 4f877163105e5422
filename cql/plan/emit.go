package plan

import (
	"encoding/binary"
	"slices"

	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/schema"
)

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
			if err == nil {
				err = b.spend(len(v.Bytes) + cellCost)
			}
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
	if err == nil {
		err = b.spend(len(v.Bytes) + cellCost)
	}
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
	if err := b.spend(len(k.Bytes) + len(v.Bytes) + cellCost); err != nil {
		return err
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
