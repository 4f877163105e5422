package sstable

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/ilion-db/ilion/bloom"
	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/level"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
)

// Meta describes a finished table.
type Meta struct {
	Properties *Properties
	FileSize   int64
}

// Writer writes one table from a stream in order. After an error every call
// returns it; the caller then aborts. A Writer belongs to one goroutine and
// keeps no slice that it is handed.
type Writer struct {
	opt   Options
	fs    vfs.FS
	name  string
	out   *output
	props Properties
	stats collector
	build builder
	comp  compressor
	idx   index
	wide  wideWriter
	keys  []bloom.Hash

	part      mutation.Partition // Key and Static are the writer's own
	token     uint64
	inPart    bool
	placed    bool   // the head is in a block
	last      []byte // clustering of the last item
	hasLast   bool
	open      mutation.Deletion
	lastToken uint64 // of the last block
	body      []byte
	err       error
}

// NewWriter creates the file, which must not exist. The caller syncs the
// directory after Finish.
func NewWriter(fs vfs.FS, name string, o Options) (*Writer, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	out, err := newOutput(fs, name, o.Direct)
	if err != nil {
		return nil, err
	}
	w := &Writer{opt: o, fs: fs, name: name, out: out, props: newProperties()}
	w.comp = compressor{codec: o.Codec, minRatio: o.MinRatio}
	w.stats.p = &w.props
	w.build.reset()
	p := &w.props
	p.Table, p.SchemaEpoch, p.Columns = o.Table, o.SchemaEpoch, o.Columns
	p.HostID, p.RepairedAt, p.PendingRepair = o.HostID, o.RepairedAt, o.PendingRepair
	p.Level, p.FormatLevel, p.LogPositions = o.Level, o.FormatLevel, o.LogPositions
	p.Codec, p.BlockSize, p.FilterFP = o.Codec, uint32(o.BlockSize), o.FilterFP
	return w, nil
}

// Size is the number of bytes written so far, to cut tables by.
func (w *Writer) Size() int64 { return w.out.off + int64(w.build.size) }

func (w *Writer) fail(err error) error {
	if w.err == nil {
		w.err = err
	}
	return w.err
}

// BeginPartition starts a partition behind all before.
func (w *Writer) BeginPartition(p *mutation.Partition) error {
	if w.err != nil {
		return w.err
	}
	invariant.Check(!w.inPart, "sstable: partition begins within another")
	token := p.Token.Ordered()
	if w.props.Counts.Partitions > 0 {
		if token < w.token || token == w.token && bytes.Compare(p.Key, w.part.Key) <= 0 {
			return w.fail(fmt.Errorf("%w: %s: partition %x at token %d", ErrOrder, w.name, p.Key, p.Token))
		}
	}
	if len(p.Key) > mutation.MaxKeyLen || len(p.Static) > maxBlockRaw/2 {
		return w.fail(fmt.Errorf("%w: key of %d bytes, static row of %d", ErrTooLarge, len(p.Key), len(p.Static)))
	}
	w.token = token
	w.part.Token, w.part.Deletion = p.Token, p.Deletion
	w.part.Key = append(w.part.Key[:0], p.Key...)
	w.part.Static = append(w.part.Static[:0], p.Static...)
	w.inPart, w.placed, w.hasLast, w.open = true, false, false, mutation.Deletion{}
	w.last = w.last[:0]
	w.stats.begin(&w.part)
	return nil
}

// AddRow adds a row, encoded by package mutation, behind all items before.
func (w *Writer) AddRow(clustering, row []byte) error {
	if err := w.item(clustering, row); err != nil {
		return err
	}
	meta := newBlockMeta()
	if err := w.stats.row(row, &meta); err != nil {
		return w.fail(fmt.Errorf("sstable: %s: row: %w", w.name, err))
	}
	w.props.Counts.Rows++
	w.stats.rows++
	return w.add(clustering, row, false, &meta)
}

// AddBoundary adds a place where the range deletion in force changes; before
// must be the one that is in force.
func (w *Writer) AddBoundary(clustering []byte, before, after mutation.Deletion) error {
	if err := w.item(clustering, nil); err != nil {
		return err
	}
	if before != w.open {
		return w.fail(fmt.Errorf("%w: %s: boundary %x does not end what is in force", ErrOrder, w.name, clustering))
	}
	meta := newBlockMeta()
	w.body = append(w.body[:0], 0)
	if before.Set {
		w.body[0] |= boundaryBefore
		w.body = appendDeletion(w.body, before)
		w.stats.deletion(before, &meta)
	}
	if after.Set {
		w.body[0] |= boundaryAfter
		w.body = appendDeletion(w.body, after)
		w.stats.deletion(after, &meta)
	}
	w.props.Counts.Boundaries++
	if err := w.add(clustering, w.body, true, &meta); err != nil {
		return err
	}
	w.open = after
	return nil
}

// item checks what rows and boundaries share.
func (w *Writer) item(clustering, row []byte) error {
	if w.err != nil {
		return w.err
	}
	invariant.Check(w.inPart, "sstable: item outside of a partition")
	if w.hasLast && bytes.Compare(clustering, w.last) <= 0 {
		return w.fail(fmt.Errorf("%w: %s: clustering %x after %x", ErrOrder, w.name, clustering, w.last))
	}
	if len(clustering) > mutation.MaxKeyLen || len(row) > maxBlockRaw/2 {
		return w.fail(fmt.Errorf("%w: clustering of %d bytes, row of %d", ErrTooLarge, len(clustering), len(row)))
	}
	return nil
}

// add places an item, and the head before it if it is the first, into the
// open block or, if that is full, into the next.
func (w *Writer) add(clustering, body []byte, isBoundary bool, meta *blockMeta) error {
	if !w.placed {
		if !w.build.empty() && !w.build.fits(w.opt.BlockSize, &w.part, clustering, body) {
			if err := w.cut(false); err != nil {
				return err
			}
		}
		if err := w.placeHead(); err != nil {
			return err
		}
	} else if !w.build.fits(w.opt.BlockSize, nil, clustering, body) {
		if err := w.cut(true); err != nil {
			return err
		}
		w.wide.next(w.last, clustering)
		w.build.addPart(w.token, &w.part, true)
		w.build.meta.openStart = w.open
	}
	w.build.addEntry(clustering, body, isBoundary)
	w.build.meta.merge(meta)
	w.stats.clustering(clustering)
	w.stats.size += uint64(len(clustering) + len(body))
	w.last, w.hasLast = append(w.last[:0], clustering...), true
	return nil
}

func (m *blockMeta) merge(o *blockMeta) {
	m.flags |= o.flags
	m.minTime, m.maxTime = min(m.minTime, o.minTime), max(m.maxTime, o.maxTime)
}

// placeHead puts the partition's head into the open block.
func (w *Writer) placeHead() error {
	meta := newBlockMeta()
	if w.part.Deletion.Set {
		w.props.Counts.PartitionTombstones++
		w.stats.deletion(w.part.Deletion, &meta)
	}
	if len(w.part.Static) > 0 {
		if err := w.stats.row(w.part.Static, &meta); err != nil {
			return w.fail(fmt.Errorf("sstable: %s: static row: %w", w.name, err))
		}
		w.props.Counts.StaticRows++
	}
	if len(w.idx.tokens) == 0 && w.build.empty() {
		w.props.FirstToken, w.props.FirstKey = w.part.Token, bytes.Clone(w.part.Key)
	}
	w.build.addPart(w.token, &w.part, false)
	w.build.meta.merge(&meta)
	if w.opt.FilterFP < 1 {
		w.keys = append(w.keys, bloom.HashKey(w.token, w.part.Key))
	}
	w.wide.begin(len(w.idx.tokens))
	w.placed = true
	return nil
}

// EndPartition ends the partition. One that holds nothing is not written.
func (w *Writer) EndPartition() error {
	if w.err != nil {
		return w.err
	}
	invariant.Check(w.inPart, "sstable: no partition to end")
	w.inPart = false
	if !w.placed {
		if !w.part.Deletion.Set && len(w.part.Static) == 0 {
			return nil
		}
		if !w.build.empty() && !w.build.fits(w.opt.BlockSize, &w.part, nil, nil) {
			if err := w.cut(false); err != nil {
				return err
			}
		}
		if err := w.placeHead(); err != nil {
			return err
		}
	}
	w.wide.end()
	w.stats.end()
	w.props.LastToken = w.part.Token
	w.props.LastKey = append(w.props.LastKey[:0], w.part.Key...)
	return nil
}

// cut writes the open block. With continued its last partition goes on.
func (w *Writer) cut(continued bool) error {
	b := &w.build
	if continued {
		b.meta.flags |= blockContinued
		b.meta.openEnd = w.open
	}
	first, last := b.parts[0].token, b.parts[len(b.parts)-1].token
	clean := b.meta.flags&blockContinues == 0 && (w.idx.blocks() == 0 || first > w.lastToken)
	raw := b.finish()
	if len(raw) > maxBlockRaw || w.out.off > maxOffset-maxBlockRaw || w.idx.blocks() == 1<<32-1 {
		return w.fail(fmt.Errorf("%w: %s: block of %d bytes at %d", ErrTooLarge, w.name, len(raw), w.out.off))
	}
	w.idx.add(first, w.out.off, clean)
	w.lastToken = last
	if w.opt.Cache != nil {
		if h, ok := w.opt.Cache.Reserve(w.opt.FileID, uint64(w.out.off), len(raw)); ok {
			copy(h.Bytes(), raw)
			h.Publish(w.opt.FileID, uint64(w.out.off))
			h.Release()
		}
	}
	codec, stored := w.comp.compress(raw)
	if err := w.out.write(stored); err != nil {
		return w.fail(err)
	}
	var t [trailerLen]byte
	binary.LittleEndian.PutUint32(t[:], uint32(len(raw)))
	t[4] = byte(codec)
	crc := encoding.UpdateCRC32C(encoding.CRC32C(stored), t[:6])
	binary.LittleEndian.PutUint32(t[6:], crc)
	if err := w.out.write(t[:]); err != nil {
		return w.fail(err)
	}
	w.props.RawBytes += uint64(len(raw))
	b.reset()
	return nil
}

// Finish writes the rest, makes the file durable and closes it. After an
// error the caller aborts.
func (w *Writer) Finish() (Meta, error) {
	if w.err != nil {
		return Meta{}, w.err
	}
	invariant.Check(!w.inPart, "sstable: finished within a partition")
	if !w.build.empty() {
		if err := w.cut(false); err != nil {
			return Meta{}, err
		}
	}
	f := footer{version: formatVersion, required: FeatureRowsV1, optional: optionalNone, dataEnd: w.out.off}
	p := &w.props
	w.stats.flushDrops()
	p.Blocks, p.DataBytes = uint64(w.idx.blocks()), uint64(w.out.off)
	if p.Counts.Partitions == 0 {
		p.AllExpire = false
	}
	w.section(&f, sectionWide, w.wide.appendTo(nil))
	if w.opt.FilterFP < 1 {
		filter := bloom.Build(w.opt.FilterLayout, w.keys, w.opt.FilterFP)
		p.FilterBytes = uint64(filter.Bytes())
		w.section(&f, sectionFilter, filter.AppendTo(nil))
	}
	w.section(&f, sectionIndex, w.idx.appendTo(nil))
	w.section(&f, sectionProperties, p.appendTo(nil))
	if p.FormatLevel >= uint32(level.Origins) {
		w.section(&f, sectionOrigin, binary.LittleEndian.AppendUint32(nil, w.opt.CreatedAt))
	}
	f.size = w.out.off
	if pad := int(-w.out.off & (PageSize - 1)); pad > 0 && w.err == nil {
		w.err = w.out.write(make([]byte, pad))
	}
	if w.err == nil {
		w.err = w.out.write(f.encode())
	}
	if w.err != nil {
		return Meta{}, w.err
	}
	size := w.out.off
	out := w.out
	w.out = nil
	if err := out.finish(); err != nil {
		return Meta{}, w.fail(err)
	}
	return Meta{Properties: p, FileSize: size}, nil
}

// section writes a section at a multiple of 8 bytes and notes it.
func (w *Writer) section(f *footer, kind sectionKind, b []byte) {
	if w.err != nil {
		return
	}
	if pad := int(-w.out.off & 7); pad > 0 {
		w.err = w.out.write(make([]byte, pad))
	}
	f.sections = append(f.sections, section{kind: kind, crc: encoding.CRC32C(b), offset: w.out.off, length: int64(len(b))})
	if w.err == nil {
		w.err = w.out.write(b)
	}
}

// Abort gives up the table and removes its file. After Finish succeeded it
// does nothing.
func (w *Writer) Abort() error {
	if w.out == nil {
		if w.err == nil {
			return nil
		}
		return w.fs.Remove(w.name) // the sync failed and the file is closed
	}
	out := w.out
	w.out = nil
	w.fail(fmt.Errorf("sstable: %s: aborted", w.name))
	return out.abort()
}
