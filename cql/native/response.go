package native

// The functions of this file append the body of a response, without header
// and prefix. They allocate nothing beyond growing dst.

// AppendVoid appends a RESULT without content.
func AppendVoid(dst []byte) []byte { return appendI32(dst, resultVoid) }

// AppendSetKeyspace appends the RESULT of USE.
func AppendSetKeyspace(dst []byte, keyspace string) []byte {
	return AppendString(appendI32(dst, resultSetKeyspace), keyspace)
}

// RowsHead says what precedes the rows of a RESULT.
type RowsHead struct {
	Metadata *Metadata
	// SkipMetadata leaves the columns out, as the client asked.
	SkipMetadata bool
	// PagingState is not nil if there are more pages.
	PagingState []byte
	// Changed announces to a v5 client that the metadata is not what it
	// believes; the columns are then sent in any case.
	Changed bool
}

// AppendRowsHead appends a RESULT of rows up to and including a count of rows
// of 0. After it come the values of all rows, see AppendValue, and SetRowCount
// with the returned offset.
func AppendRowsHead(dst []byte, version uint8, h *RowsHead) (_ []byte, countAt int) {
	changed := h.Changed && version >= V5
	skip := h.SkipMetadata && !changed
	var flags uint32
	if h.PagingState != nil {
		flags |= rowsHasMorePages
	}
	if skip {
		flags |= rowsNoMetadata
	} else if h.Metadata.global {
		flags |= rowsGlobalTable
	}
	if changed {
		flags |= rowsMetadataChanged
	}
	dst = appendI32(dst, resultRows)
	dst = appendU32(dst, flags)
	dst = appendI32(dst, int32(len(h.Metadata.columns)))
	if h.PagingState != nil {
		dst = AppendValue(dst, h.PagingState)
	}
	if changed {
		id := h.Metadata.ID()
		dst = appendShortBytes(dst, id[:])
	}
	if !skip {
		dst = append(dst, h.Metadata.encoded(version)...)
	}
	return appendI32(dst, 0), len(dst)
}

// SetRowCount fills in the count of rows at the offset AppendRowsHead returned.
func SetRowCount(dst []byte, countAt, rows int) { be.PutUint32(dst[countAt:], uint32(rows)) }

// PreparedResult is the answer to PREPARE.
type PreparedResult struct {
	ID [16]byte
	// Bind describes the markers.
	Bind *Metadata
	// PartitionKey has, for each column of the partition key in its order, the
	// index of the marker that binds it; empty if not all are bound.
	PartitionKey []uint16
	// Result describes the rows, or is nil for statements without.
	Result *Metadata
}

var noColumns = NewMetadata(nil)

// ResultID is the id of the result's metadata.
func (p *PreparedResult) ResultID() [16]byte {
	if p.Result == nil {
		return noColumns.ID()
	}
	return p.Result.ID()
}

// AppendPrepared appends a RESULT of a prepared statement.
func AppendPrepared(dst []byte, version uint8, p *PreparedResult) []byte {
	dst = appendI32(dst, resultPrepared)
	dst = appendShortBytes(dst, p.ID[:])
	if version >= V5 {
		id := p.ResultID()
		dst = appendShortBytes(dst, id[:])
	}
	bind := p.Bind
	if bind == nil {
		bind = noColumns
	}
	dst = appendU32(dst, globalFlag(bind))
	dst = appendI32(dst, int32(len(bind.columns)))
	if version >= V4 {
		dst = appendI32(dst, int32(len(p.PartitionKey)))
		for _, i := range p.PartitionKey {
			dst = appendU16(dst, i)
		}
	}
	dst = append(dst, bind.encoded(version)...)
	if p.Result == nil {
		dst = appendU32(dst, rowsNoMetadata)
		return appendI32(dst, 0)
	}
	dst = appendU32(dst, globalFlag(p.Result))
	dst = appendI32(dst, int32(len(p.Result.columns)))
	return append(dst, p.Result.encoded(version)...)
}

func globalFlag(m *Metadata) uint32 {
	if m.global {
		return rowsGlobalTable
	}
	return 0
}

// SchemaChange is what a schema statement did: the body of a RESULT and of an
// EVENT.
type SchemaChange struct {
	Change   string // CREATED, UPDATED or DROPPED
	Target   string // KEYSPACE, TABLE, TYPE, FUNCTION or AGGREGATE
	Keyspace string
	Name     string   // not for KEYSPACE
	Args     []string // types of arguments, FUNCTION and AGGREGATE
}

// Changes and targets of a SchemaChange.
const (
	ChangeCreated = "CREATED"
	ChangeUpdated = "UPDATED"
	ChangeDropped = "DROPPED"

	TargetKeyspace  = "KEYSPACE"
	TargetTable     = "TABLE"
	TargetType      = "TYPE"
	TargetFunction  = "FUNCTION"
	TargetAggregate = "AGGREGATE"
)

func (c *SchemaChange) append(dst []byte, version uint8) []byte {
	isFunc := c.Target == TargetFunction || c.Target == TargetAggregate
	if isFunc && version < V4 {
		dst = AppendString(dst, ChangeUpdated)
		dst = AppendString(dst, TargetKeyspace)
		return AppendString(dst, c.Keyspace)
	}
	dst = AppendString(dst, c.Change)
	dst = AppendString(dst, c.Target)
	dst = AppendString(dst, c.Keyspace)
	if c.Target != TargetKeyspace {
		dst = AppendString(dst, c.Name)
	}
	if isFunc {
		dst = appendStringList(dst, c.Args)
	}
	return dst
}

// AppendSchemaChange appends the RESULT of a schema statement.
func AppendSchemaChange(dst []byte, version uint8, c *SchemaChange) []byte {
	return c.append(appendI32(dst, resultSchemaChange), version)
}

// AppendAuthenticate appends the body of AUTHENTICATE.
func AppendAuthenticate(dst []byte, class string) []byte { return AppendString(dst, class) }

// PasswordAuthenticator is the class that drivers know to answer with a name
// and a password.
const PasswordAuthenticator = "org.apache.cassandra.auth.PasswordAuthenticator"

// AppendAuthSuccess appends the body of AUTH_SUCCESS; token may be nil.
func AppendAuthSuccess(dst, token []byte) []byte { return AppendValue(dst, token) }

// CQLVersion is the version of the language as SUPPORTED and system tables
// tell it.
const CQLVersion = "3.4.7"

// AppendSupported appends the body of SUPPORTED.
func AppendSupported(dst []byte) []byte {
	dst = appendU16(dst, 3)
	dst = AppendString(dst, optionProtocols)
	dst = appendStringList(dst, []string{"3/v3", "4/v4", "5/v5"})
	dst = AppendString(dst, OptionCompression)
	dst = appendStringList(dst, []string{"snappy", "lz4"})
	dst = AppendString(dst, OptionCQLVersion)
	return appendStringList(dst, []string{CQLVersion})
}
