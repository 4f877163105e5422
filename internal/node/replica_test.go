package node_test

import (
	"testing"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cluster/clustertest"
	"github.com/ilion-db/ilion/engine"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/schema"
)

var _ cluster.Replica = (*engine.Engine)(nil)

// TestEngineIsReplica runs the conformance suite over the engine.
func TestEngineIsReplica(t *testing.T) {
	clustertest.Replica(t, func(t *testing.T) cluster.Replica {
		e, err := engine.Open(engine.Options{
			FS: vfs.OS, Dir: t.TempDir(), Clock: clock.Real, Rand: rand.NewSeeded(1),
			Schema: schema.NewSnapshot(), SegmentSize: 1 << 20,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		})
		return e
	})
}
