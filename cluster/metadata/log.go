package metadata

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/ilion-db/ilion/internal/level"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/schema"
)

// Log is the agreed history of schema and members. Safe for concurrent use.
type Log interface {
	// Propose runs the checks against the schema in force, makes the change
	// durable and puts it in force here; the epoch is its own. The error of a
	// check, and an *schema.Error if the change does not apply, are returned as
	// they are and nothing has changed. After ErrStopped and ErrUnknown the
	// outcome is unknown.
	Propose(ctx context.Context, change schema.Change, checks ...func(*schema.Snapshot) error) (epoch uint64, err error)
	// Snapshot is the schema in force.
	Snapshot() *schema.Snapshot
	// Register makes a member known, or replaces what is known of it.
	Register(ctx context.Context, m Member) (epoch uint64, err error)
	// Members are the nodes of the cluster, by host id. The caller must not
	// change them.
	Members() []Member
	// Epoch is that of the last entry, whatever its kind.
	Epoch() uint64
	// Close ends the log; it waits for a proposal that is under way.
	Close() error
}

// Options of Open. The zero value works.
type Options struct {
	// Generation of the cluster, from its identity.
	Generation uint16
	// HostID is the proposer's name in the entries.
	HostID [16]byte
	// CompactAfter is how many entries a log file holds before a snapshot takes
	// its place (default 256).
	CompactAfter int
	// Warn is told of damage that was repaired and of files that could not be
	// removed. Nil ignores it.
	Warn func(msg string)
}

const defaultCompactAfter = 256

// single is the log of a cluster of one member.
//
// Thread safety: turn holds a token that whoever writes must take; history
// belongs to its holder. Readers use state.
type single struct {
	host  [16]byte
	state atomic.Pointer[State]

	turn    chan struct{} // of capacity 1, full while nobody writes
	history *history
}

// Open opens the log in dir (the data directory's "metadata"), making it if it
// is not there, for a cluster of this one member. It refuses the log of a
// cluster that has more.
func Open(fs vfs.FS, dir string, o Options) (Log, error) {
	l := &single{host: o.HostID, turn: make(chan struct{}, 1)}
	h, s, err := openHistory(fs, dir, o.CompactAfter, o.Warn, o.Generation)
	if err != nil {
		return nil, err
	}
	if len(s.Members) > 1 || len(s.Voters) > 1 {
		return nil, errors.Join(fmt.Errorf("metadata: %s belongs to a cluster of %d nodes and cannot be opened alone", dir, len(s.Members)), h.close())
	}
	if s.Level > level.Highest {
		return nil, errors.Join(fmt.Errorf("%w: %s writes format level %d, this version up to %d", ErrUnknownFeature, dir, s.Level, level.Highest), h.close())
	}
	l.history = h
	l.state.Store(s)
	l.turn <- struct{}{}
	return l, nil
}

func (l *single) Snapshot() *schema.Snapshot { return l.state.Load().Schema }
func (l *single) Members() []Member          { return l.state.Load().Members }
func (l *single) Epoch() uint64              { return l.state.Load().Epoch }

// take waits for the turn to write.
func (l *single) take(ctx context.Context) error {
	select {
	case <-l.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	if l.history.stopped != nil {
		l.turn <- struct{}{}
		return l.history.stopped
	}
	return nil
}

func (l *single) Propose(ctx context.Context, change schema.Change, checks ...func(*schema.Snapshot) error) (uint64, error) {
	if err := l.take(ctx); err != nil {
		return 0, err
	}
	defer func() { l.turn <- struct{}{} }()
	for _, check := range checks {
		if check == nil {
			continue
		}
		if err := check(l.state.Load().Schema); err != nil {
			return 0, err
		}
	}
	return l.append(kindSchema, schema.AppendChange(nil, change))
}

func (l *single) Register(ctx context.Context, m Member) (uint64, error) {
	if err := l.take(ctx); err != nil {
		return 0, err
	}
	defer func() { l.turn <- struct{}{} }()
	return l.append(kindMember, appendMember(nil, m))
}

// append makes an entry durable and puts it in force. The caller holds the
// turn.
func (l *single) append(kind uint16, payload []byte) (uint64, error) {
	next, _, err := l.history.append(l.state.Load(), kind, l.host, payload)
	if err != nil {
		return 0, err
	}
	l.state.Store(next)
	return next.Epoch, nil
}

func (l *single) Close() error {
	<-l.turn
	defer func() { l.turn <- struct{}{} }()
	return l.history.close()
}
