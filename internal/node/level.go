package node

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ilion-db/ilion/cluster/metadata"
	"github.com/ilion-db/ilion/internal/level"
)

// levels is what is known of the format levels of this node and of others.
type levels struct {
	// written is the one in force here: the identity says so durably.
	written atomic.Uint32
	// wake, of capacity 1, is filled when a higher one may have become possible.
	wake chan struct{}

	mu sync.Mutex // protects what follows
	// highest is what the others could do when they last said hello.
	highest map[[16]byte]uint16
}

// highestLevel is the newest format level that this node reads and writes.
func (n *Node) highestLevel() uint16 {
	if l := n.opts.Config.FormatLevel; l != 0 {
		return uint16(l)
	}
	return level.Highest
}

// checkLevel refuses what is written in a level that is too new for this node.
func (n *Node) checkLevel(what string, l uint16) error {
	switch highest := n.highestLevel(); {
	case l <= highest:
		return nil
	case l <= level.Highest:
		return fmt.Errorf("%s format level %d, and --format-level says %d: nothing lowers the level, so start without it", what, l, highest)
	default:
		return fmt.Errorf("%s format level %d, and this version goes up to %d: start the version that it ran with, or a later one", what, l, highest)
	}
}

// level is the format level that this node writes.
func (n *Node) level() uint16 { return uint16(n.levels.written.Load()) }

// writeLevel begins to write a level, once the identity says so durably: a
// version that does not know it refuses the directory from then on.
func (n *Node) writeLevel(l uint16) error {
	err := n.identityFile.Follow(0, l)
	now := n.identityFile.Identity().FormatLevel
	if before := n.levels.written.Swap(uint32(now)); before != 0 && before != uint32(now) {
		n.log.Info("the cluster writes a higher format level from now on: there is no way back to a version that does not know it", "level", now, "before", before)
	}
	if n.engine != nil {
		n.engine.RaiseLevel(now)
	}
	return err
}

// noteLevel remembers what a member can do.
func (n *network) noteLevel(host [16]byte, highest uint16) {
	n.levels.mu.Lock()
	if n.levels.highest == nil {
		n.levels.highest = map[[16]byte]uint16{}
	}
	n.levels.highest[host] = highest
	n.levels.mu.Unlock()
	n.wakeLevel()
}

// wakeLevel has keepLevel look again.
func (n *network) wakeLevel() {
	select {
	case n.levels.wake <- struct{}{}:
	default:
	}
}

// raiseTimeout bounds an attempt to raise the level; the next one comes by
// itself.
const raiseTimeout = 5 * time.Second

// keepLevel raises the format level of the cluster when all its members can
// write a higher one, until the node closes. The member with the lowest host id
// does it for all.
func (n *network) keepLevel() {
	for {
		select {
		case <-n.levels.wake:
		case <-n.life.Done():
			return
		}
		s := n.log.State()
		to := n.attainable(s)
		if to <= s.Level {
			continue
		}
		if err := n.raiseLevel(to); err != nil && n.life.Err() == nil {
			n.Node.log.Info("the format level could not be raised yet", "to", to, "error", err)
		}
	}
}

func (n *network) raiseLevel(to uint16) error {
	ctx, cancel := n.within(n.life, raiseTimeout)
	defer cancel()
	_, err := n.log.RaiseLevel(ctx, to)
	return err
}

// attainable is the format level that this node shall have agreed on: 0 unless
// that is for this node to do, and all members are up and run a version that
// can write it. One that is down may be on its way back to an older version.
func (n *network) attainable(s *metadata.State) uint16 {
	if len(s.Members) == 0 || s.Members[0].HostID != n.identity.HostID {
		return 0
	}
	to := min(s.Reachable(), n.highestLevel())
	n.levels.mu.Lock()
	for _, m := range s.Members[1:] {
		if said, heard := n.levels.highest[m.HostID]; heard {
			to = min(to, said)
		}
	}
	n.levels.mu.Unlock()
	for _, m := range s.Members[1:] {
		if !n.alive(m.HostID) || !n.endpoint.Peer(m.HostID).Up() {
			return 0
		}
	}
	return to
}

// levelOf is the format level of a state, the first without any.
func levelOf(s *metadata.State) uint16 {
	if s == nil {
		return level.First
	}
	return s.Level
}
