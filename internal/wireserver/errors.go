package wireserver

import (
	"runtime/debug"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// codes are our protocol's codes of CQL's errors; what is not there is
// CodeFailed.
var codes = map[native.ErrorCode]wire.Code{
	native.CodeUnavailable: wire.CodeUnavailable, native.CodeOverloaded: wire.CodeOverloaded,
	native.CodeBootstrapping: wire.CodeOverloaded, native.CodeWriteTimeout: wire.CodeTimeout,
	native.CodeReadTimeout: wire.CodeTimeout, native.CodeCASWriteUnknown: wire.CodeTimeout,
	native.CodeProtocol: wire.CodeInvalid, native.CodeSyntax: wire.CodeInvalid, native.CodeInvalid: wire.CodeInvalid,
	native.CodeConfig: wire.CodeInvalid, native.CodeAlreadyExists: wire.CodeInvalid,
	native.CodeUnprepared: wire.CodeUnprepared, native.CodeUnauthorized: wire.CodeUnauthorized,
	native.CodeBadCredentials: wire.CodeUnauthorized,
}

// wireError is a statement's error as our protocol tells it.
func wireError(e *native.Error) *wire.Error {
	code, ok := codes[e.Code]
	if !ok {
		code = wire.CodeFailed
	}
	detail := wire.Failure{
		CQL: uint32(e.Code), Consistency: uint8(e.Consistency), Required: e.Required, Received: e.Received,
		Data: e.DataPresent, WriteType: string(e.WriteType), Keyspace: e.Keyspace, Name: e.Name,
	}
	return &wire.Error{Code: code, Message: e.Msg, Detail: detail.Append(nil)}
}

// panicked counts and logs a panic and closes the connection: what the handler
// has left behind is unknown. A failed assertion is passed on, before any lock is
// taken.
func (s *Server) panicked(p any, r *rpc.Request) {
	invariant.PassOn(p, s.cfg.Log)
	s.stats.panics.Add(1)
	s.cfg.Log.Error("a request panicked; its connection is closed", "panic", p, "stack", string(debug.Stack()))
	r.Abort()
}
