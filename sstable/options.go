package sstable

import (
	"fmt"

	"github.com/ilion-db/ilion/bloom"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/sstable/cache"
)

// Options say how a table is written. The zero value is usable.
type Options struct {
	// BlockSize is the size of a raw block in bytes, 256 to 65536; 0 is 4096.
	// A larger row gets a block of its own.
	BlockSize int
	// Codec compresses blocks, None by default.
	Codec Codec
	// MinRatio is what compressing must gain for a block to be stored so;
	// 0 is 1.1.
	MinRatio float64
	// FilterFP is the wanted rate of false positives; 0 is 0.01, and 1 or
	// more means no filter.
	FilterFP float64
	// FilterLayout is the filter's layout; 0 is bloom.Default.
	FilterLayout bloom.Layout
	// Direct asks for writes past the page cache; where they are not possible
	// the table is written without.
	Direct bool

	// Cache, if not nil, is given the blocks as they are written, under FileID,
	// so that a new table is not cold.
	Cache  *cache.Cache
	FileID uint64

	Table         schema.TableID
	SchemaEpoch   uint64
	Columns       []Column
	HostID        schema.UUID
	RepairedAt    int64 // milliseconds, 0 if not repaired
	PendingRepair schema.UUID
	Level         uint32
	// FormatLevel is that of the file, see package level; 0 is the first.
	FormatLevel uint32
	// CreatedAt is the time in seconds since 1970, for the file's origin.
	CreatedAt uint32
	// LogPositions is kept as it is: a place for what of the log the table
	// covers. The engine keeps that in its manifest and leaves it empty.
	LogPositions []byte
}

// Validate checks the options and fills in what was left to default.
func (o *Options) Validate() error {
	if o.BlockSize == 0 {
		o.BlockSize = defaultBlockSize
	}
	if o.BlockSize < minBlockSize || o.BlockSize > maxBlockSize {
		return fmt.Errorf("sstable: block size %d is not between %d and %d", o.BlockSize, minBlockSize, maxBlockSize)
	}
	if o.Codec > Zstd {
		return fmt.Errorf("sstable: unknown %v", o.Codec)
	}
	if o.MinRatio == 0 {
		o.MinRatio = defaultMinRatio
	}
	if o.FilterFP == 0 {
		o.FilterFP = defaultFilterFP
	}
	if o.FilterLayout == 0 {
		o.FilterLayout = bloom.Default
	}
	if o.FilterLayout > bloom.Blocked {
		return fmt.Errorf("sstable: unknown filter %v", o.FilterLayout)
	}
	return nil
}

// AccessMode says how a reader gets at blocks.
type AccessMode uint8

// Access modes.
const (
	// AccessBuffered reads through the page cache.
	AccessBuffered AccessMode = iota
	// AccessDirect reads past it, where that is possible.
	AccessDirect
	// AccessMmap maps the file. Blocks are copied out of the mapping, so that
	// a fault is an error and never kills the process.
	AccessMmap
)

// OpenOptions say how a table is read. The zero value is usable.
type OpenOptions struct {
	// Cache holds decoded blocks; nil for none.
	Cache *cache.Cache
	// FileID names the file in the cache; never given to two files.
	FileID uint64
	Access AccessMode
	// Populate reads a mapped file in when it is opened.
	Populate bool
}
