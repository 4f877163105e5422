package wire

import (
	"github.com/ilion-db/ilion/internal/encoding"
)

// Prepare is the body of OpPrepare.
type Prepare struct {
	Keyspace string // of names without one; may be empty
	Text     string
}

// Append appends the encoded body.
func (p *Prepare) Append(dst []byte) []byte {
	return encoding.AppendString(encoding.AppendString(dst, p.Keyspace), p.Text)
}

// Decode decodes a body. It copies what it keeps.
func (p *Prepare) Decode(b []byte) error {
	r := encoding.NewReader(b)
	p.Keyspace, p.Text = r.String(), r.String()
	return finish(&r, "prepare")
}

// Prepared answers OpPrepare.
type Prepared struct {
	Ref  StatementRef
	Read bool // it changes nothing, and may be asked twice
	// Bind are the markers, PartitionKey the positions among them that make the
	// partition key, in its order; empty if not all of it is bound.
	Bind         []Column
	PartitionKey []uint16
	Result       []Column // empty for statements without rows
}

const preparedRead = 1

// Append appends the encoded body.
func (p *Prepared) Append(dst []byte) []byte {
	dst = p.Ref.Append(dst)
	var flags byte
	if p.Read {
		flags |= preparedRead
	}
	dst = append(dst, flags)
	dst = encoding.AppendUvarint(dst, uint64(len(p.PartitionKey)))
	for _, i := range p.PartitionKey {
		dst = appendU16(dst, i)
	}
	return AppendColumns(AppendColumns(dst, p.Bind), p.Result)
}

// Decode decodes a body. It copies what it keeps.
func (p *Prepared) Decode(b []byte) error {
	r := encoding.NewReader(b)
	p.Ref.read(&r)
	flags := r.U8()
	if flags&^preparedRead != 0 {
		return unknownFlags("prepared", flags)
	}
	p.Read = flags&preparedRead != 0
	n := r.Uvarint()
	if n > uint64(r.Len())/2 {
		r.Fail(encoding.ErrShort)
		n = 0
	}
	p.PartitionKey = p.PartitionKey[:0]
	for range n {
		p.PartitionKey = append(p.PartitionKey, r.U16())
	}
	p.Bind, p.Result = readColumnList(&r), readColumnList(&r)
	for _, i := range p.PartitionKey {
		if int(i) >= len(p.Bind) {
			r.Fail(corrupt("prepared", "marker %d of %d is part of the key", i, len(p.Bind)))
		}
	}
	return finish(&r, "prepared")
}

// StatementRef names a prepared statement and what its asker knows of the rows.
type StatementRef struct {
	ID     [16]byte
	Result [16]byte // id of the result's columns
}

// StatementRefSize is the size of an encoded StatementRef in bytes.
const StatementRefSize = 32

// Append appends the encoded name.
func (s *StatementRef) Append(dst []byte) []byte {
	return append(append(dst, s.ID[:]...), s.Result[:]...)
}

func (s *StatementRef) read(r *encoding.Reader) {
	s.ID = readID(r)
	s.Result = readID(r)
}

func readRefs(r *encoding.Reader, refs []StatementRef) []StatementRef {
	n := r.Uvarint()
	if n > uint64(r.Len())/StatementRefSize {
		r.Fail(encoding.ErrShort)
		return refs
	}
	for range n {
		var s StatementRef
		s.read(r)
		refs = append(refs, s)
	}
	return refs
}
