package sstable

import (
	"errors"
	"fmt"

	"github.com/ilion-db/ilion/mutation"
)

// ErrCorrupt is wrapped by every *CorruptError.
var ErrCorrupt = errors.New("sstable: corrupt")

// ErrOrder is the error of a Writer that is handed data out of order.
var ErrOrder = errors.New("sstable: written out of order")

// ErrTooLarge is the error of a Writer that is handed more than the format holds.
var ErrTooLarge = errors.New("sstable: too large")

// ErrFeature is wrapped by every *FeatureError.
var ErrFeature = errors.New("sstable: written by a newer version")

// CorruptError tells where a table is damaged. It wraps ErrCorrupt, and is a
// mutation.ErrCorrupt.
type CorruptError struct {
	File   string
	Offset int64 // in the file, of the block or section
	Detail string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("%v: %s: offset %d: %s", ErrCorrupt, e.File, e.Offset, e.Detail)
}

// Unwrap makes errors.Is(err, ErrCorrupt) true.
func (e *CorruptError) Unwrap() error { return ErrCorrupt }

// Is makes it a mutation.ErrCorrupt, too, by which who reads over replicas knows
// that a store's data is damaged.
func (e *CorruptError) Is(target error) bool { return target == mutation.ErrCorrupt }

// FeatureError refuses a table that needs what this version does not know.
type FeatureError struct {
	File    string
	Version uint32
	Bits    uint64 // required feature bits that are not known
}

func (e *FeatureError) Error() string {
	return fmt.Sprintf("%v: %s: version %d, unknown required features %#x", ErrFeature, e.File, e.Version, e.Bits)
}

// Unwrap makes errors.Is(err, ErrFeature) true.
func (e *FeatureError) Unwrap() error { return ErrFeature }
