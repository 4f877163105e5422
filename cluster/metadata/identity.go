package metadata

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"path"

	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/internal/level"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
)

const (
	identityName    = "identity"
	identityFixed   = 90
	maxIdentity     = 4096
	maxClusterName  = 256
	firstGeneration = 1

	// identityVersion is the newest; version 1 has no parts.
	identityVersion = 2
)

// Identity is who a data directory is.
type Identity struct {
	ClusterID   [16]byte
	ClusterName string
	Generation  uint16
	HostID      [16]byte
	DiskID      [16]byte
	BootCount   uint64
	ClockMark   int64  // microseconds
	LastAlive   int64  // microseconds
	FormatLevel uint16 // that the directory is written in
	// Parts are those that the directory must have, see Own.
	Parts Parts
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
	if errors.Is(err, vfs.ErrNotExist) {
		return Identity{}, fmt.Errorf("%s is not the data directory of a node: %w", dataDir, err)
	}
	if err != nil {
		return Identity{}, fmt.Errorf("read the identity: %w", err)
	}
	id, err := decodeIdentity(name, p)
	if err != nil {
		return Identity{}, err
	}
	if id.ClusterName != clusterName {
		return Identity{}, fmt.Errorf("data directory %s belongs to cluster %q, not to %q", dataDir, id.ClusterName, clusterName)
	}
	if id.FormatLevel > level.Highest || id.FormatLevel < level.Lowest {
		return Identity{}, fmt.Errorf("%w: %s is written in format level %d, this version reads %d to %d; start it with the version that it ran with, or a later one",
			ErrUnknownFeature, dataDir, id.FormatLevel, level.Lowest, level.Highest)
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
		return nil, fmt.Errorf("the cluster's name has %d bytes, at most %d are possible", len(clusterName), maxClusterName)
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
		return nil, fmt.Errorf("write the identity: %w", err)
	}
	return f, nil
}

func (f *IdentityFile) create(dataDir, clusterName string, src *rand.Source) error {
	if err := checkUnused(f.fs, dataDir); err != nil {
		return err
	}
	f.id = NewIdentity(clusterName, src)
	f.id.ClusterID = founded(f.id.HostID)
	return nil
}

// founded is the id of the cluster that a host founds.
func founded(host [16]byte) [16]byte {
	sum := sha256.Sum256(append([]byte("ilion cluster founded by\x00"), host[:]...))
	return [16]byte(sum[:16])
}

// Founder tells whether the node founded its cluster: without any metadata it
// may begin it, which a node that was about to join must not.
func (id *Identity) Founder() bool { return id.ClusterID == founded(id.HostID) }

// checkUnused refuses a directory that holds data, and makes one that is not
// there.
func checkUnused(fs vfs.FS, dataDir string) error {
	for i := range partTable {
		name := partTable[i].dir
		dir := path.Join(dataDir, name)
		names, err := fs.List(dir)
		if err == nil && len(names) > 0 {
			return fmt.Errorf("data directory %s has data but no identity: it is not a whole data directory", dataDir)
		}
		if err != nil && !errors.Is(err, vfs.ErrNotExist) {
			return fmt.Errorf("list %s: %w", dir, err)
		}
	}
	if err := vfs.MkdirAllSync(fs, dataDir); err != nil {
		return fmt.Errorf("make %s: %w", dataDir, err)
	}
	return nil
}

// NewIdentity is that of a node that is about to join a cluster, whose id it
// does not know yet. It is not on disk.
func NewIdentity(clusterName string, src *rand.Source) Identity {
	return Identity{
		ClusterName: clusterName, Generation: firstGeneration,
		HostID: src.UUID(), DiskID: src.UUID(), FormatLevel: level.First,
	}
}

// CreateIdentity makes the identity of a node that joins, durably. It fails if
// the data directory has one or holds anything.
func CreateIdentity(fs vfs.FS, dataDir string, id Identity) (*IdentityFile, error) {
	f := &IdentityFile{fs: fs, name: path.Join(dataDir, identityName), turn: make(chan struct{}, 1)}
	f.turn <- struct{}{}
	if id.ClusterID == ([16]byte{}) || len(id.ClusterName) > maxClusterName {
		return nil, fmt.Errorf("identity of no cluster, or one named %q", id.ClusterName)
	}
	if there, err := vfs.Exists(fs, f.name); there || err != nil {
		return nil, errors.Join(fmt.Errorf("data directory %s has an identity", dataDir), err)
	}
	if err := checkUnused(fs, dataDir); err != nil {
		return nil, err
	}
	f.id = id
	f.id.BootCount = 1
	if err := vfs.WriteFileAtomic(fs, f.name, appendIdentity(nil, &f.id)); err != nil {
		return nil, fmt.Errorf("write the identity: %w", err)
	}
	return f, nil
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
	return f.change(func(id *Identity) {
		id.ClockMark = max(id.ClockMark, clockMark)
		id.LastAlive = max(id.LastAlive, lastAlive)
	})
}

// Follow makes durable the generation of the cluster and the format level that
// the directory is written in. Neither goes back. After an error every later
// call fails.
func (f *IdentityFile) Follow(generation, level uint16) error {
	return f.change(func(id *Identity) {
		id.Generation = max(id.Generation, generation)
		id.FormatLevel = max(id.FormatLevel, level)
	})
}

// change replaces the file if what it says has changed.
func (f *IdentityFile) change(edit func(*Identity)) error {
	<-f.turn
	defer func() { f.turn <- struct{}{} }()
	if f.stopped != nil {
		return f.stopped
	}
	id := f.id
	if edit(&id); id == f.id {
		return nil
	}
	if err := vfs.WriteFileAtomic(f.fs, f.name, appendIdentity(nil, &id)); err != nil {
		err = fmt.Errorf("write the identity: %w", err)
		if !errors.Is(err, vfs.ErrNoSpace) {
			f.stopped = err
		}
		return err
	}
	f.id = id
	return nil
}

func appendIdentity(dst []byte, id *Identity) []byte {
	start := len(dst)
	dst = append(dst, identityMagic...)
	dst = binary.LittleEndian.AppendUint16(dst, identityVersion)
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
	dst = binary.LittleEndian.AppendUint16(dst, uint16(id.Parts))
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
	version := binary.LittleEndian.Uint16(p[8:])
	if version == 0 || version > identityVersion {
		return id, fmt.Errorf("%w: %s has version %d", ErrUnknownFeature, file, version)
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
	if version > 1 {
		id.Parts = Parts(r.U16())
	}
	if r.Err() != nil || r.Len() != 0 {
		return id, &CorruptError{file, identityFixed - 2, "length"}
	}
	return id, nil
}
