package value

import (
	"net/netip"
	"testing"

	"github.com/ilion-db/ilion/schema"
)

// foreign tells whether the value has no counterpart in Go: it is or holds the
// empty value of a type that is not text, a decimal whose exponent does not fit
// its text, or an IPv4 address in the form of an IPv6 one, which becomes 4 bytes.
func foreign(typ *schema.Type, b []byte) bool {
	switch typ.Kind() {
	case schema.KindText, schema.KindASCII, schema.KindBlob:
		return false
	case schema.KindInet:
		a, ok := netip.AddrFromSlice(b)
		return !ok || a.Is4In6()
	case schema.KindDecimal:
		return len(b) == 0 || b[0] != 0 && b[0] != 0xff
	}
	if len(typ.Elems()) == 0 || len(b) == 0 {
		return len(b) == 0
	}
	it := typ.Elements(b)
	for e, ok := it.Next(); ok; e, ok = it.Next() {
		if e != nil && foreign(it.Type(), e) {
			return true
		}
	}
	return false
}

// FuzzValues decodes a value into Go, encodes that and wants an equal value.
func FuzzValues(f *testing.F) {
	types := []*schema.Type{
		schema.TypeASCII, schema.TypeBigint, schema.TypeBlob, schema.TypeBoolean, schema.TypeDate, schema.TypeDecimal, schema.TypeDouble,
		schema.TypeDuration, schema.TypeFloat, schema.TypeInet, schema.TypeInt, schema.TypeSmallint, schema.TypeText, schema.TypeTime,
		schema.TypeTimestamp, schema.TypeTimeUUID, schema.TypeTinyint, schema.TypeUUID, schema.TypeVarint,
		ints, texts, aMap, aTuple, udt, schema.VectorOf(schema.TypeText, 2),
		schema.MapOf(schema.TypeVarint, schema.ListOf(aTuple, true), true), schema.MapOf(schema.TypeBlob, schema.TypeInet, true),
	}
	for i, typ := range types {
		f.Add(byte(i), make([]byte, max(typ.FixedLen(), 4)))
		for _, c := range roundTrips {
			if v, err := Encode(c.typ, c.value); err == nil && c.typ.Equal(typ) {
				f.Add(byte(i), v.Bytes)
			}
		}
	}
	f.Fuzz(func(t *testing.T, which byte, b []byte) {
		typ := types[int(which)%len(types)]
		if b == nil || typ.Validate(b) != nil || foreign(typ, b) {
			return
		}
		v := Decode(typ, b)
		again, err := Encode(typ, v)
		if err != nil {
			t.Fatalf("%s: %x is %#v, which does not encode: %v", typ, b, v, err)
		}
		// Sets and maps are sorted on the way.
		if twice, err := Encode(typ, Decode(typ, again.Bytes)); err != nil || typ.Compare(twice.Bytes, again.Bytes) != 0 {
			t.Fatalf("%s: %x became %x and then %x, %v", typ, b, again.Bytes, twice.Bytes, err)
		}
		// A duration may have bytes behind its three numbers.
		if len(typ.Elems()) == 0 && typ != schema.TypeDuration && typ.Compare(again.Bytes, b) != 0 {
			t.Fatalf("%s: %x is %#v, then %x", typ, b, v, again.Bytes)
		}
		var dst any
		if err := Scan(typ, b, &dst); err != nil {
			t.Fatalf("%s: scan %x: %v", typ, b, err)
		}
	})
}
