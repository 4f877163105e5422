package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a node. One goroutine uses it.
type process struct {
	name, address string
	binary        string
	args          []string
	log           string // file of its output

	cmd   *exec.Cmd
	ended chan error // has the end of cmd, once
	err   error      // how it ended
	gone  time.Time  // when that was seen; zero while it runs
}

func (p *process) http() string { return net.JoinHostPort(p.address, strconv.Itoa(httpPort)) }

func (p *process) pid() int { return p.cmd.Process.Pid }

// start starts the process in a group of its own, so that ctrl-C reaches it
// through the demo alone.
func (p *process) start() error {
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer out.Close() // the process has its own
	p.cmd = exec.Command(p.binary, p.args...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.SysProcAttr = processAttributes()
	p.ended, p.gone = make(chan error, 1), time.Time{}
	started := make(chan error)
	go func(cmd *exec.Cmd, ended chan<- error) {
		// A node dies with the thread that started it, which has to live as long.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			ended <- cmd.Wait()
		}
	}(p.cmd, p.ended)
	if err := <-started; err != nil {
		p.cmd = nil
		return fmt.Errorf("demo: %s: %w", p.name, err)
	}
	return nil
}

// look tells whether the process has ended by now.
func (p *process) look() bool {
	if !p.gone.IsZero() {
		return true
	}
	select {
	case p.err = <-p.ended:
		p.gone = time.Now()
	default:
	}
	return !p.gone.IsZero()
}

// readyEvery is the pause between two looks at a node that starts.
const readyEvery = 20 * time.Millisecond

// ready waits until the node serves.
func (p *process) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	tick := time.NewTicker(readyEvery)
	defer tick.Stop()
	for {
		if p.look() {
			return fmt.Errorf("demo: %s on %s has ended: %v\n%s", p.name, p.address, p.err, p.lastWords())
		}
		if p.serves(ctx) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("demo: %s on %s is not ready: %w\n%s", p.name, p.address, ctx.Err(), p.lastWords())
		}
	}
}

func (p *process) serves(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.http()+"/readyz", nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	io.Copy(io.Discard, res.Body)
	res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// lastLines is how many lines of a node's output are shown when it failed.
const lastLines = 5

func (p *process) lastWords() string {
	raw, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(string(bytes.TrimSpace(raw)), "\n")
	return strings.Join(lines[max(0, len(lines)-lastLines):], "\n")
}

// revive starts the process again some time after its end.
func (p *process) revive(now time.Time, out io.Writer) error {
	if p.gone.IsZero() {
		if p.look() {
			fmt.Fprintf(out, "\n%s (%s) has ended: %s\n", p.name, p.address, reason(p.err))
		}
		return nil
	}
	if now.Sub(p.gone) < restartAfter {
		return nil
	}
	if err := p.start(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%s (%s) starts again, process %d\n", p.name, p.address, p.pid())
	return nil
}

func reason(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

func (p *process) terminate() {
	if p.cmd != nil && !p.look() {
		p.signal(syscall.SIGTERM)
	}
}

func (p *process) signal(s os.Signal) {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.cmd.Process.Kill() // what cannot be asked to end is ended
	}
}

// wait waits until the process has ended, and ends it when time is over.
func (p *process) wait(most time.Duration) {
	if p.cmd == nil || p.look() {
		return
	}
	select {
	case p.err = <-p.ended:
	case <-time.After(most):
		p.cmd.Process.Kill()
		p.err = <-p.ended
	}
	p.gone = time.Now()
}
