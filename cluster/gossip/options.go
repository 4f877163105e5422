package gossip

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/rand"
)

// Network is the node's way to the internode ports of others, by address.
type Network interface {
	// SendPacket sends b and may lose it. It neither waits nor keeps b.
	SendPacket(addr string, b []byte) error
	// DialStream connects to what the other side hands to Gossip.Stream.
	DialStream(ctx context.Context, addr string) (net.Conn, error)
}

// Peer is a member as the metadata log has it.
type Peer struct {
	Host    [16]byte
	Address string // internode, "ip:port"
}

// Options of Start. All are required where nothing else is said.
type Options struct {
	Host      [16]byte
	Boot      uint64   // boot count of this process
	ClusterID [16]byte // members of other clusters are not heard
	Address   string   // where others reach this node, "ip:port"
	// Keys seal packets and streams; the first one is used, all of them open.
	// Optional: none sends them open.
	Keys    [][]byte
	Network Network
	// Peers returns the members that there should be. Those that are not up are
	// called now and then, so that halves of a ring that were long apart find
	// each other again, and what is down and not among them is forgotten.
	// Optional; it must not wait.
	Peers func() []Peer
	// Notify hears every event, from one goroutine, see the package documentation.
	// It may wait, but Close waits for it.
	Notify func(Event)
	Clock  clock.Clock
	Rand   *rand.Source
	Log    *slog.Logger
}

// check refuses what cannot work and returns the parsed address.
func (o *Options) check() (netip.AddrPort, error) {
	at, err := netip.ParseAddrPort(o.Address)
	switch {
	case err != nil:
		return at, fmt.Errorf("gossip: own address: %w", err)
	case !at.Addr().IsValid() || at.Addr().IsUnspecified() || at.Port() == 0:
		return at, fmt.Errorf("gossip: nobody can reach this node at %s", at)
	case o.Network == nil || o.Notify == nil || o.Clock == nil || o.Rand == nil || o.Log == nil:
		return at, errors.New("gossip: Network, Notify, Clock, Rand and Log are required")
	}
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port()), nil
}

// sealKey is the AES-256 key made of a cluster's key.
func sealKey(key []byte) []byte {
	sum := sha256.Sum256(append([]byte("ilion gossip 1"), key...))
	return sum[:]
}
