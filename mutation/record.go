package mutation

import (
	"encoding/binary"
	"fmt"

	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// Record is an encoded mutation of one partition. Its methods for the header
// may be called once CheckHeader or Check has accepted it.
type Record []byte

// CheckHeader verifies length, version and required flags.
func (r Record) CheckHeader() error {
	if len(r) < recordHeaderLen {
		return fmt.Errorf("%w: record of %d bytes", ErrCorrupt, len(r))
	}
	if r[offVersion] != Version {
		return fmt.Errorf("%w: record version %d", ErrUnknownFeature, r[offVersion])
	}
	if r[offRequired]&^RequiredKnown != 0 {
		return fmt.Errorf("%w: required record flags %#x", ErrUnknownFeature, r[offRequired])
	}
	if recordHeaderLen+int(binary.LittleEndian.Uint16(r[offKeyLen:])) > len(r) {
		return fmt.Errorf("%w: record ends within its key", ErrCorrupt)
	}
	return nil
}

// Table is the id of the table that the record is for.
func (r Record) Table() (id schema.TableID) {
	copy(id[:], r[offTable:])
	return id
}

// Epoch is the schema epoch of the node that encoded the record.
func (r Record) Epoch() uint64 { return binary.LittleEndian.Uint64(r[offEpoch:]) }

// SetEpoch makes the record one of a node at that schema epoch, in place: it is
// sent again after the schema has moved.
func (r Record) SetEpoch(epoch uint64) { binary.LittleEndian.PutUint64(r[offEpoch:], epoch) }

// Timestamp is the base timestamp in microseconds.
func (r Record) Timestamp() int64 { return int64(binary.LittleEndian.Uint64(r[offBase:])) }

// Token is the token of the partition key.
func (r Record) Token() ring.Token {
	return ring.Token(binary.LittleEndian.Uint64(r[offToken:]))
}

// Key is the partition key, aliasing the record.
func (r Record) Key() []byte {
	n := int(binary.LittleEndian.Uint16(r[offKeyLen:]))
	return r[recordHeaderLen : recordHeaderLen+n : recordHeaderLen+n]
}

// Optional returns the optional flags.
func (r Record) Optional() uint8 { return r[offOptional] }

// Origin tells how the record came here.
func (r Record) Origin() Origin { return Origin(r[offOrigin]) }

// Coordinator is the host that made the record for a client, and whether the
// record says so.
func (r Record) Coordinator() (host [16]byte, known bool) {
	p := r[recordHeaderLen+len(r.Key()):]
	for {
		kind, value, rest := field(p)
		if kind == 0 {
			return host, false
		}
		if kind == fieldCoordinator && len(value) == len(host) {
			return [16]byte(value), true
		}
		p = rest
	}
}

// field splits the optional field off that p begins with, if there is one.
func field(p []byte) (kind EntryKind, value, rest []byte) {
	if len(p) == 0 || EntryKind(p[0]) < firstOptional {
		return 0, nil, p
	}
	r := encoding.NewReader(p[1:])
	if value = r.Bytes(); r.Err() != nil {
		return 0, nil, p // which is no entry either
	}
	return EntryKind(p[0]), value, r.Rest()
}

// Entries returns an iterator over the entries.
func (r Record) Entries() EntryReader {
	p := r[recordHeaderLen+len(r.Key()):]
	for {
		kind, _, rest := field(p)
		if kind == 0 {
			return EntryReader{r: encoding.NewReader(p)}
		}
		p = rest
	}
}

// Check verifies the whole record: every row and cell, and that each row is
// canonical. What passes can be applied, merged and copied as bytes.
func (r Record) Check() error {
	if err := r.CheckHeader(); err != nil {
		return err
	}
	e := r.Entries()
	for e.Next() {
		if e.Kind != EntryRow && e.Kind != EntryStatic {
			if n := max(len(e.Start), len(e.End)); n > MaxKeyLen && e.Kind == EntryRangeDeletion {
				return fmt.Errorf("%w: bound of %d bytes", ErrCorrupt, n)
			}
			continue
		}
		if err := CheckRow(e.Row); err != nil {
			return err
		}
		if len(e.Clustering) > MaxKeyLen {
			return fmt.Errorf("%w: clustering of %d bytes", ErrCorrupt, len(e.Clustering))
		}
	}
	return e.Err()
}

// Restamp moves every timestamp of a server-stamped record so that its base
// becomes ts, in place.
func (r Record) Restamp(ts int64) error {
	delta := ts - r.Timestamp()
	binary.LittleEndian.PutUint64(r[offBase:], uint64(ts))
	shift := func(p []byte) {
		binary.LittleEndian.PutUint64(p, uint64(int64(binary.LittleEndian.Uint64(p))+delta))
	}
	e := r.Entries()
	for e.Next() {
		switch e.Kind {
		case EntryRow, EntryStatic:
			if len(e.Row) < 9 {
				return fmt.Errorf("%w: row of %d bytes", ErrCorrupt, len(e.Row))
			}
			shift(e.Row[1:])
		default:
			shift(e.stamp)
		}
	}
	return e.Err()
}

// EntryReader walks the entries of a record. Slices alias the record.
type EntryReader struct {
	Kind       EntryKind
	Clustering []byte // EntryRow
	Row        []byte // EntryRow, EntryStatic
	Start, End []byte // EntryRangeDeletion
	Deletion   Deletion

	r     encoding.Reader
	stamp []byte
	err   error
}

// Next decodes the next entry; false at the end or on error.
func (e *EntryReader) Next() bool {
	if e.r.Len() == 0 || e.err != nil {
		return false
	}
	e.Kind = EntryKind(e.r.U8())
	switch e.Kind {
	case EntryPartitionDeletion:
		e.deletion()
	case EntryStatic:
		e.Clustering = nil
		e.Row = e.r.Bytes()
	case EntryRow:
		e.Clustering = e.r.Bytes()
		e.Row = e.r.Bytes()
	case EntryRangeDeletion:
		e.Start = e.r.Bytes()
		e.End = e.r.Bytes()
		e.deletion()
	default:
		e.err = fmt.Errorf("%w: record entry of kind %d", ErrCorrupt, e.Kind)
		return false
	}
	if e.r.Err() != nil {
		e.err = fmt.Errorf("%w: record entry: %v", ErrCorrupt, e.r.Err())
		return false
	}
	return true
}

func (e *EntryReader) deletion() {
	e.stamp = e.r.Take(8)
	e.Deletion = Deletion{LocalTime: e.r.U32(), Set: true}
	if e.stamp != nil {
		e.Deletion.Timestamp = int64(binary.LittleEndian.Uint64(e.stamp))
	}
}

// Err is the error that ended the walk, or nil.
func (e *EntryReader) Err() error { return e.err }

// Header is what a record begins with.
type Header struct {
	Table     schema.TableID
	Epoch     uint64
	Timestamp int64 // base, microseconds
	Token     ring.Token
	Key       []byte // at most MaxKeyLen
	Optional  uint8
	Origin    Origin
	// Coordinator is the host that makes the record for a client, zero to leave
	// it out: below the format level that has it.
	Coordinator [16]byte
}

// Builder encodes one record. Call Begin, then for each row BeginRow or
// BeginStatic, its parts in any order, and EndRow; deletions between rows; at
// last Finish. A Builder is reused and then allocates nothing. Parts of a row
// that its own deletion shadows are dropped, duplicate cells reconciled.
type Builder struct {
	buf        []byte
	clustering []byte
	static     bool
	row        rowWriter
	sorted     bool
	entries    int
}

// append appends the header and what comes before the entries.
func (h *Header) append(dst []byte) []byte {
	dst = append(dst, Version, 0, h.Optional, uint8(h.Origin))
	dst = append(dst, h.Table[:]...)
	dst = binary.LittleEndian.AppendUint64(dst, h.Epoch)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(h.Timestamp))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(h.Token))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(h.Key)))
	dst = append(dst, h.Key...)
	if h.Coordinator != [16]byte{} {
		dst = append(dst, uint8(fieldCoordinator), uint8(len(h.Coordinator)))
		dst = append(dst, h.Coordinator[:]...)
	}
	return dst
}

// Begin starts a record in dst[:0], which the builder owns until Finish.
func (b *Builder) Begin(dst []byte, h Header) {
	b.buf = h.append(dst[:0])
	b.entries = 0
}

// DeletePartition deletes the whole partition.
func (b *Builder) DeletePartition(d Deletion) {
	b.buf = append(b.buf, uint8(EntryPartitionDeletion))
	b.deletion(d)
}

// DeleteRange deletes start <= clustering < end; empty bounds are open.
func (b *Builder) DeleteRange(start, end []byte, d Deletion) {
	b.buf = append(b.buf, uint8(EntryRangeDeletion))
	b.buf = encoding.AppendBytes(b.buf, start)
	b.buf = encoding.AppendBytes(b.buf, end)
	b.deletion(d)
}

func (b *Builder) deletion(d Deletion) {
	b.buf = binary.LittleEndian.AppendUint64(b.buf, uint64(d.Timestamp))
	b.buf = binary.LittleEndian.AppendUint32(b.buf, d.LocalTime)
	b.entries++
}

// BeginRow starts the row with that clustering, which is kept until EndRow.
func (b *Builder) BeginRow(clustering []byte) {
	b.clustering, b.static, b.sorted = clustering, false, true
	b.row.reset()
}

// BeginStatic starts the static row.
func (b *Builder) BeginStatic() {
	b.clustering, b.static, b.sorted = nil, true, true
	b.row.reset()
}

// Marker makes the row exist even without cells.
func (b *Builder) Marker(m Marker) {
	if m.supersedes(b.row.marker) {
		b.row.marker = m
	}
}

// DeleteRow deletes the row as of d.
func (b *Builder) DeleteRow(d Deletion) { b.row.deletion = b.row.deletion.Max(d) }

// Cell adds a cell; Path and Value must live until EndRow. Flags other than
// CellExpiring, CellTombstone, CellPath, CellCollection and CellKey are ours.
func (b *Builder) Cell(c Cell) {
	c.normalize()
	if n := len(b.row.cells); n > 0 && b.row.cells[n-1].order(&c) >= 0 {
		b.sorted = false
	}
	b.row.cells = append(b.row.cells, c)
}

// EndRow encodes the row. A row without any part is left out.
func (b *Builder) EndRow() {
	normalizeRow(&b.row, b.sorted)
	if b.row.empty() {
		return
	}
	b.entries++
	if b.static {
		b.buf = append(b.buf, uint8(EntryStatic))
	} else {
		b.buf = append(b.buf, uint8(EntryRow))
		b.buf = encoding.AppendBytes(b.buf, b.clustering)
	}
	at := len(b.buf)
	b.buf = b.row.append(append(b.buf, 0))
	b.buf = prefixLength(b.buf, at)
}

// prefixLength writes the varint length of what follows the byte at into it,
// moving what follows if the length needs more than that byte.
func prefixLength(buf []byte, at int) []byte {
	n := len(buf) - at - 1
	if n < 0x80 {
		buf[at] = byte(n)
		return buf
	}
	var tmp [binary.MaxVarintLen64]byte
	k := binary.PutUvarint(tmp[:], uint64(n))
	buf = append(buf, tmp[:k-1]...)
	copy(buf[at+k:], buf[at+1:at+1+n])
	copy(buf[at:], tmp[:k])
	return buf
}

// Empty tells whether nothing was added since Begin.
func (b *Builder) Empty() bool { return b.entries == 0 }

// Len is the size of the record so far.
func (b *Builder) Len() int { return len(b.buf) }

// Finish returns the record. The builder forgets it.
func (b *Builder) Finish() Record {
	r := b.buf
	b.buf = nil
	b.clustering = nil
	if invariant.Enabled {
		err := Record(r).Check()
		invariant.Check(err == nil, "mutation: record that was built: %v", err)
	}
	return r
}
