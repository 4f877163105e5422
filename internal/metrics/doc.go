// Package metrics counts what happens, cheaply enough for the hottest path,
// and hands it to Prometheus.
//
// # Use
//
//	reg := metrics.NewRegistry()
//	writes := reg.Counter("ilion_writes_total", "Rows written.", metrics.Label{Name: "table", Value: "ks.t"})
//	latency := reg.Histogram("ilion_write_latency_seconds", "Time to apply a write.", metrics.Nanoseconds)
//	...
//	writes.Inc()
//	latency.Observe(uint64(d))
//
// A Registry is a prometheus.Collector: the admin server registers it once.
// Names begin with "ilion_"; those of counters end in "_total", those of
// histograms in the unit that is exported ("_seconds", "_bytes", "_rows").
//
// # Histograms
//
// Values are whole numbers in the unit of the caller, usually nanoseconds.
// Every power of two is cut into eight buckets of one width, so that a
// quantile is at most one eighth too high:
//
//	bucket    0   1   2  ...   8    9      16     17     24
//	up to     1   2   3  ...   9   10  ... 18     20     36   ...
//	width     1   1   1        1    1       2      2      4
//
// The last bucket takes what is over 2^42 (73 minutes of nanoseconds).
// Prometheus is given one bucket for each power of two.
//
// # Concurrency
//
// Inc, Add and Observe take no lock and allocate nothing. Counters and
// histograms are striped: goroutines on different stacks mostly write
// different cache lines. A read adds the stripes up and is not one moment's
// truth, but a counter never goes back.
//
// # What it does not do
//
// No label is made up on the hot path: a caller keeps the Counter of its
// labels. Metrics are of the process: none is taken back.
package metrics
