package memtable

import (
	"bytes"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
)

// TestIsolation writes records that touch many rows, the static row and a
// range deletion of one partition at once, all of one timestamp, and reads
// meanwhile: a partition must never show two of them.
func TestIsolation(t *testing.T) {
	m := newTest(t)
	const partitions, rows, writers = 4, 40, 2
	rounds := 400
	if invariant.Enabled {
		rounds = 100
	}
	var stop atomic.Bool
	var wg, readers sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			var b mutation.Builder
			var buf []byte
			for i := range rounds {
				k := i % partitions
				ts := int64(i*writers + w + 1)
				b.Begin(buf, mutation.Header{Token: ring.Token(k << 61), Key: []byte{byte(k)}})
				b.BeginStatic()
				b.Cell(mutation.Cell{Column: 1, Timestamp: ts, Value: be(uint64(ts))})
				b.EndRow()
				for r := range rows {
					b.BeginRow(be(uint64(r)))
					b.Cell(mutation.Cell{Column: 1, Timestamp: ts, Value: be(uint64(ts))})
					b.EndRow()
				}
				b.DeleteRange(be(1000), be(2000), mutation.Deletion{Timestamp: ts, LocalTime: 1, Set: true})
				buf = b.Finish()
				if err := m.Put(mutation.Record(buf), nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 2 {
		readers.Go(func() {
			var it Iter
			for !stop.Load() {
				it.Init(m, mutation.PartitionRange{}, false)
				for it.NextPartition() {
					checkIsolated(t, &it, rows)
				}
				it.Close()
			}
		})
	}
	wg.Wait()
	stop.Store(true)
	readers.Wait()
}

func checkIsolated(t *testing.T, it *Iter, rows int) {
	stamp := func(row []byte) int64 {
		var r mutation.RowReader
		if r.Init(row) != nil || !r.NextCell() || !bytes.Equal(r.Cell.Value, be(uint64(r.Cell.Timestamp))) {
			t.Errorf("row %x", row)
		}
		return r.Cell.Timestamp
	}
	ts := stamp(it.Partition().Static)
	n := 0
	for it.Next() {
		if item := it.Item(); item.Kind == mutation.ItemBoundary {
			if d := item.Before.Max(item.After); d.Timestamp != ts {
				t.Errorf("boundary of %d in a partition at %d", d.Timestamp, ts)
			}
			continue
		}
		if got := stamp(it.Item().Row); got != ts {
			t.Errorf("row of %d in a partition at %d", got, ts)
		}
		n++
	}
	if n != rows {
		t.Errorf("%d rows, want %d", n, rows)
	}
}

// TestConcurrent lets writers overwrite and add, over splits of shards and
// doublings of directories, while readers look up what must be there.
func TestConcurrent(t *testing.T) {
	m := newTest(t)
	n := 60_000
	if invariant.Enabled {
		n = 15_000
	}
	token := func(i int) ring.Token {
		if i%16 == 0 {
			return ring.Token(i) // crowded
		}
		return ring.Token(uint64(i) * 0x9e3779b97f4a7c15)
	}
	value := make([]byte, 300)
	const writers = 3
	var done [writers]atomic.Int64
	var wg, readers sync.WaitGroup
	var stop atomic.Bool
	for w := range writers {
		wg.Go(func() {
			var p putter
			r := rand.New(rand.NewPCG(uint64(w), 1))
			for i := w; i < n; i += writers {
				for _, k := range []int{i, r.IntN(i + 1)} {
					if err := m.Put(p.record(token(k), be(uint64(k)), be(uint64(k%5)), value, int64(i)), nil); err != nil {
						t.Error(err)
					}
				}
				done[w].Store(int64(i))
			}
		})
	}
	for range 2 {
		readers.Go(func() {
			var it Iter
			r := rand.New(rand.NewPCG(7, 7))
			for !stop.Load() {
				w := r.IntN(writers)
				last := int(done[w].Load())
				if last == 0 {
					continue
				}
				k := w + r.IntN(last/writers+1)/1*writers
				if k > last {
					continue
				}
				if !it.InitKey(m, token(k), be(uint64(k)), false) || !it.NextPartition() || !it.Next() {
					t.Errorf("%d of %d is missing", k, last)
				}
				it.Close()
				if k%500 == 0 {
					scan(t, m)
				}
			}
		})
	}
	wg.Wait()
	stop.Store(true)
	readers.Wait()
	if got := scan(t, m); got != n {
		t.Errorf("%d partitions, want %d", got, n)
	}
}

func scan(t *testing.T, m *Memtable) (n int) {
	var it Iter
	it.Init(m, mutation.PartitionRange{}, false)
	defer it.Close()
	last := ring.MinToken
	for it.NextPartition() {
		if it.Partition().Token < last {
			t.Error("out of order")
		}
		last = it.Partition().Token
		for it.Next() {
			var r mutation.RowReader
			if r.Init(it.Item().Row) != nil || !r.NextCell() || len(r.Cell.Value) != 300 {
				t.Errorf("row %x", it.Item().Row)
			}
		}
		n++
	}
	return n
}

func TestAllocations(t *testing.T) {
	m := newTest(t)
	var p putter
	value := make([]byte, 100)
	key := be(1)
	var recs []mutation.Record
	for i := range 2000 {
		p.buf = nil
		recs = append(recs, p.record(5, key, be(uint64(i%100)), value, int64(i)))
	}
	i := 0
	put := func() {
		if err := m.Put(recs[i%len(recs)], nil); err != nil {
			t.Fatal(err)
		}
		i++
	}
	for range 1000 {
		put()
	}
	if n := testing.AllocsPerRun(900, put); n > 0 {
		t.Errorf("Put: %v allocations", n)
	}
	var it Iter
	get := func() {
		if !it.InitKey(m, 5, key, false) || !it.NextPartition() {
			t.Fatal("missing")
		}
		for it.Next() {
		}
		it.Close()
	}
	if n := testing.AllocsPerRun(100, get); n != 0 {
		t.Errorf("Get: %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() {
		it.Init(m, mutation.PartitionRange{}, true)
		for it.NextPartition() {
			it.Seek(key)
			for it.Next() {
			}
		}
		it.Close()
	}); n != 0 {
		t.Errorf("scan: %v allocations", n)
	}
}
