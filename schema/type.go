package schema

import (
	"slices"
	"strconv"
	"strings"
)

// Kind is the kind of a type. Where the native protocol has a number for it,
// that is its number. On disk and on the wire, never renumber.
type Kind uint8

// Kinds of types.
const (
	KindCustom    Kind = 0x00
	KindASCII     Kind = 0x01
	KindBigint    Kind = 0x02
	KindBlob      Kind = 0x03
	KindBoolean   Kind = 0x04
	KindCounter   Kind = 0x05
	KindDecimal   Kind = 0x06
	KindDouble    Kind = 0x07
	KindFloat     Kind = 0x08
	KindInt       Kind = 0x09
	KindTimestamp Kind = 0x0B
	KindUUID      Kind = 0x0C
	KindText      Kind = 0x0D
	KindVarint    Kind = 0x0E
	KindTimeUUID  Kind = 0x0F
	KindInet      Kind = 0x10
	KindDate      Kind = 0x11
	KindTime      Kind = 0x12
	KindSmallint  Kind = 0x13
	KindTinyint   Kind = 0x14
	KindDuration  Kind = 0x15
	KindList      Kind = 0x20
	KindMap       Kind = 0x21
	KindSet       Kind = 0x22
	KindUDT       Kind = 0x30
	KindTuple     Kind = 0x31
	KindVector    Kind = 0x80
	KindEmpty     Kind = 0x81
)

// Type is the type of a column or value. It is immutable and safe for
// concurrent use; two types are equal when Equal says so, not by pointer.
type Type struct {
	kind   Kind
	frozen bool
	elems  []*Type // list, set, vector: 1; map: key, value; tuple, UDT: all
	dim    int     // vector
	// class is the class name of a custom type; keyspace, name and fields
	// describe a user-defined type.
	class    string
	keyspace string
	name     string
	fields   []string

	text  string // String(), made once
	fixed int    // FixedLen(), made once
	lossy bool   // Lossy(), made once
	depth int    // levels of types inside of it
	parts int    // types that it is made of, with itself, up to maxTypeParts + 1
}

// The types without parameters.
var (
	TypeASCII     = native(KindASCII, "ascii", 0)
	TypeBigint    = native(KindBigint, "bigint", 8)
	TypeBlob      = native(KindBlob, "blob", 0)
	TypeBoolean   = native(KindBoolean, "boolean", 1)
	TypeCounter   = native(KindCounter, "counter", 8)
	TypeDate      = native(KindDate, "date", 4)
	TypeDecimal   = native(KindDecimal, "decimal", 0)
	TypeDouble    = native(KindDouble, "double", 8)
	TypeDuration  = native(KindDuration, "duration", 0)
	TypeEmpty     = native(KindEmpty, "empty", 0)
	TypeFloat     = native(KindFloat, "float", 4)
	TypeInet      = native(KindInet, "inet", 0)
	TypeInt       = native(KindInt, "int", 4)
	TypeSmallint  = native(KindSmallint, "smallint", 2)
	TypeText      = native(KindText, "text", 0)
	TypeTime      = native(KindTime, "time", 8)
	TypeTimestamp = native(KindTimestamp, "timestamp", 8)
	TypeTimeUUID  = native(KindTimeUUID, "timeuuid", 16)
	TypeTinyint   = native(KindTinyint, "tinyint", 1)
	TypeUUID      = native(KindUUID, "uuid", 16)
	TypeVarint    = native(KindVarint, "varint", 0)
)

func native(k Kind, text string, fixed int) *Type {
	return &Type{kind: k, text: text, fixed: fixed, lossy: k == KindDecimal, parts: 1}
}

// ListOf, SetOf and MapOf make collection types. What is inside a frozen
// collection is frozen with it; a non-frozen one is stored element by element.
func ListOf(elem *Type, frozen bool) *Type { return compound(KindList, frozen, elem) }

// SetOf makes a set type; see ListOf.
func SetOf(elem *Type, frozen bool) *Type { return compound(KindSet, frozen, elem) }

// MapOf makes a map type; see ListOf.
func MapOf(key, value *Type, frozen bool) *Type { return compound(KindMap, frozen, key, value) }

// TupleOf makes a tuple type, which is always frozen.
func TupleOf(elems ...*Type) *Type { return compound(KindTuple, true, elems...) }

// VectorOf makes the type of n elements without nulls, always frozen.
func VectorOf(elem *Type, n int) *Type {
	t := &Type{kind: KindVector, frozen: true, elems: []*Type{elem.Freeze()}, dim: n}
	t.init()
	return t
}

// UDTOf makes a user-defined type. Fields and types have the same length.
func UDTOf(keyspace, name string, fields []string, types []*Type, frozen bool) *Type {
	t := &Type{kind: KindUDT, frozen: frozen, keyspace: keyspace, name: name,
		fields: slices.Clone(fields), elems: slices.Clone(types)}
	t.freezeElems()
	t.init()
	return t
}

// CustomOf makes a type that only its class name is known of. Values are blobs.
func CustomOf(class string) *Type {
	t := &Type{kind: KindCustom, class: class}
	t.init()
	return t
}

func compound(k Kind, frozen bool, elems ...*Type) *Type {
	t := &Type{kind: k, frozen: frozen, elems: slices.Clone(elems)}
	t.freezeElems()
	t.init()
	return t
}

func (t *Type) freezeElems() {
	if !t.frozen {
		return
	}
	for i, e := range t.elems {
		t.elems[i] = e.Freeze()
	}
}

func (t *Type) init() {
	t.text = t.format()
	t.depth, t.parts = 0, 1
	for _, e := range t.elems {
		t.lossy = t.lossy || e.lossy
		t.depth = max(t.depth, e.depth+1)
		t.parts = min(t.parts+e.parts, maxTypeParts+1)
	}
	if t.kind == KindVector && t.elems[0].fixed > 0 {
		t.fixed = t.elems[0].fixed * t.dim
	}
}

// Freeze returns the frozen form of a collection or user-defined type, with
// all that is inside frozen too, and any other type itself.
func (t *Type) Freeze() *Type {
	if len(t.elems) == 0 || t.frozen {
		return t
	}
	c := *t
	c.frozen, c.elems, c.lossy = true, slices.Clone(t.elems), false
	c.freezeElems()
	c.init()
	return &c
}

// Kind is the kind of the type.
func (t *Type) Kind() Kind { return t.kind }

// Elem is the element type of a list, set or vector, else nil.
func (t *Type) Elem() *Type {
	switch t.kind {
	case KindList, KindSet, KindVector:
		return t.elems[0]
	}
	return nil
}

// Key is the key type of a map, else nil.
func (t *Type) Key() *Type {
	if t.kind == KindMap {
		return t.elems[0]
	}
	return nil
}

// Value is the value type of a map, else nil.
func (t *Type) Value() *Type {
	if t.kind == KindMap {
		return t.elems[1]
	}
	return nil
}

// Elems are the types of a tuple's or user-defined type's fields, and in
// general the types that this one is made of. The caller must not change it.
func (t *Type) Elems() []*Type { return t.elems }

// Fields are the field names of a user-defined type.
func (t *Type) Fields() []string { return t.fields }

// Name and Keyspace are those of a user-defined type; Class is the class name
// of a custom one.
func (t *Type) Name() string { return t.name }

// Keyspace is the keyspace of a user-defined type.
func (t *Type) Keyspace() string { return t.keyspace }

// Class is the class name of a custom type.
func (t *Type) Class() string { return t.class }

// Dimension is the number of elements of a vector.
func (t *Type) Dimension() int { return t.dim }

// Frozen tells whether a value is one cell, overwritten as a whole. It is
// false for types that have no frozen form.
func (t *Type) Frozen() bool { return t.frozen }

// IsCollection tells whether it is a list, set or map.
func (t *Type) IsCollection() bool {
	return t.kind == KindList || t.kind == KindSet || t.kind == KindMap
}

// IsMultiCell tells whether each element or field is a cell of its own: a
// collection or user-defined type that is not frozen.
func (t *Type) IsMultiCell() bool {
	return !t.frozen && (t.IsCollection() || t.kind == KindUDT)
}

// FixedLen is the number of bytes of every non-empty value, or 0 if it varies.
func (t *Type) FixedLen() int { return t.fixed }

// Lossy tells whether the comparable form may not give back the very bytes
// that were encoded (decimal, and what contains one).
func (t *Type) Lossy() bool { return t.lossy }

// Equal tells whether both are the same type, frozen alike.
func (t *Type) Equal(o *Type) bool {
	if t == o {
		return true
	}
	if t == nil || o == nil || t.kind != o.kind || t.text != o.text || len(t.elems) != len(o.elems) ||
		t.keyspace != o.keyspace || !slices.Equal(t.fields, o.fields) {
		return false
	}
	for i, e := range t.elems {
		if !e.Equal(o.elems[i]) {
			return false
		}
	}
	return true
}

// References tells whether the type is or contains the user-defined type.
func (t *Type) References(keyspace, name string) bool {
	if t.kind == KindUDT && t.keyspace == keyspace && t.name == name {
		return true
	}
	return slices.ContainsFunc(t.elems, func(e *Type) bool { return e.References(keyspace, name) })
}

// ContainsDuration tells whether a duration is in it at any depth, which makes
// it unfit for keys and comparisons.
func (t *Type) ContainsDuration() bool {
	return t.kind == KindDuration || slices.ContainsFunc(t.elems, (*Type).ContainsDuration)
}

// String is the CQL text of the type as system_schema.columns shows it; see
// ParseType.
func (t *Type) String() string { return t.text }

func (t *Type) format() string {
	var s string
	switch t.kind {
	case KindList:
		s = "list<" + t.elems[0].text + ">"
	case KindSet:
		s = "set<" + t.elems[0].text + ">"
	case KindMap:
		s = "map<" + t.elems[0].text + ", " + t.elems[1].text + ">"
	case KindTuple:
		parts := make([]string, len(t.elems))
		for i, e := range t.elems {
			parts[i] = e.text
		}
		s = "tuple<" + strings.Join(parts, ", ") + ">"
	case KindVector:
		return "vector<" + t.elems[0].text + ", " + strconv.Itoa(t.dim) + ">"
	case KindUDT:
		if s = QuoteName(t.name); nativeNamed(t.name) != nil {
			s = `"` + t.name + `"`
		}
	case KindCustom:
		return "'" + strings.ReplaceAll(t.class, "'", "''") + "'"
	default:
		return t.text
	}
	if t.frozen {
		s = "frozen<" + s + ">"
	}
	return s
}
