//go:build clients

package clienttest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// armed starts the server again with fail points and flags. What needs neither,
// such as the schema, has been made before.
func (s *server) armed(points string, args ...string) {
	s.t.Helper()
	s.stop()
	s.o.env, s.o.args = []string{"ILION_FAILPOINTS=" + points}, args
	s.start()
}

// connect tries until d is connected: its own requests may be late, too.
func (s *server) connect(d driver) (db session) {
	s.t.Helper()
	if err := poll(startTimeout, func() (err error) { db, err = d.connect(s.port, connectOptions{}); return err }); err != nil {
		s.t.Fatalf("%s: connect: %v", d.name, err)
	}
	return db
}

// TestWriteTimeout: while the log is too slow for what is written, what finds
// no room in time is answered as a write time-out, and the driver knows it as
// one. Afterwards everything goes on.
func TestWriteTimeout(t *testing.T) {
	for _, d := range drivers {
		t.Run(d.name, func(t *testing.T) {
			s := startServer(t, serverOptions{tags: "failpoints"})
			e := newEnv(t, s, d)
			e.must("CREATE TABLE KS.t (k int PRIMARY KEY, v blob)")
			// The log takes two buffers of two values each while it syncs, and
			// the values are sent at once. The first one finds it empty.
			s.armed("commitlog/sync=delay:5s", "--request-timeout", "2s")
			db := s.connect(d)
			defer db.close()
			insert := e.in("INSERT INTO KS.t (k, v) VALUES (?, ?)")
			write := func(i int, v []byte) func() error { return func() error { return db.exec(insert, i, v) } }
			if err := poll(requestTimeout, write(-1, nil)); err != nil {
				t.Fatal(err)
			}
			var done, late, overloaded atomic.Int64
			value := make([]byte, 512<<10)
			err := parallel(200, 200, func(i int) error {
				err := write(i, value)()
				switch {
				case err == nil:
					done.Add(1)
				case e.code(err) == codeWriteTimeout:
					late.Add(1)
				case e.code(err) == codeOverloaded:
					overloaded.Add(1)
				default:
					return err
				}
				return nil
			})
			t.Logf("%d done, %d timed out, %d refused", done.Load(), late.Load(), overloaded.Load())
			if err != nil || late.Load() == 0 || done.Load() == 0 {
				t.Errorf("unexpected: %v", err)
			}
			if err := poll(requestTimeout, write(-2, nil)); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// TestOverloaded: a client that has asked for it is told that the server is
// overloaded instead of being kept waiting. The fail point makes any machine
// slower at reads than a client is at sending them.
func TestOverloaded(t *testing.T) {
	s := startServer(t, serverOptions{
		tags: "failpoints", env: []string{"ILION_FAILPOINTS=session/execute=delay:200ms"},
	})
	e := newEnv(t, s, drivers[0])
	e.load(100)
	text := e.in("SELECT COUNT(*) FROM KS.p")
	query := append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...)
	query = append(query, 0, 1, 0) // ONE, no flags
	// One connection may have 1,024 requests in flight, so it takes several to
	// fill the queue of all.
	const connections, each = 16, 1000
	var results, overloaded, expired atomic.Int64
	var conns []*raw
	for range connections {
		r := dialRaw(t, s)
		r.startup("THROW_ON_OVERLOAD", "1")
		r.SetDeadline(time.Now().Add(commandTimeout)) // for all answers
		conns = append(conns, r)
	}
	err := parallel(connections, connections, func(i int) error {
		r := conns[i]
		var frames []byte
		for i := range each {
			frames = append(frames, 4, 0, byte(i>>8), byte(i), 0x07)
			frames = append(binary.BigEndian.AppendUint32(frames, uint32(len(query))), query...)
		}
		if _, err := r.Write(frames); err != nil {
			return err
		}
		for range each {
			a, err := r.read()
			switch {
			case err != nil:
				return err
			case a.opcode != 0:
				results.Add(1)
			case binary.BigEndian.Uint32(a.body) != codeOverloaded:
				return fmt.Errorf("error %#x", binary.BigEndian.Uint32(a.body))
			case bytes.Contains(a.body, []byte("Cannot accept more requests")):
				overloaded.Add(1)
			default:
				expired.Add(1)
			}
		}
		return nil
	})
	t.Logf("%d answered, %d refused, %d waited too long", results.Load(), overloaded.Load(), expired.Load())
	if err != nil || results.Load() == 0 || overloaded.Load() == 0 {
		t.Errorf("want answers and refusals: %v", err)
	}
}

// TestReadTimeout: a read that lasts longer than a request may is answered as a
// read time-out. The fail point is met once in a number of rows, so that what a
// driver reads to connect is not late.
func TestReadTimeout(t *testing.T) {
	for _, d := range drivers {
		t.Run(d.name, func(t *testing.T) {
			s := startServer(t, serverOptions{tags: "failpoints"})
			e := newEnv(t, s, d)
			e.load(20_000)
			s.armed("query/page=delay:1s", "--request-timeout", "10s")
			db := s.connect(d)
			defer db.close()
			err := poll(requestTimeout, func() error {
				err := db.query(paging{}, e.in("SELECT COUNT(*) FROM KS.p WHERE v = 'x' ALLOW FILTERING")).Close()
				switch e.code(err) {
				case codeReadTimeout:
					return nil
				case codeOverloaded: // the machine had no time to begin it
					return err
				}
				t.Fatalf("want a read time-out: %v", err)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// TestFailedSync: the first failed sync ends acknowledgements and the server,
// and what was acknowledged before is there after a restart.
func TestFailedSync(t *testing.T) {
	s := startServer(t, serverOptions{tags: "failpoints"})
	e := newEnv(t, s, drivers[1])
	e.must("CREATE TABLE KS.t (k int PRIMARY KEY, v text)")
	e.must("INSERT INTO KS.t (k, v) VALUES (1, 'before')")
	s.stop()
	s.o.env = []string{"ILION_FAILPOINTS=commitlog/sync=error:200"}
	s.start()
	db, err := e.driver.connect(s.port, connectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.close()
	acked := 0
	for ; acked < 10_000; acked++ {
		if err = db.exec(e.in("INSERT INTO KS.t (k, v) VALUES (?, 'x')"), 1000+acked); err != nil {
			break
		}
	}
	if err == nil {
		t.Fatal("writes are acknowledged although syncs fail")
	}
	t.Logf("after %d writes: %v", acked, err)
	timeout := time.NewTimer(stopTimeout)
	defer timeout.Stop()
	select {
	case err := <-s.done:
		if err == nil {
			t.Error("the server left without an error")
		}
		s.cmd = nil
	case <-timeout.C:
		t.Fatal("the server goes on after a failed sync")
	}
	if log := s.log.String(); !strings.Contains(log, "fail point commitlog/sync") {
		t.Errorf("the log does not say why:\n%s", log)
	}
	s.o.env = nil
	s.start()
	again, err := e.driver.connect(s.port, connectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.close()
	it := again.query(paging{}, e.in("SELECT v FROM KS.t WHERE k = 1"))
	var v string
	it.Scan(&v)
	if err := it.Close(); err != nil || v != "before" {
		t.Errorf("after the restart: %q %v", v, err)
	}
	for i := range acked {
		it := again.query(paging{}, e.in("SELECT v FROM KS.t WHERE k = ?"), 1000+i)
		found := it.Scan(&v)
		if err := it.Close(); err != nil || !found {
			t.Fatalf("acknowledged write %d of %d is gone: %v", i, acked, err)
		}
	}
}
