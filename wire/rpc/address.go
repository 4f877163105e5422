package rpc

import (
	"context"
	"net"

	"github.com/ilion-db/ilion/wire"
)

// CallAddress asks somebody known by address only, on a connection of its own,
// and returns who answered and a copy of the answer's body.
func (e *Endpoint) CallAddress(ctx context.Context, addr string, purpose wire.Purpose, m *Message) (wire.Hello, []byte, error) {
	nc, other, err := e.dialOut(ctx, addr, purpose)
	if err != nil {
		return other, nil, err
	}
	c := e.newConn()
	if !c.opened(nc, &other) {
		e.wg.Done()
		return other, nil, ErrClosed
	}
	go func() {
		defer e.wg.Done()
		_ = c.run()
		c.fail(e.failure())
	}()
	body, err := c.ask(ctx, m)
	c.fail(ErrClosed)
	return other, body, err
}

// dialOut dials on behalf of a caller. After success the caller is counted
// among the goroutines that Close waits for.
func (e *Endpoint) dialOut(ctx context.Context, addr string, purpose wire.Purpose) (net.Conn, wire.Hello, error) {
	if !e.begin() {
		return nil, wire.Hello{}, ErrClosed
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.ctx, cancel)()
	nc, other, err := e.dial(ctx, addr, purpose, Urgent, nil)
	if err != nil {
		e.wg.Done()
		if e.ctx.Err() != nil {
			err = ErrClosed
		}
	}
	return nc, other, err
}

// DialStream returns a connection that has exchanged hellos and carries
// whatever the two sides agree on. It is the caller's.
func (e *Endpoint) DialStream(ctx context.Context, addr string) (net.Conn, error) {
	nc, _, err := e.dialOut(ctx, addr, wire.PurposeStream)
	if err == nil {
		e.wg.Done()
	}
	return nc, err
}

// SendPacket sends a packet of the failure detector without waiting. Like any
// packet it may get lost; an error means that it did.
func (e *Endpoint) SendPacket(addr string, b []byte) error {
	e.mu.Lock()
	c := e.packets[addr]
	switch {
	case e.closed:
		e.mu.Unlock()
		return ErrClosed
	case c == nil && len(e.packets) >= maxPacketConns:
		e.mu.Unlock()
		return ErrBacklog
	case c == nil:
		c = e.newConn()
		e.packets[addr] = c
		e.wg.Add(1)
		go e.runPackets(c, addr)
	}
	e.mu.Unlock()
	c.sent.Store(true)
	return c.notify(&Message{Op: wire.OpGossip, Body: b})
}

// runPackets is the goroutine of a connection for packets. It is not made anew
// when it fails: the next packet does that.
func (e *Endpoint) runPackets(c *conn, addr string) {
	defer e.wg.Done()
	nc, other, err := e.dial(e.ctx, addr, wire.PurposeGossip, Urgent, nil)
	if err == nil {
		if c.opened(nc, &other) {
			_ = c.run()
		}
	} else if e.ctx.Err() == nil {
		e.noise.warn("cannot reach a peer", addr, err)
	}
	e.mu.Lock()
	if e.packets[addr] == c {
		delete(e.packets, addr)
	}
	e.mu.Unlock()
	c.fail(e.failure())
}
