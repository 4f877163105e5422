package node_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/config"
	"github.com/ilion-db/ilion/internal/node"
	"github.com/ilion-db/ilion/internal/query"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/transport"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/ring"
)

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

// cluster is some nodes in one network.
type testRing struct {
	t     *testing.T
	net   transport.Mem
	disks []*vfs.Mem
	nodes []*ringNode
	seed  atomic.Uint64
}

type ringNode struct {
	*node.Node
	cable *cable
}

func ringAddress(i int) string { return fmt.Sprintf("127.0.0.%d", i+1) }

// inRing runs a test with nodes, of which the first founds the cluster that the
// others join, in virtual time.
func inRing(t *testing.T, nodes int, f func(*testRing)) {
	synctest.Test(t, func(t *testing.T) {
		r := &testRing{t: t}
		for i := range nodes {
			r.disks, r.nodes = append(r.disks, vfs.NewMem()), append(r.nodes, nil)
			r.start(i)
		}
		defer r.end()
		f(r)
	})
}

// end stops all nodes, and waits until nobody waits for the answers to pings
// any more.
func (r *testRing) end() {
	for i := range r.nodes {
		r.stop(i)
	}
	time.Sleep(lastPings)
}

const lastPings = 10 * time.Second

func (r *testRing) options(i int) (node.Options, *cable) {
	c := config.Default()
	c.DataDir, c.ListenAddress = "/data", ringAddress(i)
	c.Memory, c.CommitlogSegment = config.MinMemory, 1<<20
	if i > 0 {
		c.Join = []string{ringAddress(0)}
	}
	log := slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil)).With("node", i+1)
	}
	cable := &cable{Transport: &r.net}
	return node.Options{
		Config: c, Version: "test", Clock: clock.Real, FS: r.disks[i], Rand: rand.NewSeeded(r.seed.Add(1)), Transport: cable, Log: log,
	}, cable
}

func (r *testRing) try(i int, change ...func(*node.Options)) error {
	o, cable := r.options(i)
	for _, f := range change {
		f(&o)
	}
	n, err := node.New(r.t.Context(), o)
	if err == nil {
		r.nodes[i] = &ringNode{n, cable}
	}
	return err
}

func (r *testRing) start(i int) {
	r.t.Helper()
	if err := r.try(i); err != nil {
		r.t.Fatalf("node %d: %v", i+1, err)
	}
}

func (r *testRing) stop(i int) {
	r.t.Helper()
	if r.nodes[i] == nil {
		return
	}
	if err := r.nodes[i].Close(context.Background()); err != nil {
		r.t.Errorf("node %d: close: %v", i+1, err)
	}
	r.nodes[i] = nil
}

// kill takes the node out of the network, with what its disk has for sure.
func (r *testRing) kill(i int) {
	r.t.Helper()
	r.nodes[i].cable.pull()
	r.disks[i] = r.disks[i].CrashClone(vfs.CrashOptions{})
	r.stop(i)
}

// do executes a statement on a node.
func (r *testRing) do(i int, level ring.ConsistencyLevel, text string, values ...any) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return r.nodes[i].Query().Exec(ctx, query.Statement{Text: text, Values: values, Consistency: level})
}

func (r *testRing) must(i int, level ring.ConsistencyLevel, text string, values ...any) {
	r.t.Helper()
	if err := r.do(i, level, text, values...); err != nil {
		r.t.Fatalf("node %d, %v: %s: %v", i+1, level, text, err)
	}
}

// pause lets virtual time go by.
func (r *testRing) pause(d time.Duration) { time.Sleep(d) }

// eventually repeats f until it succeeds, for two minutes of virtual time.
func (r *testRing) eventually(f func() error) {
	r.t.Helper()
	var err error
	for range 1200 {
		if err = f(); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	r.t.Fatal(err)
}

// count is how many rows a SELECT gives.
func (r *testRing) count(i int, level ring.ConsistencyLevel, text string, values ...any) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	rows, err := r.nodes[i].Query().Query(ctx, query.Statement{Text: text, Values: values, Consistency: level})
	if err != nil {
		return 0, err
	}
	n := 0
	for rows.Next() {
		n++
	}
	return n, rows.Err()
}

// want is count that must give so many rows.
func (r *testRing) want(i int, level ring.ConsistencyLevel, n int, text string, values ...any) {
	r.t.Helper()
	got, err := r.count(i, level, text, values...)
	if err != nil || got != n {
		r.t.Fatalf("node %d, %v: %s: %d rows, want %d: %v", i+1, level, text, got, n, err)
	}
}

// settle waits until every node knows that every other one is alive.
func (r *testRing) settle() {
	r.t.Helper()
	running := 0
	for _, n := range r.nodes {
		if n != nil {
			running++
		}
	}
	for i, n := range r.nodes {
		if n == nil {
			continue
		}
		r.eventually(func() error {
			n, err := r.count(i, ring.One, "SELECT * FROM system_views.gossip_info WHERE rpc_ready = 'true' ALLOW FILTERING")
			if err == nil && n != running {
				err = fmt.Errorf("node %d sees %d nodes of %d", i+1, n, running)
			}
			return err
		})
	}
}

// table makes a keyspace with three replicas and a table.
func (r *testRing) table() {
	r.t.Helper()
	r.settle()
	r.must(0, ring.One, "CREATE KEYSPACE ks WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 3}")
	r.must(1, ring.One, "CREATE TABLE ks.t (k int PRIMARY KEY, v text)")
}

const insert = "INSERT INTO ks.t (k, v) VALUES (?, ?)"

func TestRing(t *testing.T) {
	inRing(t, 3, func(r *testRing) {
		r.table()
		for i := range 30 {
			r.must(i%3, ring.Quorum, insert, i, fmt.Sprint(i))
		}
		for i := range 3 {
			r.want(i, ring.Quorum, 30, "SELECT * FROM ks.t")
			r.want(i, ring.All, 1, "SELECT v FROM ks.t WHERE k = ?", i)
			r.want(i, ring.One, 2, "SELECT * FROM system.peers_v2")
		}
	})
}

// TestSerialReads are refused where they would have to end conditional
// statements.
func TestSerialReads(t *testing.T) {
	inRing(t, 3, func(r *testRing) {
		r.table()
		r.must(0, ring.All, insert, 1, "x")
		for _, text := range []string{"SELECT * FROM ks.t", "SELECT * FROM ks.t WHERE k = 1", "SELECT * FROM ks.t WHERE k IN (1, 2)"} {
			for _, level := range []ring.ConsistencyLevel{ring.Serial, ring.LocalSerial} {
				if _, err := r.count(1, level, text); err == nil || !strings.Contains(err.Error(), "not supported yet in keyspaces with more than one replica") {
					r.t.Errorf("%v: %s: %v", level, text, err)
				}
			}
		}
		r.must(0, ring.One, "CREATE KEYSPACE one WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
		r.must(0, ring.One, "CREATE TABLE one.t (k int PRIMARY KEY)")
		r.want(1, ring.Serial, 0, "SELECT * FROM one.t")
	})
}

// TestNodeDies has a node die under its cluster, miss writes and come back to
// them.
func TestNodeDies(t *testing.T) {
	inRing(t, 3, func(r *testRing) {
		r.table()
		r.must(0, ring.All, insert, 0, "before")
		r.kill(2)
		for i := 1; i <= 20; i++ {
			r.eventually(func() error { return r.do(i%2, ring.Quorum, insert, i, "during") })
		}
		r.want(0, ring.Quorum, 21, "SELECT * FROM ks.t")
		r.eventually(func() error {
			err := r.do(0, ring.All, insert, 99, "never")
			if err == nil || !strings.Contains(err.Error(), "Cannot achieve consistency level") {
				return fmt.Errorf("ALL while a node is down: %v", err)
			}
			return nil
		})
		time.Sleep(10 * time.Second) // more than any write waits for an answer
		r.want(1, ring.One, 1, "SELECT * FROM system_views.pending_hints")
		r.start(2)
		// What it has is its own, and came by hints: nobody has read from it.
		r.eventually(func() error {
			for i := range 2 {
				if n, err := r.count(i, ring.One, "SELECT * FROM system_views.pending_hints"); err != nil || n > 0 {
					return fmt.Errorf("%d nodes have hints pending: %v", n, err)
				}
			}
			return nil
		})
		r.kill(0)
		r.kill(1)
		r.eventually(func() error {
			if n, err := r.count(2, ring.One, "SELECT * FROM ks.t"); err != nil || n != 21 {
				return fmt.Errorf("the node that came back has %d rows of 21: %v", n, err)
			}
			return nil
		})
	})
}

// TestJoinAfterTables has a node come too late.
func TestJoinAfterTables(t *testing.T) {
	inRing(t, 2, func(r *testRing) {
		r.settle()
		r.must(0, ring.One, "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 2}")
		r.must(0, ring.One, "CREATE TABLE ks.t (k int PRIMARY KEY)")
		r.disks, r.nodes = append(r.disks, vfs.NewMem()), append(r.nodes, nil)
		if err := r.try(2); err == nil || !strings.Contains(err.Error(), "before the first CREATE TABLE") {
			r.t.Fatalf("a node that comes after the first table: %v", err)
		}
		if names, err := r.disks[2].List("/data"); err != nil || len(names) > 1 || len(names) == 1 && names[0] != "lock" {
			r.t.Errorf("it leaves %v, %v", names, err)
		}
		r.must(1, ring.One, "DROP TABLE ks.t")
		r.start(2)
		r.settle()
		r.want(2, ring.One, 2, "SELECT * FROM system.peers_v2")
	})
}

// TestLostDisk brings a node back on what its disk had some time ago, and on
// another disk.
func TestLostDisk(t *testing.T) {
	inRing(t, 3, func(r *testRing) {
		r.table()
		old := r.disks[2].CrashClone(vfs.CrashOptions{})
		r.must(2, ring.All, insert, 1, "acknowledged")
		time.Sleep(time.Minute) // the others hear of its clock mark
		r.kill(2)
		newest := r.disks[2]
		r.disks[2] = old
		if err := r.try(2); err == nil || !strings.Contains(err.Error(), "older state of itself") {
			r.t.Fatalf("a disk of a minute ago: %v", err)
		}
		r.disks[2] = newest
		r.start(2)
		r.want(2, ring.One, 1, "SELECT * FROM ks.t")
		r.kill(2)
		r.disks[2] = vfs.NewMem()
		if err := r.try(2); err == nil || !strings.Contains(err.Error(), "before the first CREATE TABLE") {
			r.t.Fatalf("an empty disk: %v", err)
		}
	})
}

// TestLostDiskFirst brings a node back on what its disk had some time ago while
// nobody is there to refuse it. It must not keep the others from starting, nor
// count for their levels.
func TestLostDiskFirst(t *testing.T) {
	inRing(t, 3, func(r *testRing) {
		r.table()
		old := r.disks[2].CrashClone(vfs.CrashOptions{})
		r.must(2, ring.All, insert, 1, "acknowledged")
		r.pause(time.Minute) // the others hear of its clock mark
		for i := range r.nodes {
			r.kill(i)
		}
		newest := r.disks[2]
		r.disks[2] = old
		r.start(2)
		r.start(0)
		r.start(1)
		wants := func(i int) {
			t.Helper()
			r.eventually(func() error {
				n, err := r.count(i, ring.Quorum, "SELECT * FROM ks.t")
				if err == nil && n != 2 {
					err = fmt.Errorf("node %d: %d rows", i+1, n)
				}
				return err
			})
		}
		r.eventually(func() error { return r.do(0, ring.Quorum, insert, 2, "by two") })
		wants(1)
		if err := r.do(0, ring.All, insert, 2, "by all"); err == nil {
			t.Error("a disk of a minute ago has taken a write")
		}
		if n, err := r.count(2, ring.Quorum, "SELECT * FROM ks.t"); err == nil {
			t.Errorf("others have answered it: %d rows", n)
		}
		r.kill(2)
		r.disks[2] = newest
		r.start(2)
		wants(2)
	})
}

// TestLostDiskOfAReplica is that for a node that stamps nothing: clients do, and
// talk to others.
func TestLostDiskOfAReplica(t *testing.T) {
	inRing(t, 3, func(r *testRing) {
		r.table()
		old := r.disks[2].CrashClone(vfs.CrashOptions{})
		r.must(0, ring.All, "INSERT INTO ks.t (k, v) VALUES (1, 'acknowledged') USING TIMESTAMP 1")
		r.pause(time.Minute) // the others hear of its clock mark
		r.kill(2)
		newest := r.disks[2]
		r.disks[2] = old
		if err := r.try(2); err == nil || !strings.Contains(err.Error(), "older state of itself") {
			r.t.Fatalf("a disk of a minute ago: %v", err)
		}
		r.disks[2] = newest
		r.start(2)
		r.want(2, ring.One, 1, "SELECT * FROM ks.t")
	})
}

// TestStartCountedTwice brings a node back, a moment after a start, on what its
// disk had before that start.
func TestStartCountedTwice(t *testing.T) {
	inRing(t, 3, func(r *testRing) {
		r.table()
		r.kill(2)
		old := r.disks[2].CrashClone(vfs.CrashOptions{})
		r.start(2)
		r.settle()
		r.must(2, ring.All, insert, 1, "acknowledged")
		r.kill(2)
		r.disks[2] = old
		if err := r.try(2); err == nil || !strings.Contains(err.Error(), "older state of itself") {
			r.t.Fatalf("a disk of before the last start: %v", err)
		}
	})
}

// TestLostPart brings a node back without a part of its directory, and with
// that of another node.
func TestLostPart(t *testing.T) {
	inRing(t, 3, func(r *testRing) {
		r.table()
		r.must(2, ring.All, insert, 1, "acknowledged")
		r.kill(2)
		whole := r.disks[2]
		for _, part := range []string{"data", "commitlog", "metadata", "hints", "batchlog"} {
			r.disks[2] = whole.CrashClone(vfs.CrashOptions{})
			if err := r.disks[2].RemoveAll("/data/" + part); err != nil {
				t.Fatal(err)
			}
			if err := r.try(2); err == nil || !strings.Contains(err.Error(), "has lost /data/"+part) {
				r.t.Errorf("without %s: %v", part, err)
			}
		}
		r.disks[2] = whole
		r.start(2)
		r.want(2, ring.One, 1, "SELECT * FROM ks.t")
	})
}

// TestJoinOfAFounder starts the directory of a node that was once started alone
// with --join to another cluster: it is told so, and nothing changes on disk.
func TestJoinOfAFounder(t *testing.T) {
	for _, name := range []string{"Test Cluster", "Another"} {
		inRing(t, 2, func(r *testRing) {
			r.settle()
			r.disks, r.nodes = append(r.disks, vfs.NewMem()), append(r.nodes, nil)
			alone := func(o *node.Options) { o.Config.Join, o.Config.ClusterName = nil, name }
			if err := r.try(2, alone); err != nil {
				t.Fatal(err)
			}
			r.stop(2)
			identity, err := vfs.ReadFile(r.disks[2], "/data/identity", 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			err = r.try(2, func(o *node.Options) { o.Config.ClusterName = name })
			if err == nil || !strings.Contains(err.Error(), "has founded a cluster of its own") || strings.Contains(err.Error(), "\n") {
				t.Errorf("with --join to another cluster: %v", err)
			}
			if after, err := vfs.ReadFile(r.disks[2], "/data/identity", 1<<20); err != nil || string(after) != string(identity) {
				t.Errorf("the identity has changed: %v", err)
			}
			var log strings.Builder
			var mu sync.Mutex
			listen := func(o *node.Options) {
				o.Config.ClusterName, o.Config.Join = name, []string{"127.0.0.77"}
				o.Log = slog.New(slog.NewTextHandler(&lockedWriter{&mu, &log}, nil))
			}
			if err := r.try(2, listen); err != nil {
				t.Errorf("with --join to nobody: %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			if !strings.Contains(log.String(), "--join is passed over") {
				t.Errorf("it does not say that it stays alone: %s", log.String())
			}
		})
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	w  *strings.Builder
}

func (w *lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.w.Write(p)
}

// TestEmptiedFounder starts the first node on an empty directory again, without
// --join: it founds another cluster, and says that the old one looks for it.
func TestEmptiedFounder(t *testing.T) {
	inRing(t, 3, func(r *testRing) {
		r.settle()
		r.kill(0)
		r.disks[0] = vfs.NewMem()
		var log strings.Builder
		var mu sync.Mutex
		err := r.try(0, func(o *node.Options) { o.Log = slog.New(slog.NewTextHandler(&lockedWriter{&mu, &log}, nil)) })
		if err != nil {
			t.Fatal(err)
		}
		r.eventually(func() error {
			mu.Lock()
			defer mu.Unlock()
			if !strings.Contains(log.String(), "its data directory was emptied or is not mounted") {
				return errors.New("it does not say that another cluster looks for it")
			}
			return nil
		})
	})
}

// TestWaitsForItsCluster has a node start before the one that it is to join.
func TestWaitsForItsCluster(t *testing.T) {
	inRing(t, 1, func(r *testRing) {
		r.stop(0)
		r.disks, r.nodes = append(r.disks, vfs.NewMem()), append(r.nodes, nil)
		joined := make(chan error)
		go func() { joined <- r.try(1) }()
		time.Sleep(20 * time.Second)
		select {
		case err := <-joined:
			r.t.Fatalf("joined nobody: %v", err)
		default:
		}
		r.start(0)
		if err := <-joined; err != nil {
			r.t.Fatal(err)
		}
		r.settle()
		r.want(0, ring.One, 1, "SELECT * FROM system.peers_v2")
		ctx, cancel := context.WithCancelCause(r.t.Context())
		gone := errors.New("no more patience")
		go func() {
			time.Sleep(time.Second)
			cancel(gone)
		}()
		o, _ := r.options(1)
		o.FS, o.Config.ListenAddress, o.Config.Join = vfs.NewMem(), "127.0.0.9", []string{"127.0.0.8"}
		if _, err := node.New(ctx, o); !errors.Is(err, gone) {
			r.t.Errorf("a start that was given up: %v", err)
		}
	})
}

// TestCloseWithoutQuorum closes a node that waits for voters which are gone.
func TestCloseWithoutQuorum(t *testing.T) {
	inRing(t, 3, func(r *testRing) {
		r.table()
		r.pause(10 * time.Second) // all three vote
		r.kill(1)
		r.kill(2)
		failed := make(chan error, 1)
		go func() { failed <- r.do(0, ring.One, "ALTER TABLE ks.t ADD w int") }()
		time.Sleep(time.Second)
		began := time.Now()
		r.stop(0)
		if took := time.Since(began); took > time.Second {
			r.t.Errorf("it took %v", took)
		}
		if err := <-failed; err == nil || !strings.Contains(err.Error(), "shutting down; the change of the schema was not agreed on yet") {
			r.t.Errorf("the change of the schema: %v", err)
		}
	})
}

// TestCloseAtOnce closes a node that does nothing while others live.
func TestCloseAtOnce(t *testing.T) {
	inRing(t, 3, func(r *testRing) {
		r.table()
		began := time.Now()
		r.stop(0)
		if took := time.Since(began); took > leaveMost {
			r.t.Errorf("it took %v", took)
		}
		r.eventually(func() error {
			n, err := r.count(1, ring.One, "SELECT * FROM system_views.gossip_info WHERE rpc_ready = 'true' ALLOW FILTERING")
			if err == nil && n != 2 {
				err = fmt.Errorf("%d nodes are up", n)
			}
			return err
		})
		if took := time.Since(began); took > 3*time.Second {
			r.t.Errorf("the others know it after %v", took)
		}
	})
}

// leaveMost is what a node takes to end that has nothing to do, with the time in
// which it tells others.
const leaveMost = 500 * time.Millisecond

// TestAllComeBack stops all nodes and starts them again.
func TestAllComeBack(t *testing.T) {
	inRing(t, 3, func(r *testRing) {
		r.table()
		r.must(0, ring.All, insert, 1, "x")
		for i := range 3 {
			r.kill(i)
		}
		var all sync.WaitGroup
		for i := range 3 {
			all.Go(func() { r.start(i) })
		}
		all.Wait()
		r.settle()
		for i := range 3 {
			r.want(i, ring.All, 1, "SELECT * FROM ks.t")
		}
		r.eventually(func() error { return r.do(2, ring.One, "ALTER TABLE ks.t ADD w int") })
		r.must(0, ring.All, "INSERT INTO ks.t (k, w) VALUES (2, 2)")
	})
}
