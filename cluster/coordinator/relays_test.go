package coordinator

import (
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ilion-db/ilion/cluster/clustertest"
	"github.com/ilion-db/ilion/cluster/metadata"
	"github.com/ilion-db/ilion/mutation/mutationtest"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// TestRelayOfManyReplicas: one relay is not asked to send on to more than it does.
// Those beyond get the write from the coordinator itself, and nobody a hint.
func TestRelayOfManyReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const away = maxHops + 3
		members := []metadata.Member{memberAt(0, "dc1", "a")}
		for i := range away {
			members = append(members, memberAt(1+i, "dc2", "b"))
		}
		f := newFixture(t, map[string]string{"class": schema.NetworkTopologyStrategy, "dc1": "1", "dc2": strconv.Itoa(away)}, members...)
		forwarded, alone := 0, 0
		for i := range away {
			f.peers[hostID(1+i)].do = func(m *rpc.Message, r rpc.Receiver) error {
				r.Receive(&rpc.Answer{})
				if m.Op != wire.OpForward {
					alone++
					return nil
				}
				forwarded++
				var a wire.Apply
				if err := a.Decode(m.Body); err != nil {
					return err
				}
				for _, host := range a.Forward[:min(len(a.Forward), maxHops)] {
					f.tell(a.ID, host)
				}
				return nil
			}
		}
		if err := f.write(ring.All, f.row(f.key, 1)); err != nil {
			t.Error(err)
		}
		f.settle()
		if hints := len(f.hints.hosts()); forwarded != 1 || alone != away-1-maxHops || hints != 0 {
			t.Errorf("%d to relays, %d alone, %d hints", forwarded, alone, hints)
		}
	})
}

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

// A large write that is sent on is charged for one copy of its record: no other
// is kept while replicas have yet to answer, and none when it is over.
func TestLargeWriteIsKeptOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var members []metadata.Member
		for i := range 6 {
			members = append(members, memberAt(i, []string{"dc1", "dc2"}[i/3], string(rune('a'+i))))
		}
		f := newFixture(t, map[string]string{"class": schema.NetworkTopologyStrategy, "dc1": "3", "dc2": "3"}, members...)
		var held []rpc.Receiver
		for i := 3; i < 6; i++ {
			f.peers[hostID(i)].do = func(m *rpc.Message, r rpc.Receiver) error {
				if m.Op != wire.OpForward {
					t.Errorf("%v", m.Op)
				}
				held = append(held, r)
				return nil
			}
		}
		large := clustertest.Row(f.table, f.key, mutationtest.Clustering(0), 1, strings.Repeat("v", 2*keepBody))
		if err := f.write(ring.LocalQuorum, large); err != nil {
			t.Fatal(err)
		}
		if len(held) != 1 || len(f.pool.all) != 1 {
			t.Fatalf("%d relays, %d records", len(held), len(f.pool.all))
		}
		w := f.pool.all[0]
		if cap(w.hops.body) > 0 || w.message.Body != nil {
			t.Errorf("%d bytes for the relay are kept", cap(w.hops.body))
		}
		for i := 3; i < 6; i++ {
			f.tell(w.id(), hostID(i)) // of the relay itself nothing counts but its own answer
		}
		held[0].Receive(&rpc.Answer{})
		f.settle()
		if cap(w.body) > 0 || cap(w.hops.body) > 0 || w.message.Body != nil {
			t.Errorf("a free record keeps %d bytes", cap(w.body))
		}
	})
}
