package session

import (
	"fmt"
	"sync/atomic"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/metrics"
)

// Kinds of requests that are counted apart.
const (
	KindQuery = iota
	KindExecute
	KindBatch
	KindPrepare
	KindOther
	kinds
)

// KindNames are the labels of the kinds.
var KindNames = [kinds]string{"query", "execute", "batch", "prepare", "other"}

// Stats are a server's counters. Safe for concurrent use.
type Stats struct {
	Connections  atomic.Int64 // open
	Accepted     atomic.Int64
	Refused      atomic.Int64 // over the limit
	BytesIn      atomic.Int64
	BytesOut     atomic.Int64
	Panics       atomic.Int64
	QueueFull    atomic.Int64 // requests that found no room for a worker
	Expired      atomic.Int64 // dropped after waiting too long
	SlowClients  atomic.Int64 // closed for not reading
	AuthFailures atomic.Int64
	// Latency has the nanoseconds from reading a request to encoding its answer, by kind.
	Latency [kinds]*metrics.Histogram

	errors [len(errorCodes)]atomic.Int64
}

var errorCodes = [...]native.ErrorCode{
	native.CodeServer, native.CodeProtocol, native.CodeBadCredentials, native.CodeUnavailable, native.CodeOverloaded,
	native.CodeBootstrapping, native.CodeTruncate, native.CodeWriteTimeout, native.CodeReadTimeout,
	native.CodeReadFailure, native.CodeFunctionFailure, native.CodeWriteFailure, native.CodeCDCWriteFailure,
	native.CodeCASWriteUnknown, native.CodeSyntax, native.CodeUnauthorized, native.CodeInvalid, native.CodeConfig,
	native.CodeAlreadyExists, native.CodeUnprepared,
}

func (s *Stats) countError(code native.ErrorCode) {
	for i, c := range errorCodes {
		if c == code {
			s.errors[i].Add(1)
			return
		}
	}
}

// Errors calls yield with each error code and how often it was answered.
func (s *Stats) Errors(yield func(code native.ErrorCode, n int64)) {
	for i, c := range errorCodes {
		yield(c, s.errors[i].Load())
	}
}

// observe counts an answer.
func (s *Stats) observe(r *Request, now int64) {
	kind := KindOther
	switch r.Opcode {
	case native.OpQuery:
		kind = KindQuery
	case native.OpExecute:
		kind = KindExecute
	case native.OpBatch:
		kind = KindBatch
	case native.OpPrepare:
		kind = KindPrepare
	case native.OpEvent:
		return
	}
	s.Latency[kind].Observe(uint64(max(now-r.Received, 0)))
}

// register names the counters for Prometheus.
func (s *Server) register(reg *metrics.Registry) {
	st := &s.stats
	for _, c := range []struct {
		name, help string
		v          *atomic.Int64
	}{
		{"ilion_cql_connections_accepted_total", "Connections of clients accepted.", &st.Accepted},
		{"ilion_cql_connections_refused_total", "Connections refused because there were too many.", &st.Refused},
		{"ilion_cql_received_bytes_total", "Bytes received from clients.", &st.BytesIn},
		{"ilion_cql_sent_bytes_total", "Bytes sent to clients.", &st.BytesOut},
		{"ilion_cql_panics_total", "Requests that panicked; their connections were closed.", &st.Panics},
		{"ilion_cql_queue_full_total", "Times that a request found the queue for workers full.", &st.QueueFull},
		{"ilion_cql_expired_total", "Requests that waited too long for a worker.", &st.Expired},
		{"ilion_cql_slow_clients_total", "Connections closed because the client did not read.", &st.SlowClients},
		{"ilion_cql_auth_failures_total", "Logins refused.", &st.AuthFailures},
	} {
		reg.CounterFunc(c.name, c.help, func() uint64 { return uint64(c.v.Load()) })
	}
	reg.GaugeFunc("ilion_cql_connections", "Open connections of clients.", func() float64 { return float64(st.Connections.Load()) })
	reg.GaugeFunc("ilion_cql_queued", "Requests that wait for a worker.", func() float64 { return float64(s.Queued()) })
	reg.GaugeFunc("ilion_cql_unsent_bytes", "Bytes of answers that clients have not taken.", func() float64 { return float64(s.UnsentBytes()) })
	reg.GaugeFunc("ilion_cql_input_bytes", "Bytes of requests in flight.", func() float64 { return float64(s.InputBytes()) })
	for kind, h := range st.Latency {
		reg.HistogramOf(h, "ilion_cql_request_latency_seconds", "Time from reading a request to encoding its answer.",
			metrics.Nanoseconds, metrics.Label{Name: "kind", Value: KindNames[kind]})
	}
	for i, code := range errorCodes {
		reg.CounterFunc("ilion_cql_errors_total", "Errors answered, by code.",
			func() uint64 { return uint64(st.errors[i].Load()) }, metrics.Label{Name: "code", Value: fmt.Sprintf("0x%04x", uint32(code))})
	}
}
