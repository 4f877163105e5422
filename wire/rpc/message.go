package rpc

import (
	"github.com/ilion-db/ilion/wire"
)

// Lane keeps traffic of different kinds apart: each is a connection of its own
// to a peer, so that a large message never delays a small one.
type Lane uint8

// Lanes. On the wire, never renumber.
const (
	// Urgent is for the failure detector, the metadata log and pings.
	Urgent Lane = iota
	// Small is for requests and their answers.
	Small
	// Bulk is for hints and large bodies.
	Bulk
	lanes = Bulk + 1
)

// Message is a request to be sent.
type Message struct {
	Op    wire.Op
	Lane  Lane
	Epoch uint64 // newest metadata epoch of the sender, 0 for none
	// Deadline is when the sender stops waiting, clock.Mono nanoseconds; 0 for
	// never.
	Deadline int64
	// Body is followed by Parts. They may be reused once Send returns.
	Body  []byte
	Parts [][]byte
}

// Answer is what came of a request.
type Answer struct {
	// Err is nil, a *wire.Error from the peer, ErrPeerDown, ErrDeadline or
	// ErrClosed.
	Err   error
	Epoch uint64 // newest metadata epoch of the peer, 0 if it told none
	Body  []byte // valid until Receive returns
	// More means that further answers to the same request follow.
	More bool
}

// Receiver is told what came of a request from any goroutine: once, or as often
// as the other side answers with Request.Part, in turn, and then once without
// Answer.More. It must not block: other answers wait behind it.
type Receiver interface {
	Receive(a *Answer)
}
