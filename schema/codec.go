package schema

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/ilion-db/ilion/internal/encoding"
)

// The encoding of changes and snapshots. All of it is made of numbered fields,
// so that a version can add some:
//
//	field    varint number<<1 | required | varint length | payload
//
// A reader that does not know a number refuses it if it is required, and keeps
// it (of tables and keyspaces) or passes over it if not. Numbers inside are
// varints, floats their IEEE bits (u64, little-endian), strings raw.
//
//	change   u8 version (1) | u8 kind | fields: 1 keyspace 2 table 3 truncated at 4 type
//	keyspace 1 name 2 replication (map) 3 durable writes
//	table    1 id 2 keyspace 3 name 4 epoch 5 next column id 6 column, repeated
//	         7 dropped column, repeated 8 options 9 truncated at 10 truncated epoch
//	column   1 id 2 name 3 kind 4 position + 1 5 type 6 descending 7 dropped at
//	options  1.. in the order of optionFields
//	map      varint count | per entry, by key: varint length, key, varint length, value
//	type     u8 kind | u8 1 if frozen | list set: type | map: 2 types |
//	         vector: type, varint dimension | tuple: varint n, types |
//	         UDT: keyspace, name, varint n, n x (name, type) | custom: class
//	         (names and classes with a varint length before them)
//	snapshot u8 version (1) | u64 epoch | varint n | n x (varint length, change)
const codecVersion = 1

// Errors of decoding.
var (
	ErrCorrupt        = errors.New("schema: corrupt encoding")
	ErrUnknownFeature = errors.New("schema: written by a newer version")
)

func appendField(dst []byte, num uint64, required bool, payload []byte) []byte {
	num <<= 1
	if required {
		num |= 1
	}
	dst = binary.AppendUvarint(dst, num)
	return encoding.AppendBytes(dst, payload)
}

func appendUint(dst []byte, num, v uint64) []byte {
	var buf [10]byte
	return appendField(dst, num, true, binary.AppendUvarint(buf[:0], v))
}

// AppendChange appends the encoding of c.
func AppendChange(dst []byte, c Change) []byte {
	dst = append(dst, codecVersion, byte(c.Kind))
	if c.Keyspace != nil {
		dst = appendField(dst, 1, true, appendKeyspace(nil, c.Keyspace))
	}
	if c.Table != nil {
		dst = appendField(dst, 2, true, appendTable(nil, c.Table))
	}
	if c.TruncatedAt != 0 {
		dst = appendUint(dst, 3, encoding.Zigzag(c.TruncatedAt))
	}
	if c.Type != nil {
		dst = appendField(dst, 4, true, appendType(nil, c.Type))
	}
	return dst
}

func appendKeyspace(dst []byte, k *Keyspace) []byte {
	dst = appendField(dst, 1, true, []byte(k.Name))
	dst = appendField(dst, 2, true, appendMap(nil, k.Replication))
	if k.DurableWrites {
		dst = appendUint(dst, 3, 1)
	}
	return append(dst, k.unknown...)
}

func appendMap[V string | []byte](dst []byte, m map[string]V) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(m)))
	for _, k := range sortedKeys(m) {
		dst = encoding.AppendString(dst, k)
		dst = encoding.AppendString(dst, string(m[k]))
	}
	return dst
}

func appendTable(dst []byte, t *Table) []byte {
	dst = appendField(dst, 1, true, t.ID[:])
	dst = appendField(dst, 2, true, []byte(t.Keyspace))
	dst = appendField(dst, 3, true, []byte(t.Name))
	dst = appendUint(dst, 4, t.Epoch)
	dst = appendUint(dst, 5, uint64(t.NextColumnID))
	for _, cols := range [][]*Column{t.PartitionKey, t.Clustering, t.Static, t.Regular} {
		for _, c := range cols {
			dst = appendField(dst, 6, true, appendColumn(nil, c, 0))
		}
	}
	for _, d := range t.Dropped {
		c := Column{ID: d.ID, Name: d.Name, Kind: d.Kind, Position: -1, Type: d.Type}
		dst = appendField(dst, 7, true, appendColumn(nil, &c, d.DroppedAt))
	}
	dst = appendField(dst, 8, true, appendOptions(nil, &t.Options))
	if t.TruncatedAt != 0 {
		dst = appendUint(dst, 9, encoding.Zigzag(t.TruncatedAt))
	}
	if t.TruncatedEpoch != 0 {
		dst = appendUint(dst, 10, t.TruncatedEpoch)
	}
	return append(dst, t.unknown...)
}

func appendColumn(dst []byte, c *Column, droppedAt int64) []byte {
	dst = appendUint(dst, 1, uint64(c.ID))
	dst = appendField(dst, 2, true, []byte(c.Name))
	dst = appendUint(dst, 3, uint64(c.Kind))
	dst = appendUint(dst, 4, uint64(c.Position+1))
	dst = appendField(dst, 5, true, appendType(nil, c.Type))
	if c.Desc {
		dst = appendUint(dst, 6, 1)
	}
	if droppedAt != 0 {
		dst = appendUint(dst, 7, encoding.Zigzag(droppedAt))
	}
	return dst
}

func appendType(dst []byte, t *Type) []byte {
	frozen := byte(0)
	if t.frozen {
		frozen = 1
	}
	dst = append(dst, byte(t.kind), frozen)
	switch t.kind {
	case KindCustom:
		return encoding.AppendString(dst, t.class)
	case KindTuple:
		dst = binary.AppendUvarint(dst, uint64(len(t.elems)))
	case KindUDT:
		dst = encoding.AppendString(dst, t.keyspace)
		dst = encoding.AppendString(dst, t.name)
		dst = binary.AppendUvarint(dst, uint64(len(t.elems)))
		for i, e := range t.elems {
			dst = appendType(encoding.AppendString(dst, t.fields[i]), e)
		}
		return dst
	}
	for _, e := range t.elems {
		dst = appendType(dst, e)
	}
	if t.kind == KindVector {
		dst = binary.AppendUvarint(dst, uint64(t.dim))
	}
	return dst
}

// optionField reads and writes one option. The index in optionFields is its
// number less one: append only.
type optionField struct {
	put func(o *TableOptions) []byte
	get func(o *TableOptions, p []byte)
}

var optionFields = []optionField{
	stringOption(func(o *TableOptions) *string { return &o.AdditionalWritePolicy }),
	boolOption(func(o *TableOptions) *bool { return &o.AllowAutoSnapshot }),
	floatOption(func(o *TableOptions) *float64 { return &o.BloomFilterFPChance }),
	mapOption(func(o *TableOptions) *map[string]string { return &o.Caching }),
	boolOption(func(o *TableOptions) *bool { return &o.CDC }),
	stringOption(func(o *TableOptions) *string { return &o.Comment }),
	mapOption(func(o *TableOptions) *map[string]string { return &o.Compaction }),
	mapOption(func(o *TableOptions) *map[string]string { return &o.Compression }),
	floatOption(func(o *TableOptions) *float64 { return &o.CRCCheckChance }),
	intOption(func(o *TableOptions) *int32 { return &o.DefaultTTL }),
	{
		put: func(o *TableOptions) []byte { return appendMap(nil, o.Extensions) },
		get: func(o *TableOptions, p []byte) { o.Extensions = readMap[[]byte](p) },
	},
	intOption(func(o *TableOptions) *int32 { return &o.GCGraceSeconds }),
	boolOption(func(o *TableOptions) *bool { return &o.IncrementalBackups }),
	intOption(func(o *TableOptions) *int32 { return &o.MaxIndexInterval }),
	stringOption(func(o *TableOptions) *string { return &o.Memtable }),
	intOption(func(o *TableOptions) *int32 { return &o.MemtableFlushPeriodMs }),
	intOption(func(o *TableOptions) *int32 { return &o.MinIndexInterval }),
	stringOption(func(o *TableOptions) *string { return &o.ReadRepair }),
	stringOption(func(o *TableOptions) *string { return &o.SpeculativeRetry }),
}

func stringOption(f func(*TableOptions) *string) optionField {
	return optionField{
		put: func(o *TableOptions) []byte { return []byte(*f(o)) },
		get: func(o *TableOptions, p []byte) { *f(o) = string(p) },
	}
}

func boolOption(f func(*TableOptions) *bool) optionField {
	return optionField{
		put: func(o *TableOptions) []byte {
			if *f(o) {
				return []byte{1}
			}
			return []byte{0}
		},
		get: func(o *TableOptions, p []byte) { *f(o) = len(p) == 1 && p[0] == 1 },
	}
}

func intOption(f func(*TableOptions) *int32) optionField {
	return optionField{
		put: func(o *TableOptions) []byte { return binary.AppendUvarint(nil, encoding.Zigzag(int64(*f(o)))) },
		get: func(o *TableOptions, p []byte) {
			r := encoding.NewReader(p)
			*f(o) = int32(r.Varint())
		},
	}
}

func floatOption(f func(*TableOptions) *float64) optionField {
	return optionField{
		put: func(o *TableOptions) []byte { return binary.LittleEndian.AppendUint64(nil, math.Float64bits(*f(o))) },
		get: func(o *TableOptions, p []byte) {
			r := encoding.NewReader(p)
			*f(o) = math.Float64frombits(r.U64())
		},
	}
}

func mapOption(f func(*TableOptions) *map[string]string) optionField {
	return optionField{
		put: func(o *TableOptions) []byte { return appendMap(nil, *f(o)) },
		get: func(o *TableOptions, p []byte) { *f(o) = readMap[string](p) },
	}
}

func appendOptions(dst []byte, o *TableOptions) []byte {
	for i, f := range optionFields {
		dst = appendField(dst, uint64(i+1), false, f.put(o))
	}
	return dst
}

// AppendSnapshot appends the encoding of the whole schema.
func AppendSnapshot(dst []byte, s *Snapshot) []byte {
	dst = append(dst, codecVersion)
	dst = binary.LittleEndian.AppendUint64(dst, s.Epoch)
	var changes []Change
	for _, name := range sortedKeys(s.Keyspaces) {
		ks := s.Keyspaces[name]
		changes = append(changes, Change{Kind: CreateKeyspace, Keyspace: ks})
		for _, n := range sortedKeys(ks.Types) {
			changes = append(changes, Change{Kind: CreateType, Type: ks.Types[n]})
		}
		for _, n := range sortedKeys(ks.Tables) {
			changes = append(changes, Change{Kind: CreateTable, Table: ks.Tables[n]})
		}
	}
	dst = binary.AppendUvarint(dst, uint64(len(changes)))
	for _, c := range changes {
		dst = encoding.AppendBytes(dst, AppendChange(nil, c))
	}
	return dst
}

// DecodeSnapshot is the inverse of AppendSnapshot.
func DecodeSnapshot(p []byte) (*Snapshot, error) {
	r := encoding.NewReader(p)
	if v := r.U8(); v != codecVersion {
		return nil, fmt.Errorf("%w: snapshot version %d", ErrUnknownFeature, v)
	}
	epoch := r.U64()
	s := NewSnapshot()
	s.building = true
	for range min(r.Uvarint(), uint64(len(p))) {
		c, err := DecodeChange(r.Bytes())
		if err != nil {
			return nil, err
		}
		e := uint64(0)
		if c.Table != nil {
			e = c.Table.Epoch
		}
		if err := s.extend(c, e); err != nil {
			return nil, fmt.Errorf("%w: %v", ErrCorrupt, err)
		}
	}
	if r.Err() != nil || r.Len() != 0 {
		return nil, fmt.Errorf("%w: snapshot of %d bytes", ErrCorrupt, len(p))
	}
	s.Epoch, s.Version, s.building = epoch, s.hash(nil), false
	return s, nil
}

// extend adds a definition to a snapshot that nobody else has seen.
func (s *Snapshot) extend(c Change, epoch uint64) error {
	switch c.Kind {
	case CreateKeyspace:
		return s.applyKeyspace(c)
	case CreateTable:
		return s.applyTable(c, epoch)
	case CreateType:
		return s.applyType(c, epoch)
	}
	return invalid("change of kind %d in a snapshot", c.Kind)
}
