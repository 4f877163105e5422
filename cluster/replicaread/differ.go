package replicaread

import (
	"bytes"

	"github.com/ilion-db/ilion/internal/fail"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/schema"
)

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
