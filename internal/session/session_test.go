package session

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/cql/native"
)

var versions = []uint8{native.V3, native.V4, native.V5}

func TestEchoInAllVersions(t *testing.T) {
	s := startServer(t, Config{}, newFakeHandler())
	for _, v := range versions {
		for _, compression := range []string{"", "lz4"} {
			c := connect(t, s, v, "COMPRESSION", compression)
			long := strings.Repeat("x", 200_000)
			for i, text := range []string{"short", "", long, "last"} {
				for _, verb := range []string{"echo ", "worker ", "later "} {
					c.query(int16(i), verb+text)
					a := c.recv()
					if a.h.Opcode != native.OpResult || a.h.Stream != int16(i) || a.h.Version != v || a.value() != text {
						t.Fatalf("v%d %s%.20s: %v %s", v, verb, text, a.h, a.err())
					}
				}
			}
		}
	}
}

func TestManyInFlight(t *testing.T) {
	s := startServer(t, Config{}, newFakeHandler())
	for _, v := range versions {
		c := connect(t, s, v)
		var all []byte
		const n = 3000
		verbs := []string{"echo ", "worker ", "later "}
		for i := range n {
			all = append(all, c.frame(int16(i), native.OpQuery, query(fmt.Sprint(verbs[i%3], i)))...)
		}
		go c.nc.Write(all)
		seen := make(map[int16]bool)
		for range n {
			a := c.recv()
			if a.value() != fmt.Sprint(a.h.Stream) || seen[a.h.Stream] {
				t.Fatalf("stream %d: %s %s", a.h.Stream, a.value(), a.err())
			}
			seen[a.h.Stream] = true
		}
	}
}

func TestHalfFrames(t *testing.T) {
	s := startServer(t, Config{}, newFakeHandler())
	for _, v := range versions {
		c := connect(t, s, v)
		b := append(c.frame(1, native.OpQuery, query("echo a")), c.frame(2, native.OpQuery, query("echo b"))...)
		for i := range b {
			c.write(b[i : i+1])
		}
		for i, want := range []string{"a", "b"} {
			if a := c.recv(); a.h.Stream != int16(i+1) || a.value() != want {
				t.Fatalf("v%d: %v", v, a)
			}
		}
	}
}

func TestVersionNegotiation(t *testing.T) {
	s := startServer(t, Config{}, newFakeHandler())
	for _, tc := range []struct {
		frame   []byte
		version uint8
		stream  int16
		text    string
	}{
		{[]byte{0x42, 0, 0, 9, 5, 0, 0, 0, 0}, 5, 0, "Invalid or unsupported protocol version (66); supported versions are (3/v3, 4/v4, 5/v5)"},
		{[]byte{0x02, 0, 9, 5, 0, 0, 0, 0}, 2, 0, "Invalid or unsupported protocol version (2)"},
		{[]byte{0x06, 0, 0, 9, 5, 0, 0, 0, 0}, 5, 9, "Beta version of the protocol used (6/v6-beta), but USE_BETA flag is unset"},
		{[]byte{0x06, 0x10, 0, 9, 5, 0, 0, 0, 0}, 5, 0, "Invalid or unsupported protocol version (6)"},
	} {
		c := dial(t, s, 4)
		c.write(tc.frame)
		a := c.recv()
		if a.h.Version != tc.version || a.h.Stream != tc.stream || a.code() != native.CodeProtocol || !strings.Contains(a.err(), tc.text) {
			t.Errorf("%x: %+v %s", tc.frame, a.h, a.err())
		}
		// The connection stays open for another try.
		c.send(3, native.OpOptions, nil)
		if a := c.recv(); a.h.Opcode != native.OpSupported || a.h.Version != 4 || a.h.Stream != 3 {
			t.Errorf("%x: %+v", tc.frame, a.h)
		}
	}
}

func TestOptionsAtAnyTime(t *testing.T) {
	s := startServer(t, Config{Auth: true}, newFakeHandler())
	c := dial(t, s, 5)
	options := func() {
		t.Helper()
		c.send(7, native.OpOptions, nil)
		a := c.recv()
		if a.h.Opcode != native.OpSupported || !bytes.Contains(a.body, []byte("3/v3\x00\x044/v4\x00\x045/v5")) {
			t.Fatalf("%+v", a)
		}
	}
	options()
	c.startup()
	if a := c.recv(); a.h.Opcode != native.OpAuthenticate || !bytes.Contains(a.body, []byte("PasswordAuthenticator")) {
		t.Fatalf("%+v %s", a.h, a.err())
	}
	c.framed = true
	options()
	c.query(1, "echo x")
	if a := c.recv(); a.code() != native.CodeProtocol {
		t.Fatalf("query before login: %+v", a.h)
	}
	c.send(2, native.OpAuthResponse, native.AppendValue(nil, []byte("\x00user\x00wrong")))
	if a := c.recv(); a.code() != native.CodeBadCredentials {
		t.Fatalf("%+v", a.h)
	}
	c.send(2, native.OpAuthResponse, native.AppendValue(nil, []byte("\x00user\x00pass")))
	if a := c.recv(); a.h.Opcode != native.OpAuthSuccess {
		t.Fatalf("%+v", a.h)
	}
	options()
	c.query(1, "echo x")
	if a := c.recv(); a.value() != "x" {
		t.Fatalf("%+v", a.h)
	}
	if u := s.Clients()[0].User; u != "user" {
		t.Error(u)
	}
}

func TestCredentialsWithoutAuthDoNotHurt(t *testing.T) {
	s := startServer(t, Config{}, newFakeHandler())
	c := connect(t, s, 4)
	c.send(2, native.OpAuthResponse, native.AppendValue(nil, []byte("\x00any\x00thing")))
	if a := c.recv(); a.h.Opcode != native.OpAuthSuccess {
		t.Fatalf("%+v", a.h)
	}
}

func TestBadStartup(t *testing.T) {
	s := startServer(t, Config{}, newFakeHandler())
	c := dial(t, s, 4)
	c.query(1, "echo x")
	if a := c.recv(); a.code() != native.CodeProtocol || !strings.Contains(a.err(), "expecting STARTUP") {
		t.Errorf("%s", a.err())
	}
	c.send(1, native.OpStartup, []byte{0, 0})
	if a := c.recv(); !strings.Contains(a.err(), "CQL_VERSION") {
		t.Errorf("%s", a.err())
	}
	c.startup("COMPRESSION", "zip")
	if a := c.recv(); !strings.Contains(a.err(), "compression") {
		t.Errorf("%s", a.err())
	}
	c.startup("UNKNOWN", "ignored")
	if a := c.recv(); a.h.Opcode != native.OpReady {
		t.Errorf("%+v", a.h)
	}
	c.startup()
	if a := c.recv(); a.code() != native.CodeProtocol {
		t.Errorf("second STARTUP: %+v", a.h)
	}
}

func TestErrorsKeepTheConnection(t *testing.T) {
	s := startServer(t, Config{}, newFakeHandler())
	for _, v := range versions {
		c := connect(t, s, v)
		for _, tc := range []struct {
			op   native.Opcode
			body []byte
			code native.ErrorCode
		}{
			{native.OpQuery, query("nonsense"), native.CodeInvalid},
			{native.OpQuery, []byte{0, 0}, native.CodeProtocol},
			{native.OpExecute, append([]byte{0, 16}, make([]byte, 40)...), native.CodeUnprepared},
			{native.OpPrepare, native.AppendLongString(nil, "bad"), native.CodeSyntax},
			{native.OpBatch, []byte{9}, native.CodeProtocol},
			{native.Opcode(0x77), nil, native.CodeProtocol},
			{native.OpRegister, []byte{0, 1, 0, 1, 'x'}, native.CodeProtocol},
		} {
			c.send(5, tc.op, tc.body)
			if a := c.recv(); a.code() != tc.code || a.h.Stream != 5 {
				t.Errorf("v%d %v: %+v %s", v, tc.op, a.h, a.err())
			}
		}
		c.query(1, "echo still")
		if a := c.recv(); a.value() != "still" {
			t.Errorf("v%d: %+v", v, a.h)
		}
	}
}

func TestPrepareExecute(t *testing.T) {
	s := startServer(t, Config{}, newFakeHandler())
	for _, v := range versions {
		c := connect(t, s, v)
		body := native.AppendLongString(nil, "value")
		if v >= native.V5 {
			body = append(body, 0, 0, 0, 0)
		}
		c.send(1, native.OpPrepare, body)
		if a := c.recv(); a.h.Opcode != native.OpResult {
			t.Fatalf("%s", a.err())
		}
		id := native.StatementID("", "value")
		x := append([]byte{0, 16}, id[:]...)
		meta := echoMeta.ID()
		if v >= native.V5 {
			x = append(append(x, 0, 16), meta[:]...)
			x = append(x, 0, 1, 0, 0, 0, 3)
		} else {
			x = append(x, 0, 1, 3)
		}
		x = append(x, 0, 1, 0, 0, 0, 2, 'h', 'i')
		c.send(2, native.OpExecute, x)
		a := c.recv()
		// Kind, flags "no metadata", one column, one row, the value.
		if want := []byte{0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 'h', 'i'}; !bytes.Equal(a.body, want) {
			t.Fatalf("v%d: % x %s", v, a.body, a.err())
		}
		if v >= native.V5 {
			x[20]++ // an old id of the metadata
			c.send(2, native.OpExecute, x)
			if a := c.recv(); a.body[7] != 0x9 || a.value() != "hi" {
				t.Fatalf("% x %s", a.body, a.err())
			}
		}
	}
}

func TestUseIsABarrier(t *testing.T) {
	h := newFakeHandler()
	s := startServer(t, Config{}, h)
	c := connect(t, s, 4)
	b := c.frame(1, native.OpQuery, query("block"))
	b = append(b, c.frame(2, native.OpQuery, query("/* c */ USE ks"))...)
	b = append(b, c.frame(3, native.OpQuery, query("echo after"))...)
	c.write(b)
	<-h.entered
	if ks := s.Clients()[0].Keyspace; ks != "" {
		t.Errorf("keyspace %q before the barrier", ks)
	}
	close(h.gate)
	for i := range int16(3) {
		if a := c.recv(); a.h.Stream != i+1 || a.code() == native.CodeInvalid && i != 1 {
			t.Fatalf("%+v %s", a.h, a.err())
		}
	}
}

func TestUseThenKeyspace(t *testing.T) {
	s := startServer(t, Config{}, newFakeHandler())
	c := connect(t, s, 4, "DRIVER_NAME", "d", "DRIVER_VERSION", "1.2")
	c.query(1, "USE ks")
	if a := c.recv(); !bytes.HasSuffix(a.body, []byte("\x00\x00\x00\x03\x00\x02ks")) {
		t.Fatalf("% x", a.body)
	}
	i := s.Clients()[0]
	if i.Keyspace != "ks" || i.Driver != "d" || i.DriverVersion != "1.2" || i.Version != 4 || i.User != "anonymous" ||
		i.Stage != "ready" || i.Requests != 2 || i.Remote.String() != c.nc.LocalAddr().String() {
		t.Errorf("%+v", i)
	}
}

func TestEvents(t *testing.T) {
	s := startServer(t, Config{}, newFakeHandler())
	for _, v := range versions {
		c := connect(t, s, v)
		c.send(1, native.OpRegister, []byte("\x00\x01\x00\x0dSCHEMA_CHANGE"))
		if a := c.recv(); a.h.Opcode != native.OpReady {
			t.Fatalf("%+v %s", a.h, a.err())
		}
		s.Push(&native.Event{Kind: native.StatusChange, Change: native.StatusUp})
		s.Push(&native.Event{Kind: native.SchemaChangeEvents, Schema: native.SchemaChange{
			Change: native.ChangeDropped, Target: native.TargetKeyspace, Keyspace: "gone",
		}})
		a := c.recv()
		if a.h.Opcode != native.OpEvent || a.h.Stream != -1 || !bytes.HasSuffix(a.body, []byte("gone")) {
			t.Fatalf("%+v %q", a.h, a.body)
		}
	}
}

func TestPrefixOfAnswer(t *testing.T) {
	s := startServer(t, Config{}, newFakeHandler())
	c := connect(t, s, 4)
	body := append([]byte{0, 1, 0, 1, 'k', 0, 0, 0, 1, 'v'}, query("warn")...)
	c.write(native.AppendRequest(nil, native.Header{
		Version: 4, Stream: 1, Opcode: native.OpQuery, Flags: native.FlagCustomPayload | native.FlagTracing,
	}, body))
	a := c.recv()
	want := append([]byte{7}, make([]byte, 15)...)
	want = append(want, "\x00\x01\x00\x07careful\x00\x00\x00\x01"...)
	if a.h.Flags != native.FlagTracing|native.FlagWarning || !bytes.Equal(a.body, want) {
		t.Fatalf("%+v %q", a.h, a.body)
	}
}
