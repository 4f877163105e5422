package query

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/session"
	"github.com/ilion-db/ilion/mutation"
)

// wire is a client of protocol v4 over a pipe that waits for each answer.
type wire struct {
	t      *testing.T
	nc     net.Conn
	events []string
}

// answer is a response, taken apart as far as tests look at it.
type answer struct {
	op       native.Opcode
	err      *native.Error
	kind     uint32
	warnings []string
	trace    []byte
	rows     [][]string
	columns  []string // empty if left out
	more     []byte   // paging state
	id       []byte   // of a prepared statement
	body     []byte   // what follows the kind
}

func serve(t *testing.T, db *testDB) *wire {
	t.Helper()
	s, err := session.New(session.Config{RequestTimeout: patience, WriteTimeout: patience}, db.Processor)
	if err != nil {
		t.Fatal(err)
	}
	db.OnEvent(s.Push)
	db.cluster.Subscribe(db.Announce)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return connect(t, s)
}

func connect(t *testing.T, s *session.Server) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	other, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	s.ServeConn(other)
	t.Cleanup(func() { nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(patience / 3)); err != nil { // far above what anything here takes
		t.Fatal(err)
	}
	w := &wire{t: t, nc: nc}
	body := []byte{0, 1}
	body = native.AppendString(body, native.OptionCQLVersion)
	body = native.AppendString(body, "3.0.0")
	if a := w.send(native.OpStartup, 0, body); a.op != native.OpReady {
		t.Fatalf("STARTUP: %+v", a)
	}
	return w
}

func (w *wire) send(op native.Opcode, flags uint8, body []byte) *answer {
	w.t.Helper()
	start := 0
	out := native.BeginFrame(nil, native.Header{Version: native.V4, Flags: flags, Stream: 1, Opcode: op})
	out = append(out, body...)
	native.EndFrame(out, start)
	out[0] &^= 0x80 // a request
	if _, err := w.nc.Write(out); err != nil {
		w.t.Fatal(err)
	}
	return w.receive()
}

func (w *wire) receive() *answer {
	w.t.Helper()
	for {
		head := make([]byte, 9)
		if _, err := io.ReadFull(w.nc, head); err != nil {
			w.t.Fatal(err)
		}
		body := make([]byte, binary.BigEndian.Uint32(head[5:]))
		if _, err := io.ReadFull(w.nc, body); err != nil {
			w.t.Fatal(err)
		}
		if native.Opcode(head[4]) == native.OpEvent {
			w.events = append(w.events, printable(body))
			continue
		}
		return w.parse(head[1], native.Opcode(head[4]), &cutter{body})
	}
}

// printable is the words of a message.
func printable(b []byte) string {
	return strings.Join(strings.FieldsFunc(string(b), func(r rune) bool { return r < ' ' }), " ")
}

// cutter takes the protocol's primitives off a body.
type cutter struct{ b []byte }

func (c *cutter) take(n int) []byte {
	p := c.b[:n]
	c.b = c.b[n:]
	return p
}
func (c *cutter) u16() int       { return int(binary.BigEndian.Uint16(c.take(2))) }
func (c *cutter) i32() int       { return int(int32(binary.BigEndian.Uint32(c.take(4)))) }
func (c *cutter) string() string { return string(c.take(c.u16())) }
func (c *cutter) value() []byte {
	if n := c.i32(); n >= 0 {
		return c.take(n)
	}
	return nil
}

func (w *wire) parse(flags uint8, op native.Opcode, c *cutter) *answer {
	a := &answer{op: op}
	if flags&native.FlagTracing != 0 {
		a.trace = c.take(16)
	}
	if flags&native.FlagWarning != 0 {
		for range c.u16() {
			a.warnings = append(a.warnings, c.string())
		}
	}
	switch op {
	case native.OpError:
		a.err = &native.Error{Code: native.ErrorCode(c.i32()), Msg: c.string()}
		if a.err.Code == native.CodeUnprepared {
			a.id = c.take(c.u16())
		}
	case native.OpResult:
		a.kind = uint32(c.i32())
		a.body = c.b
		switch a.kind {
		case 2:
			a.parseRows(c)
		case 4:
			a.id = c.take(c.u16())
		}
	}
	return a
}

func (a *answer) parseRows(c *cutter) {
	flags, n := c.i32(), c.i32()
	if flags&2 != 0 {
		a.more = c.value()
	}
	if flags&4 == 0 {
		global := flags&1 != 0
		if global {
			c.string()
			c.string()
		}
		for range n {
			if !global {
				c.string()
				c.string()
			}
			a.columns = append(a.columns, c.string())
			c.u16() // tests of this client know plain types only
		}
	}
	for range c.i32() {
		var row []string
		for range n {
			row = append(row, string(c.value()))
		}
		a.rows = append(a.rows, row)
	}
}

// params encodes what follows the statement: consistency, values, page size,
// paging state.
func params(level native.Consistency, pageSize int, state []byte, skip bool, values ...[]byte) []byte {
	var flags byte
	var tail []byte
	if len(values) > 0 {
		flags |= 1
		tail = binary.BigEndian.AppendUint16(tail, uint16(len(values)))
		for _, v := range values {
			tail = native.AppendValue(tail, v)
		}
	}
	if skip {
		flags |= 2
	}
	if pageSize > 0 {
		flags |= 4
		tail = binary.BigEndian.AppendUint32(tail, uint32(pageSize))
	}
	if state != nil {
		flags |= 8
		tail = native.AppendValue(tail, state)
	}
	return append(append(binary.BigEndian.AppendUint16(nil, uint16(level)), flags), tail...)
}

func (w *wire) query(text string, values ...[]byte) *answer {
	w.t.Helper()
	return w.send(native.OpQuery, 0, append(native.AppendLongString(nil, text), params(native.One, 0, nil, false, values...)...))
}

func (w *wire) ok(text string) *answer {
	w.t.Helper()
	a := w.query(text)
	if a.err != nil {
		w.t.Fatalf("%s: %v", text, a.err)
	}
	return a
}

func (w *wire) prepare(text string) []byte {
	w.t.Helper()
	a := w.send(native.OpPrepare, 0, native.AppendLongString(nil, text))
	if a.err != nil {
		w.t.Fatalf("%s: %v", text, a.err)
	}
	return a.id
}

func (w *wire) execute(id []byte, values ...[]byte) *answer {
	w.t.Helper()
	body := append(native.AppendString(nil, string(id)), params(native.One, 0, nil, true, values...)...)
	return w.send(native.OpExecute, 0, body)
}

func be(n byte) []byte { return []byte{0, 0, 0, n} }

func TestOverTheWire(t *testing.T) {
	db := newDB(t)
	w := serve(t, db)
	register := native.AppendString([]byte{0, 1}, "SCHEMA_CHANGE")
	if a := w.send(native.OpRegister, 0, register); a.op != native.OpReady {
		t.Fatalf("%+v", a)
	}
	a := w.ok("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
	if a.kind != 5 || printable(a.body) != "CREATED KEYSPACE ks" {
		t.Errorf("%d %q", a.kind, printable(a.body))
	}
	if a := w.ok("USE ks"); a.kind != 3 || printable(a.body) != "ks" {
		t.Errorf("%+v", a)
	}
	a = w.ok("CREATE TABLE t (k int, c int, v text, PRIMARY KEY (k, c))")
	if a.kind != 5 || printable(a.body) != "CREATED TABLE ks t" {
		t.Errorf("%d %q", a.kind, printable(a.body))
	}
	if a := w.ok("CREATE TABLE IF NOT EXISTS t (k int PRIMARY KEY)"); a.kind != 1 {
		t.Errorf("%+v", a)
	}
	insert := w.prepare("INSERT INTO t (k, c, v) VALUES (?, ?, ?)")
	for c := range byte(50) {
		if a := w.execute(insert, be(1), be(c), []byte("v")); a.err != nil || a.kind != 1 {
			t.Fatalf("%+v", a.err)
		}
	}
	if a := w.query("INSERT INTO t (k, c, v) VALUES (?, ?, ?)", be(2), be(1), []byte("w")); a.err != nil {
		t.Error(a.err)
	}
	if a := w.query("SELECT v FROM t WHERE k = ? AND c = ?", be(2), be(1)); len(a.rows) != 1 || a.rows[0][0] != "w" || a.columns[0] != "v" {
		t.Errorf("%+v", a)
	}
	if a := w.ok("SELECT c FROM t WHERE k = 1"); len(a.rows) != 50 {
		t.Errorf("%d rows", len(a.rows))
	}
	if a := w.ok("TRUNCATE t"); a.kind != 1 {
		t.Errorf("%+v", a)
	}
	if a := w.ok("SELECT * FROM t"); len(a.rows) != 0 || len(a.columns) != 3 {
		t.Errorf("%+v", a)
	}
	w.ok("DROP TABLE t")
	got := strings.Join(w.events, "; ")
	want := "SCHEMA_CHANGE CREATED KEYSPACE ks; SCHEMA_CHANGE CREATED TABLE ks t; SCHEMA_CHANGE DROPPED TABLE ks t"
	// The last event may come behind its answer.
	if !strings.HasPrefix(want, got) || got == "" {
		t.Errorf("events %q", got)
	}
}

func TestPagesOverTheWire(t *testing.T) {
	db := newDB(t)
	w := serve(t, db)
	db.keyspace()
	db.exec("CREATE TABLE t (k int, c int, PRIMARY KEY (k, c))")
	for c := range 25 {
		db.exec("INSERT INTO t (k, c) VALUES (?, ?)", c%2, c)
	}
	for text, want := range map[string]int{"SELECT c FROM ks.t": 25, "SELECT c FROM ks.t WHERE k = 1": 12} {
		rows, pages := 0, 0
		var state []byte
		for {
			body := append(native.AppendLongString(nil, text), params(native.One, 5, state, false)...)
			a := w.send(native.OpQuery, 0, body)
			if a.err != nil {
				t.Fatal(a.err)
			}
			rows, pages = rows+len(a.rows), pages+1
			if state = a.more; state == nil {
				break
			}
		}
		if rows != want || pages != (want+4)/5 {
			t.Errorf("%s: %d rows in %d pages", text, rows, pages)
		}
	}
	bad := append(native.AppendLongString(nil, "SELECT c FROM ks.t"), params(native.One, 5, []byte("forged state that is long enough"), false)...)
	if a := w.send(native.OpQuery, 0, bad); a.err == nil || a.err.Code != native.CodeProtocol {
		t.Errorf("a forged paging state: %+v", a.err)
	}
}

func TestPreparedStatementsFollowTheSchema(t *testing.T) {
	db := newDB(t)
	w := serve(t, db)
	db.keyspace()
	db.exec("CREATE TABLE t (k int PRIMARY KEY, v text)")
	db.exec("INSERT INTO t (k, v) VALUES (1, 'a')")
	all, insert := w.prepare("SELECT * FROM ks.t"), w.prepare("INSERT INTO ks.t (k, v) VALUES (?, ?)")
	if a := w.execute(all); a.err != nil || len(a.columns) != 0 || len(a.rows[0]) != 2 {
		t.Fatalf("%+v", a)
	}
	db.exec("ALTER TABLE t ADD w int")
	// A client of v4 skips the columns, but must hear of the new ones.
	if a := w.execute(all); a.err != nil || strings.Join(a.columns, " ") != "k v w" || len(a.rows[0]) != 3 {
		t.Errorf("%+v", a)
	}
	if a := w.execute(insert, be(2), []byte("b")); a.err != nil {
		t.Error(a.err)
	}
	db.exec("DROP TABLE t")
	if a := w.execute(insert, be(2), []byte("b")); a.err == nil || a.err.Code != native.CodeUnprepared || string(a.id) != string(insert) {
		t.Errorf("%+v", a)
	}
	db.exec("CREATE TABLE t (k text PRIMARY KEY, v text)")
	if a := w.execute(insert, be(2), []byte("b")); a.err == nil || a.err.Code != native.CodeUnprepared {
		t.Errorf("%+v", a)
	}
	if a := w.execute(make([]byte, 16)); a.err == nil || a.err.Code != native.CodeUnprepared || string(a.id) != string(make([]byte, 16)) {
		t.Errorf("%+v", a)
	}
}

func batchMessage(kind byte, statements ...[]byte) []byte {
	body := []byte{kind}
	body = binary.BigEndian.AppendUint16(body, uint16(len(statements)))
	for _, s := range statements {
		body = append(body, s...)
	}
	return append(body, 0, byte(native.One), 0)
}

func batchText(text string, values ...[]byte) []byte {
	return batchValues(native.AppendLongString([]byte{0}, text), values)
}

func batchID(id []byte, values ...[]byte) []byte {
	return batchValues(native.AppendString([]byte{1}, string(id)), values)
}

func batchValues(s []byte, values [][]byte) []byte {
	s = binary.BigEndian.AppendUint16(s, uint16(len(values)))
	for _, v := range values {
		s = native.AppendValue(s, v)
	}
	return s
}

func TestBatchMessages(t *testing.T) {
	db := newDB(t)
	w := serve(t, db)
	db.keyspace()
	db.exec("CREATE TABLE t (k int, c int, l list<int>, PRIMARY KEY (k, c))")
	id := w.prepare("INSERT INTO ks.t (k, c) VALUES (?, ?)")
	send := func(body []byte) *answer { return w.send(native.OpBatch, 0, body) }
	if a := send(batchMessage(0, batchID(id, be(1), be(1)), batchID(id, be(1), be(2)), batchID(id, be(2), be(1)))); a.err != nil {
		t.Error(a.err)
	}
	if a := send(batchMessage(1, batchID(id, be(1), be(3)), batchText("DELETE FROM ks.t WHERE k = ?", be(2)))); a.err != nil {
		t.Error(a.err)
	}
	db.want("1 1; 1 2; 1 3", "SELECT k, c FROM t")
	if a := send(batchMessage(0)); a.err != nil {
		t.Error(a.err)
	}
	db.exec("UPDATE t SET l = [1, 2] WHERE k = 1 AND c = 1")
	if a := send(batchMessage(0, batchText("DELETE l[0] FROM ks.t WHERE k = 1 AND c = 1"))); a.err != nil {
		t.Error(a.err)
	}
	db.want("[2]", "SELECT l FROM t WHERE k = 1 AND c = 1")
	for name, c := range map[string]struct {
		body []byte
		code native.ErrorCode
	}{
		"unknown id":     {batchMessage(0, batchID(make([]byte, 16))), native.CodeUnprepared},
		"too few values": {batchMessage(0, batchID(id, be(1))), native.CodeInvalid},
		"select":         {batchMessage(0, batchText("SELECT * FROM ks.t")), native.CodeInvalid},
		"syntax":         {batchMessage(0, batchText("INSERT INTO")), native.CodeSyntax},
		"counter":        {batchMessage(2, batchID(id, be(1), be(1))), native.CodeInvalid},
	} {
		if a := send(c.body); a.err == nil || a.err.Code != c.code {
			t.Errorf("%s: %+v", name, a.err)
		}
	}
	var many [][]byte
	for k := range byte(20) {
		many = append(many, batchID(id, be(100+k), be(1)))
	}
	if a := send(batchMessage(1, many...)); a.err != nil || len(a.warnings) != 1 || !strings.Contains(a.warnings[0], "Unlogged batch covering 20 partitions") {
		t.Errorf("%+v", a)
	}
}

func TestTracing(t *testing.T) {
	traces := &Traces{}
	db := newDB(t, func(c *Config) { c.Traces = traces })
	w := serve(t, db)
	db.keyspace()
	db.exec("CREATE TABLE t (k int PRIMARY KEY)")
	for _, text := range []string{"INSERT INTO ks.t (k) VALUES (1)", "SELECT * FROM ks.t", "SELECT nothing FROM ks.t"} {
		a := w.send(native.OpQuery, native.FlagTracing, append(native.AppendLongString(nil, text), params(native.One, 0, nil, false)...))
		if len(a.trace) != 16 {
			t.Fatalf("%s: no trace: %+v", text, a)
		}
		all := traces.Sessions()
		last := all[len(all)-1]
		if string(last.ID[:]) != string(a.trace) || last.Duration == 0 || len(last.Events) < 2 || last.Parameters["query"] != text {
			t.Errorf("%+v", last)
		}
	}
	for range maxTraces + 3 {
		w.send(native.OpQuery, native.FlagTracing, append(native.AppendLongString(nil, "SELECT * FROM ks.t"), params(native.One, 0, nil, false)...))
	}
	if n := len(traces.Sessions()); n != maxTraces {
		t.Errorf("%d sessions", n)
	}
}

// A store that has no room makes writes wait on a worker, not on the reader.
func TestWritesThatWouldBlock(t *testing.T) {
	db := newDB(t)
	db.keyspace()
	db.exec("CREATE TABLE t (k int PRIMARY KEY)")
	var tries atomic.Int32
	db.store.BeforeApply = func(_ []mutation.Record, try bool) error {
		if try {
			tries.Add(1)
			return mutation.ErrWouldBlock
		}
		return nil
	}
	w := serve(t, db) // the hook is set before
	w.ok("INSERT INTO ks.t (k) VALUES (1)")
	if n := tries.Load(); n != 2 {
		t.Errorf("%d tries", n)
	}
	db.want("1", "SELECT k FROM t")
}
