package coordinator

import (
	"context"
	"errors"
	"time"
)

// queuePerWorker is how many tasks may wait for each worker.
const queuePerWorker = 64

// task is work that may wait for the local store. It ends by its deadline.
type task interface{ run() }

var errDeadline = errors.New("coordinator: the deadline has passed")

// limited returns a context that ends at a deadline or when the cluster closes.
func (c *Cluster) limited(deadline int64) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(c.ctx)
	t := c.cfg.Clock.AfterFunc(time.Duration(deadline)-c.cfg.Clock.Mono(), func() { cancel(errDeadline) })
	return ctx, func() {
		t.Stop()
		cancel(nil)
	}
}
