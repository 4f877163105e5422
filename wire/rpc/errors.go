package rpc

import "errors"

// Errors of sending and of answers, besides *wire.Error.
var (
	// ErrPeerDown means that there is no connection to the peer, or that it
	// failed before the answer came: whether the request was carried out is not
	// known in that case.
	ErrPeerDown = errors.New("rpc: the peer is not connected")
	// ErrBacklog means that more than the bound waits to be sent to the peer or
	// to be answered; nothing was sent.
	ErrBacklog = errors.New("rpc: too much waits to be sent to the peer")
	// ErrDeadline means that no answer came in time.
	ErrDeadline = errors.New("rpc: no answer before the deadline")
	// ErrClosed means that the endpoint is closed.
	ErrClosed = errors.New("rpc: closed")
	// ErrTooLarge means that a message is longer than wire.MaxBody.
	ErrTooLarge = errors.New("rpc: the message is too large")
)
