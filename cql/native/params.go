package native

import "math"

// Value is one bound value. It aliases the frame it was decoded from.
type Value struct {
	// Bytes is the value; nil is null.
	Bytes []byte
	// Unset means that the statement leaves the column alone (v4 and later).
	Unset bool
}

// IsNull tells whether the value is null; an unset value is not.
func (v Value) IsNull() bool { return v.Bytes == nil && !v.Unset }

// QueryParams is what follows the statement in QUERY and EXECUTE. It is meant
// to be reused: Decode keeps the capacity of its slices. All byte slices alias
// the frame.
type QueryParams struct {
	Consistency Consistency
	// Values are positional, or named by Names at the same index.
	Values []Value
	// Names is empty or has one name per value.
	Names        [][]byte
	SkipMetadata bool
	// PageSize in rows; 0 or less is no paging.
	PageSize    int32
	PagingState []byte
	// SerialConsistency is Serial unless the client said otherwise.
	SerialConsistency Consistency
	// Timestamp in microseconds, if HasTimestamp.
	Timestamp    int64
	HasTimestamp bool
	// Keyspace overrides the connection's one for this request (v5); nil if not given.
	Keyspace []byte
	// NowInSeconds overrides the clock for TTLs (v5), if HasNow.
	NowInSeconds int32
	HasNow       bool
}

// keepValues is the capacity that a reused slice of values may keep.
const keepValues = 1024

// Reset empties p but keeps moderate capacity.
func (p *QueryParams) Reset() {
	values, names := p.Values, p.Names
	clear(values)
	clear(names)
	if cap(values) > keepValues {
		values, names = nil, nil
	}
	*p = QueryParams{Values: values[:0], Names: names[:0], SerialConsistency: Serial}
}

func readFlags(r *reader, version uint8) uint32 {
	if version >= V5 {
		return r.u32()
	}
	return uint32(r.u8())
}

func readConsistency(r *reader) (Consistency, error) {
	c := Consistency(r.u16())
	if !c.Valid() {
		return 0, Protocol("Unknown consistency level code %d", uint16(c))
	}
	return c, nil
}

// readValue reads a [value]: null, unset or bytes.
func readValue(r *reader, version uint8) (Value, error) {
	n := r.i32()
	switch {
	case n >= 0:
		return Value{Bytes: r.take(int(n))}, nil
	case n == -2 && version >= V4:
		return Value{Unset: true}, nil
	case n == -1 || version < V4:
		return Value{}, nil
	}
	return Value{}, Protocol("Invalid ByteBuf length %d", n)
}

// decode takes the parameters off r. p must have been Reset.
func (p *QueryParams) decode(r *reader, version uint8) (err error) {
	if p.Consistency, err = readConsistency(r); err != nil {
		return err
	}
	flags := readFlags(r, version)
	if flags&queryValues != 0 {
		if err := p.decodeValues(r, version, flags&queryNamedValues != 0); err != nil {
			return err
		}
	}
	p.SkipMetadata = flags&querySkipMetadata != 0
	if flags&queryPageSize != 0 {
		p.PageSize = r.i32()
	}
	if flags&queryPagingState != 0 {
		p.PagingState = r.bytes()
	}
	return p.decodeTail(r, version, flags)
}

func (p *QueryParams) decodeValues(r *reader, version uint8, named bool) error {
	n := int(r.u16())
	// A value takes at least its length: never grow beyond what is there.
	if n > len(r.b)/4 {
		return Protocol("%d values do not fit into the body", n)
	}
	for range n {
		if named {
			p.Names = append(p.Names, r.short())
		}
		v, err := readValue(r, version)
		if err != nil {
			return err
		}
		p.Values = append(p.Values, v)
	}
	return nil
}

// decodeTail takes what QUERY, EXECUTE and BATCH have in common.
func (p *QueryParams) decodeTail(r *reader, version uint8, flags uint32) (err error) {
	if flags&querySerialConsistency != 0 {
		if p.SerialConsistency, err = readConsistency(r); err != nil {
			return err
		}
		if !p.SerialConsistency.IsSerial() {
			return Invalid("Invalid consistency for conditional update. Must be one of SERIAL or LOCAL_SERIAL")
		}
	}
	if flags&queryTimestamp != 0 {
		p.Timestamp, p.HasTimestamp = int64(r.u64()), true
		if p.Timestamp == math.MinInt64 && !r.bad {
			return Protocol("Out of bound timestamp, must be in [%d, %d] (got %d)",
				int64(math.MinInt64+1), int64(math.MaxInt64), p.Timestamp)
		}
	}
	if version >= V5 && flags&queryKeyspace != 0 {
		p.Keyspace = r.short()
	}
	if version >= V5 && flags&queryNowInSeconds != 0 {
		p.NowInSeconds, p.HasNow = r.i32(), true
	}
	if r.bad {
		return Protocol("Request body ends too early")
	}
	return nil
}
