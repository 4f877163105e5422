package replicaread

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/mutation/mutationtest"
	"github.com/ilion-db/ilion/ring"
)

// TestModel writes random records to random replicas, enough of them for a
// quorum, and compares random reads at QUORUM with a model of all records.
func TestModel(t *testing.T) {
	seeds := 80
	if testing.Short() {
		seeds = 8
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { modelRun(t, uint64(seed)) })
		})
	}
}

func modelRun(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 7))
	count := 1 + r.IntN(6)
	rf := 1 + r.IntN(min(count, 3))
	n := newNet(t, slices.Repeat([]string{"dc"}, count), nil)
	sets := randomPlacement(r, count, rf)
	n.place(rf, nil, sets)
	keys := genKeys(r, 1+r.IntN(20))
	gen := mutationtest.NewGen(seed)
	gen.Keys = keys
	gen.Rows = 4 + r.IntN(20)
	model := mutationtest.NewModel()
	p := &cluster.Placement{Ranges: sets}
	quorum := ring.QuorumOf(rf)
	for range 10 + r.IntN(150) {
		rec := n.withTable(gen.Record())
		model.Apply(rec)
		replicas := slices.Clone(p.Replicas(rec.Token()).Read)
		r.Shuffle(len(replicas), func(i, j int) { replicas[i], replicas[j] = replicas[j], replicas[i] })
		for _, to := range replicas[:quorum+r.IntN(rf-quorum+1)] {
			n.apply(to, rec)
		}
	}
	for range 30 {
		cmd := randomCommand(n, r, keys, gen.Rows)
		node := n.nodes[r.IntN(count)]
		src, err := node.rd.Read(context.Background(), cmd, ring.Quorum)
		if err != nil {
			t.Fatalf("%+v: %v", cmd, err)
		}
		got := live(t, src, cmd)
		src.Close()
		want := live(t, &chosen{Source: model.Source(cmd.Reverse), cmd: cmd}, cmd)
		if got != want {
			t.Fatalf("rf %d of %d, %+v\ngot\n%s\nwant\n%s", rf, count, cmd, got, want)
		}
	}
}

// randomPlacement cuts the ring into ranges of random replicas.
func randomPlacement(r *rand.Rand, nodes, rf int) []cluster.ReplicaSet {
	sets := make([]cluster.ReplicaSet, 1+r.IntN(12))
	for i := range sets {
		sets[i].Range.End = ring.Token(r.Uint64())
		sets[i].Read = r.Perm(nodes)[:rf]
	}
	slices.SortFunc(sets, func(a, b cluster.ReplicaSet) int {
		return comparePartitions(a.Range.End, nil, b.Range.End, nil)
	})
	for i := range sets {
		sets[i].Range.Start = sets[(i+len(sets)-1)%len(sets)].Range.End
	}
	return sets
}

func randomCommand(n *testNet, r *rand.Rand, keys []mutation.Key, rows int) *mutation.ReadCommand {
	cmd := &mutation.ReadCommand{Table: n.table, Now: 5 + 10*r.Uint32N(5), Static: true, Reverse: r.IntN(3) == 0, Distinct: r.IntN(6) == 0}
	switch r.IntN(3) {
	case 0:
		k := r.IntN(len(keys))
		cmd.Keys = keys[k : k+1]
	case 1:
		for _, k := range keys {
			if r.IntN(2) == 0 {
				cmd.Keys = append(cmd.Keys, k)
			}
		}
	}
	if cmd.Keys == nil && r.IntN(2) == 0 {
		a, b := keys[r.IntN(len(keys))], keys[r.IntN(len(keys))]
		if comparePartitions(a.Token, a.Key, b.Token, b.Key) > 0 {
			a, b = b, a
		}
		if r.IntN(2) == 0 {
			cmd.Range.Start = &mutation.PartitionBound{Token: a.Token, Key: a.Key, After: r.IntN(2) == 0}
			cmd.Range.End = &mutation.PartitionBound{Token: b.Token, Key: b.Key, After: true}
		} else {
			cmd.Range.Start = &mutation.PartitionBound{Token: a.Token, After: r.IntN(2) == 0}
			cmd.Range.End = &mutation.PartitionBound{Token: b.Token, After: true}
		}
	}
	for at := 0; r.IntN(2) == 0 && at < rows; {
		lo := at + r.IntN(3)
		hi := lo + 1 + r.IntN(4)
		s := mutation.Slice{Lo: mutationtest.BoundOf(lo, r.IntN(2) == 0), Hi: mutationtest.BoundOf(hi, r.IntN(2) == 0)}
		if at == 0 && r.IntN(2) == 0 {
			s.Lo = nil
		}
		if at = hi + 1; at >= rows && r.IntN(2) == 0 {
			s.Hi = nil
		}
		cmd.Slices = append(cmd.Slices, s)
	}
	switch r.IntN(3) {
	case 0:
		cmd.Bytes = 1 + r.IntN(300)
	case 1:
		cmd.Page = 1 + r.Uint32N(8)
	}
	if r.IntN(2) == 0 {
		cmd.PerPartitionLimit = 1 + r.Uint32N(4)
	}
	return cmd
}

// chosen is a source less the partitions that a command does not name.
type chosen struct {
	mutation.Source
	cmd *mutation.ReadCommand
}

func (c *chosen) NextPartition() bool {
	for c.Source.NextPartition() {
		p := c.Source.Partition()
		if c.cmd.Keys == nil && c.cmd.Range.Contains(p.Token, p.Key) ||
			slices.ContainsFunc(c.cmd.Keys, func(k mutation.Key) bool { return k.Token == p.Token && string(k.Key) == string(p.Key) }) {
			return true
		}
	}
	return false
}
