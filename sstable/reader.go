package sstable

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"github.com/ilion-db/ilion/bloom"
	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/internal/mem"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/sstable/cache"
)

// Reader reads one table. It is safe for concurrent use; Close must come after
// every Iter is closed.
type Reader struct {
	name     string
	file     vfs.File
	direct   bool
	buffered bool // read through the page cache by choice
	mapping  vfs.Mapping
	mapped   int64           // bytes of the mapping
	checked  []atomic.Uint32 // bit per block that was verified in the mapping
	cache    *cache.Cache
	id       uint64

	size   int64
	footer *footer
	props  *Properties
	filter *bloom.Filter
	idx    index
	wide   wideIndex
	memory int
	// created is when the file was made, seconds since 1970, 0 if unknown.
	created uint32
	maps    [][]byte // of metadata, off the heap
}

// Open opens a table and reads its metadata.
func Open(fs vfs.FS, name string, o OpenOptions) (*Reader, error) {
	r := &Reader{name: name, cache: o.Cache, id: o.FileID, buffered: o.Access == AccessBuffered}
	f, err := fs.Open(name, vfs.OpenOptions{})
	if err != nil {
		return nil, fmt.Errorf("sstable: open: %w", err)
	}
	r.file = f
	if err := r.load(); err != nil {
		_, _ = f.Close(), r.unmap() // the first error is the one to tell
		return nil, err
	}
	switch o.Access {
	case AccessDirect:
		if d, err := fs.Open(name, vfs.OpenOptions{Direct: true}); err == nil {
			probe := vfs.AlignedBytes(PageSize)
			if _, err := d.ReadAt(probe, 0); err != nil {
				_ = d.Close() // direct reads do not work here: stay with the other
				break
			}
			r.file, r.direct = d, true
			if err := f.Close(); err != nil {
				_ = r.Close() // as above
				return nil, err
			}
		}
	case AccessMmap:
		if err := r.mapFile(o.Populate); err != nil {
			_ = r.Close() // as above
			return nil, err
		}
	}
	return r, nil
}

// Prefetch asks for the table to be read into the page cache in the background,
// if it is read through it.
func (r *Reader) Prefetch() {
	if r.buffered {
		r.file.Prefetch(0, r.size)
	}
}

func (r *Reader) mapFile(populate bool) error {
	if r.footer.dataEnd == 0 {
		return nil
	}
	m, err := r.file.Mmap(0, r.size, populate)
	if err != nil {
		return fmt.Errorf("sstable: map: %w", err)
	}
	r.mapping, r.mapped = m, r.size
	r.checked = make([]atomic.Uint32, (r.idx.blocks()+31)/32)
	return nil
}

func (r *Reader) corrupt(offset int64, format string, args ...any) error {
	return &CorruptError{File: r.name, Offset: offset, Detail: fmt.Sprintf(format, args...)}
}

// load reads the footer and the sections.
func (r *Reader) load() error {
	size, err := r.file.Size()
	if err != nil {
		return fmt.Errorf("sstable: size: %w", err)
	}
	r.size = size
	at := size - PageSize
	if at < 0 || size%PageSize != 0 {
		return r.corrupt(max(at, 0), "file of %d bytes is no whole number of pages", size)
	}
	page := make([]byte, PageSize)
	if err := r.readAt(page, at); err != nil {
		return err
	}
	if r.footer, err = decodeFooter(page, at, r.name); err != nil {
		return err
	}
	seen := map[sectionKind]bool{}
	for _, s := range r.footer.sections {
		if s.id != 0 || s.kind > sectionOrigin || s.kind == 0 {
			continue // of a newer version, and optional
		}
		b, err := r.section(s)
		if err != nil {
			return err
		}
		if err := r.decode(s.kind, b); err != nil {
			return r.corrupt(s.offset, "section %d: %v", s.kind, err)
		}
		seen[s.kind] = true
	}
	if !seen[sectionIndex] || !seen[sectionProperties] || !seen[sectionWide] {
		return r.corrupt(at, "footer names no index or no properties")
	}
	if r.props.Blocks != uint64(r.idx.blocks()) {
		return r.corrupt(at, "%d blocks in the index, %d in the properties", r.idx.blocks(), r.props.Blocks)
	}
	// The wide index is checked against the number of blocks, which may have
	// come behind it.
	for _, s := range r.footer.sections {
		if s.kind == sectionWide && s.id == 0 {
			if err := r.wide.check(r.idx.blocks()); err != nil {
				return r.corrupt(s.offset, "section %d: %v", s.kind, err)
			}
		}
	}
	return nil
}

// section reads a section. What stays in memory lies off the heap if it is
// large.
func (r *Reader) section(s section) (b []byte, err error) {
	if s.kind == sectionFilter || s.kind == sectionWide {
		b, err = r.alloc(int(s.length))
	} else {
		b = make([]byte, s.length)
	}
	if err == nil {
		err = r.readAt(b, s.offset)
	}
	if err == nil && encoding.CRC32C(b) != s.crc {
		err = r.corrupt(s.offset, "section %d: checksum does not match", s.kind)
	}
	return b, err
}

// alloc returns n bytes, aligned to 8, that live until the reader is closed.
func (r *Reader) alloc(n int) ([]byte, error) {
	if n < mapMetadata {
		words := make([]uint64, (n+7)/8)
		return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), n), nil
	}
	b, err := mem.Map(n)
	if err != nil {
		return nil, fmt.Errorf("sstable: metadata: %w", err)
	}
	r.maps = append(r.maps, b)
	return b, nil
}

func (r *Reader) unmap() (err error) {
	r.filter, r.idx, r.wide = nil, index{}, wideIndex{}
	for _, b := range r.maps {
		err = errors.Join(err, mem.Unmap(b))
	}
	r.maps = nil
	return err
}

func (r *Reader) decode(kind sectionKind, b []byte) (err error) {
	switch kind {
	case sectionWide:
		r.memory += len(b)
		return r.wide.decode(b)
	case sectionFilter:
		r.memory += len(b)
		r.filter, err = bloom.Decode(b)
	case sectionIndex:
		err = r.idx.decode(b, r.footer.dataEnd, r.alloc)
		r.memory += r.idx.memory()
	case sectionProperties:
		r.memory += len(b)
		r.props, err = decodeProperties(b)
	case sectionOrigin:
		if len(b) != originLen {
			return errSection
		}
		r.created = binary.LittleEndian.Uint32(b)
	}
	return err
}

func (r *Reader) readAt(p []byte, off int64) error {
	n, err := r.file.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	return fmt.Errorf("sstable: read %s at %d: %w", r.name, off, err)
}

// Properties are the table's; not to be changed.
func (r *Reader) Properties() *Properties { return r.props }

// CreatedAt is when the file was made, in seconds since 1970; 0 if it does not
// say, since its format level is below the one that has it.
func (r *Reader) CreatedAt() uint32 { return r.created }

// Name is the file's name.
func (r *Reader) Name() string { return r.name }

// Size is the file's size in bytes.
func (r *Reader) Size() int64 { return r.size }

// MetadataBytes is the memory that the index, the filter and the rest of the
// metadata take.
func (r *Reader) MetadataBytes() int { return r.memory }

// MayContain tells whether the table may hold the partition; false is certain.
// It takes no lock, does no I/O and allocates nothing.
func (r *Reader) MayContain(h bloom.Hash) bool { return r.filter == nil || r.filter.MayContain(h) }

// Close closes the file. Blocks in the cache age out.
func (r *Reader) Close() error {
	var err error
	if r.mapping != nil {
		err = r.mapping.Close()
		r.mapping = nil
	}
	return errors.Join(err, r.file.Close(), r.unmap())
}

// stored splits what lies on disk for a block into payload and trailer and
// checks it. It returns the codec and the length of the raw block.
func (r *Reader) checkStored(b []byte, offset int64) (payload []byte, codec Codec, raw int, err error) {
	if len(b) <= trailerLen {
		return nil, 0, 0, r.corrupt(offset, "block of %d bytes", len(b))
	}
	n := len(b) - trailerLen
	if binary.LittleEndian.Uint32(b[n+6:]) != encoding.CRC32C(b[:n+6]) {
		return nil, 0, 0, r.corrupt(offset, "block checksum does not match")
	}
	raw, codec = int(binary.LittleEndian.Uint32(b[n:])), Codec(b[n+4])
	if key := b[n+5]; key != 0 {
		return nil, 0, 0, &FeatureError{File: r.name, Version: r.footer.version}
	}
	if raw > maxBlockRaw || codec == None && raw != n || raw/maxRatio > n {
		return nil, 0, 0, r.corrupt(offset, "%v block of %d bytes for %d", codec, n, raw)
	}
	return b[:n], codec, raw, nil
}
