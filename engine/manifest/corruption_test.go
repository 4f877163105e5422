package manifest

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/vfs"
)

// put writes p as the one manifest of a new file system.
func put(t *testing.T, p []byte) *vfs.Mem {
	t.Helper()
	fs := vfs.NewMem()
	if err := errors.Join(fs.MkdirAll("/m"), vfs.WriteFileAtomic(fs, "/m/"+fileName(1), p)); err != nil {
		t.Fatal(err)
	}
	return fs
}

// TestOpenAfterEveryFlip opens a manifest with each byte damaged: the state is
// all there, the new file has it whole, and it goes on from there.
func TestOpenAfterEveryFlip(t *testing.T) {
	b, states := written(t)
	want := states[len(states)-1]
	for at := range b {
		if in := at % page; (in >= 256 || invariant.Enabled) && in%64 != 0 {
			continue // padding, of which a sample is enough
		}
		b[at] ^= 1 << (at % 8)
		fs := put(t, b)
		b[at] ^= 1 << (at % 8)
		m := mustOpen(t, fs)
		if got := m.State(); !reflect.DeepEqual(got, want) {
			t.Fatalf("byte %d: %+v, want %+v", at, got, want)
		}
		var e Edit
		e.AddFile(tableB, File{ID: 1000, Size: int64(at)})
		if err := m.Apply(&e); err != nil {
			t.Fatal(err)
		}
		after := m.State()
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		m = mustOpen(t, fs)
		if got := m.State(); !reflect.DeepEqual(got, after) || got.Tables[tableB].Files[1000].Size != int64(at) {
			t.Fatalf("byte %d, one edit later: %+v, want %+v", at, got, after)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOpenAfterEveryPageLost zeroes, swaps and repeats pages: an error that
// names the file, or a state that there was.
func TestOpenAfterEveryPageLost(t *testing.T) {
	b, states := written(t)
	for i := range len(b) / page {
		for j := range len(b) / page {
			for _, how := range []string{"zero", "swap", "copy"} {
				d := bytes.Clone(b)
				one, other := d[i*page:(i+1)*page], d[j*page:(j+1)*page]
				switch how {
				case "zero":
					clear(one)
					clear(other)
				case "swap":
					copy(one, b[j*page:])
					copy(other, b[i*page:])
				case "copy":
					copy(one, other)
				}
				m, err := Open(put(t, d), "/m")
				if err != nil {
					var c *CorruptError
					if !errors.As(err, &c) || c.File != "/m/"+fileName(1) || c.Offset < 0 || c.Offset >= int64(len(b)) {
						t.Fatalf("%s pages %d and %d: %v", how, i, j, err)
					}
					continue
				}
				// Only of the last edit may both copies be gone without a word:
				// that is what a write looks like that was never acknowledged.
				got := m.State()
				if n := len(states); !reflect.DeepEqual(got, states[n-1]) && !reflect.DeepEqual(got, states[n-2]) {
					t.Fatalf("%s pages %d and %d: %+v", how, i, j, got)
				}
				if err := m.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
