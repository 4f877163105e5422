package gossip

import "github.com/hashicorp/memberlist"

// delegate tells memberlist what this node says of itself. It sends nothing
// else along.
type delegate struct{ g *Gossip }

var _ memberlist.Delegate = delegate{}

// NodeMeta implements memberlist.Delegate.
func (d delegate) NodeMeta(int) []byte {
	return meta{boot: d.g.o.Boot, epoch: d.g.epoch.Load(), load: d.g.load.Load()}.append(nil)
}

// NotifyMsg implements memberlist.Delegate.
func (delegate) NotifyMsg([]byte) {}

// GetBroadcasts implements memberlist.Delegate.
func (delegate) GetBroadcasts(int, int) [][]byte { return nil }

// LocalState implements memberlist.Delegate.
func (delegate) LocalState(bool) []byte { return nil }

// MergeRemoteState implements memberlist.Delegate.
func (delegate) MergeRemoteState([]byte, bool) {}
