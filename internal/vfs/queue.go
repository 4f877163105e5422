package vfs

import "sync"

// Op is one write for a Queue. The queue owns it and Buf from Submit until
// Done is called.
type Op struct {
	File File
	Buf  []byte
	Off  int64
	// Sync asks for File.SyncData after the write, for files that were not
	// opened with DataSync.
	Sync bool
	// Done is called once, from one of the queue's goroutines, with the error of
	// the write or sync. It must not block: nothing completes meanwhile. It must
	// not Submit (the queue may be full) unless it knows that there is room.
	Done func(error)
}

// Queue takes writes and completes them. It is the seam between those who make
// bytes durable and how the kernel is asked for it: pwrite from goroutines here;
// another backend may keep many in flight with fewer calls. With several
// writers, ops complete in any order; with one, in the order of submission.
type Queue interface {
	// Do completes the op before it returns, ahead of what is queued, for
	// callers that have a goroutine of their own to spend; Done is not called.
	Do(op *Op) error
	// Submit queues the op and waits for room if the queue is full. After Close
	// it calls Done with ErrClosed before it returns.
	Submit(op *Op)
	// Close refuses new ops, completes the queued ones and returns when the last
	// Done has returned. It does not close files. It may be called twice.
	Close() error
}

// NewQueue returns a queue of depth ops (at least 1) and one writing goroutine,
// which the first Submit starts.
func NewQueue(depth int) Queue { return NewQueueWriters(depth, 1) }

// NewQueueWriters returns a queue that keeps up to writers writes in flight.
func NewQueueWriters(depth, writers int) Queue {
	return &writeQueue{ops: make(chan *Op, max(depth, 1)), count: max(writers, 1)}
}

// writeQueue is the backend of plain pwrite calls from goroutines.
type writeQueue struct {
	ops     chan *Op
	count   int
	start   sync.Once
	writers sync.WaitGroup

	mu     sync.RWMutex // held shared while sending on ops, so that Close sees no sender
	closed bool         // protected by mu
}

func (q *writeQueue) Submit(op *Op) {
	q.mu.RLock()
	if q.closed {
		q.mu.RUnlock()
		op.Done(ErrClosed)
		return
	}
	q.start.Do(func() {
		for range q.count {
			q.writers.Go(q.run)
		}
	})
	// The writers drain ops without taking mu, so this ends even if Close waits.
	q.ops <- op
	q.mu.RUnlock()
}

func (q *writeQueue) Close() error {
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		close(q.ops)
	}
	q.mu.Unlock()
	q.writers.Wait()
	return nil
}

func (q *writeQueue) Do(op *Op) error {
	_, err := op.File.WriteAt(op.Buf, op.Off)
	if err == nil && op.Sync {
		err = op.File.SyncData()
	}
	return err
}

func (q *writeQueue) run() {
	for op := range q.ops {
		op.Done(q.Do(op))
	}
}
