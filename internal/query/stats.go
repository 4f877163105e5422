package query

import (
	"sync/atomic"

	"github.com/ilion-db/ilion/internal/metrics"
)

// Stats are a processor's counters. Safe for concurrent use.
type Stats struct {
	prepared, evicted, failures, changes atomic.Int64
	// Statements executed on a connection's reader and on workers.
	inline, worker *metrics.Counter
}

// register names the counters for Prometheus.
func (p *Processor) register(reg *metrics.Registry) {
	for _, c := range []struct {
		name, help string
		v          *atomic.Int64
	}{
		{"ilion_cql_prepared_total", "Statements prepared.", &p.stats.prepared},
		{"ilion_cql_prepared_evicted_total", "Prepared statements that others had to make room for.", &p.stats.evicted},
		{"ilion_cql_failures_total", "Statements that failed for no fault of the client.", &p.stats.failures},
		{"ilion_cql_schema_changes_total", "Changes of the schema made here.", &p.stats.changes},
	} {
		reg.CounterFunc(c.name, c.help, func() uint64 { return uint64(c.v.Load()) })
	}
	for path, c := range map[string]*metrics.Counter{"inline": p.stats.inline, "worker": p.stats.worker} {
		reg.CounterFunc("ilion_cql_statements_total", "Statements executed, by whether they had to wait for a worker.",
			c.Value, metrics.Label{Name: "path", Value: path})
	}
	reg.GaugeFunc("ilion_cql_prepared_statements", "Prepared statements in memory.", func() float64 {
		n, _ := p.cache.usage()
		return float64(n)
	})
	reg.GaugeFunc("ilion_cql_prepared_bytes", "About the memory of prepared statements.", func() float64 {
		_, bytes := p.cache.usage()
		return float64(bytes)
	})
}
