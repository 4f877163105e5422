package coordinator

import (
	"testing"
	"testing/synctest"

	"github.com/ilion-db/ilion/cluster/metadata"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// TestRelayFailsWhileAnotherIsAsked: of two remote data centres the one's relay
// fails while the other's is being asked. Those behind both get the write from
// the coordinator itself, and each relay a hint.
func TestRelayFailsWhileAnotherIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var members []metadata.Member
		for i := range 9 {
			members = append(members, memberAt(i, []string{"dc1", "dc2", "dc3"}[i/3], string(rune('a'+i))))
		}
		f := newFixture(t, map[string]string{"class": schema.NetworkTopologyStrategy, "dc1": "3", "dc2": "3", "dc3": "3"}, members...)
		for i := 3; i < 9; i++ {
			f.peers[hostID(i)].do = func(m *rpc.Message, r rpc.Receiver) error {
				if m.Op == wire.OpForward {
					go r.Receive(&rpc.Answer{Err: rpc.ErrPeerDown})
				} else {
					r.Receive(&rpc.Answer{})
				}
				return nil
			}
		}
		const writes = 100
		for range writes {
			if err := f.write(ring.EachQuorum, f.row(f.key, 1)); err != nil {
				t.Fatal(err)
			}
		}
		f.settle()
		forwarded, alone := 0, 0
		for i := 3; i < 9; i++ {
			for _, m := range f.peers[hostID(i)].messages() {
				if m.Op == wire.OpForward {
					forwarded++
				} else {
					alone++
				}
			}
		}
		if hints := len(f.hints.hosts()); forwarded != 2*writes || alone != 4*writes || hints != 2*writes {
			t.Errorf("%d writes: %d to relays, %d alone, %d hints", writes, forwarded, alone, hints)
		}
	})
}
