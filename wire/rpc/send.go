package rpc

import (
	"bytes"
	"context"
	"math"
	"time"

	"github.com/ilion-db/ilion/wire"
)

// defaultWait bounds calls that have no deadline at all.
const defaultWait = time.Minute

// send sends a request; r gets its answer.
func (c *conn) send(m *Message, r Receiver) error {
	f := frame{op: m.Op, pro: wire.Prologue{Epoch: m.Epoch}, body: m.Body, parts: m.Parts}
	if m.Deadline != 0 {
		left := m.Deadline - int64(c.e.cfg.Clock.Mono())
		if left <= 0 {
			return ErrDeadline
		}
		f.pro.Left = uint32(min(left/1000+1, math.MaxUint32))
	}
	k := callPool.Get().(*call)
	k.r, k.c, k.due = r, c, m.Deadline
	if err := c.push(&f, 0, k, true); err != nil {
		k.recycle()
		return err
	}
	c.e.stats.Sent.Add(1)
	return nil
}

// notify sends a request that gets no answer.
func (c *conn) notify(m *Message) error {
	f := frame{op: m.Op, flags: wire.FlagOneWay, pro: wire.Prologue{Epoch: m.Epoch}, body: m.Body, parts: m.Parts}
	c.e.stats.Sent.Add(1)
	return c.push(&f, 0, nil, true)
}

// waiter is the receiver of a blocking call.
type waiter struct {
	done chan struct{}
	err  error
	body []byte
}

// Receive implements Receiver.
func (w *waiter) Receive(a *Answer) {
	w.err, w.body = a.Err, bytes.Clone(a.Body)
	close(w.done)
}

// ask sends a request and waits for its answer, or for the end of ctx.
func (c *conn) ask(ctx context.Context, m *Message) ([]byte, error) {
	msg := *m
	if msg.Deadline == 0 {
		wait := defaultWait
		if t, ok := ctx.Deadline(); ok {
			wait = max(t.Sub(c.e.cfg.Clock.Now()), 1)
		}
		msg.Deadline = int64(c.e.cfg.Clock.Mono() + wait)
	}
	w := &waiter{done: make(chan struct{})}
	if err := c.send(&msg, w); err != nil {
		return nil, err
	}
	select {
	case <-w.done:
		return w.body, w.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
