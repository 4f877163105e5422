package node

import (
	rt "runtime/metrics"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ilion-db/ilion/commitlog"
	"github.com/ilion-db/ilion/engine"
	"github.com/ilion-db/ilion/internal/mem"
	"github.com/ilion-db/ilion/internal/metrics"
)

// registerMetrics shows what the store and the memory budget count.
func (n *Node) registerMetrics() {
	e := n.engine
	gauge := func(name, help string, f func() int64) {
		n.metrics.GaugeFunc("ilion_"+name, help, func() float64 { return float64(f()) })
	}
	counter := func(name, help string, f func() int64) {
		n.metrics.CounterFunc("ilion_"+name+"_total", help, func() uint64 { return uint64(f()) })
	}
	counter("engine_reads", "Reads opened by the store.", func() int64 { return e.Stats().Reads })
	counter("flushes", "Memtables written to files.", func() int64 { return e.Stats().Flushes })
	counter("flush_nanoseconds", "Time spent flushing.", func() int64 { return e.Stats().FlushNanos })
	counter("compactions", "Compactions done.", func() int64 { return e.Stats().Compactions })
	counter("compaction_nanoseconds", "Time spent compacting.", func() int64 { return e.Stats().CompactNanos })
	counter("compaction_read_bytes", "Bytes read by compactions.", func() int64 { return e.Stats().CompactedIn })
	counter("compaction_written_bytes", "Bytes written by compactions.", func() int64 { return e.Stats().CompactedOut })
	counter("expired_files", "Files dropped unread because everything in them had expired.", func() int64 { return e.Stats().ExpiredFiles })
	gauge("memtable_bytes", "Memory of all memtables.", func() int64 { return e.Stats().MemtableBytes })
	gauge("commitlog_bytes", "Size of the live segments of the commit log.", func() int64 { return e.Stats().LogBytes })
	gauge("table_files", "Live table files.", func() int64 { return int64(e.Stats().Files) })
	gauge("table_file_bytes", "Size of the live table files.", func() int64 { return e.Stats().FileBytes })
	gauge("disk_full", "1 while writes are refused for want of space.", func() int64 {
		if e.Stats().DiskFull {
			return 1
		}
		return 0
	})
	counter("cache_hits", "Blocks found in the cache.", func() int64 { return int64(e.Stats().Cache.Hits) })
	counter("cache_misses", "Blocks not found in the cache.", func() int64 { return int64(e.Stats().Cache.Misses) })
	gauge("cache_bytes", "Memory of the block cache.", func() int64 { return e.Stats().Cache.Bytes })
	logCounter := func(name, help string, f func(*commitlog.Stats) uint64) {
		n.metrics.CounterFunc("ilion_commitlog_"+name+"_total", help, func() uint64 { s := e.Stats(); return f(&s.Log) })
	}
	logCounter("records", "Writes made durable.", func(s *commitlog.Stats) uint64 { return s.Records })
	logCounter("written_bytes", "Bytes written to the commit log.", func(s *commitlog.Stats) uint64 { return s.DiskBytes })
	logCounter("segments_recycled", "Segments of the commit log used again.", func(s *commitlog.Stats) uint64 { return s.SegmentsRecycled })
	logCounter("no_space", "Times that a segment could not be made for want of space.", func(s *commitlog.Stats) uint64 { return s.NoSpace })
	for _, s := range n.budget.Shares() {
		label := metrics.Label{Name: "share", Value: s.Name()}
		n.metrics.GaugeFunc("ilion_memory_used_bytes", "Memory in use, by share of the budget.", func() float64 { return float64(n.memoryUsed(s)) }, label)
		n.metrics.GaugeFunc("ilion_memory_limit_bytes", "Memory that may be used, by share of the budget.", func() float64 { return float64(s.Limit()) }, label)
	}
}

// registerRing shows what this node does with others; connections show their
// own counters.
func (n *network) registerRing() {
	counter := func(name, help string, c *metrics.Counter) {
		n.metrics.CounterFunc("ilion_coordinator_"+name+"_total", help, c.Value)
	}
	s := n.cluster.Stats()
	counter("unavailable", "Writes refused because too few replicas were alive.", s.Unavailable)
	counter("timeouts", "Writes answered as time-outs.", s.Timeouts)
	counter("failures", "Writes answered as failures.", s.Failures)
	counter("overloaded", "Writes refused because too many were in flight.", s.Overloaded)
	counter("stale", "Writes planned again, since schema or owners had changed.", s.Stale)
	counter("restamped", "Writes that met a newer stamp on a replica.", s.Newer)
	counter("hints", "Records kept for replicas that did not answer.", s.Hints)
	counter("hints_lost", "Records that could not be kept for replicas.", s.HintsLost)
	counter("store_failures", "Writes that this node's store refused.", s.StoreFailures)
	counter("batches_kept", "Batches whose keepers could not be told that they are done, and write them again.", s.BatchesKept)
	counter("untold", "Writes sent on whose coordinator could not be told of it.", s.Untold)
	counter("away", "Writes of one partition that this node has no replica of.", s.Away)
	counter("served", "Writes of other coordinators, and hints of this node for itself.", s.Served)
	counter("named", "Records of other coordinators that name them.", s.Named)
	counter("refused", "Writes of other coordinators, and hints of this node for itself, that were refused.", s.Refused)
	counter("late", "Times that a record of a hint or a logged batch was left out, since what may have deleted it has been purged.", s.Late)
	gauge := func(name, help string, f func() int64) {
		n.metrics.GaugeFunc("ilion_"+name, help, func() float64 { return float64(f()) })
	}
	gauge("coordinator_in_flight_bytes", "Writes that are being coordinated or served.", n.cluster.InFlight)
	gauge("hints_pending", "Hints that wait for their targets.", func() (sum int64) {
		for _, m := range n.log.State().Members {
			records, _, _ := n.hints.Pending(m.HostID)
			sum += records
		}
		return sum
	})
	gauge("hints_dropped", "Kinds of hints that will not be delivered, by table, target and span.", func() int64 { return int64(len(n.hints.Dropped())) })
	gauge("batchlog_pending", "Logged batches of other coordinators that are not done.", func() int64 {
		batches, _ := n.batches.Pending()
		return int64(batches)
	})
	gauge("format_level", "Format level that this node writes.", func() int64 { return int64(n.level()) })
	gauge("voters", "Members that decide on changes of schema and members.", func() int64 { return int64(len(n.log.State().Voters)) })
	gauge("members", "Members of the cluster.", func() int64 { return int64(len(n.log.State().Members)) })
	gauge("members_up", "Members that can be asked, this node included.", func() (up int64) {
		t := n.cluster.Topology()
		for i := range t.Nodes {
			if n.cluster.Live(&t.Nodes[i]) {
				up++
			}
		}
		return up
	})
	n.metrics.CounterFunc("ilion_clock_refused_total", "Stamps of other nodes that were too far ahead to be followed.", func() uint64 { return n.stamper.Stats().Refused })
	gauge("clock_refused_lead_microseconds", "How far the worst of them was ahead.", func() int64 { return n.stamper.Stats().Lead.Microseconds() })
	gauge("clock_offset_microseconds", "How far the clock of another node is from this one's, the worst.", func() int64 { return n.skew.worst().Microseconds() })
}

// memoryUsed is what a share has in use. Some parts count for themselves and
// not in their share.
func (n *Node) memoryUsed(s *mem.Share) int64 {
	switch s {
	case n.budget.Share(mem.Cache):
		return n.engine.Stats().Cache.Bytes
	case n.budget.Share(mem.InFlight):
		return n.session.InputBytes()
	case n.budget.Share(mem.Heap):
		return goMemory()
	}
	return s.Used()
}

// goMemory is what the Go runtime holds and its limit is about.
func goMemory() int64 {
	samples := []rt.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	rt.Read(samples)
	return int64(samples[0].Value.Uint64() - samples[1].Value.Uint64())
}

// syncTimes shows the commit log's own histogram of its durable writes.
type syncTimes struct{ engine *engine.Engine }

var syncTimesDesc = prometheus.NewDesc("ilion_commitlog_sync_seconds",
	"Time of a durable write of the commit log; the sum is estimated from the buckets.", nil, nil)

func (s syncTimes) Describe(out chan<- *prometheus.Desc) { out <- syncTimesDesc }

func (s syncTimes) Collect(out chan<- prometheus.Metric) {
	const microsecond = 1e-6
	var count uint64
	var sum float64
	buckets := map[float64]uint64{}
	times := s.engine.Stats().Log.SyncTimes
	for i, n := range times {
		count += n
		limit := float64(uint64(1)<<i) * microsecond
		sum += float64(n) * limit * 3 / 4 // the middle of the bucket
		if i < len(times)-1 {
			buckets[limit] = count
		}
	}
	out <- prometheus.MustNewConstHistogram(syncTimesDesc, count, sum, buckets)
}
