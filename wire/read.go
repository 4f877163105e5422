package wire

import (
	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// Read is the body of OpRead: what to read, and behind which position to go on.
type Read struct {
	mutation.ReadCommand
	// Resume is the Last of the answer that this one goes on from.
	Resume Position

	start, end mutation.PartitionBound // what Range points to, once decoded
}

// Flags of a read. On the wire, never renumber.
const (
	readDigest = 1 << iota
	readReverse
	readStatic
	readDistinct
	readColumns // a list of columns follows; else all are wanted
	readKeys    // a list of keys follows; else a range
	readSlices  // a list of slices follows; else everything
	readKnown   = 1<<iota - 1
)

// Append appends the encoded body.
func (c *Read) Append(dst []byte) []byte {
	var flags byte
	for i, set := range [...]bool{c.Digest, c.Reverse, c.Static, c.Distinct, c.Columns != nil, c.Keys != nil, c.Slices != nil} {
		if set {
			flags |= 1 << i
		}
	}
	dst = append(dst, c.Version, flags)
	dst = append(dst, c.Table[:]...)
	dst = appendU64(dst, c.Epoch)
	dst = appendU32(dst, c.Now)
	dst = appendU32(dst, c.Limit)
	dst = appendU32(dst, c.PerPartitionLimit)
	dst = encoding.AppendUvarint(dst, uint64(max(c.Bytes, 0)))
	if c.Columns != nil {
		dst = encoding.AppendUvarint(dst, uint64(len(c.Columns)))
		for _, id := range c.Columns {
			dst = encoding.AppendUvarint(dst, uint64(id))
		}
	}
	if c.Keys != nil {
		dst = encoding.AppendUvarint(dst, uint64(len(c.Keys)))
		for i := range c.Keys {
			dst = appendU64(dst, uint64(c.Keys[i].Token))
			dst = encoding.AppendBytes(dst, c.Keys[i].Key)
		}
	} else {
		dst = appendBound(dst, c.Range.Start)
		dst = appendBound(dst, c.Range.End)
	}
	if c.Slices != nil {
		dst = encoding.AppendUvarint(dst, uint64(len(c.Slices)))
		for i := range c.Slices {
			dst = encoding.AppendBytes(dst, c.Slices[i].Lo)
			dst = encoding.AppendBytes(dst, c.Slices[i].Hi)
		}
	}
	dst = encoding.AppendUvarint(dst, uint64(len(c.Filters)))
	for i := range c.Filters {
		f := &c.Filters[i]
		dst = encoding.AppendUvarint(dst, uint64(f.Column))
		dst = append(dst, byte(f.Op))
		dst = encoding.AppendBytes(dst, f.Key)
		dst = encoding.AppendBytes(dst, f.Value)
	}
	return c.Resume.append(dst)
}

// Decode decodes a body. Byte strings alias b, and Range points into c.
func (c *Read) Decode(b []byte) error {
	r := encoding.NewReader(b)
	version, flags := r.U8(), r.U8()
	if flags&^readKnown != 0 {
		return unknownFlags("read", flags)
	}
	c.Version = version
	c.Digest, c.Reverse = flags&readDigest != 0, flags&readReverse != 0
	c.Static, c.Distinct = flags&readStatic != 0, flags&readDistinct != 0
	c.Table = readID(&r)
	c.Epoch, c.Now = r.U64(), r.U32()
	c.Limit, c.PerPartitionLimit = r.U32(), r.U32()
	c.Bytes = int(min(r.Uvarint(), 1<<31-1))
	c.readLists(&r, flags)
	c.readFilters(&r)
	c.Resume.read(&r)
	return finish(&r, "read")
}

func (c *Read) readLists(r *encoding.Reader, flags byte) {
	columns, keys, slices := c.Columns[:0], c.Keys[:0], c.Slices[:0]
	c.Columns, c.Keys, c.Slices, c.Range = nil, nil, nil, mutation.PartitionRange{}
	if flags&readColumns != 0 {
		for range count(r, 1) {
			id := r.Uvarint()
			if id > 1<<32-1 {
				r.Fail(corrupt("read", "column %d", id))
			}
			columns = append(columns, schema.ColumnID(id))
		}
		c.Columns = notNil(columns)
	}
	if flags&readKeys != 0 {
		for range count(r, 9) {
			keys = append(keys, mutation.Key{Token: ring.Token(r.U64()), Key: r.Bytes()})
		}
		c.Keys = notNil(keys)
	} else {
		c.Range.Start = readBound(r, &c.start)
		c.Range.End = readBound(r, &c.end)
	}
	if flags&readSlices != 0 {
		for range count(r, 2) {
			slices = append(slices, mutation.Slice{Lo: r.Bytes(), Hi: r.Bytes()})
		}
		c.Slices = notNil(slices)
	}
}

func (c *Read) readFilters(r *encoding.Reader) {
	c.Filters = c.Filters[:0]
	for range count(r, 4) {
		id := r.Uvarint()
		f := mutation.Filter{Column: schema.ColumnID(id), Op: mutation.FilterOp(r.U8()), Key: r.Bytes(), Value: r.Bytes()}
		if id > 1<<32-1 || f.Op < mutation.FilterEQ || f.Op > mutation.FilterElement {
			r.Fail(corrupt("read", "filter %d of column %d", f.Op, id))
		}
		c.Filters = append(c.Filters, f)
	}
}

// count reads how many elements follow, each of at least size bytes.
func count(r *encoding.Reader, size int) int {
	n := r.Uvarint()
	if n > uint64(r.Len()/size) {
		r.Fail(encoding.ErrShort)
		return 0
	}
	return int(n)
}

// notNil keeps an empty list apart from none.
func notNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

const (
	boundSet = 1 << iota
	boundAfter
	boundKey
	boundKnown = 1<<iota - 1
)

func appendBound(dst []byte, b *mutation.PartitionBound) []byte {
	if b == nil {
		return append(dst, 0)
	}
	flags := byte(boundSet)
	if b.After {
		flags |= boundAfter
	}
	if b.Key != nil {
		flags |= boundKey
	}
	dst = appendU64(append(dst, flags), uint64(b.Token))
	if b.Key != nil {
		dst = encoding.AppendBytes(dst, b.Key)
	}
	return dst
}

func readBound(r *encoding.Reader, b *mutation.PartitionBound) *mutation.PartitionBound {
	flags := r.U8()
	if flags == 0 {
		return nil
	}
	if flags&boundSet == 0 || flags&^boundKnown != 0 {
		r.Fail(corrupt("read", "flags %#x of a bound", flags))
	}
	*b = mutation.PartitionBound{Token: ring.Token(r.U64()), After: flags&boundAfter != 0}
	if flags&boundKey != 0 {
		b.Key = notNil(r.Bytes())
	}
	return b
}

// ReadReply answers OpRead.
type ReadReply struct {
	HasDigest bool
	Digest    [16]byte // if it was asked for
	// More means that the rows were cut at Last: a Read that resumes there gets
	// what follows.
	More bool
	Last Position
	// Rows is a stream of rows, see RowStream.
	Rows []byte
}

const (
	replyDigest = 1 << iota
	replyMore
	replyKnown = 1<<iota - 1
)

// Append appends the encoded body.
func (p *ReadReply) Append(dst []byte) []byte {
	return append(p.AppendHead(dst), p.Rows...)
}

// AppendHead appends the body up to the rows, so that a sender need not copy
// them.
func (p *ReadReply) AppendHead(dst []byte) []byte {
	var flags byte
	if p.HasDigest {
		flags |= replyDigest
	}
	if p.More {
		flags |= replyMore
	}
	dst = append(dst, flags)
	if p.HasDigest {
		dst = append(dst, p.Digest[:]...)
	}
	if p.More {
		dst = p.Last.append(dst)
	}
	return dst
}

// Decode decodes a body; byte strings alias b.
func (p *ReadReply) Decode(b []byte) error {
	r := encoding.NewReader(b)
	flags := r.U8()
	if flags&^replyKnown != 0 {
		return unknownFlags("read reply", flags)
	}
	*p = ReadReply{HasDigest: flags&replyDigest != 0, More: flags&replyMore != 0}
	if p.HasDigest {
		p.Digest = readID(&r)
	}
	if p.More {
		p.Last.read(&r)
	}
	p.Rows = r.Take(r.Len())
	return finish(&r, "read reply")
}
