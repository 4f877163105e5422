package query

import (
	"errors"
	"fmt"
	"path"
	"sync"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/internal/vfs"
)

// Entry is what a Store keeps of a prepared statement.
type Entry struct {
	Keyspace, Text string
	// ResultID is the id of the columns that clients were told.
	ResultID [16]byte
}

// Store keeps prepared statements over a restart, so that clients which go on
// executing them need not prepare them again.
type Store interface {
	Load() ([]Entry, error)
	// Save replaces what is stored. The entries must not be kept.
	Save([]Entry) error
}

const (
	storeMagic   = "ILIONPST"
	storeVersion = 1
	// storeMax bounds the file in bytes: a start reads and hashes all of it.
	storeMax = 4 << 20
)

// ErrCorruptStore is wrapped by errors about a file that no Save wrote.
var ErrCorruptStore = errors.New("query: corrupt file of prepared statements")

// FileStore is a Store in one file, see the package comment for its format.
type FileStore struct {
	FS   vfs.FS
	Path string
}

// Load implements Store. A file that is not there is empty.
func (f *FileStore) Load() ([]Entry, error) {
	data, err := vfs.ReadFile(f.FS, f.Path, storeMax)
	if errors.Is(err, vfs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	entries, err := decodeEntries(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, f.Path)
	}
	return entries, nil
}

// Save implements Store.
func (f *FileStore) Save(entries []Entry) error {
	if err := f.FS.MkdirAll(path.Dir(f.Path)); err != nil {
		return err
	}
	return vfs.WriteFileAtomic(f.FS, f.Path, appendEntries(nil, entries))
}

// appendEntries encodes entries until the file would be over its bound.
func appendEntries(dst []byte, entries []Entry) []byte {
	start := len(dst)
	dst = append(dst, storeMagic...)
	dst = append(dst, storeVersion)
	for i := range entries {
		e := &entries[i]
		if len(dst)-start+len(e.Keyspace)+len(e.Text)+64 > storeMax {
			break
		}
		dst = append(dst, e.ResultID[:]...)
		dst = encoding.AppendString(dst, e.Keyspace)
		dst = encoding.AppendString(dst, e.Text)
	}
	crc := encoding.CRC32C(dst[start:])
	return append(dst, byte(crc), byte(crc>>8), byte(crc>>16), byte(crc>>24))
}

func decodeEntries(data []byte) ([]Entry, error) {
	n := len(data) - 4
	if n < len(storeMagic)+1 || string(data[:len(storeMagic)]) != storeMagic {
		return nil, ErrCorruptStore
	}
	tail := encoding.NewReader(data[n:])
	if tail.U32() != encoding.CRC32C(data[:n]) {
		return nil, ErrCorruptStore
	}
	if v := data[len(storeMagic)]; v != storeVersion {
		return nil, fmt.Errorf("query: file of prepared statements has version %d, not %d", v, storeVersion)
	}
	r := encoding.NewReader(data[len(storeMagic)+1 : n])
	var out []Entry
	for r.Err() == nil && r.Len() > 0 {
		var e Entry
		copy(e.ResultID[:], r.Take(16))
		e.Keyspace, e.Text = r.String(), r.String()
		if r.Err() == nil {
			out = append(out, e)
		}
	}
	if r.Err() != nil {
		return nil, ErrCorruptStore
	}
	return out, nil
}

// saveDelay is how long after a change the texts are written.
const saveDelay = 5 * time.Second

// saver writes the texts of prepared statements a while after they changed.
//
// Thread safety: turn holds a token while nobody writes; mu protects the rest.
type saver struct {
	p    *Processor
	turn chan struct{}

	mu     sync.Mutex // protects what follows
	timer  clock.Timer
	dirty  bool
	closed bool
}

func newSaver(p *Processor) *saver {
	s := &saver{p: p, turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	return s
}

func (s *saver) changed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dirty || s.closed {
		return
	}
	s.dirty = true
	s.timer = s.p.clock.AfterFunc(saveDelay, func() {
		if err := s.save(); err != nil {
			s.p.log.Warn("cannot write prepared statements", "error", err)
		}
	})
}

// save writes if something has changed.
func (s *saver) save() error {
	<-s.turn
	defer func() { s.turn <- struct{}{} }()
	s.mu.Lock()
	dirty := s.dirty
	s.dirty = false
	s.mu.Unlock()
	if !dirty {
		return nil
	}
	all := s.p.cache.all()
	entries := make([]Entry, 0, len(all))
	for _, st := range all {
		if !st.client.Load() {
			continue
		}
		e := Entry{Keyspace: st.keyspace, Text: st.text, ResultID: st.known}
		if st.compiled.Load() != nil {
			e.ResultID = st.prepared.Load().ResultID()
		}
		entries = append(entries, e)
	}
	return s.p.cfg.Store.Save(entries)
}

func (s *saver) close() error {
	s.mu.Lock()
	s.closed = true
	if s.timer != nil {
		s.timer.Stop()
	}
	s.mu.Unlock()
	return s.save()
}

// restore takes back the statements of an earlier run. They are a convenience:
// a file that cannot be read is told of and passed over.
func (p *Processor) restore() {
	entries, err := p.cfg.Store.Load()
	if err != nil {
		p.log.Warn("starting without the statements that were prepared before", "error", err)
		return
	}
	for i := range entries {
		p.cache.add(restoredStatement(&entries[i]))
	}
}
