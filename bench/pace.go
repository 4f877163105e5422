package bench

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
)

// pacer hands out operations, with intended starts in an open loop.
type pacer struct {
	clock    clock.Clock
	start    time.Duration // reading of Clock.Mono at the first operation
	end      time.Duration // nothing starts from then on; 0 for no such time
	interval float64       // nanoseconds between starts, 0 in a closed loop
	limit    int64
	next     atomic.Int64
}

// newPacer hands out so many operations or, with a length, as many as fit.
func newPacer(c clock.Clock, rate float64, limit int64, length time.Duration) *pacer {
	p := &pacer{clock: c, start: c.Mono(), limit: limit}
	if rate > 0 {
		p.interval = 1e9 / rate
	}
	if length > 0 {
		p.end = p.start + length
	}
	return p
}

// take waits for the next operation and returns the time from which its
// latency counts; false when there is none left.
func (p *pacer) take(ctx context.Context) (time.Duration, bool) {
	n := p.next.Add(1) - 1
	if n >= p.limit || ctx.Err() != nil {
		return 0, false
	}
	if p.interval == 0 {
		now := p.clock.Mono()
		return now, !p.over(now)
	}
	at := p.start + time.Duration(float64(n)*p.interval)
	if p.over(at) {
		return 0, false
	}
	now := p.clock.Mono()
	if wait := at - now; wait > 0 {
		return at, p.pause(ctx, wait)
	}
	// What is due but has not started by the end never does.
	return at, !p.over(now)
}

func (p *pacer) over(at time.Duration) bool { return p.end > 0 && at >= p.end }

// pause waits; false when ctx ends first.
func (p *pacer) pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-p.clock.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// retryPause is what a worker waits in a closed loop when it reached no node:
// the next attempt would fail at once too.
const retryPause = 10 * time.Millisecond

// loop is one worker: it calls do for each operation that it gets.
func (p *pacer) loop(ctx context.Context, do operation, t *tally, done *atomic.Int64) {
	for {
		from, ok := p.take(ctx)
		if !ok {
			return
		}
		kind, err := do(ctx)
		if err != nil && ctx.Err() != nil {
			return // cut off by whoever ended the run
		}
		if err == nil {
			t.succeed(kind, p.clock.Mono()-from)
		} else if k := t.fail(err); p.interval == 0 && (k == noNode || k == connection) {
			p.pause(ctx, retryPause)
		}
		done.Add(1)
	}
}
