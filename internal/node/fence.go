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
	return inForce{n.cluster.Topology(), n.cluster.Schema()}.fence(id, from, to, epoch)
}

// inForce is what reads are held against. The schema is loaded after the topology
// and may be newer.
type inForce struct {
	topology *cluster.Topology
	schema   *schema.Snapshot
}

// fence tells the epoch of the newer of the two: who is refused for what has changed
// asks again only if that is later than its own.
func (f inForce) fence(id schema.TableID, from, to ring.Token, epoch uint64) *wire.Error {
	if epoch > f.topology.Epoch {
		return &wire.Error{Code: wire.CodeBehind, Epoch: f.topology.Epoch}
	}
	t, placed, code := f.schema.TableByID(id), f.topology.Tables[id], wire.Code(0)
	switch {
	case t == nil || placed == nil:
		code = wire.CodeUnknownTable
	case fail.Mutant("skip-fencing"):
	case t.Epoch > epoch:
		code = wire.CodeStale
	default:
		code = fenceOwners(placed, from, to, epoch)
	}
	if code == 0 {
		return nil
	}
	return &wire.Error{Code: code, Epoch: max(f.topology.Epoch, f.schema.Epoch)}
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
