package gossip

import (
	"encoding/hex"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	// probeInterval is how often a node pings one other. A dead one is found
	// after some such rounds, a ping, and the suspicion: 6 to 8 s for three nodes.
	probeInterval = time.Second
	probeTimeout  = 500 * time.Millisecond
	// maxHealth bounds how many times longer a node that is slow itself waits
	// before it suspects another.
	maxHealth = 4
	// retransmit times the decimal digits of the ring's size is how often a node
	// passes on what it hears. With memberlist's 4, one node in 100 misses it, and
	// may then take for dead who has refuted long ago, until the next exchange of
	// all state; with 6 one in 800.
	retransmit = 6
	// streamTimeout ends the exchange of all state with one other.
	streamTimeout = 10 * time.Second
	// rejoinInterval is how often one of the members that are down is called.
	rejoinInterval = 5 * time.Second
	// announceInterval and announcePerMember: how often a node tells a new epoch
	// or load, at most.
	announceInterval  = time.Second
	announcePerMember = 10 * time.Millisecond
)

// Gossip is this node's part in the gossip of its ring.
type Gossip struct {
	o         Options
	label     string
	list      *memberlist.Memberlist
	transport *transport
	members   *members

	epoch, load atomic.Uint64
	announce    chan struct{} // one slot: epoch or load is another

	closing chan struct{}
	once    sync.Once
	wg      sync.WaitGroup
}

// Start makes the node alive to those who join it. Close must be called.
func Start(o Options) (*Gossip, error) {
	at, err := o.check()
	if err != nil {
		return nil, err
	}
	o.Address = at.String()
	g := &Gossip{
		o: o, label: hex.EncodeToString(o.ClusterID[:]), members: newMembers(o.Host, o.Boot),
		announce: make(chan struct{}, 1), closing: make(chan struct{}),
	}
	g.transport = newTransport(&o, at, g.label)
	config, err := g.config(at)
	if err != nil {
		return nil, err
	}
	if g.list, err = memberlist.Create(config); err != nil {
		return nil, fmt.Errorf("gossip: %w", err)
	}
	g.wg.Go(g.tell)
	g.wg.Go(g.announceLoop)
	g.wg.Go(g.rejoinLoop)
	return g, nil
}

// config is memberlist's for a local network, with what is ours.
func (g *Gossip) config(at netip.AddrPort) (*memberlist.Config, error) {
	c := memberlist.DefaultLANConfig()
	c.Name = nameOf(g.o.Host, g.o.Boot)
	c.Transport = g.transport
	c.Label = g.label
	c.BindAddr, c.BindPort = at.Addr().String(), int(at.Port())
	c.AdvertiseAddr, c.AdvertisePort = c.BindAddr, c.BindPort
	c.ProtocolVersion = memberlist.ProtocolVersionMax
	c.TCPTimeout = streamTimeout
	c.ProbeInterval, c.ProbeTimeout = probeInterval, probeTimeout
	c.AwarenessMaxMultiplier = maxHealth
	c.RetransmitMult = retransmit
	c.DisableTcpPings = true // packets go over a stream already
	c.UDPBufferSize = sendPacket
	// A packet of a ping gains nothing, and what grows is refused, see checkPacket.
	c.EnableCompression = false
	c.Delegate, c.Events, c.Alive = delegate{g}, g.members, g.members
	c.Logger = log.New(logWriter{g.o.Log}, "", 0)
	c.DNSConfigPath = "" // addresses are numbers
	if len(g.o.Keys) > 0 {
		keys := make([][]byte, len(g.o.Keys))
		for i, k := range g.o.Keys {
			keys[i] = sealKey(k)
		}
		ring, err := memberlist.NewKeyring(keys, keys[0])
		if err != nil {
			return nil, fmt.Errorf("gossip: %w", err)
		}
		c.Keyring = ring
	}
	return c, nil
}

// Packet takes a packet that another node's Network.SendPacket sent, from the
// address "ip:port". It neither waits nor keeps b.
func (g *Gossip) Packet(b []byte, from string) { g.transport.packet(b, from) }

// Stream takes a connection that another node's Network.DialStream made, and
// closes it. It does not wait.
func (g *Gossip) Stream(c net.Conn) { g.transport.stream(c) }

// Join exchanges all state with the nodes at the addresses, "ip:port", one after
// the other, and returns with how many it worked: an error if with none. It
// waits for each up to 10 s, or until Close.
func (g *Gossip) Join(addresses []string) (int, error) {
	for _, a := range addresses {
		if _, err := netip.ParseAddrPort(a); err != nil {
			return 0, fmt.Errorf("gossip: join: %w", err)
		}
	}
	n, err := g.list.Join(addresses)
	if err == nil {
		return n, nil
	}
	if first := errors.Unwrap(err); first != nil { // of a list that fills many lines
		err = first
	}
	return n, fmt.Errorf("gossip: %w", err)
}

// Leave tells the others that this node goes, so that they need not find out,
// and waits until one of them has been told, or for the time. Only Close may
// follow.
func (g *Gossip) Leave(wait time.Duration) error {
	if err := g.list.Leave(wait); err != nil {
		return fmt.Errorf("gossip: leave: %w", err)
	}
	return nil
}

// SetEpoch says which entry of the metadata log this node has applied last.
func (g *Gossip) SetEpoch(epoch uint64) { g.set(&g.epoch, epoch) }

// SetLoad says how many bytes of data this node has.
func (g *Gossip) SetLoad(bytes uint64) { g.set(&g.load, bytes) }

func (g *Gossip) set(where *atomic.Uint64, v uint64) {
	if where.Swap(v) == v {
		return
	}
	select {
	case g.announce <- struct{}{}:
	default:
	}
}

// Members are all that are known, this node first, the others by host id.
func (g *Gossip) Members() []Member {
	self := Member{Host: g.o.Host, Boot: g.o.Boot, Address: g.o.Address, Up: true, Epoch: g.epoch.Load(), Load: g.load.Load()}
	return append([]Member{self}, g.members.list()...)
}

// Found are the others that are up, by host id, for who cannot wait for Notify.
// Of those that it had not heard of Notify hears what comes next, not that they
// are up; it may be hearing that of others.
func (g *Gossip) Found() []Member { return g.members.found() }

// Close ends gossip without telling others. When it returns, Notify will not be
// called and Network not be used again. A ping that is under way waits a few
// seconds more for its answer, and does nothing then.
func (g *Gossip) Close() error {
	g.once.Do(func() {
		close(g.closing)
		g.members.close()
		if err := g.list.Shutdown(); err != nil {
			g.o.Log.Debug("gossip does not end", "error", err)
		}
		g.wg.Wait()
	})
	return nil
}

// tell calls Notify.
func (g *Gossip) tell() {
	for {
		select {
		case <-g.members.wake:
		case <-g.closing:
			return
		}
		for {
			e, ok := g.members.next()
			if !ok {
				break
			}
			g.o.Notify(e)
		}
		if g.members.double() {
			g.o.Log.Warn("another process runs with the host id of this node")
		}
	}
}

// announceLoop tells the others a new epoch or load, not too often.
func (g *Gossip) announceLoop() {
	for {
		select {
		case <-g.announce:
		case <-g.closing:
			return
		}
		// The message is queued at once; nobody waits for it to be sent.
		if err := g.list.UpdateNode(time.Nanosecond); err != nil {
			g.o.Log.Debug("gossip is being told", "error", err)
		}
		pause := max(announceInterval, time.Duration(g.members.count())*announcePerMember)
		select {
		case <-g.o.Clock.After(pause):
		case <-g.closing:
			return
		}
	}
}

// rejoinLoop calls members that should be there and are not.
func (g *Gossip) rejoinLoop() {
	if g.o.Peers == nil {
		return
	}
	for {
		pause := rejoinInterval + time.Duration(g.o.Rand.Uint64N(uint64(rejoinInterval/4)))
		select {
		case <-g.o.Clock.After(pause):
		case <-g.closing:
			return
		}
		missing := g.members.missing(g.o.Peers())
		if len(missing) == 0 {
			continue
		}
		address := missing[g.o.Rand.Uint64N(uint64(len(missing)))]
		if _, err := g.Join([]string{address}); err != nil {
			g.o.Log.Debug("a member that is down does not answer", "address", address, "error", err)
		}
	}
}

// logWriter passes memberlist's lines on, at debug: what matters of them is told
// as events.
type logWriter struct{ log *slog.Logger }

// Write implements io.Writer.
func (w logWriter) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	if _, after, ok := strings.Cut(text, "memberlist: "); ok {
		text = after
	}
	w.log.Debug("memberlist", "says", text)
	return len(line), nil
}
