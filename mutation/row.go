package mutation

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/schema"
)

// RowReader walks an encoded row. Init checks and decodes the head, NextCell
// the cells one by one. It allocates nothing.
type RowReader struct {
	Base     int64
	Marker   Marker
	Deletion Deletion
	Flags    uint8
	Cells    int // number of cells in the row

	Cell Cell // the current cell after NextCell

	rest []byte
	left int
	err  error
}

// Init starts reading row; the reader aliases it.
func (r *RowReader) Init(row []byte) error {
	// The head of a row that INSERT wrote (a marker that gives the base, nothing
	// that expires or deletes, few columns) costs four loads.
	if len(row) >= 11 && row[0] == rowMarker && row[9] == 0 && int(row[10]) <= (len(row)-11)/2 && row[10] < 0x80 {
		r.Base, r.Flags = int64(binary.LittleEndian.Uint64(row[1:])), rowMarker
		r.Marker, r.Deletion = Marker{Timestamp: r.Base, Set: true}, Deletion{}
		r.Cells, r.left, r.rest, r.err = int(row[10]), int(row[10]), row[11:], nil
		return nil
	}
	return r.initSlow(row)
}

func (r *RowReader) initSlow(row []byte) error {
	*r = RowReader{}
	if len(row) < 10 {
		return r.fail("row of %d bytes", len(row))
	}
	r.Flags = row[0]
	if r.Flags&^rowKnown != 0 {
		r.err = fmt.Errorf("%w: row flags %#x", ErrUnknownFeature, r.Flags)
		return r.err
	}
	r.Base = int64(binary.LittleEndian.Uint64(row[1:]))
	p := encoding.NewReader(row[9:])
	if r.Flags&(rowMarker|rowMarkerExpires) == rowMarkerExpires {
		return r.fail("row flags %#x", r.Flags)
	}
	if r.Flags&rowMarker != 0 {
		r.Marker = Marker{Timestamp: r.Base + p.Varint(), Set: true}
		if r.Flags&rowMarkerExpires != 0 {
			ttl := p.Uvarint()
			r.Marker.TTL, r.Marker.Expiry = uint32(ttl), p.U32()
			if ttl == 0 || ttl > math.MaxUint32 {
				return r.fail("expiring marker with a TTL of %d", ttl)
			}
		}
	}
	if r.Flags&rowDeletion != 0 {
		r.Deletion = Deletion{Timestamp: r.Base + p.Varint(), LocalTime: p.U32(), Set: true}
	}
	n := p.Uvarint()
	if p.Err() != nil {
		return r.fail("row head: %v", p.Err())
	}
	if n > uint64(p.Len())/2 {
		return r.fail("%d cells in %d bytes", n, p.Len())
	}
	r.Cells, r.left, r.rest = int(n), int(n), p.Rest()
	return nil
}

// NextCell decodes the next cell into r.Cell; false at the end or on error.
func (r *RowReader) NextCell() bool {
	if r.left == 0 {
		if r.err == nil && len(r.rest) != 0 {
			r.fail("%d bytes after the last cell", len(r.rest))
		}
		return false
	}
	r.left--
	b := r.rest
	c := &r.Cell
	// The common cell (small column id, no options, a value of less than 16 KiB)
	// costs three or four byte loads.
	if len(b) >= 4 && b[0] < 0x80 && b[1] == 0 && (b[2] < 0x80 || b[3] < 0x80) {
		from, n := 3, int(b[2])
		if n >= 0x80 {
			from, n = 4, n&0x7f|int(b[3])<<7
		}
		if to := from + n; to <= len(b) {
			*c = Cell{Column: schema.ColumnID(b[0]), Timestamp: r.Base, Value: b[from:to:to]}
			r.rest = b[to:]
			return true
		}
	}
	return r.nextCellSlow()
}

func (r *RowReader) nextCellSlow() bool {
	p := encoding.NewReader(r.rest)
	col := p.Uvarint()
	f := CellFlags(p.U8())
	c := &r.Cell
	*c = Cell{Column: schema.ColumnID(col), Flags: f &^ cellDelta, Timestamp: r.Base}
	if f&^cellKnown != 0 || col > 1<<32-1 {
		r.err = fmt.Errorf("%w: cell flags %#x", ErrUnknownFeature, uint8(f))
		r.left = 0
		return false
	}
	switch {
	case f&(CellExpiring|CellTombstone) == CellExpiring|CellTombstone,
		f&CellCollection != 0 && f&(CellTombstone|CellPath) != CellTombstone:
		r.fail("cell flags %#x", uint8(f))
		return false
	}
	if f&cellDelta != 0 {
		c.Timestamp += p.Varint()
	}
	if f&CellExpiring != 0 {
		ttl := p.Uvarint()
		if ttl > math.MaxUint32 {
			r.fail("cell with a TTL of %d", ttl)
			return false
		}
		c.TTL, c.LocalTime = uint32(ttl), p.U32()
	}
	if f&CellTombstone != 0 {
		c.LocalTime = p.U32()
	}
	if f&CellPath != 0 {
		c.Path = p.Bytes()
	}
	if f&CellTombstone == 0 {
		c.Value = p.Bytes()
	}
	if p.Err() != nil {
		r.fail("cell: %v", p.Err())
		return false
	}
	r.rest = p.Rest()
	return true
}

// Err is the error that ended the walk, or nil.
func (r *RowReader) Err() error { return r.err }

func (r *RowReader) fail(format string, args ...any) error {
	r.err = fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
	r.left = 0
	return r.err
}

// Live tells whether the row exists for a reader at now (seconds): its marker
// is live, or a cell that is not an original of a key column is. It consumes
// the reader.
func (r *RowReader) Live(now uint32) bool {
	if r.Marker.Live(now) {
		return true
	}
	for r.NextCell() {
		if r.Cell.Flags&CellKey == 0 && r.Cell.Live(now) {
			return true
		}
	}
	return false
}

// Plain tells from the head alone that the row lives at any time and that every
// cell in it does: it has a marker, and nothing in it deletes or expires.
func (r *RowReader) Plain() bool { return r.Flags == rowMarker }

// HasTombstones tells from the head alone whether the row holds a deletion of
// any kind.
func (r *RowReader) HasTombstones() bool { return r.Flags&(rowDeletion|rowTombstones) != 0 }

// HasExpiring tells from the head alone whether anything in the row expires.
func (r *RowReader) HasExpiring() bool { return r.Flags&(rowMarkerExpires|rowExpiring) != 0 }

// rowWriter encodes a row in canonical form from parts that are already
// ordered and reconciled.
type rowWriter struct {
	marker   Marker
	deletion Deletion
	cells    []Cell
}

func (w *rowWriter) reset() {
	w.marker, w.deletion, w.cells = Marker{}, Deletion{}, w.cells[:0]
}

func (w *rowWriter) empty() bool {
	return !w.marker.Set && !w.deletion.Set && len(w.cells) == 0
}

// head returns the flags and the base that the parts other than the cells
// give.
func (w *rowWriter) head() (flags uint8, base int64) {
	base = math.MinInt64
	if w.marker.Set {
		flags |= rowMarker
		base = w.marker.Timestamp
		if w.marker.TTL != 0 {
			flags |= rowMarkerExpires
		}
	}
	if w.deletion.Set {
		flags |= rowDeletion
		base = max(base, w.deletion.Timestamp)
	}
	return flags, base
}

func (w *rowWriter) append(dst []byte) []byte {
	flags, base := w.head()
	for i := range w.cells {
		c := &w.cells[i]
		base = max(base, c.Timestamp)
		flags |= c.rowFlags()
	}
	dst = append(dst, flags)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(base))
	if w.marker.Set {
		dst = binary.AppendUvarint(dst, encoding.Zigzag(w.marker.Timestamp-base))
		if w.marker.TTL != 0 {
			dst = binary.AppendUvarint(dst, uint64(w.marker.TTL))
			dst = binary.LittleEndian.AppendUint32(dst, w.marker.Expiry)
		}
	}
	if w.deletion.Set {
		dst = binary.AppendUvarint(dst, encoding.Zigzag(w.deletion.Timestamp-base))
		dst = binary.LittleEndian.AppendUint32(dst, w.deletion.LocalTime)
	}
	dst = binary.AppendUvarint(dst, uint64(len(w.cells)))
	for i := range w.cells {
		dst = appendCell(dst, &w.cells[i], base)
	}
	return dst
}

func appendCell(dst []byte, c *Cell, base int64) []byte {
	dst = binary.AppendUvarint(dst, uint64(c.Column))
	f := c.Flags &^ cellDelta
	if c.Timestamp != base {
		f |= cellDelta
	}
	dst = append(dst, uint8(f))
	if f&cellDelta != 0 {
		dst = binary.AppendUvarint(dst, encoding.Zigzag(c.Timestamp-base))
	}
	if f&CellExpiring != 0 {
		dst = binary.AppendUvarint(dst, uint64(c.TTL))
		dst = binary.LittleEndian.AppendUint32(dst, c.LocalTime)
	}
	if f&CellTombstone != 0 {
		dst = binary.LittleEndian.AppendUint32(dst, c.LocalTime)
	}
	if f&CellPath != 0 {
		dst = encoding.AppendBytes(dst, c.Path)
	}
	if f&CellTombstone == 0 {
		dst = encoding.AppendBytes(dst, c.Value)
	}
	return dst
}
