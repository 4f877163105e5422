//go:build clients || long

package proctest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/ilion-db/ilion/internal/foreign"
)

const (
	// timeout is far above what one step takes; CI machines stall.
	timeout = 5 * time.Minute
	// commandTimeout is far above what a command that we run takes, which may be
	// a client's whole work.
	commandTimeout = 15 * time.Minute
	// pipeTimeout is for the output of a command that was killed, which processes
	// of its own may hold open.
	pipeTimeout = time.Minute
)

// workDir holds the binaries; TestMain removes it.
var workDir string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "ilion-proctest-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	workDir = dir
	raiseFileLimit()
	return m.Run()
}

// raiseFileLimit makes room for many connections, here and in the servers.
func raiseFileLimit() {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return
	}
	const enough = max(idleClients, mostClients) + 1_000
	if l.Cur = l.Max; l.Max < enough {
		l.Cur, l.Max = enough, enough // root may
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		fmt.Fprintln(os.Stderr, "the limit of open files stays:", err)
	}
}

// command is a command that is killed after the time for one, or by cancel.
func command(name string, args ...string) (cmd *exec.Cmd, cancel context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	cmd = exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = pipeTimeout
	return cmd, cancel
}

// output runs a command to its end and returns what it prints, in the error too.
func output(name string, args ...string) (string, error) {
	cmd, cancel := command(name, args...)
	defer cancel()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

var built struct {
	mu    sync.Mutex // protects paths
	paths map[string]string
}

// buildServer builds the server once with the given tags.
func buildServer(t testing.TB, tags string) string {
	t.Helper()
	built.mu.Lock()
	defer built.mu.Unlock()
	if path := built.paths[tags]; path != "" {
		return path
	}
	_, file, _, ok := runtime.Caller(0)
	if !ok || !filepath.IsAbs(file) {
		t.Fatal("this test has to be built without -trimpath")
	}
	path := filepath.Join(workDir, "ilion-"+tags)
	cmd := exec.Command("go", "build", "-trimpath", "-tags", tags, "-o", path, "./cmd/ilion")
	cmd.Dir = filepath.Join(filepath.Dir(file), "..", "..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	if built.paths == nil {
		built.paths = map[string]string{}
	}
	built.paths[tags] = path
	return path
}

// options are how a server differs from the default one.
type options struct {
	tags string   // build tags
	env  []string // more environment
	args []string // more flags
	dir  string   // of the data; a new one if empty
}

// server is one `ilion serve` over one directory. It may be stopped and
// started again; its ports stay the same.
type server struct {
	t    testing.TB
	o    options
	host string // where it listens
	port int    // CQL
	http int
	log  logBuffer
	cmd  *exec.Cmd
	done chan error // gets the end of cmd
}

// newServer prepares a server and ends it with the test.
func newServer(t testing.TB, o options) *server {
	t.Helper()
	if o.dir == "" {
		o.dir = filepath.Join(t.TempDir(), "data")
	}
	s := &server{t: t, o: o, host: "127.0.0.1", port: foreign.Port(t), http: foreign.Port(t)}
	t.Cleanup(func() {
		if s.cmd != nil {
			s.kill()
		}
		if t.Failed() {
			t.Logf("output of the server:\n%s", s.log.String())
		}
	})
	return s
}

func startServer(t testing.TB, o options) *server {
	t.Helper()
	s := newServer(t, o)
	s.start()
	return s
}

// launch starts the process without waiting for it.
func (s *server) launch() {
	s.t.Helper()
	args := append([]string{
		"serve", "--data-dir", s.o.dir,
		"--native-port", strconv.Itoa(s.port), "--http-port", strconv.Itoa(s.http), "--internode-port", "0",
		// No request of a test that says nothing else is too late, however
		// slow the machine.
		"--request-timeout", timeout.String(), "--read-request-timeout", timeout.String(),
		"--range-request-timeout", timeout.String(), "--write-request-timeout", timeout.String(),
	}, s.o.args...)
	s.cmd = exec.Command(buildServer(s.t, s.o.tags), args...)
	s.cmd.Env = append(os.Environ(), s.o.env...)
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.done = make(chan error, 1)
	go func(cmd *exec.Cmd, done chan<- error) { done <- cmd.Wait() }(s.cmd, s.done)
}

// start starts the process and waits until it answers.
func (s *server) start() {
	s.t.Helper()
	s.log.clear()
	s.launch()
	s.await(func() error {
		if !strings.Contains(s.log.String(), "Now type:") {
			return errors.New("not ready yet")
		}
		return nil
	})
}

// await polls until f succeeds; the server must not end meanwhile.
func (s *server) await(f func() error) {
	s.t.Helper()
	err := poll(func() error {
		select {
		case err := <-s.done:
			s.done <- err
			s.t.Fatalf("the server has ended: %v\n%s", err, s.log.String())
		default:
		}
		return f()
	})
	if err != nil {
		s.t.Fatalf("%v\n%s", err, s.log.String())
	}
}

// poll calls f until it succeeds or the time is over, and returns its last
// error.
func poll(f func() error) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); ; <-tick.C {
		if err := f(); err == nil || time.Since(began) > timeout {
			return err
		}
	}
}

// kill ends the server with SIGKILL.
func (s *server) kill() {
	s.cmd.Process.Kill()
	<-s.done
	s.cmd = nil
}

// stop ends the server with a signal; it has to leave without an error.
func (s *server) stop(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
	if err := s.end(); err != nil {
		s.t.Errorf("%v: the server left with %v", sig, err)
	}
}

// end waits for the end of the process and returns how it ended.
func (s *server) end() error {
	s.t.Helper()
	limit := time.NewTimer(timeout)
	defer limit.Stop()
	select {
	case err := <-s.done:
		s.cmd = nil
		return err
	case <-limit.C:
		s.t.Fatalf("the server does not end\n%s", s.log.String())
		return nil
	}
}

// connect is a driver's session; retry it while the server starts.
func (s *server) connect() *gocql.Session {
	s.t.Helper()
	c := gocql.NewCluster("127.0.0.1")
	c.Port = s.port
	c.Timeout, c.ConnectTimeout, c.WriteTimeout = timeout, timeout, timeout
	c.RetryPolicy, c.NumConns = nil, 2
	c.ReconnectInterval = 0
	c.Logger = nil
	db, err := c.CreateSession()
	if err != nil {
		s.t.Fatalf("connect: %v", err)
	}
	return db
}

// status is a field of the process's status in bytes, such as VmRSS or VmHWM.
func (s *server) status(field string) int64 {
	s.t.Helper()
	p, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(p)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				s.t.Fatal(err)
			}
			return n << 10
		}
	}
	s.t.Fatalf("no %s in the status", field)
	return 0
}

// withinMemory wants the largest resident set so far within a quarter over the
// budget.
func (s *server) withinMemory(budget int64) {
	s.t.Helper()
	peak := s.status("VmHWM")
	s.t.Logf("resident: %d MiB at most, %d MiB now, of %d MiB", peak>>20, s.status("VmRSS")>>20, budget>>20)
	if peak > budget+budget/4 {
		s.t.Errorf("the process took %d MiB of %d MiB", peak>>20, budget>>20)
	}
}

// logBuffer collects the output of a process. Safe for concurrent use.
type logBuffer struct {
	mu  sync.Mutex // protects buf
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *logBuffer) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buf.Reset()
}

func must(t testing.TB, db *gocql.Session, text string, args ...any) {
	t.Helper()
	if err := db.Query(text, args...).Exec(); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

const createKS = "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
