package node

import (
	"testing"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/wire"
)

// A read is refused with the epoch of what it is refused for, also if that came
// between the topology and the schema: with its own epoch it would not be asked
// again.
func TestFenceTellsTheNewerEpoch(t *testing.T) {
	id := schema.TableID{1}
	tables := schema.NewSnapshot()
	var altered, dropped *schema.Snapshot
	def := &schema.Table{
		ID: id, Keyspace: "ks", Name: "t", NextColumnID: 2, Options: schema.DefaultOptions(),
		PartitionKey: []*schema.Column{{ID: 1, Name: "k", Kind: schema.PartitionKey, Type: schema.TypeBlob}},
	}
	for _, step := range []struct {
		change schema.Change
		epoch  uint64
		at     **schema.Snapshot
	}{
		{schema.Change{Kind: schema.CreateKeyspace, Keyspace: &schema.Keyspace{Name: "ks"}}, 1, &tables},
		{schema.Change{Kind: schema.CreateTable, Table: def}, 2, &tables},
		{schema.Change{Kind: schema.AlterTable, Table: def}, 6, &altered},
		{schema.Change{Kind: schema.DropTable, Table: def}, 6, &dropped},
	} {
		s, err := tables.Apply(step.change, step.epoch)
		if err != nil {
			t.Fatal(err)
		}
		*step.at = s
	}
	top := func(epoch, changed uint64, read ...int) *cluster.Topology {
		p := &cluster.Placement{Ranges: []cluster.ReplicaSet{{Range: ring.Range{}, Read: read, Changed: changed}}}
		return &cluster.Topology{Epoch: epoch, Tables: map[schema.TableID]*cluster.Placement{id: p}}
	}
	for _, c := range []struct {
		name  string
		top   *cluster.Topology
		s     *schema.Snapshot
		epoch uint64 // of the read
		code  wire.Code
		told  uint64
	}{
		{"as planned", top(5, 2, 0), tables, 5, 0, 0},
		{"ahead", top(5, 2, 0), tables, 6, wire.CodeBehind, 5},
		{"before the owners changed", top(5, 4, 0), tables, 3, wire.CodeStale, 5},
		{"not the owner", top(5, 2, 1), tables, 5, wire.CodeNotOwner, 5},
		{"before the table changed", top(6, 2, 0), altered, 5, wire.CodeStale, 6},
		{"the table changed after the topology was loaded", top(5, 2, 0), altered, 5, wire.CodeStale, 6},
		{"the table was dropped after the topology was loaded", top(5, 2, 0), dropped, 5, wire.CodeUnknownTable, 6},
	} {
		e := inForce{c.top, c.s}.fence(id, 7, 7, c.epoch)
		if e == nil {
			e = &wire.Error{}
		}
		if e.Code != c.code || e.Epoch != c.told {
			t.Errorf("%s: %s at epoch %d, want %s at %d", c.name, e.Code, e.Epoch, c.code, c.told)
		}
	}
}
