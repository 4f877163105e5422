package client

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

// waiter is the Receiver of a caller that waits. A session pools them, unless its caller
// went away before it was told.
type waiter struct {
	done chan struct{} // one token
	rows *Rows
	err  error
}

// Receive implements Receiver.
func (w *waiter) Receive(rows *Rows, err error) {
	w.rows, w.err = rows, err
	w.done <- struct{}{}
}

// wait starts a call, waiting for room if need be, and waits for its answer.
func (s *Session) wait(ctx context.Context, c *call) (*Rows, error) {
	w := s.waiters.Get().(*waiter)
	c.r, c.keep = w, true
	if err := s.startWaiting(ctx, c); err != nil {
		c.recycle()
		s.waiters.Put(w)
		return nil, err
	}
	select {
	case <-w.done:
	case <-ctx.Done():
		return nil, ctx.Err() // w is told later, and nobody cares
	}
	rows, err := w.rows, w.err
	w.rows, w.err = nil, nil
	s.waiters.Put(w)
	return rows, err
}

// startWaiting is start that waits while too much is in work.
func (s *Session) startWaiting(ctx context.Context, c *call) error {
	for {
		err := s.start(c)
		if !errors.Is(err, ErrBusy) {
			return err
		}
		free := s.room.wait()
		// Room may have been made before that.
		if err = s.start(c); !errors.Is(err, ErrBusy) {
			s.room.stay()
			return err
		}
		select {
		case <-free:
		case <-ctx.Done():
		case <-s.ctx.Done():
		}
		s.room.stay()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// room wakes callers that wait for a call to end.
type room struct {
	waiting atomic.Int64

	mu   sync.Mutex // protects free
	free chan struct{}
}

// wait returns a channel that is closed when a call has ended; stay must be
// called afterwards.
func (r *room) wait() <-chan struct{} {
	r.waiting.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.free == nil {
		r.free = make(chan struct{})
	}
	return r.free
}

func (r *room) stay() { r.waiting.Add(-1) }

// tell wakes whoever waits.
func (r *room) tell() {
	if r.waiting.Load() > 0 {
		r.tellAll()
	}
}

func (r *room) tellAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.free != nil {
		close(r.free)
		r.free = nil
	}
}
