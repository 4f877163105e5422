package engine

import (
	"bytes"
	"errors"

	"github.com/ilion-db/ilion/engine/memtable"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
)

const (
	// fileShare of a run is what a table needs to get a file of its own: the
	// records of small tables are kept together in memtables.
	fileShare = 4
	// foldShare of a table's records in a run may be for a partition that
	// another one is for, too. Where it is more, memtables fold them.
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
	touched byte
}

// replayRow is a row of the record that is being written.
type replayRow struct{ clustering, row []byte }

// store puts a run into memtables or files.
func (s *replayStore) store(run *replayRun) error {
	w := s.workers
	if !w.files {
		return s.put(run, run.records)
	}
	s.sorting = run.sort(s.sorting)
	for all := run.records; len(all) > 0; {
		n, size, folds := 0, 0, 0
		for ; n < len(all) && all[n].table == all[0].table; n++ {
			size += int(all[n].size)
			if n > 0 && all[n].token == all[n-1].token {
				folds++
			}
		}
		if folds*foldShare > n {
			w.unfit.Store(true)
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
	warm := 0
	for at := 0; at < len(records); {
		if at >= warm {
			warm = min(at+replayAhead, len(records))
			s.warm(run, records[at:warm])
		}
		n := 1
		for at+n < len(records) && records[at+n].token == records[at].token {
			n++
		}
		done := false
		if n == 1 {
			var err error
			if done, err = s.copyOne(w, run.record(&records[at])); err != nil {
				return err
			}
		}
		if !done {
			if err := s.fold(w, run, records[at:at+n]); err != nil {
				return err
			}
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

// copyOne writes the one record of its partition, if that can be done row by
// row, and tells whether it can.
func (s *replayStore) copyOne(w *fileWriter, rec mutation.Record) (bool, error) {
	p := mutation.Partition{Token: rec.Token(), Key: rec.Key()}
	s.rows = s.rows[:0]
	e := rec.Entries()
	for e.Next() {
		switch e.Kind {
		case mutation.EntryPartitionDeletion:
			p.Deletion = p.Deletion.Max(e.Deletion)
		case mutation.EntryRow:
			if n := len(s.rows); n > 0 && bytes.Compare(s.rows[n-1].clustering, e.Clustering) >= 0 {
				return false, nil
			}
			s.rows = append(s.rows, replayRow{e.Clustering, e.Row})
		case mutation.EntryStatic:
			if p.Static != nil {
				return false, nil
			}
			p.Static = e.Row
		default:
			return false, nil
		}
	}
	if e.Err() != nil {
		return false, e.Err()
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

// fold writes what the records of one token reconcile to.
func (s *replayStore) fold(w *fileWriter, run *replayRun, records []replayRecord) error {
	t := w.table
	m := t.engine.newMemtable(t.id)
	defer m.Free()
	if err := s.putAll(m, run, records); err != nil {
		return err
	}
	var it memtable.Iter
	it.Init(m, mutation.PartitionRange{}, false)
	defer it.Close()
	return copySource(w, &it)
}
