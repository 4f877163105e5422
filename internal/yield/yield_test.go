package yield

import (
	"errors"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
)

// manual is a clock that is moved by hand.
type manual struct {
	clock.Clock
	now time.Duration
}

func (m *manual) Mono() time.Duration { return m.now }

// Who yields comes back, and those who wait for the network go on.
func TestNetworkGoesOn(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	to, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	from, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	read := make(chan byte)
	go func() {
		b := make([]byte, 1)
		for {
			if _, err := from.Read(b); err != nil {
				close(read)
				return
			}
			read <- b[0]
		}
	}()
	c := &manual{}
	n := New(c)
	defer n.Close()
	for i := range 100 {
		if _, err := to.Write([]byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
		last := c.now
		c.now += After
		if got := n.Since(last); got != c.now {
			t.Fatalf("last is %v at %v", got, c.now)
		}
		if got := <-read; got != byte(i) {
			t.Fatalf("read %d, want %d", got, i)
		}
	}
}

// One who has not computed for long goes on at once.
func TestNotYet(t *testing.T) {
	c := &manual{now: time.Hour}
	n := New(c)
	last := c.now
	c.now += After - 1
	if got := n.Since(last); got != last || n.pipe != nil {
		t.Errorf("last was %v and is %v", last, got)
	}
	n.Close()
	c.now++
	if got := n.Since(last); got != c.now || n.pipe != nil {
		t.Errorf("after Close: %v", got)
	}
}

// Where there can be no pipe, nobody waits, and it is tried again.
func TestNoPipe(t *testing.T) {
	c := &manual{}
	n := New(c)
	defer n.Close()
	tries := 0
	n.newPipe = func() (r, w end, err error) {
		if tries++; tries < 3 {
			return nil, nil, syscall.EMFILE
		}
		return osPipe()
	}
	for i := 1; i <= 4; i++ {
		last := c.now
		c.now += After
		if got := n.Since(last); got != c.now {
			t.Fatalf("last is %v at %v", got, c.now)
		}
		if (n.pipe != nil) != (i >= 3) || tries != min(i, 3) {
			t.Errorf("there is a pipe: %t, after %d tries", n.pipe != nil, tries)
		}
	}
}

// unwatched is an end of a pipe that the runtime cannot wait for.
type unwatched struct {
	written int
	closed  bool
}

func (u *unwatched) Write(p []byte) (int, error) {
	u.written += len(p)
	return len(p), nil
}

func (u *unwatched) Close() error {
	u.closed = true
	return nil
}

func (u *unwatched) SyscallConn() (syscall.RawConn, error) { return unwatchedConn{}, nil }

type unwatchedConn struct{ syscall.RawConn }

func (unwatchedConn) Read(f func(fd uintptr) bool) error {
	if !f(0) {
		return errors.New("waiting for unsupported file type")
	}
	return nil
}

// A pipe that cannot be waited for is not filled, byte by byte, until whoever
// yields waits in a write.
func TestPipeThatIsNotWatched(t *testing.T) {
	c := &manual{}
	n := New(c)
	defer n.Close()
	r, w := &unwatched{}, &unwatched{}
	n.newPipe = func() (end, end, error) { return r, w, nil }
	for range 3 {
		last := c.now
		c.now += After
		if got := n.Since(last); got != c.now {
			t.Fatalf("last is %v at %v", got, c.now)
		}
		if w.written > 1 || !r.closed || !w.closed || n.pipe != nil {
			t.Fatalf("%d bytes are in the pipe, its ends are closed: %t, %t", w.written, r.closed, w.closed)
		}
	}
}

// All who yield at the same time come back.
func TestManyYield(t *testing.T) {
	n := New(clock.Real)
	defer n.Close()
	const many = 8
	done := make(chan bool, many)
	for range many {
		go func() {
			for range 1000 {
				n.Since(clock.Real.Mono() - After)
			}
			done <- true
		}()
	}
	for range many {
		<-done
	}
}

// BenchmarkYield is what a goroutine pays that is alone.
func BenchmarkYield(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	n := New(clock.Real)
	defer n.Close()
	for b.Loop() {
		n.Since(clock.Real.Mono() - After)
	}
}
