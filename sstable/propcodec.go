package sstable

import (
	"fmt"
	"math"

	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// Ids of properties. On disk, never renumber.
const (
	propTable = iota + 1
	propEpoch
	propColumns
	propPartitioner
	propFirst
	propLast
	propTimestamps
	propLocalDeletion
	propTTL
	propExpiry
	propDrop
	propClustering
	propCounts
	propDropTimes
	propPartitionSize
	propPartitionRows
	propPartitionCell
	propLogPositions
	propHost
	propRepaired
	propPending
	propLevel
	propBlocks
	propFilter
	propEnd
)

// propWriter appends numbered properties: uvarint id, uvarint length, value.
type propWriter struct{ dst, tmp []byte }

func (w *propWriter) put(id uint64, value []byte) {
	w.dst = encoding.AppendUvarint(w.dst, id)
	w.dst = encoding.AppendBytes(w.dst, value)
}

func (w *propWriter) nums(id uint64, v ...uint64) {
	w.tmp = w.tmp[:0]
	for _, n := range v {
		w.tmp = encoding.AppendUvarint(w.tmp, n)
	}
	w.put(id, w.tmp)
}

// appendTo encodes the properties, the unknown ones behind the known.
func (p *Properties) appendTo(dst []byte) []byte {
	w := &propWriter{dst: dst}
	zz := encoding.Zigzag
	w.put(propTable, p.Table[:])
	w.nums(propEpoch, p.SchemaEpoch)
	w.tmp = encoding.AppendUvarint(w.tmp[:0], uint64(len(p.Columns)))
	for _, c := range p.Columns {
		w.tmp = encoding.AppendUvarint(w.tmp, uint64(c.ID))
		w.tmp = append(w.tmp, byte(c.Kind))
		w.tmp = encoding.AppendString(w.tmp, c.Type)
		w.tmp = encoding.AppendUvarint(w.tmp, zz(c.DroppedAt))
	}
	w.put(propColumns, w.tmp)
	w.put(propPartitioner, []byte(p.Partitioner))
	w.tmp = encoding.AppendBytes(encoding.AppendUvarint(w.tmp[:0], p.FirstToken.Ordered()), p.FirstKey)
	w.put(propFirst, w.tmp)
	w.tmp = encoding.AppendBytes(encoding.AppendUvarint(w.tmp[:0], p.LastToken.Ordered()), p.LastKey)
	w.put(propLast, w.tmp)
	w.nums(propTimestamps, zz(p.MinTimestamp), zz(p.MaxTimestamp))
	w.nums(propLocalDeletion, uint64(p.MinLocalDeletion), uint64(p.MaxLocalDeletion))
	w.nums(propTTL, uint64(p.MinTTL), uint64(p.MaxTTL))
	w.nums(propExpiry, uint64(p.MinExpiry), uint64(p.MaxExpiry))
	w.nums(propDrop, uint64(p.MaxDrop), uint64(b2i(p.AllExpire)))
	w.put(propClustering, encoding.AppendBytes(encoding.AppendBytes(w.tmp[:0], p.MinClustering), p.MaxClustering))
	c := &p.Counts
	w.nums(propCounts, c.Partitions, c.StaticRows, c.Rows, c.Cells, c.Markers, c.ExpiringCells, c.PartitionTombstones,
		c.RowTombstones, c.CellTombstones, c.CollectionDeletions, c.Boundaries)
	var bins []uint64
	for _, b := range p.DropTimes.Bins {
		bins = append(bins, uint64(b.Time), b.Count)
	}
	w.nums(propDropTimes, bins...)
	w.nums(propPartitionSize, p.PartitionSize.sparse()...)
	w.nums(propPartitionRows, p.PartitionRows.sparse()...)
	w.nums(propPartitionCell, p.PartitionCell.sparse()...)
	w.put(propLogPositions, p.LogPositions)
	w.put(propHost, p.HostID[:])
	w.nums(propRepaired, zz(p.RepairedAt))
	w.put(propPending, p.PendingRepair[:])
	w.nums(propLevel, uint64(p.Level), uint64(p.FormatLevel))
	w.nums(propBlocks, uint64(p.Codec), uint64(p.BlockSize), p.Blocks, p.DataBytes, p.RawBytes)
	w.nums(propFilter, math.Float64bits(p.FilterFP), p.FilterBytes)
	for _, u := range p.Unknown {
		w.put(u.ID, u.Value)
	}
	return w.dst
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (h *LogHistogram) sparse() (v []uint64) {
	for i, c := range h.Counts {
		if c != 0 {
			v = append(v, uint64(i), c)
		}
	}
	return v
}

func (h *LogHistogram) decode(r *encoding.Reader) {
	for r.Len() > 0 && r.Err() == nil {
		i, c := r.Uvarint(), r.Uvarint()
		if i >= uint64(len(h.Counts)) {
			r.Fail(errSection)
			return
		}
		h.Counts[i] = c
	}
}

// decodeProperties reads what appendTo wrote; it copies what it keeps.
func decodeProperties(b []byte) (*Properties, error) {
	p := newProperties()
	r := encoding.NewReader(b)
	for r.Len() > 0 && r.Err() == nil {
		id, value := r.Uvarint(), r.Bytes()
		if r.Err() != nil {
			break
		}
		if id == 0 || id >= propEnd {
			p.Unknown = append(p.Unknown, Unknown{id, append([]byte(nil), value...)})
			continue
		}
		v := encoding.NewReader(value)
		p.decode(id, &v)
		if v.Err() != nil {
			return nil, fmt.Errorf("property %d: %w", id, v.Err())
		}
	}
	if r.Err() != nil {
		return nil, fmt.Errorf("properties: %w", r.Err())
	}
	return &p, nil
}

func (p *Properties) decode(id uint64, v *encoding.Reader) {
	own := func(b []byte) []byte { return append([]byte(nil), b...) }
	switch id {
	case propTable:
		copy(p.Table[:], v.Take(len(p.Table)))
	case propEpoch:
		p.SchemaEpoch = v.Uvarint()
	case propColumns:
		p.decodeColumns(v)
	case propPartitioner:
		p.Partitioner = string(v.Rest())
	case propFirst:
		p.FirstToken, p.FirstKey = ring.TokenFromOrdered(v.Uvarint()), own(v.Bytes())
	case propLast:
		p.LastToken, p.LastKey = ring.TokenFromOrdered(v.Uvarint()), own(v.Bytes())
	case propTimestamps:
		p.MinTimestamp, p.MaxTimestamp = v.Varint(), v.Varint()
	case propLocalDeletion:
		p.MinLocalDeletion, p.MaxLocalDeletion = uint32(v.Uvarint()), uint32(v.Uvarint())
	case propTTL:
		p.MinTTL, p.MaxTTL = uint32(v.Uvarint()), uint32(v.Uvarint())
	case propExpiry:
		p.MinExpiry, p.MaxExpiry = uint32(v.Uvarint()), uint32(v.Uvarint())
	case propDrop:
		p.MaxDrop, p.AllExpire = uint32(v.Uvarint()), v.Uvarint() != 0
	case propClustering:
		p.MinClustering, p.MaxClustering = own(v.Bytes()), own(v.Bytes())
	case propCounts:
		c := &p.Counts
		for _, n := range []*uint64{&c.Partitions, &c.StaticRows, &c.Rows, &c.Cells, &c.Markers, &c.ExpiringCells,
			&c.PartitionTombstones, &c.RowTombstones, &c.CellTombstones, &c.CollectionDeletions, &c.Boundaries} {
			*n = v.Uvarint()
		}
	case propDropTimes:
		for v.Len() > 0 && v.Err() == nil && len(p.DropTimes.Bins) < dropBins {
			p.DropTimes.Bins = append(p.DropTimes.Bins, DropBin{uint32(v.Uvarint()), v.Uvarint()})
		}
	case propPartitionSize:
		p.PartitionSize.decode(v)
	case propPartitionRows:
		p.PartitionRows.decode(v)
	case propPartitionCell:
		p.PartitionCell.decode(v)
	default:
		p.decodeOrigin(id, v)
	}
}

func (p *Properties) decodeOrigin(id uint64, v *encoding.Reader) {
	switch id {
	case propLogPositions:
		p.LogPositions = append([]byte(nil), v.Rest()...)
	case propHost:
		copy(p.HostID[:], v.Take(len(p.HostID)))
	case propRepaired:
		p.RepairedAt = v.Varint()
	case propPending:
		copy(p.PendingRepair[:], v.Take(len(p.PendingRepair)))
	case propLevel:
		p.Level, p.FormatLevel = uint32(v.Uvarint()), uint32(v.Uvarint())
	case propBlocks:
		p.Codec, p.BlockSize = Codec(v.Uvarint()), uint32(v.Uvarint())
		p.Blocks, p.DataBytes, p.RawBytes = v.Uvarint(), v.Uvarint(), v.Uvarint()
	case propFilter:
		p.FilterFP, p.FilterBytes = math.Float64frombits(v.Uvarint()), v.Uvarint()
	}
}

func (p *Properties) decodeColumns(v *encoding.Reader) {
	n := v.Uvarint()
	if n > uint64(v.Len())/4 {
		v.Fail(errSection)
		return
	}
	for range n {
		c := Column{ID: schema.ColumnID(v.Uvarint()), Kind: schema.ColumnKind(v.U8()), Type: v.String(), DroppedAt: v.Varint()}
		p.Columns = append(p.Columns, c)
	}
}
