package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/ilion-db/ilion/wire"
)

// greeting is one side's half of opening a connection.
type greeting struct {
	e    *Endpoint
	nc   net.Conn
	mine wire.Hello
	sent []byte // mine, encoded
}

// say makes this side's hello.
func (g *greeting) say(purpose wire.Purpose, lane uint8) {
	e := g.e
	g.mine = e.cfg.Hello(purpose)
	h := &g.mine
	h.Purpose, h.Lane, h.Instance, h.Features = purpose, lane, e.instance, wire.FeatureLZ4
	h.Now = e.cfg.Clock.Now().UnixMicro()
	e.cfg.Rand.Read(h.Nonce[:])
	g.sent = h.Append(nil)
}

func (g *greeting) send(op wire.Op, flags wire.Flags, body ...[]byte) error {
	_, err := g.nc.Write(wire.AppendFrame(nil, wire.Header{Op: op, Flags: flags}, &wire.Prologue{}, body...))
	return err
}

// receive reads one frame of the operation. An error that the other side sent
// is a *wire.Error.
func (g *greeting) receive(op wire.Op) ([]byte, error) {
	var head [wire.HeaderSize]byte
	if _, err := io.ReadFull(g.nc, head[:]); err != nil {
		return nil, err
	}
	h, err := wire.ParseHeader(head[:])
	if err != nil {
		return nil, err
	}
	if h.Op != op && h.Flags&wire.FlagError == 0 || h.Length > wire.MaxHelloFrame {
		return nil, fmt.Errorf("%w: %v of %d bytes instead of %v", wire.ErrCorrupt, h.Op, h.Length, op)
	}
	payload := make([]byte, h.Length)
	if _, err := io.ReadFull(g.nc, payload); err != nil {
		return nil, err
	}
	var p wire.Prologue
	body, err := wire.ParsePayload(payload, &p)
	if err != nil {
		return nil, err
	}
	if h.Flags&wire.FlagError != 0 {
		e := new(wire.Error)
		if err := e.Decode(body); err != nil {
			return nil, err
		}
		return nil, e
	}
	return body, nil
}

// refuse tells the other side why it is refused.
func (g *greeting) refuse(op wire.Op, e *wire.Error) error {
	_ = g.send(op, wire.FlagResponse|wire.FlagError, e.Append(nil))
	return e
}

// proof is what the side sends as its proof, nothing without a key.
func (g *greeting) proof(side wire.Side, dialer, acceptor []byte) []byte {
	if len(g.e.cfg.Key) == 0 {
		return nil
	}
	return wire.Prove(nil, g.e.cfg.Key, side, dialer, acceptor)
}

// checkProof tells why the other side's proof is none.
func (g *greeting) checkProof(proof []byte, side wire.Side, dialer, acceptor []byte) *wire.Error {
	key := g.e.cfg.Key
	switch {
	case len(key) == 0 && len(proof) == 0, len(key) > 0 && wire.Proves(proof, key, side, dialer, acceptor):
		return nil
	case len(key) == 0:
		return wire.Errorf(wire.CodeRefused, "the other side has a cluster key and this node none: start both with the cluster's --cluster-key-file, or both without")
	case len(proof) == 0:
		return wire.Errorf(wire.CodeRefused, "this node has a cluster key and the other side none: start both with the cluster's --cluster-key-file, or both without")
	}
	return wire.Errorf(wire.CodeRefused, "the other side's cluster key is not this cluster's: compare the files given as --cluster-key-file")
}

// check tells why this node does not talk to the other side.
func (g *greeting) check(other *wire.Hello) *wire.Error {
	e := g.mine.Compatible(other)
	if f := g.e.cfg.Check; e == nil && f != nil {
		e = f(other, g.nc.RemoteAddr().String())
	}
	if e != nil {
		g.refused(other)
	}
	return e
}

// refused tells that one side refuses the other by its hello.
func (g *greeting) refused(other *wire.Hello) {
	if f := g.e.cfg.OnRefused; f != nil {
		f(other, g.nc.RemoteAddr().String())
	}
}

// dialer runs the dialing side and returns the other's hello.
func (g *greeting) dialer(purpose wire.Purpose, lane Lane) (other wire.Hello, err error) {
	g.say(purpose, uint8(lane))
	if err = g.send(wire.OpHello, 0, g.sent); err != nil {
		return other, err
	}
	began := g.e.cfg.Clock.Mono()
	b, err := g.receive(wire.OpHelloReply)
	if err != nil {
		return other, err
	}
	if len(b) < 2 {
		return other, fmt.Errorf("%w: a hello's answer of %d bytes", wire.ErrCorrupt, len(b))
	}
	n := min(int(b[0])|int(b[1])<<8, len(b)-2)
	hello, proof := b[2:2+n], b[2+n:]
	if err = other.Decode(hello); err != nil {
		return other, err
	}
	if e := g.checkProof(proof, wire.Acceptor, g.sent, hello); e != nil {
		return other, g.refuse(wire.OpProof, e)
	}
	if e := g.check(&other); e != nil {
		return other, g.refuse(wire.OpProof, e)
	}
	if err = g.send(wire.OpProof, 0, g.proof(wire.Dialer, g.sent, hello)); err != nil {
		return other, err
	}
	if _, err = g.receive(wire.OpProof); err != nil {
		return other, err
	}
	// The other's clock was read about half way.
	half := (g.e.cfg.Clock.Mono() - began) / 2
	g.e.greeted(&other)
	if f := g.e.cfg.OnSkew; f != nil {
		f(other.HostID, time.UnixMicro(other.Now).Add(half).Sub(g.e.cfg.Clock.Now()), half)
	}
	return other, nil
}

// acceptor runs the accepting side and returns the other's hello. admit is
// called last and may still refuse.
func (g *greeting) acceptor(admit func(other *wire.Hello) *wire.Error) (other wire.Hello, err error) {
	b, err := g.receive(wire.OpHello)
	if err != nil {
		return other, err
	}
	if err = other.Decode(b); err != nil {
		if errors.Is(err, wire.ErrUnknownFeature) {
			err = g.refuse(wire.OpHelloReply, wire.Errorf(wire.CodeUnsupported, "%v", err))
		}
		return other, err
	}
	// The connection is what the dialer says it is.
	g.say(other.Purpose, other.Lane)
	proof := g.proof(wire.Acceptor, b, g.sent)
	if err = g.send(wire.OpHelloReply, wire.FlagResponse, []byte{byte(len(g.sent)), byte(len(g.sent) >> 8)}, g.sent, proof); err != nil {
		return other, err
	}
	if proof, err = g.receive(wire.OpProof); err != nil {
		var refused *wire.Error
		if errors.As(err, &refused) {
			g.refused(&other)
		}
		return other, err
	}
	// Only now is it known who that is.
	if e := g.checkProof(proof, wire.Dialer, b, g.sent); e != nil {
		return other, g.refuse(wire.OpProof, e)
	}
	e := g.check(&other)
	if e == nil {
		e = admit(&other)
	}
	if e != nil {
		return other, g.refuse(wire.OpProof, e)
	}
	if err = g.send(wire.OpProof, wire.FlagResponse); err != nil {
		return other, err
	}
	g.e.greeted(&other)
	return other, nil
}

// greeted tells what a hello has taught.
func (e *Endpoint) greeted(other *wire.Hello) {
	if e.cfg.OnHello != nil {
		e.cfg.OnHello(other)
	}
}

// within closes nc unless the returned function is called before the hello's
// time is over, or the endpoint closes. The function makes the error of a closed
// connection say so.
func (e *Endpoint) within(ctx context.Context, nc net.Conn) (stop func(error) error) {
	t := e.cfg.Clock.AfterFunc(e.cfg.Limits.HelloTimeout, func() { nc.Close() })
	cancel := context.AfterFunc(ctx, func() { nc.Close() })
	return func(err error) error {
		cancel()
		if !t.Stop() && err != nil {
			return e.silent()
		}
		return err
	}
}

// silent is the error of somebody who lets the time for the hello pass.
func (e *Endpoint) silent() error {
	return fmt.Errorf("no answer within %v", e.cfg.Limits.HelloTimeout)
}

// dial connects and exchanges hellos.
func (e *Endpoint) dial(ctx context.Context, addr string, purpose wire.Purpose, lane Lane, check func(*wire.Hello) error) (net.Conn, wire.Hello, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t := e.cfg.Clock.AfterFunc(e.cfg.Limits.HelloTimeout, cancel)
	nc, err := e.cfg.Transport.Dial(ctx, addr)
	if !t.Stop() && err != nil {
		err = fmt.Errorf("rpc: %s: %w", addr, e.silent())
	}
	if err != nil {
		return nil, wire.Hello{}, err
	}
	stop := e.within(ctx, nc)
	other, err := (&greeting{e: e, nc: nc}).dialer(purpose, lane)
	if err == nil && check != nil {
		err = check(&other)
	}
	if err = stop(err); err != nil {
		nc.Close()
		return nil, other, fmt.Errorf("rpc: %s: %w", addr, err)
	}
	return nc, other, nil
}
