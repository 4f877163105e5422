package vfs

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// fileModel is what a file must read as, and what must survive a crash, kept
// in the plainest way.
type fileModel struct {
	cur, durable []byte
	sizes        []int // sizes that cur went through since the last sync
}

func resized(b []byte, size int) []byte {
	out := make([]byte, size)
	copy(out, b)
	return out
}

func (f *fileModel) write(p []byte, off int, sync bool) {
	if end := off + len(p); end > len(f.cur) {
		f.cur = resized(f.cur, end)
		f.sizes = append(f.sizes, end)
	}
	copy(f.cur[off:], p)
	if !sync {
		return
	}
	f.applySizes()
	from := off / grainSize * grainSize
	to := min((off+len(p)+grainSize-1)/grainSize*grainSize, len(f.cur))
	copy(f.durable[from:to], f.cur[from:to])
}

func (f *fileModel) applySizes() {
	for _, s := range f.sizes {
		f.durable = resized(f.durable, s)
	}
	f.sizes = nil
}

func (f *fileModel) truncate(size int) {
	f.cur = resized(f.cur, size)
	f.sizes = append(f.sizes, size)
}

func (f *fileModel) sync() {
	f.durable = bytes.Clone(f.cur)
	f.sizes = nil
}

// possible tells whether every piece of an image is as the piece once was.
func possible(img []byte, seen []map[string]bool) error {
	for g := 0; g*grainSize < len(img); g++ {
		piece := resized(img[g*grainSize:min(len(img), (g+1)*grainSize)], grainSize)
		if !seen[g][string(piece)] {
			return fmt.Errorf("piece %d was never so", g)
		}
	}
	return nil
}

// TestMemModel drives one file with random calls, against the model, over
// generations of clones.
func TestMemModel(t *testing.T) {
	const span = 40 * grainSize
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 5))
		m := newTestMem(t)
		create(t, m, "/d/f", "").Close()
		must(t, m.SyncDir("/d"))
		model := &fileModel{}
		for range 8 {
			seen := make([]map[string]bool, 2*span/grainSize)
			note := func() {
				for _, b := range [][]byte{model.cur, model.durable} {
					b = resized(b, 2*span)
					for g := range seen {
						if seen[g] == nil {
							seen[g] = map[string]bool{string(make([]byte, grainSize)): true}
						}
						seen[g][string(b[g*grainSize:(g+1)*grainSize])] = true
					}
				}
			}
			plain, err := m.OpenRW("/d/f", OpenOptions{})
			must(t, err)
			synced, err := m.OpenRW("/d/f", OpenOptions{DataSync: true})
			must(t, err)
			for range 25 {
				note()
				off, p := r.IntN(span), bytes.Repeat([]byte{byte(1 + r.IntN(255))}, 1+r.IntN(span/3))
				switch k := r.IntN(10); {
				case k < 5:
					writeAt(t, plain, string(p), int64(off))
					model.write(p, off, false)
				case k < 7:
					writeAt(t, synced, string(p), int64(off))
					model.write(p, off, true)
				case k < 8:
					must(t, plain.Truncate(int64(off)))
					if off != len(model.cur) {
						model.truncate(off)
					}
				case k < 9:
					must(t, plain.Sync())
					model.sync()
				}
				note()
				if got := content(t, m, "/d/f"); got != string(model.cur) {
					t.Fatalf("seed %d: reads differ: %d and %d bytes", seed, len(got), len(model.cur))
				}
				if got := after(t, m, 0, "/d/f"); got != string(model.durable) {
					t.Fatalf("seed %d: durable content differs: %d and %d bytes", seed, len(got), len(model.durable))
				}
				if got := after(t, m, 100, "/d/f"); got != string(model.cur) {
					t.Fatalf("seed %d: image of everything differs", seed)
				}
			}
			must(t, plain.Close())
			must(t, synced.Close())
			m = m.CrashClone(CrashOptions{Keep: r.IntN(101), Prefix: r.IntN(4) == 0, Rand: r})
			got := content(t, m, "/d/f")
			if len(got) == len(model.cur) { // a size that survives alone cuts pieces in new ways
				if err := possible([]byte(got), seen); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
			}
			model = &fileModel{cur: []byte(got), durable: []byte(got)}
		}
	}
}
