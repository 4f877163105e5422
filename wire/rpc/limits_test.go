package rpc_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/metrics"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/transport"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// TestHalfOpen cuts the cable: both sides find out, requests fail at once, and
// the peer is found again.
func TestHalfOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &cable{}
		a, b := start(t, n, 1, nil), start(t, n, 2, nil)
		p := knows(a, b)
		if _, err := call(t, p, wire.OpApply, ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		if !p.Up() {
			t.Fatal("an idle connection was closed")
		}
		n.set(true)
		began := time.Now()
		o := outcome{make(chan rpc.Answer, 1)}
		if err := p.Send(&rpc.Message{Op: wire.OpRead, Lane: rpc.Small}, o); err != nil {
			t.Fatal(err)
		}
		if x := <-o.ch; !errors.Is(x.Err, rpc.ErrPeerDown) {
			t.Error(x.Err)
		}
		if took := time.Since(began); took > 2500*time.Millisecond {
			t.Errorf("found out after %v", took)
		}
		synctest.Wait()
		if p.Up() {
			t.Error("still up")
		}
		time.Sleep(time.Minute)
		if err := p.Send(&rpc.Message{Op: wire.OpRead, Lane: rpc.Small}, o); !errors.Is(err, rpc.ErrPeerDown) {
			t.Error(err)
		}
		n.set(false)
		time.Sleep(10 * time.Second)
		if _, err := call(t, p, wire.OpApply, ""); err != nil || !p.Up() {
			t.Error(err)
		}
		if got := a.noted(); got != "[up down up]" {
			t.Error(got)
		}
	})
}

// TestSilentClient is closed by the accepting side, which asks first.
func TestSilentClient(t *testing.T) {
	for purpose, limit := range map[wire.Purpose]time.Duration{wire.PurposePeer: 3 * time.Second, wire.PurposeClient: 90 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			n := &transport.Mem{}
			b := start(t, n, 2, nil)
			h := peerHello(1)
			h.Purpose = purpose
			p := rawDial(t, n, b.addr)
			if err := p.hello(h, nil); err != nil {
				t.Fatal(err)
			}
			began, pings := time.Now(), 0
			for {
				h, _, err := p.frame()
				if err != nil {
					break
				}
				if h.Op != wire.OpPing || h.Flags != 0 {
					t.Fatalf("%+v", h)
				}
				if pings++; pings <= 10 {
					p.send(wire.Header{Op: wire.OpPing, Flags: wire.FlagResponse, Stream: h.Stream}, nil)
				}
			}
			if pings <= 10 {
				t.Error("closed although it answered")
			}
			if took := time.Since(began); took > 11*limit {
				t.Errorf("%v: closed after %v", purpose, took)
			}
		})
	}
}

// TestNeverReads bounds what a peer that takes no answers costs, and closes it.
func TestNeverReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &transport.Mem{}
		reg := metrics.NewRegistry()
		var mu sync.Mutex
		served := 0
		big := make([]byte, 1<<20)
		b := start(t, n, 2, func(c *rpc.Config) {
			c.Metrics = reg
			c.Handlers[wire.OpRead] = func(r *rpc.Request) {
				mu.Lock()
				served++
				mu.Unlock()
				r.Reply(big)
			}
		})
		p := member(t, n, 1, b.addr)
		request := wire.AppendFrame(nil, wire.Header{Op: wire.OpRead, Stream: 1}, &wire.Prologue{}, nil)
		began := time.Now()
		var err error
		for err == nil {
			_, err = p.Write(request)
		}
		if took := time.Since(began); took > 40*time.Second || took < 20*time.Second {
			t.Errorf("closed after %v", took)
		}
		mu.Lock()
		defer mu.Unlock()
		if served > 20 {
			t.Errorf("%d answers of 1 MiB for a peer that reads none", served)
		}
		synctest.Wait()
		if b.log.count() != 1 {
			t.Errorf("logged %q", b.log.all)
		}
	})
}

// TestBacklog refuses to queue for a peer that does not take what it is sent.
func TestBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &transport.Mem{}
		release := make(chan struct{})
		a := start(t, n, 1, nil)
		b := start(t, n, 2, func(c *rpc.Config) {
			c.Handlers[wire.OpHint] = func(r *rpc.Request) { <-release; r.Reply() }
		})
		p := knows(a, b)
		o := outcome{make(chan rpc.Answer, 1000)}
		m := rpc.Message{Op: wire.OpHint, Lane: rpc.Bulk, Body: noise(1 << 20)}
		sent := 0
		var err error
		for err == nil && sent < 1000 {
			if err = p.Send(&m, o); err == nil {
				sent++
			}
		}
		if !errors.Is(err, rpc.ErrBacklog) || sent < 4 || sent > 20 {
			t.Errorf("%d sent, %v", sent, err)
		}
		// Other lanes are not delayed.
		if _, err := call(t, p, wire.OpApply, ""); err != nil {
			t.Error(err)
		}
		close(release)
		for range sent {
			if x := <-o.ch; x.Err != nil {
				t.Error(x.Err)
			}
		}
	})
}

// keeper is a handler that answers later.
type keeper struct {
	mu   sync.Mutex
	kept []*rpc.Request
}

func (k *keeper) handle(r *rpc.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept = append(k.kept, r)
}

// TestInFlight bounds the requests that wait for their answers.
func TestInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &transport.Mem{}
		var k keeper
		a := start(t, n, 1, func(c *rpc.Config) { c.Limits.InFlight = 100 })
		b := start(t, n, 2, func(c *rpc.Config) { c.Handlers[wire.OpRead] = k.handle })
		p := knows(a, b)
		o := outcome{make(chan rpc.Answer, 1000)}
		for i := range 110 {
			err := p.Send(&rpc.Message{Op: wire.OpRead, Lane: rpc.Small, Body: []byte{byte(i)}}, o)
			if i < 100 && err != nil || i >= 100 && !errors.Is(err, rpc.ErrBacklog) {
				t.Errorf("request %d: %v", i, err)
			}
		}
		synctest.Wait()
		for i, r := range k.kept {
			if r.From() != a.host || r.Op() != wire.OpRead || r.Purpose() != wire.PurposePeer || !bytes.Equal(r.Body(), []byte{byte(i)}) {
				t.Errorf("%x %v %v %x", r.From(), r.Op(), r.Purpose(), r.Body())
			}
			r.Reply(r.Body())
		}
		for i := range k.kept {
			if x := <-o.ch; x.Err != nil || !bytes.Equal(x.Body, []byte{byte(i)}) {
				t.Error(x)
			}
		}
	})
}

// TestInWork refuses requests beyond the bound of those in work.
func TestInWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &transport.Mem{}
		var k keeper
		b := start(t, n, 2, func(c *rpc.Config) {
			c.Limits.InFlight = 10
			c.Handlers[wire.OpRead] = k.handle
		})
		p := knows(start(t, n, 1, nil), b)
		o := outcome{make(chan rpc.Answer, 1000)}
		for range 100 {
			if err := p.Send(&rpc.Message{Op: wire.OpRead, Lane: rpc.Small}, o); err != nil {
				t.Fatal(err)
			}
		}
		for range 90 {
			var e *wire.Error
			if x := <-o.ch; !errors.As(x.Err, &e) || e.Code != wire.CodeOverloaded {
				t.Fatal(x.Err)
			}
		}
		synctest.Wait()
		for _, r := range k.kept {
			r.Reply()
		}
		for range 10 {
			if x := <-o.ch; x.Err != nil {
				t.Error(x.Err)
			}
		}
	})
}

// TestInputBytes refuses requests while the bodies of others fill the memory.
func TestInputBytes(t *testing.T) {
	for name, limits := range map[string]rpc.Limits{"of one": {InputBytes: 4 << 20}, "of all": {TotalInputBytes: 4 << 20}} {
		synctest.Test(t, func(t *testing.T) {
			n := &transport.Mem{}
			var k keeper
			b := start(t, n, 2, func(c *rpc.Config) {
				c.Limits = limits
				c.Handlers[wire.OpRead] = k.handle
			})
			p := knows(start(t, n, 1, nil), b)
			o := outcome{make(chan rpc.Answer, 100)}
			const all = 20
			for range all {
				for errors.Is(p.Send(&rpc.Message{Op: wire.OpRead, Lane: rpc.Small, Body: make([]byte, 1<<20)}, o), rpc.ErrBacklog) {
					time.Sleep(time.Millisecond)
				}
			}
			synctest.Wait()
			held := len(k.kept)
			if held < 2 || held > 6 {
				t.Errorf("%s: %d requests of 1 MiB are held", name, held)
			}
			for _, r := range k.kept {
				r.Reply()
			}
			over := 0
			for range all {
				var e *wire.Error
				if x := <-o.ch; errors.As(x.Err, &e) && e.Code == wire.CodeOverloaded {
					over++
				} else if x.Err != nil {
					t.Error(x.Err)
				}
			}
			if over != all-held {
				t.Errorf("%s: %d refused, %d held", name, over, held)
			}
		})
	}
}

// TestHostile sends bytes behind the hello that no peer sends.
func TestHostile(t *testing.T) {
	good := wire.AppendFrame(nil, wire.Header{Op: wire.OpApply, Stream: 5}, &wire.Prologue{}, []byte("body"))
	flip := func(at int) []byte {
		b := bytes.Clone(good)
		b[at] ^= 1
		return b
	}
	large := make([]byte, wire.HeaderSize)
	(&wire.Header{Length: wire.MaxBody + wire.FrameOverhead, Op: wire.OpApply, Version: wire.Version}).Put(large)
	newer := make([]byte, wire.HeaderSize)
	(&wire.Header{Length: 5, Op: wire.OpApply, Version: wire.Version + 1}).Put(newer)
	for name, b := range map[string][]byte{
		"a damaged header": flip(0), "a damaged body": flip(len(good) - 6), "a damaged checksum": flip(len(good) - 1),
		"over the limit": large, "another version": newer,
		"not compressed": wire.AppendFrame(nil, wire.Header{Op: wire.OpApply, Flags: wire.FlagLZ4}, &wire.Prologue{}, []byte("plain text")),
		"a bomb":         wire.AppendFrame(nil, wire.Header{Op: wire.OpApply, Flags: wire.FlagLZ4}, &wire.Prologue{}, []byte{0, 0, 0, 1, 0}),
	} {
		synctest.Test(t, func(t *testing.T) {
			n := &transport.Mem{}
			srv := start(t, n, 2, nil)
			for i := range 3 {
				p := member(t, n, 1, srv.addr)
				go p.Write(append(bytes.Clone(b), good...))
				if h, _, err := p.frame(); err == nil {
					t.Errorf("%s: an answer %+v", name, h)
				}
				p.Close()
				synctest.Wait()
				if got := srv.log.count(); got != 1 {
					t.Errorf("%s: logged %d times after %d", name, got, i+1)
				}
			}
		})
	}
}

// TestUnknown wants what a newer version may send to be refused by name, and
// the connection to live on.
func TestUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &transport.Mem{}
		b := start(t, n, 2, nil)
		p := member(t, n, 1, b.addr)
		required := wire.AppendFrame(nil, wire.Header{Op: wire.OpApply, Stream: 3}, &wire.Prologue{}, nil)
		// Field 50, required, empty, in front of the end of the prologue.
		required = withPayload(required, []byte{50<<1 | 1, 0, 0})
		optional := withPayload(required, []byte{50 << 1, 0, 0})
		for _, c := range []struct {
			frame []byte
			want  string
		}{
			{wire.AppendFrame(nil, wire.Header{Op: 200, Stream: 3}, &wire.Prologue{}, nil), "op 200 is not known here"},
			{wire.AppendFrame(nil, wire.Header{Op: 60000, Stream: 3}, &wire.Prologue{}, nil), "op 60000 on a connection for peer"},
			{required, "field 50 of a prologue"},
			{optional, ""},
		} {
			p.Write(c.frame)
			h, _, err := p.frame()
			got := ""
			if err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, c.want) || (got == "") != (c.want == "") || h.Stream != 3 {
				t.Errorf("%q, not %q", got, c.want)
			}
		}
		// Nobody asked for this.
		p.send(wire.Header{Op: wire.OpApply, Flags: wire.FlagResponse, Stream: 77}, nil)
		p.send(wire.Header{Op: 200, Flags: wire.FlagOneWay}, nil)
		p.send(wire.Header{Op: wire.OpPing, Stream: 4}, nil)
		if h, _, err := p.frame(); err != nil || h.Op != wire.OpPing || h.Stream != 4 {
			t.Errorf("%+v, %v", h, err)
		}
	})
}

// withPayload returns a frame of the header of another with that payload.
func withPayload(frame, payload []byte) []byte {
	h, err := wire.ParseHeader(frame)
	if err != nil {
		return nil
	}
	out := wire.AppendFrame(nil, h, &wire.Prologue{}, payload[1:])
	// The empty prologue is one byte: put the payload over it.
	copy(out[wire.HeaderSize:], payload)
	return fixSum(out)
}

func TestPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &transport.Mem{}
		b := start(t, n, 2, func(c *rpc.Config) {
			c.Handlers[wire.OpRead] = func(*rpc.Request) { panic("oops") }
		})
		p := knows(start(t, n, 1, nil), b)
		if _, err := call(t, p, wire.OpRead, ""); !errors.Is(err, rpc.ErrPeerDown) {
			t.Error(err)
		}
		time.Sleep(time.Second)
		if _, err := call(t, p, wire.OpApply, ""); err != nil {
			t.Error(err)
		}
	})
}

// What a request holds whose handler has panicked counts no more, whoever else
// of its connection is answered later.
func TestPanicIsWrittenOff(t *testing.T) {
	for name, handler := range map[string]rpc.Handler{
		"on the reader": func(*rpc.Request) { panic("oops") },
		"on two workers": func(r *rpc.Request) {
			go r.Abort()
			go r.Abort()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &transport.Mem{}
				var k keeper
				b := start(t, n, 2, func(c *rpc.Config) {
					c.Handlers[wire.OpRead], c.Handlers[wire.OpHint] = handler, k.handle
				})
				p := knows(start(t, n, 1, nil), b)
				o := outcome{make(chan rpc.Answer, 1)}
				if err := p.Send(&rpc.Message{Op: wire.OpHint, Lane: rpc.Small, Body: noise(100 << 10)}, o); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if rpc.Held(b.Endpoint) == 0 {
					t.Fatal("a request that is not answered holds nothing")
				}
				if _, err := call(t, p, wire.OpRead, "x"); !errors.Is(err, rpc.ErrPeerDown) {
					t.Error(err)
				}
				synctest.Wait()
				if held := rpc.Held(b.Endpoint); held != 0 {
					t.Errorf("%d bytes are held", held)
				}
				k.kept[0].Reply()
				if held := rpc.Held(b.Endpoint); held != 0 {
					t.Errorf("%d bytes are held after an answer that nobody gets", held)
				}
			})
		})
	}
}

// noise is bytes that cannot be compressed.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewSeeded(1).Read(b)
	return b
}

// TestLarge sends the largest bodies, on each lane.
func TestLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &transport.Mem{}
		b := start(t, n, 2, func(c *rpc.Config) {
			c.Handlers[wire.OpRead] = func(r *rpc.Request) { r.Reply(r.Body()) }
			c.Handlers[wire.OpHint] = func(r *rpc.Request) { r.Reply(r.Body(), r.Body()) }
		})
		p := knows(start(t, n, 1, nil), b)
		ctx := context.Background()
		noise := noise(wire.MaxBody)
		for _, lane := range []rpc.Lane{rpc.Small, rpc.Bulk} {
			large := noise
			if lane == rpc.Bulk {
				large = noise[:1<<19]
			}
			for _, body := range [][]byte{large, bytes.Repeat([]byte("text"), 1<<18), make([]byte, 1<<20), noise[:70000], noise[:32<<10], noise[:33]} {
				m := rpc.Message{Op: wire.OpRead, Lane: lane, Body: body[:len(body)/2], Parts: [][]byte{body[len(body)/2:]}}
				synctest.Wait() // until what was sent before is counted out
				got, err := p.Call(ctx, &m)
				if err != nil || !bytes.Equal(got, body) {
					t.Errorf("lane %d: %d of %d bytes, %v", lane, len(got), len(body), err)
				}
			}
			synctest.Wait()
			if _, err := p.Call(ctx, &rpc.Message{Op: wire.OpRead, Lane: lane, Body: noise, Parts: [][]byte{{1}}}); !errors.Is(err, rpc.ErrTooLarge) {
				t.Error(err)
			}
			var e *wire.Error
			if _, err := p.Call(ctx, &rpc.Message{Op: wire.OpHint, Lane: rpc.Small, Body: noise}); !errors.As(err, &e) || e.Code != wire.CodeFailed {
				t.Error(err)
			}
		}
	})
}

// TestIdle wants a connection without requests to hold no buffer.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &transport.Mem{}
		regs := []*metrics.Registry{metrics.NewRegistry(), metrics.NewRegistry()}
		nodes := make([]*node, 2)
		for i := range nodes {
			nodes[i] = start(t, n, i+1, func(c *rpc.Config) { c.Metrics = regs[i] })
		}
		p := knows(nodes[0], nodes[1])
		for range 100 {
			if _, err := call(t, p, wire.OpApply, strings.Repeat("x", 1000)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		for i, n := range nodes {
			if held := rpc.Held(n.Endpoint); held != 0 {
				t.Errorf("node %d holds %d bytes", i, held)
			}
		}
	})
}

// TestCloseWithRequests ends what waits with ErrClosed.
func TestCloseWithRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &transport.Mem{}
		a, b := start(t, n, 1, nil), start(t, n, 2, nil)
		p := knows(a, b)
		o := outcome{make(chan rpc.Answer, 10)}
		for _, lane := range []rpc.Lane{rpc.Urgent, rpc.Small, rpc.Bulk} {
			m := rpc.Message{Op: wire.OpRead, Lane: lane, Deadline: int64(clock.Real.Mono() + time.Hour)}
			if err := p.Send(&m, o); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		a.Close()
		for range 3 {
			if x := <-o.ch; !errors.Is(x.Err, rpc.ErrClosed) {
				t.Error(x.Err)
			}
		}
		if err := p.Send(&rpc.Message{Op: wire.OpRead, Lane: rpc.Small}, o); !errors.Is(err, rpc.ErrClosed) {
			t.Error(err)
		}
		if err := a.SendPacket(b.addr, nil); !errors.Is(err, rpc.ErrClosed) {
			t.Error(err)
		}
		if _, err := a.DialStream(context.Background(), b.addr); !errors.Is(err, rpc.ErrClosed) {
			t.Error(err)
		}
		a.SetAddress(b.host, "127.0.0.9:1")
		if err := p.Notify(&rpc.Message{Op: wire.OpRaft}); !errors.Is(err, rpc.ErrClosed) {
			t.Error(err)
		}
	})
}
