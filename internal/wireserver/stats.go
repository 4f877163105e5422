package wireserver

import (
	"sync/atomic"

	"github.com/ilion-db/ilion/internal/metrics"
)

// stats are a server's counters.
type stats struct {
	executions, overloaded, queueFull, expired, panics atomic.Uint64
}

// register names the counters for Prometheus.
func (s *Server) register(reg *metrics.Registry) {
	for _, c := range []struct {
		name, help string
		v          *atomic.Uint64
	}{
		{"ilion_wire_statements_total", "Statements of clients of the wire protocol taken.", &s.stats.executions},
		{"ilion_wire_overloaded_total", "Times that such a client had too many statements in work.", &s.stats.overloaded},
		{"ilion_wire_queue_full_total", "Times that such a statement found the queue for workers full.", &s.stats.queueFull},
		{"ilion_wire_expired_total", "Statements of such clients that waited too long for a worker.", &s.stats.expired},
		{"ilion_wire_panics_total", "Statements of such clients that panicked; their connections were closed.", &s.stats.panics},
	} {
		reg.CounterFunc(c.name, c.help, c.v.Load)
	}
	reg.GaugeFunc("ilion_wire_in_flight", "Statements of clients of the wire protocol in work.", func() float64 { return float64(s.inFlight.Load()) })
}
