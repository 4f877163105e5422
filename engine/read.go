package engine

import (
	"context"

	"github.com/ilion-db/ilion/bloom"
	"github.com/ilion-db/ilion/engine/memtable"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/sstable"
)

// TryRead opens what cmd names if it is a read of partitions by key, from
// memory alone: the source's Err is mutation.ErrWouldBlock as soon as a block
// is needed that is neither in the cache nor mapped nor in the page cache, or a
// partition has a write that is not synced.
func (e *Engine) TryRead(cmd *mutation.ReadCommand) (mutation.Source, error) {
	if cmd.Keys == nil || len(cmd.Keys) > tryKeys {
		return nil, mutation.ErrWouldBlock
	}
	return e.open(context.Background(), cmd, true)
}

// A TryRead of more keys or items (rows and boundaries) than these would block,
// and so would one that passes more items of a key that deletions shadow.
const (
	tryKeys  = 16
	tryItems = 256
)

// tryBytes and rowsBytes are how many bytes of blocks a TryRead and a TryRows may
// copy out of the page cache and decode: the caller is a connection's reader, and
// others wait behind it.
const (
	tryBytes  = 512 << 10
	rowsBytes = 2 << 20
)

// Read opens the merged stream of what cmd names: its keys or range, all
// columns. The caller applies slices, limits and liveness, and closes it. A
// partition with a write that is not synced is waited for, until ctx ends.
func (e *Engine) Read(ctx context.Context, cmd *mutation.ReadCommand) (mutation.Source, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return e.open(ctx, cmd, false)
}

// open makes the reader; with memoryOnly it never waits, and ctx is not used.
func (e *Engine) open(ctx context.Context, cmd *mutation.ReadCommand, memoryOnly bool) (mutation.Source, error) {
	t, err := e.table(cmd.Table)
	if err != nil {
		return nil, err
	}
	v := t.pin()
	if v == nil {
		return nil, ErrClosed
	}
	r, _ := e.readers.Get().(*reader)
	if r == nil {
		r = &reader{}
	}
	r.engine, r.view, r.ctx, r.cmd, r.memoryOnly = e, v, ctx, cmd, memoryOnly
	r.next, r.items, r.started, r.single = 0, 0, false, t.single(cmd)
	r.pageCache = tryBytes
	r.table = t
	e.stats.reads.Add(1)
	return r, nil
}

// reader is a Source over one view. It is pooled; the iterators in it keep
// their buffers.
type reader struct {
	engine     *Engine
	table      *table
	view       *view
	ctx        context.Context // of Read, for as long as its Source is open
	cmd        *mutation.ReadCommand
	memoryOnly bool
	single     bool // one row is wanted, see stopEarly

	merge   mutation.Merge
	sources []mutation.Source
	mems    []*memtable.Iter
	holders []*memtable.Memtable // of the sources among mems, with a key
	files   []*sstable.Iter
	usedMem int
	usedTab int

	candidates []*file
	newest     newest
	items      int // read so far
	pageCache  int // bytes that may still be taken from it, if memoryOnly

	next      int                     // key to read next
	low, high mutation.PartitionBound // around it
	started   bool
	err       error
}

// NextPartition implements mutation.Source.
func (r *reader) NextPartition() bool {
	if r.err != nil {
		return false
	}
	if r.cmd.Keys == nil {
		if !r.started {
			r.started = true
			r.openSources(r.cmd.Range, nil)
		}
		return r.advance()
	}
	for r.next < len(r.cmd.Keys) {
		k := &r.cmd.Keys[r.next]
		r.next++
		r.closeSources()
		r.started = true
		r.openSources(mutation.PartitionRange{}, k)
		if r.err == nil && r.advance() {
			return true
		}
		if r.err != nil {
			return false
		}
	}
	return false
}

func (r *reader) advance() bool {
	if r.merge.NextPartition() {
		return r.durable()
	}
	r.err = r.merge.Err()
	return false
}

// openSources opens every part of the view that may hold something of the
// range, or of the key if that is given.
func (r *reader) openSources(rng mutation.PartitionRange, key *mutation.Key) {
	r.sources = r.sources[:0]
	if key != nil {
		r.openKey(key)
	} else {
		r.openRange(rng)
	}
	r.merge.Init(r.sources, r.cmd.Reverse)
	if r.memoryOnly {
		r.merge.Bound(tryItems)
	}
}

func (r *reader) openRange(rng mutation.PartitionRange) {
	for _, m := range r.view.mems {
		if !m.Empty() {
			it := r.memIter()
			it.Init(m.Memtable, rng, r.cmd.Reverse)
			r.sources = append(r.sources, it)
		}
	}
	for _, f := range r.view.files {
		p := f.Properties()
		if rng.Start != nil && p.LastToken < rng.Start.Token || rng.End != nil && p.FirstToken > rng.End.Token || r.outside(p) {
			continue
		}
		it := r.fileIter()
		f.NewIter(it, sstable.IterOptions{Range: rng, Reverse: r.cmd.Reverse, CacheOnly: r.memoryOnly, FillCache: true, ReadAhead: !r.cmd.Reverse})
		r.sources = append(r.sources, it)
	}
}

func (r *reader) openKey(key *mutation.Key) {
	r.holders = r.holders[:0]
	for _, m := range r.view.mems {
		if m.Empty() {
			continue
		}
		it := r.memIter()
		if it.InitKey(m.Memtable, key.Token, key.Key, r.cmd.Reverse) {
			r.sources = append(r.sources, it)
			r.holders = append(r.holders, m.Memtable)
		} else {
			it.Close()
			r.usedMem--
		}
	}
	if len(r.view.files) == 0 {
		return
	}
	r.candidates = r.candidates[:0]
	h := bloom.HashKey(key.Token.Ordered(), key.Key)
	for _, f := range r.view.files {
		p := f.Properties()
		if p.FirstToken <= key.Token && key.Token <= p.LastToken && f.MayContain(h) && !r.outside(p) {
			r.candidates = append(r.candidates, f)
		}
	}
	r.low = mutation.PartitionBound{Token: key.Token, Key: key.Key}
	r.high = mutation.PartitionBound{Token: key.Token, Key: key.Key, After: true}
	if n := len(r.candidates); n > 1 || n == 1 && len(r.sources) > 0 {
		r.stopEarly(key)
	}
	for _, f := range r.candidates {
		it := r.fileIter()
		r.openFile(it, f)
		r.sources = append(r.sources, it)
	}
}

// openFile starts to read the partition between low and high.
func (r *reader) openFile(it *sstable.Iter, f *file) {
	f.NewIter(it, sstable.IterOptions{
		Range:   mutation.PartitionRange{Start: &r.low, End: &r.high},
		Reverse: r.cmd.Reverse, CacheOnly: r.memoryOnly, PageCache: &r.pageCache, FillCache: true,
		ReadAhead: f.wide && !r.single && !r.cmd.Reverse,
	})
}

// outside tells whether a file holds nothing within the clustering ranges that
// are wanted.
func (r *reader) outside(p *sstable.Properties) bool {
	if len(r.cmd.Slices) == 0 || p.Counts.PartitionTombstones > 0 || p.Counts.StaticRows > 0 && r.cmd.Static {
		return false
	}
	for i := range r.cmd.Slices {
		s := &r.cmd.Slices[i]
		// A range deletion that is open at the end has no place there.
		if (len(s.Hi) == 0 || string(p.MinClustering) < string(s.Hi)) &&
			(p.Counts.Boundaries > 0 || string(p.MaxClustering) >= string(s.Lo)) {
			return false
		}
	}
	return true
}

func (r *reader) memIter() *memtable.Iter {
	if r.usedMem == len(r.mems) {
		r.mems = append(r.mems, new(memtable.Iter))
	}
	r.usedMem++
	return r.mems[r.usedMem-1]
}

func (r *reader) fileIter() *sstable.Iter {
	if r.usedTab == len(r.files) {
		r.files = append(r.files, new(sstable.Iter))
	}
	r.usedTab++
	return r.files[r.usedTab-1]
}

func (r *reader) closeSources() {
	for _, s := range r.sources {
		s.Close()
	}
	r.sources = r.sources[:0]
	r.usedMem, r.usedTab = 0, 0
}

// Partition implements mutation.Source.
func (r *reader) Partition() *mutation.Partition { return r.merge.Partition() }

// Seek implements mutation.Source.
func (r *reader) Seek(bound []byte) { r.merge.Seek(bound) }

// Open implements mutation.Source.
func (r *reader) Open() mutation.Deletion { return r.merge.Open() }

// Next implements mutation.Source.
func (r *reader) Next() bool {
	if r.err != nil {
		return false
	}
	if r.items++; r.memoryOnly && r.items > tryItems {
		r.err = mutation.ErrWouldBlock
		return false
	}
	if r.merge.Next() {
		return true
	}
	r.err = r.merge.Err()
	return false
}

// Item implements mutation.Source.
func (r *reader) Item() *mutation.Item { return r.merge.Item() }

// Err implements mutation.Source.
func (r *reader) Err() error { return r.err }

// Close implements mutation.Source.
func (r *reader) Close() {
	if r.view == nil {
		return
	}
	r.closeSources()
	r.view.drop()
	r.view, r.ctx, r.cmd, r.table, r.err = nil, nil, nil, nil, nil
	clear(r.candidates)
	clear(r.holders)
	e := r.engine
	r.engine = nil
	e.readers.Put(r)
}
