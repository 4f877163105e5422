package wire

import (
	"encoding/binary"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/encoding"
)

// ExecuteOptions are what an execution, a query or a batch is done with.
type ExecuteOptions struct {
	Consistency  uint8 // as CQL numbers them
	Serial       uint8 // of conditions, if HasSerial
	HasSerial    bool
	PageSize     uint32 // rows, 0 for the receiver's default
	PagingState  []byte // nil for the first page
	Timestamp    int64  // of a write, microseconds, if HasTimestamp
	HasTimestamp bool
}

const (
	optionPage = 1 << iota
	optionState
	optionTimestamp
	optionSerial
	optionsKnown = optionPage | optionState | optionTimestamp | optionSerial
)

// Append appends the encoded options.
func (o *ExecuteOptions) Append(dst []byte) []byte {
	at := len(dst) + 1
	dst = append(dst, o.Consistency, 0)
	if o.PageSize != 0 {
		dst[at] |= optionPage
		dst = appendU32(dst, o.PageSize)
	}
	if o.PagingState != nil {
		dst[at] |= optionState
		dst = encoding.AppendBytes(dst, o.PagingState)
	}
	if o.HasTimestamp {
		dst[at] |= optionTimestamp
		dst = appendU64(dst, uint64(o.Timestamp))
	}
	if o.HasSerial {
		dst[at] |= optionSerial
		dst = append(dst, o.Serial)
	}
	return dst
}

// read reads options; the paging state aliases the input.
func (o *ExecuteOptions) read(r *encoding.Reader) {
	*o = ExecuteOptions{Consistency: r.U8()}
	flags := r.U8()
	if flags&^optionsKnown != 0 {
		r.Fail(unknownFlags("options", flags))
	}
	if flags&optionPage != 0 {
		o.PageSize = r.U32()
	}
	if flags&optionState != 0 {
		o.PagingState = r.Bytes()
	}
	if flags&optionTimestamp != 0 {
		o.Timestamp, o.HasTimestamp = int64(r.U64()), true
	}
	if flags&optionSerial != 0 {
		o.Serial, o.HasSerial = r.U8(), true
	}
}

const (
	// maxValues bounds the values of a statement, as CQL does.
	maxValues = 1<<16 - 1
	// maxBatchValues bounds those of a batch.
	maxBatchValues = 1 << 20
)

// Lengths that are none.
const (
	valueNull  = -1
	valueUnset = -2
)

// AppendValue appends a bound value.
func AppendValue(dst []byte, v native.Value) []byte {
	n := int32(len(v.Bytes))
	switch {
	case v.Unset:
		n = valueUnset
	case v.Bytes == nil:
		n = valueNull
	}
	return append(binary.BigEndian.AppendUint32(dst, uint32(n)), v.Bytes...)
}

// readValues reads a count and that many values, which alias the input.
func readValues(r *encoding.Reader, values []native.Value) []native.Value {
	n := r.Uvarint()
	if n > maxValues || n > uint64(r.Len())/4 {
		r.Fail(encoding.ErrShort)
		return values
	}
	for range n {
		head := r.Take(4)
		if head == nil {
			break
		}
		switch size := int32(binary.BigEndian.Uint32(head)); {
		case size >= 0:
			values = append(values, native.Value{Bytes: r.Take(int(size))})
		case size == valueNull:
			values = append(values, native.Value{})
		case size == valueUnset:
			values = append(values, native.Value{Unset: true})
		default:
			r.Fail(corrupt("value", "a length of %d", size))
		}
	}
	return values
}

// Execution is one execution of a prepared statement.
type Execution struct {
	Statement int // position among the statements of the body
	Options   ExecuteOptions
	Values    []native.Value
}

// AppendBinding appends an execution without the statement that it is of:
// options, and values that are encoded already, as AppendValue does it.
func AppendBinding(dst []byte, o *ExecuteOptions, count int, values []byte) []byte {
	dst = o.Append(dst)
	dst = encoding.AppendUvarint(dst, uint64(count))
	return append(dst, values...)
}

// AppendExecution appends an execution of a statement.
func AppendExecution(dst []byte, statement int, binding []byte) []byte {
	return append(encoding.AppendUvarint(dst, uint64(statement)), binding...)
}

// AppendStatements appends the head of OpExecute's body, which executions
// follow to its end.
func AppendStatements(dst []byte, refs []StatementRef) []byte {
	dst = encoding.AppendUvarint(dst, uint64(len(refs)))
	for i := range refs {
		dst = refs[i].Append(dst)
	}
	return dst
}

// Executions walks over the body of OpExecute. Not safe for concurrent use.
type Executions struct {
	Statements []StatementRef
	body       []byte
	r          encoding.Reader
}

// Init begins a walk over b, which everything aliases that Next returns.
func (x *Executions) Init(b []byte) error {
	x.body, x.r = b, encoding.NewReader(b)
	x.Statements = readRefs(&x.r, x.Statements[:0])
	return x.Err()
}

// Left is how many bytes are left to walk over.
func (x *Executions) Left() int { return x.r.Len() }

// Again goes back to the execution at which Left was as told.
func (x *Executions) Again(left int) { x.r = encoding.NewReader(x.body[len(x.body)-left:]) }

// Next decodes the next execution into e, whose slice of values it reuses.
// False is the end, or an error.
func (x *Executions) Next(e *Execution) bool {
	r := &x.r
	if r.Err() != nil || r.Len() == 0 {
		return false
	}
	n := r.Uvarint()
	e.Options.read(r)
	e.Values = readValues(r, e.Values[:0])
	if n >= uint64(len(x.Statements)) {
		r.Fail(corrupt("execution", "statement %d of %d", n, len(x.Statements)))
	}
	e.Statement = int(min(n, uint64(len(x.Statements))))
	return r.Err() == nil
}

// Err tells why the walk ended, nil at the end of the body.
func (x *Executions) Err() error {
	return decodeError(&x.r, "execute")
}

// Query is the body of OpQuery: a statement without markers.
type Query struct {
	Keyspace string // of names without one; may be empty
	Text     string
	Options  ExecuteOptions
}

// Append appends the encoded body.
func (q *Query) Append(dst []byte) []byte {
	dst = encoding.AppendString(encoding.AppendString(dst, q.Keyspace), q.Text)
	return q.Options.Append(dst)
}

// Decode decodes a body; the paging state aliases b.
func (q *Query) Decode(b []byte) error {
	r := encoding.NewReader(b)
	q.Keyspace, q.Text = r.String(), r.String()
	q.Options.read(&r)
	return finish(&r, "query")
}

// BatchKind says how far the statements of a batch belong together. On the
// wire, never renumber.
type BatchKind uint8

// Kinds of batches.
const (
	// BatchLogged is done in the end whole or not at all.
	BatchLogged BatchKind = iota
	// BatchUnlogged may be done in part if it concerns several partitions.
	BatchUnlogged
	// BatchCounter changes counters.
	BatchCounter
	lastBatchKind = BatchCounter
)

// Batch is the body of OpBatch: writes that are done together. Options has no
// paging.
type Batch struct {
	Kind       BatchKind
	Options    ExecuteOptions
	Statements []StatementRef
	Entries    []BatchEntry
	values     []native.Value // of all entries
}

// BatchEntry is a statement of a batch with its values.
type BatchEntry struct {
	Statement int // position among the statements of the body
	Values    []native.Value
}

// Append appends the encoded body.
func (b *Batch) Append(dst []byte) []byte {
	dst = append(dst, byte(b.Kind))
	dst = b.Options.Append(dst)
	dst = AppendStatements(dst, b.Statements)
	for i := range b.Entries {
		e := &b.Entries[i]
		dst = encoding.AppendUvarint(dst, uint64(e.Statement))
		dst = encoding.AppendUvarint(dst, uint64(len(e.Values)))
		for _, v := range e.Values {
			dst = AppendValue(dst, v)
		}
	}
	return dst
}

// Decode decodes a body; values alias p.
func (b *Batch) Decode(p []byte) error {
	r := encoding.NewReader(p)
	b.Kind = BatchKind(r.U8())
	if b.Kind > lastBatchKind {
		return corrupt("batch", "kind %d", b.Kind)
	}
	b.Options.read(&r)
	b.Statements = readRefs(&r, b.Statements[:0])
	b.Entries, b.values = b.Entries[:0], b.values[:0]
	for r.Err() == nil && r.Len() > 0 {
		n := r.Uvarint()
		if n >= uint64(len(b.Statements)) {
			r.Fail(corrupt("batch", "statement %d of %d", n, len(b.Statements)))
			break
		}
		at := len(b.values)
		if b.values = readValues(&r, b.values); len(b.values) > maxBatchValues {
			r.Fail(corrupt("batch", "more than %d values", maxBatchValues))
		}
		b.Entries = append(b.Entries, BatchEntry{Statement: int(n), Values: b.values[at:len(b.values):len(b.values)]})
	}
	return finish(&r, "batch")
}
