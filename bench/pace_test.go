package bench

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/ilion-db/ilion/internal/clock"
)

// steppedClock stands still, except that waiting takes exactly as long as
// asked for and that the test moves it.
type steppedClock struct {
	clock.Clock
	now time.Duration
}

func (c *steppedClock) Mono() time.Duration { return c.now }

func (c *steppedClock) After(d time.Duration) <-chan time.Time {
	c.now += d
	ch := make(chan time.Time, 1)
	ch <- time.Time{}
	return ch
}

// latencies runs one worker over operations that take the given times.
func latencies(rate float64, took ...time.Duration) (got []time.Duration, end time.Duration) {
	c := &steppedClock{now: time.Hour}
	p := newPacer(c, rate, int64(len(took)))
	for _, d := range took {
		from, ok := p.take(context.Background())
		if !ok {
			break
		}
		c.now += d
		got = append(got, c.now-from)
	}
	if _, ok := p.take(context.Background()); ok {
		got = append(got, -1) // more than the limit
	}
	return got, c.now - p.start
}

func TestOpenLoopChargesForTheStall(t *testing.T) {
	const ms = time.Millisecond
	// 100 a second: one every 10 ms. The second takes 35 ms, so the next three
	// start late, and their latency counts from when they were due.
	got, end := latencies(100, ms, 35*ms, ms, ms, ms, ms)
	if want := fmt.Sprint([]time.Duration{ms, 35 * ms, 26 * ms, 17 * ms, 8 * ms, ms}); fmt.Sprint(got) != want {
		t.Errorf("open loop: latencies %v, want %v", got, want)
	}
	if end != 51*ms {
		t.Errorf("open loop: ended after %v, want 51ms", end)
	}
	got, end = latencies(0, ms, 35*ms, ms)
	if want := fmt.Sprint([]time.Duration{ms, 35 * ms, ms}); fmt.Sprint(got) != want || end != 37*ms {
		t.Errorf("closed loop: latencies %v after %v, want %v after 37ms", got, end, want)
	}
}

func TestLoopCountsAndEnds(t *testing.T) {
	c := &steppedClock{}
	p := newPacer(c, 0, 10)
	var t1 tally
	t1.init()
	var done atomic.Int64
	calls := 0
	p.loop(context.Background(), func(context.Context) error {
		c.now += 2 * time.Minute // beyond the histogram
		if calls++; calls%5 == 0 {
			return fmt.Errorf("%w: row %d", ErrWrong, calls)
		}
		return nil
	}, &t1, &done)
	if calls != 10 || done.Load() != 10 || t1.hist.TotalCount() != 8 || t1.errors["wrong answer"] != 2 {
		t.Errorf("%d calls, %d done, %d good, errors %v", calls, done.Load(), t1.hist.TotalCount(), t1.errors)
	}
	if t1.first["wrong answer"] != "wrong answer: row 5" {
		t.Errorf("first error %q", t1.first["wrong answer"])
	}
	if got := t1.hist.Max(); got < maxLatency*99/100 {
		t.Errorf("latency beyond the histogram is %d, must be the largest", got)
	}

	// What the end of the run cuts off is neither good nor an error.
	ctx, cancel := context.WithCancel(context.Background())
	var t2 tally
	t2.init()
	newPacer(c, 0, 10).loop(ctx, func(context.Context) error { cancel(); return context.Canceled }, &t2, &done)
	if t2.hist.TotalCount() != 0 || len(t2.errors) != 0 {
		t.Errorf("a request that was cut off counts: %v", t2.errors)
	}
}

// serverError is an error that a server answered.
type serverError int

func (e serverError) Code() int       { return int(e) }
func (e serverError) Message() string { return "text" }
func (e serverError) Error() string   { return "text" }

func TestErrorKinds(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("%w: row 3 is missing", ErrWrong), "wrong answer"},
		{serverError(gocql.ErrCodeOverloaded), "overloaded"},
		{fmt.Errorf("wrapped: %w", serverError(gocql.ErrCodeWriteTimeout)), "write time-out"},
		{serverError(0x2400), "server error 0x2400"},
		{context.DeadlineExceeded, "time-out in the client"},
		{gocql.ErrTimeoutNoResponse, "time-out in the client"},
		{errors.New("EOF"), "connection"},
	} {
		if got := errorKind(tc.err); got != tc.want {
			t.Errorf("%v is of kind %q, want %q", tc.err, got, tc.want)
		}
	}
}
