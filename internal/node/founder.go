package node

import (
	"context"
	"encoding/hex"
	"fmt"

	"github.com/ilion-db/ilion/cluster/metadata"
	"github.com/ilion-db/ilion/internal/level"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// checkSeeds refuses to start a node that founded a cluster of its own and is
// told to join another one. It says nothing that the others would remember, and
// members that do not answer in a moment are not waited for.
func (n *network) checkSeeds(ctx context.Context, id *metadata.Identity) error {
	if !id.Founder() {
		return nil
	}
	seeds, err := n.seeds()
	if err != nil {
		return nil // its own address only
	}
	endpoint, err := rpc.New(rpc.Config{
		Clock: n.opts.Clock, Transport: n.opts.Transport, Rand: n.opts.Rand.Split(), Log: n.Node.log, Key: n.key,
		Hello: func(wire.Purpose) wire.Hello {
			return wire.Hello{ClusterName: id.ClusterName, Lowest: level.Lowest, Highest: n.highestLevel()}
		},
	})
	if err != nil {
		return err
	}
	defer endpoint.Close()
	ctx, cancel := n.within(ctx, greetMoment)
	defer cancel()
	answers := make(chan error, len(seeds))
	for _, seed := range seeds {
		go func() {
			// Who refuses has said who it is.
			other, _, _ := endpoint.CallAddress(ctx, seed, wire.PurposeJoin, &rpc.Message{Op: wire.OpPing, Lane: rpc.Urgent})
			answers <- n.checkSeed(seed, id, &other)
		}()
	}
	for range seeds {
		if refused := <-answers; refused != nil {
			err = refused
		}
	}
	return err
}

func (n *network) checkSeed(seed string, id *metadata.Identity, other *wire.Hello) error {
	if other.ClusterID == id.ClusterID || other.ClusterID == [16]byte{} {
		return nil
	}
	dir := n.opts.Config.DataDir
	return fmt.Errorf("data directory %s has founded a cluster of its own, %q (%s), and --join names %s, which is of another one, %q (%s): "+
		"to join that, empty the directory or name another; to go on alone, start it without --join",
		dir, id.ClusterName, hex.EncodeToString(id.ClusterID[:]), seed, other.ClusterName, hex.EncodeToString(other.ClusterID[:]))
}

// alone tells whether this node is the only one of a cluster that it founded.
func (n *network) alone() bool { return n.identity.Founder() && len(n.log.State().Members) == 1 }

// refused looks at who is not let in. Members of another cluster of the same
// name that call the only node of its own look for the one that had its address
// before: its directory was emptied.
func (n *network) refused(h *wire.Hello, addr string) {
	id := n.self.Load()
	stranger := h.Purpose == wire.PurposePeer && h.ClusterName == id.ClusterName && h.ClusterID != id.ClusterID && h.ClusterID != [16]byte{}
	if !stranger || !n.logged.Load() || !n.alone() || !n.warned.CompareAndSwap(false, true) {
		return
	}
	n.Node.log.Error("a member of another cluster of the same name looks for this node: if it belongs there, its data directory was emptied or is not mounted, "+
		"and it has founded a new cluster instead of coming back. Stop it and start it on the directory that it had",
		"from", addr, "theirs", hex.EncodeToString(h.ClusterID[:]), "own", hex.EncodeToString(id.ClusterID[:]), "directory", n.opts.Config.DataDir)
}
