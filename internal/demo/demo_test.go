package demo

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"strings"
	"syscall"
	"testing"
)

func TestRefuses(t *testing.T) {
	for _, c := range []Config{
		{Rate: 1}, {Nodes: maxNodes + 1, Datacenters: 1, Rate: 1}, {Nodes: 2, Datacenters: 3, Rate: 1}, {Nodes: 2, Rate: 1},
		{Nodes: 2, Datacenters: 1}, {Nodes: 2, Datacenters: 1, Rate: -1}, {Nodes: 2, Datacenters: 1, Rate: math.NaN()},
	} {
		c.Out, c.Binary = io.Discard, "/nonexistent/ilion"
		if err := Run(context.Background(), c); err == nil || strings.Contains(err.Error(), c.Binary) {
			t.Errorf("%+v runs: %v", c, err)
		}
	}
}

// TestNodeThatEnds has a program for a node that is none.
func TestNodeThatEnds(t *testing.T) {
	d := &demo{cfg: Config{Nodes: 1, Datacenters: 1, Rate: 1, Binary: "/bin/false", Out: io.Discard}, dir: t.TempDir()}
	defer d.stop()
	err := d.start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "node 1 on 127.0.0.1 has ended: exit status 1") {
		t.Error(err)
	}
}

// TestPortInUse has a server where a node is to be, on an address of its own.
func TestPortInUse(t *testing.T) {
	const address = "127.77.88.99"
	if err := free(address); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", address+":9180")
	if err != nil {
		t.Fatal(err)
	}
	if err := free(address); err == nil || !strings.Contains(err.Error(), "port 9180 of 127.77.88.99") || !errors.Is(err, syscall.EADDRINUSE) {
		t.Error(err)
	}
	l.Close()
	if err := free(address); err != nil {
		t.Error(err)
	}
}

func TestReplication(t *testing.T) {
	for _, c := range []struct {
		nodes, dcs int
		want       string
	}{
		{1, 1, "'dc1': 1}"}, {3, 1, "'dc1': 3}"}, {5, 1, "'dc1': 3}"}, {6, 2, "'dc1': 3, 'dc2': 3}"}, {5, 3, "'dc1': 2, 'dc2': 2, 'dc3': 1}"},
	} {
		d := &demo{cfg: Config{Nodes: c.nodes, Datacenters: c.dcs}}
		if got := d.replication(); !strings.HasSuffix(got, c.want) {
			t.Errorf("%d nodes in %d: %s", c.nodes, c.dcs, got)
		}
		count := map[string]int{}
		for i := range c.nodes {
			count[d.dc(i)]++
		}
		if len(count) != c.dcs {
			t.Errorf("%d nodes are in %v", c.nodes, count)
		}
	}
}
