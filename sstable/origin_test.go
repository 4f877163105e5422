package sstable

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/internal/level"
	"github.com/ilion-db/ilion/internal/vfs"
)

// originOptions are those of a file of the level that has origins.
func originOptions() Options {
	o := smallOptions()
	o.FormatLevel, o.CreatedAt = uint32(level.Origins), 1_700_000_000
	return o
}

// A file says when it was made from its level on, and is else the same.
func TestGoldenOrigin(t *testing.T) {
	fs := vfs.NewMem()
	write(t, fs, "/t", originOptions(), smallParts())
	got := hexdump(readFile(t, fs, "/t"))
	name := filepath.Join("testdata", "v1-origin.hex")
	if *rewrite {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("format changed:\n%s", got)
	}
	r := open(t, fs, "/t", OpenOptions{})
	if r.CreatedAt() != 1_700_000_000 {
		t.Errorf("created at %d", r.CreatedAt())
	}
	if err := scan(r, false, smallParts()); err != nil {
		t.Error(err)
	}
	if err := r.Verify(context.Background()); err != nil {
		t.Error(err)
	}
	below := originOptions()
	below.FormatLevel = uint32(level.First)
	write(t, fs, "/below", below, smallParts())
	if at := open(t, fs, "/below", OpenOptions{}).CreatedAt(); at != 0 {
		t.Errorf("created at %d below the level", at)
	}
}

// editFooter changes the footer of a file, and its checksum with it.
func editFooter(b []byte, edit func(page []byte)) []byte {
	b = bytes.Clone(b)
	page := b[len(b)-PageSize:]
	edit(page)
	binary.LittleEndian.PutUint32(page[PageSize-4:], encoding.CRC32C(page[:PageSize-4]))
	return b
}

// A reader of the level below passes over the section; one that is not there is
// refused only if the footer requires it.
func TestUnknownSection(t *testing.T) {
	fs := vfs.NewMem()
	write(t, fs, "/t", originOptions(), smallParts())
	b := readFile(t, fs, "/t")
	origin := -1
	for i := range int(binary.LittleEndian.Uint32(b[len(b)-PageSize+12:])) {
		at := footerFixed + i*sectionLen
		if sectionKind(binary.LittleEndian.Uint16(b[len(b)-PageSize+at:])) == sectionOrigin {
			origin = at
		}
	}
	if origin < 0 {
		t.Fatal("no section of the origin")
	}
	later := editFooter(b, func(page []byte) { binary.LittleEndian.PutUint16(page[origin:], 900) })
	writeFile(t, fs, "/later", later)
	r := open(t, fs, "/later", OpenOptions{})
	if r.CreatedAt() != 0 {
		t.Errorf("created at %d", r.CreatedAt())
	}
	if err := scan(r, false, smallParts()); err != nil {
		t.Error(err)
	}
	writeFile(t, fs, "/required", editFooter(later, func(page []byte) { page[16] |= 1 << 7 }))
	if _, err := Open(fs, "/required", OpenOptions{}); !errors.Is(err, ErrFeature) {
		t.Errorf("opened with an unknown required feature: %v", err)
	}
	writeFile(t, fs, "/short", editFooter(b, func(page []byte) {
		offset := binary.LittleEndian.Uint64(page[origin+8:])
		binary.LittleEndian.PutUint32(page[origin+4:], encoding.CRC32C(b[offset:offset+2]))
		binary.LittleEndian.PutUint64(page[origin+16:], 2)
	}))
	if _, err := Open(fs, "/short", OpenOptions{}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("opened with an origin of 2 bytes: %v", err)
	}
}
