package clienttest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
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

	"github.com/ilion-db/ilion/internal/foreign"
)

const (
	// startTimeout is far above what a start takes; CI machines stall.
	startTimeout = 5 * time.Minute
	// stopTimeout is far above the time in which a server drains.
	stopTimeout = 5 * time.Minute
	// commandTimeout is far above what a client that we run takes for all its work.
	commandTimeout = 20 * time.Minute
	// pipeTimeout is for the output of a command that was killed, which processes
	// of its own may hold open.
	pipeTimeout = time.Minute
)

// command is a command that is killed after the time for one, or by cancel.
func command(name string, args ...string) (cmd *exec.Cmd, cancel context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	cmd = exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = pipeTimeout
	return cmd, cancel
}

// httpClient asks servers whether they are ready.
var httpClient = &http.Client{Timeout: time.Minute}

// workDir holds the binaries; TestMain removes it.
var workDir string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "ilion-clienttest-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	workDir = dir
	return m.Run()
}

// repository is the root of the module.
func repository(t testing.TB) string {
	_, file, _, ok := runtime.Caller(0)
	if !ok || !filepath.IsAbs(file) {
		t.Fatalf("this test has to be built without -trimpath")
	}
	return filepath.Join(filepath.Dir(file), "..", "..")
}

var built struct {
	mu    sync.Mutex // protects paths
	paths map[string]string
}

// buildCommand builds a command of the module once and returns its path.
func buildCommand(t testing.TB, pkg, tags string) string {
	t.Helper()
	built.mu.Lock()
	defer built.mu.Unlock()
	if path, ok := built.paths[pkg+tags]; ok {
		return path
	}
	path := filepath.Join(workDir, filepath.Base(pkg)+"-"+tags)
	args, cgo := []string{"build", "-o", path, "-tags", tags, pkg}, "CGO_ENABLED=0"
	if raceEnabled { // the server is searched for races, too
		args, cgo = []string{"build", "-o", path, "-race", "-tags", "invariants," + tags, pkg}, "CGO_ENABLED=1"
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = repository(t)
	cmd.Env = append(os.Environ(), cgo)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", pkg, err, out)
	}
	if built.paths == nil {
		built.paths = map[string]string{}
	}
	built.paths[pkg+tags] = path
	return path
}

// serverOptions are how a server differs from the default one.
type serverOptions struct {
	tags string   // build tags
	env  []string // more environment
	args []string // more flags
}

// server is one `ilion serve` over one data directory. It may be stopped and
// started again; its ports stay the same.
type server struct {
	t    testing.TB
	o    serverOptions
	dir  string
	port int // CQL
	http int
	log  syncBuffer
	cmd  *exec.Cmd
	done chan error // gets the end of cmd
}

// startServer starts a server on an empty directory and stops it when the test
// ends. The log is shown if the test failed.
func startServer(t testing.TB, o serverOptions) *server {
	t.Helper()
	s := &server{t: t, o: o, dir: filepath.Join(t.TempDir(), "data"), port: foreign.Port(t), http: foreign.Port(t)}
	t.Cleanup(func() {
		if s.cmd != nil {
			s.kill()
		}
		if strings.Contains(s.log.String(), "DATA RACE") {
			t.Error("the server has a data race")
		}
		if t.Failed() {
			t.Logf("log of the server:\n%s", s.log.String())
		}
	})
	s.start()
	return s
}

// start starts the process and waits until it is ready.
func (s *server) start() {
	s.t.Helper()
	s.launch()
	s.awaitReady()
}

// awaitReady waits until the process that was launched answers.
func (s *server) awaitReady() {
	s.t.Helper()
	err := poll(startTimeout, func() error {
		select {
		case err := <-s.done:
			s.cmd = nil
			s.t.Fatalf("the server ended at its start: %v\n%s", err, s.log.String())
		default:
		}
		return s.ready()
	})
	if err != nil {
		s.t.Fatalf("the server is not ready: %v\n%s", err, s.log.String())
	}
}

func (s *server) launch() {
	s.t.Helper()
	args := append([]string{
		"serve", "--data-dir", s.dir, "--memory", "512MiB",
		"--native-port", strconv.Itoa(s.port), "--http-port", strconv.Itoa(s.http), "--internode-port", "0",
		// No request of a test that says nothing else is too late, however
		// slow the machine.
		"--request-timeout", requestTimeout.String(), "--read-request-timeout", requestTimeout.String(),
		"--range-request-timeout", requestTimeout.String(), "--write-request-timeout", requestTimeout.String(),
	}, s.o.args...)
	s.cmd = exec.Command(buildCommand(s.t, "./cmd/ilion", s.o.tags), args...)
	s.cmd.Env = append(os.Environ(), s.o.env...)
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.done = make(chan error, 1)
	go func(cmd *exec.Cmd, done chan<- error) { done <- cmd.Wait() }(s.cmd, s.done)
}

func (s *server) ready() error {
	res, err := httpClient.Get(fmt.Sprintf("http://127.0.0.1:%d/readyz", s.http))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(res.Body)
		return fmt.Errorf("readyz: %s: %s", res.Status, body)
	}
	return nil
}

// stop ends the server with SIGTERM; it has to leave without an error.
func (s *server) stop() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	timeout := time.NewTimer(stopTimeout)
	defer timeout.Stop()
	select {
	case err := <-s.done:
		if err != nil {
			s.t.Fatalf("the server left with %v\n%s", err, s.log.String())
		}
	case <-timeout.C:
		s.t.Fatalf("the server does not end\n%s", s.log.String())
	}
	s.cmd = nil
}

// kill ends the server with SIGKILL.
func (s *server) kill() {
	s.cmd.Process.Kill()
	<-s.done
	s.cmd = nil
}

// poll calls f until it succeeds or the time is over, and returns its last
// error.
func poll(timeout time.Duration, f func() error) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); ; <-tick.C {
		if err := f(); err == nil || time.Since(began) > timeout {
			return err
		}
	}
}

// syncBuffer collects the output of a process. Safe for concurrent use.
type syncBuffer struct {
	mu  sync.Mutex // protects buf
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
