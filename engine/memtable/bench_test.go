package memtable

import (
	"testing"

	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
)

func mix(i uint64) ring.Token { return ring.Token((i + 1) * 0x9e3779b97f4a7c15) }

func BenchmarkPut(b *testing.B) {
	value := make([]byte, 100)
	for _, c := range []struct {
		name       string
		keys, rows uint64
	}{{"partitions", 1 << 40, 1}, {"overwrite10k", 10_000, 1}, {"wide", 1, 1 << 40}, {"rows100", 10_000, 100}} {
		b.Run(c.name, func(b *testing.B) {
			m := New([16]byte{}, &HeapAllocator{})
			defer m.Free()
			var p putter
			key, clustering := make([]byte, 8), make([]byte, 8)
			i := uint64(0)
			b.ReportAllocs()
			for b.Loop() {
				copy(key, be(i%c.keys))
				copy(clustering, be(i/c.keys%c.rows))
				if err := m.Put(p.record(mix(i%c.keys), key, clustering, value, int64(i)), nil); err != nil {
					b.Fatal(err)
				}
				i++
			}
			b.ReportMetric(float64(m.Bytes())/float64(i), "B/put")
		})
	}
}

func BenchmarkGet(b *testing.B) {
	m := New([16]byte{}, &HeapAllocator{})
	defer m.Free()
	var p putter
	const n = 300_000
	for i := range uint64(n) {
		if err := m.Put(p.record(mix(i), be(i), nil, make([]byte, 100), 1), nil); err != nil {
			b.Fatal(err)
		}
	}
	var it Iter
	var key [8]byte
	i := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		k := i * 7919 % n
		for j := range key {
			key[j] = byte(k >> (56 - 8*j))
		}
		if !it.InitKey(m, mix(k), key[:], false) || !it.NextPartition() || !it.Next() {
			b.Fatal("missing")
		}
		it.Close()
		i++
	}
}

func BenchmarkScan(b *testing.B) {
	m := New([16]byte{}, &HeapAllocator{})
	defer m.Free()
	var p putter
	const n = 300_000
	for i := range uint64(n) {
		if err := m.Put(p.record(mix(i), be(i), nil, make([]byte, 100), 1), nil); err != nil {
			b.Fatal(err)
		}
	}
	var it Iter
	for b.Loop() {
		it.Init(m, mutation.PartitionRange{}, false)
		for it.NextPartition() {
			for it.Next() {
			}
		}
		it.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/row")
}

// BenchmarkPutRows applies records of 20 rows of one partition, as a batch
// makes them; an operation is a row.
func BenchmarkPutRows(b *testing.B) {
	const rows = 20
	for _, c := range []struct {
		name string
		keys uint64 // 0: each record has a partition of its own
	}{{"fresh", 0}, {"wide", 1}, {"many", 1000}} {
		b.Run(c.name, func(b *testing.B) {
			m := New([16]byte{}, &HeapAllocator{})
			defer m.Free()
			var mb mutation.Builder
			var buf []byte
			value := make([]byte, 100)
			b.ReportAllocs()
			b.ResetTimer()
			for i := uint64(0); i < uint64(b.N); i += rows {
				k := i
				if c.keys > 0 {
					k = i / rows % c.keys
				}
				mb.Begin(buf, mutation.Header{Timestamp: 1, Token: mix(k), Key: be(k)})
				for j := range uint64(rows) {
					mb.BeginRow(be(i + j))
					mb.Marker(mutation.Marker{Timestamp: 1, Set: true})
					mb.Cell(mutation.Cell{Column: 3, Timestamp: 1, Value: value})
					mb.EndRow()
				}
				buf = mb.Finish()
				if err := m.Put(buf, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
