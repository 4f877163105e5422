package mutation

import (
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// Key is a partition key with its token.
type Key struct {
	Token ring.Token
	Key   []byte
}

// RowKey names a row.
type RowKey struct {
	Key
	Clustering []byte
}

// RowReceiver is told what is stored of rows.
type RowReceiver interface {
	// Row tells what is stored of the i-th row that was asked for, nil for nothing.
	// It is whole: no deletion concerns it but those in it. It is valid until Row
	// returns, which must not block.
	Row(i int, row []byte)
}

// ReadCommand says what to read of one table. It is what a coordinator sends
// to replicas. It is immutable while a read runs.
type ReadCommand struct {
	Version uint8 // of the command and of the digest it asks for
	Digest  bool  // a digest of the live result is wanted; of a Replica, all that it holds of it, to be compared
	Table   schema.TableID
	Epoch   uint64 // schema epoch of the coordinator
	Now     uint32 // seconds since 1970 by the coordinator; expiry is judged by it

	// Columns are the ids wanted, ascending; nil wants all.
	Columns []schema.ColumnID

	// Keys are the partitions to read, in (token, key) order. If nil, Range.
	Keys  []Key
	Range PartitionRange

	// Slices are the clustering ranges to read, ascending and disjoint
	// whichever way the read runs; nil is everything.
	Slices  []Slice
	Reverse bool // within partitions
	Static  bool // the static row is wanted
	// Distinct wants of each partition only that it has a live row.
	Distinct bool

	Filters []Filter

	// Limit and PerPartitionLimit count live rows that pass Filters; 0 is none.
	Limit, PerPartitionLimit uint32
	// After, if not empty, is the clustering of the last row of the first
	// partition that has been read: what does not lie behind it may be left out.
	// Page is about how many rows the reader is going to take, 0 if it does not
	// know. Both are advice for who opens the read and are not sent.
	After []byte
	Page  uint32
	// Bytes bounds what may be read before the read must answer with what it
	// has; tombstones count. 0 is the node's default.
	Bytes int
}

// FilterOp is a comparison of a Filter. On the wire, never renumber.
type FilterOp uint8

// Comparisons.
const (
	FilterEQ FilterOp = iota + 1
	FilterNEQ
	FilterLT
	FilterLE
	FilterGT
	FilterGE
	FilterIn
	FilterContains
	FilterContainsKey
	FilterElement // map element equals
)

// Filter is a condition on a column that a row must meet (ALLOW FILTERING).
type Filter struct {
	Column schema.ColumnID
	Op     FilterOp
	Key    []byte // FilterElement: the map key
	Value  []byte // serialized by the column's (or its element's) type; FilterIn: a frozen list
}
