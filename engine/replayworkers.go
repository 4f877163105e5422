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
	minReplayRun  = 64 << 10  // bytes
	// maxReplayRuns bounds the runs that are filled at the same time, in bytes.
	maxReplayRuns = 128 << 20
)

// replayWorkers store the records of a replay. Each has a range of tokens of
// its own, so that they seldom meet at a shard's lock. In what order records
// are stored does not matter.
//
// A log that fits into the memtables goes there, in small batches. What would
// have to be flushed on the way is not worth a memtable: the workers then get
// long runs of records, sort each and write it as a table file.
//
// All methods belong to the goroutine that reads the log.
type replayWorkers struct {
	engine  *Engine
	files   bool         // runs become table files
	size    int          // bytes of a run
	filling []*replayRun // of each worker
	queues  []chan *replayRun
	free    chan *replayRun
	busy    sync.WaitGroup // runs that are handed over and not stored yet
	running sync.WaitGroup
	failure atomic.Pointer[error]
	held    atomic.Int64 // bytes of the runs' memory
	unfit   atomic.Bool  // the log's records are better off in memtables
	sent    bool         // a run that was full
}

// newReplayWorkers starts the workers, which write files if files is set.
func newReplayWorkers(e *Engine, files bool) *replayWorkers {
	n := min(runtime.GOMAXPROCS(0), maxReplayWork)
	w := &replayWorkers{engine: e, files: files, size: replayBatch, filling: make([]*replayRun, n)}
	queue := replayQueue
	if files {
		// One run of each worker is filled while it writes another: together
		// half of what memtables may take.
		w.size, queue = max(int(min(e.opts.MemtableSize/2, maxReplayRuns))/n, minReplayRun), 0
	}
	w.free = make(chan *replayRun, n*(queue+2))
	for range n {
		q := make(chan *replayRun, queue)
		w.queues = append(w.queues, q)
		w.running.Go(func() { w.work(q) })
	}
	return w
}

// hand gives a record to the worker of its token.
func (w *replayWorkers) hand(t *table, rec mutation.Record) error {
	token := rec.Token().Ordered()
	i := int(token >> 32 * uint64(len(w.queues)) >> 32)
	run := w.filling[i]
	if run != nil && run.bytes+len(rec) > w.size {
		w.sent = true
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
	run.add(w, t, token, rec)
	return nil
}

func (w *replayWorkers) take() *replayRun {
	select {
	case run := <-w.free:
		return run
	default:
		return &replayRun{}
	}
}

// send hands a worker's run over, and waits if it has enough.
func (w *replayWorkers) send(i int) {
	w.busy.Add(1)
	w.queues[i] <- w.filling[i]
	w.filling[i] = nil
}

// pause returns when no worker has anything to do. What is still being filled
// goes to the memtables that are there when it is handed over.
func (w *replayWorkers) pause() { w.busy.Wait() }

// giveUp keeps what is not stored yet from being so: the replay has failed.
func (w *replayWorkers) giveUp(err error) { w.failure.CompareAndSwap(nil, &err) }

// close stores what is left, ends the workers and returns the first error.
func (w *replayWorkers) close() error {
	if !w.sent {
		w.unfit.Store(true) // it is so little that it fits
	}
	for i, run := range w.filling {
		if run != nil {
			w.send(i)
		}
	}
	for _, q := range w.queues {
		close(q)
	}
	w.running.Wait()
	close(w.free)
	for run := range w.free {
		run.release(w)
	}
	if p := w.failure.Load(); p != nil {
		return *p
	}
	return nil
}

// work is a worker.
func (w *replayWorkers) work(q chan *replayRun) {
	s := replayStore{workers: w}
	for run := range q {
		if w.failure.Load() == nil {
			if err := s.store(run); err != nil {
				w.giveUp(err)
			}
		}
		run.reset(w)
		w.busy.Done()
		select {
		case w.free <- run:
		default:
			run.release(w)
		}
	}
}
