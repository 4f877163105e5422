package session

import (
	"sync/atomic"

	"github.com/ilion-db/ilion/cql/native"
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

// Stats are a server's counters. Safe for concurrent use; read with Load.
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
	// Requests answered, by kind.
	Requests [kinds]atomic.Int64

	errors [len(errorCodes)]atomic.Int64
	// onLatency is told the nanoseconds from read to encoding; may be nil.
	onLatency func(kind int, nanos int64)
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
	s.Requests[kind].Add(1)
	if s.onLatency != nil {
		s.onLatency(kind, now-r.Received)
	}
}
