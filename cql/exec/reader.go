package exec

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/cql/plan"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/schema"
)

// Defaults of Limits.
const (
	DefaultPageBytes = 1 << 20
	DefaultMaxBytes  = 100 << 20
	DefaultScanBytes = 16 << 20
	// DefaultTombstones is Cassandra's tombstone_failure_threshold.
	DefaultTombstones = 100_000
)

// ErrTombstones refuses a result without pages that too many tombstones lie in.
var ErrTombstones = errors.New("exec: too many tombstones")

// maxPeek bounds how many rows a full page looks at to learn whether there is
// another.
const maxPeek = 64

// maxKeptCells is how many cells of collections a Reader keeps room for.
const maxKeptCells = 4096

// countedRows is how many live rows go together where tombstones are counted
// and there are no pages: drivers' usual page.
const countedRows = 5000

// checkEvery is how many rows pass between calls of Limits.Check.
const checkEvery = 256

// Limits bound one page.
type Limits struct {
	// PageBytes ends a page of a paged query once its rows have so many bytes;
	// 0 is DefaultPageBytes.
	PageBytes int
	// MaxBytes refuses a result that is larger; 0 is DefaultMaxBytes.
	MaxBytes int
	// ScanBytes ends a page of a paged query once so many bytes of stored rows
	// and tombstones were read for it; 0 is DefaultScanBytes.
	ScanBytes int
	// Tombstones ends a page of a paged query once more of them were read for
	// it, and refuses another result, which is counted in parts of countedRows
	// live rows. They are counted as Cassandra does: dead cells, range
	// deletions' ends, and rows of which a deletion is all there is. 0 is
	// DefaultTombstones.
	Tombstones int
	// InlineRows and InlineBytes make Page answer mutation.ErrWouldBlock once it
	// has met more stored rows, or read more bytes, than so many, for a caller
	// that must not spend more; 0 is no bound.
	InlineRows, InlineBytes int
	// Check is called now and then and ends the page with its error. May be nil.
	Check func() error
}

// Result is what Page says of the rows it appended.
type Result struct {
	Rows int
	// PagingState is nil on the last page. It is valid until the next call.
	PagingState []byte
	// Live are the live rows that were read, Tombstones what was not live.
	Live, Tombstones int
}

// Reader turns streams of stored rows into pages of results. It is reused:
// plain rows then cost no allocation. It belongs to one goroutine at a time.
type Reader struct {
	Limits Limits

	macKey  []byte
	row     row
	from    position // of Resume
	resumed bool
	state   []byte

	// The page in progress.
	q           *plan.Query
	src         mutation.Source
	dst         []byte
	base        int
	count       int
	scanned     int // bytes
	rows        int // stored rows
	live        int // of these
	mostDead    int // tombstones in a part of a result without pages
	peeked      int
	remaining   uint32 // of the limit, 0 is none
	inPartition uint32
	rowsSeen    bool // in this partition
	pending     bool // the source's current item has not been looked at
	full        bool
	more        bool
	stop        bool
	end         position
	agg         aggregation
	merge       []mergeRow
	seek        []byte
	group       []byte // clustering prefix of the current group
	groupKey    []byte
	groupNew    []byte
	scratch     []byte
}

type mergeRow struct {
	clustering []byte
	from, to   int
}

// NewReader makes a Reader. The key authenticates paging states: all nodes of
// a cluster need the same.
func NewReader(macKey []byte) *Reader { return &Reader{macKey: slices.Clone(macKey)} }

// Page appends to dst the rows of one page, each the values of its columns with
// 4-byte lengths as the native protocol has them, without a count before them.
// src was opened for q.Command and is not closed; it is nil if q.Empty. If it
// returns mutation.ErrWouldBlock, Page may be called again with another source
// and the original dst.
func (r *Reader) Page(q *plan.Query, src mutation.Source, dst []byte) ([]byte, Result, error) {
	r.begin(q, dst)
	if src != nil && !q.Empty {
		r.src = src
		if err := r.scan(); err != nil {
			return dst, Result{}, err
		}
		if err := src.Err(); err != nil {
			return dst, Result{}, err
		}
	}
	return r.finish()
}

func (r *Reader) begin(q *plan.Query, dst []byte) {
	r.q, r.dst, r.base = q, dst, len(dst)
	r.count, r.scanned, r.rows, r.live, r.peeked = 0, 0, 0, 0, 0
	r.mostDead, r.row.dead = 0, 0
	r.full, r.more, r.stop, r.rowsSeen = false, false, false, false
	r.merge = r.merge[:0]
	r.remaining = q.Limit
	if r.resumed {
		r.remaining = r.from.remaining
	}
	r.row.use(q.Select, q.Now())
	if q.Select.Aggregated {
		r.agg.begin(q.Select)
		if !q.Select.Grouped {
			r.remaining = 0
		}
	}
	if q.Select.MergeOrder {
		r.remaining = 0
	}
}

// paged tells whether the page may end before the result does.
func (r *Reader) paged() bool {
	return r.q.PageSize > 0 && !r.q.Select.Aggregated && !r.q.Select.MergeOrder
}

func (r *Reader) finish() ([]byte, Result, error) {
	if r.q.Select.MergeOrder {
		r.emitMerged()
	}
	if r.q.Select.Aggregated && !r.more && (!r.q.Select.Grouped || r.agg.rows > 0) {
		if err := r.flushGroup(); err != nil {
			return r.dst[:r.base], Result{}, err
		}
	}
	res := Result{Rows: r.count, Live: r.live, Tombstones: max(r.mostDead, r.row.dead)}
	if r.more {
		r.end.table, r.end.fingerprint, r.end.remaining = r.q.Select.Table.ID, r.q.Select.Fingerprint, r.remaining
		r.state = r.end.appendState(r.state[:0], r.macKey)
		res.PagingState = r.state
	}
	if cap(r.row.arena) > DefaultPageBytes || cap(r.row.cells) > maxKeptCells {
		r.row.arena, r.row.cells = nil, nil
	}
	dst := r.dst
	r.dst, r.src, r.q, r.resumed = nil, nil, nil, false
	return dst, res, nil
}

// scan reads partitions until the page or the source ends.
func (r *Reader) scan() error {
	for !r.stop && r.src.NextPartition() {
		p := r.src.Partition()
		static, err := r.row.partition(p)
		if err != nil {
			return err
		}
		r.scanned += len(p.Key) + len(p.Static)
		r.rowsSeen, r.inPartition, r.pending = false, r.q.PerPartitionLimit, false
		var after []byte
		if r.resumed && p.Token == r.from.token && bytes.Equal(p.Key, r.from.key) {
			after, r.inPartition = r.from.clustering, r.from.inPartition
			r.rowsSeen = r.from.flags&flagRowsSeen != 0
		}
		if err := r.scanPartition(p, after); err != nil {
			return err
		}
		if !r.stop && !r.rowsSeen && static && r.q.Select.StaticRows {
			r.row.clear()
			if err := r.emit(p, nil); err != nil {
				return err
			}
		}
		r.checkBudget(p, nil)
	}
	return nil
}

// scanPartition passes the slices of the current partition, from behind the
// row with clustering after if that is not nil.
func (r *Reader) scanPartition(p *mutation.Partition, after []byte) error {
	list := r.q.Command.Slices
	if list == nil {
		return r.scanSlice(p, mutation.Slice{}, after)
	}
	for i := range list {
		s := list[i]
		if r.q.Command.Reverse {
			s = list[len(list)-1-i]
		}
		if len(after) > 0 {
			if r.q.Command.Reverse && bytes.Compare(s.Lo, after) >= 0 ||
				!r.q.Command.Reverse && len(s.Hi) > 0 && bytes.Compare(s.Hi, after) <= 0 {
				continue
			}
		}
		if err := r.scanSlice(p, s, after); err != nil || r.partitionDone() {
			return err
		}
	}
	return nil
}

// partitionDone tells that nothing more of the partition is wanted.
func (r *Reader) partitionDone() bool {
	limited := r.q.PerPartitionLimit > 0 && !r.q.Select.Grouped // the last group may go on
	return r.stop || limited && r.inPartition == 0 || r.q.Select.Distinct && r.rowsSeen
}

func (r *Reader) scanSlice(p *mutation.Partition, s mutation.Slice, after []byte) error {
	reverse := r.q.Command.Reverse
	if r.partitionDone() {
		return nil
	}
	start := s.Lo
	if reverse {
		start = s.Hi
	}
	if len(after) > 0 && (reverse && (len(s.Hi) == 0 || bytes.Compare(after, s.Hi) < 0) || !reverse && bytes.Compare(after, s.Lo) >= 0) {
		start = after
		if !reverse {
			r.seek = append(append(r.seek[:0], after...), 0) // the next bytes behind it
			start = r.seek
		}
	}
	ok := r.pending && reached(r.src.Item().Clustering, start, reverse)
	if !ok {
		r.src.Seek(start)
	}
	cover := p.Deletion.Max(r.src.Open())
	if !ok {
		ok = r.src.Next()
	}
	for r.pending = false; ok; ok = r.src.Next() {
		it := r.src.Item()
		if reverse && len(s.Lo) > 0 && bytes.Compare(it.Clustering, s.Lo) < 0 ||
			!reverse && len(s.Hi) > 0 && bytes.Compare(it.Clustering, s.Hi) >= 0 {
			r.pending = true
			break
		}
		r.scanned += len(it.Clustering) + len(it.Row)
		if it.Kind == mutation.ItemBoundary {
			cover = p.Deletion.Max(it.After)
			if reverse {
				cover = p.Deletion.Max(it.Before)
			}
			r.scanned += boundaryBytes
			r.row.dead++
			if err := r.checkTombstones(); err != nil {
				return err
			}
		} else if err := r.pass(p, it, cover); err != nil {
			return err
		}
		if r.checkBudget(p, it); r.partitionDone() {
			return nil
		}
	}
	return r.src.Err()
}

// reached tells whether an item that a former slice ended at belongs to or lies
// behind the start of the next one. A source cannot go back to it.
func reached(clustering, start []byte, reverse bool) bool {
	if reverse {
		return len(start) == 0 || bytes.Compare(clustering, start) < 0
	}
	return bytes.Compare(clustering, start) >= 0
}

// boundaryBytes is what a boundary of a range deletion counts besides its place.
const boundaryBytes = 16

// pass judges one stored row.
func (r *Reader) pass(p *mutation.Partition, it *mutation.Item, cover mutation.Deletion) error {
	r.rows++
	if l := &r.Limits; l.InlineRows > 0 && r.rows > l.InlineRows || l.InlineBytes > 0 && r.scanned > l.InlineBytes {
		return mutation.ErrWouldBlock
	}
	if r.rows%checkEvery == 0 && r.Limits.Check != nil {
		if err := r.Limits.Check(); err != nil {
			return err
		}
	}
	live, err := r.row.load(it.Clustering, it.Row, cover)
	if err == nil {
		err = r.checkTombstones()
	}
	if err != nil || !live {
		return err
	}
	if r.live++; r.live%countedRows == 0 && !r.paged() {
		// A whole table may have any number of them: each part counts for itself.
		r.mostDead, r.row.dead = max(r.mostDead, r.row.dead), 0
	}
	r.rowsSeen = true
	return r.emit(p, it)
}

func (r *Reader) checkTombstones() error {
	if !r.paged() && r.row.dead > def(r.Limits.Tombstones, DefaultTombstones) {
		return fmt.Errorf("%w: over %d", ErrTombstones, def(r.Limits.Tombstones, DefaultTombstones))
	}
	return nil
}

// checkBudget ends a paged query's page that has read enough.
func (r *Reader) checkBudget(p *mutation.Partition, it *mutation.Item) {
	if r.stop || !r.paged() {
		return
	}
	if r.full {
		if r.peeked++; r.peeked < maxPeek {
			return
		}
		r.more, r.stop = true, true
		return
	}
	if r.scanned < def(r.Limits.ScanBytes, DefaultScanBytes) && r.row.dead <= def(r.Limits.Tombstones, DefaultTombstones) {
		return
	}
	if it != nil && it.Kind == mutation.ItemBoundary && !between(it.Clustering) {
		return // the next page would go on behind the row, or at the start
	}
	r.mark(p, it)
	r.more, r.stop = true, true
}

// between tells whether a boundary lies between rows, as those of CQL's deletions
// do: not at an edge of the partition, and not just below a row at the same
// place, where deletions begin that read repair has cut.
func between(boundary []byte) bool {
	n := len(boundary)
	return n > 0 && boundary[n-1] != schema.Terminator && boundary[n-1] != schema.Terminator^0xff
}

// mark remembers the place behind an item, or behind the partition.
func (r *Reader) mark(p *mutation.Partition, it *mutation.Item) {
	e := &r.end
	e.flags, e.inPartition, e.skip = 0, r.inPartition, 0
	e.token, e.key = p.Token, append(e.key[:0], p.Key...)
	e.clustering = e.clustering[:0]
	if r.rowsSeen {
		e.flags |= flagRowsSeen
	}
	// A row without clustering columns is the only one of its partition.
	if it == nil || it.Kind == mutation.ItemRow && len(it.Clustering) == 0 || r.partitionDone() {
		e.flags |= flagAfterPartition
		return
	}
	e.clustering = append(e.clustering, it.Clustering...)
}

// emit adds the current row to the page if it passes the filters; it is nil
// for the static row alone.
func (r *Reader) emit(p *mutation.Partition, it *mutation.Item) error {
	if !r.row.matches(r.q) {
		return nil
	}
	if r.full {
		r.more, r.stop = true, true
		return nil
	}
	if r.q.Select.Grouped {
		return r.emitGrouped(p, it)
	}
	if r.q.Select.Aggregated {
		return r.agg.add(r.q, &r.row)
	}
	before := len(r.dst)
	var err error
	if r.dst, err = r.row.appendRow(r.dst, r.q, r.base, def(r.Limits.MaxBytes, DefaultMaxBytes)); err != nil {
		return err
	}
	if err := r.checkSize(); err != nil {
		return err
	}
	size := len(r.dst) - r.base
	if r.q.Select.MergeOrder {
		r.addMerged(it, before)
	}
	r.count++
	if r.q.PerPartitionLimit > 0 {
		r.inPartition--
	}
	if r.remaining > 0 {
		if r.remaining--; r.remaining == 0 {
			r.stop = true
			return nil
		}
	}
	if r.paged() && (r.count >= int(r.q.PageSize) || size >= def(r.Limits.PageBytes, DefaultPageBytes)) {
		r.full = true
		r.mark(p, it)
	}
	return nil
}

// checkSize refuses a result that has grown too large.
func (r *Reader) checkSize() error {
	if limit := def(r.Limits.MaxBytes, DefaultMaxBytes); len(r.dst)-r.base > limit {
		return errSize(limit)
	}
	return nil
}

func errSize(limit int) error {
	return native.Invalid("The result is larger than %d bytes; use paging or a LIMIT", limit)
}

func def(v, d int) int {
	if v == 0 {
		return d
	}
	return v
}
