package metadata

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path"

	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
)

// FormatLevel is the newest format level that this version reads, and the one
// it writes into a new directory.
const FormatLevel = 1

const (
	identityName    = "identity"
	identityFixed   = 90
	maxIdentity     = 4096
	maxClusterName  = 256
	firstGeneration = 1
)

// Identity is who a data directory is.
type Identity struct {
	ClusterID   [16]byte
	ClusterName string
	Generation  uint16
	HostID      [16]byte
	DiskID      [16]byte
	BootCount   uint64
	ClockMark   int64 // microseconds
	LastAlive   int64 // microseconds
	FormatLevel uint16
}

// IdentityFile is the identity on disk. Safe for concurrent use.
type IdentityFile struct {
	fs   vfs.FS
	name string

	turn chan struct{} // of capacity 1, full while nobody writes
	// Owned by the holder of turn.
	id      Identity
	stopped error
}

// ReadIdentity returns the identity of the data directory, or an error that is
// vfs.ErrNotExist if it has none, and changes nothing. ClusterName must be that
// of the directory.
func ReadIdentity(fs vfs.FS, dataDir, clusterName string) (Identity, error) {
	name := path.Join(dataDir, identityName)
	p, err := vfs.ReadFile(fs, name, maxIdentity)
	if err != nil {
		return Identity{}, fmt.Errorf("metadata: %w", err)
	}
	id, err := decodeIdentity(name, p)
	if err != nil {
		return Identity{}, err
	}
	if id.ClusterName != clusterName {
		return Identity{}, fmt.Errorf("metadata: %s belongs to cluster %q, not to %q", dataDir, id.ClusterName, clusterName)
	}
	if id.FormatLevel > FormatLevel || id.FormatLevel == 0 {
		return Identity{}, fmt.Errorf("%w: %s is written in format level %d, this version reads up to %d", ErrUnknownFeature, dataDir, id.FormatLevel, FormatLevel)
	}
	return id, nil
}

// OpenIdentity reads the identity of the data directory, or makes one if the
// directory has no metadata either, and raises the boot count. What it returns
// is durable. ClusterName must be that of the directory.
func OpenIdentity(fs vfs.FS, dataDir, clusterName string, src *rand.Source) (*IdentityFile, error) {
	f := &IdentityFile{fs: fs, name: path.Join(dataDir, identityName), turn: make(chan struct{}, 1)}
	f.turn <- struct{}{}
	if len(clusterName) > maxClusterName {
		return nil, fmt.Errorf("metadata: the cluster's name has %d bytes, at most %d are possible", len(clusterName), maxClusterName)
	}
	var err error
	f.id, err = ReadIdentity(fs, dataDir, clusterName)
	if errors.Is(err, vfs.ErrNotExist) {
		err = f.create(dataDir, clusterName, src)
	}
	if err != nil {
		return nil, err
	}
	f.id.BootCount++
	if err := vfs.WriteFileAtomic(fs, f.name, appendIdentity(nil, &f.id)); err != nil {
		return nil, fmt.Errorf("metadata: write the identity: %w", err)
	}
	return f, nil
}

func (f *IdentityFile) create(dataDir, clusterName string, src *rand.Source) error {
	for _, name := range []string{"metadata", "commitlog", "data"} {
		dir := path.Join(dataDir, name)
		names, err := f.fs.List(dir)
		if err == nil && len(names) > 0 {
			return fmt.Errorf("metadata: %s has data but no identity: it is not a whole data directory", dataDir)
		}
		if err != nil && !errors.Is(err, vfs.ErrNotExist) {
			return fmt.Errorf("metadata: list %s: %w", dir, err)
		}
	}
	if err := vfs.MkdirAllSync(f.fs, dataDir); err != nil {
		return fmt.Errorf("metadata: make %s: %w", dataDir, err)
	}
	f.id = Identity{
		ClusterID: src.UUID(), ClusterName: clusterName, Generation: firstGeneration,
		HostID: src.UUID(), DiskID: src.UUID(), FormatLevel: FormatLevel,
	}
	return nil
}

// Identity is what is on disk now.
func (f *IdentityFile) Identity() Identity {
	<-f.turn
	defer func() { f.turn <- struct{}{} }()
	return f.id
}

// Mark makes durable that no stamp above clockMark was given out, and that the
// node was alive at lastAlive, both in microseconds. Neither goes back. After
// an error every later call fails.
func (f *IdentityFile) Mark(clockMark, lastAlive int64) error {
	<-f.turn
	defer func() { f.turn <- struct{}{} }()
	if f.stopped != nil {
		return f.stopped
	}
	id := f.id
	id.ClockMark = max(id.ClockMark, clockMark)
	id.LastAlive = max(id.LastAlive, lastAlive)
	if err := vfs.WriteFileAtomic(f.fs, f.name, appendIdentity(nil, &id)); err != nil {
		f.stopped = fmt.Errorf("metadata: write the identity: %w", err)
		return f.stopped
	}
	f.id = id
	return nil
}

func appendIdentity(dst []byte, id *Identity) []byte {
	start := len(dst)
	dst = append(dst, identityMagic...)
	dst = binary.LittleEndian.AppendUint16(dst, formatVersion)
	dst = binary.LittleEndian.AppendUint16(dst, 0)
	dst = binary.LittleEndian.AppendUint16(dst, id.FormatLevel)
	dst = binary.LittleEndian.AppendUint16(dst, id.Generation)
	dst = append(dst, id.ClusterID[:]...)
	dst = append(dst, id.HostID[:]...)
	dst = append(dst, id.DiskID[:]...)
	dst = binary.LittleEndian.AppendUint64(dst, id.BootCount)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(id.ClockMark))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(id.LastAlive))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(id.ClusterName)))
	dst = append(dst, id.ClusterName...)
	return binary.LittleEndian.AppendUint32(dst, encoding.CRC32C(dst[start:]))
}

func decodeIdentity(file string, p []byte) (id Identity, err error) {
	body := len(p) - 4
	if body < identityFixed || string(p[:8]) != identityMagic {
		return id, &CorruptError{file, 0, "not an identity"}
	}
	if encoding.CRC32C(p[:body]) != binary.LittleEndian.Uint32(p[body:]) {
		return id, &CorruptError{file, int64(body), "checksum"}
	}
	if v := binary.LittleEndian.Uint16(p[8:]); v != formatVersion {
		return id, fmt.Errorf("%w: %s has version %d", ErrUnknownFeature, file, v)
	}
	if v := binary.LittleEndian.Uint16(p[10:]); v != 0 {
		return id, fmt.Errorf("%w: %s needs features %#x", ErrUnknownFeature, file, v)
	}
	r := encoding.NewReader(p[12:body])
	id.FormatLevel, id.Generation = r.U16(), r.U16()
	copy(id.ClusterID[:], r.Take(16))
	copy(id.HostID[:], r.Take(16))
	copy(id.DiskID[:], r.Take(16))
	id.BootCount, id.ClockMark, id.LastAlive = r.U64(), int64(r.U64()), int64(r.U64())
	id.ClusterName = string(r.Take(int(r.U16())))
	if r.Err() != nil || r.Len() != 0 {
		return id, &CorruptError{file, identityFixed - 2, "length"}
	}
	return id, nil
}
