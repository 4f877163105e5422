package mutation

import (
	"encoding/binary"

	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/schema"
)

// PlainCell is a live cell with its row's timestamp, which never expires and has
// no path.
type PlainCell struct {
	Column schema.ColumnID
	Value  []byte
}

// AppendPlain appends the record of one row of plain cells, ascending by column,
// and with a marker if that is wanted: the bytes that a Builder makes of the
// same, for less. Without both there is no row to encode.
func AppendPlain(dst []byte, h *Header, clustering []byte, marker bool, cells []PlainCell) []byte {
	// flags, base, number of cells, cells
	size := 9 + uvarintLen(uint64(len(cells)))
	flags := uint8(0)
	if marker {
		flags = rowMarker
		size++
	}
	for i := range cells {
		c := &cells[i]
		size += uvarintLen(uint64(c.Column)) + 1 + uvarintLen(uint64(len(c.Value))) + len(c.Value)
	}
	dst = h.append(dst)
	dst = append(dst, uint8(EntryRow))
	dst = encoding.AppendBytes(dst, clustering)
	dst = binary.AppendUvarint(dst, uint64(size))
	dst = append(dst, flags)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(h.Timestamp))
	if marker {
		dst = append(dst, 0) // its timestamp is the base
	}
	dst = binary.AppendUvarint(dst, uint64(len(cells)))
	for i := range cells {
		c := &cells[i]
		dst = binary.AppendUvarint(dst, uint64(c.Column))
		dst = append(dst, 0)
		dst = encoding.AppendBytes(dst, c.Value)
	}
	return dst
}
