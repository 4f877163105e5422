package replicaread

import (
	"math"
	"slices"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/wire"
)

// maxKeys bounds the keys of one round.
const maxKeys = 64

// section is a part of what a command names: keys in order, or if there are
// none a range; of its first partition what lies behind resume.
type section struct {
	keys               []mutation.Key
	ranged             bool
	start, end         mutation.PartitionBound
	hasStart, hasEnd   bool
	resume             wire.Position
	resumeKey, resumed []byte // what resume's Key and Clustering are
}

// rangeOf is the section's range; it points into s.
func (s *section) rangeOf() (r mutation.PartitionRange) {
	if s.hasStart {
		r.Start = &s.start
	}
	if s.hasEnd {
		r.End = &s.end
	}
	return r
}

// whole makes s all that cmd names.
func (s *section) whole(cmd *mutation.ReadCommand) {
	*s = section{keys: cmd.Keys, ranged: cmd.Keys == nil, resumeKey: s.resumeKey, resumed: s.resumed}
	if b := cmd.Range.Start; b != nil && s.ranged {
		s.start, s.hasStart = *b, true
	}
	if b := cmd.Range.End; b != nil && s.ranged {
		s.end, s.hasEnd = *b, true
	}
	if len(cmd.After) == 0 {
		return
	}
	p := wire.Position{Place: wire.PlaceRow, Clustering: cmd.After}
	switch {
	case len(s.keys) > 0:
		p.Token, p.Key = s.keys[0].Token, s.keys[0].Key
	case s.hasStart && s.start.Key != nil && !s.start.After:
		p.Token, p.Key = s.start.Token, s.start.Key
	default:
		return
	}
	s.behind(&p)
}

// notNil keeps an empty key apart from none.
func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// behind leaves out of s what does not lie behind a position in it. It copies
// what it needs of the position.
func (s *section) behind(p *wire.Position) {
	s.resumeKey = append(notNil(s.resumeKey)[:0], p.Key...)
	s.resumed = append(s.resumed[:0], p.Clustering...)
	s.resume = wire.Position{Place: p.Place, Token: p.Token, Key: s.resumeKey, Clustering: s.resumed, Open: p.Open}
	end := p.Place == wire.PlaceEnd
	if s.ranged {
		s.start, s.hasStart = mutation.PartitionBound{Token: p.Token, Key: s.resumeKey, After: end}, true
	} else {
		for len(s.keys) > 0 {
			c := comparePartitions(s.keys[0].Token, s.keys[0].Key, p.Token, p.Key)
			if c > 0 || c == 0 && !end {
				break
			}
			s.keys = s.keys[1:]
		}
	}
	if end {
		s.resume = wire.Position{}
	}
}

// empty tells whether nothing is left.
func (s *section) empty() bool {
	if !s.ranged {
		return len(s.keys) == 0
	}
	if !s.hasStart || !s.hasEnd {
		return s.hasStart && s.start.Token == math.MaxInt64 && s.start.After && s.start.Key == nil
	}
	if s.start.Token != s.end.Token {
		return s.start.Token > s.end.Token
	}
	// Two places at one token: a nil key is before or behind all keys.
	return boundRank(&s.start) >= boundRank(&s.end) && (s.start.Key == nil || s.end.Key == nil ||
		comparePartitions(0, s.start.Key, 0, s.end.Key) >= 0)
}

func boundRank(b *mutation.PartitionBound) int {
	switch {
	case b.Key == nil && !b.After:
		return 0
	case b.Key == nil:
		return 3
	case b.After:
		return 2
	}
	return 1
}

// copyOf makes s a copy of another section that shares with it only what
// belongs to the command.
func (s *section) copyOf(o *section) {
	key, resumed := s.resumeKey, s.resumed
	*s = *o
	s.resumeKey, s.resumed = key[:0], resumed[:0]
	s.resume.Clustering = append(s.resumed, o.resume.Clustering...)
	s.resumed = s.resume.Clustering
	if o.ranged && o.start.Key != nil {
		s.start.Key = append(notNil(s.resumeKey), o.start.Key...)
		s.resumeKey, s.resume.Key = s.start.Key, s.start.Key
		return
	}
	s.resume.Key = append(s.resumeKey, o.resume.Key...)
	s.resumeKey = s.resume.Key
}

// carver splits sections where replicas change. It is reused.
type carver struct {
	common, next []int
	// apart gives every set of replicas its own pieces; narrowed tells that the
	// last piece has fewer replicas than its first range or key.
	apart, narrowed bool
}

// carve takes the first piece off s that some replicas hold together, as many
// as the level needs, and returns these.
func (c *carver) carve(rd *Reader, top *cluster.Topology, p *cluster.Placement, level ring.ConsistencyLevel, s, piece *section) []int {
	invariant.Check(!s.empty(), "replicaread: nothing is left to carve")
	piece.copyOf(s)
	s.resume = wire.Position{}
	c.narrowed = false
	if !s.ranged {
		c.common = append(c.common[:0], p.Replicas(s.keys[0].Token).Read...)
		n := 1
		for n < len(s.keys) && n < maxKeys && c.share(rd, top, p, level, p.Replicas(s.keys[n].Token).Read) {
			n++
		}
		piece.keys, s.keys = s.keys[:n], s.keys[n:]
		return c.common
	}
	i := c.rangeAt(p, s)
	c.common = append(c.common[:0], p.Ranges[i%len(p.Ranges)].Read...)
	for {
		// The first range wraps around: it comes first and last.
		if i == len(p.Ranges) || len(p.Ranges) == 1 {
			piece.end, piece.hasEnd = s.end, s.hasEnd
			s.start, s.hasStart = mutation.PartitionBound{Token: math.MaxInt64, After: true}, true
			return c.common
		}
		end := mutation.PartitionBound{Token: p.Ranges[i].Range.End, After: true}
		if s.hasEnd && s.end.Token <= end.Token {
			piece.end, piece.hasEnd = s.end, true
			s.start, s.hasStart = s.end, true
			return c.common
		}
		if i++; !c.share(rd, top, p, level, p.Ranges[i%len(p.Ranges)].Read) {
			piece.end, piece.hasEnd = end, true
			s.start, s.hasStart = end, true
			return c.common
		}
	}
}

// rangeAt is the range that a section starts in; len(p.Ranges) is the part of
// the first one above all ends.
func (c *carver) rangeAt(p *cluster.Placement, s *section) int {
	if !s.hasStart {
		return 0
	}
	t := s.start.Token
	if s.start.Key == nil && s.start.After && t != math.MaxInt64 {
		t++
	}
	i, _ := slices.BinarySearchFunc(p.Ranges, t, func(r cluster.ReplicaSet, t ring.Token) int {
		if r.Range.End < t {
			return -1
		}
		return 1
	})
	return i
}

// share narrows the common replicas to those of another set as well; false, and
// nothing is changed, if too few would be left.
func (c *carver) share(rd *Reader, top *cluster.Topology, p *cluster.Placement, level ring.ConsistencyLevel, set []int) bool {
	c.next = c.next[:0]
	for _, n := range c.common {
		if slices.Contains(set, n) {
			c.next = append(c.next, n)
		}
	}
	switch {
	case len(c.next) == len(c.common):
		return true
	case c.apart || level == ring.EachQuorum:
		return false
	}
	local := top.Nodes[0].DC
	alive := 0
	for _, n := range c.next {
		node := &top.Nodes[n]
		if (!level.IsLocal() || node.DC == local) && (node.Local || rd.cfg.Live(node)) {
			alive++
		}
	}
	need := p.BlockFor(level, local)
	if alive < need || need == 1 && slices.Contains(c.common, 0) && !slices.Contains(c.next, 0) {
		return false
	}
	c.common, c.next, c.narrowed = c.next, c.common, true
	return true
}
