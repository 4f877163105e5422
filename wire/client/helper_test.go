package client_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/config"
	"github.com/ilion-db/ilion/internal/node"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/transport"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/wire/client"
)

// timeout is far above what anything here takes.
const timeout = time.Minute

// cluster is some nodes in one network, in virtual time.
type cluster struct {
	t     *testing.T
	net   transport.Mem
	disks []*vfs.Mem
	nodes []*node.Node
	wires []*cable
	seed  atomic.Uint64
}

// inCluster runs a test with so many nodes.
func inCluster(t *testing.T, nodes int, f func(*testing.T, *cluster)) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{t: t}
		for i := range nodes {
			c.disks, c.nodes, c.wires = append(c.disks, vfs.NewMem()), append(c.nodes, nil), append(c.wires, nil)
			c.start(i)
		}
		defer func() {
			for i := range c.nodes {
				c.stop(i)
			}
			// Probes of the failure detector end by their time-outs.
			time.Sleep(timeout)
		}()
		f(t, c)
	})
}

func host(i int) string { return fmt.Sprintf("127.0.0.%d", i+1) }

func address(i int) string { return host(i) + ":7000" }

func options(i int, fs vfs.FS, net transport.Transport, seed uint64) node.Options {
	c := config.Default()
	c.DataDir, c.ListenAddress = "/data", host(i)
	c.Memory, c.CommitlogSegment = config.MinMemory, 1<<20
	if i > 0 {
		c.Join = []string{host(0)}
	}
	log := slog.New(slog.DiscardHandler)
	if testing.Verbose() && testing.Testing() {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil)).With("node", i+1)
	}
	return node.Options{Config: c, Version: "test", Clock: clock.Real, FS: fs, Rand: rand.NewSeeded(seed), Transport: net, Log: log}
}

func (c *cluster) start(i int) {
	c.t.Helper()
	c.wires[i] = &cable{Transport: &c.net}
	n, err := node.New(c.t.Context(), options(i, c.disks[i], c.wires[i], c.seed.Add(1)))
	if err != nil {
		c.t.Fatalf("node %d: %v", i+1, err)
	}
	c.nodes[i] = n
	synctest.Wait() // until all others have taken in that it is there
}

func (c *cluster) stop(i int) {
	c.t.Helper()
	if c.nodes[i] == nil {
		return
	}
	if err := c.nodes[i].Close(context.Background()); err != nil {
		c.t.Errorf("node %d: close: %v", i+1, err)
	}
	c.nodes[i] = nil
}

// kill takes a node out of the network, with what its disk has for sure.
func (c *cluster) kill(i int) {
	c.t.Helper()
	c.wires[i].pull()
	c.disks[i] = c.disks[i].CrashClone(vfs.CrashOptions{})
	c.stop(i)
}

// connect opens a session that ends with the test's function.
func (c *cluster) connect(change ...func(*client.Config)) *client.Session {
	c.t.Helper()
	cfg := client.Config{Transport: &c.net, Timeout: timeout}
	for i := range c.nodes {
		cfg.Hosts = append(cfg.Hosts, address(i))
	}
	for _, f := range change {
		f(&cfg)
	}
	s, err := client.Connect(c.t.Context(), cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

// must executes a statement.
func (c *cluster) must(s *client.Session, text string, values ...any) {
	c.t.Helper()
	if err := s.Exec(c.t.Context(), text, values...); err != nil {
		c.t.Fatalf("%s: %v", text, err)
	}
}

func (c *cluster) prepare(s *client.Session, text string) *client.Statement {
	c.t.Helper()
	st, err := s.Prepare(c.t.Context(), text)
	if err != nil {
		c.t.Fatalf("%s: %v", text, err)
	}
	return st
}

// cable is a node's way into the network, which can be cut.
type cable struct {
	transport.Transport
	mu    sync.Mutex // protects what follows
	cut   bool
	conns []net.Conn
}

func (c *cable) Listen(address string) (net.Listener, error) {
	l, err := c.Transport.Listen(address)
	return &cableListener{l, c}, err
}

type cableListener struct {
	net.Listener
	cable *cable
}

func (l *cableListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.cable.through(nc), nil
}

func (c *cable) Dial(ctx context.Context, address string) (net.Conn, error) {
	c.mu.Lock()
	cut := c.cut
	c.mu.Unlock()
	if cut {
		return nil, syscall.ENETUNREACH
	}
	nc, err := c.Transport.Dial(ctx, address)
	if err != nil {
		return nil, err
	}
	return c.through(nc), nil
}

// through is a connection that ends when the cable is cut.
func (c *cable) through(nc net.Conn) net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut {
		nc.Close()
	}
	c.conns = append(c.conns, nc)
	return nc
}

func (c *cable) pull() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = true
	for _, nc := range c.conns {
		nc.Close()
	}
}

func newDisk() *vfs.Mem { return vfs.NewMem() }

// pause lets virtual time go by.
func (c *cluster) pause() { time.Sleep(100 * time.Millisecond) }
