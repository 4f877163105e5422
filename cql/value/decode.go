package value

import (
	"encoding/binary"
	"math"
	"math/big"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/cql/plan"
	"github.com/ilion-db/ilion/schema"
)

// structField is the exported field of a struct with that name, by tag or
// whatever its case.
func structField(rv reflect.Value, name string) reflect.Value {
	for i := range rv.NumField() {
		f := rv.Type().Field(i)
		if !f.IsExported() {
			continue
		}
		tag, ok := f.Tag.Lookup("cql")
		if ok && tag == name || !ok && strings.EqualFold(f.Name, strings.ReplaceAll(name, "_", "")) {
			return rv.Field(i)
		}
	}
	return reflect.Value{}
}

// Decode returns the Go value of an encoded one that is valid for its type;
// nil for null, and for the empty value of a type of fixed width.
func Decode(t *schema.Type, b []byte) any {
	if b == nil || t.FixedLen() > 0 && len(b) == 0 {
		return nil
	}
	switch t.Kind() {
	case schema.KindASCII, schema.KindText:
		return string(b)
	case schema.KindDecimal:
		return schema.DecimalText(b)
	case schema.KindBoolean:
		return b[0] != 0
	case schema.KindTinyint:
		return int8(b[0])
	case schema.KindSmallint:
		return int16(binary.BigEndian.Uint16(b))
	case schema.KindInt:
		return int(int32(binary.BigEndian.Uint32(b)))
	case schema.KindBigint, schema.KindCounter:
		return int64(binary.BigEndian.Uint64(b))
	case schema.KindVarint:
		return plan.VarintOf(b)
	case schema.KindFloat:
		return math.Float32frombits(binary.BigEndian.Uint32(b))
	case schema.KindDouble:
		return math.Float64frombits(binary.BigEndian.Uint64(b))
	case schema.KindUUID, schema.KindTimeUUID:
		return schema.UUID(b)
	case schema.KindTimestamp, schema.KindDate, schema.KindTime, schema.KindDuration:
		return decodeTime(t, b)
	case schema.KindInet:
		a, _ := netip.AddrFromSlice(b)
		return a
	}
	if len(t.Elems()) > 0 {
		return decodeCompound(t, b)
	}
	return append([]byte{}, b...)
}

func decodeTime(t *schema.Type, b []byte) any {
	switch t.Kind() {
	case schema.KindTimestamp:
		return time.UnixMilli(int64(binary.BigEndian.Uint64(b))).UTC()
	case schema.KindDate:
		return time.Unix((int64(binary.BigEndian.Uint32(b))-unixDay)*86400, 0).UTC()
	case schema.KindTime:
		return time.Duration(binary.BigEndian.Uint64(b))
	}
	d, _ := schema.DecodeDuration(b) // the value is valid
	return d
}

func decodeCompound(t *schema.Type, b []byte) any {
	it := t.Elements(b)
	switch t.Kind() {
	case schema.KindMap:
		m := make(map[any]any, it.Len()/2)
		for k, ok := it.Next(); ok; k, ok = it.Next() {
			v, _ := it.Next()
			m[mapKey(t.Key(), k)] = Decode(t.Value(), v)
		}
		return m
	case schema.KindUDT:
		m := make(map[string]any, len(t.Fields()))
		for i, name := range t.Fields() {
			v, _ := it.Next()
			m[name] = Decode(t.Elems()[i], v)
		}
		return m
	case schema.KindTuple:
		out := make([]any, len(t.Elems()))
		for i, e := range t.Elems() {
			v, _ := it.Next()
			out[i] = Decode(e, v)
		}
		return out
	}
	out := make([]any, 0, it.Len())
	for v, ok := it.Next(); ok; v, ok = it.Next() {
		out = append(out, Decode(t.Elem(), v))
	}
	return out
}

// mapKey is a key that Go can compare: what it could not becomes text.
func mapKey(t *schema.Type, b []byte) any {
	switch {
	case t.Kind() == schema.KindBlob || t.Kind() == schema.KindCustom:
		return string(b) // as Encode takes it back
	case len(t.Elems()) > 0 || t.Kind() == schema.KindVarint:
		return t.Format(b)
	}
	return Decode(t, b)
}

// Scan stores an encoded value in what dst points to. Null makes it zero.
func Scan(t *schema.Type, b []byte, dst any) error {
	switch d := dst.(type) {
	case nil:
		return nil
	case *any:
		*d = Decode(t, b)
		return nil
	case *[]byte:
		if *d = nil; b != nil {
			*d = append([]byte{}, b...)
		}
		return nil
	case *string:
		if *d = ""; b != nil {
			*d = scanText(t, b)
		}
		return nil
	}
	rv := reflect.ValueOf(dst)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		return native.Invalid("Scan wants pointers, not %T", dst)
	}
	return scan(t, b, rv.Elem(), 0)
}

func scanText(t *schema.Type, b []byte) string {
	if t.Kind() == schema.KindBlob {
		return string(b)
	}
	return t.FormatText(b)
}

func scanMismatch(t *schema.Type, rv reflect.Value) error {
	return native.Invalid("A value of %s does not fit %s", t, rv.Type())
}

func scan(t *schema.Type, b []byte, rv reflect.Value, depth int) error {
	if depth > maxValueDepth {
		return scanMismatch(t, rv)
	}
	v := Decode(t, b)
	if v == nil {
		rv.SetZero()
		return nil
	}
	if got := reflect.ValueOf(v); got.Type().AssignableTo(rv.Type()) {
		rv.Set(got)
		return nil
	}
	switch rv.Kind() {
	case reflect.Pointer:
		p := reflect.New(rv.Type().Elem())
		rv.Set(p)
		return scan(t, b, p.Elem(), depth+1)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, ok := asInt(v)
		if !ok || rv.OverflowInt(n) {
			return scanMismatch(t, rv)
		}
		rv.SetInt(n)
		return nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, ok := asInt(v)
		if !ok || n < 0 || rv.OverflowUint(uint64(n)) {
			return scanMismatch(t, rv)
		}
		rv.SetUint(uint64(n))
		return nil
	case reflect.Float64, reflect.Float32:
		switch x := v.(type) {
		case float32:
			rv.SetFloat(float64(x))
			return nil
		case float64:
			rv.SetFloat(x)
			return nil
		}
	case reflect.String:
		rv.SetString(scanText(t, b))
		return nil
	case reflect.Bool:
		if x, ok := v.(bool); ok {
			rv.SetBool(x)
			return nil
		}
	case reflect.Slice, reflect.Array, reflect.Map, reflect.Struct:
		return scanCompound(t, b, rv, depth)
	}
	return scanMismatch(t, rv)
}

func asInt(v any) (int64, bool) {
	switch x := v.(type) {
	case int8:
		return int64(x), true
	case int16:
		return int64(x), true
	case int:
		return int64(x), true
	case int64:
		return x, true
	case time.Duration:
		return int64(x), true
	case time.Time:
		return x.UnixMilli(), true
	case *big.Int:
		return x.Int64(), x.IsInt64()
	}
	return 0, false
}

func scanCompound(t *schema.Type, b []byte, rv reflect.Value, depth int) error {
	it := t.Elements(b)
	switch {
	case rv.Kind() == reflect.Array && len(t.Elems()) == 0:
		if rv.Type().Elem().Kind() == reflect.Uint8 && rv.Len() == len(b) {
			reflect.Copy(rv, reflect.ValueOf(b))
			return nil
		}
	case rv.Kind() == reflect.Slice && len(t.Elems()) == 0:
		if rv.Type().Elem().Kind() == reflect.Uint8 {
			rv.SetBytes(append([]byte{}, b...))
			return nil
		}
	case rv.Kind() == reflect.Slice && t.Elem() != nil:
		rv.Set(reflect.MakeSlice(rv.Type(), it.Len(), it.Len()))
		for i := range rv.Len() {
			v, _ := it.Next()
			if err := scan(t.Elem(), v, rv.Index(i), depth+1); err != nil {
				return err
			}
		}
		return it.Err()
	case rv.Kind() == reflect.Map && (t.Kind() == schema.KindMap || t.Kind() == schema.KindSet):
		return scanMap(t, &it, rv, depth)
	case rv.Kind() == reflect.Struct && t.Kind() == schema.KindUDT:
		for i, name := range t.Fields() {
			v, _ := it.Next()
			if f := structField(rv, name); f.IsValid() {
				if err := scan(t.Elems()[i], v, f, depth+1); err != nil {
					return err
				}
			}
		}
		return it.Err()
	}
	return scanMismatch(t, rv)
}

// scanMap fills a map from a map, or from a set as its keys.
func scanMap(t *schema.Type, it *schema.Elements, rv reflect.Value, depth int) error {
	m := reflect.MakeMap(rv.Type())
	for {
		b, ok := it.Next()
		if !ok {
			break
		}
		k, v := reflect.New(rv.Type().Key()).Elem(), reflect.New(rv.Type().Elem()).Elem()
		if err := scan(t.Elems()[0], b, k, depth+1); err != nil {
			return err
		}
		if t.Kind() == schema.KindMap {
			b, _ := it.Next()
			if err := scan(t.Value(), b, v, depth+1); err != nil {
				return err
			}
		} else if v.Kind() == reflect.Bool {
			v.SetBool(true)
		}
		if !k.Comparable() {
			return scanMismatch(t, rv)
		}
		m.SetMapIndex(k, v)
	}
	rv.Set(m)
	return it.Err()
}
