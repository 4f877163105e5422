package coordinator

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cluster/clustertest"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/wire/rpc"
)

func TestProposeWaitsForTheLiveNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, simple("1"), memberAt(0, "dc1", "r1"), memberAt(1, "dc1", "r1"), memberAt(2, "dc1", "r1"))
		f.peers[hostID(2)].set(dead)
		var target uint64
		f.peers[hostID(1)].do = func(m *rpc.Message, r rpc.Receiver) error {
			target = m.Epoch
			clock.Real.AfterFunc(time.Second, func() { r.Receive(&rpc.Answer{Epoch: m.Epoch}) })
			return nil
		}
		begin := clock.Real.Mono()
		s, err := f.Propose(context.Background(), schema.Change{Kind: schema.CreateTable, Table: clustertest.Table("u", 2)}, nil)
		if err != nil || s.Table(clustertest.Keyspace, "u") == nil {
			t.Fatal(err)
		}
		if took := clock.Real.Mono() - begin; took < time.Second || took > 2*time.Second {
			t.Errorf("answered after %v", took)
		}
		if target != f.Epoch() {
			t.Errorf("asked for epoch %d", target)
		}
	})
}

func TestProposeTellsWhoIsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, simple("1"), memberAt(0, "dc1", "r1"), memberAt(1, "dc1", "r1"))
		f.peers[hostID(1)].set(slow)
		begin := clock.Real.Mono()
		s, err := f.Propose(context.Background(), schema.Change{Kind: schema.CreateTable, Table: clustertest.Table("u", 2)}, nil)
		var behind *cluster.DisagreementError
		if !errors.As(err, &behind) || len(behind.Behind) != 1 || behind.Behind[0] != "10.0.0.2:7000" || s.Table(clustertest.Keyspace, "u") == nil {
			t.Fatalf("%v", err)
		}
		if took := clock.Real.Mono() - begin; took < agreement {
			t.Errorf("gave up after %v", took)
		}
		synctest.Wait()
	})
}

func TestWhatARingRefusesByName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, simple("2"), memberAt(0, "dc1", "r1"), memberAt(1, "dc1", "r1"))
		counters := clustertest.Table("counters", 2)
		counters.Regular = []*schema.Column{{ID: 1, Name: "n", Kind: schema.Regular, Position: -1, Type: schema.TypeCounter}}
		counters.Init()
		for name, c := range map[string]struct {
			change schema.Change
			want   string
		}{
			"counters": {schema.Change{Kind: schema.CreateTable, Table: counters}, "Counters are not supported"},
			"replication": {schema.Change{Kind: schema.AlterKeyspace, Keyspace: &schema.Keyspace{Name: clustertest.Keyspace, Replication: simple("1")}},
				"cannot be changed while it has tables"},
		} {
			_, err := f.Propose(context.Background(), c.change, nil)
			if !errors.Is(err, &native.Error{Code: native.CodeInvalid}) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, p := range f.peers {
			p.do = func(m *rpc.Message, r rpc.Receiver) error { r.Receive(&rpc.Answer{Epoch: m.Epoch}); return nil }
		}
		same := schema.Change{Kind: schema.AlterKeyspace, Keyspace: &schema.Keyspace{Name: clustertest.Keyspace, Replication: simple("2"), DurableWrites: false}}
		if _, err := f.Propose(context.Background(), same, nil); err != nil {
			t.Errorf("the same replication: %v", err)
		}
	})
}

func TestTruncateIsLaterThanTheOneBefore(t *testing.T) {
	f := newFixture(t, simple("1"), memberAt(0, "dc1", "r1"))
	for range 2 {
		before := f.Schema().Table(clustertest.Keyspace, "t").TruncatedAt
		if _, err := f.Propose(context.Background(), truncation(), nil); err != nil {
			t.Fatal(err)
		}
		if now := f.Schema().Table(clustertest.Keyspace, "t").TruncatedAt; now <= before {
			t.Errorf("truncated at %d after %d", now, before)
		}
	}
}
