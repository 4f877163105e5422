package replicaread

import (
	"errors"
	"slices"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/fail"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/wire"
)

// resolve merges pages that differ and brings each replica what it lacks of the
// result, before the result is given out: what was read once at a quorum is
// then read by every later one. It runs on a worker.
func (r *round) resolve() {
	err := r.result.shorten()
	var repairs []repair
	if err == nil && r.table.Options.ReadRepair != readRepairNone && !fail.Mutant("skip-read-repair") {
		repairs, err = r.findRepairs()
	}
	if err != nil || len(repairs) == 0 {
		r.end(err)
		return
	}
	r.mu.Lock()
	invariant.Check(r.phase == phaseResolve || r.phase == phaseOver, "replicaread: pages are repaired that were not compared")
	r.repairs = len(repairs)
	for i := range repairs {
		repairs[i].to.lacks++
	}
	r.refs += len(repairs)
	r.mu.Unlock()
	r.rd.stats.repairs.Add(uint64(len(repairs)))
	// Peers first, who have until the deadline: the local store may keep this
	// worker waiting.
	for _, local := range [...]bool{false, true} {
		for i := range repairs {
			if repairs[i].to.local == local {
				r.repair(&repairs[i])
			}
		}
	}
}

// readRepairNone is the table option that leaves differences alone.
const readRepairNone = "NONE"

// repair is what one replica lacks of one partition.
type repair struct {
	to     *replica
	record mutation.Record
}

func (r *round) repair(p *repair) {
	done := (*repaired)(p.to)
	if !p.to.local {
		r.rd.cfg.Repair(p.to.host, p.record, int64(r.deadline), done)
		return
	}
	r.limitLocal()
	ctx, cancel := r.rd.until(r.rd.ctx, r.deadline)
	defer cancel()
	if err := r.rd.cfg.Apply(ctx, p.record, done); err != nil {
		done.Complete(err)
	}
}

// repaired is told that a replica has got a repair, or has not.
type repaired replica

// Complete implements mutation.Completer.
func (d *repaired) Complete(err error) {
	p := (*replica)(d)
	r := p.round
	p.tellRefused(err)
	r.mu.Lock()
	if err != nil {
		p.state, p.err = failed, err
		r.unsaved = true
		r.rd.stats.unrepaired.Inc()
	}
	r.stale = max(r.stale, r.changedAt(err))
	r.repairs--
	p.lacks--
	invariant.Check(r.repairs >= 0, "replicaread: a repair is acknowledged twice")
	compare := false
	if r.repairs == 0 && r.phase != phaseOver {
		compare = r.repairsOver()
	}
	r.unlock()
	if compare {
		r.compare()
	}
	r.send()
	r.release()
}

// tellRefused has the log say that a replica does not take what it lacks: its disk
// may be full, or a row longer than a message or a record can be, and then every
// read of it fails that needs the replica.
func (p *replica) tellRefused(err error) {
	r := p.round
	if err == nil || isDown(err) || reasonOf(err) == native.ReasonTimeout || r.changedAt(err) != 0 {
		return
	}
	if others, ok := r.rd.said.refused.Pass(r.rd.now()); ok {
		r.rd.cfg.Log.Warn("a replica does not take what a read has found it to lack",
			"host", p.host, "table", r.table.Keyspace+"."+r.table.Name, "error", err, "others", others)
	}
}

// repairsOver sees what is to be done once all repairs have been answered; the
// lock is held, and compare is that of step.
func (r *round) repairsOver() (compare bool) {
	switch {
	case !r.unsaved:
		r.finish(nil)
		return false
	case r.stale > 0:
		// The table was truncated or changed meanwhile: what was read may be
		// gone, and must not come back by a repair. Or a replica has refused that
		// would be needed now.
		r.finish(errStale)
		return false
	}
	// Who does not take what it lacks, since its disk is full maybe, is replaced
	// like one that does not answer.
	r.phase, r.unsaved = phaseAsk, false
	switch enough, hopeless := r.tally(); {
	case hopeless:
		r.finish(r.tooFewHold())
	case enough:
		return r.collected()
	}
	return false
}

// tooFewHold is what the owner is told if repairs were not acknowledged, of which
// a replica may have had several: too few replicas hold what would be answered.
// The lock is held.
func (r *round) tooFewHold() error {
	hold := 0
	for i := range r.replicas {
		if p := &r.replicas[i]; p.state == hasData && p.lacks == 0 {
			hold++
		}
	}
	return native.ReadTimeout(native.Consistency(r.level), min(hold, r.targets.blockFor-1), r.targets.blockFor, true)
}

// errNotAsked is what a peer has done that answers with what it was not asked
// for: that must not become a repair of it.
var errNotAsked = errors.New("replicaread: a replica has sent a partition that it was not asked for")

// findRepairs compares the result with each page.
func (r *round) findRepairs() ([]repair, error) {
	d := differ{now: r.read.Now, reverse: r.read.Reverse, table: r.table.ID, epoch: r.top.Epoch}
	var own mutation.Merge
	var stream wire.RowStream
	for _, p := range r.result.pages {
		stream.Init(p.reply.Rows, p.reply.More, r.read.Reverse)
		own.Init([]mutation.Source{&stream}, r.read.Reverse)
		at := r.result.clipped(&own)
		if err := d.compare(r.result.open(), &at); err != nil {
			return nil, err
		}
		for _, record := range d.records {
			if !r.asks(record.Token(), record.Key()) {
				return nil, errNotAsked
			}
			d.all = append(d.all, repair{p, record})
		}
		d.records = d.records[:0]
	}
	return d.all, nil
}

// shorten finds where replicas have ended partitions for the limit of rows per
// partition: behind the first such place the merge knows too little. If deletions
// of others leave a partition short there, the result ends early, and what
// follows is asked for.
func (s *result) shorten() error {
	limit := s.round.read.PerPartitionLimit
	if s.round.read.Distinct {
		limit = 1
	}
	if limit == 0 || len(s.pages) == 1 || fail.Mutant("skip-short-read-protection") {
		return nil
	}
	for i := range s.pages {
		s.limited = append(s.limited, limitedAt(s.page(i))...)
	}
	reverse := s.round.read.Reverse
	slices.SortFunc(s.limited, func(a, b wire.Position) int { return comparePositions(&a, &b, reverse) })
	s.limited = slices.CompactFunc(s.limited, func(a, b wire.Position) bool {
		return comparePartitions(a.Token, a.Key, b.Token, b.Key) == 0 // the first stays
	})
	src := s.open()
	for src.NextPartition() {
		end := s.clip.limit
		if end == nil || s.cut && comparePositions(end, &s.end, reverse) >= 0 {
			continue
		}
		rows, err := liveRows(src, s.round.read.Now)
		if err != nil {
			return err
		}
		if rows < limit {
			s.cut, s.end = true, *end
			break
		}
	}
	return src.Err()
}

// limitedAt finds where a page has ended partitions for their limit.
func limitedAt(rows *wire.RowStream) (ends []wire.Position) {
	for rows.NextPartition() {
		p := rows.Partition()
		at := wire.Position{Place: wire.PlaceHead, Token: p.Token, Key: p.Key}
		for rows.Next() {
			at.Place, at.Clustering = wire.PlaceRow, rows.Item().Clustering
			if rows.Item().Kind == mutation.ItemBoundary {
				at.Place = wire.PlaceBoundary
			}
		}
		if rows.Limited() {
			ends = append(ends, at)
		}
	}
	return ends
}

// liveRows counts the live rows of the current partition.
func liveRows(src mutation.Source, now uint32) (n uint32, err error) {
	for src.Next() {
		live, err := isLive(src.Item(), now)
		if err != nil {
			return 0, err
		}
		if live {
			n++
		}
	}
	return n, src.Err()
}

func isLive(it *mutation.Item, now uint32) (bool, error) {
	if it.Kind != mutation.ItemRow {
		return false, nil
	}
	var r mutation.RowReader
	if err := r.Init(it.Row); err != nil {
		return false, err
	}
	live := r.Live(now)
	return live, r.Err()
}
