package wire

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/ilion-db/ilion/internal/encoding"
)

// Errors of decoding.
var (
	// ErrCorrupt is wrapped by every error about bytes that no encoder wrote.
	ErrCorrupt = errors.New("wire: corrupt encoding")
	// ErrUnknownFeature means that a newer version wrote it.
	ErrUnknownFeature = errors.New("wire: written by a newer version")
)

// Code says what went wrong, so that a program can act on it. On the wire:
// only append, never renumber.
type Code uint16

// Codes of errors.
const (
	// CodeFailed is a failure of the receiver that no other code names.
	CodeFailed Code = iota + 1
	// CodeStale refuses a request planned on owners or a schema that changed
	// since; Epoch is what the receiver has.
	CodeStale
	// CodeBehind means that the receiver has not yet heard of the sender's epoch
	// and could not catch up.
	CodeBehind
	// CodeNewer refuses a server-stamped write that met a newer server stamp,
	// Timestamp: it has to be stamped again.
	CodeNewer
	// CodeOverloaded refuses before anything was done.
	CodeOverloaded
	// CodeDiskFull refuses writes; deletes may still pass.
	CodeDiskFull
	// CodeCorrupt means that stored data is damaged: ask another replica.
	CodeCorrupt
	// CodeUnknownTable means that there is no such table at the receiver's epoch.
	CodeUnknownTable
	// CodeNotOwner means that the receiver does not hold the token.
	CodeNotOwner
	// CodeTimeout means that the deadline passed before the work was done.
	CodeTimeout
	// CodeInvalid refuses a request that can never work.
	CodeInvalid
	// CodeUnsupported refuses an operation or a field that the receiver does not
	// know or that this connection may not use.
	CodeUnsupported
	// CodeRefused ends a connection at its hello; Message says what to do.
	CodeRefused
	// CodeTooManyTombstones ends a read.
	CodeTooManyTombstones
	// CodePurged refuses a hint or a batch that is older than what was purged.
	CodePurged
	// CodeUnavailable means that too few replicas are alive.
	CodeUnavailable
	// CodeUnprepared means that the receiver does not know a prepared statement.
	CodeUnprepared
	// CodeUnauthorized refuses somebody who may not do that.
	CodeUnauthorized
)

var codeNames = [...]string{
	"", "failed", "stale", "behind", "newer stamp", "overloaded", "disk full", "corrupt data",
	"unknown table", "not the owner", "time-out", "invalid", "unsupported", "refused",
	"too many tombstones", "purged", "unavailable", "unprepared", "unauthorized",
}

// String is the code in words.
func (c Code) String() string {
	if int(c) < len(codeNames) && c > 0 {
		return codeNames[c]
	}
	return "code " + strconv.Itoa(int(c))
}

// Error is the body of an answer with FlagError.
type Error struct {
	Code      Code
	Message   string
	Epoch     uint64 // CodeStale, CodeBehind: the metadata epoch of who answers
	Timestamp int64  // CodeNewer: microseconds
	Detail    []byte // by code; nil for most
}

// maxMessage bounds the message of an error in bytes.
const maxMessage = 4 << 10

// Errorf returns an error with a code and a message.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Error implements error.
func (e *Error) Error() string {
	if e.Message == "" {
		return e.Code.String()
	}
	return e.Code.String() + ": " + e.Message
}

// Append appends the encoded error.
func (e *Error) Append(dst []byte) []byte {
	dst = appendU16(dst, uint16(e.Code))
	dst = appendU64(dst, e.Epoch)
	dst = appendU64(dst, uint64(e.Timestamp))
	dst = encoding.AppendString(dst, e.Message[:min(len(e.Message), maxMessage)])
	return encoding.AppendBytes(dst, e.Detail)
}

// Decode decodes an error. It copies what it keeps.
func (e *Error) Decode(b []byte) error {
	r := encoding.NewReader(b)
	*e = Error{Code: Code(r.U16()), Epoch: r.U64(), Timestamp: int64(r.U64())}
	m := r.Bytes()
	if len(m) > maxMessage {
		return corrupt("error", "a message of %d bytes", len(m))
	}
	e.Message = string(m)
	if d := r.Bytes(); len(d) > 0 {
		e.Detail = append([]byte(nil), d...)
	}
	return finish(&r, "error")
}

func unknownFlags(what string, flags byte) error {
	return fmt.Errorf("%w: flags %#x of %s", ErrUnknownFeature, flags, what)
}

func corrupt(what, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrCorrupt, what, fmt.Sprintf(format, args...))
}

// finish ends a decoder: nothing may be left.
func finish(r *encoding.Reader, what string) error {
	if err := decodeError(r, what); err != nil {
		return err
	}
	if r.Len() > 0 {
		return corrupt(what, "%d bytes too many", r.Len())
	}
	return nil
}

// decodeError is the error of a reader as a decoder tells it.
func decodeError(r *encoding.Reader, what string) error {
	err := r.Err()
	if err == nil || errors.Is(err, ErrCorrupt) || errors.Is(err, ErrUnknownFeature) {
		return err
	}
	return fmt.Errorf("%w: %s: %w", ErrCorrupt, what, err)
}
