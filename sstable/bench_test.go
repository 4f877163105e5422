package sstable

import (
	"testing"

	"github.com/ilion-db/ilion/bloom"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/sstable/cache"
)

func benchTable(b *testing.B, codec Codec, access AccessMode, size int64) (*Reader, []modelPart) {
	b.Helper()
	fs, name := vfs.OS, b.TempDir()+"/t"
	parts := uniform(100000, 200)
	write(b, fs, name, Options{Codec: codec, Direct: true}, parts)
	blocks := cache.New(size)
	b.Cleanup(blocks.Close)
	r := open(b, fs, name, OpenOptions{Cache: blocks, FileID: 1, Access: access})
	return r, parts
}

func benchmarkPoint(b *testing.B, codec Codec, access AccessMode) {
	r, parts := benchTable(b, codec, access, 128<<20)
	it := r.NewIter(nil, IterOptions{FillCache: true})
	for it.NextPartition() {
	}
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		i = (i + 7919) % len(parts)
		p := &parts[i].head
		it = r.NewIter(it, IterOptions{FillCache: true})
		if !r.MayContain(bloom.HashKey(p.Token.Ordered(), p.Key)) || !it.SeekPartition(p.Token, p.Key) || !it.Next() {
			b.Fatal(it.Err())
		}
		it.Close()
	}
}

func BenchmarkPointHot(b *testing.B)    { benchmarkPoint(b, LZ4, AccessDirect) }
func BenchmarkPointMapped(b *testing.B) { benchmarkPoint(b, None, AccessMmap) }

func benchmarkScan(b *testing.B, codec Codec, fill bool) {
	r, parts := benchTable(b, codec, AccessDirect, 128<<20)
	var it *Iter
	b.ReportAllocs()
	for b.Loop() {
		it = r.NewIter(it, IterOptions{FillCache: fill, ReadAhead: true})
		n := 0
		for it.NextPartition() {
			for it.Next() {
				n++
			}
		}
		if n != len(parts) {
			b.Fatal(it.Err())
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(parts)), "ns/row")
}

func BenchmarkScanHot(b *testing.B)      { benchmarkScan(b, LZ4, true) }
func BenchmarkScanColdRaw(b *testing.B)  { benchmarkScan(b, None, false) }
func BenchmarkScanColdLZ4(b *testing.B)  { benchmarkScan(b, LZ4, false) }
func BenchmarkScanColdZstd(b *testing.B) { benchmarkScan(b, Zstd, false) }

func benchmarkWrite(b *testing.B, codec Codec) {
	fs, name := vfs.OS, b.TempDir()+"/t"
	parts := uniform(100000, 200)
	b.ReportAllocs()
	for b.Loop() {
		write(b, fs, name, Options{Codec: codec, Direct: true}, parts)
		if err := fs.Remove(name); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(parts)), "ns/row")
}

func BenchmarkWriteRaw(b *testing.B) { benchmarkWrite(b, None) }
func BenchmarkWriteLZ4(b *testing.B) { benchmarkWrite(b, LZ4) }
