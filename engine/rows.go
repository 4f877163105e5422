package engine

import (
	"github.com/ilion-db/ilion/bloom"
	"github.com/ilion-db/ilion/engine/memtable"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/schema"
)

// TryRows reads many single rows from memory: to is told of those that one place
// alone holds, or none. Whoever is not told of has to ask TryRead.
func (e *Engine) TryRows(id schema.TableID, keys []mutation.RowKey, to mutation.RowReceiver) {
	t, err := e.table(id)
	if err != nil {
		return
	}
	v := t.pin()
	if v == nil {
		return // closed
	}
	defer v.drop()
	rr, _ := e.rowReaders.Get().(*rowReader)
	if rr == nil {
		rr = &rowReader{}
	}
	e.stats.reads.Add(int64(len(keys)))
	for first := 0; first < len(keys); first += memtable.RowsAtOnce {
		rr.read(e, v, keys[first:min(first+memtable.RowsAtOnce, len(keys))], first, to)
	}
	e.rowReaders.Put(rr)
}

// rowReader is the scratch of TryRows. It is pooled.
type rowReader struct {
	rows []memtable.Rows // of each memtable with something in it
}

// read reads at most memtable.RowsAtOnce rows, of which the first is told as
// that number.
func (rr *rowReader) read(e *Engine, v *view, keys []mutation.RowKey, first int, to mutation.RowReceiver) {
	used := 0
	for _, m := range v.mems {
		if m.Empty() {
			continue
		}
		if used == len(rr.rows) {
			rr.rows = append(rr.rows, memtable.Rows{})
		}
		rr.rows[used].Init(m.Memtable)
		rr.rows[used].Find(keys)
		used++
	}
	rows := rr.rows[:used]
	for i := range keys {
		if row, whole := one(v, rows, i, &keys[i]); whole && !e.unsynced.has(keys[i].Token) {
			to.Row(first+i, row)
		}
	}
	for i := range rows {
		rows[i].Close()
	}
}

// one finds a row that at most one memtable holds something of, and no file.
func one(v *view, rows []memtable.Rows, i int, k *mutation.RowKey) (row []byte, whole bool) {
	whole = true
	holders := 0
	for j := range rows {
		if !rows[j].Has(i) {
			continue
		}
		if holders++; holders > 1 {
			return nil, false
		}
		row, whole = rows[j].Row(i, k.Clustering)
	}
	if len(v.files) > 0 && whole {
		h := bloom.HashKey(k.Token.Ordered(), k.Key.Key)
		for _, f := range v.files {
			p := f.Properties()
			if p.FirstToken <= k.Token && k.Token <= p.LastToken && f.MayContain(h) {
				return nil, false
			}
		}
	}
	return row, whole
}
