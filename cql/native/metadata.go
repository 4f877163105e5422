package native

import (
	"crypto/md5"
	"sync/atomic"
)

// TypeOption appends a type as the protocol's metadata shows it: its id, and
// for collections, tuples, user-defined and custom types what follows it.
// Implementations know how older versions spell newer types.
type TypeOption interface {
	AppendTypeOption(dst []byte, version uint8) []byte
}

// Column is one column of result or bind metadata.
type Column struct {
	Keyspace, Table, Name string
	Type                  TypeOption
}

// AppendTypeOption makes the id of a plain type a TypeOption.
func (id TypeID) AppendTypeOption(dst []byte, _ uint8) []byte { return appendU16(dst, uint16(id)) }

// Metadata is a list of columns with its encodings, made once per version.
// Immutable and safe for concurrent use.
type Metadata struct {
	columns []Column
	global  bool
	enc     [HighestStable - V3 + 1]atomic.Pointer[[]byte]
	id      atomic.Pointer[[16]byte]
}

// NewMetadata wraps columns, which must not change afterwards.
func NewMetadata(columns []Column) *Metadata {
	m := &Metadata{columns: columns, global: len(columns) > 0}
	for i := range columns {
		if columns[i].Keyspace != columns[0].Keyspace || columns[i].Table != columns[0].Table {
			m.global = false
		}
	}
	return m
}

// Columns are the columns; not to be changed.
func (m *Metadata) Columns() []Column {
	if m == nil {
		return nil
	}
	return m.columns
}

// ID is a digest of the metadata: it differs when what a client would have to
// know to read the rows differs.
func (m *Metadata) ID() [16]byte {
	if id := m.id.Load(); id != nil {
		return *id
	}
	id := md5.Sum(m.encoded(V5))
	m.id.Store(&id)
	return id
}

// encoded is the global table, if any, and the columns in a version.
func (m *Metadata) encoded(version uint8) []byte {
	slot := &m.enc[min(max(version, V3), HighestStable)-V3]
	if p := slot.Load(); p != nil {
		return *p
	}
	dst := make([]byte, 0, 32*len(m.columns))
	if m.global {
		dst = AppendString(dst, m.columns[0].Keyspace)
		dst = AppendString(dst, m.columns[0].Table)
	}
	for i := range m.columns {
		c := &m.columns[i]
		if !m.global {
			dst = AppendString(dst, c.Keyspace)
			dst = AppendString(dst, c.Table)
		}
		dst = AppendString(dst, c.Name)
		dst = c.Type.AppendTypeOption(dst, version)
	}
	slot.Store(&dst)
	return dst
}

// StatementID is the id of a prepared statement: MD5 of the keyspace that was
// in use, if any, and the text.
func StatementID(keyspace, text string) [16]byte {
	return md5.Sum([]byte(keyspace + text))
}
