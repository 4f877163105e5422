package metadata

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/schema"
)

// Errors that callers compare with errors.Is.
var (
	// ErrUnknown means that a proposal may or may not come into force.
	ErrUnknown = errors.New("the outcome of the change is unknown")
	// ErrNoLeader means that no quorum of voters could be found, and that
	// nothing was changed.
	ErrNoLeader = errors.New("no leader is found: schema and members cannot change")
	// ErrUserTables refuses a change of members.
	ErrUserTables = errors.New("nodes cannot join or leave once there is a user table")
	// ErrNoMember refuses the removal of a node that is no member, or the last.
	ErrNoMember = errors.New("no such member, or the last one")
	// ErrMemberConflict refuses a member with another's tokens.
	ErrMemberConflict = errors.New("another member has one of the tokens")
	// ErrLevel refuses a format level that is not above the active one or that
	// not all members can write, and a member that cannot write the active one.
	ErrLevel = errors.New("the format level is not possible")
	// ErrEmpty means that the directory has no state: the node must join.
	ErrEmpty = errors.New("this node is part of no cluster yet")
	// ErrDiverged means that this node's entries are not those of the cluster:
	// it was cut off by a forced recovery and must join anew.
	ErrDiverged = errors.New("this node's history is not that of the cluster")
)

// Network carries what the log sends to other nodes. Safe for concurrent use.
type Network interface {
	// Send is best effort and must not block. The callee owns msg.
	Send(to [16]byte, msg []byte)
	// Pull asks a node for what its ServePull answers.
	Pull(ctx context.Context, from [16]byte, after uint64, hash [32]byte) ([]byte, error)
	// Propose asks a node for what its ServePropose answers.
	Propose(ctx context.Context, to [16]byte, proposal []byte) ([]byte, error)
}

// ReplicatedOptions of OpenReplicated. HostID, Clock and Rand must be set.
type ReplicatedOptions struct {
	// Generation is that of the node's identity, which a cluster that begins
	// here has too. A log of an older one is refused: it has been rolled back.
	Generation uint16
	HostID     [16]byte
	Clock      clock.Clock
	Rand       *rand.Source
	// Found is this node, if it may begin a cluster when the directory is empty.
	Found *Member
	// Joined is what a member's ServePull(0, ...) answered, to begin with when
	// the directory is empty.
	Joined []byte
	// Live tells whether a member is worth making a voter. Nil is always yes.
	Live func(host [16]byte) bool
	// CompactAfter is how many entries a log file holds before a snapshot takes
	// its place (default 256).
	CompactAfter int
	// Warn is told of damage that was repaired and of what could not be done. It
	// must not block. Nil ignores it.
	Warn func(msg string)
	// Failed is told, once, of the write that has stopped the log: it follows
	// nothing any more until it is opened again. It must not block. Nil ignores it.
	Failed func(error)
}

// Bounds of queues. What does not fit is dropped (messages of the core, which
// repeats them), waits (proposals), or makes the core wait (notices).
const (
	maxEvents    = 256
	maxNotices   = 1024
	maxProposals = 256
)

// Replicated is the log of a cluster: up to five voters agree on entries, all
// nodes keep and apply them. It also is a Log.
//
// Thread safety: all methods may be called at any time by anyone. One goroutine
// owns the core, files included; one calls subscribers; one pulls.
type Replicated struct {
	opts    ReplicatedOptions
	clock   clock.Clock
	rand    *rand.Source
	network Network // set by Start

	state     atomic.Pointer[State]
	tail      atomic.Pointer[[]stored]
	leader    atomic.Pointer[[16]byte] // the last one known
	delivered atomic.Uint64            // epoch up to which subscribers were called
	stopped   atomic.Pointer[error]

	core    *core
	events  chan event
	notices chan notice
	turn    chan struct{} // of capacity 1, full while this node proposes nothing
	wake    chan struct{} // of capacity 1, for the puller

	audience
	lifetime
}

// audience is who hears and who waits.
type audience struct {
	mu          sync.Mutex // protects the following
	subscribers []func(*State, Entry)
	advanced    chan struct{} // closed and replaced whenever delivered grows
	waiting     map[uint64]int
	claims      map[[16]byte]uint64 // epochs that peers said to be at
	diverged    bool
}

// lifetime begins with Start and ends with Close.
type lifetime struct {
	ready   chan struct{} // closed by Start
	closing chan struct{}
	closed  sync.Once
	running sync.WaitGroup

	proposing    context.Context // ends with StopProposing
	endProposing context.CancelFunc
}

var _ Log = (*Replicated)(nil)

// OpenReplicated opens the log in dir (the data directory's "metadata"). A
// directory of Open is taken over as it is: its node is the first voter. It
// starts nothing: State answers at once, all else needs Start.
func OpenReplicated(fs vfs.FS, dir string, o ReplicatedOptions) (*Replicated, error) {
	files, err := listFiles(fs, dir)
	if err != nil {
		return nil, err
	}
	generation := o.Generation
	if len(files.logs) > 0 {
		generation = 0 // of the files alone: only Recover begins another
	} else if len(files.snapshots) == 0 && o.Found == nil && o.Joined == nil {
		return nil, ErrEmpty
	}
	h, s, err := openHistory(fs, dir, o.CompactAfter, o.Warn, generation)
	if err != nil {
		return nil, err
	}
	if s.at.index == 0 {
		s = newState(o.Generation) // whatever a crash has left of a first start
	}
	if s.Generation < o.Generation {
		return nil, errors.Join(&CorruptError{dir, 0, fmt.Sprintf("is of generation %d, the node was in %d", s.Generation, o.Generation)}, h.close())
	}
	l := &Replicated{
		opts: o, clock: o.Clock, rand: o.Rand,
		events: make(chan event, maxEvents), notices: make(chan notice, maxNotices),
		turn: make(chan struct{}, 1), wake: make(chan struct{}, 1),
		audience: audience{advanced: make(chan struct{}), waiting: map[uint64]int{}, claims: map[[16]byte]uint64{}},
		lifetime: lifetime{ready: make(chan struct{}), closing: make(chan struct{})},
	}
	l.proposing, l.endProposing = context.WithCancel(context.Background())
	l.turn <- struct{}{}
	if l.opts.Warn == nil {
		l.opts.Warn = func(string) {}
	}
	if l.opts.Failed == nil {
		l.opts.Failed = func(error) {}
	}
	if s, err = l.begin(h, s); err == nil {
		l.core, err = openCore(l, h, s)
	}
	if err != nil {
		return nil, errors.Join(err, h.close())
	}
	l.state.Store(s)
	tail := h.tail
	l.tail.Store(&tail)
	l.delivered.Store(s.Epoch)
	return l, nil
}

// begin gives an empty directory its first state.
func (l *Replicated) begin(h *history, s *State) (*State, error) {
	switch {
	case s.at.index > 0:
		return s, nil
	case l.opts.Joined != nil:
		r, err := decodePull(l.opts.Joined)
		if err == nil && r.snapshot == nil {
			err = fmt.Errorf("%w: no snapshot to join with", ErrCorrupt)
		}
		if err != nil {
			return nil, err
		}
		return r.snapshot, h.compact(r.snapshot)
	case l.opts.Found != nil:
		s, _, err := h.append(s, kindMember, l.opts.HostID, appendMember(nil, *l.opts.Found))
		return s, err
	}
	return nil, ErrEmpty
}

// Start makes the node take part. It must be called once. Proposals wait for it.
func (l *Replicated) Start(n Network) {
	l.network = n
	close(l.ready)
	l.running.Go(l.core.run)
	l.running.Go(l.notify)
	l.running.Go(l.pull)
}

// State is what is in force here. It never waits.
func (l *Replicated) State() *State { return l.state.Load() }

// Snapshot implements Log.
func (l *Replicated) Snapshot() *schema.Snapshot { return l.state.Load().Schema }

// Members implements Log.
func (l *Replicated) Members() []Member { return l.state.Load().Members }

// Epoch implements Log.
func (l *Replicated) Epoch() uint64 { return l.state.Load().Epoch }

// lastLeader is the leader as far as this node knows, or zero.
func (l *Replicated) lastLeader() [16]byte {
	if h := l.leader.Load(); h != nil {
		return *h
	}
	return [16]byte{}
}

// EntryKind tells what an entry did.
type EntryKind uint8

// Kinds of entries.
const (
	EntryNothing  EntryKind = iota // a new leader's, or one that was refused
	EntrySnapshot                  // many at once: a peer's state was taken over
	EntrySchema
	EntryMember  // one joined, moved or has a new address
	EntryRemoved // one has left
	EntryLevel
	EntryVoters
	EntryRecovery // a forced recovery began a generation
)

// Entry is what subscribers are told of.
type Entry struct {
	Epoch  uint64
	Kind   EntryKind
	Change schema.Change // of EntrySchema
	Host   [16]byte      // of EntryMember and EntryRemoved
}

// notice is an entry on its way to subscribers.
type notice struct {
	state *State
	entry Entry
}

// Subscribe has f called with each later entry and the state after it, in
// order, once it is durable here; Propose and Wait return after that. F must
// not call them. Of entries that come while Subscribe is under way f may hear
// although State shows them already.
func (l *Replicated) Subscribe(f func(*State, Entry)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.subscribers = append(slices.Clip(l.subscribers), f)
}

// notify calls subscribers, until the log closes.
func (l *Replicated) notify() {
	for {
		select {
		case n := <-l.notices:
			l.mu.Lock()
			subscribers := l.subscribers
			l.mu.Unlock()
			for _, f := range subscribers {
				f(n.state, n.entry)
			}
			l.delivered.Store(n.entry.Epoch)
			l.mu.Lock()
			close(l.advanced)
			l.advanced = make(chan struct{})
			l.mu.Unlock()
		case <-l.closing:
			return
		}
	}
}

// Wait returns once State is at the epoch or later and subscribers have heard
// of it, pulling from peers what is missing.
func (l *Replicated) Wait(ctx context.Context, epoch uint64) error {
	if l.delivered.Load() >= epoch {
		return nil
	}
	l.mu.Lock()
	l.waiting[epoch]++
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.waiting[epoch]--; l.waiting[epoch] == 0 {
			delete(l.waiting, epoch)
		}
	}()
	l.wakePuller()
	for {
		l.mu.Lock()
		advanced, diverged := l.advanced, l.diverged
		l.mu.Unlock()
		if l.delivered.Load() >= epoch {
			return nil
		}
		if err := l.failure(); err != nil {
			return err
		}
		if diverged {
			return ErrDiverged
		}
		select {
		case <-advanced:
		case <-ctx.Done():
			return ctx.Err()
		case <-l.closing:
			return ErrClosed
		}
	}
}

// failure is why the log has stopped, or nil.
func (l *Replicated) failure() error {
	if err := l.stopped.Load(); err != nil {
		return *err
	}
	return nil
}

// fail makes every later call fail. It tells of the write whose error it is, or
// warns.
func (l *Replicated) fail(err error, write bool) {
	if l.stopped.CompareAndSwap(nil, &err) {
		if write {
			l.opts.Failed(err)
		} else {
			l.opts.Warn(err.Error())
		}
		l.mu.Lock()
		close(l.advanced)
		l.advanced = make(chan struct{})
		l.mu.Unlock()
	}
}

// StopProposing ends this node's proposals, those under way and later ones, as
// the end of their contexts does: their errors wrap context.Canceled. The rest
// goes on.
func (l *Replicated) StopProposing() { l.endProposing() }

// Close ends the log and waits for what it has started. A proposal that is
// under way ends with ErrClosed.
func (l *Replicated) Close() (err error) {
	l.closed.Do(func() {
		l.endProposing()
		close(l.closing)
		l.running.Wait()
		err = l.core.close()
	})
	return err
}

// after returns a context that ends d from now at the latest.
func (l *Replicated) after(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	timer := l.clock.AfterFunc(d, cancel)
	return ctx, func() {
		timer.Stop()
		cancel()
	}
}

// sleep waits for d, unless the context or the log ends before.
func (l *Replicated) sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-l.clock.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-l.closing:
		return ErrClosed
	}
}
