package commitlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ilion-db/ilion/internal/vfs"
)

// Position is where a record begins. Positions of one lane grow; a record that
// is appended after Head was asked lies at or above the answer.
type Position struct {
	Segment uint64 // counts segments in order of their first use, from 1
	Offset  uint32 // byte in the segment's file
}

// Compare orders positions.
func (p Position) Compare(q Position) int {
	return cmp.Or(cmp.Compare(p.Segment, q.Segment), cmp.Compare(p.Offset, q.Offset))
}

// Less tells whether p is below q.
func (p Position) Less(q Position) bool { return p.Compare(q) < 0 }

func (p Position) String() string { return fmt.Sprintf("%d:%d", p.Segment, p.Offset) }

// Log is an open commit log. Its methods are safe for concurrent use.
type Log struct {
	opts     Options
	direct   bool
	queue    vfs.Queue
	lanes    []*lane
	next     atomic.Uint32 // lane of the next append
	pool     *pool
	stop     chan struct{}
	flushers sync.WaitGroup
	failure  atomic.Pointer[error]
	counters counters
	parked   sync.Pool // of *parked

	closing sync.Mutex // protects closed; held for the whole of no I/O
	closed  bool
}

// Open replays what the directory holds, handing each record at or above
// Options.Start to replay (see Replay), and opens the log for appending. The
// segments that hold these records stay until Discard releases them. replay
// may be nil.
//
// An error that matches ErrCorrupt or ErrUnsupported means that nothing was
// changed on disk.
func Open(o Options, replay func(pos Position, rec []byte) error) (*Log, Report, error) {
	if err := o.Validate(); err != nil {
		return nil, Report{}, err
	}
	o = o.withDefaults()
	if err := vfs.MkdirAllSync(o.FS, o.Dir); err != nil {
		return nil, Report{}, fmt.Errorf("commitlog: %w", err)
	}
	l := &Log{opts: o, queue: o.Queue, stop: make(chan struct{})}
	l.direct = !o.Buffered && vfs.ProbeDirect(o.FS, o.Dir) == nil
	st, err := scanDir(&l.opts, l.direct, replay)
	if err != nil {
		return nil, st.report, err
	}
	if err := l.adopt(st); err != nil {
		return nil, st.report, errors.Join(err, l.pool.closeFiles())
	}
	l.pool.done.Add(1)
	go l.pool.run()
	for _, lane := range l.lanes {
		lane.timer = o.Clock.AfterFunc(idleCover, lane.tick)
		l.flushers.Add(1)
		go lane.run()
	}
	signal(l.pool.wake)
	return l, st.report, nil
}

// adopt takes over the segments found, cuts torn tails and prepares one
// segment, so that the log can be written to.
func (l *Log) adopt(st *scanState) error {
	p := &pool{log: l, wake: make(chan struct{}, 1), stop: make(chan struct{})}
	l.pool = p
	for i := range l.opts.Lanes {
		lane := newLane(l, uint16(i))
		// Frame numbers go on, so that the first new frame covers the last old one.
		found := st.lanes[uint16(i)]
		lane.number, lane.durable = found.last, found.last
		lane.lastRec, lane.covered = found.rec, found.synced
		l.lanes = append(l.lanes, lane)
	}
	p.nextSeq = max(st.maxSeq, l.opts.Start.Segment, l.opts.LastSegment) + 1
	p.nextSlot, p.mark = st.maxSlot+1, l.opts.Start.Segment
	for _, f := range st.files {
		s := &segment{slot: f.slot, size: f.size, header: f.header, seq: f.seq, aside: f.aside}
		if f.aside && f.seq == 0 {
			s.seq = p.nextSeq - 1 // unreadable: kept in place as long as any other
		}
		if s.seq != 0 && s.seq >= l.opts.Start.Segment {
			p.live = append(p.live, s)
			p.size += s.size
		} else {
			p.doomed = append(p.doomed, s)
		}
	}
	slices.SortFunc(p.live, func(a, b *segment) int { return cmp.Compare(a.seq, b.seq) })
	if err := l.removeLeftovers(st.leftovers); err != nil {
		return err
	}
	if err := l.cutTails(st); err != nil {
		return err
	}
	if err := p.clear(); err != nil {
		return err
	}
	s, err := p.prepare(0, l.opts.firstSize())
	if err != nil {
		if errors.Is(err, vfs.ErrNoSpace) {
			err = fmt.Errorf("%w: %w", ErrNoSpace, err)
		}
		return err
	}
	l.lanes[0].spare = s
	return nil
}

func (l *Log) removeLeftovers(names []string) error {
	for _, name := range names {
		if err := l.opts.FS.Remove(l.opts.path(name)); err != nil {
			return fmt.Errorf("commitlog: remove half-made segment: %w", err)
		}
	}
	return nil
}

// cutTails overwrites the first page of every torn frame. Its number is given
// again to a frame elsewhere, and it must not come to life when a page that
// could not be read this time can be read the next.
func (l *Log) cutTails(st *scanState) error {
	zeros := vfs.AlignedBytes(pageSize)
	for _, t := range st.report.Torn {
		f, err := l.opts.FS.OpenRW(l.opts.path(t.File), l.openOptions())
		if err != nil {
			return fmt.Errorf("commitlog: cut torn tail: %w", err)
		}
		if err := errors.Join(l.writeDurable(f, zeros, t.Offset), f.Close()); err != nil {
			return fmt.Errorf("commitlog: cut torn tail: %w", err)
		}
	}
	return nil
}

// Append logs recs as one unit, of which recovery finds all or nothing, and
// returns the position of the first. The bytes are copied before it returns.
// It waits while both buffers are full or a new segment is being prepared. If
// the error is nil, w (which may be nil) is told the end; else it is not used.
//
// Errors match ErrTooLarge (the caller knows the client's words for it),
// ErrNoSpace, ErrClosed or ErrFailed.
func (l *Log) Append(recs [][]byte, w *Waiter) (Position, error) {
	return l.append(recs, w, true)
}

// TryAppend is Append, but answers ErrWouldBlock instead of waiting. It
// allocates nothing unless recs are larger than 1 MiB.
func (l *Log) TryAppend(recs [][]byte, w *Waiter) (Position, error) {
	return l.append(recs, w, false)
}

func (l *Log) append(recs [][]byte, w *Waiter, wait bool) (Position, error) {
	need, err := l.measure(recs)
	if err != nil {
		return Position{}, err
	}
	lane := l.lane()
	pos, lead, err := lane.append(recs, need, w, wait)
	if lead {
		signal(lane.wake)
	}
	return pos, err
}

// AppendSync is Append for a caller that blocks until the end and has nothing
// else to do meanwhile. If nobody else is writing it writes itself. In mode
// Periodic it returns when the records are copied.
func (l *Log) AppendSync(recs [][]byte) (Position, error) {
	need, err := l.measure(recs)
	if err != nil {
		return Position{}, err
	}
	p := l.getParked()
	lane := l.lane()
	pos, lead, err := lane.append(recs, need, &p.Waiter, true)
	if lead {
		if l.opts.Mode == Batch {
			lane.lead()
		} else {
			signal(lane.wake)
		}
	}
	if err == nil {
		err = <-p.done
	}
	l.parked.Put(p)
	return pos, err
}

// measure returns the bytes of recs with their lengths.
func (l *Log) measure(recs [][]byte) (int, error) {
	if len(recs) == 0 {
		return 0, errors.New("commitlog: append of no records")
	}
	need := 0
	for _, r := range recs {
		if limit := l.opts.maxRecord(); len(r) > limit {
			return 0, &TooLargeError{Size: len(r), Limit: limit}
		}
		need += uvarintLen(uint64(len(r))) + len(r)
	}
	if limit := l.opts.maxGroup(); need > limit {
		return 0, &TooLargeError{Size: need, Limit: limit}
	}
	return need, nil
}

func (l *Log) lane() *lane {
	if len(l.lanes) == 1 {
		return l.lanes[0]
	}
	return l.lanes[int(l.next.Add(1))%len(l.lanes)]
}

// Sync returns when everything appended before the call is durable, in every
// mode, or when ctx ends.
func (l *Log) Sync(ctx context.Context) error {
	for _, lane := range l.lanes {
		if err := lane.wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Head is a position that no later append goes below. A table without records
// in memory has it as its low-water mark.
func (l *Log) Head() Position {
	l.pool.mu.Lock()
	head := Position{Segment: l.pool.nextSeq}
	l.pool.mu.Unlock()
	for _, lane := range l.lanes {
		if p, ok := lane.head(); ok && p.Less(head) {
			head = p
		}
	}
	return head
}

// Heads tells of several lanes what Head tells of one. A record of a segment
// in heads was appended before the call if it lies below the position there;
// one of another segment if that is below next. Records that are appended
// while Heads runs may be either.
func (l *Log) Heads() (heads []Position, next uint64) {
	l.pool.mu.Lock()
	next = l.pool.nextSeq
	l.pool.mu.Unlock()
	for _, lane := range l.lanes {
		if p, ok := lane.head(); ok {
			heads = append(heads, p)
		}
	}
	return heads, next
}

// Discard tells that no record below pos is needed: the caller's manifest
// durably says so (it is the next Options.Start). Segments wholly below are
// used again, kept free or removed. pos never goes back.
func (l *Log) Discard(pos Position) { l.pool.discard(pos.Segment) }

// ActiveSegments returns the numbers of the segments that hold records and
// have not been discarded, in order, oldest first.
func (l *Log) ActiveSegments() []uint64 {
	l.pool.mu.Lock()
	defer l.pool.mu.Unlock()
	seqs := make([]uint64, len(l.pool.live))
	for i, s := range l.pool.live {
		seqs[i] = s.seq
	}
	return seqs
}

// Size is the bytes of the active segments.
func (l *Log) Size() int64 {
	l.pool.mu.Lock()
	defer l.pool.mu.Unlock()
	return l.pool.size
}

// Err is why the log failed, or nil.
func (l *Log) Err() error {
	if p := l.failure.Load(); p != nil {
		return *p
	}
	return nil
}

// fail ends the log for good and returns the error that everyone gets. A
// write is never tried again: after a failed sync nobody knows what the
// kernel still holds.
func (l *Log) fail(cause error) error {
	err := fmt.Errorf("%w: %w", ErrFailed, cause)
	if !l.failure.CompareAndSwap(nil, &err) {
		return l.Err()
	}
	for _, lane := range l.lanes {
		lane.abort(err)
	}
	if l.opts.OnFailure != nil {
		l.opts.OnFailure(err)
	}
	return err
}

// Close refuses further appends, makes durable what was appended, ends the
// log's goroutines, clears away what was discarded and closes its files. It may
// be called twice. It returns why the log failed if it did.
func (l *Log) Close() error {
	l.closing.Lock()
	again := l.closed
	l.closed = true
	l.closing.Unlock()
	if again {
		l.flushers.Wait()
		l.pool.done.Wait()
		return l.Err()
	}
	for _, lane := range l.lanes {
		lane.mu.Lock()
		lane.closed = true
		lane.space.Broadcast()
		lane.mu.Unlock()
	}
	// On an error the flushers still have to end.
	_ = l.Sync(context.Background())
	close(l.stop)
	l.flushers.Wait()
	close(l.pool.stop)
	l.pool.done.Wait()
	for _, lane := range l.lanes {
		lane.timer.Stop()
		lane.flush(true)
	}
	for _, lane := range l.lanes {
		if lane.spare != nil {
			l.pool.free = append(l.pool.free, lane.spare)
		}
	}
	// What was discarded last: a damaged segment that was set aside must not be
	// met by a start that does not name it any more.
	var err error
	if l.Err() == nil {
		err = l.pool.clear()
	}
	return errors.Join(l.Err(), err, l.pool.closeFiles())
}
