package client

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/ilion-db/ilion/cql/value"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/wire"
)

// Rows are the rows that a statement has answered, none for a write. After
// Execute and Query the further pages follow by themselves while Next is
// called; a Receiver gets one page. Not safe for concurrent use.
type Rows struct {
	columns  []wire.Column
	left     int
	values   []byte // of the rows left
	row      [][]byte
	state    []byte
	warnings []string
	err      error
	node     string // that has answered
	shared   bool   // by all writes that a connection answers: never changed

	page wire.Rows // decoded, reused
	buf  []byte    // what the rest aliases, if the rows own it
	more func() (*Rows, error)
}

// fill takes over a page in its encoded form, which it aliases.
func (r *Rows) fill(body []byte, known []wire.Column) error {
	if err := r.page.Decode(body); err != nil {
		return err
	}
	if r.columns = known; r.page.Columns != nil {
		r.columns = r.page.Columns
	}
	r.left, r.values, r.state, r.warnings, r.err = r.page.Count, r.page.Values, r.page.PagingState, r.page.Warnings, nil
	if r.left > 0 && len(r.columns) == 0 {
		return fmt.Errorf("%w: rows of no columns", errProtocol)
	}
	if cap(r.row) < len(r.columns) {
		r.row = make([][]byte, len(r.columns))
	}
	r.row = r.row[:0]
	return nil
}

// Next moves to the next row and tells whether there is one.
func (r *Rows) Next() bool {
	for r.left == 0 {
		if r.more == nil || r.err != nil || len(r.state) == 0 {
			if len(r.row) > 0 {
				r.row = r.row[:0]
			}
			return false
		}
		next, err := r.more()
		if err != nil {
			r.err = err
			continue
		}
		more := r.more
		*r = *next
		r.more = more
	}
	r.left--
	r.row = r.row[:len(r.columns)]
	b := r.values
	for i := range r.row {
		if len(b) < 4 {
			return r.broken()
		}
		n := int32(binary.BigEndian.Uint32(b))
		if b = b[4:]; n < 0 {
			r.row[i] = nil
			continue
		}
		if int(n) > len(b) {
			return r.broken()
		}
		r.row[i], b = b[:n:n], b[n:]
	}
	r.values = b
	return true
}

func (r *Rows) broken() bool {
	r.err, r.left, r.state, r.row = fmt.Errorf("%w: values end too early", errProtocol), 0, nil, r.row[:0]
	return false
}

// Len is how many rows are left of this page.
func (r *Rows) Len() int { return r.left }

// Columns describes the columns; not to be changed.
func (r *Rows) Columns() []wire.Column { return r.columns }

// PagingState asks for the next page, see Query.SetPagingState; empty if there
// is none. Valid as long as the rows are.
func (r *Rows) PagingState() []byte { return r.state }

// Node is the address of the node that has answered, as Session.Hosts has it.
func (r *Rows) Node() string { return r.node }

// Warnings are those of the node that has answered.
func (r *Rows) Warnings() []string { return r.warnings }

// Bytes is the encoded value of the current row's i-th column, as CQL has it;
// nil is null. It must not be changed, and is valid until Next or Close, or
// until Receive returns.
func (r *Rows) Bytes(i int) []byte { return r.row[i] }

// IsNull tells whether the value is null.
func (r *Rows) IsNull(i int) bool { return r.row[i] == nil }

// Int is the value of a whole number of up to 64 bits, a timestamp
// (milliseconds) or time (nanoseconds); 0 for null and for other types.
func (r *Rows) Int(i int) int64 {
	switch b := r.row[i]; len(b) {
	case 1:
		return int64(int8(b[0]))
	case 2:
		return int64(int16(binary.BigEndian.Uint16(b)))
	case 4:
		return int64(int32(binary.BigEndian.Uint32(b)))
	case 8:
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// Float is the value of a float or double; 0 for null and for other types.
func (r *Rows) Float(i int) float64 {
	switch b := r.row[i]; len(b) {
	case 4:
		return float64(math.Float32frombits(binary.BigEndian.Uint32(b)))
	case 8:
		return math.Float64frombits(binary.BigEndian.Uint64(b))
	}
	return 0
}

// Bool is the value of a boolean; false for null.
func (r *Rows) Bool(i int) bool {
	b := r.row[i]
	return len(b) == 1 && b[0] != 0
}

// Text is the value of a text, varchar, ascii or blob; empty for null.
func (r *Rows) Text(i int) string { return string(r.row[i]) }

// UUID is the value of a uuid or timeuuid; zero for null.
func (r *Rows) UUID(i int) (u schema.UUID) {
	copy(u[:], r.row[i])
	return u
}

// Scan stores the values of the current row in what the destinations point to;
// nil passes over a value, null makes zero.
func (r *Rows) Scan(dst ...any) error {
	if len(dst) != len(r.row) {
		return fmt.Errorf("client: scan: %d destinations for %d values", len(dst), len(r.row))
	}
	for i := range dst {
		t := r.columns[i].Type
		if r.row[i] != nil {
			if err := t.Validate(r.row[i]); err != nil {
				return fmt.Errorf("client: column %s: %w", r.columns[i].Name, err)
			}
		}
		if err := value.Scan(t, r.row[i], dst[i]); err != nil {
			return fmt.Errorf("client: column %s: %w", r.columns[i].Name, err)
		}
	}
	return nil
}

// Values are the current row as Go values.
func (r *Rows) Values() ([]any, error) {
	out := make([]any, len(r.row))
	dst := make([]any, len(r.row))
	for i := range out {
		dst[i] = &out[i]
	}
	return out, r.Scan(dst...)
}

// Err is the error that ended the rows, or nil.
func (r *Rows) Err() error { return r.err }

// Close ends the rows and returns Err. It may be called more than once. Rows
// that are not closed hold nothing but memory.
func (r *Rows) Close() error {
	if !r.shared {
		r.left, r.more, r.row, r.values, r.buf = 0, nil, nil, nil, nil
	}
	return r.err
}

// own copies a page, so that it stays valid.
func (r *Rows) own(body []byte) []byte {
	r.buf = slices.Clone(body)
	return r.buf
}

// paged makes Next ask for further pages.
func (r *Rows) paged(ctx context.Context, s *Session, q *Query) *Rows {
	if len(r.state) == 0 {
		return r
	}
	// The caller may use his query again.
	c := *q
	c.values, c.ends = slices.Clone(q.values), slices.Clone(q.ends)
	r.more = func() (*Rows, error) {
		c.state = append([]byte(nil), r.state...)
		return s.execute(ctx, &c)
	}
	return r
}
