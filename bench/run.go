package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/ilion-db/ilion/internal/clock"
)

// maxLatency bounds the histograms, in nanoseconds.
const maxLatency = int64(time.Minute)

// tally is what one worker counts; only done is read by others while it runs.
type tally struct {
	hist   *hdrhistogram.Histogram
	errors map[string]int64
	first  map[string]string
	failed int64
}

// Run makes the requests of c and reports. It stops early when ctx ends, and
// then reports what was done.
func Run(ctx context.Context, c Config) (*Report, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c.setDefaults()
	session, err := connect(&c)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	r := &run{cfg: c, session: session}
	if err := r.prepare(ctx); err != nil {
		return nil, err
	}
	if c.Duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.Duration)
		defer cancel()
	}
	before := measure(c.PID)
	tallies := make([]tally, c.Workers)
	var pace pacer
	pace.init(&c)
	var done atomic.Int64
	var workers sync.WaitGroup
	for i := range tallies {
		t := &tallies[i]
		*t = tally{hist: hdrhistogram.New(1, maxLatency, 3), errors: map[string]int64{}, first: map[string]string{}}
		w := r.newWorker(i)
		workers.Go(func() { w.loop(ctx, &pace, t, &done) })
	}
	stop := make(chan struct{})
	var progress sync.WaitGroup
	if c.Progress != nil {
		progress.Go(func() { showProgress(c.Progress, &done, c.Operations, stop) })
	}
	workers.Wait()
	elapsed := clock.Real.Mono() - pace.start
	close(stop)
	progress.Wait()
	return newReport(&c, tallies, elapsed, before, measure(c.PID)), nil
}

func connect(c *Config) (*gocql.Session, error) {
	hosts := make([]string, 0, len(c.Hosts))
	port := 9042
	for _, h := range c.Hosts {
		host, p, err := net.SplitHostPort(h)
		if err == nil {
			if port, err = strconv.Atoi(p); err != nil {
				return nil, fmt.Errorf("bench: bad port in %q", h)
			}
			h = host
		}
		hosts = append(hosts, h)
	}
	cluster := gocql.NewCluster(hosts...)
	cluster.Port = port
	cluster.NumConns = c.Connections
	cluster.Timeout = 30 * time.Second
	cluster.ConnectTimeout = 10 * time.Second
	cluster.RetryPolicy = &gocql.SimpleRetryPolicy{NumRetries: 0}
	level, err := gocql.ParseConsistencyWrapper(c.Consistency)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	cluster.Consistency = level
	s, err := cluster.CreateSession()
	if err != nil {
		return nil, fmt.Errorf("bench: cannot connect to %v: %w", c.Hosts, err)
	}
	return s, nil
}

// pacer hands out operations, with intended starts in an open loop.
type pacer struct {
	start    time.Duration
	interval float64 // nanoseconds between starts, 0 in a closed loop
	limit    int64
	next     atomic.Int64
}

func (p *pacer) init(c *Config) {
	p.start = clock.Real.Mono()
	p.limit = c.Operations
	if c.Duration > 0 && c.Workload != "verify" {
		p.limit = 1<<63 - 1
	}
	if c.Rate > 0 {
		p.interval = 1e9 / c.Rate
	}
}

// take waits for the next operation and returns the time from which its
// latency counts; false when there is none left.
func (p *pacer) take(ctx context.Context) (time.Duration, bool) {
	n := p.next.Add(1) - 1
	if n >= p.limit || ctx.Err() != nil {
		return 0, false
	}
	if p.interval == 0 {
		return clock.Real.Mono(), true
	}
	at := p.start + time.Duration(float64(n)*p.interval)
	if wait := at - clock.Real.Mono(); wait > 0 {
		select {
		case <-clock.Real.After(wait):
		case <-ctx.Done():
			return 0, false
		}
	}
	return at, true
}

func (w *worker) loop(ctx context.Context, pace *pacer, t *tally, done *atomic.Int64) {
	for {
		from, ok := pace.take(ctx)
		if !ok {
			return
		}
		err := w.do(ctx)
		if err != nil && ctx.Err() != nil {
			return // cut off by the end of the run
		}
		if err != nil {
			kind := errorKind(err)
			if t.errors[kind] == 0 {
				t.first[kind] = err.Error()
			}
			t.errors[kind]++
			t.failed++
		} else if t.hist.RecordValue(int64(clock.Real.Mono()-from)) != nil {
			t.hist.RecordValue(maxLatency)
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
		return fmt.Sprintf("server error 0x%04x", request.Code())
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, gocql.ErrTimeoutNoResponse):
		return "time-out in the client"
	}
	return "connection"
}

// showProgress writes a line a second until stop is closed.
func showProgress(out io.Writer, done *atomic.Int64, total int64, stop <-chan struct{}) {
	tick := clock.Real.NewTicker(time.Second)
	defer tick.Stop()
	var last int64
	for {
		select {
		case <-stop:
			fmt.Fprintln(out)
			return
		case <-tick.C():
			n := done.Load()
			fmt.Fprintf(out, "\r%12d operations, %9d/s, %3d %% of %d ", n, n-last, min(n*100/max(total, 1), 100), total)
			last = n
		}
	}
}
