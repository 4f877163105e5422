package sstable

import (
	"encoding/binary"
	"testing"

	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/internal/vfs"
)

// walk reads everything that can be read; only errors may come of it.
func walk(r *Reader) {
	for _, reverse := range []bool{false, true} {
		it := r.NewIter(nil, IterOptions{Reverse: reverse})
		for n := 0; n < 1000 && it.NextPartition(); n++ {
			if n%3 == 1 {
				it.Seek([]byte("row10"))
			}
			for m := 0; m < 1000 && it.Next(); m++ {
				it.Open()
			}
		}
		it.SeekPartition(20, []byte("key-b"))
		it.Seek([]byte("row2"))
		it.Next()
		it.Close()
	}
}

// FuzzBlock decodes a raw block that passed its checksum.
func FuzzBlock(f *testing.F) {
	fs := vfs.NewMem()
	write(f, fs, "/t", smallOptions(), smallParts())
	r := open(f, fs, "/t", OpenOptions{})
	for no := range r.idx.blocks() {
		var s source
		s.reset(r)
		if err := s.load(no); err != nil {
			f.Fatal(err)
		}
		f.Add(append([]byte(nil), s.blk.data...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var b block
		if b.check(data) != nil {
			return
		}
		for i := range b.parts {
			b.part(i)
			b.compareKey(i, []byte("key-b"))
			b.token(i)
			for j := b.firstEntry(i); j < b.firstEntry(i+1); j++ {
				if is, _, body := b.entry(j); is {
					boundary(body)
				}
				b.openAt(b.firstEntry(i), j, true)
			}
			b.lowerEntry(b.firstEntry(i), b.firstEntry(i+1), []byte("row1"))
		}
		for _, x := range []uint64{0, b.first, b.last, b.first/2 + b.last/2, ^uint64(0)} {
			b.lowerToken(x)
		}
	})
}

// FuzzFile changes a table in two places, mends all checksums and reads it:
// what a bug of a writer may leave must not crash a reader.
func FuzzFile(f *testing.F) {
	fs := vfs.NewMem()
	write(f, fs, "/t", originOptions(), smallParts())
	whole := readFile(f, fs, "/t")
	f.Add(uint32(3), uint64(1), uint32(300), uint64(200))
	f.Add(uint32(len(whole)-PageSize+40), uint64(1), uint32(len(whole)-PageSize+50), uint64(200))
	f.Fuzz(func(t *testing.T, a uint32, x uint64, b uint32, y uint64) {
		data := append([]byte(nil), whole...)
		change := func(at uint32, v uint64) {
			p := data[int(at)%(len(data)-8):]
			binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^v)
		}
		change(a, x)
		change(b, y)
		mend(data, whole)
		r, err := Open(&memFS{data: data}, "/t", OpenOptions{})
		if err != nil {
			return
		}
		walk(r)
	})
}

// mend puts right the checksums of blocks, index, sections and footer, where
// they lay in the file before it was changed.
func mend(data, whole []byte) {
	fs := &memFS{data: whole}
	r, err := Open(fs, "/t", OpenOptions{})
	if err != nil {
		panic(err)
	}
	for no := range r.idx.blocks() {
		offset, length := r.idx.at(no)
		b := data[offset : offset+length]
		binary.LittleEndian.PutUint32(b[length-4:], encoding.CRC32C(b[:length-4]))
	}
	for i, s := range r.footer.sections {
		b := data[s.offset : s.offset+s.length]
		if s.kind == sectionIndex {
			binary.LittleEndian.PutUint32(b[len(b)-4:], encoding.CRC32C(b[:len(b)-4]))
		}
		at := len(data) - PageSize + footerFixed + i*sectionLen + 4
		binary.LittleEndian.PutUint32(data[at:], encoding.CRC32C(b))
	}
	page := data[len(data)-PageSize:]
	binary.LittleEndian.PutUint32(page[PageSize-4:], encoding.CRC32C(page[:PageSize-4]))
}

func FuzzProperties(f *testing.F) {
	p := newProperties()
	f.Add(p.appendTo(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := decodeProperties(b); err == nil {
			p.appendTo(nil)
		}
	})
}

func FuzzSections(f *testing.F) {
	fs := vfs.NewMem()
	write(f, fs, "/t", smallOptions(), smallParts())
	whole := readFile(f, fs, "/t")
	r := open(f, fs, "/t", OpenOptions{})
	for _, s := range r.footer.sections {
		f.Add(whole[s.offset:s.offset+s.length], int64(1000))
	}
	f.Fuzz(func(t *testing.T, b []byte, end int64) {
		var x index
		if x.decode(b, end, func(n int) ([]byte, error) { return make([]byte, n), nil }) == nil {
			x.find(77)
			for i := range x.blocks() {
				x.at(i)
			}
		}
		var w wideIndex
		if w.decode(b) == nil && w.check(1<<30) == nil {
			for i := range w.count() {
				first, _, _ := w.entry(i)
				if s := w.of(first); s.blocks > 0 {
					s.find([]byte("row"), true)
				}
			}
		}
	})
}
