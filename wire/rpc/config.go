package rpc

import (
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/metrics"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/transport"
	"github.com/ilion-db/ilion/wire"
)

// Config is how an Endpoint behaves. Fields without a default in brackets must
// be set.
type Config struct {
	Clock     clock.Clock
	Transport transport.Transport
	Rand      *rand.Source
	// Log is slog.Default by default.
	Log *slog.Logger
	// Metrics gets the endpoint's counters, if not nil.
	Metrics *metrics.Registry

	// Purpose is that of connections to peers (wire.PurposePeer).
	Purpose wire.Purpose
	// Hello says who this node is on a connection for the purpose; Purpose,
	// Lane, Instance, Now, Nonce and Features are filled in.
	Hello func(purpose wire.Purpose) wire.Hello
	// Check may refuse the other side of a connection, known by its hello and
	// address, after the key is proved and wire.Hello.Compatible found nothing
	// (nil refuses nobody). It must not block.
	Check func(h *wire.Hello, addr string) *wire.Error
	// OnRefused is told of who said hello and is refused, by Check or before it,
	// or refuses this node; without a key proved (nil is possible). It must not
	// block.
	OnRefused func(h *wire.Hello, addr string)
	// Key, if any, is proved by both sides of every connection.
	Key []byte
	// Handlers serve requests by their operation. What has none is answered
	// wire.CodeUnsupported.
	Handlers map[wire.Op]Handler

	// OnUp and OnDown are told when a peer gets reachable and when it ceases to
	// be, in turn, starting with OnUp or OnDown (nil is possible). They must not
	// block.
	OnUp, OnDown func(host [16]byte)
	// OnHello is told what a member has said in its hello (nil is possible). It
	// must not block.
	OnHello func(h *wire.Hello)
	// OnSkew is told how far the clock of a member that was called is ahead of
	// ours, give or take half the time that its answer took (nil is possible). It
	// must not block.
	OnSkew func(host [16]byte, ahead, within time.Duration)
	// OnPacket gets packets sent by SendPacket, which it must copy to keep, with
	// the sender's address (nil drops them). It must not block.
	OnPacket func(b []byte, from string)
	// OnStream gets connections made by DialStream and owns them (nil refuses
	// them).
	OnStream func(c net.Conn)

	// Limits are bounds and intervals.
	Limits Limits
}

// Limits are the bounds of an Endpoint. The zero value of a field is its
// default.
type Limits struct {
	// QueueBytes bounds what waits to be sent on a connection (8 MiB); one
	// message more may be beyond it.
	QueueBytes int
	// InFlight bounds the unanswered requests of a connection (65,536).
	InFlight int
	// InputBytes bounds the input that a connection's unanswered requests hold
	// (32 MiB).
	InputBytes int64
	// TotalInputBytes is the same for all connections together (256 MiB). What
	// comes beyond either is answered wire.CodeOverloaded.
	TotalInputBytes int64
	// ClientUnsent closes a client's connection that has more bytes of unsent
	// answers (64 MiB).
	ClientUnsent int
	// TotalClientUnsent bounds the unsent answers of all clients (256 MiB): beyond
	// it a connection that adds to them and has a 64th of them is closed.
	TotalClientUnsent int64
	// Connections bounds those accepted (8,192); more are closed.
	Connections int
	// Heartbeat is how long a connection may be silent before the other side is
	// asked for a sign of life (500 ms); after four times that it is closed. On
	// connections of clients, both are thirty times as long.
	Heartbeat time.Duration
	// HelloTimeout bounds dialing together with the hello (5 s).
	HelloTimeout time.Duration
	// Backoff is the longest pause between attempts to reach a peer (5 s); the
	// first is 50 ms.
	Backoff time.Duration
	// WriteTimeout closes a connection that takes no byte for so long (30 s).
	WriteTimeout time.Duration
}

func orDefault[T int | int64 | time.Duration](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}

func (c Config) withDefaults() (Config, error) {
	if c.Clock == nil || c.Transport == nil || c.Rand == nil || c.Hello == nil {
		return c, errors.New("rpc: Clock, Transport, Rand and Hello must be set")
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Purpose == 0 {
		c.Purpose = wire.PurposePeer
	}
	l := &c.Limits
	orDefault(&l.QueueBytes, 8<<20)
	orDefault(&l.InFlight, 1<<16)
	orDefault(&l.InputBytes, 32<<20)
	orDefault(&l.TotalInputBytes, 256<<20)
	orDefault(&l.ClientUnsent, 64<<20)
	orDefault(&l.TotalClientUnsent, 256<<20)
	orDefault(&l.Connections, 8192)
	orDefault(&l.Heartbeat, 500*time.Millisecond)
	orDefault(&l.HelloTimeout, 5*time.Second)
	orDefault(&l.Backoff, 5*time.Second)
	orDefault(&l.WriteTimeout, 30*time.Second)
	return c, nil
}
