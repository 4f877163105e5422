package schema

import (
	"fmt"

	"github.com/ilion-db/ilion/internal/encoding"
)

// fields calls f for each field of p until one fails. F answers false for a
// number it does not know; keep then gets the field's bytes if it is optional.
func fields(p []byte, what string, keep *[]byte, f func(num uint64, v []byte) (bool, error)) error {
	r := encoding.NewReader(p)
	for r.Len() > 0 {
		start := r.Offset()
		head := r.Uvarint()
		v := r.Bytes()
		if r.Err() != nil {
			return fmt.Errorf("%w: %s: %v", ErrCorrupt, what, r.Err())
		}
		known, err := f(head>>1, v)
		switch {
		case err != nil:
			return err
		case known:
		case head&1 != 0:
			return fmt.Errorf("%w: field %d of a %s", ErrUnknownFeature, head>>1, what)
		case keep != nil:
			*keep = append(*keep, p[start:r.Offset()]...)
		}
	}
	return nil
}

func uintOf(v []byte) uint64 {
	r := encoding.NewReader(v)
	return r.Uvarint()
}

func intOf(v []byte) int64 { return encoding.Unzigzag(uintOf(v)) }

// DecodeChange is the inverse of AppendChange. It never panics and allocates in
// proportion to p; nothing aliases p.
func DecodeChange(p []byte) (c Change, err error) {
	if len(p) < 2 {
		return c, fmt.Errorf("%w: change of %d bytes", ErrCorrupt, len(p))
	}
	if p[0] != codecVersion {
		return c, fmt.Errorf("%w: change version %d", ErrUnknownFeature, p[0])
	}
	if c.Kind = ChangeKind(p[1]); c.Kind == 0 || c.Kind > DropType {
		return c, fmt.Errorf("%w: change of kind %d", ErrUnknownFeature, p[1])
	}
	err = fields(p[2:], "change", nil, func(num uint64, v []byte) (ok bool, err error) {
		switch num {
		case 1:
			c.Keyspace, err = decodeKeyspace(v)
		case 2:
			c.Table, err = decodeTable(v)
		case 3:
			c.TruncatedAt = intOf(v)
		case 4:
			c.Type, err = decodeType(v)
		default:
			return false, nil
		}
		return true, err
	})
	return c, err
}

func decodeKeyspace(p []byte) (*Keyspace, error) {
	k := &Keyspace{Tables: map[string]*Table{}, Types: map[string]*Type{}, Replication: map[string]string{}}
	err := fields(p, "keyspace", &k.unknown, func(num uint64, v []byte) (bool, error) {
		switch num {
		case 1:
			k.Name = string(v)
		case 2:
			k.Replication = readMap[string](v)
		case 3:
			k.DurableWrites = uintOf(v) == 1
		default:
			return false, nil
		}
		return true, nil
	})
	return k, err
}

func readMap[V string | []byte](p []byte) map[string]V {
	r := encoding.NewReader(p)
	m := map[string]V{}
	for range min(r.Uvarint(), uint64(len(p))) {
		k, v := r.String(), r.String()
		if r.Err() != nil {
			break
		}
		m[k] = V(v)
	}
	return m
}

func decodeTable(p []byte) (*Table, error) {
	t := &Table{Options: DefaultOptions()}
	err := fields(p, "table", &t.unknown, func(num uint64, v []byte) (bool, error) {
		switch num {
		case 1:
			if len(v) != len(t.ID) {
				return true, fmt.Errorf("%w: table id of %d bytes", ErrCorrupt, len(v))
			}
			t.ID = TableID(v)
		case 2:
			t.Keyspace = string(v)
		case 3:
			t.Name = string(v)
		case 4:
			t.Epoch = uintOf(v)
		case 5:
			t.NextColumnID = ColumnID(uintOf(v))
		case 6:
			return true, t.decodeColumn(v)
		case 7:
			c, at, err := decodeColumn(v)
			t.Dropped = append(t.Dropped, DroppedColumn{c.ID, c.Name, c.Kind, c.Type, at})
			return true, err
		case 8:
			return true, decodeOptions(&t.Options, v)
		case 9:
			t.TruncatedAt = intOf(v)
		case 10:
			t.TruncatedEpoch = uintOf(v)
		default:
			return false, nil
		}
		return true, nil
	})
	t.Init()
	return t, err
}

func (t *Table) decodeColumn(p []byte) error {
	c, _, err := decodeColumn(p)
	if err != nil {
		return err
	}
	switch c.Kind {
	case PartitionKey:
		t.PartitionKey = append(t.PartitionKey, c)
	case Clustering:
		t.Clustering = append(t.Clustering, c)
	case Static:
		t.Static = append(t.Static, c)
	case Regular:
		t.Regular = append(t.Regular, c)
	default:
		return fmt.Errorf("%w: column of kind %d", ErrUnknownFeature, c.Kind)
	}
	return nil
}

func decodeColumn(p []byte) (c *Column, droppedAt int64, err error) {
	c = &Column{Position: -1}
	err = fields(p, "column", nil, func(num uint64, v []byte) (ok bool, err error) {
		switch num {
		case 1:
			c.ID = ColumnID(uintOf(v))
		case 2:
			c.Name = string(v)
		case 3:
			c.Kind = ColumnKind(uintOf(v))
		case 4:
			c.Position = int(uint16(uintOf(v))) - 1
		case 5:
			c.Type, err = decodeType(v)
		case 6:
			c.Desc = uintOf(v) == 1
		case 7:
			droppedAt = intOf(v)
		default:
			return false, nil
		}
		return true, err
	})
	if err == nil && c.Type == nil {
		err = fmt.Errorf("%w: column %q without a type", ErrCorrupt, c.Name)
	}
	return c, droppedAt, err
}

func decodeOptions(o *TableOptions, p []byte) error {
	return fields(p, "table's options", nil, func(num uint64, v []byte) (bool, error) {
		if num == 0 || num > uint64(len(optionFields)) {
			return false, nil
		}
		optionFields[num-1].get(o, v)
		return true, nil
	})
}

func decodeType(p []byte) (*Type, error) {
	r := encoding.NewReader(p)
	t, err := readType(&r, 0)
	if err == nil && (r.Err() != nil || r.Len() != 0) {
		err = fmt.Errorf("%w: type of %d bytes", ErrCorrupt, len(p))
	}
	return t, err
}

func readType(r *encoding.Reader, depth int) (*Type, error) {
	kind, frozen := Kind(r.U8()), r.U8() == 1
	if depth > maxTypeDepth {
		return nil, fmt.Errorf("%w: type nested too deeply", ErrCorrupt)
	}
	n := 1
	switch kind {
	case KindCustom:
		return CustomOf(r.String()), nil
	case KindUDT:
		return readUDT(r, frozen, depth)
	case KindTuple:
		n = int(min(r.Uvarint(), uint64(r.Len())))
	case KindMap:
		n = 2
	case KindList, KindSet, KindVector:
	default:
		if t := nativeOf[kind]; t != nil {
			return t, nil
		}
		return nil, fmt.Errorf("%w: type of kind %#x", ErrUnknownFeature, uint8(kind))
	}
	elems := make([]*Type, 0, min(n, 16))
	for range n {
		e, err := readType(r, depth+1)
		if err != nil {
			return nil, err
		}
		elems = append(elems, e)
	}
	if kind != KindVector {
		return compound(kind, frozen || kind == KindTuple, elems...), nil
	}
	dim := r.Uvarint()
	t, err := NewVector(elems[0], int(min(dim, maxVector+1)))
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrCorrupt, err)
	}
	return t, nil
}

func readUDT(r *encoding.Reader, frozen bool, depth int) (*Type, error) {
	keyspace, name := r.String(), r.String()
	var names []string
	var types []*Type
	for range min(r.Uvarint(), uint64(r.Len())) {
		names = append(names, r.String())
		t, err := readType(r, depth+1)
		if err != nil {
			return nil, err
		}
		types = append(types, t)
	}
	return UDTOf(keyspace, name, names, types, frozen), nil
}
