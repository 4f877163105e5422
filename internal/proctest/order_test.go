//go:build clients || long

package proctest

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/godriver"
)

// httpClient asks servers for their metrics.
var httpClient = &http.Client{Timeout: timeout}

// fillWide writes rows of size bytes into partition 1 of ks.wide (k, c, v).
func fillWide(t testing.TB, db *gocql.Session, rows, size int) {
	t.Helper()
	must(t, db, "CREATE TABLE ks.wide (k int, c int, v blob, PRIMARY KEY (k, c))")
	const perBatch = 32
	next := make(chan int)
	go func() {
		defer close(next)
		for c := 0; c < rows; c += perBatch {
			next <- c
		}
	}()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			v := make([]byte, size)
			noise(v)
			for c := range next {
				b := db.Batch(gocql.UnloggedBatch)
				for i := c; i < min(c+perBatch, rows); i++ {
					b.Query("INSERT INTO ks.wide (k, c, v) VALUES (1, ?, ?)", i, v)
				}
				if err := b.Exec(); err != nil {
					t.Errorf("rows from %d: %v", c, err)
				}
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// order sends a slow request on stream 1 and n quick ones behind it in one
// write, and returns the streams in the order of their answers.
func order(t *testing.T, w *wire, slow, quick string, n int) (streams []int16) {
	t.Helper()
	all := w.request(1, native.OpQuery, queryBody(slow, 0, nil))
	for i := range n {
		all = append(all, w.request(int16(i+2), native.OpQuery, queryBody(quick, 0, nil))...)
	}
	if _, err := w.Write(all); err != nil {
		t.Fatal(err)
	}
	for range n + 1 {
		f := w.read()
		if f.opcode != opResult {
			t.Fatal(f)
		}
		streams = append(streams, f.stream)
	}
	return streams
}

// lastIsFirst wants what was asked first to be answered last.
func lastIsFirst(t *testing.T, streams []int16) {
	t.Helper()
	for i, s := range streams {
		if s == 1 && i != len(streams)-1 {
			t.Errorf("%d of %d requests were answered behind the slow one", len(streams)-1-i, len(streams)-1)
		}
	}
}

// TestReadsPassScan puts point reads behind a scan on one connection. The fail
// point is met now and then in a scan, and makes it last long everywhere.
func TestReadsPassScan(t *testing.T) {
	s := startServer(t, options{tags: "failpoints", env: []string{"ILION_FAILPOINTS=query/page=delay:200ms"}})
	db := s.connect()
	defer godriver.Close(db)
	must(t, db, createKS)
	fillWide(t, db, 20_000, 100)
	w, err := dial(s.port, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	const scan, point = "SELECT count(*) FROM ks.wide", "SELECT v FROM ks.wide WHERE k = 1 AND c = 77"
	w.ask(point, 0, nil) // parsed, and what it reads is in memory
	for range 2 {
		lastIsFirst(t, order(t, w, scan, point, 200))
	}
}

// slowSync is a server with table ks.t and its row 1, every sync of whose log
// lasts so long from now on, and a connection to it.
func slowSync(t *testing.T, delay string) (*server, *wire) {
	t.Helper()
	s := startServer(t, options{tags: "failpoints"})
	db := s.connect()
	must(t, db, createKS)
	must(t, db, "CREATE TABLE ks.t (k int PRIMARY KEY, v int)")
	must(t, db, "INSERT INTO ks.t (k, v) VALUES (1, 1)")
	godriver.Close(db)
	s.stop(syscall.SIGTERM)
	s.o.env = []string{"ILION_FAILPOINTS=commitlog/sync=delay:" + delay}
	s.start()
	w, err := dial(s.port, 4)
	if err != nil {
		t.Fatal(err)
	}
	return s, w
}

// TestReadsPassSync puts reads behind a write whose sync is held.
func TestReadsPassSync(t *testing.T) {
	_, w := slowSync(t, "10s")
	defer w.close()
	for range 2 {
		lastIsFirst(t, order(t, w, "INSERT INTO ks.t (k, v) VALUES (2, 2)", "SELECT v FROM ks.t WHERE k = 1", 200))
	}
}

// TestDrainAnswers ends a server that still owes an answer.
func TestDrainAnswers(t *testing.T) {
	s, w := slowSync(t, "2s") // a fifth of what a server drains for
	defer w.close()
	all := w.request(1, native.OpQuery, queryBody("INSERT INTO ks.t (k, v) VALUES (2, 2)", 0, nil))
	all = append(all, w.request(2, native.OpQuery, queryBody("SELECT v FROM ks.t WHERE k = 1", 0, nil))...)
	answered := func() int16 {
		f := w.read()
		if f.opcode != opResult {
			t.Fatalf("the write and the read behind it: %v", f)
		}
		return f.stream
	}
	// Where the machine has no time, the write may be answered first.
	first := int16(1)
	for range 20 {
		if _, err := w.Write(all); err != nil {
			t.Fatal(err)
		}
		if first = answered(); first == 2 {
			break
		}
		answered()
	}
	if first != 2 {
		t.Fatal("no read is answered before the write that it is behind")
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if f := w.read(); f.opcode != opResult || f.stream != 1 {
		t.Errorf("the write that was in flight: %v", f)
	}
	if err := s.end(); err != nil {
		t.Errorf("the server left with %v", err)
	}
	s.o.env = nil
	s.start()
	again, err := dial(s.port, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer again.close()
	if f := again.ask("SELECT v FROM ks.t WHERE k = 2", 0, nil); f.opcode != opResult || !strings.HasSuffix(string(f.body), "\x00\x00\x00\x02") {
		t.Errorf("after the restart: %v", f)
	}
}

// metric is one value of the server's metrics page.
func (s *server) metric(name string) float64 {
	s.t.Helper()
	return s.metrics(name)[0]
}

// metrics are several values of one look at the page.
func (s *server) metrics(names ...string) (values []float64) {
	s.t.Helper()
	res, err := httpClient.Get(fmt.Sprintf("http://%s:%d/metrics", s.host, s.http))
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, name := range names {
		m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindSubmatch(body)
		if m == nil {
			s.t.Fatalf("no metric %s", name)
		}
		v, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			s.t.Fatal(err)
		}
		values = append(values, v)
	}
	return values
}

// TestClientThatNeverReads asks for much and takes nothing. Others are
// answered before the server has given it up, and its answers do not pile up.
func TestClientThatNeverReads(t *testing.T) {
	const budget = 256 << 20
	s := startServer(t, options{args: []string{"--memory", "256MiB"}})
	db := s.connect()
	defer godriver.Close(db)
	must(t, db, createKS)
	fillWide(t, db, 1_500, 4<<10) // 6 MiB in one answer
	deaf, err := dial(s.port, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.close()
	ended := make(chan struct{})
	go func() { // until the server reads no more and then cuts it off
		defer close(ended)
		for i := range 10_000 {
			if deaf.query(int16(i%1000), "SELECT * FROM ks.wide") != nil {
				return
			}
		}
	}()
	w, err := dial(s.port, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	// The deaf one has filled its sockets once the server holds answers of it.
	for i := range 2_000 {
		text := "SELECT v FROM ks.wide WHERE k = 1 AND c = " + strconv.Itoa(i%1500)
		if f := w.ask(text, 0, nil); f.opcode != opResult {
			t.Fatal(f)
		}
		if f := w.ask(strings.Replace("INSERT INTO ks.wide (k, c) VALUES (2, C)", "C", strconv.Itoa(i), 1), 0, nil); f.opcode != opResult {
			t.Fatal(f)
		}
	}
	t.Logf("4,000 requests were answered; %v clients were cut off before", s.metric("ilion_cql_slow_clients_total"))
	s.withinMemory(budget)
	deaf.close()
	<-ended
}
