package bench

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/ilion-db/ilion/internal/clock"
)

// maxLatency bounds the histograms, in nanoseconds.
const maxLatency = int64(time.Minute)

// tally is what one worker counts. It is the worker's own until the worker has
// ended.
type tally struct {
	hist   *hdrhistogram.Histogram // nanoseconds
	errors map[string]int64        // by kind
	first  map[string]string       // the first text of each kind
}

func (t *tally) init() {
	*t = tally{hist: hdrhistogram.New(1, maxLatency, 3), errors: map[string]int64{}, first: map[string]string{}}
}

func (t *tally) succeed(took time.Duration) {
	if t.hist.RecordValue(int64(took)) != nil {
		t.hist.RecordValue(maxLatency)
	}
}

func (t *tally) fail(err error) {
	kind := errorKind(err)
	if t.errors[kind] == 0 {
		t.first[kind] = err.Error()
	}
	t.errors[kind]++
}

// pacer hands out operations, with intended starts in an open loop.
type pacer struct {
	clock    clock.Clock
	start    time.Duration // reading of Clock.Mono at the first operation
	interval float64       // nanoseconds between starts, 0 in a closed loop
	limit    int64
	next     atomic.Int64
}

func newPacer(c clock.Clock, rate float64, limit int64) *pacer {
	p := &pacer{clock: c, start: c.Mono(), limit: limit}
	if rate > 0 {
		p.interval = 1e9 / rate
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
		return p.clock.Mono(), true
	}
	at := p.start + time.Duration(float64(n)*p.interval)
	if wait := at - p.clock.Mono(); wait > 0 {
		select {
		case <-p.clock.After(wait):
		case <-ctx.Done():
			return 0, false
		}
	}
	return at, true
}

// loop is one worker: it calls do for each operation that it gets.
func (p *pacer) loop(ctx context.Context, do func(context.Context) error, t *tally, done *atomic.Int64) {
	for {
		from, ok := p.take(ctx)
		if !ok {
			return
		}
		err := do(ctx)
		if err != nil && ctx.Err() != nil {
			return // cut off by the end of the run
		}
		if err != nil {
			t.fail(err)
		} else {
			t.succeed(p.clock.Mono() - from)
		}
		done.Add(1)
	}
}

// errorKind names an error for the summary.
func errorKind(err error) string {
	var request gocql.RequestError
	switch {
	case errors.Is(err, ErrWrong):
		return "wrong answer"
	case errors.As(err, &request):
		if name := requestErrors[request.Code()]; name != "" {
			return name
		}
		return fmt.Sprintf("server error 0x%04x", request.Code())
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, gocql.ErrTimeoutNoResponse):
		return "time-out in the client"
	}
	return "connection"
}

var requestErrors = map[int]string{
	gocql.ErrCodeServer:        "server error",
	gocql.ErrCodeUnavailable:   "unavailable",
	gocql.ErrCodeOverloaded:    "overloaded",
	gocql.ErrCodeBootstrapping: "bootstrapping",
	gocql.ErrCodeWriteTimeout:  "write time-out",
	gocql.ErrCodeReadTimeout:   "read time-out",
	gocql.ErrCodeWriteFailure:  "write failure",
	gocql.ErrCodeReadFailure:   "read failure",
	gocql.ErrCodeSyntax:        "syntax error",
	gocql.ErrCodeInvalid:       "invalid request",
	gocql.ErrCodeUnprepared:    "unprepared",
}
