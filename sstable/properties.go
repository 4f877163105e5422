package sstable

import (
	"math"

	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// Column is a column as it was when the table was written.
type Column struct {
	ID        schema.ColumnID
	Kind      schema.ColumnKind
	Type      string
	DroppedAt int64 // microseconds, 0 if it was live
}

// Counts are what a table holds.
type Counts struct {
	Partitions          uint64
	StaticRows          uint64
	Rows                uint64 // without static rows
	Cells               uint64 // tombstones included
	Markers             uint64
	ExpiringCells       uint64 // and markers
	PartitionTombstones uint64
	RowTombstones       uint64
	CellTombstones      uint64
	CollectionDeletions uint64
	Boundaries          uint64
}

// Tombstones is the number of tombstones of all kinds.
func (c *Counts) Tombstones() uint64 {
	return c.PartitionTombstones + c.RowTombstones + c.CellTombstones + c.CollectionDeletions + c.Boundaries
}

// Unknown is a property of a newer version, kept as it is.
type Unknown struct {
	ID    uint64
	Value []byte
}

// Properties are what is known of a table without reading its blocks. All
// times but timestamps are seconds since 1970. Ranges of which the table holds
// nothing have Min above Max.
type Properties struct {
	Table       schema.TableID
	SchemaEpoch uint64
	Columns     []Column
	Partitioner string

	FirstToken, LastToken ring.Token
	FirstKey, LastKey     []byte

	MinTimestamp, MaxTimestamp         int64  // microseconds, deletions included
	MinLocalDeletion, MaxLocalDeletion uint32 // of tombstones
	MinTTL, MaxTTL                     uint32 // seconds
	MinExpiry, MaxExpiry               uint32
	// AllExpire says that no live cell or marker is without a TTL: at
	// MaxExpiry everything but tombstones has expired.
	AllExpire bool
	// MaxDrop is the time from which on nothing in the table is live and
	// every tombstone is as old: the largest expiry and local deletion time.
	// It means something only with AllExpire.
	MaxDrop uint32

	MinClustering, MaxClustering []byte // of rows and boundaries
	Counts                       Counts
	// DropTimes counts tombstones and expiring cells by the time at which they
	// can be purged, less the grace period.
	DropTimes     DropHistogram
	PartitionSize LogHistogram // bytes of rows, keys and heads
	PartitionRows LogHistogram
	PartitionCell LogHistogram

	LogPositions  []byte // as the engine encodes them
	HostID        schema.UUID
	RepairedAt    int64 // milliseconds, 0 if not repaired
	PendingRepair schema.UUID
	Level         uint32
	FormatLevel   uint32

	Codec       Codec
	BlockSize   uint32
	Blocks      uint64
	DataBytes   uint64 // stored blocks with their trailers
	RawBytes    uint64 // the same before compression
	FilterFP    float64
	FilterBytes uint64

	Unknown []Unknown
}

func newProperties() Properties {
	return Properties{
		Partitioner:  "org.apache.cassandra.dht.Murmur3Partitioner",
		MinTimestamp: math.MaxInt64, MaxTimestamp: math.MinInt64,
		MinLocalDeletion: math.MaxUint32, MinTTL: math.MaxUint32, MinExpiry: math.MaxUint32,
		AllExpire: true,
	}
}

// DroppableBefore estimates how many tombstones and expired cells have a drop
// time below t.
func (p *Properties) DroppableBefore(t uint32) uint64 { return p.DropTimes.Below(t) }
