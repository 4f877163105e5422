package value

import (
	"math"
	"math/big"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/ilion-db/ilion/schema"
)

func ptr[T any](v T) *T { return &v }

var moment = time.Date(2026, 11, 21, 12, 30, 15, 250e6, time.UTC)

var (
	udt    = schema.UDTOf("ks", "address", []string{"street", "zip_code"}, []*schema.Type{schema.TypeText, schema.TypeInt}, true)
	aTuple = schema.TupleOf(schema.TypeInt, schema.TypeText)
	aMap   = schema.MapOf(schema.TypeText, schema.TypeInt, true)
	ints   = schema.ListOf(schema.TypeInt, true)
	texts  = schema.SetOf(schema.TypeText, true)
)

type address struct {
	Street string
	Zip    int `cql:"zip_code"`
}

// Each value comes back as itself when scanned into its own type and, unless
// any says otherwise, by Decode.
var roundTrips = []struct {
	typ   *schema.Type
	value any
	any   any
}{
	{schema.TypeTinyint, int8(-5), nil},
	{schema.TypeSmallint, int16(300), nil},
	{schema.TypeInt, -70000, nil},
	{schema.TypeInt, uint16(7), 7},
	{schema.TypeBigint, int64(math.MinInt64), nil},
	{schema.TypeBigint, uint32(9), int64(9)},
	{schema.TypeVarint, big.NewInt(-1234567890123), nil},
	{schema.TypeVarint, 12, big.NewInt(12)},
	{schema.TypeDecimal, "1.50", nil},
	{schema.TypeFloat, float32(1.5), nil},
	{schema.TypeDouble, 2.25, nil},
	{schema.TypeBoolean, true, nil},
	{schema.TypeText, "añ", nil},
	{schema.TypeASCII, "a", nil},
	{schema.TypeBlob, []byte{0, 255}, nil},
	{schema.TypeUUID, schema.UUID{1, 2, 3, 4, 5, 6, 0x47, 8, 0x89}, nil},
	{schema.TypeTimestamp, moment, nil},
	{schema.TypeDate, time.Date(1969, 12, 30, 0, 0, 0, 0, time.UTC), nil},
	{schema.TypeTime, 3 * time.Hour, nil},
	{schema.TypeDuration, schema.Duration{Months: 1, Days: 2, Nanos: 3}, nil},
	{schema.TypeInet, netip.MustParseAddr("10.0.0.1"), nil},
	{schema.TypeInet, netip.MustParseAddr("2001:db8::1"), nil},
	{ints, []int{3, 1, 2}, []any{3, 1, 2}},
	{ints, []int{}, []any{}},
	{texts, []string{"a", "b"}, []any{"a", "b"}},
	{texts, map[string]bool{"a": true, "b": true}, []any{"a", "b"}},
	{texts, map[string]struct{}{"a": {}}, []any{"a"}},
	{aMap, map[string]int{"x": 1, "y": 2}, map[any]any{"x": 1, "y": 2}},
	{schema.VectorOf(schema.TypeFloat, 2), []float32{1, 2}, []any{float32(1), float32(2)}},
	{schema.ListOf(ints, true), [][]int{{1}, {2, 3}}, []any{[]any{1}, []any{2, 3}}},
	{aTuple, []any{1, "x"}, nil},
	{aTuple, []any{nil, "x"}, nil},
	{udt, address{"Main", 7}, map[string]any{"street": "Main", "zip_code": 7}},
	{udt, map[string]any{"street": "Main", "zip_code": nil}, nil},
	{schema.TypeInt, ptr(5), 5},
}

func TestValuesRoundTrip(t *testing.T) {
	for _, c := range roundTrips {
		v, err := Encode(c.typ, c.value)
		if err != nil {
			t.Errorf("%s %v: %v", c.typ, c.value, err)
			continue
		}
		want := c.any
		if want == nil {
			want = c.value
		}
		if got := Decode(c.typ, v.Bytes); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: decoded %#v, want %#v", c.typ, got, want)
		}
		dst := reflect.New(reflect.TypeOf(c.value))
		if err := Scan(c.typ, v.Bytes, dst.Interface()); err != nil {
			t.Errorf("%s into %T: %v", c.typ, c.value, err)
		} else if got := dst.Elem().Interface(); !reflect.DeepEqual(got, c.value) {
			t.Errorf("%s: scanned %#v, want %#v", c.typ, got, c.value)
		}
	}
}

func TestTextStandsForAnyScalar(t *testing.T) {
	for _, c := range []struct {
		typ  *schema.Type
		text string
		want any
	}{
		{schema.TypeInt, "12", 12},
		{schema.TypeUUID, "01020304-0506-4708-8900-000000000000", schema.UUID{1, 2, 3, 4, 5, 6, 0x47, 8, 0x89}},
		{schema.TypeTimestamp, "2026-11-21T12:30:15.250Z", moment},
		{schema.TypeInet, "10.0.0.1", netip.MustParseAddr("10.0.0.1")},
		{schema.TypeBlob, "raw", []byte("raw")},
	} {
		v, err := Encode(c.typ, c.text)
		if got := Decode(c.typ, v.Bytes); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %#v, %v", c.typ, got, err)
		}
	}
}

func TestNullAndUnset(t *testing.T) {
	for _, v := range []any{nil, (*int)(nil), []byte(nil), []int(nil), map[string]int(nil)} {
		if got, err := Encode(ints, v); err != nil || got.Bytes != nil || got.Unset {
			t.Errorf("%T: %v %v", v, got, err)
		}
	}
	if got, err := Encode(ints, Unset); err != nil || !got.Unset {
		t.Error(got, err)
	}
	n, p, s, a := 5, ptr(5), "x", any(5)
	for _, dst := range []any{&n, &p, &s, &a, nil} {
		if err := Scan(schema.TypeInt, nil, dst); err != nil {
			t.Error(err)
		}
	}
	if n != 0 || p != nil || s != "" || a != nil {
		t.Error(n, p, s, a)
	}
}

func TestValuesThatDoNotFit(t *testing.T) {
	deep := any(1)
	for range maxValueDepth + 2 {
		deep = ptr(deep)
	}
	for _, c := range []struct {
		typ   *schema.Type
		value any
	}{
		{schema.TypeTinyint, 128}, {schema.TypeSmallint, -40000}, {schema.TypeInt, int64(1) << 40}, {schema.TypeInt, true},
		{schema.TypeInt, "x"}, {schema.TypeInt, 1.5}, {schema.TypeInt, []byte{1}}, {schema.TypeBigint, uint64(math.MaxUint64)},
		{schema.TypeText, 1}, {schema.TypeText, "\xff"}, {schema.TypeASCII, "ä"}, {schema.TypeBoolean, 1},
		{schema.TypeUUID, []int{1}}, {schema.TypeTimestamp, time.Second}, {schema.TypeTime, moment}, {schema.TypeInet, netip.Addr{}},
		{ints, []any{1, nil}}, {ints, []string{"x"}}, {ints, map[string]int{}}, {ints, "1"}, {schema.VectorOf(schema.TypeInt, 2), []int{1}},
		{aTuple, []any{1, "x", 2}}, {udt, map[string]any{"nowhere": 1}}, {udt, map[int]any{}}, {schema.TypeInt, deep},
		{schema.TypeInt, struct{}{}}, {schema.TypeInt, make(chan int)},
	} {
		if v, err := Encode(c.typ, c.value); err == nil {
			t.Errorf("%s took %#v as %x", c.typ, c.value, v.Bytes)
		}
	}
	var (
		small int8
		flag  bool
		list  []string
		slice = map[any]any{}
	)
	for _, c := range []struct {
		typ *schema.Type
		val any
		dst any
	}{
		{schema.TypeInt, 1000, &small}, {schema.TypeInt, 1, &flag}, {ints, []int{1}, &flag}, {schema.TypeInt, 1, &list},
		{schema.TypeInt, 1, small}, {schema.TypeInt, 1, (*int)(nil)}, {schema.TypeInt, 1, &slice}, {schema.TypeInt, -1, new(uint)},
	} {
		v, err := Encode(c.typ, c.val)
		if err != nil {
			t.Fatal(err)
		}
		if err := Scan(c.typ, v.Bytes, c.dst); err == nil {
			t.Errorf("%s went into %T", c.typ, c.dst)
		}
	}
}

func FuzzDecode(f *testing.F) {
	types := []*schema.Type{schema.TypeInt, schema.TypeVarint, schema.TypeDecimal, schema.TypeInet, schema.TypeDuration, ints, texts, aMap, aTuple, udt}
	for i, c := range roundTrips {
		if v, err := Encode(c.typ, c.value); err == nil {
			f.Add(byte(i), v.Bytes)
		}
	}
	f.Fuzz(func(t *testing.T, which byte, b []byte) {
		typ := types[int(which)%len(types)]
		if typ.Validate(b) != nil {
			return
		}
		Decode(typ, b)
	})
}
