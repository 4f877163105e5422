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
// is needed that is not cached.
func (e *Engine) TryRead(cmd *mutation.ReadCommand) (mutation.Source, error) {
	if cmd.Keys == nil {
		return nil, mutation.ErrWouldBlock
	}
	return e.open(cmd, true)
}

// Read opens the merged stream of what cmd names: its keys or range, all
// columns. The caller applies slices, limits and liveness, and closes it.
func (e *Engine) Read(ctx context.Context, cmd *mutation.ReadCommand) (mutation.Source, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return e.open(cmd, false)
}

func (e *Engine) open(cmd *mutation.ReadCommand, memoryOnly bool) (mutation.Source, error) {
	t, err := e.table(cmd.Table)
	if err != nil {
		return nil, err
	}
	r, _ := e.readers.Get().(*reader)
	if r == nil {
		r = &reader{}
	}
	r.engine, r.view, r.cmd, r.memoryOnly = e, t.pin(), cmd, memoryOnly
	r.next, r.started = 0, false
	e.stats.reads.Add(1)
	return r, nil
}

// reader is a Source over one view. It is pooled; the iterators in it keep
// their buffers.
type reader struct {
	engine     *Engine
	view       *view
	cmd        *mutation.ReadCommand
	memoryOnly bool

	merge   mutation.Merge
	sources []mutation.Source
	mems    []*memtable.Iter
	files   []*sstable.Iter
	usedMem int
	usedTab int

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
		if r.advance() {
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
		return true
	}
	r.err = r.merge.Err()
	return false
}

// openSources opens every part of the view that may hold something of the
// range, or of the key if that is given.
func (r *reader) openSources(rng mutation.PartitionRange, key *mutation.Key) {
	r.sources = r.sources[:0]
	for _, m := range r.view.mems {
		if m.Empty() {
			continue
		}
		it := r.memIter()
		if key != nil {
			if !it.InitKey(m.Memtable, key.Token, key.Key, r.cmd.Reverse) {
				it.Close()
				r.usedMem--
				continue
			}
		} else {
			it.Init(m.Memtable, rng, r.cmd.Reverse)
		}
		r.sources = append(r.sources, it)
	}
	if key != nil {
		r.openFilesFor(key)
	} else {
		for _, f := range r.view.files {
			it := r.fileIter()
			f.NewIter(it, sstable.IterOptions{Range: rng, Reverse: r.cmd.Reverse, CacheOnly: r.memoryOnly, FillCache: true, ReadAhead: true})
			r.sources = append(r.sources, it)
		}
	}
	r.merge.Init(r.sources, r.cmd.Reverse)
}

// openFilesFor opens the files whose filter does not exclude the key.
func (r *reader) openFilesFor(key *mutation.Key) {
	if len(r.view.files) == 0 {
		return
	}
	r.low = mutation.PartitionBound{Token: key.Token, Key: key.Key}
	r.high = mutation.PartitionBound{Token: key.Token, Key: key.Key, After: true}
	h := bloom.HashKey(key.Token.Ordered(), key.Key)
	for _, f := range r.view.files {
		if !f.MayContain(h) {
			continue
		}
		it := r.fileIter()
		f.NewIter(it, sstable.IterOptions{
			Range:   mutation.PartitionRange{Start: &r.low, End: &r.high},
			Reverse: r.cmd.Reverse, CacheOnly: r.memoryOnly, FillCache: true,
		})
		r.sources = append(r.sources, it)
	}
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
	r.view, r.cmd, r.err = nil, nil, nil
	e := r.engine
	r.engine = nil
	e.readers.Put(r)
}
