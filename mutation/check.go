package mutation

import (
	"math/bits"

	"github.com/ilion-db/ilion/internal/encoding"
)

// CheckRow verifies a whole row and that it is canonical: that its content
// would be encoded to these very bytes.
func CheckRow(row []byte) error {
	var r RowReader
	if err := r.Init(row); err != nil {
		return err
	}
	w := rowWriter{marker: r.Marker, deletion: r.Deletion}
	if w.empty() && r.Cells == 0 {
		return r.fail("empty row")
	}
	if r.Marker.Set && r.Deletion.Covers(r.Marker.Timestamp) {
		return r.fail("shadowed marker")
	}
	flags, base := w.head()
	size := w.headSize(r.Base) + uvarintLen(uint64(r.Cells))
	var last, collection Cell
	for first := true; r.NextCell(); first = false {
		c := &r.Cell
		if !first && last.order(c) >= 0 {
			return r.fail("cells out of order")
		}
		if r.Deletion.Covers(c.Timestamp) || collection.Flags != 0 &&
			collection.Column == c.Column && c.Timestamp <= collection.Timestamp {
			return r.fail("shadowed cell")
		}
		if c.Flags&CellCollection != 0 {
			collection = *c
		}
		flags |= c.rowFlags()
		base = max(base, c.Timestamp)
		size += c.size(r.Base)
		last = *c
	}
	if r.err == nil && (flags != r.Flags || base != r.Base || size != len(row)) {
		return r.fail("row is not canonical")
	}
	return r.err
}

// headSize is the size of what comes before the number of cells.
func (w *rowWriter) headSize(base int64) int {
	n := 9
	if w.marker.Set {
		n += uvarintLen(encoding.Zigzag(w.marker.Timestamp - base))
		if w.marker.TTL != 0 {
			n += uvarintLen(uint64(w.marker.TTL)) + 4
		}
	}
	if w.deletion.Set {
		n += uvarintLen(encoding.Zigzag(w.deletion.Timestamp-base)) + 4
	}
	return n
}

// rowFlags is what the cell adds to the flags of its row.
func (c *Cell) rowFlags() (f uint8) {
	if c.Flags&CellTombstone != 0 {
		f |= rowTombstones
	}
	if c.Flags&CellExpiring != 0 {
		f |= rowExpiring
	}
	return f
}

// size is the encoded size of the cell in a row of that base.
func (c *Cell) size(base int64) int {
	n := uvarintLen(uint64(c.Column)) + 1
	if c.Timestamp != base {
		n += uvarintLen(encoding.Zigzag(c.Timestamp - base))
	}
	if c.Flags&CellExpiring != 0 {
		n += uvarintLen(uint64(c.TTL)) + 4
	}
	if c.Flags&CellTombstone != 0 {
		n += 4
	}
	if c.Flags&CellPath != 0 {
		n += uvarintLen(uint64(len(c.Path))) + len(c.Path)
	}
	if c.Flags&CellTombstone == 0 {
		n += uvarintLen(uint64(len(c.Value))) + len(c.Value)
	}
	return n
}

func uvarintLen(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }
