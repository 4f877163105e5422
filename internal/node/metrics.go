package node

import "github.com/ilion-db/ilion/internal/metrics"

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
	for _, s := range n.budget.Shares() {
		label := metrics.Label{Name: "share", Value: s.Name()}
		n.metrics.GaugeFunc("ilion_memory_used_bytes", "Memory in use, by share of the budget.", func() float64 { return float64(s.Used()) }, label)
		n.metrics.GaugeFunc("ilion_memory_limit_bytes", "Memory that may be used, by share of the budget.", func() float64 { return float64(s.Limit()) }, label)
	}
}
