package client

import (
	"fmt"
	"slices"
	"testing"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/transport"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

func routed(t *testing.T, dc string) *Session {
	t.Helper()
	s := &Session{cfg: Config{LocalDC: dc, ConnectionsPerHost: 2, MaxInFlight: 10}, rand: rand.NewSeeded(1), peers: map[*host][][16]byte{}}
	var err error
	s.endpoint, err = rpc.New(rpc.Config{
		Clock: clock.Real, Transport: &transport.Mem{}, Rand: rand.NewSeeded(2), Purpose: wire.PurposeClient,
		Hello: func(wire.Purpose) wire.Hello { return wire.Hello{} },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.endpoint.Close() })
	return s
}

func picture(epoch uint64, hosts ...int) *wire.Topology {
	w := &wire.Topology{Epoch: epoch}
	for _, i := range hosts {
		w.Hosts = append(w.Hosts, wire.Host{ID: [16]byte{byte(i)}, Address: fmt.Sprintf("127.0.0.%d:7000", i), DC: []string{"a", "b"}[i%2]})
	}
	w.Keyspaces = []wire.KeyspaceRanges{{Name: "ks", Ranges: []wire.HostRange{{End: -100, Hosts: []uint32{0, 1}}, {End: 100, Hosts: []uint32{1, 2}}}}}
	return w
}

func names(hosts []*host) (out []int) {
	for _, h := range hosts {
		out = append(out, int(h.id[0]))
	}
	return out
}

// Replicas are those of the range that holds the token, those of the local data
// centre first.
func TestReplicas(t *testing.T) {
	s := routed(t, "a")
	s.adopt(picture(5, 1, 2, 4))
	for token, want := range map[ring.Token][]int{-200: {2, 1}, -100: {2, 1}, -99: {2, 4}, 100: {2, 4}, 101: {2, 1}} {
		all, near := s.topology.Load().replicas("ks", token)
		if !slices.Equal(names(all), want) || near != 1 && want[1] == 1 || near != 2 && want[1] == 4 {
			t.Errorf("token %d: %v, %d of them near", token, names(all), near)
		}
	}
	if all, _ := s.topology.Load().replicas("other", 1); all != nil {
		t.Error(names(all))
	}
	if got := names(s.topology.Load().hosts); !slices.Equal(got, []int{2, 4, 1}) {
		t.Error(got)
	}
}

// A newer picture keeps what it knows, an older one changes nothing.
func TestAdopt(t *testing.T) {
	s := routed(t, "")
	s.adopt(picture(5, 1, 2, 3))
	first := s.topology.Load().hosts[0]
	s.adopt(picture(4, 1, 2, 9))
	if got := names(s.topology.Load().hosts); !slices.Equal(got, []int{1, 2, 3}) {
		t.Error(got)
	}
	s.adopt(picture(6, 1, 3, 4))
	if got := names(s.topology.Load().hosts); !slices.Equal(got, []int{1, 3, 4}) || s.topology.Load().hosts[0] != first || len(s.peers) != 3 {
		t.Error(got, len(s.peers))
	}
}

// The connection with the least in work takes a call, none more than it may.
func TestPipes(t *testing.T) {
	s := routed(t, "")
	s.adopt(picture(5, 1, 2, 3))
	h := s.topology.Load().hosts[0]
	for range 20 {
		if _, err := h.enter(); err != nil {
			t.Fatal(err)
		}
	}
	if h.pipes[0].inflight.Load() != 10 || h.pipes[1].inflight.Load() != 10 {
		t.Error(h.pipes[0].inflight.Load(), h.pipes[1].inflight.Load())
	}
	if _, err := h.enter(); err != ErrBusy {
		t.Error(err)
	}
}
