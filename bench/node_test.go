package bench

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ilion-db/ilion/internal/admin"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/config"
	"github.com/ilion-db/ilion/internal/node"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/transport"
	"github.com/ilion-db/ilion/internal/vfs"
)

// patience is far above what anything here takes; CI machines stall.
const patience = 2 * time.Minute

// listening remembers where its user listens: for CQL, HTTP and other nodes.
type listening struct {
	transport.Transport
	mu sync.Mutex // protects what follows
	at []string
}

func (l *listening) Listen(address string) (net.Listener, error) {
	ln, err := l.Transport.Listen(address)
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.at = append(l.at, ln.Addr().String())
	}
	return ln, err
}

// server is a node of this process, with its data in memory.
type server struct {
	*node.Node
	cql, http, internode string
	once                 sync.Once
}

// startServer starts the i-th node, which joins the one at an address, if it
// is not "".
func startServer(t *testing.T, i int, join string) *server {
	t.Helper()
	c := config.Default()
	c.DataDir, c.ListenAddress = "/data", fmt.Sprintf("127.0.0.%d", i+1)
	c.NativePort, c.HTTPPort, c.InternodePort = 0, 0, 0
	c.Memory, c.CommitlogSegment = config.MinMemory, 1<<20
	c.RequestTimeout, c.ReadTimeout, c.RangeTimeout, c.WriteTimeout = patience, patience, patience, patience
	if join != "" {
		c.Join = []string{join}
	}
	l := &listening{Transport: transport.TCP}
	n, err := node.New(t.Context(), node.Options{
		Config: c, Version: "test", Clock: clock.Real, FS: vfs.NewMem(), Rand: rand.NewSecure(), Transport: l, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Node: n, cql: l.at[0], http: l.at[1], internode: l.at[2]}
	t.Cleanup(s.stop)
	return s
}

func (s *server) stop() {
	s.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		s.Close(ctx)
	})
}

// awaitUp waits until each of some nodes sees all of them up, and no other.
func awaitUp(t *testing.T, nodes ...*server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for _, s := range nodes {
		for s.up(ctx) != len(nodes) {
			select {
			case <-tick.C:
			case <-ctx.Done():
				t.Fatalf("%s sees %d nodes up, not %d", s.cql, s.up(t.Context()), len(nodes))
			}
		}
	}
}

// up is how many nodes the server sees up, 0 if it does not tell.
func (s *server) up(ctx context.Context) (n int) {
	var status admin.Status
	if admin.Get(ctx, s.http, admin.StatusPath, nil, &status) != nil {
		return 0
	}
	for _, dc := range status.Datacenters {
		for _, o := range dc.Nodes {
			if o.Status == "Up" {
				n++
			}
		}
	}
	return n
}

// Sizes of small runs: write has written all rows.
const (
	fewOperations = 80
	fewRows       = 80
)

// small is a run of few operations.
func small(protocol, workload string, nodes ...*server) Config {
	c := Config{
		Workload: workload, Workers: 4, Operations: fewOperations,
		Data:   Data{Rows: fewRows, PartitionRows: 40},
		Target: Target{Protocol: protocol, Connections: 1, Keyspace: "by_" + protocol},
	}
	for _, n := range nodes {
		c.Target.Hosts = append(c.Target.Hosts, n.address(protocol))
	}
	return c
}

// address is where a protocol reaches the node.
func (s *server) address(protocol string) string {
	if protocol == "wire" {
		return s.internode
	}
	return s.cql
}

// byProtocol runs a test with each protocol and a node.
func byProtocol(t *testing.T, test func(t *testing.T, protocol string, s *server)) {
	s := startServer(t, 0, "")
	for _, p := range Protocols {
		t.Run(p, func(t *testing.T) { test(t, p, s) })
	}
}

func TestEveryWorkload(t *testing.T) {
	byProtocol(t, func(t *testing.T, protocol string, s *server) {
		for _, w := range append([]string{"write"}, Workloads...) {
			c := small(protocol, w, s)
			c.Data.ValueSizeMin, c.Data.ValueSize = 3, 30
			r, err := Run(t.Context(), c)
			if err != nil {
				t.Fatalf("%s: %v", w, err)
			}
			want := int64(fewOperations)
			if w == "verify" || w == "ycsb-load" {
				want = fewRows
			}
			if r.Operations != want || r.Failed() != 0 || r.Stale != 0 || r.Protocol != protocol {
				t.Errorf("%s: %d operations, want %d; %d stale, errors %v", w, r.Operations, want, r.Stale, r.FirstErrors)
			}
			if n := r.Nodes[s.cql]; protocol == "cql" && (len(r.Nodes) != 1 || n.Requests < want || n.Errors != 0) {
				t.Errorf("%s: requests by node %v", w, r.Nodes)
			}
		}
	})
}

func TestOpenLoopWithWarmup(t *testing.T) {
	byProtocol(t, func(t *testing.T, protocol string, s *server) {
		c := small(protocol, "ycsb-d", s)
		var progress bytes.Buffer
		c.Rate, c.Warmup, c.Duration, c.Progress = 500, 20*time.Millisecond, 100*time.Millisecond, &progress
		r, err := Run(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		// How many of the 50 that are due start in time depends on the machine.
		if r.Failed() != 0 || r.Operations > 50 || r.Rate != 500 {
			t.Errorf("%d operations, errors %v", r.Operations, r.FirstErrors)
		}
	})
}

func TestWrongRowsAreFound(t *testing.T) {
	byProtocol(t, func(t *testing.T, protocol string, s *server) {
		for _, w := range []string{"write", "ycsb-load"} {
			if _, err := Run(t.Context(), small(protocol, w, s)); err != nil {
				t.Fatal(err)
			}
		}
		c := small(protocol, "verify", s)
		c.Data.Rows = fewRows + 5
		r, err := Run(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if r.Operations != fewRows || r.Errors[wrongAnswer] != 5 || !strings.Contains(r.FirstErrors[wrongAnswer], "missing") {
			t.Errorf("verify of rows that were not written: %d operations, %v", r.Operations, r.FirstErrors)
		}
		for _, tc := range []struct {
			what, workload string
			change         func(*Config)
			want           string
		}{
			{"rows of another seed", "ycsb-c", func(c *Config) { c.Data.Seed = 2 }, "the table has other rows"},
			{"more columns than the table has", "write", func(c *Config) { c.Data.Columns = 6 }, "c5"},
			{"another replication than the keyspace has", "write", func(c *Config) { c.Target.Replication = "2" },
				"is there already with replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"},
			{"the other protocol's port", "write", func(c *Config) {
				c.Target.Hosts = []string{s.address(map[string]string{"cql": "wire", "wire": "cql"}[protocol])}
			}, map[string]string{"cql": "which must be the native port", "wire": "which must be the internode port"}[protocol]},
			{"an unknown data centre", "write", func(c *Config) { c.Target.LocalDC = "mars" }, `no node is in the data centre "mars", there are datacenter1`},
		} {
			c := small(protocol, tc.workload, s)
			tc.change(&c)
			if _, err := Run(t.Context(), c); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: %v, want %q", tc.what, err, tc.want)
			}
		}
	})
}

func TestOneOfThreeNodesIsDead(t *testing.T) {
	first := startServer(t, 0, "")
	second, third := startServer(t, 1, first.internode), startServer(t, 2, first.internode)
	awaitUp(t, first, second, third)
	run := func(protocol, workload, level string) *Report {
		t.Helper()
		c := small(protocol, workload, third, first, second)
		c.Target.Replication, c.Target.Consistency = "3", level
		r, err := Run(t.Context(), c)
		if err != nil {
			t.Fatalf("%s by %s at %s: %v", workload, protocol, level, err)
		}
		return r
	}
	for _, p := range Protocols {
		if r := run(p, "write", "ALL"); r.Operations != fewOperations || r.Failed() != 0 || len(r.Nodes) != 3 {
			t.Errorf("%s, three nodes: %d operations, errors %v, by node %v", p, r.Operations, r.FirstErrors, r.Nodes)
		}
	}
	third.stop()
	awaitUp(t, first, second)
	for _, p := range Protocols {
		if r := run(p, "verify", "QUORUM"); r.Operations+r.Failed() != fewRows || r.Errors[wrongAnswer] != 0 || r.Nodes[third.cql].Requests != 0 {
			t.Errorf("%s, two nodes: %d operations, errors %v, by node %v", p, r.Operations, r.FirstErrors, r.Nodes)
		}
		if r := run(p, "write", "ALL"); r.Operations != 0 || r.Failed() != fewOperations || r.Errors[wrongAnswer] != 0 {
			t.Errorf("%s, two of three nodes at ALL: %d operations, errors %v, by node %v", p, r.Operations, r.Errors, r.Nodes)
		}
	}
}
