package rpc

import (
	"context"
	"net"

	"github.com/ilion-db/ilion/wire"
)

// Handler serves a request. It runs on the connection's reader, so it must not
// block: what would has to be handed on. It ends with exactly one of Reply,
// ReplyEpoch and Fail, now or later and from any goroutine.
type Handler func(r *Request)

// Request is a request of a peer or client. It must not be used after it was
// answered.
type Request struct {
	from     [16]byte
	op       wire.Op
	epoch    uint64
	deadline int64
	body     []byte
}

// From is the host id of who asks, zero for a client.
func (r *Request) From() [16]byte { return r.from }

// Purpose is what the connection was opened for.
func (r *Request) Purpose() wire.Purpose { return wire.PurposePeer }

// Op is what is asked for.
func (r *Request) Op() wire.Op { return r.op }

// Epoch is the newest metadata epoch of who asks, 0 if it told none.
func (r *Request) Epoch() uint64 { return r.epoch }

// Deadline is when the asker stops waiting, clock.Mono nanoseconds here; 0 for
// never.
func (r *Request) Deadline() int64 { return r.deadline }

// Body is valid until the request is answered.
func (r *Request) Body() []byte { return r.body }

// Reply answers with a body made of parts, which are copied.
func (r *Request) Reply(parts ...[]byte) {}

// ReplyEpoch is Reply that tells the metadata epoch of this node, too.
func (r *Request) ReplyEpoch(epoch uint64, parts ...[]byte) {}

// Fail answers with an error.
func (r *Request) Fail(e *wire.Error) {}

// Endpoint is one node's end of all connections. Safe for concurrent use.
type Endpoint struct{ cfg Config }

// New returns an endpoint that listens nowhere yet.
func New(cfg Config) (*Endpoint, error) {
	cfg, err := cfg.withDefaults()
	return &Endpoint{cfg: cfg}, err
}

// Serve accepts connections until Close. It owns l.
func (e *Endpoint) Serve(l net.Listener) error { return ErrClosed }

// Close ends all connections and goroutines; requests not yet answered get
// ErrClosed.
func (e *Endpoint) Close() error { return nil }

// Peer is a member by its host id.
func (e *Endpoint) Peer(host [16]byte) *Peer { return &Peer{} }

// SetAddress tells where a member is; "" forgets it and closes its connections.
func (e *Endpoint) SetAddress(host [16]byte, addr string) {}

// CallAddress asks somebody known by address only and returns who answered and
// a copy of the answer.
func (e *Endpoint) CallAddress(ctx context.Context, addr string, purpose wire.Purpose, m *Message) (wire.Hello, []byte, error) {
	return wire.Hello{}, nil, ErrPeerDown
}

// SendPacket sends a packet of the failure detector; it may get lost.
func (e *Endpoint) SendPacket(addr string, b []byte) error { return ErrPeerDown }

// DialStream returns a connection that has exchanged hellos and is the
// caller's.
func (e *Endpoint) DialStream(ctx context.Context, addr string) (net.Conn, error) {
	return nil, ErrPeerDown
}

// Peer sends to one member. Safe for concurrent use.
type Peer struct{}

// Up is false from the failure of a connection until one works again.
func (p *Peer) Up() bool { return false }

// Send sends a request without waiting. After nil r is told exactly once what
// came of it; an error means that nothing was sent and r is not told.
func (p *Peer) Send(m *Message, r Receiver) error { return ErrPeerDown }

// Notify sends a request that gets no answer, without waiting.
func (p *Peer) Notify(m *Message) error { return ErrPeerDown }

// Call sends a request and waits; it returns a copy of the answer's body.
func (p *Peer) Call(ctx context.Context, m *Message) ([]byte, error) { return nil, ErrPeerDown }
