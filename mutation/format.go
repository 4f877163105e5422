package mutation

import "errors"

// Version is the record format that this package writes.
const Version = 1

// Required flags of a record. On disk, never renumber.
const (
	// RequiredKnown is the set of required bits that this version understands.
	RequiredKnown uint8 = 0
)

// Optional flags of a record. On disk, never renumber.
const (
	FlagCDC           uint8 = 1 << 0
	FlagServerStamped uint8 = 1 << 1
)

// Origin says how a record came to a node. On disk, never renumber.
type Origin uint8

// Origins of a record.
const (
	FromClient Origin = iota
	FromHint
	FromBatchlog
	FromReadRepair
	FromRepair
	FromStream
	FromPaxos
)

// EntryKind is the kind of an entry of a record. On disk, never renumber.
type EntryKind uint8

// Kinds of entries.
const (
	EntryPartitionDeletion EntryKind = iota + 1
	EntryStatic
	EntryRow
	EntryRangeDeletion
)

// Kinds from firstOptional on are optional fields, which come before the
// entries: a reader passes over what it does not know, and keeps it. On disk,
// never renumber.
const (
	firstOptional    EntryKind = 1 << 7
	fieldCoordinator           = firstOptional | 1
)

const (
	rowMarker        = 1 << 0
	rowMarkerExpires = 1 << 1
	rowDeletion      = 1 << 2
	rowTombstones    = 1 << 3
	rowExpiring      = 1 << 4
	rowKnown         = 1<<5 - 1
)

// CellFlags describe a cell. On disk, never renumber.
type CellFlags uint8

// Flags of a cell.
const (
	cellDelta       CellFlags = 1 << 0
	CellExpiring    CellFlags = 1 << 1
	CellTombstone   CellFlags = 1 << 2
	CellPath        CellFlags = 1 << 3
	CellCollection  CellFlags = 1 << 4
	CellKey         CellFlags = 1 << 5
	cellKnown       CellFlags = 1<<6 - 1
	recordHeaderLen           = 46
)

// Offsets within a record.
const (
	offVersion  = 0
	offRequired = 1
	offOptional = 2
	offOrigin   = 3
	offTable    = 4
	offEpoch    = 20
	offBase     = 28
	offToken    = 36
	offKeyLen   = 44
)

// MaxKeyLen is the longest partition key and the longest clustering prefix in
// bytes, as in Cassandra.
const MaxKeyLen = 65535

// Errors of decoding.
var (
	// ErrCorrupt is wrapped by every error about bytes that no Builder wrote.
	ErrCorrupt = errors.New("mutation: corrupt encoding")
	// ErrUnknownFeature means a newer version wrote it.
	ErrUnknownFeature = errors.New("mutation: written by a newer version")
	// ErrWouldBlock is the answer of a try that would have to wait for I/O or
	// memory, or would take long; nothing was produced or changed.
	ErrWouldBlock = errors.New("would block")
)
