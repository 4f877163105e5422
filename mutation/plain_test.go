package mutation_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// What AppendPlain encodes is what a Builder does, behind what is there.
func TestAppendPlain(t *testing.T) {
	for _, size := range []int{0, 1, 8, 127, 128, 16384, 1 << 20} {
		for _, marker := range []bool{true, false} {
			for cells := range 4 {
				if cells == 0 && !marker {
					continue
				}
				key := bytes.Repeat([]byte{7}, min(size, 1000))
				h := mutation.Header{
					Table: schema.TableID{1, 2}, Epoch: 9, Timestamp: -int64(size), Token: ring.Murmur3(key), Key: key, Optional: mutation.FlagServerStamped,
				}
				if size%2 == 0 {
					h.Coordinator = [16]byte{3}
				}
				var plain []mutation.PlainCell
				var b mutation.Builder
				b.Begin(nil, h)
				b.BeginRow(key)
				if marker {
					b.Marker(mutation.Marker{Timestamp: h.Timestamp, Set: true})
				}
				for i := range cells {
					c := mutation.PlainCell{Column: schema.ColumnID(i * 200), Value: bytes.Repeat([]byte{byte(i)}, size)}
					plain = append(plain, c)
					b.Cell(mutation.Cell{Column: c.Column, Timestamp: h.Timestamp, Value: c.Value})
				}
				b.EndRow()
				before := []byte("before")
				got := mutation.AppendPlain(slices.Clone(before), &h, key, marker, plain)
				if want := b.Finish(); !bytes.Equal(got, append(before, want...)) {
					t.Errorf("%d cells of %d bytes, marker %v: %x, want %x", cells, size, marker, got[len(before):], want)
				}
			}
		}
	}
}
