package commitlog

import (
	"errors"
	"fmt"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
)

// Mode says when an append is acknowledged.
type Mode uint8

const (
	// Batch acknowledges when the record is durable.
	Batch Mode = iota
	// Group does too, but waits up to Options.GroupWindow for company.
	Group
	// Periodic acknowledges when the record is copied, and writes and syncs it
	// within Options.SyncPeriod: a crash may lose that much.
	Periodic
)

// Defaults and limits of Options.
const (
	DefaultSegmentSize = 32 << 20
	DefaultMaxSize     = 1 << 30
	DefaultSyncPeriod  = 10 * time.Millisecond
	DefaultGroupWindow = time.Millisecond
	MinSegmentSize     = 64 << 10
	MaxSegmentSize     = 256 << 20
	MaxLanes           = 16
	// MaxRecord is the largest record, whatever the segment size.
	MaxRecord = 16 << 20
)

// Options configure a log. FS, Clock and Rand must be set; the rest has
// defaults.
type Options struct {
	FS    vfs.FS
	Clock clock.Clock
	Rand  *rand.Source
	// Dir holds the segments and nothing else. It is made if it is missing.
	Dir string

	// Queue takes the writes; one of plain pwrite calls by default. The caller
	// that gives one closes it, after the log.
	Queue vfs.Queue

	// Mode is Batch by default.
	Mode Mode
	// GroupWindow is how long mode Group waits, 1 ms by default.
	GroupWindow time.Duration
	// SyncPeriod is how old a copied record may get in mode Periodic, 10 ms by
	// default.
	SyncPeriod time.Duration
	// SegmentSize in bytes, 32 MiB by default, at least 64 KiB, whole pages. The
	// largest record is half of it, or 16 MiB.
	SegmentSize int
	// MaxSize is the size in bytes of live segments above which OnPressure is
	// called, 1 GiB by default.
	MaxSize int64
	// MaxFree is how many discarded segments are kept for use again, 4 by default.
	MaxFree int
	// Lanes is how many flushers write at the same time, 1 by default.
	Lanes int
	// Buffered keeps to the page cache even where direct I/O works.
	Buffered bool

	// Start is the low-water mark that the engine's manifest holds: nothing
	// below it is replayed or judged.
	Start Position
	// LastSegment is the highest segment that the engine's manifest names in any
	// position. New segments get higher numbers even if that one left no trace.
	LastSegment uint64
	// SetAside names files (without directory) that are known to be corrupt:
	// what can be read of them is replayed, the rest is given up, and the file is
	// renamed to *.set-aside once everything replayed has been discarded.
	SetAside map[string]bool

	// OnReplay is called once, before the first record is handed out, with the
	// size in bytes of the segments that may hold any.
	OnReplay func(bytes int64)
	// OnFailure is called once when the log fails, from a goroutine of the log or
	// of a caller of AppendSync. It must not block or call Close.
	OnFailure func(error)
	// OnPressure is called from a goroutine of the log, for each new segment
	// while the live ones are larger than MaxSize, with the oldest one. It must
	// not block.
	OnPressure func(oldest uint64, size int64)
}

// withDefaults returns o with every default filled in.
func (o Options) withDefaults() Options {
	def := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	def(&o.SegmentSize, DefaultSegmentSize)
	def(&o.MaxFree, 4)
	def(&o.Lanes, 1)
	if o.Queue == nil {
		o.Queue = vfs.NewQueue(1)
	}
	if o.MaxSize == 0 {
		o.MaxSize = DefaultMaxSize
	}
	if o.GroupWindow == 0 {
		o.GroupWindow = DefaultGroupWindow
	}
	if o.SyncPeriod == 0 {
		o.SyncPeriod = DefaultSyncPeriod
	}
	return o
}

// Validate refuses what cannot work. Zero values stand for defaults.
func (o Options) Validate() error {
	o = o.withDefaults()
	switch {
	case o.FS == nil || o.Clock == nil || o.Rand == nil:
		return errors.New("commitlog: options: FS, Clock and Rand must be set")
	case o.Dir == "":
		return errors.New("commitlog: options: Dir must be set")
	case o.Mode > Periodic:
		return fmt.Errorf("commitlog: options: unknown mode %d", o.Mode)
	case o.SegmentSize < MinSegmentSize || o.SegmentSize > MaxSegmentSize || o.SegmentSize%pageSize != 0:
		return fmt.Errorf("commitlog: options: segment size %d is not whole pages between %d and %d", o.SegmentSize, MinSegmentSize, MaxSegmentSize)
	case o.Lanes < 1 || o.Lanes > MaxLanes:
		return fmt.Errorf("commitlog: options: %d lanes, must be 1 to %d", o.Lanes, MaxLanes)
	case o.MaxFree < 0 || o.MaxSize < 0 || o.GroupWindow < 0 || o.SyncPeriod < 0:
		return errors.New("commitlog: options: negative value")
	}
	return nil
}

// maxRecord is the largest single record in bytes.
func (o *Options) maxRecord() int { return min(MaxRecord, o.SegmentSize/2) }

// maxGroup bounds the records of one append with their length prefixes: they
// make one frame, which must fit into a segment.
func (o *Options) maxGroup() int {
	return min(maxFrame, o.SegmentSize-dataStart) - frameHeaderSize
}

// firstSize is the size of the segment that a log without free ones starts
// with, small so that a start does not wait for zeros.
func (o *Options) firstSize() int { return min(1<<20, o.SegmentSize) }
