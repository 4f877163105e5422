package replicaread

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/wire"
)

const (
	// maxAhead bounds how many rounds of a scan run at a time.
	maxAhead = 16
	// aheadBytes is what the pages of rounds that run at a time may have
	// together, and leastBytes what each may have at least.
	aheadBytes = 1 << 20
	leastBytes = 64 << 10
	// maxStale bounds how often a scan catches up.
	maxStale = 16
)

// errLate is what a time-out matches.
var errLate = &native.Error{Code: native.CodeReadTimeout}

// scan is the source of what a command names, in pages that rounds fetch when
// the reader comes to them. Rounds for the next sections run ahead, more of
// them the further the reader goes.
type scan struct {
	rd    *Reader
	ctx   context.Context // nil: nothing may be waited for
	cmd   *mutation.ReadCommand
	level ring.ConsistencyLevel
	rows  uint32 // limit of a round, 0 is none
	width int    // how many rounds are to run at a time
	stale int    // how often the scan has caught up

	unasked []section // the last one comes first
	carver  carver
	ahead   []*round // asked for, in order, before unasked

	page  *round // the page in front
	src   mutation.Source
	first *round // holds what part aliases, if that is not page

	ascent ascent
	part   mutation.Partition
	item   mutation.Item
	open   mutation.Deletion
	inside bool   // of part
	peeked bool   // src stands in the partition after part
	floor  []byte // of the last Seek in part
	made   []byte // clustering of a boundary made up where pages meet
	err    error

	// Of StartRead.
	completer cluster.ReadCompleter
	deadline  int64 // clock.Mono nanoseconds, 0 for none
}

var _ mutation.Source = (*scan)(nil)

func (rd *Reader) newScan(cmd *mutation.ReadCommand, level ring.ConsistencyLevel) *scan {
	s, _ := rd.scans.Get().(*scan)
	if s == nil {
		s = &scan{rd: rd}
	}
	s.cmd, s.level, s.width, s.stale = cmd, level, 1, 0
	s.carver.apart = false
	if s.rows = cmd.Limit; cmd.Page > 0 && (s.rows == 0 || s.rows > cmd.Page) {
		s.rows = cmd.Page
	}
	if len(cmd.Filters) > 0 && !cmd.Distinct {
		s.rows = 0 // what passes is known after the merge
	}
	s.push().whole(cmd)
	if len(cmd.Keys) == 1 {
		if p, err := placement(rd.cfg.Topology(), cmd.Table); err == nil && !holds(p.Replicas(cmd.Keys[0].Token)) {
			rd.stats.away.Inc()
		}
	}
	return s
}

// push makes room for a section before all that is left to do.
func (s *scan) push() *section {
	if n := len(s.unasked); n < cap(s.unasked) {
		s.unasked = s.unasked[:n+1]
	} else {
		s.unasked = append(s.unasked, section{})
	}
	return &s.unasked[len(s.unasked)-1]
}

// pushBack gives the section of a round back, or what of it lies behind a
// position.
func (s *scan) pushBack(r *round, done *wire.Position) {
	sec := s.push()
	sec.copyOf(&r.sec)
	if done != nil {
		sec.behind(done)
	}
}

// trim forgets sections of which nothing is left.
func (s *scan) trim() {
	for len(s.unasked) > 0 && s.unasked[len(s.unasked)-1].empty() {
		s.unasked = s.unasked[:len(s.unasked)-1]
	}
}

// ask starts rounds until as many run as are wanted or all is asked for.
func (s *scan) ask() error {
	for s.trim(); len(s.unasked) > 0 && len(s.ahead) < s.width; s.trim() {
		r := s.rd.newRound()
		if err := s.start(r); err != nil {
			r.release()
			return err
		}
		s.ahead = append(s.ahead, r)
	}
	return nil
}

// askFirst starts a round for a section that was given back, which goes before
// those that run.
func (s *scan) askFirst() error {
	n := len(s.unasked) - 1
	r := s.rd.newRound()
	if err := s.start(r); err != nil {
		r.release()
		return err
	}
	if !s.unasked[n].empty() {
		s.recall()
	}
	s.ahead = append(s.ahead, nil)
	copy(s.ahead[1:], s.ahead)
	s.ahead[0] = r
	return nil
}

// recall gives the sections of the rounds that run back, because the one in
// unasked comes before them.
func (s *scan) recall() {
	var before section
	before.copyOf(&s.unasked[len(s.unasked)-1])
	s.unasked = s.unasked[:len(s.unasked)-1]
	for i := len(s.ahead) - 1; i >= 0; i-- {
		s.pushBack(s.ahead[i], nil)
		s.ahead[i].abandon()
		s.ahead[i] = nil
	}
	s.ahead = s.ahead[:0]
	s.push().copyOf(&before)
}

// start starts a round for the first piece of what is left to do.
func (s *scan) start(r *round) error {
	top := s.rd.cfg.Topology()
	p, err := placement(top, s.cmd.Table)
	if err != nil {
		return err
	}
	r.top, r.level = top, s.level
	replicas := s.carver.carve(s.rd, top, p, s.level, &s.unasked[len(s.unasked)-1], &r.sec)
	r.narrowed = s.carver.narrowed
	timeout := s.rd.cfg.Timeout
	if r.sec.ranged {
		timeout = s.rd.cfg.RangeTimeout
	}
	r.deadline = s.within(timeout)
	bytes := aheadBytes
	if s.cmd.Bytes > 0 {
		bytes = min(s.cmd.Bytes, aheadBytes)
	}
	return r.start(s.cmd, replicas, p, max(bytes/s.width, min(bytes, leastBytes)), s.rows)
}

// within is when a time-out that begins now is over, or the read is.
func (s *scan) within(timeout time.Duration) time.Duration {
	end := s.rd.now() + timeout
	if s.deadline > 0 {
		end = min(end, time.Duration(s.deadline))
	}
	return end
}

// load waits for the next page; false at the end or on an error. again tells
// that a section was given back, which comes first.
func (s *scan) load(again bool) bool {
	for s.err == nil {
		if !s.more(again) {
			return false
		}
		r := s.ahead[0]
		if s.ctx != nil {
			if s.err = s.await(r); s.err != nil {
				return false
			}
		}
		copy(s.ahead, s.ahead[1:])
		s.ahead = s.ahead[:len(s.ahead)-1]
		if again = s.take(r); s.page != nil {
			return true
		}
	}
	return false
}

// more starts the rounds that are to run; false at the end or on an error.
func (s *scan) more(again bool) bool {
	again = again && !s.unasked[len(s.unasked)-1].empty()
	s.trim()
	switch {
	case len(s.ahead) == 0 && len(s.unasked) == 0:
		return false
	case s.ctx == nil && (again || len(s.ahead) == 0):
		s.err = mutation.ErrWouldBlock
	case again:
		s.err = s.askFirst()
	}
	if s.err == nil && s.ctx != nil {
		s.err = s.ask()
	}
	return s.err == nil
}

// take makes the result of a round that is over the page in front. Without one
// again tells that the round's section was given back.
func (s *scan) take(r *round) (again bool) {
	switch {
	case errors.Is(r.err, errStale):
		return s.catchUp(r)
	case r.err != nil && r.narrowed && !errors.Is(r.err, errLate):
		// Each set of replicas for itself has more of them.
		s.carver.apart = true
		s.pushBack(r, nil)
		r.release()
		return true
	case r.err != nil:
		s.err = r.err
		r.release()
		return false
	}
	s.page, s.src = r, r.result.open()
	if !r.result.cut {
		s.width = min(2*s.width, maxAhead)
	}
	return false
}

// await waits until a round is over.
func (s *scan) await(r *round) error {
	select {
	case <-r.ready:
		return nil
	default:
	}
	if r.sec.ranged {
		defer r.letGo()
		if !r.hold() {
			return errBusy
		}
	}
	select {
	case <-r.ready:
		return nil
	case <-s.ctx.Done():
		return context.Cause(s.ctx)
	}
}

// catchUp follows the replica that refused a round and gives the round's
// section back, to be asked for first.
func (s *scan) catchUp(r *round) bool {
	epoch := r.stale
	s.rd.stats.stale.Inc()
	s.pushBack(r, nil)
	r.release()
	if s.stale++; s.stale > maxStale {
		s.err = errUnsettled
		return false
	}
	s.err = s.rd.cfg.CatchUp(s.ctx, epoch)
	return s.err == nil
}

// NextPartition implements mutation.Source.
func (s *scan) NextPartition() bool {
	s.dropFirst()
	for s.err == nil {
		if s.src == nil && !s.load(false) {
			return false
		}
		if s.peeked || s.src.NextPartition() {
			s.peeked = false
			s.part, s.open = *s.src.Partition(), s.src.Open()
			s.ascent.partition(&s.part)
			s.inside, s.floor = true, s.floor[:0]
			return true
		}
		if s.err = s.src.Err(); s.err != nil {
			return false
		}
		again := s.page.result.cut
		if again {
			end := s.page.result.end
			if s.inside && s.cutInside() {
				end.Place = wire.PlaceEnd // the reader wants no more of the partition
			}
			s.pushBack(s.page, &end)
		}
		s.inside = false
		s.leave()
		if !s.load(again) {
			return false
		}
	}
	return false
}

// cutInside tells whether the page in front ends within the current partition.
func (s *scan) cutInside() bool {
	if !s.page.result.cut {
		return false
	}
	e := &s.page.result.end
	return e.Place != wire.PlaceEnd && e.Token == s.part.Token && bytes.Equal(e.Key, s.part.Key)
}

// leave lets go of the page in front.
func (s *scan) leave() {
	s.src.Close()
	s.page.release()
	s.page, s.src = nil, nil
}

func (s *scan) dropFirst() {
	if s.first != nil {
		s.first.release()
		s.first = nil
	}
}

// Next implements mutation.Source.
func (s *scan) Next() bool {
	for s.inside && s.err == nil {
		if s.src.Next() {
			if it := s.src.Item(); it.Kind == mutation.ItemRow {
				s.item = *it
				s.ascent.item(it, s.cmd.Reverse)
				return true
			} else if s.change(it.Clustering, behind(it, s.cmd.Reverse)) {
				return true
			}
			continue
		}
		if s.err = s.src.Err(); s.err != nil {
			return false
		}
		if !s.cutInside() {
			s.inside = false
			return false
		}
		if s.resume() {
			return true
		}
	}
	return false
}

// change makes the current item a boundary behind which d is in force; false if
// it is already.
func (s *scan) change(clustering []byte, d mutation.Deletion) bool {
	if d == s.open {
		return false
	}
	s.item = mutation.Item{Kind: mutation.ItemBoundary, Clustering: clustering, Before: s.open, After: d}
	if s.cmd.Reverse {
		s.item.Before, s.item.After = d, s.open
	}
	s.open = d
	s.ascent.item(&s.item, s.cmd.Reverse)
	return true
}

// resume goes on with the partition on the next page; true if a boundary is the
// next item because the deletion in force is another one there.
func (s *scan) resume() bool {
	end := s.page.result.end
	if len(s.floor) > 0 && (step(end.Place) == 0 || reached(s.floor, end.Clustering, s.cmd.Reverse)) {
		end.Place, end.Clustering = wire.PlaceBoundary, s.floor
	}
	s.made = append(s.made[:0], end.Clustering...)
	if end.Place == wire.PlaceRow && !s.cmd.Reverse {
		s.made = append(s.made, 0)
	}
	s.pushBack(s.page, &end)
	if s.first == nil {
		s.first, s.page, s.src = s.page, nil, nil
	} else {
		s.leave()
	}
	if !s.load(true) {
		s.inside = false
		return false
	}
	if !s.src.NextPartition() {
		s.err = s.src.Err()
		s.inside = false
		return false
	}
	p := s.src.Partition()
	if p.Token != s.part.Token || !bytes.Equal(p.Key, s.part.Key) {
		s.inside, s.peeked = false, true
		return false
	}
	s.part.Deletion = s.part.Deletion.Max(p.Deletion)
	return s.change(s.made, s.src.Open())
}

// Partition implements mutation.Source.
func (s *scan) Partition() *mutation.Partition { return &s.part }

// Seek implements mutation.Source.
func (s *scan) Seek(bound []byte) {
	if !s.inside || s.err != nil || len(bound) == 0 {
		return
	}
	s.floor = append(s.floor[:0], bound...)
	s.src.Seek(bound)
	s.open = s.src.Open()
}

// Open implements mutation.Source.
func (s *scan) Open() mutation.Deletion { return s.open }

// Item implements mutation.Source.
func (s *scan) Item() *mutation.Item { return &s.item }

// Err implements mutation.Source.
func (s *scan) Err() error { return s.err }

// Close implements mutation.Source. A scan that is closed a second time must not
// be given to two readers.
func (s *scan) Close() {
	if s.cmd == nil {
		return
	}
	s.dropFirst()
	if s.page != nil {
		s.leave()
	}
	for i, r := range s.ahead {
		r.abandon()
		s.ahead[i] = nil
	}
	s.ahead, s.unasked = s.ahead[:0], s.unasked[:0]
	s.ctx, s.cmd, s.completer, s.deadline, s.err = nil, nil, nil, 0, nil
	s.part, s.item, s.open = mutation.Partition{}, mutation.Item{}, mutation.Deletion{}
	s.inside, s.peeked = false, false
	s.ascent = ascent{}
	s.rd.scans.Put(s)
}
