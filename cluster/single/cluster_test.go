package single

import (
	"context"
	"errors"
	"testing"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cluster/clustertest"
	"github.com/ilion-db/ilion/cluster/hlc"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

func open(t *testing.T, r cluster.Replica, l Log) *Cluster {
	t.Helper()
	c, err := New(Config{Replica: r, Log: l, Stamper: hlc.New(clock.Real, 0), Node: cluster.Node{DC: "datacenter1"}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConformance(t *testing.T) {
	clustertest.Replica(t, func(*testing.T) cluster.Replica { return &clustertest.Store{} })
	clustertest.Cluster(t, func(t *testing.T) cluster.Cluster { return open(t, &clustertest.Store{}, &clustertest.Log{}) })
}

func TestConfigMustBeWhole(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("an empty config was taken")
	}
}

func TestLevelsBeyondOneReplica(t *testing.T) {
	c := open(t, &clustertest.Store{}, &clustertest.Log{})
	for level, want := range map[ring.ConsistencyLevel]int32{ring.Two: 2, ring.Three: 3} {
		err := c.TryWrite(&cluster.Write{Consistency: level})
		var e *native.Error
		if !errors.As(err, &e) || e.Code != native.CodeUnavailable || e.Required != want || e.Received != 1 || uint16(e.Consistency) != uint16(level) {
			t.Errorf("%v: %+v", level, err)
		}
		if _, err := c.TryRead(&mutation.ReadCommand{}, level); !errors.Is(err, &native.Error{Code: native.CodeUnavailable}) {
			t.Errorf("%v: %v", level, err)
		}
	}
	for _, level := range []ring.ConsistencyLevel{ring.Quorum, ring.All, ring.LocalQuorum, ring.EachQuorum, ring.Serial, ring.LocalSerial} {
		if err := checkRead(level); err != nil {
			t.Errorf("%v: %v", level, err)
		}
	}
}

// follower fails to follow the schema on demand and tells what it was asked.
type follower struct {
	clustertest.Store
	fail  error
	calls []string
	c     *Cluster
}

func (f *follower) ApplySchema(s *schema.Snapshot) error {
	if f.c != nil && f.c.Schema() == s {
		f.calls = append(f.calls, "late")
	}
	f.calls = append(f.calls, "schema")
	if f.fail != nil {
		return f.fail
	}
	return f.Store.ApplySchema(s)
}

func (f *follower) Truncate(ctx context.Context, id schema.TableID, epoch uint64, ts int64) error {
	f.calls = append(f.calls, "truncate")
	return f.Store.Truncate(ctx, id, epoch, ts)
}

func TestStoreFollowsBeforeTheSchemaIsVisible(t *testing.T) {
	f := &follower{}
	c := open(t, f, &clustertest.Log{})
	f.c = c
	cancel := c.Subscribe(func(s *schema.Snapshot, ch schema.Change) {
		if c.Schema() != s {
			f.calls = append(f.calls, "early")
		}
		f.calls = append(f.calls, "told")
	})
	ctx := context.Background()
	ks := &schema.Keyspace{Name: "k", Replication: map[string]string{"class": schema.SimpleStrategy, "replication_factor": "1"}}
	if _, err := c.Propose(ctx, schema.Change{Kind: schema.CreateKeyspace, Keyspace: ks}, nil); err != nil {
		t.Fatal(err)
	}
	table := clustertest.Table("t", 1)
	table.Keyspace = "k"
	if _, err := c.Propose(ctx, schema.Change{Kind: schema.CreateTable, Table: table}, nil); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := c.Propose(ctx, schema.Change{Kind: schema.Truncate, Table: &schema.Table{Keyspace: "k", Name: "t"}, TruncatedAt: 5}, nil); err != nil {
		t.Fatal(err)
	}
	want := []string{"schema", "told", "schema", "told", "schema", "truncate"}
	if len(f.calls) != len(want) {
		t.Fatalf("calls %v, want %v", f.calls, want)
	}
	for i := range want {
		if f.calls[i] != want[i] {
			t.Fatalf("calls %v, want %v", f.calls, want)
		}
	}
}

func TestStoreThatCannotFollowIsBroughtUpToDateFirst(t *testing.T) {
	f := &follower{}
	c := open(t, f, &clustertest.Log{})
	f.fail = errors.New("no room")
	propose := func(name string) error {
		_, err := c.Propose(context.Background(), schema.Change{Kind: schema.CreateKeyspace, Keyspace: &schema.Keyspace{Name: name}}, nil)
		return err
	}
	if err := propose("a"); !errors.Is(err, f.fail) {
		t.Fatal(err)
	}
	if err := propose("b"); !errors.Is(err, f.fail) {
		t.Fatal(err)
	}
	if c.Schema().Keyspace("a") != nil {
		t.Fatal("the schema shows what the store does not know")
	}
	f.fail = nil
	if err := propose("b"); err != nil {
		t.Fatal(err)
	}
	if s := c.Schema(); s.Keyspace("a") == nil || s.Keyspace("b") == nil {
		t.Fatal("a change got lost")
	}
}

// A crash may come between a TRUNCATE in the log and in the store.
func TestStartTruncatesWhatTheLogHas(t *testing.T) {
	l, f := &clustertest.Log{}, &follower{}
	ks := &schema.Keyspace{Name: clustertest.Keyspace, Replication: map[string]string{"class": schema.SimpleStrategy, "replication_factor": "1"}}
	for _, change := range []schema.Change{
		{Kind: schema.CreateKeyspace, Keyspace: ks},
		{Kind: schema.CreateTable, Table: clustertest.Table("t", 1)},
		{Kind: schema.Truncate, Table: &schema.Table{Keyspace: clustertest.Keyspace, Name: "t"}, TruncatedAt: 5},
	} {
		if _, err := l.Propose(context.Background(), change); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Store.ApplySchema(l.Snapshot()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		open(t, f, l)
	}
	if len(f.calls) != 1 || f.calls[0] != "truncate" {
		t.Errorf("calls %v", f.calls)
	}
}
