package node

import (
	"slices"
	"sort"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/internal/fail"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/wire"
)

// fence refuses a read that was planned on another schema of its table or other
// owners of its tokens, from and to included, than are in force.
func (n *network) fence(id schema.TableID, from, to ring.Token, epoch uint64) *wire.Error {
	top := n.cluster.Topology()
	if epoch > top.Epoch {
		return &wire.Error{Code: wire.CodeBehind, Epoch: top.Epoch}
	}
	t, placed := n.cluster.Schema().TableByID(id), top.Tables[id]
	switch {
	case t == nil || placed == nil:
		return &wire.Error{Code: wire.CodeUnknownTable, Epoch: top.Epoch}
	case fail.Mutant("skip-fencing"):
		return nil
	case t.Epoch > epoch:
		return &wire.Error{Code: wire.CodeStale, Epoch: top.Epoch}
	}
	if code := fenceOwners(placed, from, to, epoch); code != 0 {
		return &wire.Error{Code: code, Epoch: top.Epoch}
	}
	return nil
}

// fenceOwners compares the owners of the ranges that hold the tokens.
func fenceOwners(p *cluster.Placement, from, to ring.Token, epoch uint64) wire.Code {
	i := sort.Search(len(p.Ranges), func(i int) bool { return p.Ranges[i].Range.End >= from })
	for {
		set := &p.Ranges[i%len(p.Ranges)]
		switch {
		case set.Changed > epoch:
			return wire.CodeStale
		case !slices.Contains(set.Read, 0):
			return wire.CodeNotOwner
		case i >= len(p.Ranges) || set.Range.End >= to:
			return 0
		}
		i++
	}
}
