package node_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"go.uber.org/goleak"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/config"
	"github.com/ilion-db/ilion/internal/godriver"
	"github.com/ilion-db/ilion/internal/node"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
)

// timeout is far above what anything here takes; CI machines stall.
const timeout = 5 * time.Minute

// options are of a small node over fs on free ports.
func options(fs vfs.FS, dir string) node.Options {
	c := config.Default()
	c.DataDir, c.NativePort, c.HTTPPort, c.InternodePort = dir, 0, 0, 0
	c.Memory, c.CommitlogSegment = config.MinMemory, 1<<20
	c.RequestTimeout, c.ReadTimeout, c.RangeTimeout, c.WriteTimeout = timeout, timeout, timeout, timeout
	return node.Options{Config: c, Version: "test", Clock: clock.Real, FS: fs, Rand: rand.NewSecure()}
}

// start starts a node that ends with the test, if not before.
func start(t *testing.T, o node.Options) *running {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	n, err := node.New(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	r := &running{Node: n, t: t}
	t.Cleanup(r.stop)
	return r
}

type running struct {
	*node.Node
	t       *testing.T
	stopped bool
}

func (r *running) stop() {
	r.t.Helper()
	if r.stopped {
		return
	}
	r.stopped = true
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if err := r.Close(ctx); err != nil {
		r.t.Errorf("close: %v", err)
	}
}

func (r *running) connect() *gocql.Session {
	r.t.Helper()
	at := netip.MustParseAddrPort(r.CQLAddr().String())
	c := gocql.NewCluster(at.Addr().String())
	c.Port = int(at.Port())
	c.Timeout, c.ConnectTimeout, c.WriteTimeout = timeout, timeout, timeout
	c.RetryPolicy = nil
	s, err := c.CreateSession()
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func must(t *testing.T, s *gocql.Session, text string, args ...any) {
	t.Helper()
	if err := s.Query(text, args...).Exec(); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

const createKS = "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"

// fill makes a keyspace with a table of n rows.
func fill(t *testing.T, r *running, n int) {
	t.Helper()
	s := r.connect()
	defer godriver.Close(s)
	must(t, s, createKS)
	must(t, s, "CREATE TYPE ks.ty (a int)")
	must(t, s, "CREATE TABLE ks.t (k int PRIMARY KEY, v text, u frozen<ty>)")
	for i := range n {
		must(t, s, "INSERT INTO ks.t (k, v, u) VALUES (?, ?, {a: 7})", i, fmt.Sprint("value ", i))
	}
}

func verify(t *testing.T, r *running, n int) {
	t.Helper()
	s := r.connect()
	defer godriver.Close(s)
	it := s.Query("SELECT k, v FROM ks.t").PageSize(7).Iter()
	var k, rows int
	var v string
	for it.Scan(&k, &v) {
		if rows++; v != fmt.Sprint("value ", k) {
			t.Errorf("key %d has %q", k, v)
		}
	}
	if err := it.Close(); err != nil || rows != n {
		t.Fatalf("%d rows of %d: %v", rows, n, err)
	}
}

func TestRestartKeepsData(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) (vfs.FS, string){
		"disk":   func(t *testing.T) (vfs.FS, string) { return vfs.OS, filepath.Join(t.TempDir(), "data") },
		"memory": func(t *testing.T) (vfs.FS, string) { return vfs.NewMem(), "/data" },
	} {
		t.Run(name, func(t *testing.T) {
			fs, dir := open(t)
			r := start(t, options(fs, dir))
			fill(t, r, 50)
			for range 3 {
				verify(t, r, 50)
				r.stop()
				r = start(t, options(fs, dir))
			}
			s := r.connect()
			defer godriver.Close(s)
			must(t, s, "DROP TABLE ks.t")
			r.stop()
			r = start(t, options(fs, dir))
			again := r.connect()
			defer godriver.Close(again)
			if err := again.Query("SELECT * FROM ks.t").Exec(); err == nil || !strings.Contains(err.Error(), "t") {
				t.Errorf("a dropped table after the restart: %v", err)
			}
		})
	}
}

// TestPowerCut cuts the power under a node and starts another from what the
// disk may hold: every write was acknowledged, so every one is there.
func TestPowerCut(t *testing.T) {
	fs := vfs.NewMem()
	r := start(t, options(fs, "/data"))
	fill(t, r, 50)
	for _, keep := range []int{0, 50, 100} {
		t.Run(fmt.Sprint(keep), func(t *testing.T) {
			after := start(t, options(fs.CrashClone(vfs.CrashOptions{Keep: keep, Rand: rand.NewSeeded(uint64(keep))}), "/data"))
			verify(t, after, 50)
		})
	}
}

// TestCloseEndsGoroutines closes a node with connected clients, and one that
// failed to start at every step.
func TestCloseEndsGoroutines(t *testing.T) {
	before := goleak.IgnoreCurrent()
	fs := vfs.NewMem()
	for range 3 {
		r := start(t, options(fs, "/data"))
		s := r.connect()
		must(t, s, "SELECT key FROM system.local")
		godriver.Close(s)
		// A driver that has lost its node may leave goroutines of its own.
		nc, err := net.Dial("tcp", r.CQLAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		if err := nc.SetDeadline(time.Now().Add(timeout)); err != nil {
			t.Fatal(err)
		}
		register(t, nc)
		r.stop()
		nc.Close()
	}
	http.DefaultClient.CloseIdleConnections()
	noneLeft(t, before)
}

// noneLeft waits for goroutines that are ending, as long as a slow machine
// needs; one that never ends is shown.
func noneLeft(t *testing.T, before goleak.Option) {
	t.Helper()
	end := time.Now().Add(timeout)
	err := goleak.Find(before)
	for err != nil && time.Now().Before(end) {
		err = goleak.Find(before)
	}
	if err != nil {
		t.Error(err)
	}
}

// TestFailedStartEndsGoroutines lets each call to the file system of a start
// fail once.
func TestFailedStartEndsGoroutines(t *testing.T) {
	before := goleak.IgnoreCurrent()
	mem := vfs.NewMem()
	first := start(t, options(mem, "/data"))
	fill(t, first, 3)
	first.stop()
	failed := 0
	for nth := 1; ; nth++ {
		fault := vfs.NewFault(mem.CrashClone(vfs.CrashOptions{}), nil)
		rule := fault.Add(vfs.Rule{Nth: nth, Err: vfs.ErrNoSpace})
		n, err := node.New(t.Context(), options(fault, "/data"))
		rule.Remove() // from here on nothing that runs beside it is hit
		fired := rule.Fired() > 0
		if err != nil {
			failed++
		} else if err := n.Close(context.Background()); err != nil && !fired {
			t.Fatal(err)
		}
		if !fired {
			break
		}
	}
	if failed < 10 {
		t.Errorf("%d starts failed only", failed)
	}
	noneLeft(t, before)
}

func TestBanner(t *testing.T) {
	r := start(t, options(vfs.NewMem(), "/data"))
	var b strings.Builder
	r.Banner(&b, "./ilion")
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if len(lines) > 12 {
		t.Errorf("%d lines", len(lines))
	}
	host, port, _ := strings.Cut(r.CQLAddr().String(), ":")
	if want := fmt.Sprintf("Now type: ./ilion cql %s %s ", host, port); !strings.HasPrefix(lines[len(lines)-1], want) {
		t.Errorf("the last line is %q, want %q", lines[len(lines)-1], want)
	}
}

func (r *running) get(path string) (int, string) {
	r.t.Helper()
	res, err := (&http.Client{Timeout: timeout}).Get("http://" + r.HTTPAddr().String() + path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestHealth(t *testing.T) {
	r := start(t, options(vfs.NewMem(), "/data"))
	for _, path := range []string{"/healthz", "/readyz"} {
		if code, body := r.get(path); code != http.StatusOK {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
}
