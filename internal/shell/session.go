package shell

import (
	"context"
	"fmt"
	"strings"
)

// Session is the connection that the shell talks through. One goroutine uses it at a time.
type Session interface {
	// Execute runs one statement and gives one page of its result. The error is a *ServerError when the server answered.
	Execute(ctx context.Context, req Request) (*Result, error)
	// Use makes keyspace the one that unqualified names refer to.
	Use(ctx context.Context, keyspace string) error
	Close()
}

// Request is one statement with what the shell's settings add to it.
type Request struct {
	Statement         string
	Consistency       string // such as LOCAL_QUORUM
	SerialConsistency string
	PageSize          int    // rows, 0 for no paging
	PageState         []byte // of the page before, nil for the first
}

// Result is one page. Cells are the values as the server sent them, nil for null; the shell owns them.
type Result struct {
	Columns   []Column
	Rows      [][][]byte
	PageState []byte // empty on the last page
	Warnings  []string
}

// Column describes one column of a Result.
type Column struct {
	Keyspace, Table, Name string
	Type                  Type
}

// ServerError is an error frame.
type ServerError struct {
	Code    int // of the native protocol, such as 0x2200
	Message string
}

// Error gives the text that cqlsh shows.
func (e *ServerError) Error() string {
	if e.Code == codeSyntax {
		return "SyntaxException: " + e.Message
	}
	name, label := errorName(e.Code)
	return fmt.Sprintf("%s: Error from server: code=%04x [%s] message=\"%s\"", name, e.Code, label, e.Message)
}

const (
	codeSyntax  = 0x2000
	codeInvalid = 0x2200
)

func errorName(code int) (name, label string) {
	switch code {
	case 0x0000:
		return "ServerError", "Server error"
	case 0x000A:
		return "ProtocolException", "Protocol error"
	case 0x0100:
		return "AuthenticationFailed", "Bad credentials"
	case 0x1000:
		return "Unavailable", "Unavailable exception"
	case 0x1001:
		return "OverloadedErrorMessage", "Coordinator node overloaded"
	case 0x1002:
		return "IsBootstrappingErrorMessage", "Coordinator node is bootstrapping"
	case 0x1003:
		return "TruncateError", "Error during truncate"
	case 0x1100:
		return "WriteTimeout", "Coordinator node timed out waiting for replica nodes' responses"
	case 0x1200:
		return "ReadTimeout", "Coordinator node timed out waiting for replica nodes' responses"
	case 0x1300:
		return "ReadFailure", "Replica(s) failed to execute read"
	case 0x1400:
		return "FunctionFailure", "User Defined Function failure"
	case 0x1500:
		return "WriteFailure", "Replica(s) failed to execute write"
	case 0x1600:
		return "CDCWriteException", "CDC write failure"
	case 0x1700:
		return "CASWriteUnknown", "CAS operation result is unknown"
	case 0x2100:
		return "Unauthorized", "Unauthorized"
	case codeInvalid:
		return "InvalidRequest", "Invalid query"
	case 0x2300:
		return "ConfigurationException", "Query invalid because of configuration issue"
	case 0x2400:
		return "AlreadyExists", "Item already exists"
	case 0x2500:
		return "PreparedQueryNotFound", "Matching prepared statement not found on this node"
	}
	return "Error", "Error"
}

// Kind is the kind of a Type.
type Kind uint8

// Kinds of types.
const (
	KindCustom Kind = iota
	KindASCII
	KindBigint
	KindBlob
	KindBoolean
	KindCounter
	KindDate
	KindDecimal
	KindDouble
	KindDuration
	KindFloat
	KindInet
	KindInt
	KindSmallint
	KindText
	KindTime
	KindTimestamp
	KindTimeUUID
	KindTinyint
	KindUUID
	KindVarint
	KindList
	KindSet
	KindMap
	KindTuple
	KindUDT
	KindVector
)

// Type describes how the bytes of a value are to be read. Elems holds the element types (key and value of a map, the fields
// of a tuple or a user type); Fields the names of the fields of a user type; Dim the length of a vector.
type Type struct {
	Kind   Kind
	Elems  []Type
	Fields []string
	Dim    int
}

// consistencies are the levels that CONSISTENCY takes.
var consistencies = []string{"ANY", "ONE", "TWO", "THREE", "QUORUM", "ALL", "LOCAL_QUORUM", "EACH_QUORUM", "SERIAL", "LOCAL_SERIAL",
	"LOCAL_ONE"}

func isConsistency(level string) bool {
	for _, c := range consistencies {
		if strings.EqualFold(c, level) {
			return true
		}
	}
	return false
}
