package sstable

import (
	"bytes"

	"github.com/ilion-db/ilion/mutation"
)

// collector gathers properties while a table is written. What it learns of a
// row goes into the block's meta as well.
type collector struct {
	p      *Properties
	reader mutation.RowReader

	cells, rows, size uint64 // of the open partition

	// Equal drop times come in runs; a run is one step in the histogram.
	drop  uint32
	drops uint64
}

func (c *collector) begin(p *mutation.Partition) {
	c.cells, c.rows, c.size = 0, 0, uint64(len(p.Key)+len(p.Static))
}

func (c *collector) end() {
	c.p.Counts.Partitions++
	c.p.PartitionSize.Add(c.size)
	c.p.PartitionRows.Add(c.rows)
	c.p.PartitionCell.Add(c.cells)
}

func (c *collector) timestamp(ts int64, m *blockMeta) {
	m.timestamp(ts)
	c.p.MinTimestamp, c.p.MaxTimestamp = min(c.p.MinTimestamp, ts), max(c.p.MaxTimestamp, ts)
}

func (c *collector) deletion(d mutation.Deletion, m *blockMeta) {
	c.timestamp(d.Timestamp, m)
	c.tombstone(d.LocalTime, m)
}

func (c *collector) tombstone(local uint32, m *blockMeta) {
	m.flags |= blockTombstones
	p := c.p
	p.MinLocalDeletion, p.MaxLocalDeletion = min(p.MinLocalDeletion, local), max(p.MaxLocalDeletion, local)
	p.MaxDrop = max(p.MaxDrop, local)
	c.dropTime(local)
}

func (c *collector) dropTime(t uint32) {
	if t = roundDrop(t); t != c.drop {
		c.flushDrops()
		c.drop = t
	}
	c.drops++
}

func (c *collector) flushDrops() {
	if c.drops > 0 {
		c.p.DropTimes.add(c.drop, c.drops)
	}
	c.drops = 0
}

func (c *collector) expiring(ttl, expiry uint32, m *blockMeta) {
	m.flags |= blockExpiring
	p := c.p
	p.Counts.ExpiringCells++
	p.MinTTL, p.MaxTTL = min(p.MinTTL, ttl), max(p.MaxTTL, ttl)
	p.MinExpiry, p.MaxExpiry = min(p.MinExpiry, expiry), max(p.MaxExpiry, expiry)
	p.MaxDrop = max(p.MaxDrop, expiry)
	c.dropTime(expiry)
}

// row takes in a row; it fails if the row is not well-formed.
func (c *collector) row(row []byte, m *blockMeta) error {
	r := &c.reader
	if err := r.Init(row); err != nil {
		return err
	}
	p := c.p
	if r.Marker.Set {
		p.Counts.Markers++
		c.timestamp(r.Marker.Timestamp, m)
		if r.Marker.TTL != 0 {
			c.expiring(r.Marker.TTL, r.Marker.Expiry, m)
		} else {
			p.AllExpire = false
		}
	}
	if r.Deletion.Set {
		p.Counts.RowTombstones++
		c.deletion(r.Deletion, m)
	}
	c.cells += uint64(r.Cells)
	p.Counts.Cells += uint64(r.Cells)
	for r.NextCell() {
		cell := &r.Cell
		c.timestamp(cell.Timestamp, m)
		switch {
		case cell.Flags&mutation.CellTombstone != 0:
			if cell.Flags&mutation.CellCollection != 0 {
				p.Counts.CollectionDeletions++
			} else {
				p.Counts.CellTombstones++
			}
			c.tombstone(cell.LocalTime, m)
		case cell.Flags&mutation.CellExpiring != 0:
			c.expiring(cell.TTL, cell.LocalTime, m)
		default:
			p.AllExpire = false
		}
	}
	return r.Err()
}

// clustering takes in the place of a row or boundary.
func (c *collector) clustering(place []byte) {
	p := c.p
	if p.MinClustering == nil || bytes.Compare(place, p.MinClustering) < 0 {
		p.MinClustering = append(p.MinClustering[:0], place...)
		if p.MinClustering == nil {
			p.MinClustering = []byte{}
		}
	}
	if bytes.Compare(place, p.MaxClustering) > 0 {
		p.MaxClustering = append(p.MaxClustering[:0], place...)
	}
}
