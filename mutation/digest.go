package mutation

import (
	"encoding/binary"
	"slices"

	"github.com/dgryski/go-farm"
	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/schema"
)

// DigestVersion is the version of the digest that this package computes.
// Replicas compare digests of one version only; ReadCommand names it.
const DigestVersion = 1

// Digest computes the fingerprint of a live result, by which replicas find out
// whether they agree. What is not live at Now does not take part, so replicas
// agree although one of them has purged and the other has not.
//
// Version 1: the digest starts as 16 zero bytes. Each partition with something
// live, then each live row of it (the static one first) makes it
// Fingerprint128(digest | piece), low word first, little-endian, where a piece
// is
//
//	partition: u8 1 | i64 token | varint length | key
//	row:       u8 2 (static 3) | varint length | clustering | marker | cells
//	marker:    u8 1 | i64 timestamp | u32 TTL | u32 expiry, or u8 0 without a live one
//	cell:      varint column + 1 | u8 flags | i64 timestamp | u32 TTL | u32 expiry
//	           | varint length | path | varint length | value
//
// with the live cells of the wanted columns only. It is reused and then
// allocates nothing.
type Digest struct {
	now     uint32
	columns []schema.ColumnID
	sum     [16]byte
	head    []byte // of a partition that has shown nothing live yet
	buf     []byte
}

// Reset starts a digest of what is live at now (seconds) in the columns, which
// ascend; nil means all.
func (d *Digest) Reset(now uint32, columns []schema.ColumnID) {
	d.now, d.columns = now, columns
	d.sum = [16]byte{}
	d.head = d.head[:0]
}

// Partition starts a partition; its static row is not added by that.
func (d *Digest) Partition(p *Partition) {
	d.head = append(d.head[:0], 1)
	d.head = binary.LittleEndian.AppendUint64(d.head, uint64(p.Token))
	d.head = encoding.AppendBytes(d.head, p.Key)
}

// Row adds a row of the partition if it is live.
func (d *Digest) Row(clustering, row []byte) error { return d.add(2, clustering, row) }

// Static adds the static row of the partition if it is live.
func (d *Digest) Static(row []byte) error { return d.add(3, nil, row) }

func (d *Digest) add(kind byte, clustering, row []byte) error {
	var r RowReader
	if err := r.Init(row); err != nil {
		return err
	}
	b := append(d.buf[:0], d.sum[:]...)
	b = append(b, kind)
	b = encoding.AppendBytes(b, clustering)
	live := r.Marker.Live(d.now)
	if live {
		b = append(b, 1)
		b = binary.LittleEndian.AppendUint64(b, uint64(r.Marker.Timestamp))
		b = binary.LittleEndian.AppendUint32(b, r.Marker.TTL)
		b = binary.LittleEndian.AppendUint32(b, r.Marker.Expiry)
	} else {
		b = append(b, 0)
	}
	for r.NextCell() {
		c := &r.Cell
		if !c.Live(d.now) {
			continue
		}
		live = live || c.Flags&CellKey == 0
		if d.wants(c.Column) {
			b = appendDigestCell(b, c)
		}
	}
	d.buf = b
	if r.Err() != nil || !live {
		return r.Err()
	}
	if len(d.head) > 0 {
		d.mixHead()
		copy(d.buf, d.sum[:])
	}
	d.mix(d.buf)
	return nil
}

func appendDigestCell(b []byte, c *Cell) []byte {
	b = binary.AppendUvarint(b, uint64(c.Column)+1)
	b = append(b, uint8(c.Flags))
	b = binary.LittleEndian.AppendUint64(b, uint64(c.Timestamp))
	b = binary.LittleEndian.AppendUint32(b, c.TTL)
	b = binary.LittleEndian.AppendUint32(b, c.LocalTime)
	b = encoding.AppendBytes(b, c.Path)
	return encoding.AppendBytes(b, c.Value)
}

func (d *Digest) wants(id schema.ColumnID) bool {
	if d.columns == nil {
		return true
	}
	_, ok := slices.BinarySearch(d.columns, id)
	return ok
}

// mixHead takes in the head of the partition before its first live row.
func (d *Digest) mixHead() {
	n := len(d.head)
	d.head = append(d.head, d.sum[:]...)
	// The running digest comes first.
	copy(d.head[16:], d.head[:n])
	copy(d.head, d.sum[:])
	d.mix(d.head)
	d.head = d.head[:0]
}

func (d *Digest) mix(b []byte) {
	lo, hi := farm.Fingerprint128(b)
	binary.LittleEndian.PutUint64(d.sum[:], lo)
	binary.LittleEndian.PutUint64(d.sum[8:], hi)
}

// Sum is the digest of what was added since Reset.
func (d *Digest) Sum() [16]byte { return d.sum }
