package engine

import (
	"bytes"
	"math"

	"github.com/ilion-db/ilion/bloom"
	"github.com/ilion-db/ilion/engine/memtable"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/sstable"
)

// TryRows reads many single rows from memory, judging what expires at now in
// seconds: to is told of those of which one place alone has a version that
// counts, or none. Who is not told of a row has to ask TryRead.
func (e *Engine) TryRows(id schema.TableID, keys []mutation.RowKey, now uint32, to mutation.RowReceiver) {
	t, err := e.table(id)
	if err != nil {
		return
	}
	v := t.pin()
	if v == nil {
		return // closed
	}
	defer v.drop()
	r, _ := e.rowReaders.Get().(*rowReader)
	if r == nil {
		r = &rowReader{}
	}
	r.view, r.now, r.columns, r.pageCache = v, now, t.plain.Load().wanted(), rowsBytes
	for first := 0; first < len(keys); first += memtable.RowsAtOnce {
		r.read(e, keys[first:min(first+memtable.RowsAtOnce, len(keys))], first, to)
	}
	e.stats.reads.Add(int64(len(keys)))
	r.view, r.columns = nil, nil
	e.rowReaders.Put(r)
}

// wanted are the columns of a whole row if stopEarly's reasons hold for it.
func (p *plainColumns) wanted() []schema.ColumnID {
	if p.clustering == math.MaxInt || !p.all {
		return nil
	}
	return p.ids
}

// rowReader is the scratch of TryRows. It is pooled.
type rowReader struct {
	view      *view
	now       uint32
	columns   []schema.ColumnID // nil if files must not be left out for being older
	rows      []memtable.Rows   // of each memtable with something in it
	newest    newest
	judged    bool // newest is of the current row
	file      sstable.Iter
	opened    bool // file is
	pageCache int  // bytes that may still be taken from it
	low, high mutation.PartitionBound
}

// read reads at most memtable.RowsAtOnce rows, of which the first is told as
// that number.
func (r *rowReader) read(e *Engine, keys []mutation.RowKey, first int, to mutation.RowReceiver) {
	defer r.close() // also if to panics
	used := 0
	for _, m := range r.view.mems {
		if m.Empty() {
			continue
		}
		if used == len(r.rows) {
			r.rows = append(r.rows, memtable.Rows{})
		}
		r.rows[used].Init(m.Memtable)
		r.rows[used].Find(keys)
		used++
	}
	for i := range keys {
		k := &keys[i]
		row, found := r.inMemory(used, i, k)
		if found {
			row, found = r.inFiles(row, k)
		}
		// What comes from files alone is durable, but that is not worth a look.
		if found && !e.unsynced.has(k.Token) {
			to.Row(first+i, row)
		}
		r.closeFile()
	}
}

// close lets go of the memory that rows were found in.
func (r *rowReader) close() {
	r.closeFile()
	for i := range r.rows {
		r.rows[i].Close()
	}
}

func (r *rowReader) closeFile() {
	if r.opened {
		r.file.Close()
		r.opened = false
	}
}

// inMemory finds a row that at most one memtable holds something of.
func (r *rowReader) inMemory(used, i int, k *mutation.RowKey) (row []byte, found bool) {
	found = true
	holders := 0
	for j := range r.rows[:used] {
		if !r.rows[j].Has(i) {
			continue
		}
		if holders++; holders > 1 {
			return nil, false
		}
		row, found = r.rows[j].Row(i, k.Clustering)
	}
	return row, found
}

// inFiles looks for a row in the files, newest first, unless row is it and they
// are older. There must not be two versions.
func (r *rowReader) inFiles(row []byte, k *mutation.RowKey) (_ []byte, found bool) {
	files := r.view.files
	if len(files) == 0 {
		return row, true
	}
	r.judged = false
	h := bloom.HashKey(k.Token.Ordered(), k.Key.Key)
	for _, f := range files {
		p := f.Properties()
		if k.Token < p.FirstToken || k.Token > p.LastToken {
			continue
		}
		if row != nil && r.older(row, p.MaxTimestamp) {
			break
		}
		if !f.MayContain(h) {
			continue
		}
		if row != nil {
			return nil, false
		}
		var ok bool
		if row, ok = r.inFile(f, k); !ok {
			return nil, false
		}
	}
	return row, true
}

// older tells whether what is at or below ts is of no account beside the row.
func (r *rowReader) older(row []byte, ts int64) bool {
	if len(r.columns) == 0 {
		return false
	}
	if n := &r.newest; !r.judged {
		r.judged = true
		if n.reset(r.columns); !n.add(row, r.now) {
			n.reset(r.columns)
		}
	}
	return r.newest.older(ts)
}

// inFile finds a row in a file if no deletion and no static row belong to it.
func (r *rowReader) inFile(f *file, k *mutation.RowKey) (row []byte, ok bool) {
	r.low = mutation.PartitionBound{Token: k.Token, Key: k.Key.Key}
	r.high = mutation.PartitionBound{Token: k.Token, Key: k.Key.Key, After: true}
	r.closeFile()
	it := &r.file
	f.NewIter(it, sstable.IterOptions{
		Range: mutation.PartitionRange{Start: &r.low, End: &r.high}, CacheOnly: true, PageCache: &r.pageCache, FillCache: true,
	})
	r.opened = true
	if !it.NextPartition() {
		return nil, it.Err() == nil
	}
	if p := it.Partition(); p.Deletion.Set || p.Static != nil {
		return nil, false
	}
	it.Seek(k.Clustering)
	if it.Open().Set {
		return nil, false
	}
	if !it.Next() {
		return nil, it.Err() == nil
	}
	switch item := it.Item(); {
	case item.Kind != mutation.ItemRow:
		return nil, false
	case bytes.Equal(item.Clustering, k.Clustering):
		return item.Row, true
	}
	return nil, true
}
