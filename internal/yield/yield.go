package yield

import (
	"io"
	"os"
	"syscall"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
)

// After is how long a goroutine computes before it yields: what the network
// then waits for it.
const After = 250 * time.Microsecond

// Network is whom goroutines that compute for long yield to. Its methods are
// safe for concurrent use.
type Network struct {
	clock clock.Clock

	turn chan struct{} // of capacity 1, full while a goroutine yields
	// Of the holder of turn.
	pipe *pipe // made when it is first needed
	none bool  // there can be no pipe
}

// New returns a Network that holds two file descriptors from its first use on.
func New(c clock.Clock) *Network { return &Network{clock: c, turn: make(chan struct{}, 1)} }

// Close gives them back. Nobody may use it any more.
func (n *Network) Close() {
	n.turn <- struct{}{}
	if n.pipe != nil {
		_, _ = n.pipe.r.Close(), n.pipe.w.Close()
	}
	n.pipe, n.none = nil, true
	<-n.turn
}

// Since yields if the clock's Mono was last at least After ago, and returns what
// it is then: last for the next time.
func (n *Network) Since(last time.Duration) time.Duration {
	now := n.clock.Mono()
	if now-last < After {
		return last
	}
	n.turn <- struct{}{}
	if n.pipe == nil && !n.none {
		n.none = !n.open()
	}
	if n.pipe != nil {
		n.pipe.wait()
	}
	<-n.turn
	return n.clock.Mono()
}

func (n *Network) open() bool {
	r, w, err := os.Pipe()
	if err != nil {
		return false // too many files are open
	}
	p := &pipe{r: r, w: w}
	if p.conn, err = r.SyscallConn(); err != nil {
		_, _ = r.Close(), w.Close()
		return false
	}
	p.fn = p.poll
	n.pipe = p
	return true
}

// pipe is empty while nobody yields.
type pipe struct {
	r    io.Closer
	w    io.WriteCloser
	conn syscall.RawConn // of r
	fn   func(fd uintptr) bool
	sent bool
	one  [1]byte
}

// wait returns when the network was asked.
func (p *pipe) wait() {
	p.sent = false
	_ = p.conn.Read(p.fn) // fails when it is closed only
}

// poll is called when the goroutine is about to wait for the pipe, and when it
// may have something; false waits. Only from the first call on does the runtime
// keep in mind that it has, so the byte is sent there.
func (p *pipe) poll(fd uintptr) bool {
	if !p.sent {
		p.sent = true
		_, err := p.w.Write(p.one[:])
		return err != nil
	}
	for {
		// An interrupted read has left the byte, and nobody tells of it again.
		if _, err := syscall.Read(int(fd), p.one[:]); err != syscall.EINTR {
			return err != syscall.EAGAIN
		}
	}
}
