package encoding

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"
)

func TestReader(t *testing.T) {
	b := AppendString(AppendBytes(AppendUvarint([]byte{1, 2, 3, 4, 0, 0, 0, 5}, 300), []byte("ab")), "cd")
	r := NewReader(b)
	if r.U8() != 1 || r.U16() != 0x0302 || r.U8() != 4 || r.U32() != 5<<24 || r.Uvarint() != 300 ||
		string(r.Bytes()) != "ab" || r.String() != "cd" || r.Err() != nil || r.Len() != 0 || r.Offset() != len(b) {
		t.Fatalf("%+v", r)
	}
	if r.U64() != 0 || !errors.Is(r.Err(), ErrShort) || r.U8() != 0 || r.Take(0) == nil && r.Len() != 0 {
		t.Fatalf("behind the end: %+v", r)
	}
	r = NewReader(bytes.Repeat([]byte{0xff}, 11))
	if r.Uvarint() != 0 || !errors.Is(r.Err(), ErrVarint) || len(r.Rest()) != 0 {
		t.Fatalf("a varint of 11 bytes: %+v", r)
	}
	for _, v := range []int64{0, 1, -1, math.MaxInt64, math.MinInt64} {
		if got := Unzigzag(Zigzag(v)); got != v {
			t.Errorf("%d became %d", v, got)
		}
	}
	if got := UpdateCRC32C(CRC32C([]byte("1234")), []byte("56789")); got != 0xe3069283 {
		t.Errorf("checksum %#x", got)
	}
}

// FuzzReader takes values off any bytes, as ops tells, and wants those that
// package binary finds, never more than there are, and nothing after an error.
func FuzzReader(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6}, []byte{9, 1, 0, 2, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 3, 'a', 'b', 'c', 0x80, 1})
	f.Add([]byte{5, 5, 6}, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2})
	f.Fuzz(func(t *testing.T, ops, b []byte) {
		r := NewReader(b)
		for _, op := range ops {
			rest := b[r.Offset():]
			if !bytes.Equal(r.Rest(), rest) || r.Len() != len(rest) {
				t.Fatalf("%d bytes left of %d, at %d", r.Len(), len(b), r.Offset())
			}
			width, got, want := 0, uint64(0), uint64(0)
			failed := r.Err() != nil
			switch op % 7 {
			case 0:
				width, got = 1, uint64(r.U8())
			case 1:
				width, got = 2, uint64(r.U16())
			case 2:
				width, got = 4, uint64(r.U32())
			case 3:
				width, got = 8, r.U64()
			case 4:
				width = int(op / 7)
				if p := r.Take(width); r.Err() == nil && !bytes.Equal(p, rest[:width]) {
					t.Fatalf("took %x of %x", p, rest)
				}
			case 5:
				got = r.Uvarint()
				if want, width = binary.Uvarint(rest); width <= 0 {
					width, want = len(rest)+1, 0
				}
			case 6:
				p := r.Bytes()
				n, size := binary.Uvarint(rest)
				if width = len(rest) + 1; size > 0 && n <= uint64(len(rest)-size) {
					if width = size + int(n); !failed && !bytes.Equal(p, rest[size:width]) {
						t.Fatalf("read %x of %x", p, rest)
					}
				}
			}
			if op%7 < 4 && width <= len(rest) && !failed {
				var wide [8]byte
				copy(wide[:], rest[:width])
				want = binary.LittleEndian.Uint64(wide[:])
			}
			if got != want || (r.Err() != nil) != (failed || width > len(rest)) || r.Err() == nil && r.Offset() != len(b)-len(rest)+width {
				t.Fatalf("operation %d of %x: %d, want %d, error %v", op%7, rest, got, want, r.Err())
			}
		}
	})
}
