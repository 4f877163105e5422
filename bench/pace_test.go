package bench

import (
	"context"
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

// paced runs one worker over operations that take the given times.
func paced(rate float64, length time.Duration, took ...time.Duration) (got []time.Duration, end time.Duration) {
	c := &steppedClock{now: time.Hour}
	p := newPacer(c, rate, int64(len(took)), length)
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
	got, end := paced(100, 0, ms, 35*ms, ms, ms, ms, ms)
	if want := fmt.Sprint([]time.Duration{ms, 35 * ms, 26 * ms, 17 * ms, 8 * ms, ms}); fmt.Sprint(got) != want {
		t.Errorf("open loop: latencies %v, want %v", got, want)
	}
	if end != 51*ms {
		t.Errorf("open loop: ended after %v, want 51ms", end)
	}
	got, end = paced(0, 0, ms, 35*ms, ms)
	if want := fmt.Sprint([]time.Duration{ms, 35 * ms, ms}); fmt.Sprint(got) != want || end != 37*ms {
		t.Errorf("closed loop: latencies %v after %v, want %v after 37ms", got, end, want)
	}
}

func TestLoopCountsAndEnds(t *testing.T) {
	c := &steppedClock{}
	p := newPacer(c, 0, 10, 0)
	var t1 tally
	t1.init()
	var done atomic.Int64
	calls := 0
	p.loop(context.Background(), func(context.Context) (kind, error) {
		c.now += 2 * time.Minute // beyond the histogram
		if calls++; calls%5 == 0 {
			return readKind, fmt.Errorf("%w: row %d", ErrWrong, calls)
		}
		return readKind, nil
	}, &t1, &done)
	if calls != 10 || done.Load() != 10 || t1.hists[readKind].TotalCount() != 8 || t1.errors["wrong answer"] != 2 {
		t.Errorf("%d calls, %d done, %d good, errors %v", calls, done.Load(), t1.hists[readKind].TotalCount(), t1.errors)
	}
	if t1.first["wrong answer"] != "wrong answer: row 5" {
		t.Errorf("first error %q", t1.first["wrong answer"])
	}
	if got := t1.hists[readKind].Max(); got < maxLatency*99/100 {
		t.Errorf("latency beyond the histogram is %d, must be the largest", got)
	}

	// What the end of the run cuts off is neither good nor an error.
	ctx, cancel := context.WithCancel(context.Background())
	var t2 tally
	t2.init()
	newPacer(c, 0, 10, 0).loop(ctx, func(context.Context) (kind, error) { cancel(); return readKind, context.Canceled }, &t2, &done)
	if t2.hists[readKind] != nil || len(t2.errors) != 0 {
		t.Errorf("a request that was cut off counts: %v", t2.errors)
	}
}

func TestNothingStartsWhenTimeIsOver(t *testing.T) {
	const ms = time.Millisecond
	long := []time.Duration{ms, 35 * ms, ms, ms, ms, ms}
	// 100 a second for 40 ms: starts at 0, 10, 20, 30. The second takes 35 ms,
	// so that the third begins at 45: too late, as is all that follows.
	if got, _ := paced(100, 40*ms, long...); fmt.Sprint(got) != fmt.Sprint([]time.Duration{ms, 35 * ms}) {
		t.Errorf("open loop: %v", got)
	}
	if got, _ := paced(0, 37*ms, long...); fmt.Sprint(got) != fmt.Sprint([]time.Duration{ms, 35 * ms, ms}) {
		t.Errorf("closed loop: %v", got)
	}
}

func TestAWorkerThatReachesNobodyPauses(t *testing.T) {
	for _, tc := range []struct {
		rate float64
		want time.Duration
	}{{0, 10 * retryPause}, {1e9, 0}} {
		c := &steppedClock{now: time.Hour}
		var t1 tally
		t1.init()
		var done atomic.Int64
		newPacer(c, tc.rate, 10, 0).loop(context.Background(), func(context.Context) (kind, error) {
			return readKind, gocql.ErrNoConnections
		}, &t1, &done)
		if took := c.now - time.Hour; took.Truncate(time.Millisecond) != tc.want || t1.errors[noNode] != 10 {
			t.Errorf("rate %v: %v, want %v; errors %v", tc.rate, took, tc.want, t1.errors)
		}
	}
}
