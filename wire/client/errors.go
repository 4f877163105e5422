package client

import "errors"

// Errors of a session. Nodes answer with a *wire.Error.
var (
	// ErrClosed is the error of everything after Session.Close.
	ErrClosed = errors.New("client: the session is closed")
	// ErrTimeout means that no answer came in time. A write may have been done.
	ErrTimeout = errors.New("client: no answer in time")
	// ErrUnreachable means that no node could be asked. Nothing was done.
	ErrUnreachable = errors.New("client: no node can be reached")
	// ErrLost means that the connection was lost before the answer came. A write
	// may have been done.
	ErrLost = errors.New("client: the connection was lost before the answer")
	// ErrBusy means that a connection has too many statements unanswered. Nothing
	// was done.
	ErrBusy = errors.New("client: too many statements are in work")
	// ErrTooLarge means that a statement does not fit into a frame. Nothing was
	// done.
	ErrTooLarge = errors.New("client: the statement is too large")
	// errProtocol means that a node has sent what makes no sense.
	errProtocol = errors.New("client: a node has broken the protocol")
)
