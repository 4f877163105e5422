package schema

import "fmt"

// ErrorKind says which of the protocol's errors a client gets.
type ErrorKind uint8

// Kinds of errors.
const (
	ErrInvalid ErrorKind = iota + 1 // InvalidRequestException, 0x2200
	ErrConfig                       // ConfigurationException, 0x2300
	ErrSyntax                       // SyntaxException, 0x2000
	ErrExists                       // AlreadyExistsException, 0x2400
)

// Error is a refusal meant for the client, in Cassandra's words. Keyspace and
// Table are set with ErrExists.
type Error struct {
	Kind            ErrorKind
	Message         string
	Keyspace, Table string
}

func (e *Error) Error() string { return e.Message }

func invalid(format string, args ...any) error {
	return &Error{Kind: ErrInvalid, Message: fmt.Sprintf(format, args...)}
}

func config(format string, args ...any) error {
	return &Error{Kind: ErrConfig, Message: fmt.Sprintf(format, args...)}
}

func syntax(format string, args ...any) error {
	return &Error{Kind: ErrSyntax, Message: fmt.Sprintf(format, args...)}
}
