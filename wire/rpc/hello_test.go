package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/transport"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// refusal is what a node answers to CallAddress of another.
func refusal(t *testing.T, a, b *node) string {
	t.Helper()
	_, _, err := a.CallAddress(context.Background(), b.addr, wire.PurposeJoin, &rpc.Message{Op: wire.OpPing})
	if err == nil {
		return ""
	}
	var e *wire.Error
	if !errors.As(err, &e) || e.Code != wire.CodeRefused {
		t.Errorf("%v", err)
	}
	return err.Error()
}

func says(edit func(*wire.Hello)) func(*rpc.Config) {
	return func(c *rpc.Config) {
		f := c.Hello
		c.Hello = func(p wire.Purpose) wire.Hello {
			h := f(p)
			edit(&h)
			return h
		}
	}
}

func TestRefusals(t *testing.T) {
	key := func(k string) func(*rpc.Config) { return func(c *rpc.Config) { c.Key = []byte(k) } }
	for _, c := range []struct {
		name string
		a, b func(*rpc.Config)
		want string
	}{
		{"none", nil, nil, ""},
		{"one key", key("k"), key("k"), ""},
		{"two keys", key("k"), key("l"), "compare the files given as --cluster-key-file"},
		{"no key here", nil, key("k"), "this node none"},
		{"no key there", key("k"), nil, "the other side none"},
		{"another cluster", nil, says(func(h *wire.Hello) { h.ClusterName = "other" }), "belongs to another cluster"},
		{"another generation", says(func(h *wire.Hello) { h.Generation = 3 }), nil, "rejoin the node of the lower generation"},
		{"another level", says(func(h *wire.Hello) { h.Lowest, h.Highest = 2, 2 }), nil, "upgrade the older node"},
		{"lost memory", nil, func(c *rpc.Config) {
			c.Check = func(h *wire.Hello, addr string) *wire.Error {
				if h.DiskID != [16]byte{1} || !strings.HasPrefix(addr, "127.0.0.1:") {
					return wire.Errorf(wire.CodeInvalid, "%v at %s", h.DiskID, addr)
				}
				return wire.Errorf(wire.CodeRefused, "its disk has lost its memory")
			}
		}, "its disk has lost its memory"},
		{"lost memory, seen by who dials", func(c *rpc.Config) {
			c.Check = func(*wire.Hello, string) *wire.Error {
				return wire.Errorf(wire.CodeRefused, "your disk has lost its memory")
			}
		}, nil, "your disk has lost its memory"},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := &transport.Mem{}
			a, b := start(t, n, 1, c.a), start(t, n, 2, c.b)
			for range 3 {
				if got := refusal(t, a, b); !strings.Contains(got, c.want) || (got == "") != (c.want == "") {
					t.Errorf("%s: %q, not %q", c.name, got, c.want)
				}
			}
			synctest.Wait()
			if got := b.log.count(); got > 1 || (got == 1) != (c.want != "") {
				t.Errorf("%s: logged %q", c.name, b.log.all)
			}
			// Streams prove the key, too.
			s, err := a.DialStream(context.Background(), b.addr)
			if err == nil {
				s.Close()
				t.Errorf("%s: a stream to who takes none", c.name)
			}
		})
	}
}

// TestNoCheckBeforeProof keeps strangers from making a node remember things.
func TestNoCheckBeforeProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &transport.Mem{}
		b := start(t, n, 2, func(c *rpc.Config) {
			c.Key = []byte("key")
			c.Check = func(*wire.Hello, string) *wire.Error {
				t.Error("a stranger was checked")
				return nil
			}
			c.OnHello = func(*wire.Hello) { t.Error("a stranger was heard") }
		})
		for _, key := range []string{"kez", "k"} {
			p := rawDial(t, n, b.addr)
			sent := peerHello(1).Append(nil)
			p.send(wire.Header{Op: wire.OpHello}, sent)
			_, hello, err := p.frame()
			if err != nil {
				t.Fatal(err)
			}
			p.send(wire.Header{Op: wire.OpProof}, wire.Prove(nil, []byte(key), wire.Dialer, sent, hello[2:2+int(hello[0])+int(hello[1])<<8]))
			if _, _, err = p.frame(); err == nil {
				t.Error("accepted")
			}
			if _, err := p.Read(make([]byte, 1)); err == nil {
				t.Error("the connection is open")
			}
		}
	})
}

// TestTwoLives refuses a second process with a member's host id while the first
// lives, and takes it afterwards.
func TestTwoLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &transport.Mem{}
		b := start(t, n, 2, nil)
		first := member(t, n, 1, b.addr)
		again := member(t, n, 1, b.addr) // another lane of it
		second := peerHello(1)
		second.Instance = 99
		err := rawDial(t, n, b.addr).hello(second, nil)
		if err == nil || !strings.Contains(err.Error(), "two live nodes have the host id") {
			t.Fatal(err)
		}
		first.Close()
		again.Close()
		synctest.Wait()
		if err := rawDial(t, n, b.addr).hello(second, nil); err != nil {
			t.Fatal(err)
		}
	})
}

// TestDiesInHello has a process die when it has proved who it is and before it
// heard that it may stay: the next one with that host id is taken.
func TestDiesInHello(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &transport.Mem{}
		b := start(t, n, 2, nil)
		first := rawDial(t, n, b.addr)
		first.send(wire.Header{Op: wire.OpHello}, peerHello(1).Append(nil))
		if _, _, err := first.frame(); err != nil {
			t.Fatal(err)
		}
		first.send(wire.Header{Op: wire.OpProof}, nil)
		first.Close()
		synctest.Wait()
		second := peerHello(1)
		second.Instance = 99
		if err := rawDial(t, n, b.addr).hello(second, nil); err != nil {
			t.Fatal(err)
		}
	})
}

// TestMute calls a process that takes connections and never answers, as one that
// was stopped does: it says so once.
func TestMute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &transport.Mem{}
		a := start(t, n, 1, nil)
		l, err := n.Listen("127.0.0.9:7000")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		a.SetAddress(hostID(9), l.Addr().String())
		if _, err := call(t, a.Peer(hostID(9)), wire.OpApply, ""); !errors.Is(err, rpc.ErrPeerDown) {
			t.Error(err)
		}
		time.Sleep(5 * time.Minute)
		if got := fmt.Sprint(a.log.all); len(a.log.all) != 1 || !strings.Contains(got, "no answer within 5s") {
			t.Errorf("logged %s", got)
		}
	})
}

// TestWrongHost refuses a member at another's address.
func TestWrongHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &transport.Mem{}
		a, b := start(t, n, 1, nil), start(t, n, 2, nil)
		a.SetAddress(hostID(3), b.addr)
		if _, err := call(t, a.Peer(hostID(3)), wire.OpApply, ""); !errors.Is(err, rpc.ErrPeerDown) {
			t.Error(err)
		}
		a.SetAddress(a.host, a.addr)
		if _, err := call(t, a.Peer(a.host), wire.OpApply, ""); !errors.Is(err, rpc.ErrPeerDown) {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		if got := a.log.count(); got > 3 {
			t.Errorf("logged %q", a.log.all)
		}
	})
}

// TestSkew measures clocks by the calling side: who is called knows nothing of
// the time that the hello was on its way.
func TestSkew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &transport.Mem{}
		type measure struct {
			by            byte
			ahead, within time.Duration
		}
		heard, greeted := make(chan measure, 10), make(chan uint64, 10)
		hears := func(id byte, skew time.Duration) func(*rpc.Config) {
			return func(c *rpc.Config) {
				c.Clock = clock.Skewed{Clock: clock.Real, Offset: func() time.Duration { return skew }}
				c.OnHello = func(h *wire.Hello) { greeted <- h.Epoch }
				c.OnSkew = func(_ [16]byte, ahead, within time.Duration) { heard <- measure{id, ahead, within} }
			}
		}
		a, b := start(t, n, 1, hears(1, 0)), start(t, n, 2, hears(2, 3*time.Second))
		if got := refusal(t, a, b); got != "" {
			t.Fatal(got)
		}
		for range 2 {
			if epoch := <-greeted; epoch != 7 {
				t.Error(epoch)
			}
		}
		synctest.Wait()
		if m := <-heard; m != (measure{1, 3 * time.Second, 0}) || len(heard) > 0 {
			t.Error(m, len(heard))
		}
	})
}

// TestStream hands connections on to somebody else's protocol.
func TestStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &transport.Mem{}
		a := start(t, n, 1, nil)
		b := start(t, n, 2, func(c *rpc.Config) {
			c.OnStream = func(nc net.Conn) { go func() { io.Copy(nc, nc); nc.Close() }() }
		})
		c, err := a.DialStream(context.Background(), b.addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte("any bytes")); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 9)
		if _, err := io.ReadFull(c, got); err != nil || string(got) != "any bytes" {
			t.Fatalf("%q, %v", got, err)
		}
		time.Sleep(time.Hour) // nobody asks for a sign of life
		if _, err := c.Write([]byte("any bytes")); err != nil {
			t.Fatal(err)
		}
		c.Close()
	})
}

// TestStrangers sends what is no hello.
func TestStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &transport.Mem{}
		b := start(t, n, 2, nil)
		for name, first := range map[string][]byte{
			"HTTP":           []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
			"zeros":          make([]byte, 64),
			"a request":      wire.AppendFrame(nil, wire.Header{Op: wire.OpRead}, &wire.Prologue{}, nil),
			"a large hello":  wire.AppendFrame(nil, wire.Header{Op: wire.OpHello}, &wire.Prologue{}, make([]byte, 1<<20))[:wire.HeaderSize],
			"an empty hello": wire.AppendFrame(nil, wire.Header{Op: wire.OpHello}, &wire.Prologue{}, nil),
			"silence":        nil,
		} {
			p := rawDial(t, n, b.addr)
			began := time.Now()
			go p.Write(first)
			if b, err := p.Read(make([]byte, 1)); err == nil {
				t.Errorf("%s: an answer of %d bytes", name, b)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("%s: refused after %v", name, took)
			}
		}
		if b.log.count() > 6 {
			t.Errorf("logged %q", b.log.all)
		}
	})
}

// TestManyStrangers bounds those whose hello is not over.
func TestManyStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &transport.Mem{}
		b := start(t, n, 2, nil)
		open := 0
		for range 300 {
			p := rawDial(t, n, b.addr)
			synctest.Wait()
			p.SetReadDeadline(time.Now().Add(time.Millisecond))
			if _, err := p.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				open++
			}
		}
		if open > 256 || open < 200 {
			t.Error(open)
		}
	})
}

// TestTooManyConnections bounds those that are accepted.
func TestTooManyConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &transport.Mem{}
		b := start(t, n, 2, func(c *rpc.Config) { c.Limits.Connections = 2 })
		for i := range 4 {
			p := rawDial(t, n, b.addr)
			synctest.Wait()
			p.SetReadDeadline(time.Now().Add(time.Millisecond))
			_, err := p.Read(make([]byte, 1))
			if closed := errors.Is(err, io.EOF); closed != (i >= 2) {
				t.Errorf("connection %d: closed %v", i+1, closed)
			}
		}
	})
}
