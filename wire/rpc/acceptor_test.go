package rpc_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/internal/transport"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// rawServe accepts connections at an address and hands each, in its own
// goroutine, to serve.
func rawServe(t *testing.T, n transport.Transport, addr string, serve func(*rawPeer)) {
	t.Helper()
	l, err := n.Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(&rawPeer{c, t})
			}()
		}
	}()
}

// welcome is the accepting side of a hello; edit may spoil what is answered.
func (p *rawPeer) welcome(mine *wire.Hello, edit func(frame []byte) []byte) bool {
	_, theirs, err := p.frame()
	if err != nil {
		return false
	}
	var other wire.Hello
	if err := other.Decode(theirs); err != nil {
		p.t.Error(err)
		return false
	}
	mine.Purpose, mine.Lane = other.Purpose, other.Lane
	hello := mine.Append(nil)
	body := append([]byte{byte(len(hello)), byte(len(hello) >> 8)}, hello...)
	frame := wire.AppendFrame(nil, wire.Header{Op: wire.OpHelloReply, Flags: wire.FlagResponse}, &wire.Prologue{}, body)
	if edit != nil {
		frame = edit(frame)
	}
	if _, err := p.Write(frame); err != nil {
		return false
	}
	if _, _, err := p.frame(); err != nil {
		return false
	}
	_, err = p.Write(wire.AppendFrame(nil, wire.Header{Op: wire.OpProof, Flags: wire.FlagResponse}, &wire.Prologue{}))
	return err == nil
}

// TestBadWelcome dials who answers a hello with something else.
func TestBadWelcome(t *testing.T) {
	for name, edit := range map[string]func([]byte) []byte{
		"a flipped bit":     func(b []byte) []byte { b[30] ^= 1; return b },
		"another operation": func([]byte) []byte { return wire.AppendFrame(nil, wire.Header{Op: wire.OpPing}, &wire.Prologue{}) },
		"no hello": func([]byte) []byte {
			return wire.AppendFrame(nil, wire.Header{Op: wire.OpHelloReply}, &wire.Prologue{})
		},
		"too long a hello": func([]byte) []byte {
			return wire.AppendFrame(nil, wire.Header{Op: wire.OpHelloReply}, &wire.Prologue{}, []byte{255, 255, 1, 2, 3})
		},
		"text":    func([]byte) []byte { return []byte(strings.Repeat("220 mail.example.com ESMTP ", 10)) },
		"silence": func([]byte) []byte { return nil },
		"a broken error": func([]byte) []byte {
			return wire.AppendFrame(nil, wire.Header{Op: wire.OpHelloReply, Flags: wire.FlagError}, &wire.Prologue{}, []byte{1})
		},
		"a frame over the limit": func([]byte) []byte {
			return wire.AppendFrame(nil, wire.Header{Op: wire.OpHelloReply}, &wire.Prologue{}, make([]byte, 1<<20))[:wire.HeaderSize]
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := &transport.Mem{}
			a := start(t, n, 1, nil)
			rawServe(t, n, "127.0.0.2:7000", func(p *rawPeer) {
				p.welcome(peerHello(2), edit)
				_, _ = p.Read(make([]byte, 1)) // until the other side gives up
			})
			a.SetAddress(hostID(2), "127.0.0.2:7000")
			began := time.Now()
			if _, err := call(t, a.Peer(hostID(2)), wire.OpApply, ""); !errors.Is(err, rpc.ErrPeerDown) {
				t.Errorf("%s: %v", name, err)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("%s: noticed after %v", name, took)
			}
			if _, _, err := a.CallAddress(context.Background(), "127.0.0.2:7000", wire.PurposeJoin, &rpc.Message{Op: wire.OpPull}); err == nil {
				t.Errorf("%s: no error", name)
			}
			time.Sleep(time.Minute)
			if got := a.log.count(); got > 2 {
				t.Errorf("%s: logged %q", name, a.log.all)
			}
		})
	}
}

// TestBadAnswers talks to a peer that answers wrongly, or breaks off.
func TestBadAnswers(t *testing.T) {
	answer := func(h wire.Header, body string) []byte {
		return wire.AppendFrame(nil, wire.Header{Op: h.Op, Flags: wire.FlagResponse, Stream: h.Stream}, &wire.Prologue{}, []byte(body))
	}
	for name, c := range map[string]struct {
		spoil func(h wire.Header) []byte
		want  string // of the answer, or ErrPeerDown
	}{
		"nothing wrong": {func(h wire.Header) []byte { return answer(h, "fine") }, "fine"},
		"another's first": {func(h wire.Header) []byte {
			return append(answer(wire.Header{Stream: h.Stream + 1}, "bad"), answer(h, "fine")...)
		}, "fine"},
		"twice":            {func(h wire.Header) []byte { return append(answer(h, "fine"), answer(h, "bad")...) }, "fine"},
		"half an answer":   {func(h wire.Header) []byte { b := answer(h, "fine"); return b[:len(b)-3] }, ""},
		"a damaged answer": {func(h wire.Header) []byte { b := answer(h, "fine"); b[len(b)-6] ^= 4; return b }, ""},
		"a damaged error": {func(h wire.Header) []byte {
			return wire.AppendFrame(nil, wire.Header{Op: h.Op, Flags: wire.FlagResponse | wire.FlagError, Stream: h.Stream}, &wire.Prologue{}, []byte{1, 2})
		}, ""},
		"a request": {func(h wire.Header) []byte {
			return append(wire.AppendFrame(nil, wire.Header{Op: wire.OpApply, Stream: 9}, &wire.Prologue{}), answer(h, "fine")...)
		}, "fine"},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := &transport.Mem{}
			a := start(t, n, 1, nil)
			rawServe(t, n, "127.0.0.2:7000", func(p *rawPeer) {
				if !p.welcome(peerHello(2), nil) {
					return
				}
				for {
					h, _, err := p.frame()
					if err != nil {
						return
					}
					switch {
					case h.Op == wire.OpPing:
						p.send(wire.Header{Op: wire.OpPing, Flags: wire.FlagResponse, Stream: h.Stream}, nil)
					case h.Flags&wire.FlagResponse == 0:
						if _, err := p.Write(c.spoil(h)); err != nil || c.want == "" {
							return
						}
					}
				}
			})
			a.SetAddress(hostID(2), "127.0.0.2:7000")
			got, err := call(t, a.Peer(hostID(2)), wire.OpApply, "")
			if got != c.want || (err == nil) != (c.want != "") || err != nil && !errors.Is(err, rpc.ErrPeerDown) {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		})
	}
}

// TestSlowReader is about a peer that takes its time for a large answer: it is
// not taken for a silent one.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &transport.Mem{}
		body := bytes.Repeat([]byte("x"), 1<<20)
		b := start(t, n, 2, func(c *rpc.Config) {
			c.Handlers[wire.OpRead] = func(r *rpc.Request) { r.Reply(body) }
		})
		p := member(t, n, 1, b.addr)
		p.send(wire.Header{Op: wire.OpRead, Stream: 1}, nil)
		p.Conn = &slow{p.Conn}
		began := time.Now()
		h, got, err := p.frame()
		if err != nil || h.Op != wire.OpRead || len(got) != len(body) {
			t.Errorf("%v, %d bytes, %v", h.Op, len(got), err)
		}
		if took := time.Since(began); took < 10*time.Second || took > 29*time.Second {
			t.Errorf("took %v: the test tests nothing", took)
		}
	})
}

// slow reads 64 KiB in a second.
type slow struct{ net.Conn }

func (c *slow) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b[:min(len(b), 16<<10)])
	time.Sleep(time.Duration(n) * time.Second >> 16)
	return n, err
}
