package metadata

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/internal/vfs"
)

// Parts is a set of parts of a data directory. On disk, never renumber.
type Parts uint16

// Parts of a data directory.
const (
	PartTables   Parts = 1 << iota // data: the manifest and table files
	PartLog                        // commitlog
	PartMetadata                   // metadata: schema and members
	PartVotes                      // metadata: what a voter has promised
	PartHints                      // hints
	PartBatches                    // batchlog
)

// partPlace says where a part lies and how a file of it is named that is always
// there, if there is one.
type partPlace struct {
	part           Parts
	dir            string
	prefix, suffix string
}

var partTable = [...]partPlace{
	{PartTables, "data", "manifest-", ""},
	{PartLog, "commitlog", "", ".log"},
	{PartMetadata, "metadata", "log-", ".meta"},
	{PartVotes, "metadata", "raft-", ".meta"},
	{PartHints, "hints", "", ""},
	{PartBatches, "batchlog", "", ""},
}

const (
	ownerName  = "owner"
	ownerMagic = "ILIONOWN"
	ownerLen   = 32
)

func appendOwner(dst []byte, disk [16]byte) []byte {
	start := len(dst)
	dst = append(dst, ownerMagic...)
	dst = binary.LittleEndian.AppendUint16(dst, formatVersion)
	dst = binary.LittleEndian.AppendUint16(dst, 0)
	dst = append(dst, disk[:]...)
	return binary.LittleEndian.AppendUint32(dst, encoding.CRC32C(dst[start:]))
}

func decodeOwner(file string, p []byte) (disk [16]byte, err error) {
	if len(p) != ownerLen || string(p[:8]) != ownerMagic {
		return disk, &CorruptError{file, 0, "not an owner"}
	}
	if encoding.CRC32C(p[:ownerLen-4]) != binary.LittleEndian.Uint32(p[ownerLen-4:]) {
		return disk, &CorruptError{file, ownerLen - 4, "checksum"}
	}
	if version, features := binary.LittleEndian.Uint16(p[8:]), binary.LittleEndian.Uint16(p[10:]); version != formatVersion || features != 0 {
		return disk, fmt.Errorf("%w: %s has version %d and needs features %#x", ErrUnknownFeature, file, version, features)
	}
	return [16]byte(p[12:]), nil
}

// readOwner returns the disk id that a part names, found false if it names none.
func readOwner(fs vfs.FS, dir string) (disk [16]byte, found bool, err error) {
	name := path.Join(dir, ownerName)
	p, err := vfs.ReadFile(fs, name, ownerLen)
	if errors.Is(err, vfs.ErrNotExist) {
		return disk, false, nil
	}
	if err != nil {
		return disk, false, fmt.Errorf("metadata: %w", err)
	}
	disk, err = decodeOwner(name, p)
	return disk, true, err
}

func writeOwner(fs vfs.FS, dir string, disk [16]byte) error {
	if err := vfs.WriteFileAtomic(fs, path.Join(dir, ownerName), appendOwner(nil, disk)); err != nil {
		return fmt.Errorf("metadata: write the owner: %w", err)
	}
	return nil
}

// CheckParts refuses a data directory that has not all that it had, or parts of
// another one. It changes nothing.
func (id *Identity) CheckParts(fs vfs.FS, dataDir string) error {
	for i := range partTable {
		p := &partTable[i]
		dir := path.Join(dataDir, p.dir)
		disk, found, err := readOwner(fs, dir)
		if err != nil {
			return err
		}
		if found && disk != id.DiskID {
			return fmt.Errorf("data directory %s: %s belongs to another data directory (disk %s there, %s in %s): bring back the one that belongs here",
				dataDir, dir, hex.EncodeToString(disk[:]), hex.EncodeToString(id.DiskID[:]), identityName)
		}
		if id.Parts&p.part == 0 {
			continue
		}
		there, err := p.holds(fs, dir)
		if err != nil {
			return err
		}
		if !found || !there {
			return fmt.Errorf("data directory %s has lost %s (%s is there): if that lies on a mount of its own, mount it; if it is lost for good, so are writes "+
				"that this node has acknowledged, and it must not answer for them: it can start on an empty directory only, as a new node", dataDir, dir, identityName)
		}
	}
	return nil
}

// holds tells whether the file that is always there is.
func (p *partPlace) holds(fs vfs.FS, dir string) (bool, error) {
	if p.prefix+p.suffix == "" {
		return true, nil
	}
	names, err := fs.List(dir)
	if errors.Is(err, vfs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("metadata: list %s: %w", dir, err)
	}
	for _, n := range names {
		if strings.HasPrefix(n, p.prefix) && strings.HasSuffix(n, p.suffix) {
			return true, nil
		}
	}
	return false, nil
}

// Own makes the parts name this data directory, durably, and the identity name
// them: from then on CheckParts wants them. They must be open, and nothing that
// they hold may have been acknowledged before. What is named already is left as
// it is.
func (f *IdentityFile) Own(parts Parts) error {
	id := f.Identity()
	dataDir := path.Dir(f.name)
	for i := range partTable {
		p := &partTable[i]
		dir := path.Join(dataDir, p.dir)
		if parts&p.part == 0 || id.Parts&p.part != 0 {
			continue
		}
		disk, found, err := readOwner(f.fs, dir)
		if err == nil && !(found && disk == id.DiskID) {
			err = writeOwner(f.fs, dir, id.DiskID)
		}
		if err != nil {
			return err
		}
	}
	return f.change(func(id *Identity) { id.Parts |= parts })
}
