package engine

import (
	"sync/atomic"

	"github.com/ilion-db/ilion/commitlog"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/sstable/cache"
)

type stats struct {
	reads, flushes, flushNanos             atomic.Int64
	compactions, compactNanos              atomic.Int64
	compactedIn, compactedOut, expiredOnly atomic.Int64
}

// Stats is what the engine has done and holds.
type Stats struct {
	Reads, Flushes, FlushNanos   int64
	Compactions, CompactNanos    int64
	CompactedIn, CompactedOut    int64 // bytes
	ExpiredFiles                 int64 // dropped unread
	MemtableBytes, MemtableLimit int64
	Log                          commitlog.Stats
	LogBytes                     int64
	Cache                        cache.Stats
	Tables                       int
	Files                        int
	FileBytes                    int64
	DiskFull                     bool
}

// Stats returns the engine's counts.
func (e *Engine) Stats() Stats {
	s := Stats{
		Reads: e.stats.reads.Load(), Flushes: e.stats.flushes.Load(), FlushNanos: e.stats.flushNanos.Load(),
		Compactions: e.stats.compactions.Load(), CompactNanos: e.stats.compactNanos.Load(),
		CompactedIn: e.stats.compactedIn.Load(), CompactedOut: e.stats.compactedOut.Load(),
		ExpiredFiles:  e.stats.expiredOnly.Load(),
		MemtableBytes: e.memory.Used(), MemtableLimit: e.memoryLimit(),
		Log: e.log.Stats(), LogBytes: e.log.Size(), Cache: e.cache.Stats(), DiskFull: e.diskFull.Load(),
	}
	for _, t := range e.allTables() {
		v := t.pin()
		if v == nil {
			continue
		}
		s.Tables++
		s.Files += len(v.files)
		for _, f := range v.files {
			s.FileBytes += f.size
		}
		v.drop()
	}
	return s
}

// TableStats is what a table holds.
type TableStats struct {
	Files         int
	FileBytes     int64
	MemtableBytes int64
	Partitions    int64 // an estimate: those of all files and memtables added up
}

// TableStats returns a table's counts.
func (e *Engine) TableStats(id schema.TableID) (TableStats, error) {
	t, err := e.table(id)
	if err != nil {
		return TableStats{}, err
	}
	v := t.pin()
	if v == nil {
		return TableStats{}, ErrClosed
	}
	defer v.drop()
	s := TableStats{Files: len(v.files)}
	for _, f := range v.files {
		s.FileBytes += f.size
		s.Partitions += int64(f.Properties().Counts.Partitions)
	}
	for _, m := range v.mems {
		st := m.Stats()
		s.MemtableBytes += st.Bytes
		s.Partitions += st.Partitions
	}
	return s, nil
}
