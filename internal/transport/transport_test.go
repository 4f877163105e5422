package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
)

// TestConformance runs every Transport through the same story.
func TestConformance(t *testing.T) {
	for name, tr := range map[string]Transport{"TCP": TCP, "Mem": &Mem{}} {
		t.Run(name, func(t *testing.T) {
			l, err := tr.Listen("127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tr.Listen(l.Addr().String()); !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("an address in use: %v", err)
			}
			served := make(chan error, 1)
			go func() {
				c, err := l.Accept()
				if err == nil {
					_, err = io.Copy(c, io.LimitReader(c, 5))
					c.Close()
				}
				served <- err
			}()
			c, err := tr.Dial(context.Background(), l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if c.RemoteAddr().String() != l.Addr().String() {
				t.Errorf("remote address %v", c.RemoteAddr())
			}
			if _, err := c.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(c)
			if string(b) != "hello" || err != nil {
				t.Errorf("%q, %v", b, err)
			}
			c.Close()
			if err := <-served; err != nil {
				t.Error(err)
			}
			l.Close()
			if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("accept after close: %v", err)
			}
			if _, err := tr.Dial(context.Background(), l.Addr().String()); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("dial after close: %v", err)
			}
		})
	}
}

func TestMemDialEndsWithItsContext(t *testing.T) {
	m := &Mem{}
	l, err := m.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(context.Background())
	for range backlog {
		if _, err := m.Dial(ctx, l.Addr().String()); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if _, err := m.Dial(ctx, l.Addr().String()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestFromDialsFromItsAddress(t *testing.T) {
	l, err := TCP.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			accepted <- err.Error()
			return
		}
		defer c.Close()
		accepted <- c.RemoteAddr().(*net.TCPAddr).IP.String()
	}()
	c, err := From(net.IPv4(127, 0, 0, 1)).Dial(t.Context(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := <-accepted; got != "127.0.0.1" {
		t.Errorf("the connection comes from %s", got)
	}
}
