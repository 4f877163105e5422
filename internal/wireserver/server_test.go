package wireserver_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/session"
	"github.com/ilion-db/ilion/internal/transport"
	"github.com/ilion-db/ilion/internal/wireserver"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

var result = native.NewMetadata([]native.Column{{Keyspace: "ks", Table: "t", Name: "v", Type: schema.TypeBlob}})

var otherResult = native.NewMetadata([]native.Column{
	{Keyspace: "ks", Table: "t", Name: "v", Type: schema.TypeBlob}, {Keyspace: "ks", Table: "t", Name: "new", Type: schema.TypeBlob},
})

// fake is a handler whose statements do what the first byte of their first value
// says: d answer it, p wait for complete, b want a worker, x panic, l answer
// that many bytes, N wait for hold wherever they are executed.
type fake struct {
	mu      sync.Mutex // protects pending
	pending []*session.Request
	ready   *session.Prepared
	hold    chan struct{} // what wants a worker waits for it, if not nil

	// Of groups: other columns come of reads, which call reading first if it is not
	// nil; writes are refused, complete later, or with err.
	reading              func()
	other, refuse, later bool
	err                  error
	writes               []mutation.Completer
}

// columns are those of reads of groups.
func (f *fake) columns() *native.Metadata {
	if f.other {
		return otherResult
	}
	return result
}

func le32(n int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(n)) }

func sizeOf(v []byte) uint32 { return binary.LittleEndian.Uint32(v[1:]) }

var knownID = [16]byte{7}

func (f *fake) Prepare(_ context.Context, _ *session.Conn, text, _ string) (*session.Prepared, error) {
	if text == "bad" {
		return nil, native.Syntax("bad")
	}
	return f.Lookup(knownID), nil
}

func (f *fake) Lookup(id [16]byte) *session.Prepared {
	if id != knownID {
		return nil
	}
	return f.ready
}

func value(r *session.Request) []byte {
	if r.Opcode == native.OpQuery {
		return r.Query.Text
	}
	return r.Params().Values[0].Bytes
}

func (f *fake) TryExecute(r *session.Request) session.Status {
	switch v := value(r); v[0] {
	case 'd':
		r.ReplyRows(native.RowsHead{Metadata: result}, native.AppendValue(r.RowBuffer(), v), 1)
	case 'l':
		r.ReplyRows(native.RowsHead{Metadata: result}, native.AppendValue(r.RowBuffer(), make([]byte, binary.LittleEndian.Uint32(v[1:]))), 1)
	case 'p':
		f.mu.Lock()
		f.pending = append(f.pending, r)
		f.mu.Unlock()
		return session.Pending
	case 'b':
		return session.WouldBlock
	case 'N':
		if f.hold != nil {
			<-f.hold
		}
	case 'x':
		panic("as told")
	case 'e':
		r.Fail(native.Unavailable(native.Quorum, 2, 1))
	}
	return session.Done
}

func (f *fake) Execute(_ context.Context, r *session.Request) session.Status {
	if f.hold != nil {
		<-f.hold
	}
	if v := value(r); len(v) > 1 && v[1] == 'x' {
		panic("as told")
	}
	r.Warn("from a worker")
	return session.Done
}

func (f *fake) MapError(_ *session.Request, err error) *native.Error { return native.AsError(err) }

func (f *fake) Authenticate(context.Context, *session.Conn, []byte) (string, error) { return "", nil }

// complete ends all that is pending.
func (f *fake) complete() {
	f.mu.Lock()
	all := f.pending
	f.pending = nil
	f.mu.Unlock()
	for _, r := range all {
		r.Complete(nil)
	}
}

// pair is a server and a client's connection to it.
type pair struct {
	t      testing.TB
	fake   *fake
	server *wireserver.Server
	peer   *rpc.Peer
	close  func()
}

func open(t testing.TB, n transport.Transport, change func(*wireserver.Config), limits ...rpc.Limits) *pair {
	limits = append(limits, rpc.Limits{})
	f := &fake{ready: &session.Prepared{PreparedResult: native.PreparedResult{ID: knownID, Bind: result, Result: result}, Reads: true}}
	log := slog.New(slog.DiscardHandler)
	cfg := wireserver.Config{Topology: func() *cluster.Topology { return &topology }, Log: log, RequestTimeout: time.Minute}
	if change != nil {
		change(&cfg)
	}
	s, err := wireserver.New(cfg, f)
	if err != nil {
		t.Fatal(err)
	}
	addr := "127.0.0.1:7000"
	if n == transport.TCP {
		addr = "127.0.0.1:0"
		limits[0].HelloTimeout, limits[0].Heartbeat = 10*time.Minute, 10*time.Minute
	}
	endpoint := func(purpose wire.Purpose, handlers map[wire.Op]rpc.Handler) *rpc.Endpoint {
		e, err := rpc.New(rpc.Config{
			Clock: clock.Real, Transport: n, Rand: rand.NewSeeded(uint64(purpose)), Log: log, Purpose: purpose, Handlers: handlers, Limits: limits[0],
			Hello: func(wire.Purpose) wire.Hello {
				return wire.Hello{HostID: [16]byte{byte(purpose)}, Lowest: 1, Highest: 1}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	l, err := n.Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	there, here := endpoint(wire.PurposePeer, s.Handlers()), endpoint(wire.PurposeClient, nil)
	go there.Serve(l)
	here.SetAddress([16]byte{1}, l.Addr().String())
	return &pair{t: t, fake: f, server: s, peer: here.Peer([16]byte{1}), close: func() {
		s.Close()
		here.Close()
		there.Close()
	}}
}

var topology = cluster.Topology{Epoch: 77, Nodes: []cluster.Node{{HostID: schema.UUID{1}, Internode: "127.0.0.1:7000", DC: "dc", Local: true}}}

// got is what came of a frame.
type got struct {
	answers map[uint32]wire.Answer
	parts   int // answers before the last one
	err     error
	epoch   uint64
	done    chan struct{}
	part    chan struct{} // one for each part
}

func newGot() *got {
	return &got{answers: map[uint32]wire.Answer{}, done: make(chan struct{}), part: make(chan struct{}, 100)}
}

// Receive implements rpc.Receiver.
func (g *got) Receive(a *rpc.Answer) {
	var w wire.Answers
	w.Init(a.Body)
	for one := (wire.Answer{}); w.Next(&one); {
		one.Body = bytes.Clone(one.Body)
		g.answers[one.Index] = one
	}
	if a.More {
		g.parts++
		g.part <- struct{}{}
		return
	}
	g.err, g.epoch = a.Err, a.Epoch
	close(g.done)
}

func frame(values ...string) []byte {
	b := wire.AppendStatements(nil, []wire.StatementRef{{ID: knownID, Result: result.ID()}, {ID: [16]byte{8}}})
	for _, v := range values {
		statement := 0
		if v == "unknown" {
			statement = 1
		}
		b = wire.AppendExecution(b, statement, wire.AppendBinding(nil, &wire.ExecuteOptions{Consistency: 1}, 1, wire.AppendValue(nil, native.Value{Bytes: []byte(v)})))
	}
	return b
}

func (p *pair) send(op wire.Op, body []byte) *got {
	p.t.Helper()
	g := newGot()
	if err := p.peer.Send(&rpc.Message{Op: op, Lane: rpc.Small, Body: body}, g); err != nil {
		p.t.Fatal(err)
	}
	return g
}

// ender is a receiver that only waits for the end.
type ender struct{ done chan error }

func (e ender) Receive(a *rpc.Answer) {
	if !a.More {
		e.done <- a.Err
	}
}

// exchange returns a function that has a frame of n equal executions answered.
func (p *pair) exchange(n int, value string) func() {
	values := make([]string, n)
	for i := range values {
		values[i] = value
	}
	m := rpc.Message{Op: wire.OpExecute, Lane: rpc.Small, Body: frame(values...)}
	e := ender{make(chan error, 1)}
	return func() {
		if err := p.peer.Send(&m, e); err != nil {
			p.t.Error(err)
		} else if err := <-e.done; err != nil {
			p.t.Error(err)
		}
	}
}

func (g *got) wait() *got {
	<-g.done
	return g
}

// Each execution of a frame is answered by itself: what is pending holds up
// nothing, and goes together when it is done.
func TestAnsweredApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, &transport.Mem{}, nil)
		defer p.close()
		g := p.send(wire.OpExecute, frame("d0", "p", "b", "unknown", "e", "p", "d1"))
		synctest.Wait()
		if len(g.answers) != 5 || g.parts == 0 || g.answers[0].Kind != wire.AnswerRows || g.answers[3].Kind != wire.AnswerError {
			t.Fatalf("%+v", g)
		}
		p.fake.complete()
		if g.wait(); g.err != nil || len(g.answers) != 7 || g.answers[1].Kind != wire.AnswerVoid || g.epoch != 77 {
			t.Fatalf("%+v", g)
		}
		var rows wire.Rows
		if err := rows.Decode(g.answers[6].Body); err != nil || string(rows.Values[4:]) != "d1" || rows.Columns != nil {
			t.Fatalf("%+v %v", rows, err)
		}
		if err := rows.Decode(g.answers[2].Body); err != nil || len(rows.Warnings) != 1 {
			t.Fatalf("%+v %v", rows, err)
		}
		for i, code := range map[uint32]wire.Code{3: wire.CodeUnprepared, 4: wire.CodeUnavailable} {
			var e wire.Error
			if err := e.Decode(g.answers[i].Body); err != nil || e.Code != code {
				t.Fatalf("%+v %v", e, err)
			}
		}
		// Many: groups go to workers, all are answered.
		values := make([]string, 1000)
		for i := range values {
			values[i] = []string{"d", "b", "p"}[i%3]
		}
		g = p.send(wire.OpExecute, frame(values...))
		synctest.Wait()
		p.fake.complete()
		if g.wait(); g.err != nil || len(g.answers) != 1000 {
			t.Fatal(g.err, len(g.answers))
		}
	})
}

// Large answers go alone; what does not fit into a frame is an error.
func TestLargeAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, &transport.Mem{}, nil)
		defer p.close()
		size := func(n uint32) string { return "l" + string(binary.LittleEndian.AppendUint32(nil, n)) }
		g := p.send(wire.OpExecute, frame("d", size(40<<10), size(10<<20), size(17<<20), size(20<<10), size(20<<10), size(20<<10))).wait()
		if g.err != nil || len(g.answers) != 7 || len(g.answers[2].Body) < 10<<20 || g.answers[3].Kind != wire.AnswerError {
			t.Fatal(g.err, len(g.answers))
		}
	})
}

// Bytes that are no body are refused, and the connection stays.
func TestHostileBodies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, &transport.Mem{}, nil)
		defer p.close()
		var e *wire.Error
		for _, op := range []wire.Op{wire.OpPrepare, wire.OpExecute, wire.OpBatch, wire.OpQuery} {
			for _, body := range []string{"", "\xff", strings.Repeat("\xff", 100)} {
				if op == wire.OpExecute && body == "" {
					continue // see below
				}
				if g := p.send(op, []byte(body)).wait(); !errors.As(g.err, &e) || e.Code != wire.CodeInvalid {
					t.Errorf("%v of %q: %v", op, body, g.err)
				}
			}
		}
		// What came before the damage is answered.
		g := p.send(wire.OpExecute, append(frame("d", "b"), 0xff, 0xff)).wait()
		if len(g.answers) != 2 || !errors.As(g.err, &e) || e.Code != wire.CodeInvalid {
			t.Errorf("%v, %d answers", g.err, len(g.answers))
		}
		// A level that there is not.
		bad := wire.Query{Text: "d", Options: wire.ExecuteOptions{Consistency: 77}}
		if g := p.send(wire.OpQuery, bad.Append(nil)).wait(); g.err != nil || g.answers[0].Kind != wire.AnswerError {
			t.Errorf("%+v", g)
		}
		if g := p.send(wire.OpExecute, frame("d")).wait(); g.err != nil || len(g.answers) != 1 {
			t.Errorf("%+v", g)
		}
		var topo wire.Topology
		b, err := p.peer.Call(t.Context(), &rpc.Message{Op: wire.OpTopology, Lane: rpc.Small})
		if err != nil || topo.Decode(b) != nil || topo.Epoch != 77 || !topo.Hosts[0].Up {
			t.Error(err, topo)
		}
		var ready wire.Prepared
		b, err = p.peer.Call(t.Context(), &rpc.Message{Op: wire.OpPrepare, Lane: rpc.Small, Body: (&wire.Prepare{Text: "good"}).Append(nil)})
		if err != nil || ready.Decode(b) != nil || ready.Ref.ID != knownID || !ready.Read {
			t.Error(err, ready)
		}
		_, err = p.peer.Call(t.Context(), &rpc.Message{Op: wire.OpPrepare, Lane: rpc.Small, Body: (&wire.Prepare{Text: "bad"}).Append(nil)})
		if !errors.As(err, &e) || e.Code != wire.CodeInvalid {
			t.Error(err)
		}
	})
}

// A panic ends the connection, on the reader and on a worker.
func TestPanics(t *testing.T) {
	for _, v := range []string{"x", "bx"} {
		synctest.Test(t, func(t *testing.T) {
			p := open(t, &transport.Mem{}, nil)
			defer p.close()
			if g := p.send(wire.OpExecute, frame("p", v, "d")).wait(); !errors.Is(g.err, rpc.ErrPeerDown) {
				t.Errorf("%+v", g)
			}
		})
	}
}

// What is too much is refused, and counts no more once it is answered.
func TestTooMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, &transport.Mem{}, func(c *wireserver.Config) { c.MaxInFlight, c.Workers, c.QueueLength = 64, 1, 1 })
		defer p.close()
		g := p.send(wire.OpExecute, frame("p"))
		synctest.Wait()
		var e *wire.Error
		// Executions are counted 64 at a time while a frame is read.
		refused := p.send(wire.OpExecute, frame("d")).wait()
		if !errors.As(refused.err, &e) || e.Code != wire.CodeOverloaded {
			t.Fatalf("%+v", refused)
		}
		p.fake.complete()
		g.wait()
		if g := p.send(wire.OpExecute, frame("d")).wait(); g.err != nil {
			t.Fatal(g.err)
		}
		// One works, one waits, the third finds no room.
		p.fake.hold = make(chan struct{})
		first := p.send(wire.OpQuery, (&wire.Query{Text: "b"}).Append(nil))
		synctest.Wait()
		second := p.send(wire.OpQuery, (&wire.Query{Text: "b"}).Append(nil))
		synctest.Wait()
		third := p.send(wire.OpQuery, (&wire.Query{Text: "b"}).Append(nil)).wait()
		if third.err != nil || third.answers[0].Kind != wire.AnswerError {
			t.Fatalf("%+v", third)
		}
		close(p.fake.hold)
		if first.wait().err != nil || second.wait().err != nil {
			t.Fatal(first.err, second.err)
		}
	})
}

// Drain refuses what is new and waits for what is in work.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, &transport.Mem{}, nil)
		defer p.close()
		g := p.send(wire.OpExecute, frame("p"))
		synctest.Wait()
		drained := make(chan error, 1)
		go func() { drained <- p.server.Drain(t.Context()) }()
		synctest.Wait()
		var e *wire.Error
		if late := p.send(wire.OpExecute, frame("d")).wait(); !errors.As(late.err, &e) || e.Code != wire.CodeOverloaded {
			t.Fatalf("%+v", late)
		}
		select {
		case err := <-drained:
			t.Fatal("drained while a statement is pending", err)
		default:
		}
		p.fake.complete()
		if err := <-drained; err != nil || g.wait().err != nil {
			t.Fatal(err, g.err)
		}
	})
}

// blocked is a receiver that takes no answer.
type blocked struct{ open, done chan struct{} }

func (b *blocked) Receive(a *rpc.Answer) {
	<-b.open
	if !a.More { // a part of an answer is not its end
		b.done <- struct{}{}
	}
}

// A client that asks and does not take its answers is closed.
func TestUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, &transport.Mem{}, nil, rpc.Limits{ClientUnsent: 4 << 20, QueueBytes: 64 << 20})
		defer p.close()
		const n = 100
		b := &blocked{make(chan struct{}), make(chan struct{}, n)}
		size := "l" + string(binary.LittleEndian.AppendUint32(nil, 1<<20))
		sent := 0
		for range n {
			if p.peer.Send(&rpc.Message{Op: wire.OpExecute, Lane: rpc.Small, Body: frame(size)}, b) == nil {
				sent++
			}
		}
		synctest.Wait()
		again := newGot()
		if err := p.peer.Send(&rpc.Message{Op: wire.OpExecute, Lane: rpc.Small, Body: frame("d")}, again); err == nil {
			close(b.open)
			if again.wait(); !errors.Is(again.err, rpc.ErrPeerDown) {
				t.Fatalf("%+v", again)
			}
		} else {
			close(b.open)
		}
		for range sent {
			<-b.done
		}
	})
}

func TestConfig(t *testing.T) {
	for _, c := range []wireserver.Config{{}, {Topology: func() *cluster.Topology { return &topology }, Workers: -1}} {
		if _, err := wireserver.New(c, &fake{}); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}
