package demo

import (
	"context"
	"io"
	"strings"
	"testing"
)

func TestRefuses(t *testing.T) {
	for _, c := range []Config{{}, {Nodes: MaxNodes + 1, Datacenters: 1}, {Nodes: 2, Datacenters: 3}, {Nodes: 2}} {
		c.Out = io.Discard
		if err := Run(context.Background(), c); err == nil {
			t.Errorf("%+v runs", c)
		}
	}
}

// TestNodeThatEnds has a program for a node that is none.
func TestNodeThatEnds(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	err := Run(context.Background(), Config{Nodes: 1, Datacenters: 1, Binary: "/bin/false", Out: io.Discard})
	if err == nil || !strings.Contains(err.Error(), "node 1 on 127.0.0.1 has ended: exit status 1") {
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
