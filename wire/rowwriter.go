package wire

import (
	"bytes"
	"cmp"

	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/mutation"
)

// Tags of a stream of rows. On the wire, never renumber.
const (
	tagPartition = iota + 1
	tagRow
	tagBoundary
	tagEnd     // of a partition
	tagLimited // end of a partition whose limit was reached: there may be more
)

// Flags of a partition's head. On the wire, never renumber.
const (
	headDeletion = 1 << iota
	headStatic
	headContinued
	headOpen
	headKnown = 1<<iota - 1
)

// Flags of a boundary. On the wire, never renumber.
const (
	boundaryBefore = 1 << iota
	boundaryAfter
	boundaryKnown = 1<<iota - 1
)

// Limits says where RowWriter.Append stops. Zero values set none.
type Limits struct {
	// Bytes is how long the stream may become; it is exceeded by the head of a
	// partition and one item at most.
	Bytes int
	// Rows and PerPartition count rows that are live at Now (seconds).
	Rows, PerPartition uint32
	Now                uint32
	// Reverse is the direction of the source.
	Reverse bool
}

// RowWriter encodes sources into streams of rows. It is reused and then
// allocates nothing.
type RowWriter struct {
	limits  Limits
	src     mutation.Source
	dst     []byte
	base    int
	rows    uint32
	last    Position
	scratch []byte
	key     []byte // what last.Key is
	place   []byte // what last.Clustering is
}

// Append appends to dst what the source holds behind resume, up to the limits.
// The source must stand before its first partition; partitions before that of
// resume are passed over. more tells that the source was not read to its end;
// the next stream then resumes at Last.
func (w *RowWriter) Append(dst []byte, src mutation.Source, resume *Position, limits Limits) (out []byte, more bool, err error) {
	w.limits, w.src, w.dst, w.base, w.rows = limits, src, dst, len(dst), 0
	w.last = Position{}
	more = w.partitions(resume)
	invariant.Check(!more || w.last.Place != PlaceNone, "wire: rows are cut at no place")
	out = w.dst
	w.src, w.dst = nil, nil
	return out, more, src.Err()
}

// Last is the position that the last stream ended at, valid until the next one.
func (w *RowWriter) Last() *Position { return &w.last }

// full tells whether the stream ends here. Each stream gets somewhere, and no
// partition is cut before its first item.
func (w *RowWriter) full() bool {
	return w.limits.Bytes > 0 && len(w.dst)-w.base >= w.limits.Bytes ||
		w.limits.Rows > 0 && w.rows >= w.limits.Rows
}

func (w *RowWriter) partitions(resume *Position) (more bool) {
	resumes := resume.Place != PlaceNone
	for w.src.NextPartition() {
		p := w.src.Partition()
		here := false
		if resumes {
			c := comparePartition(p, resume)
			if c < 0 || c == 0 && resume.Place == PlaceEnd {
				continue
			}
			here, resumes = c == 0, false
		}
		if w.full() {
			// last is the end of the partition before this one.
			return true
		}
		from := &Position{}
		if here {
			from = resume
		}
		if cut := w.partition(p, from); cut {
			return true
		}
	}
	return false
}

func comparePartition(p *mutation.Partition, at *Position) int {
	if c := cmp.Compare(p.Token, at.Token); c != 0 {
		return c
	}
	return bytes.Compare(p.Key, at.Key)
}

// partition encodes one partition behind from and tells whether it was cut.
func (w *RowWriter) partition(p *mutation.Partition, from *Position) (cut bool) {
	w.key = append(w.key[:0], p.Key...)
	w.last = Position{Place: PlaceHead, Token: p.Token, Key: w.key, Open: from.Open}
	continued := from.Place != PlaceNone
	w.scratch = from.seek(w.src, w.scratch, w.limits.Reverse)
	open := w.src.Open()
	ok := w.src.Next()
	for ok && from.seen(w.src.Item(), w.limits.Reverse) {
		open = w.src.Open()
		ok = w.src.Next()
	}
	w.head(p, continued, open)
	w.last.Open = open
	if from.Place == PlaceBoundary || from.Place == PlaceRow {
		w.move(from.Place, from.Clustering)
	}
	var rows uint32
	for first := true; ok; ok = w.src.Next() {
		if !first && w.full() {
			return true
		}
		first = false
		if w.limits.PerPartition > 0 && rows >= w.limits.PerPartition {
			w.dst = append(w.dst, tagLimited)
			w.last.Place = PlaceEnd
			return false
		}
		it := w.src.Item()
		if invariant.Enabled && it.Kind == mutation.ItemRow {
			invariant.Check(!w.last.seen(it, w.limits.Reverse), "wire: a row at %x follows one at %x", it.Clustering, w.last.Clustering)
		}
		if w.item(it) {
			rows++
			w.rows++
		}
		w.last.Open = w.src.Open()
	}
	w.dst = append(w.dst, tagEnd)
	w.last.Place = PlaceEnd
	return false
}

// head encodes the head of a partition. The static row is counted as none.
func (w *RowWriter) head(p *mutation.Partition, continued bool, open mutation.Deletion) {
	w.dst = append(w.dst, tagPartition)
	w.dst = appendU64(w.dst, uint64(p.Token))
	w.dst = encoding.AppendBytes(w.dst, p.Key)
	var flags byte
	if p.Deletion.Set {
		flags |= headDeletion
	}
	if p.Static != nil {
		flags |= headStatic
	}
	if continued {
		flags |= headContinued
	}
	if open.Set {
		flags |= headOpen
	}
	w.dst = append(w.dst, flags)
	if p.Deletion.Set {
		w.dst = appendDeletion(w.dst, p.Deletion)
	}
	if p.Static != nil {
		w.dst = encoding.AppendBytes(w.dst, p.Static)
	}
	if open.Set {
		w.dst = appendDeletion(w.dst, open)
	}
}

// item encodes an item and tells whether it is a live row.
func (w *RowWriter) item(it *mutation.Item) (live bool) {
	if it.Kind == mutation.ItemRow {
		w.dst = append(w.dst, tagRow)
		w.dst = encoding.AppendBytes(w.dst, it.Clustering)
		w.dst = encoding.AppendBytes(w.dst, it.Row)
		w.move(PlaceRow, it.Clustering)
		if w.limits.Rows == 0 && w.limits.PerPartition == 0 {
			return false
		}
		var r mutation.RowReader
		return r.Init(it.Row) == nil && r.Live(w.limits.Now)
	}
	w.dst = append(w.dst, tagBoundary)
	w.dst = encoding.AppendBytes(w.dst, it.Clustering)
	var flags byte
	if it.Before.Set {
		flags |= boundaryBefore
	}
	if it.After.Set {
		flags |= boundaryAfter
	}
	w.dst = append(w.dst, flags)
	if it.Before.Set {
		w.dst = appendDeletion(w.dst, it.Before)
	}
	if it.After.Set {
		w.dst = appendDeletion(w.dst, it.After)
	}
	w.move(PlaceBoundary, it.Clustering)
	return false
}

func (w *RowWriter) move(to Place, clustering []byte) {
	w.place = append(w.place[:0], clustering...)
	w.last.Place, w.last.Clustering = to, w.place
}
