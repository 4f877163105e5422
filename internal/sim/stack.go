package sim

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/transport"
)

// Stack is the network as one boot of a machine sees it. After the boot has
// ended nothing gets in or out of it.
type Stack struct {
	n       *Network
	machine int
	clock   clock.Clock

	// Protected by Network.mu.
	up        bool
	listeners map[uint16]*listener
}

var _ transport.Transport = (*Stack)(nil)

// Address is the machine's address with a port.
func (s *Stack) Address(port uint16) string {
	return netip.AddrPortFrom(addressOf(s.machine), port).String()
}

// Listen implements transport.Transport. The address is the machine's own.
func (s *Stack) Listen(address string) (net.Listener, error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, fmt.Errorf("sim: %w", err)
	}
	if at.Addr() != addressOf(s.machine) {
		return nil, fmt.Errorf("sim: listen %s: %w", at, syscall.EADDRNOTAVAIL)
	}
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	if !s.up {
		return nil, fmt.Errorf("sim: listen %s: %w", at, syscall.ENETDOWN)
	}
	if at.Port() == 0 {
		at = netip.AddrPortFrom(at.Addr(), s.n.nextPort())
	}
	if s.listeners[at.Port()] != nil {
		return nil, fmt.Errorf("sim: listen %s: %w", at, syscall.EADDRINUSE)
	}
	l := &listener{s: s, at: at, queue: make(chan *conn, backlog), closed: make(chan struct{})}
	s.listeners[at.Port()] = l
	return l, nil
}

// Dial implements transport.Transport. Where nothing answers it goes on trying
// until ctx ends, as TCP does.
func (s *Stack) Dial(ctx context.Context, address string) (net.Conn, error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, fmt.Errorf("sim: %w", err)
	}
	to, ok := machineOf(at.Addr())
	if !ok {
		return nil, fmt.Errorf("sim: dial %s: %w", at, syscall.EHOSTUNREACH)
	}
	s.n.mu.Lock()
	s.n.dialed++
	number := s.n.dialed
	s.n.mu.Unlock()
	r := s.n.random(number, 0)
	for {
		s.n.mu.Lock()
		there, _ := s.n.arrival(s.machine, to, 0, r)
		back, _ := s.n.arrival(to, s.machine, 0, r)
		now := s.n.clock.Now()
		wait := there.Sub(now) + back.Sub(now)
		lost := s.n.blocked(s.machine, to) || s.n.blocked(to, s.machine) || s.n.down(to)
		s.n.mu.Unlock()
		if lost {
			wait = redial
		}
		select {
		case <-s.n.clock.After(wait):
		case <-ctx.Done():
			return nil, fmt.Errorf("sim: dial %s: %w", at, ctx.Err())
		}
		if lost {
			continue
		}
		c, again, err := s.connect(number, at, to)
		if !again {
			return c, err
		}
	}
}

// connect makes a connection with the listener at an address; again means that
// nobody has answered.
func (s *Stack) connect(number uint64, at netip.AddrPort, to int) (_ net.Conn, again bool, _ error) {
	n := s.n
	n.mu.Lock()
	defer n.mu.Unlock()
	if !s.up {
		return nil, false, fmt.Errorf("sim: dial %s: %w", at, syscall.ENETDOWN)
	}
	peer := n.stacks[to]
	if n.down(to) || n.blocked(to, s.machine) {
		return nil, true, nil
	}
	l := peer.listeners[at.Port()]
	if l == nil || !peer.up || n.refuses(to) {
		if !peer.up {
			n.missed[to]++
		}
		n.counts.Refused++
		return nil, false, fmt.Errorf("sim: dial %s: %w", at, syscall.ECONNREFUSED)
	}
	from := netip.AddrPortFrom(addressOf(s.machine), n.nextPort())
	near := &conn{n: n, own: s, peer: peer, local: from, remote: at, rand: n.random(number, 0)}
	far := &conn{n: n, own: peer, peer: s, local: at, remote: from, rand: n.random(number, 1)}
	near.far, far.far = far, near
	for _, c := range []*conn{near, far} {
		c.readable, c.writable = make(chan struct{}, 1), make(chan struct{}, 1)
	}
	select {
	case l.queue <- far:
	default:
		return nil, true, nil // the backlog is full: as if the packet was lost
	}
	n.counts.Connections++
	n.forget()
	n.conns = append(n.conns, near, far)
	return near, false, nil
}

// end is the end of a boot: by the death of its process, which the machine's
// kernel tells the peers, or of the machine, which nobody tells. It returns
// how many connections were open.
func (s *Stack) end(silent bool) (open int) {
	n := s.n
	n.mu.Lock()
	s.up = false
	n.power[s.machine] = !silent
	var listeners []*listener
	for _, l := range s.listeners {
		listeners = append(listeners, l)
	}
	for _, c := range n.conns {
		if c.own != s || c.closed {
			continue
		}
		open++
		c.gone = true
		c.fail(net.ErrClosed)
		if !silent {
			c.sendReset()
		}
	}
	n.mu.Unlock()
	for _, l := range listeners {
		l.shut()
	}
	return open
}

// listener implements net.Listener.
type listener struct {
	s      *Stack
	at     netip.AddrPort
	queue  chan *conn
	once   sync.Once
	closed chan struct{}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.shut()
	return nil
}

// shut ends the listener; connections that wait are reset.
func (l *listener) shut() {
	l.once.Do(func() {
		l.s.n.mu.Lock()
		defer l.s.n.mu.Unlock()
		delete(l.s.listeners, l.at.Port())
		close(l.closed)
		for {
			select {
			case c := <-l.queue:
				c.fail(net.ErrClosed)
				c.closed = true
				c.sendReset()
			default:
				return
			}
		}
	})
}

func (l *listener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.at) }
