package session

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ilion-db/ilion/cql/native"
)

// fakeHandler understands a few words instead of CQL:
//
//	echo X      answers one row with X, inline
//	big N       answers one row of N bytes, inline
//	worker X    answers as echo, but from a worker
//	block       blocks a worker until released
//	later X     is pending until a goroutine completes it
//	hold        is pending until released
//	USE X       changes the keyspace
//	panic       panics inline, or "worker panic" on a worker
//	warn        answers void with a warning and a trace
//	anything else is an invalid request
type fakeHandler struct {
	mu       sync.Mutex
	prepared map[[16]byte]*Prepared
	gate     chan struct{} // closed to release
	entered  chan struct{} // told for each block
	held     chan *Request
	order    []string
}

func newFakeHandler() *fakeHandler {
	return &fakeHandler{
		prepared: make(map[[16]byte]*Prepared), gate: make(chan struct{}),
		entered: make(chan struct{}, 4096), held: make(chan *Request, 4096),
	}
}

var echoMeta = native.NewMetadata([]native.Column{{Keyspace: "k", Table: "t", Name: "v", Type: native.TypeBlob}})

func (h *fakeHandler) Prepare(_ context.Context, _ *Conn, text, keyspace string) (*Prepared, error) {
	if strings.HasPrefix(text, "bad") {
		return nil, native.Syntax("bad statement")
	}
	p := &Prepared{PreparedResult: native.PreparedResult{ID: native.StatementID(keyspace, text), Bind: echoMeta, Result: echoMeta}}
	p.Statement = text
	p.Barrier = isUse([]byte(text))
	h.mu.Lock()
	defer h.mu.Unlock()
	h.prepared[p.ID] = p
	return p, nil
}

func (h *fakeHandler) Lookup(id [16]byte) *Prepared {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.prepared[id]
}

func (h *fakeHandler) text(r *Request) []byte {
	switch r.Opcode {
	case native.OpExecute:
		return []byte(r.Prepared.Statement.(string))
	case native.OpBatch:
		if len(r.Batch.Statements) == 0 {
			return []byte("echo ")
		}
		return r.Batch.Statements[0].Text
	}
	return r.Query.Text
}

func (h *fakeHandler) echo(r *Request, v []byte) {
	body := native.AppendValue(r.RowBuffer(), v)
	r.ReplyRows(native.RowsHead{Metadata: echoMeta, SkipMetadata: r.Params().SkipMetadata}, body, 1)
}

func (h *fakeHandler) TryExecute(r *Request) Status {
	text := h.text(r)
	switch {
	case bytes.HasPrefix(text, []byte("echo ")):
		h.echo(r, text[5:])
	case bytes.HasPrefix(text, []byte("big ")):
		n, _ := strconv.Atoi(string(text[4:]))
		h.echo(r, bytes.Repeat([]byte{'b'}, n))
	case bytes.HasPrefix(text, []byte("value")):
		h.echo(r, r.Params().Values[0].Bytes)
	case bytes.HasPrefix(text, []byte("worker ")), string(text) == "block":
		return WouldBlock
	case bytes.HasPrefix(text, []byte("later ")):
		h.echo(r, text[6:])
		go r.Complete(nil)
		return Pending
	case string(text) == "hold":
		h.held <- r
		return Pending
	case string(text) == "panic":
		panic("asked to")
	case string(text) == "warn":
		r.Warn("careful")
		r.SetTrace([16]byte{7})
	default:
		r.Fail(native.Invalid("unknown statement"))
	}
	return Done
}

func (h *fakeHandler) Execute(ctx context.Context, r *Request) Status {
	text := string(h.text(r))
	switch {
	case isUse([]byte(text)):
		ks := strings.TrimSpace(text[4:])
		h.mu.Lock()
		h.order = append(h.order, ks)
		h.mu.Unlock()
		r.ReplyKeyspace(ks)
	case text == "worker panic":
		panic("asked to")
	case text == "block":
		h.entered <- struct{}{}
		select {
		case <-h.gate:
		case <-ctx.Done(): // of a test that has failed
		}
	default:
		h.echo(r, []byte(strings.TrimPrefix(text, "worker ")))
	}
	return Done
}

func (h *fakeHandler) MapError(_ *Request, err error) *native.Error { return native.AsError(err) }

func (h *fakeHandler) Authenticate(_ context.Context, _ *Conn, token []byte) (string, error) {
	if string(token) != "\x00user\x00pass" {
		return "", native.BadCredentials("Provided username user and/or password are incorrect")
	}
	return "user", nil
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// hang is how long a test waits for what must come: longer than any machine
// needs.
const hang = 20 * time.Minute

// patient is for real time: however slow the machine is, no request gets too old
// and no client too slow.
func patient(cfg Config) Config {
	orDefault(&cfg.RequestTimeout, time.Hour)
	orDefault(&cfg.WriteTimeout, time.Hour)
	return cfg
}

func startServer(t testing.TB, cfg Config, h Handler) *Server {
	t.Helper()
	if cfg.Log == nil {
		cfg.Log = quiet()
	}
	s, err := New(patient(cfg), h)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-served; !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
		if n := s.Stats().Connections.Load(); n != 0 {
			t.Errorf("%d connections are left", n)
		}
	})
	return s
}

// client is a raw client.
type client struct {
	t       testing.TB
	nc      net.Conn
	version uint8
	framed  bool
	lz4     bool
	buf     []byte // received, not taken
	frames  []byte // taken out of segments
	asm     native.Assembler
	scratch []byte
}

func dial(t testing.TB, s *Server, version uint8) *client {
	t.Helper()
	for s.Addr() == nil {
		runtime.Gosched()
	}
	nc, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(hang)); err != nil {
		t.Fatal(err)
	}
	return &client{t: t, nc: nc, version: version}
}

// connect dials and does STARTUP.
func connect(t testing.TB, s *Server, version uint8, options ...string) *client {
	t.Helper()
	c := dial(t, s, version)
	c.startup(options...)
	if f := c.recv(); f.h.Opcode != native.OpReady {
		t.Fatalf("%v %v", f.h, f.err())
	}
	c.framed = version >= native.V5
	return c
}

func (c *client) startup(options ...string) {
	body := binary.BigEndian.AppendUint16(nil, uint16(1+len(options)/2))
	body = native.AppendString(native.AppendString(body, "CQL_VERSION"), "3.0.0")
	for i, s := range options {
		body = native.AppendString(body, s)
		if i%2 == 1 && s == "lz4" {
			c.lz4 = true
		}
	}
	c.send(1, native.OpStartup, body)
}

func query(text string) []byte {
	return append(native.AppendLongString(nil, text), 0, 1, 0, 0, 0, 0) // v5 flags; the rest is trailing in v3, v4
}

func (c *client) frame(stream int16, op native.Opcode, body []byte) []byte {
	f := native.AppendRequest(nil, native.Header{Version: c.version, Stream: stream, Opcode: op}, body)
	if c.framed {
		return native.AppendSegments(nil, f, c.lz4)
	}
	return f
}

func (c *client) send(stream int16, op native.Opcode, body []byte) {
	c.write(c.frame(stream, op, body))
}

func (c *client) write(b []byte) {
	c.t.Helper()
	if _, err := c.nc.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) query(stream int16, text string) { c.send(stream, native.OpQuery, query(text)) }

type answer struct {
	h    native.Header
	body []byte
}

func (a answer) code() native.ErrorCode {
	if a.h.Opcode != native.OpError {
		return 1 // no error has this code
	}
	return native.ErrorCode(binary.BigEndian.Uint32(a.body))
}

func (a answer) err() string {
	if a.h.Opcode != native.OpError {
		return ""
	}
	n := int(binary.BigEndian.Uint16(a.body[4:]))
	return string(a.body[6 : 6+n])
}

// value is the single value of an answer by echo.
func (a answer) value() string {
	i := len(a.body)
	for i >= 4 {
		// The value is last: find the length that reaches to the end.
		if n := int(binary.BigEndian.Uint32(a.body[i-4:])); n == len(a.body)-i {
			if i >= 8 && binary.BigEndian.Uint32(a.body[i-8:]) == 1 {
				return string(a.body[i:])
			}
		}
		i--
	}
	return "no value"
}

func (c *client) recv() answer {
	c.t.Helper()
	a, err := c.tryRecv()
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

func (c *client) tryRecv() (a answer, err error) {
	for {
		b := &c.buf
		if c.framed {
			if err := c.unwrap(); err != nil {
				return a, err
			}
			b = &c.frames
		}
		if h, ok := native.ParseHeader(*b); ok && len(*b) >= h.FrameSize() {
			a = answer{h, bytes.Clone((*b)[h.Size():h.FrameSize()])}
			*b = (*b)[h.FrameSize():]
			if h.Flags&native.FlagCompression != 0 {
				a.body, err = native.Decompress(nil, a.body, native.LZ4, native.MaxFrame)
			}
			return a, err
		}
		if c.scratch == nil {
			c.scratch = make([]byte, 64<<10)
		}
		n, err := c.nc.Read(c.scratch)
		if err != nil {
			return a, err
		}
		c.buf = append(c.buf, c.scratch[:n]...)
	}
}

func (c *client) unwrap() error {
	for {
		s, ok, err := native.ParseSegment(c.buf, c.lz4)
		if !ok || err != nil {
			return err
		}
		if s.SelfContained {
			c.frames, err = s.AppendPayload(c.frames)
		} else {
			var whole []byte
			whole, err = c.asm.Add(s, native.MaxFrame)
			c.frames = append(c.frames, whole...)
		}
		if err != nil {
			return err
		}
		c.buf = c.buf[s.Size:]
	}
}

// closed fails the test unless the server ends the connection.
func (c *client) closed() {
	c.t.Helper()
	for {
		a, err := c.tryRecv()
		if err != nil {
			return
		}
		c.t.Errorf("an answer instead of the end: %v %s", a.h, a.err())
	}
}
