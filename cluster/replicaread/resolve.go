package replicaread

import (
	"bytes"
	"slices"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/fail"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/schema"
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
	r.refs += len(repairs)
	r.mu.Unlock()
	r.rd.stats.repairs.Add(uint64(len(repairs)))
	for i := range repairs {
		r.repair(&repairs[i])
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
	if !p.to.local {
		r.rd.cfg.Repair(p.to.host, p.record, int64(r.deadline), (*repaired)(r))
		return
	}
	ctx, cancel := r.rd.until(r.rd.ctx, r.deadline)
	defer cancel()
	if err := r.rd.cfg.Apply(ctx, p.record, (*repaired)(r)); err != nil {
		(*repaired)(r).Complete(err)
	}
}

// repaired is told that a replica has got a repair, or has not.
type repaired round

// Complete implements mutation.Completer.
func (d *repaired) Complete(err error) {
	r := (*round)(d)
	r.mu.Lock()
	if err != nil {
		r.unsaved++
		r.rd.stats.unrepaired.Inc()
	}
	r.stale = max(r.stale, r.changedAt(err))
	r.repairs--
	invariant.Check(r.repairs >= 0, "replicaread: a repair is acknowledged twice")
	if r.repairs == 0 && r.phase != phaseOver {
		r.finish(r.repairError())
	}
	r.unlock()
	r.release()
}

// repairError is what the owner is told once all repairs have been answered. The
// lock is held.
func (r *round) repairError() error {
	switch {
	case r.stale > 0:
		// The table was truncated or changed meanwhile: what was read may be
		// gone, and must not come back by a repair.
		return errStale
	case r.unsaved > 0:
		// Too few replicas hold what would be answered.
		n := max(r.targets.blockFor-r.unsaved, 0)
		return native.ReadTimeout(native.Consistency(r.level), n, r.targets.blockFor, true)
	}
	return nil
}

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
			invariant.Check(r.sec.holds(record.Token(), record.Key()), "replicaread: a repair is of a partition that was not asked for")
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

// differ finds what a replica lacks of a merged result: rows whose live content
// differs, as a whole, and the deletions that shadow something of what the
// replica has. Deletions that shadow nothing there are left out: a replica that
// has purged them must not get them back for ever.
type differ struct {
	now     uint32
	reverse bool
	table   schema.TableID
	epoch   uint64
	records []mutation.Record
	all     []repair

	digest mutation.Digest
	build  mutation.Builder

	// The partition in progress.
	cover     mutation.Deletion // of the merged stream, a range's
	lo, hi    []byte            // rows of the replica that cover shadows
	shadowed  bool              // lo and hi are set
	partition bool              // the partition's deletion is lacking
	changes   []change
	newest    int64
}

// change is an entry of a repair record, with bytes of its own.
type change struct {
	static     bool
	clustering []byte
	row        []byte // nil for a range deletion from clustering to end
	end        []byte
	deletion   mutation.Deletion
}

// compare reads the merged stream and one replica's beside it.
func (d *differ) compare(merged, own mutation.Source) error {
	have := own.NextPartition()
	for merged.NextPartition() {
		p := *merged.Partition()
		q := mutation.Partition{}
		both := have && own.Partition().Token == p.Token && bytes.Equal(own.Partition().Key, p.Key)
		if both {
			q = *own.Partition()
		}
		d.begin()
		if err := d.static(&p, &q); err != nil {
			return err
		}
		if err := d.items(&p, merged, own, both); err != nil {
			return err
		}
		d.flush(&p)
		if both {
			have = own.NextPartition()
		}
	}
	if err := merged.Err(); err != nil {
		return err
	}
	return own.Err()
}

func (d *differ) begin() {
	d.shadowed, d.partition, d.changes, d.newest = false, false, d.changes[:0], 0
}

func (d *differ) static(p, q *mutation.Partition) error {
	if err := d.shadows(q.Static, nil, p); err != nil {
		return err
	}
	return d.row(true, nil, p.Static, q.Static)
}

// items walks the rows of a partition. Of the replica's own boundaries nothing
// is needed: what they shadow is gone from its rows.
func (d *differ) items(p *mutation.Partition, merged, own mutation.Source, both bool) error {
	d.cover = merged.Open()
	m := merged.Next()
	o := both && nextRow(own)
	for m || o {
		var theirs, ours *mutation.Item
		if m {
			theirs = merged.Item()
		}
		if o {
			ours = own.Item()
		}
		c := d.order(theirs, ours)
		if err := d.item(p, theirs, ours, c); err != nil {
			return err
		}
		if c <= 0 {
			m = merged.Next()
		}
		if c >= 0 {
			o = nextRow(own)
		}
	}
	d.endRange()
	return nil
}

// order tells which of two items comes first, below zero for the merged one; nil
// comes last. An item of the replica's own is a row.
func (d *differ) order(merged, own *mutation.Item) int {
	switch {
	case own == nil:
		return -1
	case merged == nil:
		return 1
	}
	c := bytes.Compare(merged.Clustering, own.Clustering)
	if c == 0 && merged.Kind == mutation.ItemBoundary {
		c = -1 // it lies below the row
	}
	if d.reverse {
		c = -c
	}
	return c
}

// item takes in the first of two items, or both if c, their order, is 0.
func (d *differ) item(p *mutation.Partition, merged, own *mutation.Item, c int) error {
	if c < 0 {
		if merged.Kind == mutation.ItemBoundary {
			d.endRange()
			d.cover = behind(merged, d.reverse)
			return nil
		}
		return d.row(false, merged.Clustering, merged.Row, nil)
	}
	if err := d.shadows(own.Row, own.Clustering, p); err != nil || c > 0 {
		return err
	}
	return d.row(false, own.Clustering, merged.Row, own.Row)
}

func nextRow(s mutation.Source) bool {
	for s.Next() {
		if s.Item().Kind == mutation.ItemRow {
			return true
		}
	}
	return false
}

// shadows notes which deletions of the merged stream the replica needs for a
// row of its own.
func (d *differ) shadows(row, clustering []byte, p *mutation.Partition) error {
	if row == nil || fail.Mutant("repair-without-deletions") {
		return nil
	}
	if p.Deletion.Set {
		s, err := mutation.Shadow(row, p.Deletion)
		if err != nil {
			return err
		}
		d.partition = d.partition || s != mutation.ShadowNone
	}
	if clustering == nil || !d.cover.Set {
		return nil
	}
	s, err := mutation.Shadow(row, d.cover)
	if err != nil || s == mutation.ShadowNone {
		return err
	}
	if !d.shadowed {
		d.lo, d.hi = append(d.lo[:0], clustering...), append(d.hi[:0], clustering...)
	}
	d.shadowed = true
	if d.reverse {
		d.lo = append(d.lo[:0], clustering...)
	} else {
		d.hi = append(d.hi[:0], clustering...)
	}
	return nil
}

// endRange takes in the piece of a range deletion that shadows rows of the
// replica: from the first of them to just behind the last.
func (d *differ) endRange() {
	if !d.shadowed {
		return
	}
	d.shadowed = false
	d.changes = append(d.changes, change{clustering: bytes.Clone(d.lo), end: append(bytes.Clone(d.hi), 0), deletion: d.cover})
	d.newest = max(d.newest, d.cover.Timestamp)
}

// row takes in a row whose live content the replica has otherwise.
func (d *differ) row(static bool, clustering, merged, own []byte) error {
	if merged == nil || bytes.Equal(merged, own) {
		return nil
	}
	want, err := d.content(clustering, merged)
	if err != nil {
		return err
	}
	var have [16]byte
	if own != nil {
		if have, err = d.content(clustering, own); err != nil {
			return err
		}
	}
	if want == have {
		return nil
	}
	var r mutation.RowReader
	if err := r.Init(merged); err != nil {
		return err
	}
	d.newest = max(d.newest, r.Base)
	d.changes = append(d.changes, change{static: static, clustering: bytes.Clone(clustering), row: bytes.Clone(merged)})
	return nil
}

// content is a digest of what is live of a row, zero if nothing is.
func (d *differ) content(clustering, row []byte) ([16]byte, error) {
	d.digest.Reset(d.now, nil)
	err := d.digest.Row(clustering, row)
	return d.digest.Sum(), err
}

// flush makes the records of a partition that lacks something.
func (d *differ) flush(p *mutation.Partition) {
	if !d.partition && len(d.changes) == 0 {
		return
	}
	if d.partition {
		d.newest = max(d.newest, p.Deletion.Timestamp)
	}
	head := mutation.Header{
		Table: d.table, Epoch: d.epoch, Timestamp: d.newest, Token: p.Token, Key: p.Key, Origin: mutation.FromReadRepair,
	}
	d.build.Begin(nil, head)
	if d.partition {
		d.build.DeletePartition(p.Deletion)
	}
	for i := range d.changes {
		// Rows need not arrive together, and a record has its bound.
		if d.build.Len()+len(d.changes[i].row) > maxRepair && !d.build.Empty() {
			d.records = append(d.records, d.build.Finish())
			d.build.Begin(nil, head)
		}
		d.encode(&d.changes[i])
	}
	d.records = append(d.records, d.build.Finish())
}

// maxRepair is about how long a record of several rows may become, in bytes.
const maxRepair = 1 << 20

func (d *differ) encode(c *change) {
	if c.row == nil {
		d.build.DeleteRange(c.clustering, c.end, c.deletion)
		return
	}
	if c.static {
		d.build.BeginStatic()
	} else {
		d.build.BeginRow(c.clustering)
	}
	var r mutation.RowReader
	if r.Init(c.row) == nil {
		d.build.Marker(r.Marker)
		d.build.DeleteRow(r.Deletion)
		for r.NextCell() {
			d.build.Cell(r.Cell)
		}
	}
	d.build.EndRow()
}
