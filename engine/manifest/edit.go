package manifest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/ilion-db/ilion/commitlog"
	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/schema"
)

// Kinds of operations. On disk, never renumber.
const (
	opNextFileID uint8 = iota + 1
	opAddFile
	opRemoveFile
	opFlushed
	opTruncated
	opDropTable
	opPurged
	opLogStart
	opOptional uint8 = 0x80 // kinds with this bit may be skipped
)

var errBadOp = errors.New("malformed operation")

// Edit is a change that becomes durable as a whole or not at all. The zero
// value changes nothing.
type Edit struct{ ops []byte }

func (e *Edit) add(kind uint8, body []byte) {
	e.ops = append(e.ops, kind)
	e.ops = encoding.AppendBytes(e.ops, body)
}

// NextFileID makes ids below n never be given again.
func (e *Edit) NextFileID(n uint64) {
	e.add(opNextFileID, binary.LittleEndian.AppendUint64(nil, n))
}

// AddFile makes a file live.
func (e *Edit) AddFile(table schema.TableID, f File) {
	b := binary.LittleEndian.AppendUint64(append([]byte(nil), table[:]...), f.ID)
	e.add(opAddFile, binary.LittleEndian.AppendUint64(b, uint64(f.Size)))
}

// RemoveFile makes a file garbage.
func (e *Edit) RemoveFile(table schema.TableID, id uint64) {
	e.add(opRemoveFile, binary.LittleEndian.AppendUint64(append([]byte(nil), table[:]...), id))
}

// Flushed says that the table's records below m are in files.
func (e *Edit) Flushed(table schema.TableID, m Mark) {
	e.add(opFlushed, m.append(append([]byte(nil), table[:]...)))
}

// Truncated says that the table's records below m are gone.
func (e *Edit) Truncated(table schema.TableID, m Mark, at int64) {
	b := m.append(append([]byte(nil), table[:]...))
	e.add(opTruncated, binary.LittleEndian.AppendUint64(b, uint64(at)))
}

// DropTable forgets the table and its files.
func (e *Edit) DropTable(table schema.TableID) { e.add(opDropTable, table[:]) }

// Purged keeps the highest local deletion time that a purge ever used.
func (e *Edit) Purged(table schema.TableID, localTime uint32) {
	e.add(opPurged, binary.LittleEndian.AppendUint32(append([]byte(nil), table[:]...), localTime))
}

// LogStart says that no table needs a record of the log below p.
func (e *Edit) LogStart(p commitlog.Position) { e.add(opLogStart, appendPosition(nil, p)) }

// Empty tells whether the edit changes nothing.
func (e *Edit) Empty() bool { return len(e.ops) == 0 }

func appendPosition(dst []byte, p commitlog.Position) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, p.Segment)
	return binary.LittleEndian.AppendUint32(dst, p.Offset)
}

// apply changes s by encoded operations. On error s is undefined.
func (s *State) apply(ops []byte) error {
	r := encoding.NewReader(ops)
	for r.Len() > 0 {
		kind := r.U8()
		body := encoding.NewReader(r.Bytes())
		if r.Err() != nil {
			return errBadOp
		}
		if err := s.applyOp(kind, &body); err != nil {
			return err
		}
		if body.Err() != nil || body.Len() != 0 && kind&opOptional == 0 {
			return fmt.Errorf("%w of kind %d", errBadOp, kind)
		}
	}
	return nil
}

func (s *State) applyOp(kind uint8, b *encoding.Reader) error {
	if kind&opOptional != 0 {
		return nil
	}
	if kind == opNextFileID {
		s.NextFileID = max(s.NextFileID, b.U64())
		return nil
	}
	if kind == opLogStart {
		if p := readPosition(b); s.LogStart.Less(p) {
			s.LogStart = p
		}
		return nil
	}
	var id schema.TableID
	copy(id[:], b.Take(16))
	switch kind {
	case opAddFile:
		f := File{ID: b.U64(), Size: int64(b.U64())}
		s.table(id).Files[f.ID] = f
		s.NextFileID = max(s.NextFileID, f.ID+1)
	case opRemoveFile:
		delete(s.table(id).Files, b.U64())
	case opFlushed:
		s.table(id).Flushed = readMark(b)
	case opTruncated:
		t := s.table(id)
		t.Truncated = readMark(b)
		t.TruncatedAt = int64(b.U64())
	case opDropTable:
		delete(s.Tables, id)
	case opPurged:
		t := s.table(id)
		t.PurgedTo = max(t.PurgedTo, b.U32())
	default:
		return fmt.Errorf("operation of kind %d, written by a newer version", kind)
	}
	return nil
}

func readPosition(b *encoding.Reader) commitlog.Position {
	return commitlog.Position{Segment: b.U64(), Offset: b.U32()}
}

// snapshot is the edit that makes s from nothing, the same for equal states.
func (s *State) snapshot() Edit {
	var e Edit
	e.NextFileID(s.NextFileID)
	if s.LogStart != (commitlog.Position{}) {
		e.LogStart(s.LogStart)
	}
	ids := slices.SortedFunc(maps.Keys(s.Tables), func(a, b schema.TableID) int { return bytes.Compare(a[:], b[:]) })
	for _, id := range ids {
		t := s.Tables[id]
		for _, n := range slices.Sorted(maps.Keys(t.Files)) {
			e.AddFile(id, t.Files[n])
		}
		e.Flushed(id, t.Flushed)
		if t.TruncatedAt != 0 || t.Truncated.Last() != 0 {
			e.Truncated(id, t.Truncated, t.TruncatedAt)
		}
		if t.PurgedTo != 0 {
			e.Purged(id, t.PurgedTo)
		}
	}
	return e
}
