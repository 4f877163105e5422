package mutation

import (
	"math"
	"slices"

	"github.com/ilion-db/ilion/schema"
)

// Purger drops what no longer has to be kept: deletions whose time to live on
// is over. It is compaction's alone; reads, caches and memtables never purge.
//
// A deletion may go if its local time is below GCBefore, so that every replica
// has had it, and its timestamp is below MaxTimestamp, so that nothing it may
// still shadow is left elsewhere. What has expired by Now turns into a
// tombstone whose local time is the expiry, but only below MaxTimestamp too:
// another cell of the same timestamp that expires later wins over the expired
// cell yet would lose against the tombstone.
type Purger struct {
	Now      uint32 // seconds since 1970
	GCBefore uint32 // seconds since 1970
	// MaxTimestamp is set for each partition: everything outside of the
	// compaction that the partition may still have is at or above it,
	// microseconds. math.MaxInt64 means that there is nothing.
	MaxTimestamp int64
	// Dropped are the ids of dropped columns, ascending; their cells go.
	Dropped []schema.ColumnID

	// Purged counts the deletions that went, and PurgedTo is the largest local
	// time among them. The caller resets them.
	Purged   int64
	PurgedTo uint32

	out rowWriter
}

// Purgeable tells whether the deletion has to be kept no longer.
func (p *Purger) Purgeable(d Deletion) bool {
	return d.Set && p.purge(d.Timestamp, d.LocalTime)
}

func (p *Purger) purge(ts int64, local uint32) bool {
	return local < p.GCBefore && p.below(ts)
}

// gone takes note of a deletion that goes.
func (p *Purger) gone(local uint32) {
	p.Purged++
	p.PurgedTo = max(p.PurgedTo, local)
}

// below tells whether nothing as old as ts lies outside the compaction.
func (p *Purger) below(ts int64) bool {
	return ts < p.MaxTimestamp || p.MaxTimestamp == math.MaxInt64
}

// Deletion returns d, or none if it may go.
func (p *Purger) Deletion(d Deletion) Deletion {
	if p.Purgeable(d) {
		p.gone(d.LocalTime)
		return Deletion{}
	}
	return d
}

// Row returns what is left of an encoded row: row itself if nothing changes,
// nil if nothing is left, else bytes appended to dst[:0].
func (p *Purger) Row(dst, row []byte) ([]byte, error) {
	var r RowReader
	if err := r.Init(row); err != nil {
		return nil, err
	}
	if !r.HasTombstones() && !r.HasExpiring() && len(p.Dropped) == 0 {
		return row, nil
	}
	w := &p.out
	w.reset()
	w.marker, w.deletion = r.Marker, p.Deletion(r.Deletion)
	changed := w.deletion != r.Deletion
	if m := &w.marker; m.Set && !m.Live(p.Now) && p.purge(m.Timestamp, m.Expiry) {
		p.gone(m.Expiry)
		*m = Marker{}
		changed = true
	}
	for r.NextCell() {
		c := r.Cell
		keep := p.cell(&c)
		if keep {
			w.cells = append(w.cells, c)
		}
		changed = changed || !keep || c.Flags != r.Cell.Flags
	}
	switch {
	case r.Err() != nil:
		return nil, r.Err()
	case !changed:
		return row, nil
	case w.empty():
		return nil, nil
	}
	return w.append(dst[:0]), nil
}

// cell turns an expired cell into a tombstone and tells whether it stays.
func (p *Purger) cell(c *Cell) bool {
	if len(p.Dropped) > 0 {
		if _, dropped := slices.BinarySearch(p.Dropped, c.Column); dropped {
			return false
		}
	}
	if c.Flags&CellExpiring != 0 && c.LocalTime <= p.Now && p.below(c.Timestamp) {
		c.Flags = c.Flags&^CellExpiring | CellTombstone
		c.TTL, c.Value = 0, nil
	}
	if c.Flags&CellTombstone == 0 || !p.purge(c.Timestamp, c.LocalTime) {
		return true
	}
	p.gone(c.LocalTime)
	return false
}
