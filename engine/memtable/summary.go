package memtable

import (
	"cmp"
	"math"
	"sync/atomic"

	"github.com/ilion-db/ilion/mutation"
)

// summary is what one record adds to the statistics. Making it verifies the
// record, so that applying it cannot fail.
type summary struct {
	minTS, maxTS         int64
	minLocal, maxLocal   uint32
	tombstones, expiring bool
	newRows              int
	newPartition         bool
}

func (s *summary) stamp(ts int64) {
	s.minTS, s.maxTS = min(s.minTS, ts), max(s.maxTS, ts)
}

func (s *summary) local(t uint32) {
	s.minLocal, s.maxLocal = min(s.minLocal, t), max(s.maxLocal, t)
}

func (s *summary) deletion(d mutation.Deletion) {
	if d.Set {
		s.stamp(d.Timestamp)
		s.local(d.LocalTime)
		s.tombstones = true
	}
}

func (s *summary) add(r mutation.Record) error {
	*s = summary{minTS: math.MaxInt64, maxTS: math.MinInt64, minLocal: math.MaxUint32}
	if err := r.CheckHeader(); err != nil {
		return err
	}
	e := r.Entries()
	for e.Next() {
		switch e.Kind {
		case mutation.EntryRow, mutation.EntryStatic:
			if len(e.Clustering) > mutation.MaxKeyLen {
				return mutation.ErrCorrupt
			}
			if err := s.row(e.Row); err != nil {
				return err
			}
		default:
			if max(len(e.Start), len(e.End)) > mutation.MaxKeyLen {
				return mutation.ErrCorrupt
			}
			s.deletion(e.Deletion)
		}
	}
	return e.Err()
}

func (s *summary) row(row []byte) error {
	var r mutation.RowReader
	if err := r.Init(row); err != nil {
		return err
	}
	s.deletion(r.Deletion)
	if r.Marker.Set {
		s.stamp(r.Marker.Timestamp)
		if r.Marker.TTL != 0 {
			s.local(r.Marker.Expiry)
			s.expiring = true
		}
	}
	for r.NextCell() {
		s.stamp(r.Cell.Timestamp)
		if r.Cell.Flags&(mutation.CellTombstone|mutation.CellExpiring) != 0 {
			s.local(r.Cell.LocalTime)
			s.tombstones = s.tombstones || r.Cell.Flags&mutation.CellTombstone != 0
			s.expiring = s.expiring || r.Cell.Flags&mutation.CellExpiring != 0
		}
	}
	return r.Err()
}

func (s *stats) add(sum *summary) {
	s.records.Add(1)
	if sum.newPartition {
		s.partitions.Add(1)
	}
	if sum.newRows > 0 {
		s.rows.Add(int64(sum.newRows))
	}
	lower(&s.minTS, sum.minTS)
	raise(&s.maxTS, sum.maxTS)
	if sum.maxLocal >= sum.minLocal {
		lower(&s.minLocal, sum.minLocal)
		raise(&s.maxLocal, sum.maxLocal)
	}
	if sum.tombstones && !s.tombstones.Load() {
		s.tombstones.Store(true)
	}
	if sum.expiring && !s.expiring.Load() {
		s.expiring.Store(true)
	}
}

// number is an atomic integer.
type number[T cmp.Ordered] interface {
	Load() T
	CompareAndSwap(old, new T) bool
}

func lower[T cmp.Ordered](n number[T], v T) {
	for old := n.Load(); v < old && !n.CompareAndSwap(old, v); old = n.Load() {
	}
}

func raise[T cmp.Ordered](n number[T], v T) {
	for old := n.Load(); v > old && !n.CompareAndSwap(old, v); old = n.Load() {
	}
}

var _ number[int64] = (*atomic.Int64)(nil)
