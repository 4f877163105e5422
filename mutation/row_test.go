package mutation

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"
)

// TestLongTTL has a TTL of more than 32 bits that would take as many bytes after
// its upper ones are cut off: the row would pass for a canonical one.
func TestLongTTL(t *testing.T) {
	head := func(flags byte) []byte { return binary.LittleEndian.AppendUint64([]byte{flags}, 9) }
	for _, ttl := range []uint64{1 << 28, 1<<32 | 1<<28} {
		times := append(binary.AppendUvarint(nil, ttl), 1, 0, 0, 0)
		for what, row := range map[string][]byte{
			"marker": append(append(append(head(rowMarker|rowMarkerExpires), 0), times...), 0),
			"cell":   append(append(append(head(rowExpiring), 1, 1, byte(CellExpiring)), times...), 0),
		} {
			if err := CheckRow(row); (err == nil) != (ttl <= math.MaxUint32) || err != nil && !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s with a TTL of %d: %v", what, ttl, err)
			}
		}
	}
}

// FuzzRowShortcuts reads any bytes with the short ways of RowReader and without
// them: heads, cells and the verdict are the same.
func FuzzRowShortcuts(f *testing.F) {
	for _, size := range []int{0, 1, 127, 128, 300, 16383, 16384} {
		w := rowWriter{marker: Marker{Timestamp: 7, Set: true}}
		for c := range 3 {
			w.cells = append(w.cells, Cell{Column: 126 + 1, Timestamp: int64(5 + c), Path: []byte{byte(c)}, Flags: CellPath, Value: make([]byte, size)})
		}
		w.cells = append([]Cell{{Column: 3, Timestamp: 7, Value: make([]byte, size)}}, w.cells...)
		f.Add(w.append(nil))
		w.cells = w.cells[:1]
		f.Add(w.append(nil))
		w.deletion = Deletion{Timestamp: 3, Set: true}
		f.Add(w.append(nil))
	}
	f.Add(append(binary.LittleEndian.AppendUint64([]byte{rowMarker}, 9), 0, 1, 2, 0, 0x80, 0)) // a length of two bytes that one would do for
	f.Fuzz(func(t *testing.T, row []byte) {
		var fast, slow RowReader
		fastErr, slowErr := fast.Init(row), slow.initSlow(row)
		if (fastErr == nil) != (slowErr == nil) {
			t.Fatalf("%v, without shortcuts %v", fastErr, slowErr)
		}
		if fastErr != nil {
			return
		}
		if fast.Base != slow.Base || fast.Flags != slow.Flags || fast.Marker != slow.Marker || fast.Deletion != slow.Deletion || fast.Cells != slow.Cells {
			t.Fatalf("%+v, without shortcuts %+v", fast, slow)
		}
		if fast.Plain() && (!slow.Marker.Live(1<<32-1) || slow.Deletion.Set || slow.HasTombstones() || slow.HasExpiring()) {
			t.Fatalf("a plain row: %+v", slow)
		}
		for slow.left > 0 {
			slow.left--
			more := slow.nextCellSlow()
			if fast.NextCell() != more {
				t.Fatalf("%v, without shortcuts %v", fast.Err(), slow.Err())
			}
			if !more {
				return
			}
			a, b := &fast.Cell, &slow.Cell
			if a.order(b) != 0 || a.wins(b) || b.wins(a) || !bytes.Equal(a.Value, b.Value) || (a.Value == nil) != (b.Value == nil) || cap(a.Value) != cap(b.Value) {
				t.Fatalf("%+v, without shortcuts %+v", a, b)
			}
		}
		if fast.NextCell() || slow.NextCell() || (fast.Err() == nil) != (slow.Err() == nil) {
			t.Fatalf("at the end: %v, without shortcuts %v", fast.Err(), slow.Err())
		}
	})
}
