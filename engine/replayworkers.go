package engine

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/ilion-db/ilion/mutation"
)

const (
	replayBatch   = 256 << 10 // bytes of records that go to a worker at once
	replayQueue   = 2         // batches that wait for a worker
	maxReplayWork = 8         // workers
)

// replayWorkers put the records of a replay into memtables. Each has a range of
// tokens of its own, so that they seldom meet at a shard's lock. In what order
// records are put does not matter.
//
// All methods belong to the goroutine that reads the log.
type replayWorkers struct {
	filling []*replayRun // of each worker
	queues  []chan *replayRun
	free    chan *replayRun
	busy    sync.WaitGroup // batches that are handed over and not put yet
	running sync.WaitGroup
	failure atomic.Pointer[error]
}

// replayRun is a batch of records, copied, since the log reuses its buffer.
type replayRun struct {
	bytes   []byte
	records []replayRecord
}

type replayRecord struct {
	table *table
	end   int // in bytes
}

func newReplayWorkers(e *Engine) *replayWorkers {
	n := min(runtime.GOMAXPROCS(0), maxReplayWork)
	w := &replayWorkers{filling: make([]*replayRun, n), free: make(chan *replayRun, n*(replayQueue+2))}
	for range n {
		q := make(chan *replayRun, replayQueue)
		w.queues = append(w.queues, q)
		w.running.Go(func() { w.work(q) })
	}
	return w
}

// hand gives a record to the worker of its token.
func (w *replayWorkers) hand(t *table, rec mutation.Record) error {
	i := int(rec.Token().Ordered() >> 32 * uint64(len(w.queues)) >> 32)
	run := w.filling[i]
	if run != nil && len(run.bytes)+len(rec) > replayBatch {
		w.send(i)
		run = nil
	}
	if run == nil {
		if p := w.failure.Load(); p != nil {
			return *p
		}
		run = w.take()
		w.filling[i] = run
	}
	run.bytes = append(run.bytes, rec...)
	run.records = append(run.records, replayRecord{t, len(run.bytes)})
	return nil
}

func (w *replayWorkers) take() *replayRun {
	select {
	case run := <-w.free:
		return run
	default:
		return &replayRun{bytes: make([]byte, 0, replayBatch)}
	}
}

// send hands a worker's batch over, and waits if it has enough.
func (w *replayWorkers) send(i int) {
	w.busy.Add(1)
	w.queues[i] <- w.filling[i]
	w.filling[i] = nil
}

// pause returns when no worker has anything to do. What is still being filled
// goes to the memtables that are there when it is handed over.
func (w *replayWorkers) pause() { w.busy.Wait() }

// close puts what is left, ends the workers and returns the first error.
func (w *replayWorkers) close() error {
	for i, run := range w.filling {
		if run != nil {
			w.send(i)
		}
	}
	for _, q := range w.queues {
		close(q)
	}
	w.running.Wait()
	if p := w.failure.Load(); p != nil {
		return *p
	}
	return nil
}

// work is a worker.
func (w *replayWorkers) work(q chan *replayRun) {
	var records []mutation.Record
	for run := range q {
		if w.failure.Load() == nil {
			if err := run.put(&records); err != nil {
				w.failure.CompareAndSwap(nil, &err)
			}
		}
		w.busy.Done()
		if cap(run.bytes) > replayBatch {
			continue // a large record has made it so
		}
		run.bytes = run.bytes[:0]
		clear(run.records)
		run.records = run.records[:0]
		select {
		case w.free <- run:
		default:
		}
	}
}

// put puts the records, those of one table together.
func (r *replayRun) put(buf *[]mutation.Record) error {
	from, at := 0, 0
	for at < len(r.records) {
		t := r.records[at].table
		records := (*buf)[:0]
		for ; at < len(r.records) && r.records[at].table == t; at++ {
			to := r.records[at].end
			records = append(records, r.bytes[from:to:to])
			from = to
		}
		*buf = records
		if err := t.current.Load().mems[0].PutAll(records); err != nil {
			return err
		}
	}
	return nil
}
