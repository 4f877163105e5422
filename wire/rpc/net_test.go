package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/transport"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// node is an endpoint that listens.
type node struct {
	*rpc.Endpoint
	host [16]byte
	addr string
	cfg  rpc.Config
	log  *lines

	mu     sync.Mutex
	health []string
}

// patient is for real time: however slow the machine is, nobody gives up.
func patient(c *rpc.Config) {
	c.Limits.HelloTimeout, c.Limits.Heartbeat = 10*time.Minute, 10*time.Minute
}

// lines collects what was logged.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(p))
	return len(p), nil
}

func (l *lines) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.all)
}

func hostID(i int) [16]byte { return [16]byte{byte(i), 0xaa} }

// start makes node i at 127.0.0.i:7000, or at any port of the machine; edit may
// change its configuration.
func start(t testing.TB, n transport.Transport, i int, edit func(*rpc.Config)) *node {
	t.Helper()
	nd := &node{host: hostID(i), addr: fmt.Sprintf("127.0.0.%d:7000", i), log: &lines{}}
	nd.cfg = rpc.Config{
		Clock: clock.Real, Transport: n, Rand: rand.NewSeeded(uint64(i)),
		Log: slog.New(slog.NewTextHandler(nd.log, nil)),
		Hello: func(wire.Purpose) wire.Hello {
			return wire.Hello{
				ClusterID: [16]byte{1}, ClusterName: "test", Generation: 1, HostID: nd.host,
				DiskID: [16]byte{byte(i)}, BootCount: 1, Lowest: 1, Highest: 1, Epoch: 7,
			}
		},
		Handlers: map[wire.Op]rpc.Handler{
			wire.OpApply: func(r *rpc.Request) { r.ReplyEpoch(r.Epoch()+1, []byte("echo "), r.Body()) },
			wire.OpRead:  func(*rpc.Request) {},
			wire.OpInfo:  func(r *rpc.Request) { r.Fail(&wire.Error{Code: wire.CodeStale, Message: "no", Epoch: 9}) },
		},
		OnUp:   func([16]byte) { nd.note("up") },
		OnDown: func([16]byte) { nd.note("down") },
	}
	if n == transport.TCP {
		nd.addr = "127.0.0.1:0"
		patient(&nd.cfg)
	}
	if edit != nil {
		edit(&nd.cfg)
	}
	var err error
	if nd.Endpoint, err = rpc.New(nd.cfg); err != nil {
		t.Fatal(err)
	}
	l, err := n.Listen(nd.addr)
	if err != nil {
		t.Fatal(err)
	}
	nd.addr = l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- nd.Serve(l) }()
	t.Cleanup(func() {
		if err := nd.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, rpc.ErrClosed) {
			t.Error(err)
		}
	})
	return nd
}

func (n *node) note(s string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.health = append(n.health, s)
}

func (n *node) noted() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return fmt.Sprint(n.health)
}

// knows tells a where b is.
func knows(a, b *node) *rpc.Peer {
	a.SetAddress(b.host, b.addr)
	return a.Peer(b.host)
}

func call(t testing.TB, p *rpc.Peer, op wire.Op, body string) (string, error) {
	t.Helper()
	b, err := p.Call(context.Background(), &rpc.Message{Op: op, Lane: rpc.Small, Epoch: 41, Body: []byte(body)})
	return string(b), err
}

func TestCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &transport.Mem{}
		a, b := start(t, n, 1, nil), start(t, n, 2, nil)
		p := knows(a, b)
		if !p.Up() {
			t.Error("down before anything was tried")
		}
		for range 3 {
			if got, err := call(t, p, wire.OpApply, "hello"); got != "echo hello" || err != nil {
				t.Fatalf("%q, %v", got, err)
			}
		}
		var we *wire.Error
		if _, err := call(t, p, wire.OpInfo, ""); !errors.As(err, &we) || we.Code != wire.CodeStale || we.Epoch != 9 {
			t.Errorf("%v", err)
		}
		if _, err := call(t, p, wire.OpPull, ""); !errors.As(err, &we) || we.Code != wire.CodeUnsupported {
			t.Errorf("%v", err)
		}
		if _, err := call(t, p, wire.OpQuery, ""); !errors.As(err, &we) || we.Code != wire.CodeUnsupported {
			t.Errorf("%v", err)
		}
		if got := a.noted(); got != "[up]" {
			t.Error(got)
		}
	})
}

type outcome struct {
	ch chan rpc.Answer
}

func (o outcome) Receive(a *rpc.Answer) {
	c := *a
	c.Body = append([]byte(nil), a.Body...)
	o.ch <- c
}

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &transport.Mem{}
		a, b := start(t, n, 1, nil), start(t, n, 2, nil)
		p := knows(a, b)
		began := time.Now()
		o := outcome{make(chan rpc.Answer, 10)}
		for i, d := range []time.Duration{10 * time.Second, time.Second, 100 * time.Millisecond} {
			m := rpc.Message{Op: wire.OpRead, Lane: rpc.Small, Deadline: int64(clock.Real.Mono() + d)}
			if err := p.Send(&m, o); err != nil {
				t.Fatal(i, err)
			}
		}
		for _, d := range []time.Duration{100 * time.Millisecond, time.Second, 10 * time.Second} {
			x := <-o.ch
			if after := time.Since(began); !errors.Is(x.Err, rpc.ErrDeadline) || after < d || after > d+10*time.Millisecond {
				t.Errorf("%v after %v, not %v", x.Err, after, d)
			}
		}
	})
}

func TestPeerDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &transport.Mem{}
		a, b := start(t, n, 1, nil), start(t, n, 2, nil)
		p := knows(a, b)
		o := outcome{make(chan rpc.Answer, 10)}
		for range 5 {
			if err := p.Send(&rpc.Message{Op: wire.OpRead, Lane: rpc.Small}, o); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		b.Close()
		for range 5 {
			if x := <-o.ch; !errors.Is(x.Err, rpc.ErrPeerDown) {
				t.Error(x.Err)
			}
		}
		synctest.Wait()
		if p.Up() {
			t.Error("still up")
		}
		if err := p.Send(&rpc.Message{Op: wire.OpRead, Lane: rpc.Small}, o); !errors.Is(err, rpc.ErrPeerDown) {
			t.Error(err)
		}
		start(t, n, 2, nil)
		time.Sleep(10 * time.Second)
		if got, err := call(t, p, wire.OpApply, "x"); err != nil {
			t.Error(got, err)
		}
		if got := a.noted(); got != "[up down up]" {
			t.Error(got)
		}
	})
}
