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
	clock   clock.Clock
	newPipe func() (r, w end, err error) // osPipe, but in tests

	turn chan struct{} // of capacity 1, full while a goroutine yields
	// Of the holder of turn.
	pipe *pipe // made when it is first needed
	none bool  // there can be no pipe
}

// New returns a Network that holds two file descriptors from its first use on.
func New(c clock.Clock) *Network {
	return &Network{clock: c, newPipe: osPipe, turn: make(chan struct{}, 1)}
}

// Close gives them back. Nobody may use it any more.
func (n *Network) Close() {
	n.turn <- struct{}{}
	n.shut()
	<-n.turn
}

// shut closes the pipe for good.
func (n *Network) shut() {
	if n.pipe != nil {
		_, _ = n.pipe.r.Close(), n.pipe.w.Close()
	}
	n.pipe, n.none = nil, true
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
		n.open()
	}
	if n.pipe != nil && n.pipe.wait() != nil {
		n.shut()
	}
	<-n.turn
	return n.clock.Mono()
}

// open makes the pipe. Where it cannot, since too many files are open, nobody
// yields until a later call can.
func (n *Network) open() {
	r, w, err := n.newPipe()
	if err != nil {
		return
	}
	p := &pipe{r: r, w: w}
	if p.conn, err = r.SyscallConn(); err != nil {
		_, _ = r.Close(), w.Close()
		return
	}
	p.fn = p.poll
	n.pipe = p
}

// end is of a pipe.
type end interface {
	io.WriteCloser
	syscall.Conn
}

func osPipe() (r, w end, err error) { return os.Pipe() }

// pipe is empty while nobody yields.
type pipe struct {
	r    io.Closer
	w    io.WriteCloser
	conn syscall.RawConn // of r
	fn   func(fd uintptr) bool
	sent bool
	one  [1]byte
}

// wait returns when the network was asked. It fails if the kernel watches no more
// files for the runtime: the byte then stays in the pipe, and once that were full
// a write would wait for ever.
func (p *pipe) wait() error {
	p.sent = false
	return p.conn.Read(p.fn)
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
