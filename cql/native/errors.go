package native

import (
	"errors"
	"fmt"
	"net/netip"
)

// ErrorCode is the number of an error in the protocol.
type ErrorCode uint32

// Error codes of the protocol.
const (
	CodeServer          ErrorCode = 0x0000
	CodeProtocol        ErrorCode = 0x000A
	CodeBadCredentials  ErrorCode = 0x0100
	CodeUnavailable     ErrorCode = 0x1000
	CodeOverloaded      ErrorCode = 0x1001
	CodeBootstrapping   ErrorCode = 0x1002
	CodeTruncate        ErrorCode = 0x1003
	CodeWriteTimeout    ErrorCode = 0x1100
	CodeReadTimeout     ErrorCode = 0x1200
	CodeReadFailure     ErrorCode = 0x1300
	CodeFunctionFailure ErrorCode = 0x1400
	CodeWriteFailure    ErrorCode = 0x1500
	CodeCDCWriteFailure ErrorCode = 0x1600
	CodeCASWriteUnknown ErrorCode = 0x1700
	CodeSyntax          ErrorCode = 0x2000
	CodeUnauthorized    ErrorCode = 0x2100
	CodeInvalid         ErrorCode = 0x2200
	CodeConfig          ErrorCode = 0x2300
	CodeAlreadyExists   ErrorCode = 0x2400
	CodeUnprepared      ErrorCode = 0x2500
)

// WriteType says which kind of write timed out or failed; drivers' retry
// policies branch on it.
type WriteType string

// Kinds of writes.
const (
	WriteSimple        WriteType = "SIMPLE"
	WriteBatch         WriteType = "BATCH"
	WriteUnloggedBatch WriteType = "UNLOGGED_BATCH"
	WriteCounter       WriteType = "COUNTER"
	WriteBatchLog      WriteType = "BATCH_LOG"
	WriteCAS           WriteType = "CAS"
	WriteView          WriteType = "VIEW"
	WriteCDC           WriteType = "CDC"
)

// FailureReason is why one replica failed a request (v5).
type FailureReason struct {
	Addr netip.Addr
	Code uint16
}

// Reasons of FailureReason.Code.
const (
	ReasonUnknown           uint16 = 0
	ReasonTooManyTombstones uint16 = 1
	ReasonTimeout           uint16 = 2
	ReasonUnknownTable      uint16 = 4
)

// Error is an error that has a place in the protocol: what is answered to a
// client. Fields beyond Code and Msg are meant only for the codes that name
// them. An Error is immutable once returned.
type Error struct {
	Code ErrorCode
	Msg  string

	Consistency Consistency // Unavailable, time-outs, failures, CASWriteUnknown
	Received    int32       // answers that came; for Unavailable the replicas alive
	Required    int32       // answers that were needed
	DataPresent bool        // ReadTimeout, ReadFailure
	WriteType   WriteType   // WriteTimeout, WriteFailure
	Contentions uint16      // WriteTimeout of a CAS, v5
	Reasons     []FailureReason
	// NumFailures is for versions before v5; len(Reasons) counts if larger.
	NumFailures int32

	Keyspace string   // AlreadyExists, FunctionFailure
	Name     string   // AlreadyExists: the table or empty; FunctionFailure: the function
	ArgTypes []string // FunctionFailure
	ID       [16]byte // Unprepared
}

// Error is the message.
func (e *Error) Error() string { return e.Msg }

// Is makes errors.Is match on the code of another *Error with an empty message.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Msg == "" && t.Code == e.Code
}

// AsError returns the *Error in err's chain; any other error becomes a server
// error with its text. It returns nil for nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: CodeServer, Msg: err.Error()}
}

func newError(code ErrorCode, format string, args []any) *Error {
	if len(args) == 0 {
		return &Error{Code: code, Msg: format}
	}
	return &Error{Code: code, Msg: fmt.Sprintf(format, args...)}
}

// ServerError is an unexpected condition of ours.
func ServerError(format string, args ...any) *Error { return newError(CodeServer, format, args) }

// Protocol is a violation of the protocol by the client.
func Protocol(format string, args ...any) *Error { return newError(CodeProtocol, format, args) }

// BadCredentials is a failed login.
func BadCredentials(format string, args ...any) *Error {
	return newError(CodeBadCredentials, format, args)
}

// Overloaded refuses a request for want of resources.
func Overloaded(format string, args ...any) *Error { return newError(CodeOverloaded, format, args) }

// TruncateError is a failed TRUNCATE.
func TruncateError(format string, args ...any) *Error { return newError(CodeTruncate, format, args) }

// Syntax is a statement that does not parse.
func Syntax(format string, args ...any) *Error { return newError(CodeSyntax, format, args) }

// Unauthorized is a request that the user may not make.
func Unauthorized(format string, args ...any) *Error { return newError(CodeUnauthorized, format, args) }

// Invalid is a statement that parses but cannot be executed.
func Invalid(format string, args ...any) *Error { return newError(CodeInvalid, format, args) }

// ConfigError is a schema statement with an invalid option.
func ConfigError(format string, args ...any) *Error { return newError(CodeConfig, format, args) }

// AlreadyExists refuses to create what exists; table is empty for a keyspace.
func AlreadyExists(keyspace, table string) *Error {
	msg := fmt.Sprintf("Cannot add existing keyspace \"%s\"", keyspace)
	if table != "" {
		msg = fmt.Sprintf("Cannot add already existing table \"%s\" to keyspace \"%s\"", table, keyspace)
	}
	return &Error{Code: CodeAlreadyExists, Msg: msg, Keyspace: keyspace, Name: table}
}

// Unprepared asks the client to prepare the statement again.
func Unprepared(id [16]byte) *Error {
	return &Error{
		Code: CodeUnprepared, ID: id,
		Msg: fmt.Sprintf("Prepared query with ID %x not found (either the query was not prepared on this host (maybe the host "+
			"has been restarted?) or you have prepared too many queries and it has been evicted from the internal cache)", id[:]),
	}
}

// Unavailable tells that too few replicas are alive.
func Unavailable(cl Consistency, required, alive int) *Error {
	return &Error{
		Code: CodeUnavailable, Msg: "Cannot achieve consistency level " + cl.String(),
		Consistency: cl, Required: int32(required), Received: int32(alive),
	}
}

// WriteTimeout tells that too few replicas acknowledged in time; the write may
// or may not have happened.
func WriteTimeout(cl Consistency, received, required int, typ WriteType) *Error {
	return &Error{
		Code: CodeWriteTimeout, Consistency: cl, Received: int32(received), Required: int32(required), WriteType: typ,
		Msg: fmt.Sprintf("Operation timed out - received only %d responses.", received),
	}
}

// ReadTimeout tells that too few replicas answered in time.
func ReadTimeout(cl Consistency, received, required int, dataPresent bool) *Error {
	return &Error{
		Code: CodeReadTimeout, Consistency: cl, Received: int32(received), Required: int32(required), DataPresent: dataPresent,
		Msg: fmt.Sprintf("Operation timed out - received only %d responses.", received),
	}
}

// ReadFailure tells that replicas answered with an error.
func ReadFailure(cl Consistency, received, required int, dataPresent bool, reasons []FailureReason) *Error {
	return &Error{
		Code: CodeReadFailure, Consistency: cl, Received: int32(received), Required: int32(required),
		DataPresent: dataPresent, Reasons: reasons, NumFailures: int32(len(reasons)),
		Msg: fmt.Sprintf("Operation failed - received %d responses and %d failures", received, len(reasons)),
	}
}

// WriteFailure tells that replicas answered with an error.
func WriteFailure(cl Consistency, received, required int, typ WriteType, reasons []FailureReason) *Error {
	return &Error{
		Code: CodeWriteFailure, Consistency: cl, Received: int32(received), Required: int32(required),
		WriteType: typ, Reasons: reasons, NumFailures: int32(len(reasons)),
		Msg: fmt.Sprintf("Operation failed - received %d responses and %d failures", received, len(reasons)),
	}
}

// FunctionFailure tells that a user-defined function failed.
func FunctionFailure(keyspace, function string, argTypes []string, msg string) *Error {
	return &Error{Code: CodeFunctionFailure, Msg: msg, Keyspace: keyspace, Name: function, ArgTypes: argTypes}
}
