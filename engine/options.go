package engine

import (
	"errors"
	"log/slog"
	"time"

	"github.com/ilion-db/ilion/commitlog"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/level"
	"github.com/ilion-db/ilion/internal/mem"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/schema"
)

// AccessMode says how table files are read.
type AccessMode uint8

const (
	// AccessAuto maps files that fit into the free share of the cache, reads the
	// others through the page cache while the machine has memory for all of them
	// beside the Budget, and else as AccessDirect.
	AccessAuto AccessMode = iota
	// AccessDirect reads into cache frames, past the page cache.
	AccessDirect
	// AccessMmap maps every file.
	AccessMmap
)

// Options configure an engine. FS, Dir, Clock, Rand and Schema must be set.
type Options struct {
	FS    vfs.FS
	Dir   string // holds everything of the engine
	Clock clock.Clock
	Rand  *rand.Source
	// Schema is the schema in force at the time of opening; records of tables
	// that are not in it are those of dropped tables.
	Schema *schema.Snapshot
	// Budget is the memory of the process, 2 GiB by default.
	Budget *mem.Budget
	Log    *slog.Logger // discards by default

	Sync        commitlog.Mode
	SyncPeriod  time.Duration // 10 ms by default
	SegmentSize int           // 32 MiB by default
	LogSize     int64         // bytes of log that may await flushes, 1 GiB by default
	Lanes       int           // of the log, 1 by default
	SetAside    []string      // damaged log segments to start without

	Access AccessMode
	// MemtableSize is the memory at which a flush starts, half of the
	// memtables' share by default.
	MemtableSize int64
	// BlockSize is that of table files whose table does not say; by default 4
	// KiB, or 16 KiB with clustering columns.
	BlockSize int
	// NoCompaction leaves compaction to explicit calls.
	NoCompaction bool
	// ExplicitPurge purges nothing but what SetPurgeBound allows of tables whose
	// keyspace has more than one replica.
	ExplicitPurge bool
	// NoCache reads every block from its file, for tests.
	NoCache bool
	HostID  schema.UUID
	// Level is the format level that table files are written in, see
	// Engine.RaiseLevel; the first by default.
	Level uint16
	// KeepStamps, if set, is called by each flush before the manifest names what
	// it writes, with the Mark of Replayed. It makes durable what later stamps
	// have to be above: a start finds the stamps of what is in the log only. An
	// error puts the flush off. It runs on a background goroutine, which waits
	// for it, and must not call the engine.
	KeepStamps func(replayed int64) error
}

func (o *Options) validate() error {
	if o.FS == nil || o.Dir == "" || o.Clock == nil || o.Rand == nil || o.Schema == nil {
		return errors.New("engine: options: FS, Dir, Clock, Rand and Schema must be set")
	}
	if o.Budget == nil {
		o.Budget = mem.NewBudget(2 << 30)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	// A flush has to start before the share is full: writes wait for it then.
	share := min(o.Budget.Share(mem.Memtable).Limit(), maxMemtables)
	if o.MemtableSize == 0 {
		o.MemtableSize = share / 2
	}
	o.MemtableSize = min(o.MemtableSize, share*3/4)
	if o.BlockSize == 0 {
		o.BlockSize = pointBlockSize
	}
	o.Level = max(o.Level, level.First)
	return nil
}
