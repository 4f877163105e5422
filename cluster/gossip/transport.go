package gossip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/ilion-db/ilion/internal/clock"
)

const (
	packetQueue = 512      // packets that wait for memberlist; more are dropped
	maxPacket   = 8 << 10  // bytes of one that is taken
	sendPacket  = 4 << 10  // bytes of one that is sent
	maxStreams  = 8        // that others opened, at a time; more are closed
	maxStream   = 16 << 20 // bytes that are read from one
)

var errClosed = errors.New("gossip: closed")

// transport is memberlist's way to the network. Thread safe.
type transport struct {
	net     Network
	clock   clock.Clock
	log     *slog.Logger
	at      netip.AddrPort
	label   string
	sealed  bool
	packets chan *memberlist.Packet
	streams chan net.Conn
	warned  atomic.Bool // the first refusal is logged as a warning
	ctx     context.Context
	cancel  context.CancelFunc

	mu     sync.Mutex // protects what follows
	conns  map[*stream]struct{}
	taken  int // of conns, those that others opened
	closed bool
}

var _ memberlist.NodeAwareTransport = (*transport)(nil)

func newTransport(o *Options, at netip.AddrPort, label string) *transport {
	t := &transport{
		net: o.Network, clock: o.Clock, log: o.Log, at: at, label: label, sealed: len(o.Keys) > 0,
		packets: make(chan *memberlist.Packet, packetQueue), streams: make(chan net.Conn, maxStreams),
		conns: map[*stream]struct{}{},
	}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t
}

// refuse logs what came from a peer and is not taken, loudly once.
func (t *transport) refuse(what, from string, err error) {
	level := slog.LevelDebug
	if t.warned.CompareAndSwap(false, true) {
		level = slog.LevelWarn
	}
	t.log.Log(t.ctx, level, "gossip from a peer is dropped; further ones are logged at debug", "what", what, "from", from, "error", err)
}

// packet takes a packet that came in; b is copied.
func (t *transport) packet(b []byte, from string) {
	at, err := netip.ParseAddrPort(from)
	if err == nil {
		err = checkPacket(b, t.label, t.sealed)
	}
	if err != nil {
		t.refuse("packet", from, err)
		return
	}
	p := &memberlist.Packet{Buf: append([]byte(nil), b...), From: net.TCPAddrFromAddrPort(at), Timestamp: t.clock.Now()}
	select {
	case t.packets <- p:
	default:
		t.refuse("packet", from, errors.New("too many wait"))
	}
}

// stream takes a connection that came in.
func (t *transport) stream(c net.Conn) {
	s, err := t.track(c, true)
	if err != nil {
		t.refuse("stream", c.RemoteAddr().String(), err)
		c.Close()
		return
	}
	t.streams <- s // as many as may be tracked fit in
}

func (t *transport) track(c net.Conn, taken bool) (*stream, error) {
	s := &stream{Conn: c, t: t, left: maxStream, taken: taken}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, errClosed
	}
	if taken {
		if t.taken == maxStreams {
			return nil, errors.New("too many are open")
		}
		t.taken++
	}
	t.conns[s] = struct{}{}
	return s, nil
}

// FinalAdvertiseAddr implements memberlist.Transport.
func (t *transport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return t.at.Addr().AsSlice(), int(t.at.Port()), nil
}

// WriteTo implements memberlist.Transport.
func (t *transport) WriteTo(b []byte, addr string) (time.Time, error) {
	return t.WriteToAddress(b, memberlist.Address{Addr: addr})
}

// WriteToAddress implements memberlist.NodeAwareTransport. What the network
// refuses is told in the form that memberlist takes for a failure of the other
// side: it then asks others to try, without waiting for an answer.
func (t *transport) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	if t.ctx.Err() != nil {
		return time.Time{}, errClosed
	}
	now := t.clock.Now()
	if err := t.net.SendPacket(a.Addr, b); err != nil {
		return now, &net.OpError{Op: "write", Net: "tcp", Err: err}
	}
	return now, nil
}

// PacketCh implements memberlist.Transport.
func (t *transport) PacketCh() <-chan *memberlist.Packet { return t.packets }

// DialTimeout implements memberlist.Transport.
func (t *transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return t.DialAddressTimeout(memberlist.Address{Addr: addr}, timeout)
}

// DialAddressTimeout implements memberlist.NodeAwareTransport.
func (t *transport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(t.ctx, timeout)
	defer cancel()
	c, err := t.net.DialStream(ctx, a.Addr)
	if err != nil {
		return nil, err
	}
	s, err := t.track(c, false)
	if err != nil {
		c.Close()
		return nil, err
	}
	return s, nil
}

// StreamCh implements memberlist.Transport.
func (t *transport) StreamCh() <-chan net.Conn { return t.streams }

// Shutdown implements memberlist.Transport: everything under way fails.
func (t *transport) Shutdown() error {
	t.cancel()
	t.mu.Lock()
	t.closed = true
	var open []*stream
	for s := range t.conns {
		open = append(open, s)
	}
	t.mu.Unlock()
	for _, s := range open {
		s.Close()
	}
	return nil
}

// stream is a connection of which a bounded number of bytes is read, once its
// beginning has been looked at. One goroutine at a time reads it.
type stream struct {
	net.Conn
	t     *transport
	left  int
	head  []byte // read and not yet handed on
	known bool   // the beginning is one that nodes send
	taken bool   // the other side opened it
	once  sync.Once
}

// Read implements net.Conn.
func (s *stream) Read(p []byte) (int, error) {
	if !s.known {
		if err := s.begin(); err != nil {
			return 0, err
		}
	}
	if len(s.head) > 0 {
		n := copy(p, s.head)
		s.head = s.head[n:]
		return n, nil
	}
	if s.left == 0 {
		return 0, fmt.Errorf("gossip: a stream of more than %d bytes: %w", maxStream, io.ErrUnexpectedEOF)
	}
	n, err := s.Conn.Read(p[:min(len(p), s.left)])
	s.left -= n
	return n, err
}

// begin reads the head of the stream and checks it.
func (s *stream) begin() error {
	head := make([]byte, 0, maxHead)
	for len(head) < maxHead {
		n, err := s.Conn.Read(head[len(head):maxHead])
		head = head[:len(head)+n]
		switch bad := checkHead(head, s.taken, s.t.label, s.t.sealed); {
		case bad == nil:
			s.head, s.known = head, true
			return nil
		case !errors.Is(bad, errShort):
			s.t.refuse("stream", s.RemoteAddr().String(), bad)
			return bad
		case err != nil:
			return err
		}
	}
	return errShort
}

// Close implements net.Conn.
func (s *stream) Close() (err error) {
	s.once.Do(func() {
		s.t.mu.Lock()
		delete(s.t.conns, s)
		if s.taken {
			s.t.taken--
		}
		s.t.mu.Unlock()
		err = s.Conn.Close()
	})
	return err
}
