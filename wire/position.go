package wire

import (
	"bytes"

	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
)

// Place says how far into a partition a Position is. On the wire, never
// renumber.
type Place uint8

// Places.
const (
	// PlaceNone is no position: the start.
	PlaceNone Place = iota
	// PlaceHead is behind the head of the partition, before its items.
	PlaceHead
	// PlaceBoundary is behind the boundary at Clustering.
	PlaceBoundary
	// PlaceRow is behind the row at Clustering.
	PlaceRow
	// PlaceEnd is behind the whole partition.
	PlaceEnd
	lastPlace = PlaceEnd
)

// Position is a place in a stream of rows: what comes behind it, in the
// stream's direction, has not been seen. The zero value is the start.
type Position struct {
	Place      Place
	Token      ring.Token
	Key        []byte
	Clustering []byte // PlaceBoundary, PlaceRow
	// Open is the range deletion in force there, as far as it has been told.
	Open mutation.Deletion
}

func (p *Position) append(dst []byte) []byte {
	dst = append(dst, byte(p.Place))
	if p.Place == PlaceNone {
		return dst
	}
	dst = appendU64(dst, uint64(p.Token))
	dst = encoding.AppendBytes(dst, p.Key)
	if p.Place == PlaceBoundary || p.Place == PlaceRow {
		dst = encoding.AppendBytes(dst, p.Clustering)
	}
	return appendOptional(dst, p.Open)
}

func (p *Position) read(r *encoding.Reader) {
	*p = Position{Place: Place(r.U8())}
	if p.Place > lastPlace {
		r.Fail(corrupt("position", "place %d", p.Place))
	}
	if p.Place == PlaceNone || r.Err() != nil {
		return
	}
	p.Token = ring.Token(r.U64())
	p.Key = r.Bytes()
	if p.Place == PlaceBoundary || p.Place == PlaceRow {
		p.Clustering = r.Bytes()
	}
	p.Open = readOptional(r)
}

// seen tells whether an item of the position's partition was seen: it is not
// behind the position in the stream's direction. At one clustering the boundary
// lies below the row.
func (p *Position) seen(it *mutation.Item, reverse bool) bool {
	if p.Place != PlaceBoundary && p.Place != PlaceRow {
		return false
	}
	c := bytes.Compare(it.Clustering, p.Clustering)
	if reverse {
		c = -c
	}
	if c != 0 {
		return c < 0
	}
	row := it.Kind == mutation.ItemRow
	return row == (p.Place == PlaceRow) || row == reverse
}

// seek moves a source that stands before the position's partition's items
// close to the position, but not behind it.
func (p *Position) seek(s mutation.Source, scratch []byte, reverse bool) []byte {
	if p.Place != PlaceBoundary && p.Place != PlaceRow {
		return scratch
	}
	bound := p.Clustering
	if reverse {
		// Seek goes below its bound, and the item at Clustering may be needed to
		// tell what is open.
		scratch = append(append(scratch[:0], p.Clustering...), 0)
		bound = scratch
	}
	s.Seek(bound)
	return scratch
}

func appendDeletion(dst []byte, d mutation.Deletion) []byte {
	dst = appendU64(dst, uint64(d.Timestamp))
	return appendU32(dst, d.LocalTime)
}

func readDeletion(r *encoding.Reader) mutation.Deletion {
	return mutation.Deletion{Timestamp: int64(r.U64()), LocalTime: r.U32(), Set: true}
}

func appendOptional(dst []byte, d mutation.Deletion) []byte {
	if !d.Set {
		return append(dst, 0)
	}
	return appendDeletion(append(dst, 1), d)
}

func readOptional(r *encoding.Reader) mutation.Deletion {
	switch f := r.U8(); f {
	case 0:
	case 1:
		return readDeletion(r)
	default:
		r.Fail(corrupt("deletion", "flag %d", f))
	}
	return mutation.Deletion{}
}
