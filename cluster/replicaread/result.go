package replicaread

import (
	"bytes"

	"github.com/ilion-db/ilion/internal/fail"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/wire"
)

// result are the pages that a round is answered with. What every replica has
// told everything about ends where the shortest page was cut: beyond that, some
// might hold what changes the rows of the others.
type result struct {
	round   *round
	pages   []*replica
	streams []wire.RowStream
	sources []mutation.Source
	merge   mutation.Merge
	clip    clip
	cut     bool
	end     wire.Position // of the result, if cut
	// limited are the places where a replica has ended a partition early.
	limited []wire.Position
}

// use takes over the pages that have come; one is enough if digests agree. The
// round's lock is held.
func (s *result) use(r *round) {
	s.round, s.pages = r, s.pages[:0]
	for i := range r.replicas {
		if r.replicas[i].state == hasData {
			s.pages = append(s.pages, &r.replicas[i])
		}
	}
	if r.digests && !r.full { // as their digests
		s.pages = s.pages[:1]
	}
	invariant.Check(len(s.pages) > 0, "replicaread: a round has enough answers and no page")
	s.cut, s.end, s.limited = false, wire.Position{}, s.limited[:0]
	for _, p := range s.pages {
		if p.reply.More && !fail.Mutant("forget-cut") && (!s.cut || comparePositions(&p.reply.Last, &s.end, r.read.Reverse) < 0) {
			s.cut, s.end = true, p.reply.Last
		}
	}
	for len(s.streams) < len(s.pages) {
		s.streams = append(s.streams, wire.RowStream{})
	}
}

// same tells whether all pages are equal to the byte.
func (s *result) same() bool {
	for _, p := range s.pages[1:] {
		if p.reply.More != s.pages[0].reply.More || !bytes.Equal(p.reply.Rows, s.pages[0].reply.Rows) {
			return false
		}
	}
	return true
}

// open starts to read the result from its start. What was opened before is
// over.
func (s *result) open() mutation.Source {
	if len(s.pages) == 1 {
		return s.page(0)
	}
	s.sources = s.sources[:0]
	for i := range s.pages {
		s.sources = append(s.sources, s.page(i))
	}
	s.merge.Init(s.sources, s.round.read.Reverse)
	s.clip = s.clipped(&s.merge)
	return &s.clip
}

// clipped ends a source where the result ends.
func (s *result) clipped(src mutation.Source) clip {
	return clip{src: src, cut: s.cut, end: &s.end, limited: s.limited, reverse: s.round.read.Reverse}
}

func (s *result) page(i int) *wire.RowStream {
	s.streams[i].Init(s.pages[i].reply.Rows, s.pages[i].reply.More, s.round.read.Reverse)
	return &s.streams[i]
}

// size is about how long the result is in bytes.
func (s *result) size() (n int) {
	for _, p := range s.pages {
		n += len(p.reply.Rows)
	}
	return n
}

// drop lets go of the pages.
func (s *result) drop() {
	clear(s.pages)
	clear(s.sources)
	clear(s.limited)
	s.pages, s.sources = s.pages[:0], s.sources[:0]
	s.end, s.clip = wire.Position{}, clip{}
}

// clip is a source that ends at a position, and partitions at theirs.
type clip struct {
	src     mutation.Source
	cut     bool
	end     *wire.Position
	limited []wire.Position // ascending, one for a partition at most
	limit   *wire.Position  // of the current partition
	reverse bool
	inLast  bool // the partition that end lies in is the current one
	over    bool
}

// NextPartition implements mutation.Source.
func (c *clip) NextPartition() bool {
	if c.over || c.inLast || !c.src.NextPartition() {
		return false
	}
	p := c.src.Partition()
	c.limit = nil
	for len(c.limited) > 0 && c.limit == nil {
		d := comparePartitions(c.limited[0].Token, c.limited[0].Key, p.Token, p.Key)
		if d > 0 {
			break
		}
		if d == 0 {
			c.limit = &c.limited[0]
		}
		c.limited = c.limited[1:]
	}
	if c.cut {
		d := comparePartitions(p.Token, p.Key, c.end.Token, c.end.Key)
		c.over, c.inLast = d > 0, d == 0
	}
	return !c.over
}

// Next implements mutation.Source.
func (c *clip) Next() bool {
	if c.over || !c.src.Next() {
		return false
	}
	if c.limit != nil && behindPosition(c.limit, c.src.Item(), c.reverse) {
		return false
	}
	if c.inLast && behindPosition(c.end, c.src.Item(), c.reverse) {
		c.over = true
	}
	return !c.over
}

// Partition implements mutation.Source.
func (c *clip) Partition() *mutation.Partition { return c.src.Partition() }

// Seek implements mutation.Source.
func (c *clip) Seek(bound []byte) { c.src.Seek(bound) }

// Open implements mutation.Source.
func (c *clip) Open() mutation.Deletion { return c.src.Open() }

// Item implements mutation.Source.
func (c *clip) Item() *mutation.Item { return c.src.Item() }

// Err implements mutation.Source.
func (c *clip) Err() error { return c.src.Err() }

// Close implements mutation.Source.
func (c *clip) Close() { c.src.Close() }

func comparePartitions(at ring.Token, a []byte, bt ring.Token, b []byte) int {
	switch {
	case at < bt:
		return -1
	case at > bt:
		return 1
	}
	return bytes.Compare(a, b)
}

// behindPosition tells whether an item of the position's partition lies behind
// the position. At one clustering the boundary lies below the row.
func behindPosition(p *wire.Position, it *mutation.Item, reverse bool) bool {
	place := wire.PlaceRow
	if it.Kind == mutation.ItemBoundary {
		place = wire.PlaceBoundary
	}
	return comparePlaces(place, it.Clustering, p.Place, p.Clustering, reverse) > 0
}

func comparePlaces(ap wire.Place, a []byte, bp wire.Place, b []byte, reverse bool) int {
	if step(ap) != step(bp) || step(ap) != 1 {
		return step(ap) - step(bp)
	}
	c := bytes.Compare(a, b)
	if c == 0 {
		c = int(ap) - int(bp) // a boundary, then the row
	}
	if reverse {
		c = -c
	}
	return c
}

// step is how far a place is in its partition: the head, an item, the end.
func step(p wire.Place) int {
	switch p {
	case wire.PlaceBoundary, wire.PlaceRow:
		return 1
	case wire.PlaceEnd:
		return 2
	}
	return 0
}

// comparePositions orders positions in the direction of a read.
func comparePositions(a, b *wire.Position, reverse bool) int {
	if c := comparePartitions(a.Token, a.Key, b.Token, b.Key); c != 0 {
		return c
	}
	return comparePlaces(a.Place, a.Clustering, b.Place, b.Clustering, reverse)
}
