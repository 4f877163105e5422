package replicaread

import (
	"context"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/wire"
)

// store reads the local replica the way that a peer reads it: one page, encoded
// as a wire.ReadReply. It is reused; then a page costs no allocation.
type store struct {
	sel    selection
	rows   wire.RowWriter
	digest mutation.Digest
	stream wire.RowStream
	reply  wire.ReadReply
	head   []byte
	body   []byte
}

// defaultBytes bounds a page that names no bound.
const defaultBytes = 1 << 20

// maxPage is the longest page in bytes that fits into an answer.
const maxPage = wire.MaxBody - 128<<10

// read makes the page that c asks for. With try it answers
// mutation.ErrWouldBlock instead of waiting. It holds nothing of the replica
// when it returns.
func (s *store) read(ctx context.Context, rd *Reader, c *wire.Read, try bool) error {
	limits := wire.Limits{Bytes: c.Bytes, Rows: c.Limit, PerPartition: c.PerPartitionLimit, Now: c.Now, Reverse: c.Reverse}
	if limits.Bytes <= 0 || limits.Bytes > maxPage/2 {
		limits.Bytes = defaultBytes
	}
	if c.Distinct {
		limits.PerPartition = 1
	}
	for {
		err := s.page(ctx, rd, c, limits, try)
		if err != nil || len(s.body) <= maxPage || limits.Bytes == 1 {
			return err
		}
		// The last row alone is nearly as long as an answer may be: it is to be
		// the first one of a later page.
		limits.Bytes = max(limits.Bytes/2, 1)
	}
}

func (s *store) page(ctx context.Context, rd *Reader, c *wire.Read, limits wire.Limits, try bool) error {
	var src mutation.Source
	var err error
	// Pages are compared, too: files that cannot change what a client sees may
	// still hold what other replicas tell, such as the marker of an old INSERT.
	digest := c.Digest
	c.Digest = true
	if try {
		src, err = rd.cfg.Replica.TryRead(&c.ReadCommand)
	} else {
		src, err = rd.cfg.Replica.Read(ctx, &c.ReadCommand)
	}
	c.Digest = digest
	if err != nil {
		return err
	}
	defer invariant.Release(src.Close)
	s.sel.init(src, &c.ReadCommand)
	defer s.sel.Close()
	s.reply, s.body = wire.ReadReply{}, s.body[:0]
	if c.Digest {
		return s.readDigest(c, limits)
	}
	s.body, s.reply.More, err = s.rows.Append(s.body, &s.sel, &c.Resume, limits)
	if err == nil {
		err = s.sel.Err()
	}
	if err != nil {
		return err
	}
	if s.reply.More {
		s.reply.Last = *s.rows.Last()
	}
	s.head = s.reply.AppendHead(s.head[:0])
	return nil
}

// readDigest makes the digest of the page that the limits on rows give. A page
// that would be cut for its bytes has none.
func (s *store) readDigest(c *wire.Read, limits wire.Limits) error {
	s.digest.Reset(c.Now, c.Columns)
	var whole bool
	var err error
	if c.Resume.Place == wire.PlaceNone {
		_, whole, err = digestOf(&s.digest, &s.sel, limits)
	} else {
		whole, err = s.digestBehind(c, limits)
	}
	if err != nil {
		return err
	}
	if s.reply.HasDigest = whole; whole {
		s.reply.Digest = s.digest.Sum()
	}
	s.head = s.reply.AppendHead(s.head[:0])
	return nil
}

// pageDigest is the digest of a page that has come; false if the page was cut for
// its bytes, so that no digest is comparable.
func (s *store) pageDigest(page *wire.ReadReply, c *wire.Read) (sum [16]byte, ok bool) {
	s.stream.Init(page.Rows, page.More, c.Reverse)
	s.digest.Reset(c.Now, c.Columns)
	rows, _, err := digestOf(&s.digest, &s.stream, wire.Limits{Now: c.Now})
	if err != nil || page.More && (c.Limit == 0 || rows < c.Limit) {
		return sum, false
	}
	return s.digest.Sum(), true
}

// digestBehind adds what lies behind the command's position to the digest: what
// a page for that would hold.
func (s *store) digestBehind(c *wire.Read, limits wire.Limits) (whole bool, err error) {
	var more bool
	s.body, more, err = s.rows.Append(s.body, &s.sel, &c.Resume, limits)
	if err == nil {
		err = s.sel.Err()
	}
	if err != nil {
		return false, err
	}
	s.stream.Init(s.body, more, c.Reverse)
	rows, _, err := digestOf(&s.digest, &s.stream, wire.Limits{Now: c.Now})
	s.body = s.body[:0]
	return !more || limits.Rows > 0 && rows >= limits.Rows, err
}

// digestOf adds what src yields up to the limits to d and counts the live rows.
// It stops, and whole is false, when more than limits.Bytes have passed.
func digestOf(d *mutation.Digest, src mutation.Source, limits wire.Limits) (rows uint32, whole bool, err error) {
	g := digester{to: d, limits: limits}
	for !g.full() && src.NextPartition() {
		if whole, err := g.partition(src); err != nil || !whole {
			return g.rows, false, err
		}
	}
	return g.rows, true, src.Err()
}

// digester adds what lies within limits to a digest.
type digester struct {
	to     *mutation.Digest
	limits wire.Limits
	rows   uint32 // live ones
	passed int    // bytes
}

// full tells whether there are as many rows as are wanted.
func (g *digester) full() bool { return g.limits.Rows > 0 && g.rows >= g.limits.Rows }

// partition adds the current partition of src; whole is false if it has too many
// bytes.
func (g *digester) partition(src mutation.Source) (whole bool, err error) {
	p := src.Partition()
	g.to.Partition(p)
	g.passed += len(p.Key) + len(p.Static)
	if p.Static != nil {
		if err := g.to.Static(p.Static); err != nil {
			return false, err
		}
	}
	before, most := g.rows, g.limits.PerPartition
	for !g.full() && (most == 0 || g.rows-before < most) && src.Next() {
		it := src.Item()
		g.passed += len(it.Clustering) + len(it.Row)
		if g.limits.Bytes > 0 && g.passed > g.limits.Bytes {
			return false, nil
		}
		if err := g.item(it); err != nil {
			return false, err
		}
	}
	return true, nil
}

// item adds a live row.
func (g *digester) item(it *mutation.Item) error {
	live, err := isLive(it, g.limits.Now)
	if err != nil || !live {
		return err
	}
	g.rows++
	return g.to.Row(it.Clustering, it.Row)
}
