package rpc_test

import (
	"context"
	"io"
	"net"
	"runtime"
	"syscall"
	"testing"

	"github.com/ilion-db/ilion/internal/transport"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// Messages as a small write makes them.
const (
	benchBody   = 200
	benchAnswer = 16
	benchWindow = 64
)

// cpu is the CPU time of the process in nanoseconds.
func cpu(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// measured runs f with b.N and reports what one message and its answer cost.
func measured(b *testing.B, f func(n int)) {
	b.ReportAllocs()
	runtime.GC()
	b.ResetTimer()
	before := cpu(b)
	f(b.N)
	spent := cpu(b) - before
	b.StopTimer()
	b.ReportMetric(float64(spent)/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
	b.ReportMetric(float64(b.N)/(float64(spent)/1e9), "msg/cpu-s")
}

// rawPair is a socket whose other side answers each benchBody bytes (and what a
// frame adds) with benchAnswer.
func rawPair(b *testing.B) net.Conn {
	l, err := transport.TCP.Listen("127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		in, out := make([]byte, 64<<10), make([]byte, 64<<10)
		for have := 0; ; {
			n, err := c.Read(in)
			if err != nil {
				return
			}
			have += n
			whole := have / (benchBody + frameExtra)
			have -= whole * (benchBody + frameExtra)
			if _, err := c.Write(out[:whole*(benchAnswer+frameExtra)]); err != nil {
				return
			}
		}
	}()
	c, err := transport.TCP.Dial(context.Background(), l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close(); l.Close() })
	return c
}

// frameExtra is what a frame without prologue fields adds to a body.
const frameExtra = wire.HeaderSize + 1 + wire.CheckSize

// benchPeer is a peer over real sockets that answers OpApply.
func benchPeer(b *testing.B) *rpc.Peer {
	answer := make([]byte, benchAnswer)
	server := start(b, transport.TCP, 1, func(c *rpc.Config) {
		c.Handlers[wire.OpApply] = func(r *rpc.Request) { r.Reply(answer) }
	})
	client := start(b, transport.TCP, 2, nil)
	p := knows(client, server)
	if _, err := p.Call(context.Background(), &rpc.Message{Op: wire.OpApply, Lane: rpc.Small}); err != nil {
		b.Fatal(err)
	}
	return p
}

// window keeps requests in flight: each answer sends the next.
type window struct {
	p    *rpc.Peer
	m    rpc.Message
	left int
	open int
	done chan struct{}
	err  error
}

// Receive implements rpc.Receiver. Answers of one connection come in turn.
func (w *window) Receive(a *rpc.Answer) {
	if w.open--; a.Err != nil {
		w.err = a.Err
		w.left = 0
	}
	if w.left > 0 {
		w.send()
	}
	if w.open == 0 {
		w.done <- struct{}{}
	}
}

func (w *window) send() {
	w.left--
	w.open++
	if err := w.p.Send(&w.m, w); err != nil {
		w.err = err
		w.left, w.open = 0, w.open-1
	}
}

// starter starts a window from the connection's own goroutine, so that nothing
// of it is shared.
type starter struct {
	w     *window
	first int
}

func (s *starter) Receive(*rpc.Answer) {
	for range s.first {
		s.w.send()
	}
}

func (w *window) run(n, first int) error {
	w.left = n
	if err := w.p.Send(&w.m, &starter{w, min(n, first)}); err != nil {
		return err
	}
	<-w.done
	return w.err
}

// BenchmarkRPC compares messages of this package with the bare socket, which
// is told nothing of frames, checksums, streams and deadlines.
func BenchmarkRPC(b *testing.B) {
	b.Run("single/socket", func(b *testing.B) {
		c := rawPair(b)
		out, in := make([]byte, benchBody+frameExtra), make([]byte, benchAnswer+frameExtra)
		measured(b, func(n int) {
			for range n {
				if _, err := c.Write(out); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(c, in); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
	b.Run("single/rpc", func(b *testing.B) {
		w := &window{p: benchPeer(b), m: rpc.Message{Op: wire.OpApply, Lane: rpc.Small, Body: make([]byte, benchBody)}, done: make(chan struct{})}
		measured(b, func(n int) {
			if err := w.run(n, 1); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("call/rpc", func(b *testing.B) {
		p := benchPeer(b)
		m := rpc.Message{Op: wire.OpApply, Lane: rpc.Small, Body: make([]byte, benchBody)}
		measured(b, func(n int) {
			for range n {
				if _, err := p.Call(context.Background(), &m); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
	b.Run("pipelined/socket", func(b *testing.B) {
		c := rawPair(b)
		out, in := make([]byte, benchWindow*(benchBody+frameExtra)), make([]byte, benchWindow*(benchAnswer+frameExtra))
		measured(b, func(n int) {
			for n > 0 {
				k := min(n, benchWindow)
				if _, err := c.Write(out[:k*(benchBody+frameExtra)]); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(c, in[:k*(benchAnswer+frameExtra)]); err != nil {
					b.Fatal(err)
				}
				n -= k
			}
		})
	})
	b.Run("pipelined/rpc", func(b *testing.B) {
		w := &window{p: benchPeer(b), m: rpc.Message{Op: wire.OpApply, Lane: rpc.Small, Body: make([]byte, benchBody)}, done: make(chan struct{})}
		measured(b, func(n int) {
			if err := w.run(n, benchWindow); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("parallel/rpc", func(b *testing.B) {
		p := benchPeer(b)
		measured(b, func(int) {
			b.SetParallelism(benchWindow / runtime.GOMAXPROCS(0))
			b.RunParallel(func(pb *testing.PB) {
				o := blocking{make(chan error, 1)}
				m := rpc.Message{Op: wire.OpApply, Lane: rpc.Small, Body: make([]byte, benchBody)}
				for pb.Next() {
					if err := p.Send(&m, o); err != nil {
						b.Error(err)
						return
					}
					if err := <-o.err; err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	})
}

// blocking lets a goroutine wait for its answer.
type blocking struct{ err chan error }

func (o blocking) Receive(a *rpc.Answer) { o.err <- a.Err }
