package sstable

import (
	"encoding/binary"

	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/mutation"
)

// Numbers on disk. Append only, never renumber.
const (
	magic         = "ILIONSST"
	formatVersion = 1

	// PageSize is the unit that a file's size is a multiple of; its last page is
	// the footer.
	PageSize = 4096

	footerFixed   = 48
	sectionLen    = 24
	maxSections   = (PageSize - footerFixed - 4) / sectionLen
	trailerLen    = 10
	indexPart     = 16384
	indexPerPart  = (indexPart - 4) / indexEntryLen
	indexEntryLen = 13
	maxOffset     = 1<<39 - 1
)

// Required features of a file. A reader refuses a bit that it does not know.
const (
	// FeatureRowsV1 says that rows and keys are as package mutation of record
	// version 1 encodes them.
	FeatureRowsV1 uint64 = 1 << 0

	featuresKnown = FeatureRowsV1
)

type sectionKind uint16

const (
	sectionWide       sectionKind = 1
	sectionFilter     sectionKind = 2
	sectionIndex      sectionKind = 3
	sectionProperties sectionKind = 4
	sectionOrigin     sectionKind = 5 // from format level 2 on
)

// section is an entry of the directory.
type section struct {
	kind   sectionKind
	id     uint16
	crc    uint32
	offset int64
	length int64
}

const (
	blockWide       = 1 << 0 // offsets of 4 bytes, else 2
	blockOneEach    = 1 << 1 // partition i has the one entry i
	blockContinues  = 1 << 2 // the first partition began in an earlier block
	blockContinued  = 1 << 3 // the last partition goes on in the next block
	blockOpenStart  = 1 << 4
	blockOpenEnd    = 1 << 5
	blockTombstones = 1 << 6
	blockExpiring   = 1 << 7
	blockBoundaries = 1 << 8
	blockKnown      = 1<<9 - 1
	blockHeader     = 48
	blockPad        = 8
	deletionLen     = 12
	partDeletion    = 1 << 0
	partStatic      = 1 << 1
	partContinued   = 1 << 2
	partKnown       = 1<<3 - 1
	boundaryBefore  = 1 << 0
	boundaryAfter   = 1 << 1
	boundaryKnown   = 1<<2 - 1
	entryBoundary   = 1
	originLen       = 4
	// maxBlockRaw bounds a decoded block, and half of it an item, which lies in
	// one. A record is far smaller, but a row grows by every update.
	maxBlockRaw       = 1 << 30
	maxRatio          = 4096
	wideMin           = 3 // blocks of a partition that gets separators
	wideEntryLen      = 16
	optionalNone      = 0
	minBlockSize      = 256
	maxBlockSize      = 64 << 10
	defaultBlockSize  = 4096
	defaultFilterFP   = 0.01
	defaultMinRatio   = 1.1
	initialReadAhead  = 32 << 10
	keepBuffer        = 1 << 20  // a closed iterator keeps no larger buffer
	keepBlock         = 8 << 20  // nor does a writer between blocks
	mapMetadata       = 32 << 10 // larger metadata lies off the heap
	maxReadAhead      = 1 << 20
	writeBuffer       = 1 << 20
	maxPropertiesSize = 64 << 20
)

func appendDeletion(dst []byte, d mutation.Deletion) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(d.Timestamp))
	return binary.LittleEndian.AppendUint32(dst, d.LocalTime)
}

func deletionAt(b []byte) mutation.Deletion {
	return mutation.Deletion{
		Timestamp: int64(binary.LittleEndian.Uint64(b)),
		LocalTime: binary.LittleEndian.Uint32(b[8:]),
		Set:       true,
	}
}

// footer is the last page of a file.
type footer struct {
	version            uint32
	required, optional uint64
	dataEnd            int64 // end of the data blocks
	size               int64 // end of the last section, the rest is padding
	sections           []section
}

func (f *footer) encode() []byte {
	b := make([]byte, 0, PageSize)
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint32(b, f.version)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(f.sections)))
	b = binary.LittleEndian.AppendUint64(b, f.required)
	b = binary.LittleEndian.AppendUint64(b, f.optional)
	b = binary.LittleEndian.AppendUint64(b, uint64(f.dataEnd))
	b = binary.LittleEndian.AppendUint64(b, uint64(f.size))
	for _, s := range f.sections {
		b = binary.LittleEndian.AppendUint16(b, uint16(s.kind))
		b = binary.LittleEndian.AppendUint16(b, s.id)
		b = binary.LittleEndian.AppendUint32(b, s.crc)
		b = binary.LittleEndian.AppendUint64(b, uint64(s.offset))
		b = binary.LittleEndian.AppendUint64(b, uint64(s.length))
	}
	b = b[:PageSize]
	binary.LittleEndian.PutUint32(b[PageSize-4:], encoding.CRC32C(b[:PageSize-4]))
	return b
}

// decodeFooter checks and decodes the page, which begins at offset at.
func decodeFooter(b []byte, at int64, file string) (*footer, error) {
	bad := func(detail string) error { return &CorruptError{File: file, Offset: at, Detail: detail} }
	if string(b[:8]) != magic {
		return nil, bad("footer has no magic: no table, or cut short")
	}
	if binary.LittleEndian.Uint32(b[PageSize-4:]) != encoding.CRC32C(b[:PageSize-4]) {
		return nil, bad("footer checksum does not match")
	}
	f := &footer{
		version:  binary.LittleEndian.Uint32(b[8:]),
		required: binary.LittleEndian.Uint64(b[16:]),
		optional: binary.LittleEndian.Uint64(b[24:]),
		dataEnd:  int64(binary.LittleEndian.Uint64(b[32:])),
		size:     int64(binary.LittleEndian.Uint64(b[40:])),
	}
	if f.version != formatVersion || f.required&^featuresKnown != 0 {
		return nil, &FeatureError{File: file, Version: f.version, Bits: f.required &^ featuresKnown}
	}
	n := binary.LittleEndian.Uint32(b[12:])
	if n > maxSections || f.dataEnd < 0 || f.size < f.dataEnd || f.size > at {
		return nil, bad("footer is out of bounds")
	}
	for i := range int(n) {
		e := b[footerFixed+i*sectionLen:]
		s := section{
			kind: sectionKind(binary.LittleEndian.Uint16(e)), id: binary.LittleEndian.Uint16(e[2:]),
			crc:    binary.LittleEndian.Uint32(e[4:]),
			offset: int64(binary.LittleEndian.Uint64(e[8:])), length: int64(binary.LittleEndian.Uint64(e[16:])),
		}
		if s.offset < f.dataEnd || s.length < 0 || s.offset > f.size || s.length > f.size-s.offset {
			return nil, bad("section is out of bounds")
		}
		f.sections = append(f.sections, s)
	}
	return f, nil
}
