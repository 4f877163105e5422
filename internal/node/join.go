package node

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/ilion-db/ilion/cluster/metadata"
	"github.com/ilion-db/ilion/internal/level"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

const (
	// askTimeout is how long one member has to answer a node that starts.
	askTimeout = 5 * time.Second
	// joinPause is the pause before members are asked again; it doubles up to
	// joinPauseMost. A line of progress is logged every joinNotice.
	joinPause     = 50 * time.Millisecond
	joinPauseMost = 2 * time.Second
	joinNotice    = 5 * time.Second
	// greetTime is how long a node that starts tries to be accepted by members
	// that say that another process has its host id: the connections of the one
	// that was stopped may not have ended yet.
	greetTime = 5 * time.Second
	// allocateFor is the number of replicas that tokens are chosen for.
	allocateFor = 3
)

// enter makes the node know its cluster: it founds one, joins one or comes back
// to the one that its directory is of.
func (n *network) enter(ctx context.Context) error {
	c := &n.opts.Config
	id, err := metadata.ReadIdentity(n.opts.FS, c.DataDir, c.ClusterName)
	fresh := errors.Is(err, vfs.ErrNotExist)
	switch {
	case err != nil && !fresh:
		return err
	case fresh && len(c.Join) > 0:
		return n.join(ctx, metadata.NewIdentity(c.ClusterName, n.opts.Rand), (*network).createIdentity)
	case fresh:
		if err := n.openIdentity(); err != nil {
			return err
		}
		id = n.identity
	}
	if err := id.CheckParts(n.opts.FS, c.DataDir); err != nil {
		return err
	}
	if err := n.checkLevel("data directory "+c.DataDir+" is written in", id.FormatLevel); err != nil {
		return err
	}
	if !fresh {
		if err := n.checkSeeds(ctx, &id); err != nil {
			return err
		}
	}
	n.identity = id
	o := n.logOptions()
	if fresh || id.Founder() {
		self := n.member()
		self.Tokens = ring.Allocate(nil, ring.Node{HostID: id.HostID, DC: c.DC, Rack: c.Rack}, c.NumTokens, allocateFor, n.opts.Rand.Uint64())
		o.Found = &self
	}
	n.log, err = metadata.OpenReplicated(n.opts.FS, n.logDir(), o)
	switch {
	case errors.Is(err, metadata.ErrEmpty) && len(c.Join) == 0:
		return fmt.Errorf("data directory %s belongs to a node that was about to join a cluster: start it with --join", c.DataDir)
	case errors.Is(err, metadata.ErrEmpty):
		return n.join(ctx, id, func(n *network) error { return n.openIdentity() })
	case err != nil:
		return err
	}
	if err := n.checkPlace(n.log.State()); err != nil {
		return err
	}
	if !fresh {
		if err := n.openIdentity(); err != nil {
			return err
		}
	}
	n.setSelf(n.identity)
	if err := n.openEndpoint(); err != nil {
		return err
	}
	n.followAddresses(n.log.State())
	n.logged.Store(true)
	if n.alone() && len(c.Join) > 0 {
		n.Node.log.Warn("--join is passed over: the data directory is that of the only node of a cluster that it founded, and nobody whom --join names answers",
			"directory", c.DataDir)
	}
	return n.greet(ctx)
}

func (n *network) logDir() string { return n.opts.Config.DataDir + "/metadata" }

func (n *network) logOptions() metadata.ReplicatedOptions {
	return metadata.ReplicatedOptions{
		Generation: n.identity.Generation, HostID: n.identity.HostID, Clock: n.opts.Clock, Rand: n.opts.Rand.Split(),
		Live: n.alive, Warn: func(msg string) { n.Node.log.Warn(msg) }, Failed: n.fail,
	}
}

// member is this node as its cluster shall know it, without tokens.
func (n *network) member() metadata.Member {
	c := &n.opts.Config
	return metadata.Member{
		HostID: n.identity.HostID, DC: c.DC, Rack: c.Rack, Address: n.address, NativeAddress: n.nativeAddress(),
		LowestLevel: level.Lowest, HighestLevel: n.highestLevel(),
	}
}

// setSelf changes what hellos say.
func (n *network) setSelf(id metadata.Identity) { n.self.Store(&id) }

func (n *network) createIdentity() (err error) {
	if n.identityFile, err = metadata.CreateIdentity(n.opts.FS, n.opts.Config.DataDir, n.identity); err == nil {
		n.identity = n.identityFile.Identity()
	}
	return err
}

// checkPlace refuses to start data in another place than it was written for.
func (n *network) checkPlace(s *metadata.State) error {
	c := &n.opts.Config
	if m := memberOf(s, n.identity.HostID); m != nil && (m.DC != c.DC || m.Rack != c.Rack) {
		return fmt.Errorf("data directory %s belongs to data centre %q, rack %q; starting it as %q, %q would misplace its data", c.DataDir, m.DC, m.Rack, c.DC, c.Rack)
	}
	return nil
}

// join makes the node a member of the cluster of --join. The identity becomes
// durable, by keep, when a member has told which cluster that is; an earlier
// failure leaves the directory empty.
func (n *network) join(ctx context.Context, id metadata.Identity, keep func(*network) error) error {
	n.identity = id
	n.setSelf(id)
	if err := n.openEndpoint(); err != nil {
		return err
	}
	hello, snapshot, err := n.askToJoin(ctx)
	if err != nil {
		return err
	}
	n.identity.ClusterID, n.identity.Generation = hello.ClusterID, hello.Generation
	if err := keep(n); err != nil {
		return err
	}
	n.setSelf(n.identity)
	o := n.logOptions()
	o.Joined = snapshot
	if n.log, err = metadata.OpenReplicated(n.opts.FS, n.logDir(), o); err != nil {
		return err
	}
	if err := n.checkPlace(n.log.State()); err != nil {
		return err
	}
	n.followAddresses(n.log.State())
	n.logged.Store(true)
	n.startLog()
	return n.becomeMember(ctx)
}

// seeds are the addresses of --join, without this node's own.
func (n *network) seeds() ([]string, error) {
	var out []string
	for _, a := range n.opts.Config.Join {
		at, err := n.opts.Config.Seed(a)
		if err != nil {
			return nil, err
		}
		if at != n.address && !slices.Contains(out, at) {
			out = append(out, at)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("join: there are no other nodes among the addresses. The first node of a cluster starts without --join")
	}
	return out, nil
}

// askToJoin asks the seeds, one after the other and again and again, until one
// of them answers with the state of its cluster.
func (n *network) askToJoin(ctx context.Context) (wire.Hello, []byte, error) {
	seeds, err := n.seeds()
	if err != nil {
		return wire.Hello{}, nil, err
	}
	everything := wire.Pull{}
	pause, noticed := joinPause, n.opts.Clock.Mono()
	for {
		var last error
		for _, seed := range seeds {
			hello, body, err := n.ask(ctx, seed, wire.PurposeJoin, &rpc.Message{Op: wire.OpPull, Lane: rpc.Bulk, Body: everything.Append(nil)})
			var refused *wire.Error
			switch {
			case err == nil:
				return hello, body, nil
			case errors.As(err, &refused) && refused.Code == wire.CodeRefused:
				return hello, nil, fmt.Errorf("cannot join at %s: %w", seed, refused)
			case ctx.Err() != nil:
				return hello, nil, fmt.Errorf("join: %w", context.Cause(ctx))
			}
			last = fmt.Errorf("%s: %w", seed, err)
		}
		if now := n.opts.Clock.Mono(); now-noticed >= joinNotice {
			n.Node.log.Info("waiting for a member to join", "members", seeds, "last", last)
			noticed = now
		}
		select {
		case <-n.opts.Clock.After(pause):
		case <-ctx.Done():
			return wire.Hello{}, nil, fmt.Errorf("join: %w (%w)", context.Cause(ctx), last)
		}
		pause = min(2*pause, joinPauseMost)
	}
}

// ask asks somebody known by address, for a limited time.
func (n *network) ask(ctx context.Context, address string, purpose wire.Purpose, m *rpc.Message) (wire.Hello, []byte, error) {
	ctx, cancel := n.within(ctx, askTimeout)
	defer cancel()
	return n.endpoint.CallAddress(ctx, address, purpose, m)
}

// within is a context that ends after d on the node's clock.
func (n *Node) within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	t := n.opts.Clock.AfterFunc(d, func() { cancel(context.DeadlineExceeded) })
	return ctx, func() {
		t.Stop()
		cancel(nil)
	}
}

// becomeMember proposes this node, with tokens that even out who holds how
// much, until it is a member.
func (n *network) becomeMember(ctx context.Context) error {
	pause := joinPause
	for {
		s := n.log.State()
		if memberOf(s, n.identity.HostID) != nil {
			return nil
		}
		if s.UserTables {
			return errors.New("cannot join: the cluster has got its first table meanwhile, and nodes join before that")
		}
		epoch, err := n.log.Join(ctx, n.candidate)
		if err == nil {
			err = n.log.Wait(ctx, epoch)
		}
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("join: %w", context.Cause(ctx))
		case errors.Is(err, metadata.ErrUserTables), errors.Is(err, metadata.ErrLevel):
			return fmt.Errorf("cannot join: %w", err)
		case err != nil:
			n.Node.log.Info("waiting to become a member", "error", err)
		default:
			continue
		}
		select {
		case <-n.opts.Clock.After(pause):
		case <-ctx.Done():
			return fmt.Errorf("join: %w", context.Cause(ctx))
		}
		pause = min(2*pause, joinPauseMost)
	}
}

// candidate is this node with tokens that suit the members there are.
func (n *network) candidate(s *metadata.State) metadata.Member {
	self := n.member()
	self.Tokens = ring.Allocate(ringNodes(s), ring.Node{HostID: self.HostID, DC: self.DC, Rack: self.Rack},
		n.opts.Config.NumTokens, allocateFor, n.opts.Rand.Uint64())
	return self
}

func ringNodes(s *metadata.State) []ring.Node {
	nodes := make([]ring.Node, len(s.Members))
	for i := range s.Members {
		m := &s.Members[i]
		nodes[i] = ring.Node{HostID: m.HostID, DC: m.DC, Rack: m.Rack, Tokens: m.Tokens}
	}
	return nodes
}

// greet lets the other members say whether this node may start: one that knows
// that its disk has lost something, or that another process has its host id,
// refuses it. Those that do not answer are not waited for longer than a moment,
// and one whose own disk has lost something has no say.
func (n *network) greet(ctx context.Context) error {
	var others []string
	for _, m := range n.log.State().Members {
		if _, err := netip.ParseAddrPort(m.Address); err == nil && m.HostID != n.identity.HostID {
			others = append(others, m.Address)
		}
	}
	began := n.opts.Clock.Mono()
	answers := make(chan error, len(others))
	for _, address := range others {
		go func() { answers <- n.greetOne(ctx, address, began) }()
	}
	var refused error
	for range others {
		if err := <-answers; err != nil {
			refused = err
		}
	}
	return refused
}

// greetMoment is how long members have that do not answer.
const greetMoment = time.Second

// greetOne returns why a member refuses this node.
func (n *network) greetOne(ctx context.Context, address string, began time.Duration) error {
	for {
		attempt, cancel := n.within(ctx, greetMoment)
		other, _, err := n.endpoint.CallAddress(attempt, address, wire.PurposePeer, &rpc.Message{Op: wire.OpPing, Lane: rpc.Urgent})
		cancel()
		var refused *wire.Error
		if !errors.As(err, &refused) || refused.Code != wire.CodeRefused {
			return nil
		}
		if lost := n.book.Check(peerOf(&other)); lost != nil {
			// It is this node that refuses.
			n.Node.log.Error("another node is refused: stop it", "address", address, "error", lost)
			return nil
		}
		if refused.Epoch != 0 && refused.Epoch>>48 < uint64(n.identity.Generation) {
			return nil // a forced recovery has left that member behind
		}
		if string(refused.Detail) == string(forGood) || n.opts.Clock.Mono()-began > greetTime {
			return fmt.Errorf("the member at %s refuses this node: %w", address, refused)
		}
		select {
		case <-n.opts.Clock.After(joinPause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
