package native

// Versions of the protocol that this package speaks. V1 and V2 are known only
// so far as to refuse them in their own, shorter frame header.
const (
	V1 uint8 = 1
	V2 uint8 = 2
	V3 uint8 = 3
	V4 uint8 = 4
	V5 uint8 = 5
	V6 uint8 = 6

	// HighestStable is the version that an answer to an unsupported one has.
	HighestStable = V5
)

// Sizes in bytes.
const (
	// HeaderSize is the length of a frame header from v3 on.
	HeaderSize = 9
	// OldHeaderSize is the length of a frame header of v1 and v2.
	OldHeaderSize = 8
	// MaxFrame is the default cap of a frame's body.
	MaxFrame = 16 << 20
	// MaxSegmentPayload is the most that one v5 segment carries.
	MaxSegmentPayload = 1<<17 - 1
)

// EventStream is the stream id of what the server pushes unasked.
const EventStream int16 = -1

// Flags of a frame header.
const (
	FlagCompression   uint8 = 0x01
	FlagTracing       uint8 = 0x02
	FlagCustomPayload uint8 = 0x04
	FlagWarning       uint8 = 0x08
	FlagUseBeta       uint8 = 0x10
)

// Opcode says what a frame's body is.
type Opcode uint8

// Opcodes of the protocol.
const (
	OpError         Opcode = 0x00
	OpStartup       Opcode = 0x01
	OpReady         Opcode = 0x02
	OpAuthenticate  Opcode = 0x03
	OpOptions       Opcode = 0x05
	OpSupported     Opcode = 0x06
	OpQuery         Opcode = 0x07
	OpResult        Opcode = 0x08
	OpPrepare       Opcode = 0x09
	OpExecute       Opcode = 0x0A
	OpRegister      Opcode = 0x0B
	OpEvent         Opcode = 0x0C
	OpBatch         Opcode = 0x0D
	OpAuthChallenge Opcode = 0x0E
	OpAuthResponse  Opcode = 0x0F
	OpAuthSuccess   Opcode = 0x10
)

var opcodeNames = [...]string{
	OpError: "ERROR", OpStartup: "STARTUP", OpReady: "READY", OpAuthenticate: "AUTHENTICATE",
	OpOptions: "OPTIONS", OpSupported: "SUPPORTED", OpQuery: "QUERY", OpResult: "RESULT",
	OpPrepare: "PREPARE", OpExecute: "EXECUTE", OpRegister: "REGISTER", OpEvent: "EVENT",
	OpBatch: "BATCH", OpAuthChallenge: "AUTH_CHALLENGE", OpAuthResponse: "AUTH_RESPONSE",
	OpAuthSuccess: "AUTH_SUCCESS",
}

// String is the name the specification gives the opcode.
func (o Opcode) String() string {
	if int(o) < len(opcodeNames) && opcodeNames[o] != "" {
		return opcodeNames[o]
	}
	return "UNKNOWN"
}

// IsRequest tells whether a client may send the opcode.
func (o Opcode) IsRequest() bool {
	switch o {
	case OpStartup, OpOptions, OpQuery, OpPrepare, OpExecute, OpRegister, OpBatch, OpAuthResponse:
		return true
	}
	return false
}

// Consistency is a consistency level as the protocol numbers it.
type Consistency uint16

// Consistency levels.
const (
	Any         Consistency = 0x0000
	One         Consistency = 0x0001
	Two         Consistency = 0x0002
	Three       Consistency = 0x0003
	Quorum      Consistency = 0x0004
	All         Consistency = 0x0005
	LocalQuorum Consistency = 0x0006
	EachQuorum  Consistency = 0x0007
	Serial      Consistency = 0x0008
	LocalSerial Consistency = 0x0009
	LocalOne    Consistency = 0x000A
)

var consistencyNames = [...]string{
	"ANY", "ONE", "TWO", "THREE", "QUORUM", "ALL", "LOCAL_QUORUM", "EACH_QUORUM", "SERIAL", "LOCAL_SERIAL", "LOCAL_ONE",
}

// Valid tells whether c is a level that the protocol knows.
func (c Consistency) Valid() bool { return int(c) < len(consistencyNames) }

// IsSerial tells whether c is SERIAL or LOCAL_SERIAL.
func (c Consistency) IsSerial() bool { return c == Serial || c == LocalSerial }

// String is the name of the level as CQL spells it.
func (c Consistency) String() string {
	if c.Valid() {
		return consistencyNames[c]
	}
	return "UNKNOWN"
}

// TypeID is the number of a type in result metadata.
type TypeID uint16

// Type ids of the protocol.
const (
	TypeCustom    TypeID = 0x0000
	TypeAscii     TypeID = 0x0001
	TypeBigint    TypeID = 0x0002
	TypeBlob      TypeID = 0x0003
	TypeBoolean   TypeID = 0x0004
	TypeCounter   TypeID = 0x0005
	TypeDecimal   TypeID = 0x0006
	TypeDouble    TypeID = 0x0007
	TypeFloat     TypeID = 0x0008
	TypeInt       TypeID = 0x0009
	TypeTimestamp TypeID = 0x000B
	TypeUUID      TypeID = 0x000C
	TypeVarchar   TypeID = 0x000D
	TypeVarint    TypeID = 0x000E
	TypeTimeuuid  TypeID = 0x000F
	TypeInet      TypeID = 0x0010
	TypeDate      TypeID = 0x0011 // v4 and later, as are time, smallint, tinyint
	TypeTime      TypeID = 0x0012
	TypeSmallint  TypeID = 0x0013
	TypeTinyint   TypeID = 0x0014
	TypeDuration  TypeID = 0x0015 // v5; a custom class before
	TypeList      TypeID = 0x0020
	TypeMap       TypeID = 0x0021
	TypeSet       TypeID = 0x0022
	TypeUDT       TypeID = 0x0030
	TypeTuple     TypeID = 0x0031
)

// Kinds of RESULT.
const (
	resultVoid         int32 = 1
	resultRows         int32 = 2
	resultSetKeyspace  int32 = 3
	resultPrepared     int32 = 4
	resultSchemaChange int32 = 5
)

// Flags of rows metadata.
const (
	rowsGlobalTable     uint32 = 0x0001
	rowsHasMorePages    uint32 = 0x0002
	rowsNoMetadata      uint32 = 0x0004
	rowsMetadataChanged uint32 = 0x0008
)

// Flags of query parameters.
const (
	queryValues            uint32 = 0x0001
	querySkipMetadata      uint32 = 0x0002
	queryPageSize          uint32 = 0x0004
	queryPagingState       uint32 = 0x0008
	querySerialConsistency uint32 = 0x0010
	queryTimestamp         uint32 = 0x0020
	queryNamedValues       uint32 = 0x0040
	queryKeyspace          uint32 = 0x0080 // v5
	queryNowInSeconds      uint32 = 0x0100 // v5

	prepareKeyspace uint32 = 0x0001 // v5
)
