package hints

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/journal"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
)

// Options of Open. FS, Dir, Clock and Rand are required.
type Options struct {
	FS    vfs.FS
	Dir   string
	Clock clock.Clock
	Rand  *rand.Source
	// MaxAge is the hint window: how long after its creation a hint may still be
	// added or delivered (default 3 h).
	MaxAge time.Duration
	// MaxBytes bounds the files of all targets together (default 1 GiB).
	MaxBytes int64
	// Rate is how many bytes a second a target is sent before it has said itself
	// what it wants (default 1 MiB).
	Rate int64
	Log  *slog.Logger // discards by default
}

const (
	defaultMaxAge   = 3 * time.Hour
	defaultMaxBytes = 1 << 30
	defaultRate     = 1 << 20
	// createdLen is what precedes the record in an entry.
	createdLen = 8
)

var magic = [8]byte([]byte("ILIONHNT"))

// Store holds the hints of one node. Safe for concurrent use.
type Store struct {
	o       Options
	journal *journal.Journal
	keeper  *keeper
	adding  sync.Pool // *addition

	mu      sync.Mutex // protects what follows
	targets map[[16]byte]*target
	sender  Sender
	closed  bool

	stop       chan struct{}
	deliverers sync.WaitGroup
}

// Open reads what there is in the directory, which it makes if it is not
// there. Rot is no error: it becomes drops.
func Open(o Options) (*Store, error) {
	if o.MaxAge <= 0 {
		o.MaxAge = defaultMaxAge
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.Rate <= 0 {
		o.Rate = defaultRate
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := vfs.MkdirAllSync(o.FS, o.Dir); err != nil {
		return nil, fmt.Errorf("hints: make %s: %w", o.Dir, err)
	}
	file, state, err := openState(o.FS, o.Dir)
	if err != nil {
		return nil, err
	}
	s := &Store{o: o, targets: map[[16]byte]*target{}, stop: make(chan struct{})}
	s.adding.New = func() any { return &addition{store: s} }
	s.keeper = newKeeper(s, file, state)
	var start map[[16]byte]journal.Position
	if state != nil {
		start = state.positions
	}
	for id, at := range start {
		s.targets[id] = newTarget(s, id, at)
	}
	s.journal, err = journal.Open(journal.Options{
		FS: o.FS, Dir: o.Dir, Magic: magic, Clock: o.Clock, MaxBytes: o.MaxBytes, Start: start,
	}, (*inventory)(s))
	if err != nil {
		file.close()
		return nil, fmt.Errorf("hints: %w", err)
	}
	if err := s.keeper.begin(); err != nil {
		_ = s.journal.Close()
		file.close()
		return nil, err
	}
	return s, nil
}

// inventory is the store while it is being opened, as the journal's visitor.
type inventory Store

func (v *inventory) Entry(id [16]byte, at journal.Position, entry []byte) {
	s := (*Store)(v)
	t := s.target(id)
	created, r, err := decodeEntry(entry)
	if below(at, t.delivered) {
		return
	}
	if err != nil {
		// It stays in the way of nothing: the deliverer makes it a drop.
		created = s.now()
	}
	t.added(at, created, len(r))
}

func (v *inventory) Damage(d *journal.Damage) {
	s := (*Store)(v)
	s.lost(s.target(d.Stream), d)
}

// lost makes a drop of a part of a segment that cannot be read: of any table,
// from about the last hint before it to this day.
func (s *Store) lost(t *target, d *journal.Damage) {
	s.o.Log.Error("hints cannot be read", "file", d.File, "offset", d.Offset, "detail", d.Detail)
	s.keeper.note(Drop{Target: t.id, Range: wholeRing, First: t.since(d.Segment), Last: ceilMinute(s.now()), Reasons: Rot})
}

// decodeEntry splits an entry and checks the record's header.
func decodeEntry(entry []byte) (created int64, r mutation.Record, err error) {
	if len(entry) < createdLen {
		return 0, nil, fmt.Errorf("%w: hint of %d bytes", mutation.ErrCorrupt, len(entry))
	}
	r = mutation.Record(entry[createdLen:])
	return int64(binary.LittleEndian.Uint64(entry)), r, r.CheckHeader()
}

func below(a, b journal.Position) bool {
	return slices.Compare([]int64{int64(a.Segment), a.Offset, int64(a.Index)}, []int64{int64(b.Segment), b.Offset, int64(b.Index)}) < 0
}

// now is the wall clock in microseconds.
func (s *Store) now() int64 { return s.o.Clock.Now().UnixMicro() }

func (s *Store) expired(created int64) bool { return s.now()-created > s.o.MaxAge.Microseconds() }

// target returns the target of that id, making it.
func (s *Store) target(id [16]byte) *target {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.targets[id]
	if t == nil {
		t = newTarget(s, id, journal.Position{})
		s.targets[id] = t
		s.start(t)
	}
	return t
}

// start runs the target's deliverer if there is a sender. mu is held.
func (s *Store) start(t *target) {
	if s.sender == nil || s.closed {
		return
	}
	sender := s.sender
	s.deliverers.Go(func() { t.deliver(sender) })
}

// addition is one Add under way.
type addition struct {
	store   *Store
	target  *target
	record  Drop // what a failure would leave
	bytes   int
	created int64
	head    [createdLen]byte
	done    mutation.Completer
}

// Add keeps a record for a host; created is the write's time in microseconds.
// The record is copied before Add returns. After nil, done is told once: nil
// when the hint is durable, or an error that matches ErrFull, ErrExpired,
// ErrNoSpace or another failure of the disk, and then what the host misses is
// in a durable Drop, if the disk takes that. After another error done is not
// called, and what the host misses is in a Drop.
func (s *Store) Add(host [16]byte, created int64, r mutation.Record, done mutation.Completer) error {
	if err := r.CheckHeader(); err != nil {
		return fmt.Errorf("hints: %w", err)
	}
	t := s.target(host)
	if s.expired(created) {
		return s.refuse(dropOf(host, created, r, Expired), ErrExpired, done)
	}
	a := s.adding.Get().(*addition)
	a.target, a.created, a.bytes, a.done = t, created, len(r), done
	a.record = dropOf(host, created, r, Disk)
	binary.LittleEndian.PutUint64(a.head[:], uint64(created))
	err := s.journal.Append(host, journal.Normal, a, a.head[:], r)
	if err == nil {
		return nil
	}
	d := a.record
	a.free()
	if errors.Is(err, journal.ErrClosed) {
		return err
	}
	d.Reasons = Full
	return s.refuse(d, err, done)
}

// refuse notes the drop. Done is told when it is durable, unless it is
// already: then the error is returned.
func (s *Store) refuse(d Drop, err error, done mutation.Completer) error {
	if s.keeper.noteFor(d, err, done) {
		return nil
	}
	return err
}

// Appended implements journal.Waiter.
func (a *addition) Appended(at journal.Position, err error) {
	s, done := a.store, a.done
	if err == nil {
		a.target.added(at, a.created, a.bytes)
		a.target.kick()
		a.free()
		done.Complete(nil)
		return
	}
	d := a.record
	a.free()
	if !s.keeper.noteFor(d, err, done) {
		done.Complete(err)
	}
}

func (a *addition) free() {
	a.target, a.done = nil, nil
	a.store.adding.Put(a)
}

// dropOf is the drop of one record.
func dropOf(host [16]byte, created int64, r mutation.Record, why Reasons) Drop {
	return Drop{
		Target: host, Table: r.Table(), Range: sliceOf(r.Token()),
		First: floorMinute(created), Last: ceilMinute(created), Reasons: why, Hints: 1,
	}
}

// Deliver begins to deliver, and goes on with whatever is added until Close. It
// is called once.
func (s *Store) Deliver(sender Sender) {
	s.mu.Lock()
	defer s.mu.Unlock()
	invariant.Check(s.sender == nil, "hints: Deliver is called a second time")
	s.sender = sender
	for _, t := range s.targets {
		s.start(t)
	}
}

// Wake tells that a host can be reached: its hints are tried at once.
func (s *Store) Wake(host [16]byte) {
	s.mu.Lock()
	t := s.targets[host]
	s.mu.Unlock()
	if t != nil {
		t.wake()
	}
}

// Pending tells what a host has not been delivered: how many hints, the bytes
// of their records, and a time in microseconds at or before which the oldest
// was created, 0 if there is none.
func (s *Store) Pending(host [16]byte) (records, bytes, oldest int64) {
	s.mu.Lock()
	t := s.targets[host]
	s.mu.Unlock()
	if t == nil {
		return 0, 0, 0
	}
	return t.pending()
}

// Dropped tells what will not be delivered, by target and table.
func (s *Store) Dropped() []Drop { return s.keeper.dropped() }

// Close stops delivering, makes what was added durable and returns when
// nothing of the store runs any more. What a Sender has taken must still be
// answered, if late.
func (s *Store) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if !closed {
		close(s.stop)
	}
	s.deliverers.Wait()
	err := s.journal.Close()
	return firstOf(s.keeper.close(), err)
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
