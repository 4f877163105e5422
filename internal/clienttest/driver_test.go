package clienttest

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// requestTimeout is what the drivers and servers give a request; a loaded
// machine may need much of it.
const requestTimeout = 3 * time.Minute

// statement is a CQL text with its values.
type statement struct {
	text string
	args []any
}

// rows is what both drivers' iterators have.
type rows interface {
	Scan(dest ...any) bool
	MapScan(m map[string]any) bool
	PageState() []byte
	Warnings() []string
	NumRows() int
	Close() error
}

// paging tells how to read: Size rows a page, from State on, and only that
// page if One is set.
type paging struct {
	size  int
	state []byte
	one   bool
}

// keyspaceInfo is what a driver has learned of a keyspace.
type keyspaceInfo struct {
	strategy string
	tables   map[string]tableInfo
	types    map[string][]string // fields
}

type tableInfo struct {
	partition, clustering []string
	columns               map[string]string // kind
	descending            map[string]bool
}

// session is one major version of gocql, connected.
type session interface {
	exec(text string, args ...any) error
	query(p paging, text string, args ...any) rows
	batch(logged bool, statements []statement) error
	keyspace(name string) (*keyspaceInfo, error)
	uuid(text string) any
	duration(months, days int32, nanos int64) any
	unset() any
	// code is the protocol's number of an error that the server sent, -1 for
	// others.
	code(err error) int
	close()
}

// connectOptions are how a connection differs from the default one.
type connectOptions struct {
	keyspace string
	version  int // of the protocol; 0 lets the driver choose
	compress bool
}

type driver struct {
	name    string
	connect func(port int, o connectOptions) (session, error)
}

var drivers = []driver{
	{"gocql1", connectV1},
	{"gocql2", connectV2},
}

var keyspaces atomic.Int64

// env is one driver connected to a server with a keyspace of its own.
type env struct {
	session
	t      *testing.T
	ks     string
	driver driver
	server *server
}

// otherServer is the address of a running server to judge the tests by, such as
// a Cassandra of the same release: what it answers must satisfy them as well.
func otherServer() string { return os.Getenv("ILION_TEST_ADDRESS") }

// sharedServer starts a server for the drivers of one test.
func sharedServer(t *testing.T) *server {
	if address := otherServer(); address != "" {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			t.Fatal(err)
		}
		testHost = host
		n, err := strconv.Atoi(port)
		if err != nil {
			t.Fatal(err)
		}
		return &server{t: t, port: n}
	}
	return startServer(t, serverOptions{})
}

// testHost is the address that the drivers connect to.
var testHost = "127.0.0.1"

// forDrivers runs f once for each driver over one server.
func forDrivers(t *testing.T, f func(t *testing.T, e *env)) {
	s := sharedServer(t)
	for _, d := range drivers {
		t.Run(d.name, func(t *testing.T) { f(t, newEnv(t, s, d)) })
	}
}

func newEnv(t *testing.T, s *server, d driver) *env {
	t.Helper()
	db, err := d.connect(s.port, connectOptions{})
	if err != nil {
		t.Fatalf("%s: connect: %v", d.name, err)
	}
	t.Cleanup(db.close)
	e := &env{session: db, t: t, driver: d, server: s, ks: fmt.Sprintf("ks%d", keyspaces.Add(1))}
	if otherServer() != "" {
		e.ks += fmt.Sprintf("_%d", os.Getpid())
	}
	e.must("CREATE KEYSPACE " + e.ks + " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
	return e
}

// in puts the keyspace's name where the text says KS.
func (e *env) in(text string) string { return strings.ReplaceAll(text, "KS", e.ks) }

func (e *env) must(text string, args ...any) {
	e.t.Helper()
	if err := e.exec(e.in(text), args...); err != nil {
		e.t.Fatalf("%s: %v", e.in(text), err)
	}
}

// one scans the only row of a query.
func (e *env) one(dest []any, text string, args ...any) {
	e.t.Helper()
	it := e.query(paging{}, e.in(text), args...)
	found := it.Scan(dest...)
	if err := it.Close(); err != nil {
		e.t.Fatalf("%s: %v", e.in(text), err)
	}
	if !found {
		e.t.Fatalf("%s: no row", e.in(text))
	}
}

// all reads every row, each as its values joined by a space.
func (e *env) all(text string, args ...any) []string {
	e.t.Helper()
	out, err := e.tryAll(text, args...)
	if err != nil {
		e.t.Fatalf("%s: %v", e.in(text), err)
	}
	return out
}

func (e *env) tryAll(text string, args ...any) ([]string, error) {
	it := e.query(paging{}, e.in(text), args...)
	var out []string
	for {
		m := map[string]any{}
		if !it.MapScan(m) {
			return out, it.Close()
		}
		out = append(out, rowText(m))
	}
}

// rowText writes a row as name=value in the order of the names.
func rowText(m map[string]any) string {
	return strings.TrimSuffix(strings.TrimPrefix(fmt.Sprint(m), "map["), "]")
}

// want compares the rows of a query.
func (e *env) want(want []string, text string, args ...any) {
	e.t.Helper()
	got := e.all(text, args...)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		e.t.Errorf("%s %v\n got %q\nwant %q", e.in(text), args, got, want)
	}
}

// parallel calls f with 0 to n-1 from a number of goroutines, and stops at the
// first error.
func parallel(n, workers int, f func(i int) error) error {
	var next, failed atomic.Int64
	var first error
	var once sync.Once
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for failed.Load() == 0 {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := f(i); err != nil {
					once.Do(func() { first = fmt.Errorf("%d: %w", i, err) })
					failed.Store(1)
				}
			}
		})
	}
	wg.Wait()
	return first
}
