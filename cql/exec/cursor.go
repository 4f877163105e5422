package exec

import "encoding/binary"

// Cursor walks the rows that Page appended, for callers that want values
// instead of a body: an embedded database, tests.
type Cursor struct {
	rest    []byte
	columns int
	rows    int
	values  [][]byte
}

// NewCursor walks rows rows of columns columns.
func NewCursor(body []byte, rows, columns int) *Cursor {
	return &Cursor{rest: body, rows: rows, columns: columns, values: make([][]byte, columns)}
}

// Next returns the next row's values, nil for null. They alias the body; the
// slice is reused. It returns false at the end.
func (c *Cursor) Next() ([][]byte, bool) {
	if c.rows == 0 {
		return nil, false
	}
	c.rows--
	for i := range c.values {
		if len(c.rest) < 4 {
			return nil, false
		}
		n := int32(binary.BigEndian.Uint32(c.rest))
		c.rest = c.rest[4:]
		c.values[i] = nil
		if n < 0 {
			continue
		}
		if int(n) > len(c.rest) {
			return nil, false
		}
		c.values[i] = c.rest[:n:n]
		c.rest = c.rest[n:]
	}
	return c.values, true
}
