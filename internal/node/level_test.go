//go:build nextlevel

package node_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/cluster/metadata"
	"github.com/ilion-db/ilion/internal/level"
	"github.com/ilion-db/ilion/internal/node"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/ring"
)

// older makes a node one of the version before: it agrees to no newer level.
func older(o *node.Options) { o.Config.FormatLevel = int(level.First) }

// inMixedRing is inRing with nodes that are changed before they start.
func inMixedRing(t *testing.T, nodes int, change func(i int, o *node.Options), f func(*testRing)) {
	synctest.Test(t, func(t *testing.T) {
		r := &testRing{t: t}
		defer r.end()
		for i := range nodes {
			r.disks, r.nodes = append(r.disks, vfs.NewMem()), append(r.nodes, nil)
			if err := r.try(i, func(o *node.Options) { change(i, o) }); err != nil {
				t.Fatalf("node %d: %v", i+1, err)
			}
		}
		f(r)
	})
}

// levelOf is the format level that a node's directory is written in.
func (r *testRing) levelOf(i int) uint16 {
	r.t.Helper()
	id, err := metadata.ReadIdentity(r.disks[i], "/data", "Test Cluster")
	if err != nil {
		r.t.Fatal(err)
	}
	return id.FormatLevel
}

// atLevel wants that all directories have the level, now and for longer than
// nodes take to look whether they can raise it.
func (r *testRing) atLevel(want uint16, stays time.Duration) {
	r.t.Helper()
	r.pause(stays)
	for i := range r.nodes {
		if got := r.levelOf(i); got != want {
			r.t.Fatalf("node %d is at level %d, want %d", i+1, got, want)
		}
	}
}

// restart starts a node as another version.
func (r *testRing) restart(i int, change ...func(*node.Options)) {
	r.t.Helper()
	r.stop(i)
	if err := r.try(i, change...); err != nil {
		r.t.Fatalf("node %d: %v", i+1, err)
	}
	r.settle()
}

// work writes and reads through every node at ALL, and changes the schema.
func (r *testRing) work(round int) {
	r.t.Helper()
	for i := range r.nodes {
		r.must(i, ring.All, "INSERT INTO ks.t (k, v) VALUES (?, 'v')", round*10+i)
		r.must(i, ring.All, fmt.Sprintf("CREATE TABLE ks.t%d_%d (k int PRIMARY KEY, v text)", round, i))
		r.must((i+1)%len(r.nodes), ring.All, fmt.Sprintf("INSERT INTO ks.t%d_%d (k, v) VALUES (1, 'v')", round, i))
	}
	for i := range r.nodes {
		for round := range round + 1 {
			for of := range r.nodes {
				r.want(i, ring.All, 1, "SELECT * FROM ks.t WHERE k = ?", round*10+of)
				r.want(i, ring.All, 1, fmt.Sprintf("SELECT * FROM ks.t%d_%d WHERE k = 1", round, of))
			}
		}
	}
}

// A ring of two versions writes the level of the older one, and goes back to it
// as long as one node has it; when all are of the newer one the level rises.
func TestMixedLevels(t *testing.T) {
	// Longer than nodes take to look by themselves.
	const stays = 30 * time.Second
	mixed := func(i int, o *node.Options) {
		if i < 2 {
			older(o)
		}
	}
	inMixedRing(t, 3, mixed, func(r *testRing) {
		r.table()
		r.work(0)
		r.atLevel(level.First, stays)
		r.restart(2, older)
		r.work(1)
		r.atLevel(level.First, stays)
		for i := range r.nodes {
			r.atLevel(level.First, stays)
			r.restart(i)
			r.must(i, ring.Quorum, "INSERT INTO ks.t (k, v) VALUES (?, 'v')", 1000+i)
		}
		r.eventually(func() error {
			for i := range r.nodes {
				if got := r.levelOf(i); got != level.Origins {
					return fmt.Errorf("node %d is at level %d", i+1, got)
				}
			}
			return nil
		})
		r.work(2)
		for i := range r.nodes {
			r.stop(i)
			if err := r.try(i, older); err == nil || !strings.Contains(err.Error(), "is written in format level 2, and --format-level says 1") {
				t.Fatalf("node %d has started as the older version: %v", i+1, err)
			}
			r.start(i)
			r.settle()
		}
		r.work(3)
		r.atLevel(level.Origins, 0)
	})
}

// A cluster that begins with the newer version writes its level, and refuses an
// older one by name.
func TestOlderNodeCannotJoin(t *testing.T) {
	inMixedRing(t, 1, func(int, *node.Options) {}, func(r *testRing) {
		r.eventually(func() error {
			if got := r.levelOf(0); got != level.Origins {
				return fmt.Errorf("level %d", got)
			}
			return nil
		})
		r.disks, r.nodes = append(r.disks, vfs.NewMem()), append(r.nodes, nil)
		err := r.try(1, older)
		if err == nil || !strings.Contains(err.Error(), "no common format level") || !strings.Contains(err.Error(), "upgrade the older node") {
			t.Fatalf("an older node has joined: %v", err)
		}
		r.start(1)
		r.settle()
		r.atLevel(level.Origins, 0)
	})
}

// A node that is held at the older level keeps the way back open for all.
func TestHeldLevel(t *testing.T) {
	inMixedRing(t, 2, func(_ int, o *node.Options) { older(o) }, func(r *testRing) {
		r.settle()
		r.restart(0)
		r.atLevel(level.First, time.Minute)
		r.restart(0, older)
		r.restart(1)
		r.atLevel(level.First, time.Minute)
		r.restart(0)
		r.eventually(func() error {
			if a, b := r.levelOf(0), r.levelOf(1); a != level.Origins || b != level.Origins {
				return fmt.Errorf("levels %d and %d", a, b)
			}
			return nil
		})
	})
}
