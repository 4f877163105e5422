package hints

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// Reasons tell why hints were dropped, as bits. On disk, never renumber.
type Reasons uint32

// The reasons.
const (
	Expired Reasons = 1 << iota
	Full
	Disk
	Refused
	Rot
)

// Drop is what a target has missed and will not be told by a hint.
type Drop struct {
	Target [16]byte       // zero: any
	Table  schema.TableID // zero: any
	Range  ring.Range
	// First and Last bound the creation times, microseconds.
	First, Last int64
	Reasons     Reasons
	Hints       uint64 // how many, as far as known
}

const (
	// sliceBits is how finely ranges are kept: 256 slices of the ring.
	sliceBits = 8
	// minute is the grain of times in a drop, microseconds.
	minute = 60 * 1000 * 1000
	// maxDrops bounds the list; beyond it those of a target become one of any
	// table, and then all become one of any target.
	maxDrops = 1024
)

var wholeRing = ring.Range{Start: ring.MinToken, End: ring.TokenFromOrdered(1<<64 - 1)}

// sliceOf is the slice of the ring that holds the token.
func sliceOf(t ring.Token) ring.Range {
	const rest = 64 - sliceBits
	first := t.Ordered() >> rest << rest
	return ring.Range{Start: ring.TokenFromOrdered(max(first, 1) - 1), End: ring.TokenFromOrdered(first + 1<<rest - 1)}
}

// extend makes d cover another of the same target and table and tells whether
// it grew.
func (d *Drop) extend(o *Drop) bool {
	before := *d
	d.Range.Start, d.Range.End = min(d.Range.Start, o.Range.Start), max(d.Range.End, o.Range.End)
	d.First, d.Last = min(d.First, o.First), max(d.Last, o.Last)
	d.Reasons |= o.Reasons
	before.Hints = d.Hints
	grew := *d != before
	d.Hints += o.Hints
	return grew
}

// drops is a set of them, by target and table.
type drops struct {
	list []Drop // by order
}

func (d *Drop) order(o *Drop) int {
	return cmp.Or(bytes.Compare(d.Target[:], o.Target[:]), bytes.Compare(d.Table[:], o.Table[:]))
}

// add unites a drop with the set and tells whether what is covered grew.
func (ds *drops) add(d Drop) bool {
	// What an earlier overflow has made of the list covers the rest, too.
	for _, wide := range []Drop{{Target: d.Target}, {}} {
		if i, ok := ds.find(&wide); ok && ds.list[i].order(&d) != 0 {
			d.Target, d.Table = wide.Target, wide.Table
			return ds.list[i].extend(&d)
		}
	}
	i, ok := ds.find(&d)
	if ok {
		return ds.list[i].extend(&d)
	}
	ds.list = slices.Insert(ds.list, i, d)
	if len(ds.list) > maxDrops {
		ds.coarsen()
	}
	invariant.Check(len(ds.list) <= maxDrops, "hints: more drops than may be kept")
	return true
}

func (ds *drops) find(d *Drop) (int, bool) {
	return slices.BinarySearchFunc(ds.list, d, func(a Drop, b *Drop) int { return a.order(b) })
}

// coarsen unites the drops of each target, and if that is not enough, of all.
func (ds *drops) coarsen() {
	for _, all := range []bool{false, true} {
		var list []Drop
		for _, d := range ds.list {
			d.Table = schema.TableID{}
			if all {
				d.Target = [16]byte{}
			}
			if n := len(list); n > 0 && list[n-1].order(&d) == 0 {
				list[n-1].extend(&d)
			} else {
				list = append(list, d)
			}
		}
		ds.list = list
		if len(list) <= maxDrops/2 {
			return
		}
	}
}

func floorMinute(us int64) int64 { return us - mod(us, minute) }

func ceilMinute(us int64) int64 { return floorMinute(us) + minute - 1 }

// mod is the remainder that is not negative.
func mod(a, b int64) int64 { return (a%b + b) % b }
