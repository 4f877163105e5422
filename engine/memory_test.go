package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"runtime"
	"testing"

	"github.com/ilion-db/ilion/commitlog"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/mem"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/schema"
)

// heapSlack is what the Go heap may grow by in a test of much data.
const heapSlack = 96 << 20

// watch checks that shares and heap stay within their bounds.
type watch struct {
	e    *Engine
	base uint64
}

func newWatch(e *Engine) *watch {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return &watch{e, m.HeapAlloc}
}

func (w *watch) check(t testing.TB) {
	t.Helper()
	// A write that has its place in the log takes memory over the limit: a
	// chunk for each shard that fills up just then.
	if used, limit := w.e.memory.Used(), w.e.memory.Limit(); used > limit+16<<20 {
		t.Fatalf("memtables take %d MiB of %d", used>>20, limit>>20)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	// With invariants everything comes from the heap.
	if m.HeapAlloc > w.base+heapSlack && !invariant.Enabled {
		t.Fatalf("the heap has grown by %d MiB", (m.HeapAlloc-w.base)>>20)
	}
}

// bigPartition writes total bytes into one partition under a budget, reads it
// back, compacts it and reads it again.
func bigPartition(t *testing.T, budget, total int64) {
	const rowSize = 4096
	rows := total / rowSize
	o := testOptions(t, vfs.OS, t.TempDir(), 1)
	o.Budget, o.SegmentSize, o.NoCompaction = mem.NewBudget(budget), 8<<20, false
	o.MemtableSize = min(o.Budget.Share(mem.Memtable).Limit()/2, total/6)
	e := mustOpen(t, o)
	w := newWatch(e)
	rnd := rand.NewSeeded(1)
	value := make([]byte, rowSize)
	c := &bulk{done: make(chan error, 1)}
	c.left.Add(rows)
	for i := range rows {
		for at := 0; at < len(value)/2; at += 8 {
			binary.LittleEndian.PutUint64(value[at:], rnd.Uint64())
		}
		r := insert(0, "big", i, i+1, string(value))
		if err := e.Apply(context.Background(), []mutation.Record{r}, true, c); err != nil {
			t.Fatal(err)
		}
		if i%2000 == 0 {
			w.check(t)
		}
	}
	if err := <-c.done; err != nil {
		t.Fatal(err)
	}
	count := func() {
		t.Helper()
		src, err := e.Read(context.Background(), &mutation.ReadCommand{Table: table0, Keys: []mutation.Key{keyOf("big")}})
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		n := int64(0)
		for src.NextPartition() {
			src.Seek(nil)
			for src.Next() {
				if n++; n%5000 == 0 {
					w.check(t)
				}
			}
		}
		if src.Err() != nil || n != rows {
			t.Fatalf("%d rows of %d, %v", n, rows, src.Err())
		}
	}
	count()
	if s := e.Stats(); s.Flushes == 0 {
		t.Error("nothing was flushed: the test is too small")
	}
	compact(t, e)
	w.check(t)
	count()
	if got := readRow(t, e, pointRead("big", rows/2)); len(got) < rowSize/2 {
		t.Errorf("a row in the middle: %.80q", got)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if used := o.Budget.Share(mem.Metadata).Used(); used != 0 {
		t.Errorf("%d bytes of metadata are still charged", used)
	}
	if used := o.Budget.Share(mem.Memtable).Used(); used != 0 {
		t.Errorf("%d bytes of memtables are still charged", used)
	}
}

func TestBigPartition(t *testing.T) {
	total := int64(200 << 20)
	if testing.Short() || invariant.Enabled {
		total = 40 << 20
	}
	bigPartition(t, 256<<20, total)
}

// manyTombstones deletes n rows of one partition one by one, reads past them
// and purges them.
func manyTombstones(t *testing.T, n int64) {
	o := testOptions(t, vfs.OS, t.TempDir(), 1)
	o.Budget = mem.NewBudget(256 << 20)
	e := mustOpen(t, o)
	defer e.Close()
	w := newWatch(e)
	old := uint32(clock.Real.Now().Unix()) - uint32(schema.DefaultOptions().GCGraceSeconds) - 100
	all := func(record func(i int64) mutation.Record) {
		c := &bulk{done: make(chan error, 1)}
		c.left.Add(n)
		for i := range n {
			if err := e.Apply(context.Background(), []mutation.Record{record(i)}, true, c); err != nil {
				t.Fatal(err)
			}
		}
		if err := <-c.done; err != nil {
			t.Fatal(err)
		}
		w.check(t)
	}
	all(func(i int64) mutation.Record { return insert(0, "queue", i, 1, "v") })
	flush(t, e)
	all(func(i int64) mutation.Record { return deleteRow(0, "queue", i, 2, old) })
	apply(t, e, insert(0, "queue", n, 3, "last"))
	for range 2 {
		if got := dump(t, e, 0, "queue"); len(got) != 1 {
			t.Fatalf("%d rows are left, want 1", len(got))
		}
		flush(t, e)
	}
	compact(t, e)
	w.check(t)
	if got := tombstones(e); got != 0 {
		t.Errorf("%d tombstones after a compaction", got)
	}
	if got := dump(t, e, 0, "queue"); len(got) != 1 {
		t.Errorf("%d rows are left, want 1", len(got))
	}
}

func TestManyTombstones(t *testing.T) {
	n := int64(100_000)
	if testing.Short() || invariant.Enabled {
		n = 20_000
	}
	manyTombstones(t, n)
}

// TestMemoryRefusesAndWaits fills the memtables' share while flushes fail: a
// try is refused, a write waits, and goes on when there is space.
func TestMemoryRefusesAndWaits(t *testing.T) {
	fs := vfs.NewMem()
	f := vfs.NewFault(fs, clock.Real)
	o := testOptions(t, f, "/d", 1)
	o.FS, o.Budget, o.MemtableSize = f, mem.NewBudget(16<<20), 1<<20
	e := mustOpen(t, o)
	defer e.Close()
	armed := f.Add(vfs.Rule{Ops: vfs.OpsOf(vfs.OpCreate), Glob: "*.sst", Err: vfs.ErrIO, Times: -1})
	c := &bulk{done: make(chan error, 1)}
	c.left.Add(1)
	value := string(make([]byte, 10<<10))
	var n int64
	for ; ; n++ {
		c.left.Add(1)
		err := e.TryApply([]mutation.Record{insert(0, "p", n, 1, value)}, true, c)
		if err == nil {
			continue
		}
		c.left.Add(-1)
		if !errors.Is(err, mutation.ErrWouldBlock) {
			t.Fatal(err)
		}
		if e.memory.Used() >= e.memory.Limit() {
			break // else the log's buffer was full
		}
		n--
		runtime.Gosched()
	}
	if used, limit := e.memory.Used(), e.memory.Limit(); used > limit+4<<20 {
		t.Errorf("%d bytes used of %d", used, limit)
	}
	ctx, cancel := context.WithCancel(context.Background())
	waits := make(chan error, 1)
	go func() { waits <- e.Apply(ctx, []mutation.Record{insert(0, "p", -1, 1, "waits")}, true, c) }()
	cancel()
	if err := <-waits; !errors.Is(err, context.Canceled) {
		t.Errorf("a write that waits in vain: %v", err)
	}
	armed.Remove()
	c.left.Add(1)
	if err := e.Apply(context.Background(), []mutation.Record{insert(0, "p", n, 1, "waited")}, true, c); err != nil {
		t.Fatal(err)
	}
	c.Complete(nil)
	if err := <-c.done; err != nil {
		t.Fatal(err)
	}
	if got := int64(len(dump(t, e, 0, "p"))); got != n+1 {
		t.Errorf("%d rows, want %d", got, n+1)
	}
}

// TestMetadataIsCharged sees files' metadata on its share, and taken from the
// cache where it is more than that.
func TestMetadataIsCharged(t *testing.T) {
	o := testOptions(t, vfs.NewMem(), "/d", 1)
	e := mustOpen(t, o)
	apply(t, e, insert(0, "p", 1, 1, "v"))
	flush(t, e)
	charged := e.metadata.Used()
	if charged == 0 {
		t.Error("nothing is charged")
	}
	full := e.cache.Stats().Limit
	e.metadata.Force(e.metadata.Limit() + 8<<20)
	e.limitCache()
	if less := e.cache.Stats().Limit; less > full-(8<<20) {
		t.Errorf("the cache has %d of %d", less, full)
	}
	e.metadata.Release(e.metadata.Limit() + 8<<20)
	e.limitCache()
	if now := e.cache.Stats().Limit; now != full {
		t.Errorf("the cache has %d of %d", now, full)
	}
	apply(t, e, insert(0, "p", 2, 1, "v"))
	flush(t, e)
	compact(t, e)
	if now := e.metadata.Used(); now > charged*3/2 || now < charged/2 {
		t.Errorf("%d bytes are charged for one file, were %d", now, charged)
	}
	e.Close()
	if now := e.metadata.Used(); now != 0 {
		t.Errorf("%d bytes are charged for none", now)
	}
}

// TestRowGrows updates a row until it is far larger than any record: it is
// flushed, read and compacted all the same.
func TestRowGrows(t *testing.T) {
	o := testOptions(t, vfs.NewMem(), "/d", 1)
	o.SegmentSize, o.Sync = 32<<20, commitlog.Periodic
	e := mustOpen(t, o)
	rnd := rand.NewSeeded(1)
	value := make([]byte, 12<<20)
	update := func(column schema.ColumnID) {
		for at := 0; at < len(value); at += 4096 {
			binary.LittleEndian.PutUint64(value[at:], rnd.Uint64())
		}
		var b mutation.Builder
		k := keyOf("p")
		b.Begin(nil, mutation.Header{Table: table0, Timestamp: 1, Token: k.Token, Key: k.Key})
		b.BeginRow(ck(1))
		b.Cell(mutation.Cell{Column: column, Timestamp: 1, Value: value})
		b.EndRow()
		apply(t, e, b.Finish())
	}
	check := func(cells int) {
		t.Helper()
		if got := dump(t, e, 0, "p"); len(got) != cells {
			t.Fatalf("%d cells, want %d", len(got), cells)
		}
	}
	for column := range schema.ColumnID(3) {
		update(3 + column)
	}
	check(3)
	flush(t, e)
	check(3)
	update(6)
	flush(t, e)
	compact(t, e)
	if s := tableStats(t, e); s.Files != 1 {
		t.Errorf("%d files", s.Files)
	}
	check(4)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestMemtablesOfLargeNode keeps memtables to what their references can name,
// however much memory there is.
func TestMemtablesOfLargeNode(t *testing.T) {
	o := testOptions(t, vfs.NewMem(), "/d", 1)
	o.Budget = mem.NewBudget(256 << 30)
	e := mustOpen(t, o)
	defer e.Close()
	if s := e.Stats(); s.MemtableLimit > maxMemtables || e.opts.MemtableSize > maxMemtables*3/4 {
		t.Errorf("memtables take %d, a flush starts at %d", s.MemtableLimit, e.opts.MemtableSize)
	}
}
