package metadata

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/schema"
)

// Log is the agreed history of schema and members. Safe for concurrent use.
type Log interface {
	// Propose runs the checks against the schema in force, makes the change
	// durable and puts it in force here; the epoch is its own. The error of a
	// check, and an *schema.Error if the change does not apply, are returned as
	// they are and nothing has changed. After ErrStopped the outcome is unknown.
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
	// Subscribe has f called with each later schema and the change that made it,
	// in order, before the Propose of the change returns.
	Subscribe(f func(*schema.Snapshot, schema.Change))
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
// Thread safety: turn holds a token that whoever writes must take; all other
// fields marked so belong to its holder. Readers use state.
type single struct {
	fs   vfs.FS
	dir  string
	opts Options

	state atomic.Pointer[state]

	turn chan struct{} // of capacity 1, full while nobody writes

	// Owned by the holder of turn.
	file    vfs.File
	size    int64
	entries int // in file
	stopped error

	mu          sync.Mutex // protects subscribers
	subscribers []func(*schema.Snapshot, schema.Change)
}

// Open opens the log in dir (the data directory's "metadata"), making it if it
// is not there, for a cluster of this one member.
func Open(fs vfs.FS, dir string, o Options) (Log, error) {
	if o.CompactAfter <= 0 {
		o.CompactAfter = defaultCompactAfter
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	l := &single{fs: fs, dir: dir, opts: o, turn: make(chan struct{}, 1)}
	if err := vfs.MkdirAllSync(fs, dir); err != nil {
		return nil, fmt.Errorf("metadata: make %s: %w", dir, err)
	}
	if err := l.recover(); err != nil {
		return nil, err
	}
	l.turn <- struct{}{}
	return l, nil
}

func (l *single) Snapshot() *schema.Snapshot { return l.state.Load().schema }
func (l *single) Members() []Member          { return l.state.Load().members }
func (l *single) Epoch() uint64              { return l.state.Load().epoch() }

func (l *single) Subscribe(f func(*schema.Snapshot, schema.Change)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.subscribers = append(slices.Clip(l.subscribers), f)
}

// take waits for the turn to write.
func (l *single) take(ctx context.Context) error {
	select {
	case <-l.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	if l.stopped != nil {
		l.turn <- struct{}{}
		return l.stopped
	}
	return nil
}

func (l *single) Propose(ctx context.Context, change schema.Change, checks ...func(*schema.Snapshot) error) (uint64, error) {
	if err := l.take(ctx); err != nil {
		return 0, err
	}
	defer func() { l.turn <- struct{}{} }()
	old := l.state.Load()
	for _, check := range checks {
		if check == nil {
			continue
		}
		if err := check(old.schema); err != nil {
			return 0, err
		}
	}
	next := &state{generation: old.generation, members: old.members}
	next.at.index = old.at.index + 1
	var err error
	if next.schema, err = old.schema.Apply(change, next.epoch()); err != nil {
		return 0, err
	}
	if err := l.append(kindSchema, schema.AppendChange(nil, change), next); err != nil {
		return 0, err
	}
	l.mu.Lock()
	subscribers := l.subscribers
	l.mu.Unlock()
	for _, f := range subscribers {
		f(next.schema, change)
	}
	return next.epoch(), nil
}

func (l *single) Register(ctx context.Context, m Member) (uint64, error) {
	if err := l.take(ctx); err != nil {
		return 0, err
	}
	defer func() { l.turn <- struct{}{} }()
	old := l.state.Load()
	next := &state{generation: old.generation, schema: old.schema, members: withMember(old.members, m)}
	next.at.index = old.at.index + 1
	return next.epoch(), l.append(kindMember, appendMember(nil, m), next)
}

// withMember is the members, by host id, with one added or replaced.
func withMember(members []Member, m Member) []Member {
	i, found := slices.BinarySearchFunc(members, m, func(a, b Member) int {
		return slices.Compare(a.HostID[:], b.HostID[:])
	})
	if found {
		members = slices.Clone(members)
		members[i] = m
		return members
	}
	return slices.Insert(slices.Clone(members), i, m)
}

// append writes the entry that leads to next and puts next in force. The
// caller holds the turn.
func (l *single) append(kind uint16, payload []byte, next *state) error {
	if len(payload) > maxPayload {
		return &schema.Error{Kind: schema.ErrInvalid, Message: fmt.Sprintf("Schema change of %d bytes is larger than the maximum of %d", len(payload), maxPayload)}
	}
	old := l.state.Load()
	invariant.Check(next.at.index == old.at.index+1 && next.schema.Epoch >= old.schema.Epoch,
		"metadata: entry %d with epoch %x follows %d with %x", next.at.index, next.schema.Epoch, old.at.index, old.schema.Epoch)
	e := entry{index: next.at.index, kind: kind, flags: flagRequired, proposer: l.opts.HostID, payload: payload}
	buf, hash := appendEntry(nil, &e, old.at.hash)
	next.at.hash = hash
	end := int(l.size) + len(buf)
	buf = append(buf, make([]byte, markOffset(end)-end)...)
	if err := l.write(buf); err != nil {
		return err
	}
	if err := l.write(appendMark(nil, e.index)); err != nil {
		return err
	}
	l.entries++
	l.state.Store(next)
	if l.entries >= l.opts.CompactAfter {
		// The entry is durable whatever becomes of the snapshot: a failure stops
		// the log for the next proposal.
		if err := l.compact(next); err != nil {
			l.stop(err)
		}
	}
	return nil
}

func (l *single) write(p []byte) error {
	_, err := l.file.WriteAt(p, l.size)
	if err == nil {
		err = l.file.SyncData()
	}
	if err != nil {
		return l.stop(err)
	}
	l.size += int64(len(p))
	return nil
}

func (l *single) stop(err error) error {
	l.stopped = fmt.Errorf("%w: %w", ErrStopped, err)
	return l.stopped
}

// compact writes the state as a snapshot, starts a new log after it and
// removes what is older than the snapshot before.
func (l *single) compact(s *state) error {
	if err := vfs.WriteFileAtomic(l.fs, snapshotName(l.dir, s.at.index), appendSnapshot(nil, s)); err != nil {
		return err
	}
	f, err := l.create(s)
	if err != nil {
		return err
	}
	if l.file != nil {
		if err := l.file.Close(); err != nil {
			l.opts.Warn(fmt.Sprintf("metadata: close %s: %v", l.file.Name(), err))
		}
	}
	l.file, l.size, l.entries = f, logHeaderLen, 0
	l.clean()
	return nil
}

// create makes the log file that continues s and opens it for writing.
func (l *single) create(s *state) (vfs.File, error) {
	name := logName(l.dir, s.at.index)
	if err := vfs.WriteFileAtomic(l.fs, name, appendLogHeader(nil, s.generation, s.at)); err != nil {
		return nil, err
	}
	return l.fs.OpenRW(name, vfs.OpenOptions{})
}

// clean removes snapshots and logs that the last but one snapshot replaces.
// What cannot be removed is tried again next time.
func (l *single) clean() {
	f, err := listFiles(l.fs, l.dir)
	if err != nil {
		l.opts.Warn(err.Error())
		return
	}
	if len(f.snapshots) < 2 {
		return
	}
	keep := f.snapshots[len(f.snapshots)-2]
	var old []string
	for _, i := range f.snapshots {
		if i < keep {
			old = append(old, snapshotName(l.dir, i))
		}
	}
	for _, i := range f.logs {
		if i < keep {
			old = append(old, logName(l.dir, i))
		}
	}
	for _, name := range old {
		if err := l.fs.Remove(name); err != nil {
			l.opts.Warn(err.Error())
		}
	}
}

func (l *single) Close() error {
	<-l.turn
	defer func() { l.turn <- struct{}{} }()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file, l.stopped = nil, ErrClosed
	return err
}
