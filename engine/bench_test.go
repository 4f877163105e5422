package engine

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/ilion-db/ilion/commitlog"
	"github.com/ilion-db/ilion/internal/mem"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

const benchRows = 100_000

func benchKey(i uint64) []byte { return binary.BigEndian.AppendUint64(nil, i) }

func benchRecord(b *mutation.Builder, dst []byte, i uint64, ts int64, value []byte) mutation.Record {
	key := benchKey(i)
	b.Begin(dst, mutation.Header{Table: table0, Timestamp: ts, Token: ring.Murmur3(key), Key: key})
	b.BeginRow(ck(0))
	b.Marker(mutation.Marker{Timestamp: ts, Set: true})
	b.Cell(mutation.Cell{Column: 3, Timestamp: ts, Value: value})
	b.EndRow()
	return b.Finish()
}

// benchEngine has benchRows partitions of one row, in files or in memory.
func benchEngine(b *testing.B, files bool) *Engine {
	o := testOptions(b, vfs.OS, b.TempDir(), 1)
	o.SegmentSize = 0
	e := mustOpen(b, o)
	b.Cleanup(func() { e.Close() })
	var mb mutation.Builder
	value := make([]byte, 100)
	c := &bulk{}
	c.left.Add(benchRows)
	c.done = make(chan error, 1)
	for i := range uint64(benchRows) {
		if err := e.Apply(context.Background(), []mutation.Record{benchRecord(&mb, nil, i, 1, value)}, true, c); err != nil {
			b.Fatal(err)
		}
	}
	if err := <-c.done; err != nil {
		b.Fatal(err)
	}
	if files {
		flush(b, e)
	}
	return e
}

// bulk completes when all of its writes have.
type bulk struct {
	left atomic.Int64
	done chan error
}

func (c *bulk) Complete(err error) {
	if c.left.Add(-1) == 0 || err != nil {
		c.done <- err
	}
}

// BenchmarkPut is the cost of a write, durable in batches of what comes
// together; the latency of one alone is BenchmarkPutSync.
func BenchmarkPut(b *testing.B) {
	o := testOptions(b, vfs.OS, b.TempDir(), 1)
	o.SegmentSize, o.NoCompaction = 0, false
	e := mustOpen(b, o)
	defer e.Close()
	var mb mutation.Builder
	var rec mutation.Record
	records := make([]mutation.Record, 1)
	value := make([]byte, 100)
	c := &bulk{done: make(chan error, 1)}
	c.left.Add(1)
	b.ReportAllocs()
	i := uint64(0)
	for b.Loop() {
		i++
		rec = benchRecord(&mb, rec[:0], i, 1, value)
		records[0] = rec
		c.left.Add(1)
		if err := e.Apply(context.Background(), records, true, c); err != nil {
			b.Fatal(err)
		}
	}
	c.Complete(nil)
	if err := <-c.done; err != nil {
		b.Fatal(err)
	}
}

// BenchmarkPutSync is the latency of one durable write at a time.
func BenchmarkPutSync(b *testing.B) {
	o := testOptions(b, vfs.OS, b.TempDir(), 1)
	e := mustOpen(b, o)
	defer e.Close()
	var mb mutation.Builder
	value := make([]byte, 100)
	b.ReportAllocs()
	i := uint64(0)
	for b.Loop() {
		i++
		if err := e.ApplySync(context.Background(), benchRecord(&mb, nil, i, 1, value)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	for _, files := range []bool{false, true} {
		b.Run(map[bool]string{false: "memory", true: "files"}[files], func(b *testing.B) {
			e := benchEngine(b, files)
			rnd := rand.NewSeeded(1)
			cmd := &mutation.ReadCommand{Table: table0, Now: 1, Columns: []schema.ColumnID{3}, Keys: make([]mutation.Key, 1), Slices: []mutation.Slice{rowSlice(0)}}
			var key [8]byte
			b.ReportAllocs()
			for b.Loop() {
				binary.BigEndian.PutUint64(key[:], rnd.Uint64N(benchRows))
				cmd.Keys[0] = mutation.Key{Token: ring.Murmur3(key[:]), Key: key[:]}
				src, err := e.Read(context.Background(), cmd)
				if err != nil {
					b.Fatal(err)
				}
				if !src.NextPartition() {
					b.Fatal("not found")
				}
				src.Seek(cmd.Slices[0].Lo)
				if !src.Next() {
					b.Fatal("no row")
				}
				src.Close()
			}
		})
	}
}

// BenchmarkScan reads everything; an operation is a row.
func BenchmarkScan(b *testing.B) {
	for _, files := range []bool{false, true} {
		b.Run(map[bool]string{false: "memory", true: "files"}[files], func(b *testing.B) {
			e := benchEngine(b, files)
			cmd := &mutation.ReadCommand{Table: table0, Now: 1}
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; {
				src, err := e.Read(context.Background(), cmd)
				if err != nil {
					b.Fatal(err)
				}
				for ; n < b.N && src.NextPartition(); n++ {
					src.Seek(nil)
					if !src.Next() {
						b.Fatal(fmt.Sprint("no row: ", src.Err()))
					}
				}
				if src.Err() != nil {
					b.Fatal(src.Err())
				}
				src.Close()
			}
		})
	}
}

// BenchmarkReplay opens a store whose log holds 64 MiB of rows of 100 bytes; a
// gigabyte has to take less than 6 s.
func BenchmarkReplay(b *testing.B) {
	const size = 64 << 20
	o := testOptions(b, vfs.OS, b.TempDir(), 1)
	o.SegmentSize, o.LogSize = 0, 4<<30
	fillLog(b, o, size)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		o.Budget = mem.NewBudget(2 << 30)
		e := mustOpen(b, o)
		b.ReportMetric(float64(e.Replayed().Records), "records")
		b.StopTimer()
		if err := e.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// fillLog leaves a store whose log alone holds so many bytes.
func fillLog(t testing.TB, o Options, size int64) {
	t.Helper()
	// So much memory that nothing is flushed.
	o.Budget, o.Sync = mem.NewBudget(32<<30), commitlog.Periodic
	e := mustOpen(t, o)
	var mb mutation.Builder
	var rec mutation.Record
	value := make([]byte, 100)
	c := &bulk{done: make(chan error, 1)}
	c.left.Add(1)
	records := make([]mutation.Record, 1)
	written := int64(0)
	for i := uint64(0); written < size; i++ {
		rec = benchRecord(&mb, rec[:0], i, 1, value)
		records[0] = rec
		c.left.Add(1)
		if err := e.Apply(context.Background(), records, true, c); err != nil {
			t.Fatal(err)
		}
		written += int64(len(rec))
	}
	c.Complete(nil)
	if err := <-c.done; err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}
