package wire

import (
	"bytes"
	"errors"

	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
)

// RowStream is a mutation.Source over an encoded stream of rows, whose bytes
// it aliases. The zero value is an empty stream; Init and Continue feed it. It
// is reused and then allocates nothing. It belongs to one goroutine.
//
// If the stream was cut (More of its ReadReply), NextPartition and Next return
// false at the cut and Cut tells so. Continue then goes on with the next
// stream as if they were one: a range deletion that was written between the
// two shows as a boundary at the cut.
type RowStream struct {
	r       encoding.Reader
	more    bool
	reverse bool
	inside  bool // of a partition
	limited bool
	pending bool // a boundary made up at the place of a cut is the next item

	part  mutation.Partition
	item  mutation.Item
	open  mutation.Deletion
	last  Position
	key   []byte // what part.Key and last.Key were, over a cut
	place []byte
	made  []byte // clustering of the boundary made up
}

var _ mutation.Source = (*RowStream)(nil)

// Init starts with the rows of a first answer.
func (s *RowStream) Init(rows []byte, more, reverse bool) {
	*s = RowStream{
		r: encoding.NewReader(rows), more: more, reverse: reverse,
		key: s.key[:0], place: s.place[:0], made: s.made[:0],
	}
}

// Continue goes on with the rows of the answer that resumed where the stream
// was cut. It must not be called before Cut is true.
func (s *RowStream) Continue(rows []byte, more bool) {
	s.r, s.more = encoding.NewReader(rows), more
	if !s.inside {
		return
	}
	// What the current partition aliases may go with the old bytes.
	s.part.Key, s.part.Static = s.key, nil
	s.continueHead()
}

// continueHead reads the head of the partition that was cut, if the next
// stream goes on with it at all.
func (s *RowStream) continueHead() {
	next := s.r
	if next.Len() == 0 || next.U8() != tagPartition {
		s.leave()
		return
	}
	var p mutation.Partition
	open, continued := readHead(&next, &p)
	if next.Err() != nil || !continued || p.Token != s.part.Token || !bytes.Equal(p.Key, s.part.Key) {
		// The partition is no more; its open deletion ends here.
		s.leave()
		return
	}
	s.r = next
	s.part = p
	s.keepKey()
	if open == s.open || s.last.Place == PlaceHead {
		s.open = open
		return
	}
	s.made = s.madeUp()
	s.item = mutation.Item{Kind: mutation.ItemBoundary, Clustering: s.made, Before: s.open, After: open}
	if s.reverse {
		s.item.Before, s.item.After = open, s.open
	}
	s.open, s.pending = open, true
}

// madeUp is the bound at which the stream was cut: just above the last item
// or, in reverse, just below it.
func (s *RowStream) madeUp() []byte {
	b := append(s.made[:0], s.last.Clustering...)
	if !s.reverse && s.last.Place == PlaceRow {
		b = append(b, 0)
	}
	return b
}

func (s *RowStream) leave() { s.inside, s.limited, s.pending = false, false, false }

// Cut tells whether the stream has ended before its source did.
func (s *RowStream) Cut() bool { return s.more && s.r.Len() == 0 && s.r.Err() == nil && !s.pending }

// Inside tells whether the stream stands in a partition whose end it has not
// passed.
func (s *RowStream) Inside() bool { return s.inside }

// Limited tells whether the partition just passed was ended by the limit of
// rows per partition.
func (s *RowStream) Limited() bool { return s.limited }

func (s *RowStream) keepKey() {
	s.key = append(s.key[:0], s.part.Key...)
}

// NextPartition implements mutation.Source.
func (s *RowStream) NextPartition() bool {
	for s.inside && s.Next() {
	}
	if s.inside || s.r.Len() == 0 {
		return false // cut, damaged, or the end
	}
	if tag := s.r.U8(); tag != tagPartition {
		s.r.Fail(corrupt("rows", "tag %d where a partition begins", tag))
		return false
	}
	s.open, _ = readHead(&s.r, &s.part)
	if s.r.Err() != nil {
		return false
	}
	s.keepKey()
	s.inside, s.limited = true, false
	s.last = Position{Place: PlaceHead}
	return true
}

func readHead(r *encoding.Reader, p *mutation.Partition) (open mutation.Deletion, continued bool) {
	*p = mutation.Partition{Token: ring.Token(r.U64()), Key: r.Bytes()}
	flags := r.U8()
	if flags&^headKnown != 0 {
		r.Fail(unknownFlags("partition", flags))
	}
	if flags&headDeletion != 0 {
		p.Deletion = readDeletion(r)
	}
	if flags&headStatic != 0 {
		p.Static = r.Bytes()
	}
	if flags&headOpen != 0 {
		open = readDeletion(r)
	}
	return open, flags&headContinued != 0
}

// Partition implements mutation.Source.
func (s *RowStream) Partition() *mutation.Partition { return &s.part }

// Open implements mutation.Source.
func (s *RowStream) Open() mutation.Deletion {
	if s.pending {
		return s.before(&s.item)
	}
	return s.open
}

// before is what is in force before an item in the stream's direction.
func (s *RowStream) before(it *mutation.Item) mutation.Deletion {
	if s.reverse {
		return it.After
	}
	return it.Before
}

// Item implements mutation.Source.
func (s *RowStream) Item() *mutation.Item { return &s.item }

// Next implements mutation.Source.
func (s *RowStream) Next() bool {
	if s.pending {
		s.pending = false
		return true
	}
	if !s.inside {
		return false
	}
	if s.r.Len() == 0 {
		if !s.more {
			s.r.Fail(corrupt("rows", "they end inside a partition"))
		}
		return false
	}
	switch tag := s.r.U8(); tag {
	case tagRow:
		s.item = mutation.Item{Kind: mutation.ItemRow, Clustering: s.r.Bytes(), Row: s.r.Bytes()}
	case tagBoundary:
		s.boundary()
	case tagEnd, tagLimited:
		s.inside, s.limited = false, tag == tagLimited
		return false
	default:
		s.r.Fail(corrupt("rows", "tag %d inside a partition", tag))
	}
	if s.r.Err() != nil {
		return false
	}
	if s.more && s.r.Len() == 0 {
		// The last item before a cut: its place outlives the bytes.
		s.place = append(s.place[:0], s.item.Clustering...)
		s.last = Position{Place: PlaceRow, Clustering: s.place}
		if s.item.Kind == mutation.ItemBoundary {
			s.last.Place = PlaceBoundary
		}
	}
	return true
}

func (s *RowStream) boundary() {
	s.item = mutation.Item{Kind: mutation.ItemBoundary, Clustering: s.r.Bytes()}
	flags := s.r.U8()
	if flags&^boundaryKnown != 0 {
		s.r.Fail(unknownFlags("boundary", flags))
	}
	if flags&boundaryBefore != 0 {
		s.item.Before = readDeletion(&s.r)
	}
	if flags&boundaryAfter != 0 {
		s.item.After = readDeletion(&s.r)
	}
	if s.open = s.item.After; s.reverse {
		s.open = s.item.Before
	}
}

// Seek implements mutation.Source. It passes over what lies before the bound.
func (s *RowStream) Seek(bound []byte) {
	for len(bound) > 0 {
		saved := *s
		if !s.Next() {
			return
		}
		if c := bytes.Compare(s.item.Clustering, bound); (c < 0) == s.reverse {
			*s = saved
			return
		}
	}
}

// Err implements mutation.Source.
func (s *RowStream) Err() error {
	err := s.r.Err()
	if err == nil || errors.Is(err, ErrCorrupt) || errors.Is(err, ErrUnknownFeature) {
		return err
	}
	return corrupt("rows", "%v", err)
}

// Close implements mutation.Source.
func (s *RowStream) Close() {}
