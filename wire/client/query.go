package client

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/cql/value"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/wire"
)

// Query is an execution of a Statement in the making: its values, bound in the
// order of the markers, and how it is to be done. It may be used again after
// Execute or Send has returned. A mistake while binding is kept and returned by
// these. Not safe for concurrent use.
type Query struct {
	st     *Statement
	shape  *shape
	values []byte
	ends   []int // of each value in values
	err    error

	level      ring.ConsistencyLevel
	serial     ring.ConsistencyLevel
	timestamp  int64
	pageSize   int
	state      []byte
	timeout    time.Duration
	has        queryFlags
	idempotent bool
}

type queryFlags uint8

const (
	hasLevel queryFlags = 1 << iota
	hasSerial
	hasTimestamp
)

// Reset drops the values and what was set.
func (q *Query) Reset() *Query {
	*q = Query{st: q.st, shape: q.st.shape.Load(), values: q.values[:0], ends: q.ends[:0], state: q.state[:0]}
	return q
}

// Rebind drops the values alone.
func (q *Query) Rebind() *Query {
	q.shape, q.values, q.ends, q.err = q.st.shape.Load(), q.values[:0], q.ends[:0], nil
	return q
}

// SetConsistency sets the level.
func (q *Query) SetConsistency(level ring.ConsistencyLevel) *Query {
	q.level, q.has = level, q.has|hasLevel
	return q
}

// SetSerial sets the level of a condition: SERIAL or LOCAL_SERIAL.
func (q *Query) SetSerial(level ring.ConsistencyLevel) *Query {
	q.serial, q.has = level, q.has|hasSerial
	return q
}

// SetTimestamp sets the time of a write in microseconds since 1970; without,
// the node that takes it gives it one.
func (q *Query) SetTimestamp(micros int64) *Query {
	q.timestamp, q.has = micros, q.has|hasTimestamp
	return q
}

// SetPageSize sets how many rows a page has.
func (q *Query) SetPageSize(rows int) *Query {
	q.pageSize = rows
	return q
}

// SetPagingState goes on where Rows.PagingState tells.
func (q *Query) SetPagingState(state []byte) *Query {
	q.state = append(q.state[:0], state...)
	return q
}

// SetTimeout sets how long all attempts together may take.
func (q *Query) SetTimeout(d time.Duration) *Query {
	q.timeout = d
	return q
}

// SetIdempotent tells whether it does no harm if the statement is done twice:
// then it is tried again when its outcome is unknown. A SELECT always is.
func (q *Query) SetIdempotent(yes bool) *Query {
	q.idempotent = yes
	return q
}

// next is the type of the value that is to be bound, nil after a mistake.
func (q *Query) next() *schema.Type {
	switch n := len(q.ends); {
	case q.err != nil:
		return nil
	case n >= len(q.shape.Bind):
		q.err = fmt.Errorf("client: the statement has %d markers, and a value more was bound", len(q.shape.Bind))
		return nil
	default:
		return q.shape.Bind[n].Type
	}
}

func (q *Query) mismatch(what string, t *schema.Type) *Query {
	q.err = fmt.Errorf("client: %s does not fit marker %q of type %s", what, q.shape.Bind[len(q.ends)].Name, t)
	return q
}

// head starts a value of n bytes and end ends it.
func (q *Query) head(n int) {
	q.values = binary.BigEndian.AppendUint32(q.values, uint32(n))
}

func (q *Query) end() *Query {
	q.ends = append(q.ends, len(q.values))
	return q
}

// Bind binds Go values, any number of them. nil is null, Unset leaves a column
// alone, and a string stands for a value of any simple type. Use Int and the
// like where it matters that nothing is allocated.
func (q *Query) Bind(values ...any) *Query {
	for _, v := range values {
		t := q.next()
		if t == nil {
			return q
		}
		enc, err := value.Encode(t, v)
		if err != nil {
			q.err = fmt.Errorf("client: marker %q: %w", q.shape.Bind[len(q.ends)].Name, err)
			return q
		}
		q.values = wire.AppendValue(q.values, enc)
		q.end()
	}
	return q
}

// Unset as a value leaves a column alone.
var Unset = value.Unset

// Null binds null.
func (q *Query) Null() *Query { return q.bindNone(native.Value{}) }

// Unset binds nothing: the column is left alone.
func (q *Query) Unset() *Query { return q.bindNone(native.Value{Unset: true}) }

func (q *Query) bindNone(v native.Value) *Query {
	if q.next() == nil {
		return q
	}
	q.values = wire.AppendValue(q.values, v)
	return q.end()
}

// Int binds a tinyint, smallint, int, bigint, counter, timestamp (milliseconds)
// or time (nanoseconds).
func (q *Query) Int(v int64) *Query {
	t := q.next()
	if t == nil {
		return q
	}
	size := t.FixedLen()
	switch t.Kind() {
	case schema.KindTinyint, schema.KindSmallint, schema.KindInt:
		if shift := 64 - 8*size; v<<shift>>shift != v {
			return q.mismatch(fmt.Sprint(v), t)
		}
	case schema.KindBigint, schema.KindCounter, schema.KindTimestamp, schema.KindTime:
		size = 8
	default:
		return q.mismatch("an integer", t)
	}
	q.head(size)
	for i := size - 1; i >= 0; i-- {
		q.values = append(q.values, byte(v>>(8*i)))
	}
	return q.end()
}

// Float binds a float or double.
func (q *Query) Float(v float64) *Query {
	t := q.next()
	if t == nil {
		return q
	}
	switch t.Kind() {
	case schema.KindFloat:
		q.head(4)
		q.values = binary.BigEndian.AppendUint32(q.values, math.Float32bits(float32(v)))
	case schema.KindDouble:
		q.head(8)
		q.values = binary.BigEndian.AppendUint64(q.values, math.Float64bits(v))
	default:
		return q.mismatch("a float", t)
	}
	return q.end()
}

// Bool binds a boolean.
func (q *Query) Bool(v bool) *Query {
	t := q.next()
	if t == nil {
		return q
	}
	if t.Kind() != schema.KindBoolean {
		return q.mismatch("a boolean", t)
	}
	q.head(1)
	var b byte
	if v {
		b = 1
	}
	q.values = append(q.values, b)
	return q.end()
}

// Text binds a text, varchar, ascii or blob.
func (q *Query) Text(v string) *Query {
	if t := q.next(); t == nil || !q.isBytes(t) {
		return q
	}
	q.head(len(v))
	q.values = append(q.values, v...)
	return q.end()
}

// Bytes binds a text, varchar, ascii or blob; nil is null.
func (q *Query) Bytes(v []byte) *Query {
	if t := q.next(); t == nil || !q.isBytes(t) {
		return q
	}
	q.values = wire.AppendValue(q.values, native.Value{Bytes: v})
	return q.end()
}

func (q *Query) isBytes(t *schema.Type) bool {
	switch t.Kind() {
	case schema.KindText, schema.KindASCII, schema.KindBlob:
		return true
	}
	q.mismatch("a string", t)
	return false
}

// UUID binds a uuid or timeuuid.
func (q *Query) UUID(v [16]byte) *Query {
	t := q.next()
	if t == nil {
		return q
	}
	if t.Kind() != schema.KindUUID && t.Kind() != schema.KindTimeUUID {
		return q.mismatch("a UUID", t)
	}
	q.head(16)
	q.values = append(q.values, v[:]...)
	return q.end()
}

// Raw binds a value of any type that is encoded already, as CQL has it; nil is
// null.
func (q *Query) Raw(v []byte) *Query { return q.bindNone(native.Value{Bytes: v}) }

// bound is the encoded i-th value; nil for null and unset.
func (q *Query) bound(i int) []byte {
	start := 0
	if i > 0 {
		start = q.ends[i-1]
	}
	b := q.values[start:q.ends[i]]
	if int32(binary.BigEndian.Uint32(b)) < 0 {
		return nil
	}
	return b[4:]
}

// token is that of the partition key, if all of it is bound. scratch is
// returned, grown perhaps.
func (q *Query) token(scratch []byte) (_ []byte, t ring.Token, ok bool) {
	key := q.shape.PartitionKey
	switch len(key) {
	case 0:
		return scratch, 0, false
	case 1:
		b := q.bound(int(key[0]))
		return scratch, ring.Murmur3(b), len(b) > 0
	}
	scratch = scratch[:0]
	for _, i := range key {
		b := q.bound(int(i))
		if len(b) > math.MaxUint16 || b == nil {
			return scratch, 0, false
		}
		scratch = binary.BigEndian.AppendUint16(scratch, uint16(len(b)))
		scratch = append(scratch, b...)
		scratch = append(scratch, 0)
	}
	return scratch, ring.Murmur3(scratch), true
}

// options are what is sent of how it is to be done.
func (q *Query) options(cfg *Config) wire.ExecuteOptions {
	o := wire.ExecuteOptions{
		Consistency: uint8(cfg.Consistency), PageSize: uint32(cfg.PageSize),
		Timestamp: q.timestamp, HasTimestamp: q.has&hasTimestamp != 0,
		Serial: uint8(q.serial), HasSerial: q.has&hasSerial != 0,
	}
	if q.has&hasLevel != 0 {
		o.Consistency = uint8(q.level)
	}
	if q.pageSize > 0 {
		o.PageSize = uint32(q.pageSize)
	}
	if len(q.state) > 0 {
		o.PagingState = q.state
	}
	if !q.shape.Read {
		o.PageSize = 0
	}
	return o
}

// complete tells whether it can be sent.
func (q *Query) complete() error {
	if q.err != nil {
		return q.err
	}
	if len(q.ends) != len(q.shape.Bind) {
		return fmt.Errorf("client: the statement has %d markers, %d are bound", len(q.shape.Bind), len(q.ends))
	}
	return nil
}
