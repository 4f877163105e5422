package clienttest

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// Codes of the protocol's errors.
const (
	codeServer       = 0x0000
	codeProtocol     = 0x000A
	codeUnavailable  = 0x1000
	codeOverloaded   = 0x1001
	codeWriteTimeout = 0x1100
	codeReadTimeout  = 0x1200
	codeWriteFailure = 0x1500
	codeSyntax       = 0x2000
	codeUnauthorized = 0x2100
	codeInvalid      = 0x2200
	codeConfig       = 0x2300
	codeExists       = 0x2400
	codeUnprepared   = 0x2500
)

func TestErrors(t *testing.T) {
	forDrivers(t, func(t *testing.T, e *env) {
		e.must("CREATE TABLE KS.e (k int, c int, v text, l list<int>, PRIMARY KEY (k, c))")
		e.must("CREATE TYPE KS.ty (a int)")
		for _, c := range []struct {
			text string
			code int
			says string
		}{
			{"SELEC * FROM KS.e", codeSyntax, "no viable alternative at input 'SELEC'"},
			{"SELECT * FROM KS.e WHERE", codeSyntax, "line 0:-1 no viable alternative at input '<EOF>'"},
			{"SELECT * FROM KS.none", codeInvalid, "table none does not exist"},
			{"SELECT * FROM nokeyspace.t", codeInvalid, "nokeyspace does not exist"},
			{"SELECT nocolumn FROM KS.e", codeInvalid, "Undefined column name nocolumn"},
			{"SELECT * FROM KS.e WHERE v = 'x'", codeInvalid, "ALLOW FILTERING"},
			{"SELECT * FROM KS.e WHERE c = 1", codeInvalid, "ALLOW FILTERING"},
			{"SELECT * FROM KS.e WHERE k > 1", codeInvalid, "ALLOW FILTERING"},
			{"SELECT * FROM KS.e ORDER BY c", codeInvalid, "ORDER BY is only supported when the partition key is restricted by an EQ or an IN"},
			{"INSERT INTO KS.e (k) VALUES (1)", codeInvalid, "Some clustering keys are missing: c"},
			{"INSERT INTO KS.e (c) VALUES (1)", codeInvalid, "Some partition key parts are missing: k"},
			{"INSERT INTO KS.e (k, c, v) VALUES ('text', 1, 'x')", codeInvalid, "Invalid STRING constant (text) for \"k\" of type int"},
			{"UPDATE KS.e SET k = 1 WHERE k = 1 AND c = 1", codeInvalid, "PRIMARY KEY part k found in SET part"},
			{"DELETE FROM KS.e WHERE v = 'x'", codeInvalid, ""},
			{"CREATE TABLE KS.e (k int PRIMARY KEY)", codeExists, ""},
			{"CREATE KEYSPACE KS WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}", codeExists, ""},
			{"CREATE TYPE KS.ty (a int)", codeInvalid, "already exists"},
			{"CREATE TABLE KS.bad (k int PRIMARY KEY) WITH nooption = 1", codeSyntax, "nooption"},
			{"CREATE TABLE KS.bad (k notype PRIMARY KEY)", codeInvalid, "notype"},
			{"CREATE TABLE nokeyspace.t (k int PRIMARY KEY)", codeInvalid, "nokeyspace"},
			{"CREATE KEYSPACE bad WITH replication = {'class': 'NoStrategy'}", codeConfig, "NoStrategy"},
			{"DROP TABLE KS.none", codeInvalid, "none"},
			{"DROP KEYSPACE none", codeInvalid, "none"},
			{"DROP TYPE KS.none", codeInvalid, "none"},
			{"ALTER TABLE KS.e ADD v int", codeInvalid, "v"},
			{"ALTER TABLE KS.e DROP k", codeInvalid, "k"},
			{"DROP TABLE system_schema.tables", codeUnauthorized, "not user-modifiable"},
			{"CREATE TABLE system.t (k int PRIMARY KEY)", codeUnauthorized, "not user-modifiable"},
		} {
			err := e.exec(e.in(c.text))
			if e.code(err) != c.code || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s\n got %#x %v\nwant %#x %s", e.in(c.text), e.code(err), err, c.code, c.says)
			}
		}
		if otherServer() == "" { // Cassandra without users lets anybody do that
			for _, text := range []string{"INSERT INTO system.local (key) VALUES ('x')", "TRUNCATE system.local", "DELETE FROM system.peers WHERE peer = '127.0.0.1'"} {
				if err := e.exec(text); e.code(err) != codeUnauthorized {
					t.Errorf("%s: %v", text, err)
				}
			}
		}
		e.must("CREATE TABLE IF NOT EXISTS KS.e (k int PRIMARY KEY)")
		e.must("DROP TABLE IF EXISTS KS.none")
	})
}

// TestConditions: one node without Paxos says so.
func TestConditions(t *testing.T) {
	if otherServer() != "" {
		return // which can do it
	}
	forDrivers(t, func(t *testing.T, e *env) {
		e.must("CREATE TABLE KS.l (k int PRIMARY KEY, v int)")
		for _, text := range []string{
			"INSERT INTO KS.l (k, v) VALUES (1, 1) IF NOT EXISTS",
			"UPDATE KS.l SET v = 2 WHERE k = 1 IF v = 1",
			"DELETE FROM KS.l WHERE k = 1 IF EXISTS",
		} {
			err := e.exec(e.in(text))
			if e.code(err) != codeInvalid || !strings.Contains(err.Error(), "onditional") {
				t.Errorf("%s: %v", text, err)
			}
		}
		e.want(nil, "SELECT * FROM KS.l")
	})
}

// TestUnprepared drops what was prepared under the driver's feet: by an ALTER,
// by dropping and creating the table again.
func TestUnprepared(t *testing.T) {
	forDrivers(t, func(t *testing.T, e *env) {
		e.must("CREATE TABLE KS.u (k int PRIMARY KEY, v text)")
		e.must("INSERT INTO KS.u (k, v) VALUES (?, ?)", 1, "a")
		e.want([]string{"k:1 v:a"}, "SELECT * FROM KS.u WHERE k = ?", 1)
		e.must("DROP TABLE KS.u")
		err := e.exec(e.in("INSERT INTO KS.u (k, v) VALUES (?, ?)"), 1, "a")
		if e.code(err) != codeInvalid {
			t.Errorf("prepared on a table that is gone: %v", err)
		}
		e.must("CREATE TABLE KS.u (k int PRIMARY KEY, v text)")
		e.must("INSERT INTO KS.u (k, v) VALUES (?, ?)", 1, "b")
		e.want([]string{"k:1 v:b"}, "SELECT * FROM KS.u WHERE k = ?", 1)
	})
}

// TestTooLong: a request longer than a frame may be is refused, and the
// connection goes on.
func TestTooLong(t *testing.T) {
	forDrivers(t, func(t *testing.T, e *env) {
		e.must("CREATE TABLE KS.b (k int PRIMARY KEY, v blob)")
		insert := e.in("INSERT INTO KS.b (k, v) VALUES (?, ?)")
		if err := e.exec(insert, 1, make([]byte, 17<<20)); e.code(err) != codeInvalid {
			t.Errorf("17 MiB: %v", err)
		}
		if err := e.exec(insert, 2, make([]byte, 8<<20)); err != nil {
			t.Errorf("8 MiB: %v", err)
		}
		var v []byte
		e.one([]any{&v}, "SELECT v FROM KS.b WHERE k = 2")
		if len(v) != 8<<20 {
			t.Errorf("%d bytes came back", len(v))
		}
	})
}

// raw is a connection that speaks frames by hand.
type raw struct {
	t *testing.T
	net.Conn
}

func dialRaw(t *testing.T, s *server) *raw {
	t.Helper()
	c, err := net.DialTimeout("tcp", net.JoinHostPort(testHost, fmt.Sprint(s.port)), requestTimeout)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(requestTimeout))
	return &raw{t, c}
}

func (r *raw) send(version byte, stream uint16, opcode byte, body []byte) {
	r.t.Helper()
	f := []byte{version, 0, byte(stream >> 8), byte(stream), opcode}
	f = binary.BigEndian.AppendUint32(f, uint32(len(body)))
	if _, err := r.Write(append(f, body...)); err != nil {
		r.t.Fatal(err)
	}
}

// answer is one frame of the server.
type answer struct {
	version byte
	stream  uint16
	opcode  byte
	body    []byte
}

func (r *raw) read() (a answer, err error) {
	head := make([]byte, 9)
	if _, err := io.ReadFull(r, head); err != nil {
		return a, fmt.Errorf("no answer: %w", err)
	}
	a = answer{head[0], binary.BigEndian.Uint16(head[2:]), head[4], make([]byte, binary.BigEndian.Uint32(head[5:]))}
	_, err = io.ReadFull(r, a.body)
	return a, err
}

func (r *raw) receive() answer {
	r.t.Helper()
	a, err := r.read()
	if err != nil {
		r.t.Fatal(err)
	}
	return a
}

func shortString(dst []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(s))), s...)
}

func (r *raw) startup(more ...string) {
	r.t.Helper()
	body := shortString(shortString([]byte{0, byte(1 + len(more)/2)}, "CQL_VERSION"), "3.0.0")
	for _, s := range more {
		body = shortString(body, s)
	}
	r.send(4, 0, 0x01, body)
	if a := r.receive(); a.opcode != 0x02 {
		r.t.Fatalf("STARTUP: opcode %d, %q", a.opcode, a.body)
	}
}

// anyStream is for errors of which the stream does not matter.
const anyStream = 0xffff

// wantError reads an ERROR and returns what follows its text.
func (r *raw) wantError(stream uint16, code uint32, says string) []byte {
	r.t.Helper()
	a := r.receive()
	body := a.body
	if a.opcode != 0 || len(body) < 6 {
		r.t.Fatalf("opcode %d, %q, want an error", a.opcode, body)
	}
	n := int(binary.BigEndian.Uint16(body[4:]))
	text := string(body[6 : 6+n])
	if got := binary.BigEndian.Uint32(body); got != code || a.stream != stream && stream != anyStream || !strings.Contains(text, says) {
		r.t.Errorf("error %#x on stream %d: %s; want %#x on %d: %s", got, a.stream, text, code, stream, says)
	}
	return body[6+n:]
}

// TestRawFrames sends what no driver does.
func TestRawFrames(t *testing.T) {
	s := sharedServer(t)
	t.Run("unknown version", func(t *testing.T) {
		r := dialRaw(t, s)
		r.send(66, 7, 0x05, nil)
		r.wantError(0, codeProtocol, "Invalid or unsupported protocol version (66); supported versions are (3/v3, 4/v4, 5/v5")
		r.send(4, 1, 0x05, nil) // the connection still works
		if a := r.receive(); a.version != 0x84 || a.stream != 1 || a.opcode != 0x06 {
			t.Errorf("OPTIONS: version %#x stream %d opcode %d", a.version, a.stream, a.opcode)
		}
	})
	t.Run("unknown opcode", func(t *testing.T) {
		r := dialRaw(t, s)
		r.startup()
		r.send(4, 3, 0x7f, nil)
		r.wantError(3, codeProtocol, "")
	})
	t.Run("query before startup", func(t *testing.T) {
		r := dialRaw(t, s)
		r.send(4, 1, 0x07, append([]byte{0, 0, 0, 1}, 'x', 0, 1, 0))
		r.wantError(anyStream, codeProtocol, "")
	})
	t.Run("cut body", func(t *testing.T) {
		r := dialRaw(t, s)
		r.startup()
		r.send(4, 4, 0x07, []byte{0, 0, 1, 0, 'S'})
		r.wantError(4, codeProtocol, "")
	})
	t.Run("unprepared", func(t *testing.T) {
		r := dialRaw(t, s)
		r.startup()
		id := "0123456789abcdef"
		r.send(4, 5, 0x0A, append(shortString(nil, id), 0, 1, 0))
		if rest := r.wantError(5, codeUnprepared, ""); string(rest) != string(shortString(nil, id)) {
			t.Errorf("the id that comes back is %q", rest)
		}
	})
	t.Run("garbage", func(t *testing.T) {
		if otherServer() != "" {
			return // Cassandra waits for more
		}
		r := dialRaw(t, s)
		r.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
		io.Copy(io.Discard, r) // the server answers or not, but ends it
	})
	t.Run("giant frame", func(t *testing.T) {
		if otherServer() != "" {
			return // Cassandra waits for all of it
		}
		r := dialRaw(t, s)
		r.startup()
		r.Write([]byte{4, 0, 0, 1, 0x07, 0x7f, 0xff, 0xff, 0xff})
		r.wantError(anyStream, codeInvalid, "")
	})
}
