package value

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/cql/plan"
	"github.com/ilion-db/ilion/schema"
)

type unset struct{}

// Unset as a value leaves a column alone.
var Unset any = unset{}

// maxValueDepth bounds how deep values may nest.
const maxValueDepth = 32

// Encode makes the value of a type out of a Go value; nil is null. A string
// stands for a value of any type but the compound ones: its text as CQL has it.
// Pointers stand for what they point to. See the package ilion for the list.
func Encode(t *schema.Type, v any) (native.Value, error) {
	if _, ok := v.(unset); ok {
		return native.Value{Unset: true}, nil
	}
	b, err := encode(t, v, 0)
	if err == nil && b != nil {
		err = t.Validate(b)
	}
	return native.Value{Bytes: b}, err
}

func mismatch(t *schema.Type, v any) error {
	return native.Invalid("A value of type %T does not fit %s", v, t)
}

// encode returns nil for null.
func encode(t *schema.Type, v any, depth int) ([]byte, error) {
	if depth > maxValueDepth {
		return nil, native.Invalid("A value is nested deeper than %d", maxValueDepth)
	}
	switch x := v.(type) {
	case nil:
		return nil, nil
	case string:
		return encodeText(t, x)
	case []byte:
		if x == nil {
			return nil, nil
		}
		if len(t.Elems()) == 0 {
			return slices.Clone(x), nil
		}
	case bool:
		if t.Kind() == schema.KindBoolean {
			return []byte{map[bool]byte{true: 1}[x]}, nil
		}
	case time.Time:
		return encodeTime(t, x)
	case time.Duration:
		return encodeDuration(t, x)
	case schema.Duration:
		if t.Kind() == schema.KindDuration {
			return x.Append(nil), nil
		}
	case *big.Int:
		if x == nil {
			return nil, nil
		}
		if t.Kind() == schema.KindVarint {
			return plan.VarintBytes(x), nil
		}
		if x.IsInt64() {
			return encodeInt(t, x.Int64())
		}
	case netip.Addr:
		if t.Kind() == schema.KindInet && x.IsValid() {
			return x.Unmap().AsSlice(), nil
		}
	case [16]byte:
		return encodeUUID(t, x)
	case schema.UUID:
		return encodeUUID(t, x)
	default:
		return encodeReflect(t, v, depth)
	}
	return nil, mismatch(t, v)
}

func encodeText(t *schema.Type, s string) ([]byte, error) {
	switch {
	case t.Kind() == schema.KindBlob || t.Kind() == schema.KindCustom:
		return []byte(s), nil
	case len(t.Elems()) > 0:
		return nil, mismatch(t, s)
	}
	return t.ParseText(s)
}

func encodeUUID(t *schema.Type, u [16]byte) ([]byte, error) {
	if t.Kind() != schema.KindUUID && t.Kind() != schema.KindTimeUUID {
		return nil, mismatch(t, u)
	}
	return slices.Clone(u[:]), nil
}

// unixDay is the value of a date that stands for 1970-01-01.
const unixDay = 1 << 31

func encodeTime(t *schema.Type, x time.Time) ([]byte, error) {
	switch t.Kind() {
	case schema.KindTimestamp, schema.KindBigint:
		return binary.BigEndian.AppendUint64(nil, uint64(x.UnixMilli())), nil
	case schema.KindDate:
		y, m, d := x.Date()
		day := time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400
		return binary.BigEndian.AppendUint32(nil, uint32(day+unixDay)), nil
	}
	return nil, mismatch(t, x)
}

func encodeDuration(t *schema.Type, x time.Duration) ([]byte, error) {
	switch t.Kind() {
	case schema.KindTime, schema.KindBigint:
		return binary.BigEndian.AppendUint64(nil, uint64(x)), nil
	case schema.KindDuration:
		return schema.Duration{Nanos: int64(x)}.Append(nil), nil
	}
	return nil, mismatch(t, x)
}

func encodeInt(t *schema.Type, n int64) ([]byte, error) {
	bits := 64
	switch t.Kind() {
	case schema.KindTinyint:
		bits = 8
	case schema.KindSmallint:
		bits = 16
	case schema.KindInt:
		bits = 32
	case schema.KindBigint, schema.KindCounter, schema.KindTimestamp, schema.KindTime:
	case schema.KindVarint:
		return plan.VarintBytes(big.NewInt(n)), nil
	case schema.KindDecimal:
		return t.ParseText(strconv.FormatInt(n, 10))
	case schema.KindFloat, schema.KindDouble:
		return encodeFloat(t, float64(n))
	default:
		return nil, mismatch(t, n)
	}
	if bits < 64 && (n < -1<<(bits-1) || n > 1<<(bits-1)-1) {
		return nil, native.Invalid("%d does not fit %s", n, t)
	}
	b := binary.BigEndian.AppendUint64(nil, uint64(n))
	return b[8-bits/8:], nil
}

func encodeFloat(t *schema.Type, f float64) ([]byte, error) {
	switch t.Kind() {
	case schema.KindFloat:
		return binary.BigEndian.AppendUint32(nil, math.Float32bits(float32(f))), nil
	case schema.KindDouble:
		return binary.BigEndian.AppendUint64(nil, math.Float64bits(f)), nil
	case schema.KindDecimal:
		return t.ParseText(strconv.FormatFloat(f, 'g', -1, 64))
	}
	return nil, mismatch(t, f)
}

// encodeReflect handles named types, pointers and collections.
func encodeReflect(t *schema.Type, v any, depth int) ([]byte, error) {
	rv := reflect.ValueOf(v)
	switch rv.Kind() {
	case reflect.Pointer, reflect.Interface:
		if rv.IsNil() {
			return nil, nil
		}
		return encode(t, rv.Elem().Interface(), depth+1)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return encodeInt(t, rv.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if rv.Uint() > math.MaxInt64 {
			return encode(t, new(big.Int).SetUint64(rv.Uint()), depth+1)
		}
		return encodeInt(t, int64(rv.Uint()))
	case reflect.Float32, reflect.Float64:
		return encodeFloat(t, rv.Float())
	case reflect.String:
		return encodeText(t, rv.String())
	case reflect.Bool:
		return encode(t, rv.Bool(), depth+1)
	case reflect.Slice, reflect.Array:
		if rv.Kind() == reflect.Slice && rv.IsNil() {
			return nil, nil
		}
		return encodeList(t, rv, depth)
	case reflect.Map:
		if rv.IsNil() {
			return nil, nil
		}
		return encodeMap(t, rv, depth)
	case reflect.Struct:
		if t.Kind() == schema.KindUDT {
			return encodeStruct(t, rv, depth)
		}
	}
	return nil, mismatch(t, v)
}

// part encodes an element, which may not be null.
func part(t *schema.Type, rv reflect.Value, depth int) ([]byte, error) {
	b, err := encode(t, rv.Interface(), depth+1)
	if err == nil && b == nil {
		err = native.Invalid("null is not supported inside collections")
	}
	return b, err
}

// encodeList encodes a list, set, vector or tuple.
func encodeList(t *schema.Type, rv reflect.Value, depth int) ([]byte, error) {
	parts := make([][]byte, rv.Len())
	switch t.Kind() {
	case schema.KindList, schema.KindSet, schema.KindVector:
		if t.Kind() == schema.KindVector && rv.Len() != t.Dimension() {
			return nil, native.Invalid("A vector of %d elements does not fit %s", rv.Len(), t)
		}
		for i := range parts {
			var err error
			if parts[i], err = part(t.Elem(), rv.Index(i), depth); err != nil {
				return nil, err
			}
		}
		if t.Kind() == schema.KindSet {
			slices.SortFunc(parts, t.Elem().Compare)
			parts = slices.CompactFunc(parts, func(a, b []byte) bool { return t.Elem().Compare(a, b) == 0 })
		}
		return t.AppendElements([]byte{}, parts), nil
	case schema.KindTuple:
		if rv.Len() > len(t.Elems()) {
			break
		}
		for i := range parts {
			var err error
			if parts[i], err = encode(t.Elems()[i], rv.Index(i).Interface(), depth+1); err != nil {
				return nil, err
			}
		}
		return t.AppendElements([]byte{}, parts), nil
	}
	return nil, mismatch(t, rv.Interface())
}

// encodeMap encodes a map, a set as the keys of a map, or a user-defined type
// as a map by field.
func encodeMap(t *schema.Type, rv reflect.Value, depth int) ([]byte, error) {
	switch t.Kind() {
	case schema.KindMap:
		return encodeEntries(t, rv, depth)
	case schema.KindSet:
		keys := reflect.MakeSlice(reflect.SliceOf(rv.Type().Key()), 0, rv.Len())
		return encodeList(t, reflect.Append(keys, rv.MapKeys()...), depth)
	case schema.KindUDT:
		if rv.Type().Key().Kind() != reflect.String {
			break
		}
		for _, k := range rv.MapKeys() {
			if !slices.Contains(t.Fields(), k.String()) {
				return nil, native.Invalid("%s has no field %s", t, strconv.Quote(k.String()))
			}
		}
		parts := make([][]byte, len(t.Fields()))
		for i, name := range t.Fields() {
			f := rv.MapIndex(reflect.ValueOf(name).Convert(rv.Type().Key()))
			if !f.IsValid() {
				continue
			}
			var err error
			if parts[i], err = encode(t.Elems()[i], f.Interface(), depth+1); err != nil {
				return nil, err
			}
		}
		return t.AppendElements([]byte{}, parts), nil
	}
	return nil, mismatch(t, rv.Interface())
}

func encodeEntries(t *schema.Type, rv reflect.Value, depth int) ([]byte, error) {
	type entry struct{ key, value []byte }
	var entries []entry
	for it := rv.MapRange(); it.Next(); {
		k, err := part(t.Key(), it.Key(), depth)
		if err != nil {
			return nil, err
		}
		v, err := part(t.Value(), it.Value(), depth)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{k, v})
	}
	slices.SortFunc(entries, func(a, b entry) int { return t.Key().Compare(a.key, b.key) })
	parts := make([][]byte, 0, 2*len(entries))
	for _, e := range entries {
		parts = append(parts, e.key, e.value)
	}
	return t.AppendElements([]byte{}, parts), nil
}

// encodeStruct encodes a user-defined type from a struct whose fields are
// tagged `cql:"name"` or have the names of the type's.
func encodeStruct(t *schema.Type, rv reflect.Value, depth int) ([]byte, error) {
	parts := make([][]byte, len(t.Fields()))
	for i, name := range t.Fields() {
		f := structField(rv, name)
		if !f.IsValid() {
			continue
		}
		var err error
		if parts[i], err = encode(t.Elems()[i], f.Interface(), depth+1); err != nil {
			return nil, fmt.Errorf("field %s: %w", name, err)
		}
	}
	return t.AppendElements([]byte{}, parts), nil
}
