package native

// Query is the body of QUERY. Reusable; slices alias the frame.
type Query struct {
	Text   []byte
	Params QueryParams
}

// Decode fills q from a body without prefix.
func (q *Query) Decode(body []byte, version uint8) error {
	q.Params.Reset()
	r := reader{b: body}
	q.Text = r.long()
	if r.bad {
		return Protocol("Request body ends too early")
	}
	return q.Params.decode(&r, version)
}

// Prepare is the body of PREPARE. Slices alias the frame.
type Prepare struct {
	Text []byte
	// Keyspace is nil unless a v5 client sent one.
	Keyspace []byte
}

// Decode fills p from a body without prefix.
func (p *Prepare) Decode(body []byte, version uint8) error {
	*p = Prepare{}
	r := reader{b: body}
	p.Text = r.long()
	// Some clients of v5 leave the flags out when they are zero.
	if version >= V5 && len(r.b) > 0 && r.u32()&prepareKeyspace != 0 {
		p.Keyspace = r.short()
	}
	if r.bad {
		return Protocol("Request body ends too early")
	}
	return nil
}

// Execute is the body of EXECUTE. Reusable; slices alias the frame.
type Execute struct {
	ID [16]byte
	// ResultMetadataID is what the client believes the result to look like (v5).
	ResultMetadataID []byte
	Params           QueryParams
}

func readID(r *reader) (id [16]byte, err error) {
	p := r.short()
	if r.bad {
		return id, Protocol("Request body ends too early")
	}
	if len(p) != len(id) {
		return id, Protocol("Id of a prepared statement has %d bytes instead of 16", len(p))
	}
	return [16]byte(p), nil
}

// Decode fills e from a body without prefix.
func (e *Execute) Decode(body []byte, version uint8) (err error) {
	e.Params.Reset()
	e.ResultMetadataID = nil
	r := reader{b: body}
	if e.ID, err = readID(&r); err != nil {
		return err
	}
	if version >= V5 {
		e.ResultMetadataID = r.short()
	}
	return e.Params.decode(&r, version)
}

// BatchType is the kind of a batch.
type BatchType uint8

// Kinds of batches.
const (
	BatchLogged   BatchType = 0
	BatchUnlogged BatchType = 1
	BatchCounter  BatchType = 2
)

// BatchStatement is one statement of a Batch: a text or the id of a prepared
// statement.
type BatchStatement struct {
	Text     []byte
	ID       [16]byte
	Prepared bool

	from, to int // range of its values in Params.Values
}

// Batch is the body of BATCH. Reusable; slices alias the frame.
type Batch struct {
	Type       BatchType
	Statements []BatchStatement
	// Params has the values of all statements, one after the other, see
	// Values; paging and names are never set.
	Params QueryParams
}

// Values are the values of the i-th statement.
func (b *Batch) Values(i int) []Value {
	s := &b.Statements[i]
	return b.Params.Values[s.from:s.to:s.to]
}

// Start makes b an empty batch, for Add.
func (b *Batch) Start(t BatchType) {
	b.Params.Reset()
	clear(b.Statements)
	if b.Statements = b.Statements[:0]; cap(b.Statements) > keepValues {
		b.Statements = nil
	}
	b.Type = t
}

// Add adds the execution of a prepared statement.
func (b *Batch) Add(id [16]byte, values []Value) {
	from := len(b.Params.Values)
	b.Params.Values = append(b.Params.Values, values...)
	b.Statements = append(b.Statements, BatchStatement{ID: id, Prepared: true, from: from, to: len(b.Params.Values)})
}

// Decode fills b from a body without prefix.
func (b *Batch) Decode(body []byte, version uint8) (err error) {
	r := reader{b: body}
	b.Start(BatchType(r.u8()))
	if b.Type > BatchCounter {
		return Protocol("Invalid batch type %d", b.Type)
	}
	for n := r.u16(); n > 0 && !r.bad; n-- {
		if err := b.decodeStatement(&r, version); err != nil {
			return err
		}
	}
	if r.bad {
		return Protocol("Request body ends too early")
	}
	if b.Params.Consistency, err = readConsistency(&r); err != nil {
		return err
	}
	flags := readFlags(&r, version)
	if flags&(queryValues|queryNamedValues) != 0 {
		return Protocol("Named values are not supported in BATCH")
	}
	return b.Params.decodeTail(&r, version, flags)
}

func (b *Batch) decodeStatement(r *reader, version uint8) (err error) {
	var s BatchStatement
	switch kind := r.u8(); kind {
	case 0:
		s.Text = r.long()
	case 1:
		s.Prepared = true
		if s.ID, err = readID(r); err != nil {
			return err
		}
	default:
		return Protocol("Invalid query kind in BATCH messages. Must be 0 or 1 but got %d", kind)
	}
	s.from = len(b.Params.Values)
	if err := b.Params.decodeValues(r, version, false); err != nil {
		return err
	}
	s.to = len(b.Params.Values)
	b.Statements = append(b.Statements, s)
	return nil
}

// Options of STARTUP that the server knows; all others are kept and shown.
const (
	OptionCQLVersion      = "CQL_VERSION"
	OptionCompression     = "COMPRESSION"
	OptionDriverName      = "DRIVER_NAME"
	OptionDriverVersion   = "DRIVER_VERSION"
	OptionThrowOnOverload = "THROW_ON_OVERLOAD"
	optionProtocols       = "PROTOCOL_VERSIONS"
)

// DecodeStartup returns the options of STARTUP; they do not alias body.
func DecodeStartup(body []byte) (map[string]string, error) {
	r := reader{b: body}
	options := make(map[string]string)
	for n := r.u16(); n > 0 && !r.bad; n-- {
		k, v := r.short(), r.short()
		if !r.bad {
			options[string(k)] = string(v)
		}
	}
	if r.bad {
		return nil, Protocol("Malformed STARTUP")
	}
	return options, nil
}

// DecodeAuthResponse returns the token of AUTH_RESPONSE, aliasing body.
func DecodeAuthResponse(body []byte) ([]byte, error) {
	r := reader{b: body}
	token := r.bytes()
	if r.bad {
		return nil, Protocol("Malformed AUTH_RESPONSE")
	}
	return token, nil
}

// EventKinds is a set of kinds of events.
type EventKinds uint8

// Kinds of events that a client may register for.
const (
	TopologyChange EventKinds = 1 << iota
	StatusChange
	SchemaChangeEvents
)

// DecodeRegister returns the kinds that REGISTER names.
func DecodeRegister(body []byte) (EventKinds, error) {
	r := reader{b: body}
	var kinds EventKinds
	for n := r.u16(); n > 0 && !r.bad; n-- {
		switch name := r.short(); string(name) {
		case "TOPOLOGY_CHANGE":
			kinds |= TopologyChange
		case "STATUS_CHANGE":
			kinds |= StatusChange
		case "SCHEMA_CHANGE":
			kinds |= SchemaChangeEvents
		default:
			if !r.bad {
				return 0, Protocol("Invalid value '%s' for Type", name)
			}
		}
	}
	if r.bad {
		return 0, Protocol("Malformed REGISTER")
	}
	return kinds, nil
}
