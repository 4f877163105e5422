package transport

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
)

// backlog is how many connections may wait to be accepted.
const backlog = 128

// Mem is a network of its own, in memory. Connections are synchronous pipes
// with deadlines: a write ends when the other side has read it. The zero value
// is ready.
type Mem struct {
	mu        sync.Mutex // protects what follows
	listeners map[netip.AddrPort]*memListener
	port      uint16 // last one given for port 0, or for a dialer
}

var _ Transport = (*Mem)(nil)

// firstPort is the first that is given when any will do.
const firstPort = 32768

func (m *Mem) nextPort() uint16 {
	m.port = max(m.port+1, firstPort)
	return m.port
}

// Listen implements Transport.
func (m *Mem) Listen(address string) (net.Listener, error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, fmt.Errorf("transport: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if at.Port() == 0 {
		at = netip.AddrPortFrom(at.Addr(), m.nextPort())
	}
	if m.listeners[at] != nil {
		return nil, fmt.Errorf("transport: listen %s: %w", at, syscall.EADDRINUSE)
	}
	if m.listeners == nil {
		m.listeners = map[netip.AddrPort]*memListener{}
	}
	l := &memListener{net: m, at: at, queue: make(chan net.Conn, backlog), closed: make(chan struct{})}
	m.listeners[at] = l
	return l, nil
}

// Dial implements Transport.
func (m *Mem) Dial(ctx context.Context, address string) (net.Conn, error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, fmt.Errorf("transport: %w", err)
	}
	m.mu.Lock()
	l := m.listeners[at]
	from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), m.nextPort())
	m.mu.Unlock()
	if l == nil {
		return nil, fmt.Errorf("transport: dial %s: %w", at, syscall.ECONNREFUSED)
	}
	near, far := net.Pipe()
	near, far = &memConn{near, from, at}, &memConn{far, at, from}
	select {
	case l.queue <- far:
		return near, nil
	case <-l.closed:
		err = fmt.Errorf("transport: dial %s: %w", at, syscall.ECONNREFUSED)
	case <-ctx.Done():
		err = ctx.Err()
	}
	near.Close()
	return nil, err
}

type memListener struct {
	net    *Mem
	at     netip.AddrPort
	queue  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

// Accept implements net.Listener.
func (l *memListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *memListener) Close() error {
	l.once.Do(func() {
		l.net.mu.Lock()
		delete(l.net.listeners, l.at)
		l.net.mu.Unlock()
		close(l.closed)
	})
	return nil
}

// Addr implements net.Listener.
func (l *memListener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.at) }

// memConn is one end of a pipe that knows its addresses.
type memConn struct {
	net.Conn
	near, far netip.AddrPort
}

func (c *memConn) LocalAddr() net.Addr  { return net.TCPAddrFromAddrPort(c.near) }
func (c *memConn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.far) }
