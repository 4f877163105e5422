package mutation

import (
	"bytes"

	"github.com/ilion-db/ilion/ring"
)

// Partition is the head of a partition in a stream. Slices are valid until the
// source moves to another partition.
type Partition struct {
	Token    ring.Token
	Key      []byte
	Deletion Deletion
	Static   []byte // encoded row, nil if there is none
}

// ItemKind is the kind of an Item.
type ItemKind uint8

// Kinds of items.
const (
	// ItemRow is a row.
	ItemRow ItemKind = iota + 1
	// ItemBoundary is a place where the range deletion in force changes.
	ItemBoundary
)

// Item is a row or a boundary of range deletions, at a place in clustering
// order. A row's Clustering does not equal a boundary's; if it does, the
// boundary lies below the row. Before is in force below the boundary and After
// above it, in ascending order, whichever way the source runs. Slices are
// valid until the source moves.
//
// A range deletion that starts with the partition has a boundary with an empty
// Clustering. One that is open at the end has none there: in reverse, Open
// tells it before the first item.
type Item struct {
	Kind          ItemKind
	Clustering    []byte
	Row           []byte // ItemRow
	Before, After Deletion
}

// Source streams partitions in the order of (token, key) and, inside each, its
// items in clustering order, ascending or, if it was opened in reverse,
// descending. Rows carry everything that is stored, tombstones and expired
// cells included; what deletions of this source shadow may or may not be gone.
//
// A source belongs to one goroutine. After an error every method returns false
// and Err tells it; ErrWouldBlock from a source opened for memory only means
// that nothing was lost and the read has to be made again.
type Source interface {
	// NextPartition moves to the next partition, skipping what is left of the
	// current one.
	NextPartition() bool
	// Partition is the current partition.
	Partition() *Partition
	// Seek places the source so that Next yields the first item at or above
	// bound; in reverse, the last item below bound. An empty bound is the
	// start (in reverse: the end) of the partition. Seeks go forward only.
	Seek(bound []byte)
	// Open is the range deletion in force where the source stands: above the
	// items already passed (the current one is) and up to the next one; in
	// reverse mirrored.
	Open() Deletion
	// Next moves to the next item of the current partition.
	Next() bool
	// Item is the current item.
	Item() *Item
	Err() error
	// Close releases what the source holds. Slices from it die.
	Close()
}

// PartitionBound is a place between partitions, in the order of (token, key).
// With a nil Key it lies before (or, if After, behind) all keys of Token.
type PartitionBound struct {
	Token ring.Token
	Key   []byte
	After bool
}

// ComparePartition orders a partition against the bound: -1 if the partition
// lies before it, +1 if behind; it is never equal.
func (b *PartitionBound) ComparePartition(token ring.Token, key []byte) int {
	c := 0
	switch {
	case token < b.Token:
		c = -1
	case token > b.Token:
		c = 1
	case b.Key != nil:
		c = bytes.Compare(key, b.Key)
	}
	if c != 0 {
		return c
	}
	if b.After {
		return -1
	}
	return 1
}

// PartitionRange is what lies between two bounds. A nil bound is open.
type PartitionRange struct {
	Start, End *PartitionBound
}

// Contains tells whether the partition lies within the range.
func (r *PartitionRange) Contains(token ring.Token, key []byte) bool {
	return (r.Start == nil || r.Start.ComparePartition(token, key) > 0) &&
		(r.End == nil || r.End.ComparePartition(token, key) < 0)
}

// Slice is lo <= clustering < hi; empty bounds are open.
type Slice struct {
	Lo, Hi []byte
}
