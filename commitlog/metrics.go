package commitlog

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// SyncBuckets is the number of buckets of Stats.SyncTimes.
const SyncBuckets = 24

// Stats are totals since Open, and present sizes.
type Stats struct {
	Frames     uint64 // written, empty ones included
	Records    uint64 // made durable
	FrameBytes uint64 // headers and records
	DiskBytes  uint64 // written to segments as frames, padding included
	// SyncTimes counts durable writes by duration: bucket i holds those of less
	// than 2^i microseconds and no less than half of it, the last one the rest.
	SyncTimes [SyncBuckets]uint64

	SegmentsCreated  uint64
	SegmentsRecycled uint64
	NoSpace          uint64 // how often a segment could not be prepared for want of space

	ActiveSegments int   // that hold records and have not been discarded
	ActiveBytes    int64 // of these
	FreeSegments   int   // discarded and kept for use again
	Direct         bool  // past the page cache
	Failed         bool
}

type counters struct {
	frames, records, frameBytes, diskBytes atomic.Uint64
	syncTimes                              [SyncBuckets]atomic.Uint64
	created, recycled, noSpace             atomic.Uint64
}

func (c *counters) wrote(f *frame, onDisk int, took time.Duration) {
	c.frames.Add(1)
	c.records.Add(uint64(f.records))
	c.frameBytes.Add(uint64(f.length))
	c.diskBytes.Add(uint64(onDisk))
	bucket := bits.Len64(uint64(max(took, 0) / time.Microsecond))
	c.syncTimes[min(bucket, SyncBuckets-1)].Add(1)
}

// Stats returns the log's totals.
func (l *Log) Stats() Stats {
	c := &l.counters
	s := Stats{
		Frames: c.frames.Load(), Records: c.records.Load(),
		FrameBytes: c.frameBytes.Load(), DiskBytes: c.diskBytes.Load(),
		SegmentsCreated: c.created.Load(), SegmentsRecycled: c.recycled.Load(), NoSpace: c.noSpace.Load(),
		Direct: l.direct, Failed: l.failure.Load() != nil,
	}
	for i := range s.SyncTimes {
		s.SyncTimes[i] = c.syncTimes[i].Load()
	}
	l.pool.mu.Lock()
	s.ActiveSegments, s.ActiveBytes, s.FreeSegments = len(l.pool.live), l.pool.size, len(l.pool.free)
	l.pool.mu.Unlock()
	return s
}
