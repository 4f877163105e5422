package schema

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"
)

// fuzzBytes yields bytes of a fuzzer's input, and zeros behind its end.
type fuzzBytes []byte

func (s *fuzzBytes) next() byte {
	if len(*s) == 0 {
		return 0
	}
	b := (*s)[0]
	*s = (*s)[1:]
	return b
}

func (s *fuzzBytes) take(n int) []byte {
	b := make([]byte, n)
	*s = (*s)[copy(b, *s):]
	return b
}

var fuzzNatives = sortedKeys(natives)

// fuzzType makes any type that the bytes ask for, up to three levels deep.
func fuzzType(s *fuzzBytes, depth int) *Type {
	k := int(s.next())
	if n := len(fuzzNatives); depth >= 3 || k%(n+7) < n {
		return natives[fuzzNatives[k%(n+7)%n]]
	}
	sub := func() *Type { return fuzzType(s, depth+1) }
	switch frozen := k&0x80 != 0; k % (len(fuzzNatives) + 7) % 7 {
	case 0:
		return ListOf(sub(), frozen)
	case 1:
		return SetOf(sub(), frozen)
	case 2:
		return MapOf(sub(), sub(), frozen)
	case 3:
		return TupleOf(sub(), sub())
	case 4:
		return UDTOf("ks", "u", []string{"a", "B c"}, []*Type{sub(), sub()}, frozen)
	case 5:
		return CustomOf("org.example.It's")
	}
	return VectorOf(sub(), 1+k>>6)
}

// fuzzValue makes a value that is most likely valid, not always canonical.
func fuzzValue(s *fuzzBytes, ty *Type) []byte {
	how := s.next()
	if how%16 == 15 && ty.EmptyAllowed() {
		return []byte{}
	}
	if len(ty.elems) > 0 {
		return fuzzCompound(s, ty, int(how))
	}
	if ty.fixed > 0 {
		v := s.take(ty.fixed)
		if ty.kind == KindTimeUUID {
			v[6] = v[6]&0x0f | 0x10
		}
		return v
	}
	switch ty.kind {
	case KindInet:
		return s.take(4 + int(how)%2*12)
	case KindDecimal:
		return append([]byte{0, 0, s.next() % 4, s.next()}, s.take(1+int(how)%9)...)
	case KindDuration:
		sign := int64(1)
		if how&1 != 0 {
			sign = -1
		}
		d := Duration{Months: int32(sign) * int32(s.next()), Days: int32(sign) * int32(s.next())}
		d.Nanos = sign * int64(binary.BigEndian.Uint64(s.take(8))>>1)
		return d.Append(nil)
	case KindASCII, KindText:
		v := s.take(int(how) % 5)
		for i := range v {
			v[i] &= 0x7f
		}
		return v
	}
	return s.take(int(how) % 12)
}

func fuzzCompound(s *fuzzBytes, ty *Type, how int) []byte {
	n := len(ty.elems)
	switch {
	case ty.kind == KindVector:
		n = ty.dim
	case ty.IsCollection():
		n *= how % 3
	}
	elems := make([][]byte, n)
	for i := range elems {
		if ty.kind == KindVector || ty.IsCollection() || s.next()%8 != 0 {
			elems[i] = fuzzValue(s, ty.elems[i%len(ty.elems)])
		}
		if ty.kind == KindVector && ty.elems[0].fixed > 0 && len(elems[i]) == 0 {
			elems[i] = make([]byte, ty.elems[0].fixed)
		}
	}
	return ty.AppendElements(nil, elems)
}

// FuzzCompare checks for any type that Compare is an order, and that the
// comparable form is that order, ends by itself and comes back.
func FuzzCompare(f *testing.F) {
	for i := range len(fuzzNatives) + 7 {
		f.Add([]byte{byte(i), 1, 2, 3}, []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, []byte{1, 2, 3}, []byte{15}, false)
		f.Add([]byte{byte(i) + 0x80, 17, 26, 3}, []byte{4, 0xff, 0, 0x80}, []byte{4, 0, 0xff, 0x7f}, []byte{3}, true)
	}
	f.Fuzz(func(t *testing.T, spec, x, y, z []byte, desc bool) {
		ty := fuzzType((*fuzzBytes)(&spec), 0)
		var v [3][]byte
		for i, s := range [][]byte{x, y, z} {
			if ty.Validate(s) == nil {
				v[i] = append([]byte{}, s...) // the very bytes
			} else if v[i] = fuzzValue((*fuzzBytes)(&s), ty); ty.Validate(v[i]) != nil {
				return
			}
		}
		ab, bc, ac := sign(ty.Compare(v[0], v[1])), sign(ty.Compare(v[1], v[2])), sign(ty.Compare(v[0], v[2]))
		for i, a := range v {
			for j, b := range v {
				if sign(ty.Compare(a, b)) != -sign(ty.Compare(b, a)) || i == j && ty.Compare(a, b) != 0 {
					t.Fatalf("%s: %x and %x: %d, the other way %d", ty, a, b, ty.Compare(a, b), ty.Compare(b, a))
				}
			}
		}
		if ab <= 0 && bc <= 0 && ac > 0 || ab >= 0 && bc >= 0 && ac < 0 || ab == 0 && bc != ac {
			t.Fatalf("%s: %x, %x, %x: orders %d %d %d", ty, v[0], v[1], v[2], ab, bc, ac)
		}
		checkComparable(t, ty, v[0], v[1], desc)
	})
}

func checkComparable(t *testing.T, ty *Type, a, b []byte, desc bool) {
	ea, err := ty.AppendComparable([]byte("head"), a, desc)
	if err != nil {
		if string(ea) != "head" {
			t.Fatalf("%s: a refused value left %x", ty, ea)
		}
		return
	}
	ea = ea[4:]
	both, err := ty.AppendComparable(bytes.Clone(ea), b, desc)
	if err != nil {
		return
	}
	eb := both[len(ea):]
	want := sign(ty.Compare(a, b))
	if desc {
		want = -want
	}
	if got := bytes.Compare(ea, eb); got != want {
		t.Fatalf("%s desc=%t: %x, %x are encoded %x, %x: order %d, want %d", ty, desc, a, b, ea, eb, got, want)
	}
	rest := both
	for _, v := range [][]byte{a, b} {
		var got []byte
		if got, rest, err = ty.DecodeComparable(rest, desc); err != nil || ty.Validate(got) != nil || ty.Compare(got, v) != 0 {
			t.Fatalf("%s desc=%t: %x in %x comes back as %x: %v", ty, desc, v, both, got, err)
		}
	}
	if len(rest) != 0 {
		t.Fatalf("%s: %x is left of %x", ty, rest, both)
	}
	for n := range ea {
		if _, _, err := ty.DecodeComparable(ea[:n], desc); err == nil {
			t.Fatalf("%s desc=%t: %d bytes of %x decode", ty, desc, n, ea)
		}
	}
	lo, hi := BoundBefore(ea), BoundAfter(ea)
	if bytes.Compare(lo, ea) >= 0 || bytes.Compare(ea, hi) >= 0 || want != 0 && bytes.Compare(lo, eb) < 0 != (want < 0) {
		t.Fatalf("%s desc=%t: bounds %x %x of %x, beside %x", ty, desc, lo, hi, ea, eb)
	}
}

// FuzzElements checks that what Validate accepts is walked without an error,
// that the walk's elements make the value again, and that it prints.
func FuzzElements(f *testing.F) {
	for i := range len(fuzzNatives) + 7 {
		f.Add([]byte{byte(i) + 0x80, 9, 26, 3}, []byte{0, 0, 0, 1, 0, 0, 0, 1, 'a'})
		f.Add([]byte{byte(i), 25, 26, 24, 23}, []byte{0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff})
	}
	f.Fuzz(func(t *testing.T, spec, v []byte) {
		ty := fuzzType((*fuzzBytes)(&spec), 0)
		valid := ty.Validate(v) == nil
		if valid {
			ty.Format(v)
			ty.FormatText(v)
		}
		if len(ty.elems) == 0 || len(v) == 0 {
			return
		}
		var elems [][]byte
		it := ty.Elements(v)
		for e, ok := it.Next(); ok; e, ok = it.Next() {
			if valid && e != nil && it.Type().Validate(e) != nil {
				t.Fatalf("%s: %x is valid, but not its element %x", ty, v, e)
			}
			elems = append(elems, e)
		}
		if !valid {
			return
		}
		if it.Err() != nil {
			t.Fatalf("%s: %x: %v", ty, v, it.Err())
		}
		again := ty.AppendElements(nil, elems)
		if ty.Validate(again) != nil || ty.Compare(again, v) != 0 {
			t.Fatalf("%s: %x became %x", ty, v, again)
		}
	})
}

// nested is text between n times open and end.
func nested(open, text, end string, n int) string {
	return strings.Repeat(open, n) + text + strings.Repeat(end, n)
}

// FuzzType checks that types survive both of their forms: text and encoding.
// Text may name a deeper type than a schema takes, which no encoding has.
func FuzzType(f *testing.F) {
	for _, s := range []string{"int", "frozen<map<text, list<int>>>", "vector<float, 3>", "tuple<int, 'x.Y'>", "list<", `frozen<"A">`, `"int"`,
		nested("tuple<", "int", ">", maxTypeDepth), nested("tuple<", "a", ">", maxTypeDepth-1), nested("list<", "a", ">", maxTypeDepth)} {
		f.Add(s, []byte(s))
	}
	f.Add("", appendType(nil, UDTOf("k", "u", []string{"a"}, []*Type{TypeInt}, true)))
	f.Fuzz(func(t *testing.T, text string, encoded []byte) {
		udt := func(name string) *Type { return UDTOf("ks", name, []string{"a"}, []*Type{TypeInt}, false) }
		if ty, err := ParseTypeIn(text, udt); err == nil && ty.checkSize() == nil {
			again, err := ParseTypeIn(ty.String(), udt)
			if err != nil || !again.Equal(ty) {
				t.Fatalf("%q prints as %q, which is %v, %v", text, ty, again, err)
			}
			if back, err := decodeType(appendType(nil, ty)); err != nil || !back.Equal(ty) {
				t.Fatalf("%s: decoded %v, %v", ty, back, err)
			}
		}
		ty, err := decodeType(encoded)
		if err != nil {
			return
		}
		b := appendType(nil, ty)
		back, err := decodeType(b)
		if err != nil || !back.Equal(ty) || !bytes.Equal(appendType(nil, back), b) {
			t.Fatalf("%x is %s, then %v, %v", encoded, ty, back, err)
		}
		ty.Class()
		ty.AppendTypeOption(nil, 4)
	})
}

// FuzzPartitionKey splits any bytes, and puts components together and apart.
func FuzzPartitionKey(f *testing.F) {
	f.Add([]byte{0, 1, 'a', 0, 0, 0, 0}, []byte("ab"), uint8(2))
	f.Add([]byte("a"), []byte(""), uint8(1))
	f.Fuzz(func(t *testing.T, key, c []byte, n uint8) {
		table := &Table{PartitionKey: make([]*Column, 1+n%5)}
		if parts, err := SplitPartitionKey(table, key); err == nil && len(key) > 0 {
			if again, err := AppendPartitionKey(nil, parts); len(key) <= MaxKeyLen && (err != nil || !bytes.Equal(again, key)) {
				t.Fatalf("%x became %x, %v", key, again, err)
			}
		}
		parts := make([][]byte, len(table.PartitionKey))
		for i := range parts {
			parts[i] = c[min(i, len(c)):]
		}
		made, err := AppendPartitionKey(nil, parts)
		if err != nil {
			return
		}
		got, err := SplitPartitionKey(table, made)
		if err != nil || len(got) != len(parts) {
			t.Fatalf("%x: %q, %v", made, got, err)
		}
		for i := range parts {
			if !bytes.Equal(got[i], parts[i]) {
				t.Fatalf("%x: component %d is %x, not %x", made, i, got[i], parts[i])
			}
		}
	})
}

// FuzzDuration checks values and texts of durations both ways.
func FuzzDuration(f *testing.F) {
	for _, s := range []string{"1y2mo3w4d5h6m7s8ms9us10ns", "-P1Y2M3DT4H5M6S", "P1W", "P0001-02-03T04:05:06", "0s"} {
		d, _ := ParseDuration(s)
		f.Add(s, d.Append(nil))
	}
	f.Add("", Duration{math.MinInt32, math.MinInt32, math.MinInt64}.Append(nil))
	f.Fuzz(func(t *testing.T, text string, v []byte) {
		check := func(d Duration) {
			if got, err := DecodeDuration(d.Append(nil)); err != nil || got != d {
				t.Fatalf("%v became %v, %v", d, got, err)
			}
			// As in Cassandra a text has no number below -math.MaxInt64 and -math.MaxInt32.
			least := d.Months == math.MinInt32 || d.Days == math.MinInt32 || d.Nanos == math.MinInt64
			if s := d.String(); s != "" && !least {
				if got, err := ParseDuration(s); err != nil || got != d {
					t.Fatalf("%#v prints as %s, which is %#v, %v", d, s, got, err)
				}
			}
		}
		if d, err := ParseDuration(text); err == nil {
			check(d)
		}
		if d, err := DecodeDuration(v); err == nil {
			check(d)
		}
	})
}
