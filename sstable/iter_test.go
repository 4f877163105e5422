package sstable

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ilion-db/ilion/bloom"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/sstable/cache"
)

// uniform makes n partitions of one row with uniform tokens.
func uniform(n, value int) []modelPart {
	r := rand.New(rand.NewPCG(5, 5))
	parts := make([]modelPart, n)
	step := ^uint64(0) / uint64(n+1)
	for i := range parts {
		token := ring.TokenFromOrdered(uint64(i)*step + r.Uint64N(step) + 1)
		v := make([]byte, value)
		for j := range v {
			v[j] = byte('a' + r.IntN(12))
		}
		parts[i] = modelPart{
			head:  mutation.Partition{Token: token, Key: fmt.Appendf(nil, "user%012d", r.IntN(1e9))},
			items: []mutation.Item{{Kind: mutation.ItemRow, Clustering: []byte{}, Row: row(int64(i+1)*11, v)}},
		}
	}
	return parts
}

func TestLookupAllocatesNothing(t *testing.T) {
	fs := vfs.NewMem()
	parts := uniform(3000, 150)
	write(t, fs, "/t", Options{Codec: LZ4}, parts)
	blocks := cache.New(16 << 20)
	defer blocks.Close()
	r := open(t, fs, "/t", OpenOptions{Cache: blocks, FileID: 1})
	it := r.NewIter(nil, IterOptions{FillCache: true})
	lookup := func(i int) {
		p := &parts[i]
		it = r.NewIter(it, IterOptions{FillCache: true})
		if !r.MayContain(bloom.HashKey(p.head.Token.Ordered(), p.head.Key)) ||
			!it.SeekPartition(p.head.Token, p.head.Key) || !it.Next() || !bytes.Equal(it.Item().Row, p.items[0].Row) {
			t.Fatalf("lookup %d: %v", i, it.Err())
		}
		it.Close()
	}
	for i := range parts {
		lookup(i)
	}
	i := 0
	if n := testing.AllocsPerRun(1000, func() { lookup(i * 7 % len(parts)); i++ }); n != 0 {
		t.Errorf("%v allocations a lookup", n)
	}
}

func TestCacheOnly(t *testing.T) {
	fs := vfs.NewMem()
	parts := uniform(500, 150)
	write(t, fs, "/t", Options{}, parts)
	blocks := cache.New(16 << 20)
	defer blocks.Close()
	r := open(t, fs, "/t", OpenOptions{Cache: blocks, FileID: 1})
	p := &parts[250]
	it := r.NewIter(nil, IterOptions{CacheOnly: true})
	if it.SeekPartition(p.head.Token, p.head.Key) || !errors.Is(it.Err(), mutation.ErrWouldBlock) {
		t.Fatal(it.Err())
	}
	if it.NextPartition() || it.Next() || !errors.Is(it.Err(), mutation.ErrWouldBlock) {
		t.Fatal("went on after an error")
	}
	it = r.NewIter(it, IterOptions{FillCache: true})
	if !it.SeekPartition(p.head.Token, p.head.Key) {
		t.Fatal(it.Err())
	}
	it = r.NewIter(it, IterOptions{CacheOnly: true})
	if !it.SeekPartition(p.head.Token, p.head.Key) || !it.Next() {
		t.Fatal(it.Err())
	}
	it = r.NewIter(it, IterOptions{CacheOnly: true})
	if it.NextPartition() || !errors.Is(it.Err(), mutation.ErrWouldBlock) {
		t.Fatal(it.Err())
	}
	it.Close()
}

// pageCache is a file system all of whose files are in the page cache if held.
type pageCache struct {
	vfs.FS
	held *bool
}

func (fs pageCache) Open(name string, o vfs.OpenOptions) (vfs.File, error) {
	f, err := fs.FS.Open(name, o)
	return pageCachedFile{f, fs.held}, err
}

type pageCachedFile struct {
	vfs.File
	held *bool
}

func (f pageCachedFile) ReadCached(p []byte, off int64) bool {
	if !*f.held {
		return false
	}
	n, err := f.ReadAt(p, off)
	return err == nil && n == len(p)
}

// What the page cache holds is not waited for, and need not be in ours.
func TestCacheOnlyOfPageCache(t *testing.T) {
	held, left := true, 1<<20
	fs := pageCache{vfs.NewMem(), &held}
	parts := uniform(500, 150)
	write(t, fs, "/t", Options{Codec: LZ4}, parts)
	blocks := cache.New(16 << 20)
	defer blocks.Close()
	r := open(t, fs, "/t", OpenOptions{Cache: blocks, FileID: 1})
	it := r.NewIter(nil, IterOptions{CacheOnly: true, PageCache: &left})
	if err := checkScan(rand.New(rand.NewPCG(1, 1)), it, parts, false, false); err != nil {
		t.Fatal(err)
	}
	held = false
	it = r.NewIter(it, IterOptions{CacheOnly: true, PageCache: &left})
	if it.NextPartition() || !errors.Is(it.Err(), mutation.ErrWouldBlock) {
		t.Fatal(it.Err())
	}
	held = true
	it = r.NewIter(it, IterOptions{CacheOnly: true, PageCache: &left, FillCache: true})
	if err := checkScan(rand.New(rand.NewPCG(1, 1)), it, parts, false, false); err != nil {
		t.Fatal(err)
	}
	held = false
	it = r.NewIter(it, IterOptions{CacheOnly: true, PageCache: &left})
	if err := checkScan(rand.New(rand.NewPCG(1, 1)), it, parts, false, false); err != nil {
		t.Fatal(err)
	}
	it.Close()
}

// TestPageCacheIsBounded takes no more out of the page cache than it may: neither
// many blocks, nor one that is long or decodes to what is.
func TestPageCacheIsBounded(t *testing.T) {
	held := true
	fs := pageCache{vfs.NewMem(), &held}
	const value = 150
	many := uniform(500, value)
	write(t, fs, "/many", Options{Codec: LZ4}, many)
	r := open(t, fs, "/many", OpenOptions{})
	left, n := 3*defaultBlockSize, 0
	var it *Iter
	for range 2 { // the second one finds what the first has left
		it = r.NewIter(it, IterOptions{CacheOnly: true, PageCache: &left})
		for it.NextPartition() {
			n++
		}
		if !errors.Is(it.Err(), mutation.ErrWouldBlock) || n == 0 || n*value > 3*defaultBlockSize {
			t.Errorf("%d partitions: %v", n, it.Err())
		}
	}
	if it = r.NewIter(it, IterOptions{CacheOnly: true}); it.NextPartition() || !errors.Is(it.Err(), mutation.ErrWouldBlock) {
		t.Errorf("without leave: %v", it.Err())
	}
	it.Close()

	large := modelPart{head: mutation.Partition{Token: 1, Key: []byte("k")}, items: []mutation.Item{
		{Kind: mutation.ItemRow, Clustering: []byte{}, Row: row(1, bytes.Repeat([]byte("large row "), 100_000))}}}
	for _, codec := range []Codec{None, Zstd} {
		write(t, fs, "/"+codec.String(), Options{Codec: codec}, []modelPart{large})
		r := open(t, fs, "/"+codec.String(), OpenOptions{})
		left := 100 << 10
		it := r.NewIter(nil, IterOptions{CacheOnly: true, PageCache: &left})
		if it.NextPartition() || !errors.Is(it.Err(), mutation.ErrWouldBlock) {
			t.Errorf("%v: %v", codec, it.Err())
		}
		if n := cap(it.src.stored) + cap(it.src.raw); n > 200<<10 {
			t.Errorf("%v: %d bytes were allocated", codec, n)
		}
		left = 4 << 20
		it = r.NewIter(it, IterOptions{CacheOnly: true, PageCache: &left})
		if !it.NextPartition() || !it.Next() || !bytes.Equal(it.Item().Row, large.items[0].Row) {
			t.Errorf("%v: %v", codec, it.Err())
		}
		it.Close()
	}
}

// TestLongMappedBlockIsLeft leaves a block of a mapping that is long, or decodes to
// what is, to whom nobody waits for.
func TestLongMappedBlockIsLeft(t *testing.T) {
	fs := vfs.NewMem()
	for _, codec := range []Codec{None, Zstd} {
		for n, long := range map[int]bool{maxInline / 2: false, 2 * maxInline: true} {
			name := fmt.Sprintf("/%v%d", codec, n)
			want := modelPart{head: mutation.Partition{Token: 1, Key: []byte("k")}, items: []mutation.Item{
				{Kind: mutation.ItemRow, Clustering: []byte{}, Row: row(1, bytes.Repeat([]byte("large row "), n/10))}}}
			write(t, fs, name, Options{Codec: codec}, []modelPart{want})
			r := open(t, fs, name, OpenOptions{Access: AccessMmap})
			it := r.NewIter(nil, IterOptions{CacheOnly: true})
			if it.NextPartition() == long || errors.Is(it.Err(), mutation.ErrWouldBlock) != long {
				t.Errorf("%v block of %d bytes: %v", codec, n, it.Err())
			}
			it = r.NewIter(it, IterOptions{})
			if !it.NextPartition() || !it.Next() || !bytes.Equal(it.Item().Row, want.items[0].Row) {
				t.Errorf("%v block of %d bytes: %v", codec, n, it.Err())
			}
			it.Close()
		}
	}
}

// TestIteratorGoesFromModeToMode reads files with iterators that have read files
// of other modes, as the engine's do: a direct read needs memory that is aligned.
func TestIteratorGoesFromModeToMode(t *testing.T) {
	held, left := true, 1<<30
	fs := pageCache{vfs.NewMem(), &held}
	parts := uniform(500, 150)
	write(t, fs, "/large", Options{BlockSize: 9 << 10}, parts) // no multiple of a page
	write(t, fs, "/small", Options{}, parts)
	direct := open(t, fs, "/small", OpenOptions{Access: AccessDirect})
	if !direct.direct {
		t.Fatal("no direct reads")
	}
	for _, mode := range []AccessMode{AccessBuffered, AccessMmap} {
		for _, cacheOnly := range []bool{false, true} {
			r := open(t, fs, "/large", OpenOptions{Access: mode})
			// Some memory is aligned by chance, but not that of all.
			for i := range 10 {
				it := r.NewIter(nil, IterOptions{CacheOnly: cacheOnly, PageCache: &left})
				if err := checkScan(rand.New(rand.NewPCG(1, 1)), it, parts, false, false); err != nil {
					t.Fatal(err)
				}
				it = direct.NewIter(it, IterOptions{})
				defer it.Close()
				if err := checkScan(rand.New(rand.NewPCG(1, 1)), it, parts, false, false); err != nil {
					t.Fatalf("mode %d, cache only: %t, iterator %d: %v", mode, cacheOnly, i, err)
				}
			}
		}
	}
}

func TestCacheFilledOnWrite(t *testing.T) {
	fs := vfs.NewMem()
	parts := uniform(500, 150)
	blocks := cache.New(16 << 20)
	defer blocks.Close()
	write(t, fs, "/t", Options{Codec: LZ4, Cache: blocks, FileID: 8}, parts)
	r := open(t, fs, "/t", OpenOptions{Cache: blocks, FileID: 8})
	it := r.NewIter(nil, IterOptions{CacheOnly: true})
	rng := rand.New(rand.NewPCG(1, 1))
	if err := checkScan(rng, it, parts, false, false); err != nil {
		t.Fatal(err)
	}
	it.Close()
}

// TestLargeRows: rows of up to 16 MiB among small ones.
func TestLargeRows(t *testing.T) {
	for _, codec := range []Codec{None, LZ4, Snappy, Zstd} {
		fs := vfs.NewMem()
		p := modelPart{head: mutation.Partition{Token: 1, Key: []byte("k")}}
		for i, n := range []int{10, 70000, 10, 16 << 20, 20, 1 << 20, 5} {
			p.items = append(p.items, mutation.Item{Kind: mutation.ItemRow, Clustering: []byte{byte(i)},
				Row: row(int64(i), bytes.Repeat([]byte("large row "), n/10))})
		}
		q := modelPart{head: mutation.Partition{Token: 2, Key: []byte("k"), Static: row(5, make([]byte, 100000))}}
		parts := []modelPart{p, q}
		write(t, fs, "/t", Options{Codec: codec, Direct: true}, parts)
		blocks := cache.New(8 << 20)
		for _, mode := range []AccessMode{AccessBuffered, AccessDirect, AccessMmap} {
			r := open(t, fs, "/t", OpenOptions{Cache: blocks, FileID: uint64(mode), Access: mode})
			for _, reverse := range []bool{false, true} {
				if err := scan(r, reverse, parts); err != nil {
					t.Fatalf("%v: %v", codec, err)
				}
			}
			if err := r.Verify(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		blocks.Close()
	}
}

// TestWideSeekReadsFewBlocks counts blocks that seeks in a wide partition read.
func TestWideSeekReadsFewBlocks(t *testing.T) {
	fs := vfs.NewMem()
	p := modelPart{head: mutation.Partition{Token: 1, Key: []byte("k")}}
	for i := range 20000 {
		p.items = append(p.items, mutation.Item{Kind: mutation.ItemRow,
			Clustering: binary.BigEndian.AppendUint32(nil, uint32(2*i)), Row: row(int64(i), []byte("value of a row"))})
	}
	parts := []modelPart{p, {head: mutation.Partition{Token: 2, Key: []byte("k"), Deletion: mutation.Deletion{Set: true}}}}
	write(t, fs, "/t", Options{}, parts)
	for _, reverse := range []bool{false, true} {
		for i := 1; i < 20000; i += 777 {
			blocks := cache.New(8 << 20)
			r := open(t, fs, "/t", OpenOptions{Cache: blocks, FileID: 1})
			it := r.NewIter(nil, IterOptions{Reverse: reverse, FillCache: true})
			if !it.SeekPartition(1, []byte("k")) {
				t.Fatal(it.Err())
			}
			it.Seek(p.items[i].Clustering)
			want := i
			if reverse {
				want--
			}
			if !it.Next() || !bytes.Equal(it.Item().Clustering, p.items[want].Clustering) {
				t.Fatalf("seek to %d", i)
			}
			if n := blocks.Stats().Inserts; n > 3 {
				t.Fatalf("reverse %v, row %d: %d blocks read", reverse, i, n)
			}
			if !it.NextPartition() || it.Partition().Token != 2 {
				t.Fatal(it.Err())
			}
			it.Close()
			blocks.Close()
		}
	}
}

func TestProperties(t *testing.T) {
	fs := vfs.NewMem()
	m := write(t, fs, "/t", smallOptions(), smallParts())
	r := open(t, fs, "/t", OpenOptions{})
	p := r.Properties()
	if fmt.Sprintf("%+v", p) != fmt.Sprintf("%+v", m.Properties) || r.Size() != m.FileSize {
		t.Errorf("read\n%+v\nwrote\n%+v", p, m.Properties)
	}
	if p.FirstToken != -5000 || string(p.FirstKey) != "key-a" || p.LastToken != 1<<40 || string(p.LastKey) != "key-c" {
		t.Errorf("ends: %+v", p)
	}
	want := Counts{Partitions: 4, StaticRows: 1, Rows: 27, Cells: 40, Markers: 28, ExpiringCells: 7,
		PartitionTombstones: 2, CellTombstones: 5, Boundaries: 2}
	if p.Counts != want {
		t.Errorf("%+v", p.Counts)
	}
	if p.MinTimestamp != 33 || p.MaxTimestamp != 1023 || p.AllExpire || p.MinTTL != 60 {
		t.Errorf("times: %+v", p)
	}
	if got := p.DroppableBefore(1 << 31); got != p.Counts.ExpiringCells+p.Counts.Tombstones() {
		t.Errorf("%d droppable", got)
	}
}

func TestUnknownProperties(t *testing.T) {
	p := newProperties()
	p.Unknown = []Unknown{{ID: 99, Value: []byte("of a newer version")}, {ID: 1 << 40, Value: nil}}
	b := p.appendTo(nil)
	q, err := decodeProperties(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(q.appendTo(nil), b) || len(q.Unknown) != 2 {
		t.Errorf("%+v", q.Unknown)
	}
}

func TestHistograms(t *testing.T) {
	var h LogHistogram
	for v := range uint64(100000) {
		i := logBucket(v)
		if BucketMin(i) > v || BucketMin(i+1) <= v {
			t.Fatalf("%d is in bucket %d from %d", v, i, BucketMin(i))
		}
		h.Add(v)
	}
	h.Add(1<<64 - 1)
	if q := h.Quantile(0.5); q < 40000 || q > 50000 {
		t.Errorf("median %d", q)
	}
	var d DropHistogram
	r := rand.New(rand.NewPCG(1, 1))
	for range 100000 {
		d.Add(r.Uint32N(1e8))
	}
	if n := d.Below(5e7); len(d.Bins) > dropBins || n < 40000 || n > 51000 || d.Below(1<<32-1) != 100000 {
		t.Errorf("%d bins, %d below the middle", len(d.Bins), n)
	}
	d.Add(1<<32 - 1)
}

// TestWriteErrors fails every write-side call in turn.
func TestWriteErrors(t *testing.T) {
	parts := uniform(30000, 150) // over two buffers
	if testing.Short() {
		parts = parts[:29000]
	}
	var full *vfs.Mem
	for capacity := int64(0); ; capacity += 700_000 {
		full = vfs.NewMem()
		full.SetCapacity(capacity)
		err := writeAll(full, parts)
		if err == nil {
			break
		}
		if !errors.Is(err, vfs.ErrNoSpace) {
			t.Fatalf("capacity %d: %v", capacity, err)
		}
		if ok, err := vfs.Exists(full, "/t"); ok || err != nil {
			t.Fatalf("file left: %v", err)
		}
	}
	r := open(t, full, "/t", OpenOptions{})
	if err := scan(r, false, parts); err != nil {
		t.Fatal(err)
	}
}

func writeAll(fs vfs.FS, parts []modelPart) error {
	w, err := NewWriter(fs, "/t", Options{})
	if err != nil {
		return err
	}
	for i := range parts {
		p := &parts[i]
		if err := w.BeginPartition(&p.head); err != nil {
			return errors.Join(err, w.Abort())
		}
		if err := w.AddRow(p.items[0].Clustering, p.items[0].Row); err != nil {
			return errors.Join(err, w.Abort())
		}
		if err := w.EndPartition(); err != nil {
			return errors.Join(err, w.Abort())
		}
	}
	if _, err := w.Finish(); err != nil {
		return errors.Join(err, w.Abort())
	}
	return nil
}
