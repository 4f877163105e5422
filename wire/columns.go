package wire

import (
	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/schema"
)

// Column is a marker of a prepared statement or a column of its result.
type Column struct {
	Keyspace, Table, Name string
	Type                  *schema.Type
}

// maxTypes bounds the user-defined types of a list of columns.
const maxTypes = 1024

// AppendColumns appends columns, and before them the user-defined types that
// they are made of, each behind those that it needs itself.
func AppendColumns(dst []byte, cols []Column) []byte {
	var udts []*schema.Type
	for i := range cols {
		udts = gatherTypes(udts, cols[i].Type)
	}
	dst = encoding.AppendUvarint(dst, uint64(len(udts)))
	for _, t := range udts {
		dst = encoding.AppendString(dst, t.Keyspace())
		dst = encoding.AppendString(dst, t.Name())
		dst = encoding.AppendUvarint(dst, uint64(len(t.Fields())))
		for i, f := range t.Fields() {
			dst = encoding.AppendString(dst, f)
			dst = encoding.AppendString(dst, t.Elems()[i].String())
		}
	}
	dst = encoding.AppendUvarint(dst, uint64(len(cols)))
	for i := range cols {
		c := &cols[i]
		dst = encoding.AppendString(dst, c.Keyspace)
		dst = encoding.AppendString(dst, c.Table)
		dst = encoding.AppendString(dst, c.Name)
		dst = encoding.AppendString(dst, c.Type.String())
	}
	return dst
}

// gatherTypes adds the user-defined types in t, the innermost first. Each is
// looked into once: a type may lie in another in very many ways.
func gatherTypes(udts []*schema.Type, t *schema.Type) []*schema.Type {
	if t.Kind() == schema.KindUDT {
		for _, u := range udts {
			if u.Name() == t.Name() {
				return udts
			}
		}
	}
	for _, e := range t.Elems() {
		udts = gatherTypes(udts, e)
	}
	if t.Kind() == schema.KindUDT {
		udts = append(udts, t)
	}
	return udts
}

// readColumnList reads what AppendColumns writes and copies all of it.
func readColumnList(r *encoding.Reader) []Column {
	udts := readTypes(r)
	if r.Err() != nil {
		return nil
	}
	n := r.Uvarint()
	if n > uint64(r.Len())/4 {
		r.Fail(encoding.ErrShort)
	}
	var cols []Column
	for range n {
		c := Column{Keyspace: r.String(), Table: r.String(), Name: r.String()}
		c.Type = readType(r, udts)
		if r.Err() != nil {
			return nil
		}
		cols = append(cols, c)
	}
	return cols
}

func readTypes(r *encoding.Reader) map[string]*schema.Type {
	n := r.Uvarint()
	if n > maxTypes || n > uint64(r.Len())/3 {
		r.Fail(encoding.ErrShort)
	}
	udts := map[string]*schema.Type{}
	for range n {
		keyspace, name, fields := r.String(), r.String(), r.Uvarint()
		if fields == 0 || fields > uint64(r.Len())/2 {
			r.Fail(encoding.ErrShort)
		}
		var names []string
		var types []*schema.Type
		for range fields {
			names = append(names, r.String())
			t := readType(r, udts)
			if r.Err() != nil {
				return nil
			}
			// What is inside another type is frozen; doing that here, and not when
			// the outermost is frozen, keeps it linear.
			types = append(types, t.Freeze())
		}
		if r.Err() != nil {
			return nil
		}
		udts[name] = schema.UDTOf(keyspace, name, names, types, false)
	}
	return udts
}

// readType reads the CQL text of a type.
func readType(r *encoding.Reader, udts map[string]*schema.Type) *schema.Type {
	text := r.String()
	if r.Err() != nil {
		return nil
	}
	t, err := schema.ParseTypeIn(text, func(name string) *schema.Type { return udts[name] })
	if err != nil {
		r.Fail(err)
	}
	return t
}
