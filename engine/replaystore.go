package engine

import (
	"bytes"
	"errors"
	"slices"

	"github.com/ilion-db/ilion/engine/memtable"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
)

const (
	// fileShare of a run is what a table needs to get a file of its own: the
	// records of small tables are kept together in memtables.
	fileShare = 4
	// foldShare of a table's records in a run may need to be reconciled with
	// others. Where it is more, memtables do that better.
	foldShare = 4
	// replayAhead is how many records are brought into the cache together.
	replayAhead = 16
)

// replayStore is what a worker needs to store runs.
type replayStore struct {
	workers *replayWorkers
	records []mutation.Record
	rows    []replayRow
	sorting []replayRecord
	folded  int // records of the file that is being written that fold took
	touched byte
}

// replayRow is a row of the record that is being written.
type replayRow struct{ clustering, row []byte }

func (r replayRow) compare(o replayRow) int { return bytes.Compare(r.clustering, o.clustering) }

// store puts a run into memtables or files.
func (s *replayStore) store(run *replayRun) error {
	w := s.workers
	if !w.files {
		return s.put(run, run.records)
	}
	s.sorting = run.sort(s.sorting)
	for all := run.records; len(all) > 0; {
		n, size := 0, 0
		for ; n < len(all) && all[n].table == all[0].table; n++ {
			size += int(all[n].size)
		}
		err := s.storeTable(run, all[:n], w.unfit.Load() || size*fileShare < w.size)
		if err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

// storeTable stores the records of one table. On a full disk memtables have
// to do.
func (s *replayStore) storeTable(run *replayRun, records []replayRecord, memtables bool) error {
	if !memtables {
		err := s.write(run, records)
		if !errors.Is(err, vfs.ErrNoSpace) {
			return err
		}
		s.workers.unfit.Store(true)
	}
	return s.put(run, records)
}

// put puts records into memtables, those of one table together.
func (s *replayStore) put(run *replayRun, all []replayRecord) error {
	for len(all) > 0 {
		t := run.tables[all[0].table]
		n := 0
		for n < len(all) && all[n].table == all[0].table {
			n++
		}
		if err := s.putAll(t.current.Load().mems[0].Memtable, run, all[:n]); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

func (s *replayStore) putAll(m *memtable.Memtable, run *replayRun, records []replayRecord) error {
	s.records = s.records[:0]
	for i := range records {
		s.records = append(s.records, run.record(&records[i]))
	}
	return m.PutAll(s.records)
}

// write writes the records of one table, which are sorted, as a table file. The
// table's mark stays, as with a flush during a replay.
func (s *replayStore) write(run *replayRun, records []replayRecord) error {
	t := run.tables[records[0].table]
	e := t.engine
	started := e.opts.Clock.Mono()
	w := e.newFileWriter(t)
	w.cold = true
	if err := s.copy(w, run, records); err != nil {
		w.abort()
		return err
	}
	if s.folded*foldShare > len(records) {
		s.workers.unfit.Store(true)
	}
	files, err := w.finish()
	if err != nil {
		return err
	}
	t.change <- struct{}{}
	defer func() { <-t.change }()
	size, err := t.nameFiles(files, nil)
	if err != nil {
		return err
	}
	// The file has the tokens of one worker only.
	t.noteFlush(size * int64(len(s.workers.queues)))
	v := t.current.Load()
	t.publish(v.mems, append(v.files[:len(v.files):len(v.files)], files...))
	e.stats.flushes.Add(1)
	e.stats.flushNanos.Add(int64(e.opts.Clock.Mono() - started))
	return nil
}

// copy streams sorted records of one table into w.
func (s *replayStore) copy(w *fileWriter, run *replayRun, records []replayRecord) error {
	s.folded = 0
	for at, warm := 0, 0; at < len(records); {
		if at >= warm {
			if p := s.workers.failure.Load(); p != nil {
				return *p
			}
			warm = min(at+replayAhead, len(records))
			s.warm(run, records[at:warm])
		}
		n := 1
		for at+n < len(records) && records[at+n].token == records[at].token {
			n++
		}
		done, err := s.copyRows(w, run, records[at:at+n])
		if err == nil && !done {
			s.folded += n
			err = s.fold(w, run, records[at:at+n])
		}
		if err != nil {
			return err
		}
		at += n
	}
	return nil
}

// warm brings records into the cache: they lie in the order of the log, and
// the loads of several do not wait for each other.
func (s *replayStore) warm(run *replayRun, records []replayRecord) {
	for i := range records {
		rec := run.record(&records[i])
		for off := 0; off < len(rec) && off < 256; off += 64 {
			s.touched += rec[off]
		}
	}
}

// copyRows writes records of one token, if they are of one partition and no two
// of them have the same row, and tells whether they are so.
func (s *replayStore) copyRows(w *fileWriter, run *replayRun, records []replayRecord) (bool, error) {
	first := run.record(&records[0])
	p := mutation.Partition{Token: first.Token(), Key: first.Key()}
	s.rows = s.rows[:0]
	for i := range records {
		rec := run.record(&records[i])
		if i > 0 && !bytes.Equal(rec.Key(), p.Key) {
			return false, nil
		}
		if apart, err := s.gather(&p, rec); err != nil || !apart {
			return false, err
		}
	}
	// Rows of one partition were mostly written in their order.
	if !slices.IsSortedFunc(s.rows, replayRow.compare) {
		slices.SortFunc(s.rows, replayRow.compare)
	}
	for i := 1; i < len(s.rows); i++ {
		if s.rows[i-1].compare(s.rows[i]) == 0 {
			return false, nil
		}
	}
	if err := w.BeginPartition(&p); err != nil {
		return false, err
	}
	for _, r := range s.rows {
		if err := w.AddRow(r.clustering, r.row); err != nil {
			return false, err
		}
	}
	return true, w.EndPartition()
}

// gather adds what a record holds to p and rows, unless it has to be reconciled
// with what is there.
func (s *replayStore) gather(p *mutation.Partition, rec mutation.Record) (apart bool, err error) {
	e := rec.Entries()
	for e.Next() {
		switch {
		case e.Kind == mutation.EntryPartitionDeletion:
			p.Deletion = p.Deletion.Max(e.Deletion)
		case e.Kind == mutation.EntryRow:
			s.rows = append(s.rows, replayRow{e.Clustering, e.Row})
		case e.Kind == mutation.EntryStatic && p.Static == nil:
			p.Static = e.Row
		default:
			return false, nil
		}
	}
	return e.Err() == nil, e.Err()
}

// fold writes what the records of one token reconcile to.
func (s *replayStore) fold(w *fileWriter, run *replayRun, records []replayRecord) error {
	t := w.table
	m := t.engine.newMemtable(t.id)
	defer invariant.Release(m.Free)
	if err := s.putAll(m, run, records); err != nil {
		return err
	}
	var it memtable.Iter
	it.Init(m, mutation.PartitionRange{}, false)
	defer invariant.Release(it.Close)
	return copySource(w, &it)
}
