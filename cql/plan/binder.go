package plan

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/schema"
)

// maxKeptRecord is the largest buffer of a record that a Binder keeps for the
// next statement.
const maxKeptRecord = 64 << 10

// maxKeptRecords is how many buffers a Binder keeps.
const maxKeptRecords = 16

// Binder turns modifications and values into records. It is reused: after
// Reset it allocates nothing for plain writes. It belongs to one goroutine at a
// time.
type Binder struct {
	// Records are what was bound since Reset. They are valid until Reset, which
	// must wait until whoever got them is done.
	Records []mutation.Record
	// Atomic tells that the records have to be applied all or not at all.
	Atomic bool
	// Warnings are for the client.
	Warnings []string

	binding
	builder    mutation.Builder
	free       [][]byte
	parts      [][]byte
	originals  [][]byte // values of lossy clustering columns
	key        []byte
	clustering []byte
	listSeq    uint32
	size       int // of what the statement writes so far, see spend
	batch      batchScratch
}

// maxWrite bounds what a statement or a batch writes, in bytes: lists of keys, and
// names of markers, repeat what a client has sent once. rowCost and cellCost are
// what is counted besides keys and values.
const (
	maxWrite = 64 << 20
	rowCost  = 64
	cellCost = 8
)

// spend counts n bytes that are to be written.
func (b *Binder) spend(n int) error {
	if b.size += n; b.size > maxWrite {
		return invalid("The statement writes more than %d bytes", maxWrite)
	}
	return nil
}

// NewBinder makes a Binder for statements of the node that env stands for.
func NewBinder(env *Env) *Binder { return &Binder{binding: binding{env: env}} }

// Reset forgets the records and takes their memory back.
func (b *Binder) Reset() {
	for _, r := range b.Records {
		b.release(r)
	}
	clear(b.Records)
	b.Records, b.Atomic, b.Warnings = b.Records[:0], false, nil
	b.listSeq = 0
	b.values, b.opts = nil, nil
}

// release takes back the buffer of a record that nobody has.
func (b *Binder) release(r mutation.Record) {
	if cap(r) <= maxKeptRecord && len(b.free) < maxKeptRecords {
		b.free = append(b.free, r)
	}
}

func (b *Binder) buffer() []byte {
	if n := len(b.free); n > 0 {
		p := b.free[n-1]
		b.free = b.free[:n-1]
		return p
	}
	return make([]byte, 0, 256)
}

// Bind appends to b.Records what the statement writes with these values, one
// record per partition. Nothing is appended if nothing is written. On error
// b.Records is unchanged. Values must stay valid until Bind returns.
func (m *Modification) Bind(b *Binder, values []Value, o *Options) error {
	b.start(values, o)
	b.size = 0
	s, stamped, err := m.stamp(&b.binding)
	if err != nil {
		return err
	}
	if m.key == nil {
		return m.bindKeys(b, s, stamped)
	}
	key, err := m.singleKey(b)
	if err != nil {
		return err
	}
	return m.record(b, key, s, stamped)
}

// singleKey computes the partition key from one value per column.
func (m *Modification) singleKey(b *Binder) (mutation.Key, error) {
	b.parts = b.parts[:0]
	for i, t := range m.key {
		v, err := t.eval(&b.binding)
		if err != nil {
			return mutation.Key{}, err
		}
		if v.Bytes == nil {
			return mutation.Key{}, noValue(v, m.Table.PartitionKey[i])
		}
		b.parts = append(b.parts, v.Bytes)
	}
	k, err := makeKey(b.key[:0], b.parts)
	b.key = k.Key
	return k, err
}

func (m *Modification) bindKeys(b *Binder, s *stamp, stamped bool) error {
	keys, err := partitionKeys(&b.binding, m.partition)
	if err != nil {
		return err
	}
	before := len(b.Records)
	for _, k := range keys {
		if err := m.record(b, k, s, stamped); err != nil {
			b.Records = b.Records[:before]
			return err
		}
	}
	return nil
}

// record builds the record of one partition.
func (m *Modification) record(b *Binder, k mutation.Key, s *stamp, stamped bool) error {
	if err := b.spend(len(k.Key) + rowCost); err != nil {
		return err
	}
	b.begin(m.Table.ID, m.epoch, k, s.ts, stamped)
	if err := m.write(b, k, s); err != nil {
		b.release(b.builder.Finish())
		return err
	}
	b.end()
	return nil
}

func (b *Binder) begin(table schema.TableID, epoch uint64, k mutation.Key, ts int64, stamped bool) {
	h := mutation.Header{Table: table, Epoch: epoch, Timestamp: ts, Token: k.Token, Key: k.Key, Coordinator: b.opts.Coordinator}
	if stamped {
		h.Optional = mutation.FlagServerStamped
	}
	b.builder.Begin(b.buffer(), h)
}

func (b *Binder) end() {
	empty := b.builder.Empty()
	r := b.builder.Finish()
	if empty {
		b.release(r)
		return
	}
	b.Records = append(b.Records, r)
}

// write adds what the statement does to one partition to the builder.
func (m *Modification) write(b *Binder, k mutation.Key, s *stamp) error {
	if len(m.static) > 0 {
		b.builder.BeginStatic()
		if err := b.emit(m.static, s, b.prior(k, nil, true)); err != nil {
			return err
		}
		b.builder.EndRow()
	}
	switch {
	case m.deleteRows:
		return m.writeDeletion(b, s)
	case !m.marker && len(m.row) == 0:
		return nil
	case len(m.full) == len(m.Table.Clustering):
		if err := m.singleClustering(b); err != nil {
			return err
		}
		return m.writeRow(b, k, s, b.clustering)
	}
	prefixes, _, _, err := m.clustering.prefixes(&b.binding)
	if err != nil {
		return err
	}
	for _, c := range prefixes {
		b.originals = b.originals[:0]
		if m.lossy {
			if err := m.decodeOriginals(b, c); err != nil {
				return err
			}
		}
		if err := m.writeRow(b, k, s, c); err != nil {
			return err
		}
	}
	return nil
}

// singleClustering encodes the clustering from one value per column.
func (m *Modification) singleClustering(b *Binder) error {
	b.clustering, b.originals = b.clustering[:0], b.originals[:0]
	for i, t := range m.full {
		v, err := t.eval(&b.binding)
		if err != nil {
			return err
		}
		col := m.Table.Clustering[i]
		if v.Bytes == nil {
			return noValue(v, col)
		}
		if b.clustering, err = col.Type.AppendComparable(b.clustering, v.Bytes, col.Desc); err != nil {
			return wrap(err)
		}
		if m.lossy {
			b.originals = append(b.originals, v.Bytes)
		}
	}
	if len(b.clustering) > mutation.MaxKeyLen {
		return errClusteringLength(len(b.clustering))
	}
	return nil
}

// decodeOriginals stands in for values that came by IN: what the comparable
// form gives back.
func (m *Modification) decodeOriginals(b *Binder, clustering []byte) error {
	for _, col := range m.Table.Clustering {
		v, rest, err := col.Type.DecodeComparable(clustering, col.Desc)
		if err != nil {
			return wrap(err)
		}
		b.originals = append(b.originals, v)
		clustering = rest
	}
	return nil
}

func (m *Modification) writeRow(b *Binder, k mutation.Key, s *stamp, clustering []byte) error {
	if err := b.spend(len(clustering) + rowCost); err != nil {
		return err
	}
	b.builder.BeginRow(clustering)
	if m.marker {
		b.builder.Marker(mutation.Marker{Timestamp: s.ts, TTL: s.ttl, Expiry: s.expiry, Set: true})
	}
	if m.lossy && m.name != "DELETE" {
		for i, col := range m.Table.Clustering {
			if col.Type.Lossy() {
				c := mutation.Cell{Column: col.ID, Flags: mutation.CellKey, Timestamp: s.ts, Value: b.originals[i]}
				if s.ttl != 0 {
					c.Flags, c.TTL, c.LocalTime = c.Flags|mutation.CellExpiring, s.ttl, s.expiry
				}
				b.builder.Cell(c)
			}
		}
	}
	if err := b.emit(m.row, s, b.prior(k, clustering, false)); err != nil {
		return err
	}
	b.builder.EndRow()
	return nil
}

// writeDeletion deletes the partition, ranges or rows.
func (m *Modification) writeDeletion(b *Binder, s *stamp) error {
	d := mutation.Deletion{Timestamp: s.ts, LocalTime: s.now, Set: true}
	if len(m.clustering.rs) == 0 {
		b.builder.DeletePartition(d)
		return nil
	}
	if len(m.full) == len(m.Table.Clustering) {
		if err := m.singleClustering(b); err != nil {
			return err
		}
		return b.deleteRow(b.clustering, d)
	}
	prefixes, n, slice, err := m.clustering.prefixes(&b.binding)
	if err != nil {
		return err
	}
	if slice == nil && n == len(m.Table.Clustering) {
		for _, c := range prefixes {
			if err := b.deleteRow(c, d); err != nil {
				return err
			}
		}
		return nil
	}
	ranges, err := m.clustering.slices(&b.binding)
	for _, r := range ranges {
		if err := b.spend(len(r.Lo) + len(r.Hi) + rowCost); err != nil {
			return err
		}
		b.builder.DeleteRange(r.Lo, r.Hi, d)
	}
	return err
}

func (b *Binder) deleteRow(clustering []byte, d mutation.Deletion) error {
	if err := b.spend(len(clustering) + rowCost); err != nil {
		return err
	}
	b.builder.BeginRow(clustering)
	b.builder.DeleteRow(d)
	b.builder.EndRow()
	return nil
}

// stamp computes timestamp and TTL. stamped tells that the timestamp is the
// server's own.
func (m *Modification) stamp(b *binding) (s *stamp, stamped bool, err error) {
	s = &b.stampBuf
	*s = stamp{ts: b.opts.Clock, now: b.opts.now()}
	stamped = true
	if b.opts.HasTimestamp {
		s.ts, stamped = b.opts.Timestamp, false
	}
	if m.timestamp != nil {
		v, err := m.timestamp.eval(b)
		switch {
		case err != nil:
			return s, false, err
		case v.Unset:
		case len(v.Bytes) != 8:
			return s, false, invalid("Invalid null value of timestamp")
		default:
			s.ts, stamped = fromBE64(v.Bytes), false
		}
	}
	if s.ts == math.MinInt64 { // what is set as a whole is cleared just before
		return s, false, invalid("Out of bound timestamp, must be in [%d, %d]", int64(math.MinInt64+1), int64(math.MaxInt64))
	}
	return s, stamped, m.expiry(b, s)
}

func (m *Modification) expiry(b *binding, s *stamp) error {
	ttl, given := int64(m.Table.Options.DefaultTTL), false
	if m.ttl != nil {
		v, err := m.ttl.eval(b)
		switch {
		case err != nil:
			return err
		case v.Unset:
		case len(v.Bytes) == 0:
			ttl, given = 0, true
		default:
			ttl, given = int64(int32(binary.BigEndian.Uint32(v.Bytes))), true
		}
	}
	switch {
	case ttl < 0:
		return invalid("A TTL must be greater or equal to 0, but was %d", ttl)
	case ttl > schema.MaxTTL:
		return invalid("ttl is too large. requested (%d) maximum (%d)", ttl, schema.MaxTTL)
	case ttl == 0 || m.name == "DELETE":
		return nil
	case int64(s.now)+ttl >= math.MaxUint32:
		which := ""
		if !given {
			which = "default "
		}
		return invalid("Request on table %s.%s with %sttl of %d seconds exceeds maximum supported expiration date of "+
			"2106-02-07T06:28:13+00:00. In order to avoid this use a lower TTL or change the expiration date overflow policy.",
			m.Table.Keyspace, m.Table.Name, which, ttl)
	}
	s.ttl, s.expiry = uint32(ttl), s.now+uint32(ttl)
	return nil
}

func (b *Binder) warn(format string, args ...any) {
	b.Warnings = append(b.Warnings, fmt.Sprintf(format, args...))
}
