package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/metrics"
)

// eventually spins until ok.
func eventually(t testing.TB, ok func() bool) {
	t.Helper()
	for began := time.Now(); !ok(); runtime.Gosched() {
		if time.Since(began) > hang {
			t.Fatal("what is waited for does not come")
		}
	}
}

func TestOverload(t *testing.T) {
	h := newFakeHandler()
	s := startServer(t, Config{Workers: 1, QueueLength: 1}, h)
	c := connect(t, s, 4, "THROW_ON_OVERLOAD", "1")
	patient := connect(t, s, 4)
	c.query(1, "block")
	<-h.entered
	c.query(2, "worker queued")
	eventually(t, func() bool { return s.Queued() == 1 })
	c.query(3, "worker too many")
	if a := c.recv(); a.h.Stream != 3 || a.code() != native.CodeOverloaded {
		t.Fatalf("%+v %s", a.h, a.err())
	}
	// One that did not ask for the error waits, and inline requests go on.
	full := s.Stats().QueueFull.Load()
	patient.query(4, "worker waits")
	eventually(t, func() bool { return s.Stats().QueueFull.Load() > full })
	c.query(5, "echo inline")
	if a := c.recv(); a.h.Stream != 5 || a.value() != "inline" {
		t.Fatalf("%+v %s", a.h, a.err())
	}
	close(h.gate)
	if a := patient.recv(); a.value() != "waits" {
		t.Fatalf("%+v %s", a.h, a.err())
	}
	for i := range int16(2) {
		if a := c.recv(); a.h.Stream != i+1 || a.h.Opcode != native.OpResult {
			t.Fatalf("%+v %s", a.h, a.err())
		}
	}
}

func TestQueuedTooLong(t *testing.T) {
	h := newFakeHandler()
	k := &handClock{Clock: clock.Real, tick: make(chan time.Time)}
	s := startServer(t, Config{Workers: 1, Clock: k}, h)
	c := connect(t, s, 4)
	c.query(1, "block")
	<-h.entered
	c.query(2, "worker late")
	eventually(t, func() bool { return s.Queued() == 1 })
	k.offset.Add(int64(s.cfg.RequestTimeout + time.Minute))
	close(h.gate)
	c.recv()
	if a := c.recv(); a.code() != native.CodeOverloaded {
		t.Fatalf("%+v", a.h)
	}
}

func TestMaxInFlight(t *testing.T) {
	h := newFakeHandler()
	s := startServer(t, Config{MaxInFlight: 4}, h)
	c := connect(t, s, 4)
	var b []byte
	for i := range int16(10) {
		b = append(b, c.frame(i, native.OpQuery, query("hold"))...)
	}
	c.write(b)
	for i := range 10 {
		r := <-h.held
		if n := r.Conn.inflight.Load(); n > 4 {
			t.Errorf("%d in flight", n)
		}
		if i >= 3 {
			r.Complete(nil)
			if a := c.recv(); a.h.Opcode != native.OpResult {
				t.Fatalf("%+v %s", a.h, a.err())
			}
		}
	}
}

func TestCompleteWithError(t *testing.T) {
	h := newFakeHandler()
	s := startServer(t, Config{}, h)
	c := connect(t, s, 4)
	c.query(1, "hold")
	(<-h.held).Complete(fmt.Errorf("wrapped: %w", native.WriteTimeout(native.Quorum, 1, 2, native.WriteSimple)))
	if a := c.recv(); a.code() != native.CodeWriteTimeout {
		t.Fatalf("%+v", a.h)
	}
	n := int64(0)
	s.Stats().Errors(func(code native.ErrorCode, k int64) {
		if code == native.CodeWriteTimeout {
			n = k
		}
	})
	if n != 1 {
		t.Errorf("%d time-outs counted", n)
	}
}

// TestOneWriteForAll: answers completed together arrive together, and late
// ones do not hold others.
func TestOneWriteForAll(t *testing.T) {
	h := newFakeHandler()
	s := startServer(t, Config{}, h)
	c := connect(t, s, 4)
	var b []byte
	for i := range int16(64) {
		b = append(b, c.frame(i, native.OpQuery, query("hold"))...)
	}
	c.write(b)
	var held []*Request
	for range 64 {
		held = append(held, <-h.held)
	}
	c.query(100, "echo first")
	if a := c.recv(); a.h.Stream != 100 {
		t.Fatalf("%+v", a.h)
	}
	for i := range held {
		held[len(held)-1-i].Complete(nil)
	}
	seen := map[int16]bool{}
	for range 64 {
		seen[c.recv().h.Stream] = true
	}
	if len(seen) != 64 {
		t.Errorf("%d streams", len(seen))
	}
}

func TestPanics(t *testing.T) {
	s := startServer(t, Config{}, newFakeHandler())
	for i, text := range []string{"panic", "worker panic"} {
		c := connect(t, s, 4)
		c.query(1, "echo fine")
		c.recv()
		c.query(1, text)
		c.closed()
		if n := s.Stats().Panics.Load(); n != int64(i+1) {
			t.Errorf("%d panics", n)
		}
	}
	// In a group, among others.
	c := connect(t, s, 4)
	var b []byte
	for i := range int16(60) {
		text := "echo x"
		if i == 50 {
			text = "panic"
		}
		b = append(b, c.frame(i, native.OpQuery, query(text))...)
	}
	c.write(b)
	for {
		if _, err := c.tryRecv(); err != nil {
			break
		}
	}
	eventually(t, func() bool { return s.Stats().Connections.Load() == 0 && s.InputBytes() == 0 })
}

func TestDrain(t *testing.T) {
	h := newFakeHandler()
	s := startServer(t, Config{}, h)
	busy, idle := connect(t, s, 5), connect(t, s, 4)
	busy.query(1, "hold")
	r := <-h.held
	ctx, cancel := context.WithCancel(context.Background())
	drained := make(chan error, 2)
	go func() { drained <- s.Drain(ctx) }()
	idle.closed()
	cancel()
	if err := <-drained; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	go func() { drained <- s.Drain(context.Background()) }()
	r.Complete(nil)
	if a := busy.recv(); a.h.Opcode != native.OpResult {
		t.Fatalf("%+v", a.h)
	}
	busy.closed()
	if err := <-drained; err != nil {
		t.Fatal(err)
	}
	// To dial would not do: somebody else may have the port by now.
	if err := s.listener.(*net.TCPListener).SetDeadline(time.Time{}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("still accepting: %v", err)
	}
}

func TestTooManyConnections(t *testing.T) {
	// No tick: who is refused has all the time to ask.
	k := &handClock{Clock: clock.Real, tick: make(chan time.Time)}
	s := startServer(t, Config{MaxConnections: 1, Clock: k}, newFakeHandler())
	c := connect(t, s, 4)
	d := dial(t, s, 4)
	d.send(9, native.OpOptions, nil)
	if a := d.recv(); a.code() != native.CodeOverloaded || a.h.Stream != 9 || !strings.Contains(a.err(), "Too many connections") {
		t.Fatalf("%+v %s", a.h, a.err())
	}
	d.closed()
	c.query(1, "echo x")
	c.recv()
	c.nc.Close()
	eventually(t, func() bool { return s.Stats().Connections.Load() == 0 })
	connect(t, s, 4)
}

// handClock lets a test move time and tick the sweeper.
type handClock struct {
	clock.Clock
	offset atomic.Int64
	tick   chan time.Time
}

func (k *handClock) Mono() time.Duration { return k.Clock.Mono() + time.Duration(k.offset.Load()) }

func (k *handClock) NewTicker(time.Duration) clock.Ticker { return handTicker{k.tick} }

type handTicker struct{ c chan time.Time }

func (t handTicker) C() <-chan time.Time { return t.c }
func (t handTicker) Stop()               {}

func TestSlowReader(t *testing.T) {
	k := &handClock{Clock: clock.Real, tick: make(chan time.Time)}
	s := startServer(t, Config{Clock: k, WriteTimeout: 30 * time.Second}, newFakeHandler())
	slow, other := connect(t, s, 4), connect(t, s, 4)
	body := query("big 1000000")
	go func() {
		for i := int16(0); ; i++ {
			if _, err := slow.nc.Write(native.AppendRequest(nil, native.Header{Version: 4, Stream: i, Opcode: native.OpQuery}, body)); err != nil {
				return
			}
		}
	}()
	var c, good *Conn
	for _, x := range s.snapshot() {
		if x.remote.String() == slow.nc.LocalAddr().String() {
			c = x
		} else {
			good = x
		}
	}
	eventually(t, func() bool { return c.writeSince.Load() != 0 })
	other.query(1, "echo quick")
	if a := other.recv(); a.value() != "quick" {
		t.Fatalf("%+v", a.h)
	}
	// The reader stops at the bound; of what it had taken before, one group for
	// each core and its own are answered still.
	const answer = 1_000_100
	limit := s.cfg.MaxInFlightBytes + (int64(s.workers.cores)+1)*groupSize*answer
	if n := c.unsent.Load(); n > limit {
		t.Errorf("%d bytes unsent, over %d", n, limit)
	}
	// The other's writer may still be on its way out of the write that was read.
	eventually(t, func() bool { return good.writeSince.Load() == 0 })
	// The writer is stuck for good once the socket's buffers are full; tick
	// until it has been for long enough.
	for s.Stats().SlowClients.Load() == 0 {
		k.offset.Add(int64(20 * time.Second))
		k.tick <- time.Time{}
	}
	eventually(t, func() bool { return s.Stats().Connections.Load() == 1 })
	other.query(1, "echo still")
	other.recv()
}

func TestGarbage(t *testing.T) {
	s := startServer(t, Config{}, newFakeHandler())
	for _, b := range [][]byte{
		[]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		bytes.Repeat([]byte{0xff}, 100),
		make([]byte, 100),
		{0x84, 0, 0, 0, 7, 0, 0, 0, 0},
		{0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03},
	} {
		c := dial(t, s, 4)
		c.write(b)
		if cw, ok := c.nc.(*net.TCPConn); ok {
			cw.CloseWrite()
		}
		for {
			a, err := c.tryRecv()
			if err != nil {
				break
			}
			if a.h.Opcode != native.OpError {
				t.Errorf("%q: %+v", b, a.h)
			}
		}
	}
	eventually(t, func() bool { return s.Stats().Connections.Load() == 0 && s.InputBytes() == 0 })
}

func TestTooLongFrame(t *testing.T) {
	s := startServer(t, Config{MaxFrame: 100_000}, newFakeHandler())
	c := connect(t, s, 4)
	b := c.frame(3, native.OpQuery, make([]byte, 300_000))
	c.write(append(b, c.frame(4, native.OpQuery, query("echo after"))...))
	if a := c.recv(); a.h.Stream != 3 || a.code() != native.CodeInvalid || !strings.Contains(a.err(), "too big") {
		t.Fatalf("%+v %s", a.h, a.err())
	}
	if a := c.recv(); a.h.Stream != 4 || a.value() != "after" {
		t.Fatalf("%+v %s", a.h, a.err())
	}
	five := connect(t, s, 5)
	for range 2 {
		five.send(3, native.OpQuery, make([]byte, 300_000))
		if a := five.recv(); a.h.Stream != 3 || a.code() != native.CodeInvalid || !strings.Contains(a.err(), "too big") {
			t.Fatalf("%+v %s", a.h, a.err())
		}
		five.send(4, native.OpQuery, query("echo after"))
		if a := five.recv(); a.h.Stream != 4 || a.value() != "after" {
			t.Fatalf("%+v %s", a.h, a.err())
		}
	}
}

func TestDamagedSegment(t *testing.T) {
	s := startServer(t, Config{}, newFakeHandler())
	for _, at := range []int{1, 10} {
		c := connect(t, s, 5)
		b := c.frame(3, native.OpQuery, query("echo x"))
		b[at] ^= 1
		c.write(b)
		if a := c.recv(); a.code() != native.CodeProtocol || !strings.Contains(a.err(), "CRC mismatch") {
			t.Fatalf("%+v %s", a.h, a.err())
		}
		c.closed()
	}
}

func TestVersionMayNotChange(t *testing.T) {
	s := startServer(t, Config{}, newFakeHandler())
	c := connect(t, s, 4)
	c.version = 3
	c.query(1, "echo x")
	if a := c.recv(); a.code() != native.CodeProtocol || a.h.Version != 4 {
		t.Fatalf("%+v %s", a.h, a.err())
	}
	c.closed()
}

func TestConnectionThatIsNoSocket(t *testing.T) {
	s := startServer(t, Config{}, newFakeHandler())
	a, b := net.Pipe()
	s.ServeConn(b)
	c := &client{t: t, nc: a, version: 4}
	c.startup()
	c.recv()
	for i := range int16(3) {
		c.query(i, "echo "+strings.Repeat("p", 500))
		if a := c.recv(); len(a.value()) != 500 {
			t.Fatalf("%+v", a.h)
		}
	}
	a.Close()
	eventually(t, func() bool { return s.Stats().Connections.Load() == 0 })
}

func TestClientVanishes(t *testing.T) {
	h := newFakeHandler()
	s := startServer(t, Config{}, h)
	c := connect(t, s, 4)
	c.query(1, "hold")
	r := <-h.held
	c.write([]byte{4, 0, 0}) // half a header
	c.nc.Close()
	eventually(t, func() bool { return s.Stats().Connections.Load() == 0 })
	r.Complete(nil)
	if n := s.InputBytes(); n != 0 {
		t.Errorf("%d bytes of input are still held", n)
	}
}

func TestAllocations(t *testing.T) {
	if invariant.Enabled {
		t.Log("counts mean nothing with the race detector")
		return
	}
	s := startServer(t, Config{}, newFakeHandler())
	for _, v := range versions {
		c := connect(t, s, v)
		var b []byte
		const n = 8
		for i := range int16(n) {
			b = append(b, c.frame(i, native.OpQuery, query("echo x"))...)
		}
		c.write(b)
		size := 0
		for range n {
			a := c.recv()
			size += a.h.FrameSize()
		}
		in := make([]byte, size+256)
		once := func() {
			c.write(b)
			want := size
			if v >= native.V5 {
				want += 10 // one segment, or more
			}
			if _, err := io.ReadAtLeast(c.nc, in, want); err != nil {
				t.Fatal(err)
			}
		}
		once()
		if a := testing.AllocsPerRun(200, once) / n; a > 0.5 {
			t.Errorf("v%d: %.2f allocations per request", v, a)
		}
	}
}

func TestIdleConnectionsAreSmall(t *testing.T) {
	if invariant.Enabled {
		t.Log("sizes mean nothing with the race detector")
		return
	}
	s := startServer(t, Config{}, newFakeHandler())
	const n = 300
	conns := make([]*client, n)
	for i := range conns {
		conns[i] = dial(t, s, 4)
	}
	use := func() {
		for _, c := range conns {
			c.query(1, "echo x")
			for {
				if a := c.recv(); a.h.Opcode == native.OpResult {
					break
				}
			}
			c.buf, c.scratch = nil, nil
		}
	}
	used := func() uint64 {
		eventually(t, func() bool { return s.InputBytes() == 0 })
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	eventually(t, func() bool { return s.Stats().Connections.Load() == n })
	for _, c := range conns {
		c.startup()
	}
	use()
	before := used()
	for _, c := range conns {
		c.nc.Close()
	}
	eventually(t, func() bool { return s.Stats().Connections.Load() == 0 })
	// The clients' side is in the figure too.
	per := (int64(before) - int64(used())) / n
	t.Logf("%d bytes per idle connection", per)
	if per > 12<<10 {
		t.Errorf("an idle connection costs %d bytes", per)
	}
}

func TestInputBudget(t *testing.T) {
	h := newFakeHandler()
	s := startServer(t, Config{TotalInFlightBytes: chunkSize}, h)
	a, b := connect(t, s, 4), connect(t, s, 4)
	eventually(t, func() bool { return s.InputBytes() == 0 })
	a.query(1, "hold")
	r := <-h.held
	// b's reader may have been woken for nothing, and hold a chunk for that long.
	eventually(t, func() bool { return s.InputBytes() == chunkSize })
	// b's reader may have begun to wait while there was room; it waits at the
	// latest after its next turn.
	b.query(1, "echo x")
	b.query(2, "echo y")
	eventually(t, func() bool { return s.input.waiters.Load() > 0 })
	r.Complete(nil)
	a.recv()
	for range 2 {
		b.recv()
	}
}

func TestLoneRequestsShareAChunk(t *testing.T) {
	h := newFakeHandler()
	s := startServer(t, Config{}, h)
	c := connect(t, s, 4)
	var held []*Request
	for i := range int16(64) {
		c.query(i, "hold")
		held = append(held, <-h.held)
	}
	if n := s.InputBytes(); n > 2*chunkSize {
		t.Errorf("%d bytes held by 64 small requests", n)
	}
	for _, r := range held {
		r.Complete(nil)
	}
	for range held {
		c.recv()
	}
	eventually(t, func() bool { return s.InputBytes() == 0 })
}

func TestCompressedRequests(t *testing.T) {
	s := startServer(t, Config{}, newFakeHandler())
	for _, name := range []string{"lz4", "snappy"} {
		c := connect(t, s, 4, "COMPRESSION", name)
		compression, _ := native.ParseCompression(name, 4)
		for _, n := range []int{1000, 100_000} {
			f := c.frame(1, native.OpQuery, query("echo "+strings.Repeat("z", n)))
			packed := native.AppendCompressedFrame(nil, f, compression)
			packed[0] &= 0x7f
			if len(packed) >= len(f) {
				t.Fatal("not compressed")
			}
			c.write(packed)
			c.write([]byte{4, 1, 0, 2, 7, 0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0xff}) // rubbish
			for range 2 {
				a, err := c.tryRecv()
				if a.h.Stream == 2 && a.code() != native.CodeProtocol {
					t.Fatalf("%+v", a.h)
				}
				if a.h.Stream == 1 && name == "lz4" && (err != nil || len(a.value()) != n) {
					t.Fatalf("%+v %v", a.h, err)
				}
			}
		}
	}
	c := connect(t, s, 4)
	c.write([]byte{4, 1, 0, 2, 5, 0, 0, 0, 1, 0})
	if a := c.recv(); a.code() != native.CodeProtocol {
		t.Fatalf("%+v", a.h)
	}
}

func TestMetrics(t *testing.T) {
	reg := metrics.NewRegistry()
	s := startServer(t, Config{Metrics: reg}, newFakeHandler())
	c := connect(t, s, 4)
	c.query(1, "nonsense")
	c.recv()
	p := prometheus.NewRegistry()
	p.MustRegister(reg)
	families, err := p.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, f := range families {
		fmt.Fprintln(&text, f)
	}
	for _, want := range []string{"ilion_cql_connections", "ilion_cql_request_latency_seconds", "0x2200"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %s", want)
		}
	}
}

// pendingHandler leaves everything pending, for a flusher that completes what
// has gathered.
type pendingHandler struct {
	*fakeHandler
	mu   sync.Mutex
	list []*Request
	bell chan struct{}
}

func (h *pendingHandler) TryExecute(r *Request) Status {
	h.mu.Lock()
	h.list = append(h.list, r)
	h.mu.Unlock()
	select {
	case h.bell <- struct{}{}:
	default:
	}
	return Pending
}

func (h *pendingHandler) flush() {
	var spare []*Request
	for range h.bell {
		h.mu.Lock()
		list := h.list
		h.list = spare[:0]
		h.mu.Unlock()
		for _, r := range list {
			r.Complete(nil)
		}
		spare = list
	}
}

func BenchmarkPending(b *testing.B) {
	for _, depth := range []int{1, 10, 64} {
		b.Run(fmt.Sprint(depth), func(b *testing.B) {
			h := &pendingHandler{fakeHandler: newFakeHandler(), bell: make(chan struct{}, 1)}
			s := startServer(b, Config{}, h)
			go h.flush()
			defer close(h.bell)
			c := connect(b, s, 4)
			var out []byte
			for i := range depth {
				out = append(out, c.frame(int16(i), native.OpQuery, query("echo x"))...)
			}
			in := make([]byte, depth*13)
			b.ReportAllocs()
			for b.Loop() {
				c.write(out)
				if _, err := io.ReadFull(c.nc, in); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*depth), "ns/request")
		})
	}
}

func BenchmarkInline(b *testing.B) {
	for _, depth := range []int{1, 10, 64} {
		b.Run(fmt.Sprint(depth), func(b *testing.B) {
			s := startServer(b, Config{}, newFakeHandler())
			c := connect(b, s, 4)
			var out []byte
			for i := range depth {
				out = append(out, c.frame(int16(i), native.OpQuery, query("echo x"))...)
			}
			c.write(out)
			size := 0
			for range depth {
				size += c.recv().h.FrameSize()
			}
			in := make([]byte, size)
			b.ReportAllocs()
			for b.Loop() {
				c.write(out)
				if _, err := io.ReadFull(c.nc, in); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*depth), "ns/request")
		})
	}
}
