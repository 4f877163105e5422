package sstable

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/bloom"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
)

// memFile is a file of bytes that can be changed under a reader.
type memFile struct {
	vfs.File
	data *[]byte
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	n := copy(p, (*f.data)[min(int(off), len(*f.data)):])
	if n < len(p) {
		return n, errors.New("short read")
	}
	return n, nil
}
func (f *memFile) Size() (int64, error) { return int64(len(*f.data)), nil }
func (f *memFile) Close() error         { return nil }

type memFS struct {
	vfs.FS
	data []byte
}

func (fs *memFS) Open(string, vfs.OpenOptions) (vfs.File, error) {
	return &memFile{data: &fs.data}, nil
}

// checkDamaged demands the old answer or a clean error.
func checkDamaged(t *testing.T, fs *memFS, parts []modelPart, what string, at int) {
	t.Helper()
	bad := func(err error) {
		var c *CorruptError
		var f *FeatureError
		if errors.As(err, &c) && c.File == "/t" && c.Offset >= 0 && errors.Is(err, ErrCorrupt) && errors.Is(err, mutation.ErrCorrupt) {
			return
		}
		if errors.As(err, &f) && errors.Is(err, ErrFeature) && strings.Contains(err.Error(), "/t") {
			return
		}
		t.Fatalf("%s at %d: %v", what, at, err)
	}
	r, err := Open(fs, "/t", OpenOptions{})
	if err != nil {
		bad(err)
		return
	}
	for _, reverse := range []bool{false, true} {
		if err := scan(r, reverse, parts); err != nil {
			bad(err)
		}
	}
	it := r.NewIter(nil, IterOptions{})
	for i := range parts {
		h := &parts[i].head
		if !r.MayContain(bloom.HashKey(h.Token.Ordered(), h.Key)) {
			t.Fatalf("%s at %d: filter lost %q", what, at, h.Key)
		}
		if !it.SeekPartition(h.Token, h.Key) {
			if it.Err() == nil {
				t.Fatalf("%s at %d: %q is not found", what, at, h.Key)
			}
			bad(it.Err())
			it = r.NewIter(it, IterOptions{})
		} else if err := checkHead(it, &parts[i]); err != nil {
			t.Fatalf("%s at %d: %v", what, at, err)
		}
	}
}

func TestEveryBitFlipped(t *testing.T) {
	codecs := []Codec{None, LZ4, Zstd}
	if invariant.Enabled {
		codecs = codecs[:1]
	}
	for _, codec := range codecs {
		mem := vfs.NewMem()
		o := smallOptions()
		o.Codec, o.MinRatio = codec, 0.1
		parts := smallParts()
		write(t, mem, "/t", o, parts)
		fs := &memFS{data: readFile(t, mem, "/t")}
		for at := range fs.data {
			for bit := range 8 {
				if (at > len(fs.data)-PageSize+512 || invariant.Enabled) && bit != at%8 {
					continue // in the footer's padding one bit a byte will do
				}
				fs.data[at] ^= 1 << bit
				checkDamaged(t, fs, parts, "bit flip", at*8+bit)
				fs.data[at] ^= 1 << bit
			}
		}
		checkDamaged(t, fs, parts, "no damage", 0)
	}
}

func TestEveryLengthCut(t *testing.T) {
	mem := vfs.NewMem()
	parts := smallParts()
	write(t, mem, "/t", smallOptions(), parts)
	whole := readFile(t, mem, "/t")
	for n := range whole {
		checkDamaged(t, &memFS{data: whole[:n]}, parts, "cut", n)
	}
	checkDamaged(t, &memFS{data: append(bytes.Clone(whole), make([]byte, PageSize)...)}, parts, "longer", 0)
}

// TestCutUnderReader cuts a file that is open and mapped.
func TestCutUnderReader(t *testing.T) {
	for _, mode := range []AccessMode{AccessBuffered, AccessDirect, AccessMmap} {
		fs := vfs.OS
		name := t.TempDir() + "/t"
		parts := smallParts()
		write(t, fs, name, smallOptions(), parts)
		r := open(t, fs, name, OpenOptions{Access: mode})
		if err := scan(r, false, parts); err != nil {
			t.Fatal(err)
		}
		f, err := fs.OpenRW(name, vfs.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(f.Truncate(0), f.Close()); err != nil {
			t.Fatal(err)
		}
		err = scan(r, false, parts)
		if err == nil || errors.Is(err, errEarly) || !strings.Contains(err.Error(), name) {
			t.Fatalf("mode %d: %v", mode, err)
		}
	}
}

func TestVerify(t *testing.T) {
	mem := vfs.NewMem()
	parts := smallParts()
	write(t, mem, "/t", smallOptions(), parts)
	r := open(t, mem, "/t", OpenOptions{})
	if err := r.Verify(context.Background()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.Verify(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestWriterRefuses(t *testing.T) {
	d := mutation.Deletion{Timestamp: 1, LocalTime: 2, Set: true}
	for name, f := range map[string]func(w *Writer) error{
		"partition": func(w *Writer) error {
			return w.BeginPartition(&mutation.Partition{Token: 5, Key: []byte("a")})
		},
		"token": func(w *Writer) error {
			return w.BeginPartition(&mutation.Partition{Token: 4, Key: []byte("z")})
		},
	} {
		w, err := NewWriter(vfs.NewMem(), "/t", Options{})
		if err != nil {
			t.Fatal(err)
		}
		err = errors.Join(w.BeginPartition(&mutation.Partition{Token: 5, Key: []byte("b")}),
			w.AddBoundary([]byte("b"), mutation.Deletion{}, d), w.EndPartition())
		if err != nil {
			t.Fatal(err)
		}
		if err := f(w); !errors.Is(err, ErrOrder) {
			t.Errorf("%s: %v", name, err)
		}
		if err := w.Abort(); err != nil {
			t.Error(err)
		}
	}
	fs := vfs.NewMem()
	for _, f := range []func(w *Writer) error{
		func(w *Writer) error { return w.AddRow([]byte("b"), row(1, nil)) },
		func(w *Writer) error { return w.AddRow([]byte("a"), row(1, nil)) },
		func(w *Writer) error { return w.AddBoundary([]byte("c"), mutation.Deletion{}, d) },
	} {
		w, err := NewWriter(fs, "/t", Options{})
		if err != nil {
			t.Fatal(err)
		}
		err = errors.Join(w.BeginPartition(&mutation.Partition{Token: 5, Key: []byte("b")}),
			w.AddBoundary([]byte("b"), mutation.Deletion{}, d))
		if err != nil {
			t.Fatal(err)
		}
		if err := f(w); !errors.Is(err, ErrOrder) {
			t.Errorf("%v", err)
		}
		if _, err := w.Finish(); !errors.Is(err, ErrOrder) {
			t.Error("finished after an error")
		}
		if err := w.Abort(); err != nil {
			t.Error(err)
		}
		if ok, err := vfs.Exists(fs, "/t"); ok || err != nil {
			t.Errorf("file is left after Abort: %v", err)
		}
	}
}
