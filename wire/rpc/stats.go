package rpc

import (
	"sync/atomic"

	"github.com/ilion-db/ilion/internal/metrics"
)

// stats are an endpoint's counters.
type stats struct {
	Connections atomic.Int64 // open, of both sides
	Refused     atomic.Int64
	BytesIn     atomic.Int64
	BytesOut    atomic.Int64
	Sent        atomic.Int64 // requests
	Answers     atomic.Int64
	Expired     atomic.Int64
	Requests    atomic.Int64
	Replies     atomic.Int64
	Overloaded  atomic.Int64
	Corrupt     atomic.Int64
	Silent      atomic.Int64
	Panics      atomic.Int64
}

// register names the counters for Prometheus.
func (e *Endpoint) register(reg *metrics.Registry) {
	st := &e.stats
	for _, c := range []struct {
		name, help string
		v          *atomic.Int64
	}{
		{"ilion_internode_refused_total", "Connections of other nodes refused at the hello.", &st.Refused},
		{"ilion_internode_received_bytes_total", "Bytes received from other nodes.", &st.BytesIn},
		{"ilion_internode_sent_bytes_total", "Bytes sent to other nodes.", &st.BytesOut},
		{"ilion_internode_sent_total", "Requests sent to other nodes.", &st.Sent},
		{"ilion_internode_answers_total", "Answers of other nodes.", &st.Answers},
		{"ilion_internode_expired_total", "Requests that got no answer in time.", &st.Expired},
		{"ilion_internode_requests_total", "Requests of other nodes taken.", &st.Requests},
		{"ilion_internode_replies_total", "Requests of other nodes answered.", &st.Replies},
		{"ilion_internode_overloaded_total", "Requests of other nodes refused because too many were in work.", &st.Overloaded},
		{"ilion_internode_corrupt_total", "Connections closed because their bytes were no messages.", &st.Corrupt},
		{"ilion_internode_silent_total", "Connections closed because the other side gave no sign of life.", &st.Silent},
		{"ilion_internode_panics_total", "Handlers that panicked; their connections were closed.", &st.Panics},
	} {
		reg.CounterFunc(c.name, c.help, func() uint64 { return uint64(c.v.Load()) })
	}
	reg.GaugeFunc("ilion_internode_connections", "Open connections with other nodes.", func() float64 { return float64(st.Connections.Load()) })
	reg.GaugeFunc("ilion_internode_unsent_bytes", "Bytes of answers that clients have not taken.", func() float64 { return float64(e.unsent.Load()) })
	reg.GaugeFunc("ilion_internode_input_bytes", "Bytes of input held by requests in work.", func() float64 { return float64(e.held.Load()) })
}
