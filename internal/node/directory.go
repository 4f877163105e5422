package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ilion-db/ilion/cluster/hlc"
	"github.com/ilion-db/ilion/cluster/metadata"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/ring"
)

// aliveEvery is how often the clock mark and the last-alive time are kept.
const aliveEvery = 10 * time.Second

// openDirectory locks the data directory.
func (n *Node) openDirectory(context.Context) error {
	c := &n.opts.Config
	fs, dir := n.opts.FS, c.DataDir
	if err := vfs.MkdirAllSync(fs, dir); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	lock, err := fs.Lock(dir + "/lock")
	if errors.Is(err, vfs.ErrLocked) {
		return fmt.Errorf("data directory %s is in use by another ilion: %w", dir, err)
	}
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	n.lock = lock
	return nil
}

// openMetadata finds out who the directory is and reads what the cluster has
// agreed on. A directory that is refused stays as it was: nothing is written
// before its identity and its place are known to be ours.
func (n *Node) openMetadata(ctx context.Context) error {
	if n.network != nil {
		if err := n.network.enter(ctx); err != nil {
			return err
		}
		n.meta = n.network.log
		return nil
	}
	c := &n.opts.Config
	var err error
	n.identity, err = metadata.ReadIdentity(n.opts.FS, c.DataDir, c.ClusterName)
	if errors.Is(err, vfs.ErrNotExist) {
		err = n.openIdentity()
	}
	if err == nil {
		err = n.identity.CheckParts(n.opts.FS, c.DataDir)
	}
	if err != nil {
		return err
	}
	n.meta, err = metadata.Open(n.opts.FS, c.DataDir+"/metadata", metadata.Options{
		Generation: n.identity.Generation,
		HostID:     n.identity.HostID,
		Warn:       func(msg string) { n.log.Warn(msg) },
	})
	if err != nil {
		return err
	}
	if err := n.register(ctx); err != nil {
		return err
	}
	if n.identityFile == nil {
		return n.openIdentity()
	}
	return nil
}

// ownParts makes the directory's parts its own, now that all are there and before
// anything in them is acknowledged.
func (n *Node) ownParts(context.Context) error {
	parts := metadata.PartTables | metadata.PartLog | metadata.PartMetadata
	if n.network != nil {
		parts |= metadata.PartVotes | metadata.PartHints | metadata.PartBatches
	}
	return n.identityFile.Own(parts)
}

// openIdentity counts this start, or the first one.
func (n *Node) openIdentity() (err error) {
	if n.identityFile, err = metadata.OpenIdentity(n.opts.FS, n.opts.Config.DataDir, n.opts.Config.ClusterName, n.opts.Rand); err == nil {
		n.identity = n.identityFile.Identity()
	}
	return err
}

// register makes an embedded node the only member: its tokens are chosen at the
// first start, and its place may not change under data.
func (n *Node) register(ctx context.Context) error {
	c := &n.opts.Config
	members := n.meta.Members()
	for _, m := range members {
		if m.HostID != n.identity.HostID {
			continue
		}
		if len(members) > 1 {
			return fmt.Errorf("data directory %s belongs to one of %d nodes of a cluster: open it with ilion serve", c.DataDir, len(members))
		}
		if m.DC != c.DC || m.Rack != c.Rack {
			return fmt.Errorf("data directory %s belongs to data centre %q, rack %q; starting it as %q, %q would misplace its data", c.DataDir, m.DC, m.Rack, c.DC, c.Rack)
		}
		return nil
	}
	_, err := n.meta.Register(ctx, metadata.Member{
		HostID: n.identity.HostID, DC: c.DC, Rack: c.Rack, Tokens: ring.AllocateTokens(c.NumTokens, n.opts.Rand),
	})
	return err
}

// tokens are this node's.
func (n *Node) tokens() []ring.Token {
	for _, m := range n.meta.Members() {
		if m.HostID == n.identity.HostID {
			return m.Tokens
		}
	}
	return nil
}

// keepIdentity writes the clock mark and the time down, until the node closes.
func (n *Node) keepIdentity() {
	tick := n.opts.Clock.NewTicker(aliveEvery)
	defer tick.Stop()
	for {
		select {
		case <-n.closing:
			return
		case <-tick.C():
		}
		n.identityWritten(n.saveIdentity())
		if n.network != nil {
			n.network.tellMark()
		}
	}
}

// identityWritten ends a node whose identity can no longer be written. A full
// disk may have space again for the next time.
func (n *Node) identityWritten(err error) {
	switch {
	case errors.Is(err, vfs.ErrNoSpace):
		n.log.Warn("identity could not be written", "error", err)
	case err != nil:
		n.fail(err)
	}
}

// saveIdentity keeps the clock mark and the time. The mark rises each time, also
// where only clients stamp: an older state of the directory has an older one, by
// which others find out.
func (n *Node) saveIdentity() error {
	mark := max(n.stamper.Mark(), n.identityFile.Identity().ClockMark+1)
	return n.identityFile.Mark(mark, n.opts.Clock.Now().UnixMicro())
}

// startStamper begins above everything this node is known to have stamped.
func (n *Node) startStamper(stamper *hlc.Clock) {
	stamper.StartAbove(n.engine.Replayed().Mark)
	n.stamper = stamper
	if mark := stamper.Mark(); mark-n.opts.Clock.Now().UnixMicro() > hlc.MaxLead.Microseconds() {
		n.log.Warn("this node has given stamps that are far ahead of its clock and goes on above them, which other nodes do not follow: "+
			"its clock is wrong now, or was", "newest", time.UnixMicro(mark).UTC())
	}
}

// keepStamps makes durable, before a flush, what later runs have to stamp above.
// The log tells them of what is in it, but files do not; the next save may be
// aliveEvery away, and stamps may be ahead of the clock that a restart finds.
// Stamper need not know yet what was replayed.
func (n *Node) keepStamps(stamper *hlc.Clock, replayed int64) error {
	err := n.identityFile.Mark(max(stamper.Mark(), replayed), 0)
	n.identityWritten(err)
	return err
}
