package mutation

import (
	"bytes"

	"github.com/ilion-db/ilion/schema"
)

// Cell is one cell of a row, decoded. Path and Value alias the row.
type Cell struct {
	Column    schema.ColumnID
	Flags     CellFlags
	TTL       uint32 // seconds, with CellExpiring
	LocalTime uint32 // expiry with CellExpiring, local deletion time with CellTombstone
	Timestamp int64
	Path      []byte // with CellPath
	Value     []byte // without CellTombstone
}

// Live tells whether the cell has a value at now (seconds).
func (c *Cell) Live(now uint32) bool {
	return c.Flags&CellTombstone == 0 && (c.Flags&CellExpiring == 0 || c.LocalTime > now)
}

// order compares places: column, then a collection's deletion before its
// elements, a cell without a path before those with one, then path.
func (c *Cell) order(o *Cell) int {
	switch {
	case c.Column != o.Column:
		if c.Column < o.Column {
			return -1
		}
		return 1
	case c.Flags&CellCollection != o.Flags&CellCollection:
		if c.Flags&CellCollection != 0 {
			return -1
		}
		return 1
	case c.Flags&CellPath != o.Flags&CellPath:
		if c.Flags&CellPath == 0 {
			return -1
		}
		return 1
	}
	return bytes.Compare(c.Path, o.Path)
}

// normalize clears what the encoding has no room for, so that a cell that was
// built equals the cell that is read back.
func (c *Cell) normalize() {
	c.Flags &= cellKnown &^ cellDelta
	if c.Flags&CellCollection != 0 {
		c.Flags = c.Flags&^CellPath | CellTombstone
	}
	if c.Flags&CellPath == 0 {
		c.Path = nil
	}
	if c.Flags&CellTombstone != 0 {
		c.Flags &^= CellExpiring
		c.Value = nil
	}
	if c.Flags&CellExpiring == 0 {
		c.TTL = 0
		if c.Flags&CellTombstone == 0 {
			c.LocalTime = 0
		}
	}
}

// wins tells whether c replaces o, a cell at the same place. It is a strict
// order: of two different cells exactly one wins.
func (c *Cell) wins(o *Cell) bool {
	if c.Timestamp != o.Timestamp {
		return c.Timestamp > o.Timestamp
	}
	if cr, or := c.rank(), o.rank(); cr != or {
		return cr > or
	}
	if c.LocalTime != o.LocalTime {
		return c.LocalTime > o.LocalTime
	}
	if c.TTL != o.TTL {
		return c.TTL < o.TTL
	}
	if v := bytes.Compare(c.Value, o.Value); v != 0 {
		return v > 0
	}
	return c.Flags > o.Flags
}

// rank orders kinds at equal timestamps: plain, expiring, tombstone.
func (c *Cell) rank() int {
	switch {
	case c.Flags&CellTombstone != 0:
		return 2
	case c.Flags&CellExpiring != 0:
		return 1
	}
	return 0
}
