package manifest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/internal/fail"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/schema"
)

const (
	magic       = 0x464d4c49 // "ILMF"
	headLen     = 24
	page        = 4096
	version     = 1
	knownBits   = 0
	namePrefix  = "manifest-"
	maxFileSize = 1 << 30
	// rewriteAt is the size at which an open manifest starts a new file.
	rewriteAt = 4 << 20
)

// ErrFailed is the answer once a write or sync of the manifest has failed: what
// the disk holds is unknown until the directory is opened again.
var ErrFailed = errors.New("manifest: an earlier write failed, the node must be restarted")

// CorruptError tells where a manifest is damaged.
type CorruptError struct {
	File   string
	Offset int64
	Detail string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("manifest: %s is corrupt at offset %d: %s", e.File, e.Offset, e.Detail)
}

// Manifest is an open manifest.
type Manifest struct {
	fs  vfs.FS
	dir string

	// turn is a one-slot semaphore, not a mutex, since it is held over I/O. It
	// protects the fields below but state's readers.
	turn   chan struct{}
	file   vfs.File
	number uint64
	seq    uint64
	size   int64
	failed error

	mu    sync.Mutex // protects state
	state *State
}

// Open reads the manifest of dir, or starts one if there is none, and begins a
// new file.
func Open(fs vfs.FS, dir string) (*Manifest, error) {
	names, err := fs.List(dir)
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	var last uint64
	var old []string
	for _, n := range names {
		num, ok := strings.CutPrefix(n, namePrefix)
		if !ok {
			continue
		}
		old = append(old, n)
		v, err := strconv.ParseUint(num, 10, 64)
		if err != nil {
			continue // a temporary file of an open that did not end
		}
		last = max(last, v)
	}
	state := newState()
	if last > 0 {
		if state, err = read(fs, dir+"/"+fileName(last)); err != nil {
			return nil, err
		}
	}
	m := &Manifest{fs: fs, dir: dir, turn: make(chan struct{}, 1), number: last, state: state}
	if err := m.begin(); err != nil {
		return nil, err
	}
	for _, n := range old {
		if n != fileName(m.number) {
			if err := fs.Remove(dir + "/" + n); err != nil && !errors.Is(err, vfs.ErrNotExist) {
				m.file.Close()
				return nil, fmt.Errorf("manifest: %w", err)
			}
		}
	}
	return m, nil
}

func fileName(n uint64) string { return fmt.Sprintf("%s%010d", namePrefix, n) }

// begin writes the state as the first edit of a new file and makes that the
// one in use. If it answers vfs.ErrNoSpace the old one is still in use.
func (m *Manifest) begin() error {
	name := m.dir + "/" + fileName(m.number+1)
	tmp := name + ".tmp"
	f, size, err := m.writeSnapshot(tmp)
	if err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	if err = m.fs.Rename(tmp, name); err == nil {
		err = m.fs.SyncDir(m.dir)
	}
	if err != nil {
		f.Close()
		// Not matched by ErrNoSpace: which file the next start finds is unknown.
		return fmt.Errorf("manifest: %v", err)
	}
	if m.file != nil {
		m.file.Close()
		if err := m.fs.Remove(m.dir + "/" + fileName(m.number)); err != nil {
			f.Close()
			return fmt.Errorf("manifest: %v", err)
		}
	}
	m.file, m.seq, m.size, m.number = f, 1, size, m.number+1
	return nil
}

// writeSnapshot writes and syncs a file of the state alone. What it cannot
// write it removes.
func (m *Manifest) writeSnapshot(name string) (vfs.File, int64, error) {
	if err := m.fs.Remove(name); err != nil && !errors.Is(err, vfs.ErrNotExist) {
		return nil, 0, err
	}
	f, err := m.fs.Create(name, vfs.OpenOptions{})
	if err != nil {
		return nil, 0, err
	}
	e := m.state.snapshot()
	buf := encodeEdit(1, e.ops)
	if _, err = f.WriteAt(buf, 0); err == nil {
		err = f.Sync()
	}
	if err != nil {
		f.Close()
		if rerr := m.fs.Remove(name); rerr != nil {
			err = fmt.Errorf("%w (%v)", err, rerr)
		}
		return nil, 0, err
	}
	return f, int64(len(buf)), nil
}

// encodeEdit returns both copies.
func encodeEdit(seq uint64, ops []byte) []byte {
	n := (headLen + len(ops) + page - 1) / page * page
	buf := make([]byte, 2*n)
	binary.LittleEndian.PutUint32(buf, magic)
	binary.LittleEndian.PutUint64(buf[8:], seq)
	binary.LittleEndian.PutUint32(buf[16:], uint32(len(ops)))
	buf[20] = version
	copy(buf[headLen:], ops)
	binary.LittleEndian.PutUint32(buf[4:], encoding.CRC32C(buf[8:headLen+len(ops)]))
	copy(buf[n:], buf[:n])
	return buf
}

// decodeCopy returns the sequence number, operations and padded length of the
// copy at the start of b, or ok false if there is no whole one.
func decodeCopy(b []byte) (seq uint64, ops []byte, padded int, ok bool) {
	if len(b) < headLen || binary.LittleEndian.Uint32(b) != magic {
		return 0, nil, 0, false
	}
	n := int64(binary.LittleEndian.Uint32(b[16:]))
	if headLen+n > int64(len(b)) {
		return 0, nil, 0, false
	}
	if encoding.CRC32C(b[8:headLen+n]) != binary.LittleEndian.Uint32(b[4:]) {
		return 0, nil, 0, false
	}
	padded = int((headLen + n + page - 1) / page * page)
	return binary.LittleEndian.Uint64(b[8:]), b[headLen : headLen+n], padded, true
}

// read decodes a manifest file.
func read(fs vfs.FS, name string) (*State, error) {
	buf, err := vfs.ReadFile(fs, name, maxFileSize)
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	return decode(name, buf)
}

func decode(name string, buf []byte) (*State, error) {
	s := newState()
	var last uint64
	bad := int64(-1) // first page that no copy explains, since the last edit
	for off := 0; off < len(buf); {
		seq, ops, padded, ok := decodeCopy(buf[off:])
		switch {
		case !ok:
			if bad < 0 {
				bad = int64(off)
			}
			off += page
		case seq == last && last > 0:
			off += padded // the second copy
			bad = -1
		case seq == last+1:
			if buf[off+20] != version || buf[off+21]&^knownBits != 0 {
				return nil, fmt.Errorf("manifest: %s was written by a newer version (format %d, features %#x)", name, buf[off+20], buf[off+21])
			}
			if err := s.apply(ops); err != nil {
				return nil, &CorruptError{name, int64(off), err.Error()}
			}
			last, bad = seq, -1
			off += padded
		default:
			return nil, &CorruptError{name, max(bad, 0), fmt.Sprintf("edit %d is lost, edit %d follows it", last+1, seq)}
		}
	}
	if last == 0 {
		return nil, &CorruptError{name, 0, "no edit can be read"}
	}
	return s, nil
}

// undo removes what an edit that did not fit left behind.
func (m *Manifest) undo() error {
	if err := m.file.Truncate(m.size); err != nil {
		return err
	}
	return m.file.Sync()
}

// Apply makes the edit durable and then part of the state. On a full disk it
// fails with vfs.ErrNoSpace and nothing has changed; after any other failure
// the outcome is unknown and every later call answers ErrFailed.
func (m *Manifest) Apply(e *Edit) error {
	m.turn <- struct{}{}
	defer func() { <-m.turn }()
	if m.failed != nil {
		return m.failed
	}
	next := m.State()
	if err := next.apply(e.ops); err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	buf := encodeEdit(m.seq+1, e.ops)
	invariant.Check(len(buf)%(2*page) == 0 && m.size%(2*page) == 0, "manifest: edit of %d bytes at %d", len(buf), m.size)
	err := fail.Point("manifest/write")
	if err == nil {
		_, err = m.file.WriteAt(buf, m.size)
		if errors.Is(err, vfs.ErrNoSpace) && m.undo() == nil {
			return fmt.Errorf("manifest: %w", err)
		}
	}
	if err == nil && !fail.Mutant("manifest-skip-sync") {
		err = m.file.SyncData()
	}
	if err != nil {
		m.failed = fmt.Errorf("%w (%w)", ErrFailed, err)
		return m.failed
	}
	m.seq++
	m.size += int64(len(buf))
	m.mu.Lock()
	m.state = next
	m.mu.Unlock()
	if m.size > rewriteAt {
		// On a full disk the edits go on where they are.
		if err := m.begin(); err != nil && !errors.Is(err, vfs.ErrNoSpace) {
			m.failed = fmt.Errorf("%w (%w)", ErrFailed, err)
			return m.failed
		}
	}
	return nil
}

// State returns a copy of the state.
func (m *Manifest) State() *State {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.Clone()
}

// PurgedTo is what the state says of one table.
func (m *Manifest) PurgedTo(table schema.TableID) uint32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t := m.state.Tables[table]; t != nil {
		return t.PurgedTo
	}
	return 0
}

// Close closes the file. No Apply may run.
func (m *Manifest) Close() error { return m.file.Close() }
