package hints

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/internal/journal"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/ring"
)

// Numbers on disk. Append only.
const (
	stateName    = "state"
	stateMagic   = "ILIONHST"
	stateVersion = 1

	stateHeaderLen = 36
	positionLen    = 36
	dropLen        = 76
	// imageSize is the room of each copy.
	imageSize = 128 << 10
	// maxPositions bounds the targets in an image; the positions of those that
	// have nothing left in the store come last.
	maxPositions = 1024
)

// image is what the state file says.
type image struct {
	number    uint64
	positions map[[16]byte]journal.Position
	drops     []Drop
}

// appendImage encodes it.
func appendImage(dst []byte, im *image) []byte {
	start := len(dst)
	dst = append(dst, stateMagic...)
	dst = append(dst, make([]byte, 8)...)
	dst = binary.LittleEndian.AppendUint64(dst, im.number)
	dst = binary.LittleEndian.AppendUint32(dst, stateVersion)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(im.positions)))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(im.drops)))
	ids := make([][16]byte, 0, len(im.positions))
	for id := range im.positions {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) })
	for _, id := range ids {
		at := im.positions[id]
		dst = append(dst, id[:]...)
		dst = binary.LittleEndian.AppendUint64(dst, at.Segment)
		dst = binary.LittleEndian.AppendUint64(dst, uint64(at.Offset))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(at.Index))
	}
	for i := range im.drops {
		d := &im.drops[i]
		dst = append(dst, d.Target[:]...)
		dst = append(dst, d.Table[:]...)
		for _, v := range [...]int64{int64(d.Range.Start), int64(d.Range.End), d.First, d.Last} {
			dst = binary.LittleEndian.AppendUint64(dst, uint64(v))
		}
		dst = binary.LittleEndian.AppendUint32(dst, uint32(d.Reasons))
		dst = binary.LittleEndian.AppendUint64(dst, d.Hints)
	}
	sealImage(dst[start:])
	return dst
}

// sealImage sets length and checksum.
func sealImage(p []byte) {
	binary.LittleEndian.PutUint32(p[12:], uint32(len(p)))
	binary.LittleEndian.PutUint32(p[8:], encoding.CRC32C(p[12:]))
}

var (
	errDamagedImage = errors.New("hints: the state is damaged")
	errNewerImage   = errors.New("hints: the state was written by a newer version")
)

// decodeImage reads one copy at the start of b.
func decodeImage(b []byte) (*image, error) {
	r := encoding.NewReader(b)
	if string(r.Take(8)) != stateMagic {
		return nil, errDamagedImage
	}
	sum, length := r.U32(), r.U32()
	if r.Err() != nil || length < stateHeaderLen || int(length) > len(b) || encoding.CRC32C(b[12:length]) != sum {
		return nil, errDamagedImage
	}
	im := &image{number: r.U64(), positions: map[[16]byte]journal.Position{}}
	version, reserved, positions, drops := r.U16(), r.U16(), r.U32(), r.U32()
	if version != stateVersion || reserved != 0 {
		return nil, fmt.Errorf("%w: %d", errNewerImage, version)
	}
	if uint64(length) != stateHeaderLen+uint64(positions)*positionLen+uint64(drops)*dropLen {
		return nil, errDamagedImage
	}
	for range positions {
		id := [16]byte(r.Take(16))
		im.positions[id] = journal.Position{Segment: r.U64(), Offset: int64(r.U64()), Index: int(r.U32())}
	}
	for range drops {
		d := Drop{Target: [16]byte(r.Take(16)), Table: [16]byte(r.Take(16))}
		d.Range = ring.Range{Start: ring.Token(r.U64()), End: ring.Token(r.U64())}
		d.First, d.Last = int64(r.U64()), int64(r.U64())
		d.Reasons, d.Hints = Reasons(r.U32()), r.U64()
		im.drops = append(im.drops, d)
	}
	return im, nil
}

// stateFile writes images. It belongs to one goroutine.
type stateFile struct {
	fs   vfs.FS
	name string
	file vfs.File // nil: to be made anew by the next write
	buf  []byte
}

// openState reads the newest image; a nil one means that there is a file and
// neither copy can be read.
func openState(fs vfs.FS, dir string) (*stateFile, *image, error) {
	s := &stateFile{fs: fs, name: path.Join(dir, stateName)}
	b, err := vfs.ReadFile(fs, s.name, 2*imageSize)
	if errors.Is(err, vfs.ErrNotExist) {
		return s, &image{positions: map[[16]byte]journal.Position{}}, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("hints: %w", err)
	}
	var newest *image
	whole := len(b) == 2*imageSize
	for off := 0; off < len(b); off += imageSize {
		im, err := decodeImage(b[off:min(off+imageSize, len(b))])
		if errors.Is(err, errNewerImage) {
			return nil, nil, fmt.Errorf("%w (%s)", err, s.name)
		}
		if err == nil && (newest == nil || im.number > newest.number) {
			newest = im
		}
	}
	if whole && newest != nil {
		if s.file, err = fs.OpenRW(s.name, vfs.OpenOptions{}); err != nil {
			return nil, nil, fmt.Errorf("hints: %w", err)
		}
	}
	return s, newest, nil
}

// write makes the image durable, in place if the file is known to be whole.
func (s *stateFile) write(im *image) error {
	s.buf = appendImage(s.buf[:0], im)
	if s.file == nil {
		return s.create()
	}
	for off := int64(0); off < 2*imageSize; off += imageSize {
		_, err := s.file.WriteAt(s.buf, off)
		if err == nil {
			err = s.file.SyncData()
		}
		if err != nil {
			// What a failed sync left in this file is not known.
			s.close()
			return fmt.Errorf("hints: write the state: %w", err)
		}
	}
	return nil
}

// create replaces the file by a new one with both copies.
func (s *stateFile) create() error {
	whole := make([]byte, 2*imageSize)
	copy(whole, s.buf)
	copy(whole[imageSize:], s.buf)
	if err := vfs.WriteFileAtomic(s.fs, s.name, whole); err != nil {
		return fmt.Errorf("hints: write the state: %w", err)
	}
	f, err := s.fs.OpenRW(s.name, vfs.OpenOptions{})
	if err != nil {
		return fmt.Errorf("hints: write the state: %w", err)
	}
	s.file = f
	return nil
}

// close closes the file, whose content has been synced or given up.
func (s *stateFile) close() {
	if s.file != nil {
		_ = s.file.Close()
		s.file = nil
	}
}
