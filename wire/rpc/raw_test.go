package rpc_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/internal/transport"
	"github.com/ilion-db/ilion/wire"
)

// rawPeer speaks the protocol by hand, as somebody else's client would, so that
// it can break it.
type rawPeer struct {
	net.Conn
	t testing.TB
}

func rawDial(t testing.TB, n transport.Transport, addr string) *rawPeer {
	t.Helper()
	c, err := n.Dial(context.Background(), addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &rawPeer{c, t}
}

// frame reads one.
func (p *rawPeer) frame() (h wire.Header, body []byte, err error) {
	head := make([]byte, wire.HeaderSize)
	if _, err = io.ReadFull(p, head); err != nil {
		return h, nil, err
	}
	if h, err = wire.ParseHeader(head); err != nil {
		p.t.Error(err)
		return h, nil, err
	}
	payload := make([]byte, h.Length)
	if _, err = io.ReadFull(p, payload); err != nil {
		return h, nil, err
	}
	var pro wire.Prologue
	if body, err = wire.ParsePayload(payload, &pro); err != nil {
		p.t.Error(err)
	}
	if h.Flags&wire.FlagError != 0 {
		e := new(wire.Error)
		if err := e.Decode(body); err != nil {
			p.t.Error(err)
		}
		return h, nil, e
	}
	return h, body, err
}

func (p *rawPeer) send(h wire.Header, body []byte) {
	p.t.Helper()
	if _, err := p.Write(wire.AppendFrame(nil, h, &wire.Prologue{}, body)); err != nil {
		p.t.Error(err)
	}
}

// hello exchanges hellos, with a key if there is one.
func (p *rawPeer) hello(mine *wire.Hello, key []byte) error {
	sent := mine.Append(nil)
	p.send(wire.Header{Op: wire.OpHello}, sent)
	_, b, err := p.frame()
	if err != nil {
		return err
	}
	n := int(b[0]) | int(b[1])<<8
	hello, proof := b[2:2+n], b[2+n:]
	var other wire.Hello
	if err := other.Decode(hello); err != nil {
		return err
	}
	var ours []byte
	if len(key) > 0 {
		if !wire.Proves(proof, key, wire.Acceptor, sent, hello) {
			return errors.New("the node did not prove the key")
		}
		ours = wire.Prove(nil, key, wire.Dialer, sent, hello)
	}
	p.send(wire.Header{Op: wire.OpProof}, ours)
	_, _, err = p.frame()
	return err
}

// peerHello is that of a member.
func peerHello(i int) *wire.Hello {
	return &wire.Hello{
		ClusterID: [16]byte{1}, ClusterName: "test", Generation: 1, HostID: hostID(i),
		Lowest: 1, Highest: 1, Purpose: wire.PurposePeer, Instance: uint64(i), Lane: 1,
	}
}

// member is a raw peer behind its hello.
func member(t testing.TB, n transport.Transport, i int, addr string) *rawPeer {
	t.Helper()
	p := rawDial(t, n, addr)
	if err := p.hello(peerHello(i), nil); err != nil {
		t.Fatal(err)
	}
	return p
}

// cable is a network whose connections can be cut without either side
// noticing: what is written is swallowed.
type cable struct {
	transport.Mem
	mu  sync.Mutex
	cut bool
}

func (n *cable) set(cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut = cut
}

func (n *cable) isCut() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cut
}

func (n *cable) Dial(ctx context.Context, addr string) (net.Conn, error) {
	if n.isCut() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	c, err := n.Mem.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	return &cut{c, n}, nil
}

type cut struct {
	net.Conn
	n *cable
}

func (c *cut) Write(b []byte) (int, error) {
	if c.n.isCut() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

func (c *cut) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if err != nil || !c.n.isCut() {
			return n, err
		}
	}
}

// fixSum makes a frame's checksum right.
func fixSum(frame []byte) []byte {
	n := len(frame) - wire.CheckSize
	binary.LittleEndian.PutUint32(frame[n:], encoding.CRC32C(frame[wire.HeaderSize:n]))
	return frame
}
