package metadata

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/internal/vfs"
)

const (
	raftMagic       = "ILIONRFT"
	raftHeaderLen   = 64
	raftRecordHead  = 16
	raftRecordFixed = 20
	raftEntryFixed  = 21
	maxRaftFile     = 1 << 30
	maxRaftRecord   = 64 << 20
)

// raftID is the number of a host among voters.
func raftID(host [16]byte) uint64 {
	id := binary.LittleEndian.Uint64(host[:8]) ^ binary.LittleEndian.Uint64(host[8:])
	// None and the local targets of the library.
	if id == 0 || id >= 1<<64-16 {
		id ^= 1 << 62
	}
	return id
}

func raftName(dir string, number uint64) string {
	return path.Join(dir, fmt.Sprintf("raft-%016x.meta", number))
}

// raftBase is what a raft file begins with: everything up to index is in the
// history and no part of the file.
type raftBase struct {
	generation  uint16
	index, term uint64
	hard        raftpb.HardState // the vote when the file was made
}

func appendRaftHeader(dst []byte, b *raftBase) []byte {
	start := len(dst)
	dst = append(dst, raftMagic...)
	dst = binary.LittleEndian.AppendUint16(dst, formatVersion)
	dst = binary.LittleEndian.AppendUint16(dst, 0)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(b.generation))
	for _, v := range [...]uint64{b.index, b.term, b.hard.Term, b.hard.Vote} {
		dst = binary.LittleEndian.AppendUint64(dst, v)
	}
	dst = append(dst, make([]byte, 12)...)
	return binary.LittleEndian.AppendUint32(dst, encoding.CRC32C(dst[start:]))
}

func readRaftHeader(file string, p []byte) (b raftBase, err error) {
	if len(p) < raftHeaderLen || string(p[:8]) != raftMagic {
		return b, &CorruptError{file, 0, "not a raft file"}
	}
	if encoding.CRC32C(p[:60]) != binary.LittleEndian.Uint32(p[60:]) {
		return b, &CorruptError{file, 0, "checksum of the header"}
	}
	r := encoding.NewReader(p[8:60])
	if v := r.U16(); v != formatVersion {
		return b, fmt.Errorf("%w: %s has version %d", ErrUnknownFeature, file, v)
	}
	if f := r.U16(); f != 0 {
		return b, fmt.Errorf("%w: %s needs features %#x", ErrUnknownFeature, file, f)
	}
	b.generation = uint16(r.U32())
	b.index, b.term = r.U64(), r.U64()
	b.hard = raftpb.HardState{Term: r.U64(), Vote: r.U64()}
	return b, nil
}

// appendRaftRecord appends what one turn of the raft core made durable.
func appendRaftRecord(dst []byte, number uint64, hard raftpb.HardState, entries []raftpb.Entry) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
	dst = binary.LittleEndian.AppendUint64(dst, number)
	dst = binary.LittleEndian.AppendUint64(dst, hard.Term)
	dst = binary.LittleEndian.AppendUint64(dst, hard.Vote)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(entries)))
	for i := range entries {
		e := &entries[i]
		dst = binary.LittleEndian.AppendUint64(dst, e.Index)
		dst = binary.LittleEndian.AppendUint64(dst, e.Term)
		dst = append(dst, byte(e.Type))
		dst = appendBlock(dst, e.Data)
	}
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(dst)-start-raftRecordHead))
	binary.LittleEndian.PutUint32(dst[start+4:], entryCRC(dst[start:]))
	return dst
}

// readRaftRecord decodes the record of that number at the start of p; size is
// its length without the mark. Data aliases p. Ok is false for bytes that are
// no such record.
func readRaftRecord(p []byte, number uint64) (hard raftpb.HardState, entries []raftpb.Entry, size int, ok bool) {
	if len(p) < raftRecordHead+raftRecordFixed {
		return hard, nil, 0, false
	}
	n := binary.LittleEndian.Uint32(p)
	if n < raftRecordFixed || n > maxRaftRecord || int(n) > len(p)-raftRecordHead {
		return hard, nil, 0, false
	}
	size = raftRecordHead + int(n)
	p = p[:size]
	if binary.LittleEndian.Uint32(p[4:]) != entryCRC(p) || binary.LittleEndian.Uint64(p[8:]) != number {
		return hard, nil, 0, false
	}
	r := encoding.NewReader(p[raftRecordHead:])
	hard.Term, hard.Vote = r.U64(), r.U64()
	count := r.U32()
	if int64(count)*(raftEntryFixed) > int64(r.Len()) {
		return hard, nil, 0, false
	}
	entries = make([]raftpb.Entry, count)
	for i := range entries {
		e := &entries[i]
		e.Index, e.Term, e.Type = r.U64(), r.U64(), raftpb.EntryType(r.U8())
		e.Data = r.Take(int(r.U32()))
	}
	return hard, entries, size, r.Err() == nil && r.Len() == 0
}

// raftFile is the raft core's own log on disk: votes, terms and entries that
// may not be committed yet.
//
// Thread safety: none; it belongs to the goroutine of the core.
type raftFile struct {
	fs   vfs.FS
	dir  string
	warn func(string)

	patience patience
	file     vfs.File // nil until create or load
	number   uint64   // in the file's name
	size     int64
	records  uint64
	stopped  error
}

// write makes a record durable and then marks it, so that a bad one can be told
// from one that was never acknowledged.
func (f *raftFile) write(hard raftpb.HardState, entries []raftpb.Entry) error {
	if f.stopped != nil {
		return f.stopped
	}
	f.records++
	buf := appendRaftRecord(nil, f.records, hard, entries)
	end := int(f.size) + len(buf)
	buf = append(buf, make([]byte, markOffset(end)-end)...)
	if err := f.writeSynced(buf); err != nil {
		return err
	}
	return f.writeSynced(appendMark(nil, f.records))
}

func (f *raftFile) writeSynced(p []byte) error {
	err := f.patience.writeAt(f.file, p, f.size)
	if err == nil {
		err = f.file.SyncData()
	}
	if err != nil {
		return f.stop(err)
	}
	f.size += int64(len(p))
	return nil
}

func (f *raftFile) stop(err error) error {
	f.stopped = fmt.Errorf("%w: %w", ErrStopped, err)
	return f.stopped
}

// replace makes a new file that begins at the base and holds the entries, and
// removes the one before.
func (f *raftFile) replace(b *raftBase, entries []raftpb.Entry) error {
	if f.stopped != nil {
		return f.stopped
	}
	buf := appendRaftHeader(nil, b)
	records := uint64(0)
	for len(entries) > 0 {
		n, size := 0, 0
		for n < len(entries) && (n == 0 || size+len(entries[n].Data) <= maxPayload) {
			size += len(entries[n].Data)
			n++
		}
		records++
		buf = appendRaftRecord(buf, records, b.hard, entries[:n])
		buf = append(buf, make([]byte, markOffset(len(buf))-len(buf))...)
		buf = appendMark(buf, records)
		entries = entries[n:]
	}
	name := raftName(f.dir, f.number+1)
	if err := f.patience.writeFile(f.fs, name, buf); err != nil {
		return f.stop(err)
	}
	file, err := f.fs.OpenRW(name, vfs.OpenOptions{})
	if err != nil {
		return f.stop(err)
	}
	if f.file != nil {
		if err := f.file.Close(); err != nil {
			f.warn(fmt.Sprintf("metadata: close %s: %v", f.file.Name(), err))
		}
	}
	f.file, f.number, f.size, f.records = file, f.number+1, int64(len(buf)), records
	f.clean()
	return nil
}

// clean removes files before the newest. What cannot be removed is tried again
// with the next file.
func (f *raftFile) clean() {
	files, err := listFiles(f.fs, f.dir)
	if err != nil {
		f.warn(err.Error())
		return
	}
	for _, n := range files.rafts {
		if n < f.number {
			if err := f.fs.Remove(raftName(f.dir, n)); err != nil {
				f.warn(err.Error())
			}
		}
	}
}

func (f *raftFile) close() error {
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file, f.stopped = nil, ErrClosed
	return err
}

// load reads the newest file and opens it for writing. Without a file it
// returns nil.
func (f *raftFile) load() (*raftBase, []raftpb.Entry, error) {
	files, err := listFiles(f.fs, f.dir)
	if err != nil || len(files.rafts) == 0 {
		return nil, nil, err
	}
	f.number = files.rafts[len(files.rafts)-1]
	name := raftName(f.dir, f.number)
	p, err := vfs.ReadFile(f.fs, name, maxRaftFile)
	if err != nil {
		return nil, nil, fmt.Errorf("metadata: %w", err)
	}
	b, err := readRaftHeader(name, p)
	if err != nil {
		return nil, nil, err
	}
	var entries []raftpb.Entry
	off, marked, bad := raftHeaderLen, true, false
	for marked && off < len(p) || bad {
		hard, more, size, ok := readRaftRecord(p[off:], f.records+1)
		if !ok {
			if bad || !torn(p[off:]) {
				return nil, nil, &CorruptError{name, int64(off), fmt.Sprintf("record %d", f.records+1)}
			}
			break
		}
		f.records++
		if entries, err = b.extend(entries, more); err != nil {
			return nil, nil, &CorruptError{name, int64(off), fmt.Sprintf("record %d: %v", f.records, err)}
		}
		b.hard.Term, b.hard.Vote = hard.Term, hard.Vote
		off = markOffset(off + size)
		rest := p[min(off, len(p)):]
		marked = readMark(rest, f.records)
		// The mark itself went bad where another follows; behind it must be a record.
		// Else what has no mark is the last.
		if bad = !marked && !torn(rest); marked || bad {
			off += markLen
		}
	}
	return &b, entries, f.openTail(name, off, marked)
}

// extend puts entries behind those there are, over those that they replace.
func (b *raftBase) extend(entries, more []raftpb.Entry) ([]raftpb.Entry, error) {
	for i := range more {
		e := &more[i]
		if e.Index <= b.index || e.Index > b.index+uint64(len(entries))+1 {
			return nil, fmt.Errorf("entry %d after %d", e.Index, b.index+uint64(len(entries)))
		}
		entries = append(entries[:e.Index-b.index-1], *e)
	}
	return entries, nil
}

// openTail cuts off what was never acknowledged and marks a last record that
// has no mark.
func (f *raftFile) openTail(name string, off int, marked bool) error {
	file, err := f.fs.OpenRW(name, vfs.OpenOptions{})
	if err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	f.file, f.size = file, int64(off)
	size, err := file.Size()
	if err == nil && size > f.size {
		f.warn(fmt.Sprintf("metadata: %s: cut %d bytes of a record that was never acknowledged", name, size-f.size))
		if err = file.Truncate(f.size); err == nil {
			err = file.Sync()
		}
	}
	if err == nil && !marked {
		err = f.writeSynced(appendMark(nil, f.records))
	}
	if err != nil {
		f.file = nil
		return fmt.Errorf("metadata: %s: %w", name, errors.Join(err, file.Close()))
	}
	return nil
}
