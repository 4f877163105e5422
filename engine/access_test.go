package engine

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/ilion-db/ilion/internal/mem"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/sstable"
)

// roomy is a machine that has memory.
type roomy struct {
	vfs.FS
	room       int64
	prefetched atomic.Int64 // bytes that were asked for
	direct     atomic.Int64 // files that were opened to be read past the page cache
}

func (r *roomy) Memory() int64 { return r.room }

func (r *roomy) Open(name string, o vfs.OpenOptions) (vfs.File, error) {
	if o.Direct {
		r.direct.Add(1)
	}
	f, err := r.FS.Open(name, o)
	return prefetching{f, r}, err
}

type prefetching struct {
	vfs.File
	of *roomy
}

func (p prefetching) Prefetch(off, n int64) { p.of.prefetched.Add(n) }

// ReadCached has everything.
func (p prefetching) ReadCached(b []byte, off int64) bool {
	n, err := p.ReadAt(b, off)
	return err == nil && n == len(b)
}

// noise makes values that cannot be compressed.
type noise uint32

func (x *noise) value(n int) string {
	b := make([]byte, n)
	for i := range b {
		*x = *x*1664525 + 1013904223
		b[i] = byte(*x >> 24)
	}
	return string(b)
}

// Mode auto reads large files through the page cache only if it holds them all
// beside the memory of the process.
func TestAuto(t *testing.T) {
	const budget, file = 512 << 20, 1 << 30
	fs := &roomy{FS: vfs.NewMem()}
	o := testOptions(t, fs, "/d", 1)
	o.Budget = mem.NewBudget(budget)
	e := mustOpen(t, o)
	defer e.Close()
	for _, c := range []struct {
		mode               AccessMode
		room, open, coming int64
		want               sstable.AccessMode
	}{
		{AccessAuto, budget + 2*file, 0, 0, sstable.AccessBuffered},
		{AccessAuto, budget + 2*file - 1, 0, 0, sstable.AccessDirect},
		{AccessAuto, budget + 2*file, 1, 0, sstable.AccessDirect},
		{AccessAuto, budget + 2*file, 0, 1, sstable.AccessDirect},
		{AccessAuto, budget + 2*file, 1, -1, sstable.AccessBuffered},
		{AccessAuto, budget + 4*file, file, 0, sstable.AccessBuffered},
		{AccessAuto, 0, 0, 0, sstable.AccessDirect},
		{AccessDirect, 1 << 50, 0, 0, sstable.AccessDirect},
		{AccessMmap, 1 << 50, 0, 0, sstable.AccessMmap},
	} {
		e.opts.Access, fs.room = c.mode, c.room
		e.fileBytes.Add(c.open)
		e.coming.Add(c.coming)
		if o := e.openOptions(file, 1); o.Access != c.want || o.Populate {
			t.Errorf("mode %d, room %d, %d open, %d coming: access %d, populate %t", c.mode, c.room, c.open, c.coming, o.Access, o.Populate)
		}
		e.fileBytes.Add(-c.open)
		e.coming.Add(-c.coming)
	}
}

// A file that is read through the page cache is asked for there when it was
// written, and is counted as long as it is open.
func TestPrefetch(t *testing.T) {
	fs := &roomy{FS: vfs.NewMem(), room: 1 << 40}
	o := testOptions(t, fs, "/d", 1)
	o.Budget = mem.NewBudget(4 << 20) // no file is small beside it
	e := mustOpen(t, o)
	x := noise(1)
	for c := range int64(16) {
		apply(t, e, insert(0, "p", c, 1, x.value(64<<10)))
	}
	flush(t, e)
	// The first file may be small enough to be mapped.
	files := e.fileBytes.Load()
	if large := files - e.mapped.Load(); large == 0 || fs.prefetched.Load() != large || fs.direct.Load() != 0 {
		t.Errorf("%d bytes of large files, %d were asked for; %d files opened past the page cache", large, fs.prefetched.Load(), fs.direct.Load())
	}
	if got := dump(t, e, 0, "p"); len(got) != 16 {
		t.Errorf("%d rows", len(got))
	}
	for range 2 { // a start has counted all files before it opens the first
		e.Close()
		if n := e.fileBytes.Load(); n != 0 {
			t.Errorf("%d bytes of files after the end", n)
		}
		e = mustOpen(t, o)
		if n := e.coming.Load(); n != 0 || e.fileBytes.Load() != files {
			t.Errorf("%d bytes of files are still to be opened, %d of %d are", n, e.fileBytes.Load(), files)
		}
	}
	if err := e.Compact(t.Context(), table0); err != nil {
		t.Fatal(err)
	}
	if n := e.coming.Load(); n != 0 {
		t.Errorf("%d bytes are said to be replaced after a compaction", n)
	}
	e.Close()
}

// TestTryReadsOfPageCache reads from memory alone what the page cache holds, but
// no more of it at a time than a connection's reader has time for.
func TestTryReadsOfPageCache(t *testing.T) {
	fs := &roomy{FS: vfs.NewMem(), room: 1 << 40}
	o := testOptions(t, fs, "/d", 1)
	o.NoCache = true // flushes fill it
	e := mustOpen(t, o)
	defer e.Close()
	e.cacheLimit = 4 << 20 // so that the file is not mapped
	const wide, single, rows = 16 << 10, 48 << 10, 64
	x := noise(1)
	var keys []mutation.RowKey
	for c := range int64(rows) {
		key := fmt.Sprint("p", c)
		apply(t, e, insert(0, "wide", c, 1, x.value(wide)), insert(0, key, 1, 1, x.value(single)))
		keys = append(keys, mutation.RowKey{Key: keyOf(key), Clustering: ck(1)})
	}
	apply(t, e, insert(0, "small", 1, 1, "v"))
	flush(t, e)
	if n := e.mapped.Load(); n != 0 || fs.direct.Load() != 0 {
		t.Fatalf("%d bytes are mapped, %d files are read past the page cache", n, fs.direct.Load())
	}
	if got, err := tryRows(e, "small"); len(got) != 1 || err != nil {
		t.Errorf("a short read: %v, %v", got, err)
	}
	if got, err := tryRows(e, "wide"); !errors.Is(err, mutation.ErrWouldBlock) || len(got) == 0 || len(got) > tryBytes/wide {
		t.Errorf("a long read: %d rows, %v", len(got), err)
	}
	told := toldRows{}
	e.TryRows(table0, keys, 1000, told)
	if len(told) == 0 || len(told) > rowsBytes/single {
		t.Errorf("%d of %d long rows at once", len(told), rows)
	}
}
