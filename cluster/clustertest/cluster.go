package clustertest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/mutation/mutationtest"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// Cluster tests a cluster.Cluster. open makes one with an empty schema and
// ends it when the test does. Each test runs in a bubble of synctest, so that
// its time-outs do not depend on the machine.
func Cluster(t *testing.T, open func(t *testing.T) cluster.Cluster) {
	for name, test := range map[string]func(*testing.T, cluster.Cluster){
		"writes and reads": clusterData,
		"schema":           clusterSchema,
		"truncate":         clusterTruncate,
		"levels":           clusterLevels,
		"stamps":           clusterStamps,
		"topology":         clusterTopology,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, open(t)) })
		})
	}
}

func propose(t *testing.T, c cluster.Cluster, change schema.Change) *schema.Snapshot {
	t.Helper()
	s, err := c.Propose(context.Background(), change, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func createTable(t *testing.T, c cluster.Cluster) schema.TableID {
	t.Helper()
	propose(t, c, createKeyspace())
	propose(t, c, schema.Change{Kind: schema.CreateTable, Table: Table("t", 1)})
	return c.Schema().Table(Keyspace, "t").ID
}

func clusterWrite(t *testing.T, c cluster.Cluster, w *cluster.Write) {
	t.Helper()
	done := newAwait()
	w.Done = done
	err := c.TryWrite(w)
	if errors.Is(err, mutation.ErrWouldBlock) {
		err = c.Write(context.Background(), w)
	}
	if err == nil {
		err = <-done
	}
	if err != nil {
		t.Fatal(err)
	}
}

func clusterDump(t *testing.T, c cluster.Cluster, cmd *mutation.ReadCommand) string {
	t.Helper()
	src, err := c.Read(context.Background(), cmd, ring.One)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	return mutationtest.Dump(src)
}

func clusterData(t *testing.T, c cluster.Cluster) {
	id := createTable(t, c)
	keys := keysOf(2)
	clusterWrite(t, c, &cluster.Write{Consistency: ring.One, Atomic: true, Records: []mutation.Record{
		Row(id, keys[0], mutationtest.Clustering(0), c.Now(), "old"), Row(id, keys[1], mutationtest.Clustering(0), c.Now(), "b"),
	}})
	clusterWrite(t, c, &cluster.Write{Consistency: ring.Quorum, Records: []mutation.Record{
		Row(id, keys[0], mutationtest.Clustering(0), c.Now(), "new"),
	}})
	got := clusterDump(t, c, &mutation.ReadCommand{Table: id, Keys: keys})
	if !strings.Contains(got, `="new"`) || !strings.Contains(got, `="b"`) || strings.Contains(got, `="old"`) {
		t.Errorf("got\n%s", got)
	}
	if all := clusterDump(t, c, &mutation.ReadCommand{Table: id}); all != got {
		t.Errorf("the range has\n%s\nthe keys\n%s", all, got)
	}
}

func clusterSchema(t *testing.T, c cluster.Cluster) {
	before := c.Schema()
	refused := errors.New("refused")
	if _, err := c.Propose(context.Background(), createKeyspace(), func(*schema.Snapshot) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("a refused change: %v", err)
	}
	if c.Schema().Version != before.Version {
		t.Error("a refused change has changed the schema")
	}
	after := propose(t, c, createKeyspace())
	if c.Schema().Keyspace(Keyspace) == nil || after.Keyspace(Keyspace) == nil || before.Keyspace(Keyspace) != nil {
		t.Error("the keyspace is not where it should be")
	}
	if after.Epoch <= before.Epoch || after.Version == before.Version {
		t.Error("epoch and version did not move")
	}
	if _, err := c.Propose(context.Background(), createKeyspace(), nil); err == nil {
		t.Error("a keyspace was made twice")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.Propose(ctx, schema.Change{Kind: schema.DropKeyspace, Keyspace: &schema.Keyspace{Name: Keyspace}}, nil); err != nil &&
		!errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func clusterTruncate(t *testing.T, c cluster.Cluster) {
	id := createTable(t, c)
	k := keysOf(1)
	clusterWrite(t, c, &cluster.Write{Consistency: ring.One, Records: []mutation.Record{Row(id, k[0], mutationtest.Clustering(0), c.Now(), "a")}})
	propose(t, c, schema.Change{Kind: schema.Truncate, Table: &schema.Table{Keyspace: Keyspace, Name: "t"}, TruncatedAt: c.Now()})
	if got := clusterDump(t, c, &mutation.ReadCommand{Table: id}); got != "" {
		t.Errorf("after TRUNCATE:\n%s", got)
	}
	clusterWrite(t, c, &cluster.Write{Consistency: ring.One, Records: []mutation.Record{Row(id, k[0], mutationtest.Clustering(0), c.Now(), "b")}})
	if got := clusterDump(t, c, &mutation.ReadCommand{Table: id}); !strings.Contains(got, `="b"`) {
		t.Errorf("after a write that follows TRUNCATE:\n%s", got)
	}
}

func clusterLevels(t *testing.T, c cluster.Cluster) {
	id := createTable(t, c)
	k := keysOf(1)
	rec := Row(id, k[0], mutationtest.Clustering(0), 1, "a")
	done := newAwait()
	err := c.Write(context.Background(), &cluster.Write{Records: []mutation.Record{rec}, Consistency: ring.Serial, Done: done})
	if !errors.Is(err, &native.Error{Code: native.CodeInvalid}) {
		t.Errorf("a write at SERIAL: %v", err)
	}
	if _, err := c.Read(context.Background(), &mutation.ReadCommand{Table: id, Keys: k}, ring.Any); !errors.Is(err, &native.Error{Code: native.CodeInvalid}) {
		t.Errorf("a read at ANY: %v", err)
	}
	if len(done) > 0 {
		t.Error("a refused write was completed")
	}
	for _, level := range []ring.ConsistencyLevel{ring.Any, ring.One, ring.LocalOne} {
		clusterWrite(t, c, &cluster.Write{Consistency: level, Records: []mutation.Record{rec}})
	}
}

func clusterStamps(t *testing.T, c cluster.Cluster) {
	last := c.Now()
	for range 1000 {
		now := c.Now()
		if now <= last {
			t.Fatalf("%d after %d", now, last)
		}
		last = now
	}
}

func clusterTopology(t *testing.T, c cluster.Cluster) {
	topology := c.Topology()
	if len(topology.Nodes) == 0 || !topology.Nodes[0].Local || !topology.Nodes[0].Up {
		t.Fatalf("%+v", topology)
	}
	propose(t, c, createKeyspace())
	if got := c.Topology().Nodes[0].SchemaVersion; got != c.Schema().Version {
		t.Errorf("schema version %v, want %v", got, c.Schema().Version)
	}
}
