package engine

import (
	"cmp"
	"slices"
	"sync/atomic"

	"github.com/ilion-db/ilion/engine/memtable"
	"github.com/ilion-db/ilion/sstable"
)

// memory is a memtable with its users: the views that hold it. The arena is
// given back when the last view dies.
type memory struct {
	refs
	*memtable.Memtable
}

func newMemory(m *memtable.Memtable) *memory {
	x := &memory{Memtable: m}
	x.init()
	return x
}

func (m *memory) drop() {
	if m.release() {
		m.Memtable.Free()
	}
}

// file is an open table file with its users: the views that hold it and
// compactions that read it. It is closed, and if obsolete removed, when the
// last one lets go.
type file struct {
	refs
	*sstable.Reader
	id       uint64
	size     int64
	created  uint32 // seconds since 1970, 0 for one of an earlier start that does not say
	engine   *Engine
	path     string
	wide     bool        // partitions take many blocks on average
	metadata int64       // bytes charged
	mapped   int64       // bytes charged to the cache
	obsolete atomic.Bool // the manifest does not name it any more
	fresh    atomic.Bool // nobody has asked for it to be in the page cache yet
}

func (f *file) drop() {
	if !f.release() {
		return
	}
	f.Reader.Close()
	f.engine.discharge(f)
	if f.obsolete.Load() {
		f.engine.removeFile(f.path)
	}
}

// view is what reads of a table see: immutable, replaced as a whole. A reader
// pins it by a count, so that neither memory nor files go away under it.
type view struct {
	refs
	mems  []*memory // newest first; mems[0] takes writes
	files []*file   // by largest timestamp, newest first
}

// newView takes a reference to each part.
func newView(mems []*memory, files []*file) *view {
	v := &view{mems: mems, files: files}
	v.init()
	for _, m := range mems {
		m.acquire()
	}
	for _, f := range files {
		f.acquire()
	}
	newest := func(a, b *file) int {
		return cmp.Compare(b.Properties().MaxTimestamp, a.Properties().MaxTimestamp)
	}
	if !slices.IsSortedFunc(v.files, newest) {
		v.files = slices.Clone(v.files)
		slices.SortStableFunc(v.files, newest)
	}
	return v
}

// drop lets go of a pin, or is the table letting go of an old view.
func (v *view) drop() {
	if !v.release() {
		return
	}
	for _, m := range v.mems {
		m.drop()
	}
	for _, f := range v.files {
		f.drop()
	}
}
