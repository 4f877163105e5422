//go:build clients || long

package proctest

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/godriver"
)

func memoryFlag(bytes int64) []string {
	return []string{"--memory", strconv.FormatInt(bytes>>20, 10) + "MiB"}
}

// TestIdleConnections opens many and measures what each takes.
func TestIdleConnections(t *testing.T) {
	s := startServer(t, options{})
	var conns []*wire
	defer func() {
		for _, w := range conns {
			w.close()
		}
	}()
	open := func(n int) {
		for range n {
			w, err := dial(s.port, 4)
			if err != nil {
				t.Fatalf("connection %d: %v", len(conns)+1, err)
			}
			conns = append(conns, w)
		}
	}
	open(100) // what the first ones bring with them counts for all
	before := s.status("VmRSS")
	open(idleClients - len(conns))
	each := (s.status("VmRSS") - before) / int64(idleClients-100)
	t.Logf("%d idle connections take %d bytes each", idleClients, each)
	const most = 12 << 10
	if each > most {
		t.Errorf("an idle connection takes %d bytes, over %d", each, most)
	}
	if f := conns[idleClients-1].ask("SELECT key FROM system.local", 0, nil); f.opcode != opResult {
		t.Error(f)
	}
}

// mostClients is how many connections the smallest node takes: 12 KiB each of
// half of the heap's share.
const mostClients = 96 << 20 / 2 / (12 << 10)

// TestTooManyConnections opens as many as the smallest node takes.
func TestTooManyConnections(t *testing.T) {
	s := startServer(t, options{args: []string{"--memory", "256MiB"}})
	const most = mostClients
	var conns []*wire
	defer func() {
		for _, w := range conns {
			w.close()
		}
	}()
	for {
		w, err := dial(s.port, 4)
		if err != nil {
			if len(conns) != most {
				t.Errorf("%d connections, then %v; want %d", len(conns), err, most)
			}
			t.Logf("connection %d: %v", len(conns)+1, err)
			break
		}
		if conns = append(conns, w); len(conns) > most {
			t.Fatalf("more than %d connections", most)
		}
	}
	if f := conns[0].ask("SELECT key FROM system.local", 0, nil); f.opcode != opResult {
		t.Error(f)
	}
	s.withinMemory(256 << 20)
}

// TestManyPrepares prepares more statements than there is room for.
func TestManyPrepares(t *testing.T) {
	const budget = 256 << 20
	s := startServer(t, options{args: memoryFlag(budget)})
	w, err := dial(s.port, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	w.ask(createKS, 0, nil)
	w.ask("CREATE TABLE ks.t (k int PRIMARY KEY, v text)", 0, nil)
	text := func(i int) string { return fmt.Sprintf("SELECT k, v FROM ks.t WHERE k = ? LIMIT %d", i+1) }
	prepare := func(i int) []byte {
		return w.request(int16(i%100), native.OpPrepare, native.AppendLongString(nil, text(i)))
	}
	var id []byte // of the last one
	for i := 0; i < prepares; i += 100 {
		var all []byte
		for j := range 100 {
			all = append(all, prepare(i+j)...)
		}
		if _, err := w.Write(all); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			f := w.read()
			if f.opcode != opResult {
				t.Fatal(f)
			}
			if f.stream == 99 {
				n := int(binary.BigEndian.Uint16(f.body[4:]))
				id = f.body[6 : 6+n]
			}
		}
	}
	execute := func(id []byte) frame {
		body := binary.BigEndian.AppendUint16(nil, uint16(len(id)))
		body = append(body, id...)
		body = binary.BigEndian.AppendUint16(body, uint16(native.One))
		body = append(body, 0x01, 0, 1, 0, 0, 0, 4, 0, 0, 0, 7)
		w.send(1, native.OpExecute, body)
		return w.read()
	}
	if f := execute(id); f.opcode != opResult {
		t.Errorf("the last one: %v", f)
	}
	first := native.StatementID("", text(0))
	if f := execute(first[:]); f.code() != native.CodeUnprepared {
		t.Errorf("the first of %d: %v, want it to be asked for again", prepares, f)
	}
	bytes, evicted := s.metric("ilion_cql_prepared_bytes"), s.metric("ilion_cql_prepared_evicted_total")
	t.Logf("%v prepared statements in %v bytes, %v made room", s.metric("ilion_cql_prepared_statements"), bytes, evicted)
	if bytes > budget/64 || evicted == 0 {
		t.Errorf("%v bytes of prepared statements, %v evicted", bytes, evicted)
	}
	s.withinMemory(budget)
}

// TestQueue reads a partition in which everything has been deleted.
func TestQueue(t *testing.T) {
	const budget = 256 << 20
	s := startServer(t, options{args: memoryFlag(budget)})
	db := s.connect()
	defer godriver.Close(db)
	must(t, db, createKS)
	must(t, db, "CREATE TABLE ks.q (k int, c int, v text, PRIMARY KEY (k, c))")
	next := make(chan int)
	go func() {
		defer close(next)
		for c := range tombstones {
			next <- c
		}
	}()
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for c := range next {
				if err := db.Query("DELETE FROM ks.q WHERE k = 1 AND c = ?", c).Exec(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	must(t, db, "INSERT INTO ks.q (k, c, v) VALUES (1, ?, 'the only one')", tombstones)
	w, err := dial(s.port, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	pages, rows := 0, 0
	var state []byte
	for {
		f := w.ask("SELECT c FROM ks.q WHERE k = 1", 100, state)
		if f.opcode != opResult {
			t.Fatal(f)
		}
		pages++
		if state = f.pagingState(); state == nil {
			rows += int(binary.BigEndian.Uint32(f.body[len(f.body)-12:])) // the count, then one int
			break
		}
	}
	t.Logf("%d tombstones were read in %d pages", tombstones, pages)
	// A page ends at tombstone_failure_threshold.
	if rows != 1 || pages < 2 {
		t.Errorf("%d rows in %d pages", rows, pages)
	}
	s.withinMemory(budget)
}

// TestWidePartition writes a partition larger than the memory of the node and
// reads it whole, forwards and backwards.
func TestWidePartition(t *testing.T) {
	s := startServer(t, options{args: memoryFlag(wideMemory)})
	db := s.connect()
	defer godriver.Close(db)
	must(t, db, createKS)
	const size = 8 << 10
	rows := wideBytes / size
	fillWide(t, db, rows, size)
	s.withinMemory(wideMemory)
	for _, dir := range []string{"ASC", "DESC"} {
		it := db.Query("SELECT c, v FROM ks.wide WHERE k = 1 ORDER BY c " + dir).Iter()
		var c, n int
		var v []byte
		for it.Scan(&c, &v) {
			want := n
			if dir == "DESC" {
				want = rows - 1 - n
			}
			if c != want || len(v) != size {
				t.Fatalf("%s: row %d has c = %d and %d bytes", dir, n, c, len(v))
			}
			n++
		}
		if err := it.Close(); err != nil || n != rows {
			t.Errorf("%s: %d rows of %d: %v", dir, n, rows, err)
		}
		s.withinMemory(wideMemory)
	}
	// All at once is more than an answer may be.
	w, err := dial(s.port, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	if f := w.ask("SELECT * FROM ks.wide WHERE k = 1", 0, nil); f.code() != native.CodeInvalid {
		t.Errorf("without paging: %v", f)
	}
	s.withinMemory(wideMemory)
}
