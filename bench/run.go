package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/ilion-db/ilion/internal/clock"
)

// ErrRefused is wrapped by Run's error when nothing listens at Config.Hosts.
var ErrRefused = errors.New("nothing listens")

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
	if c.PID == 0 {
		c.PID = findServer(c.Hosts)
	}
	r := &run{cfg: c, session: session}
	if err := r.prepare(ctx); err != nil {
		return nil, err
	}
	var warm phase
	if c.Warmup > 0 {
		warm = r.phase(ctx, "warm-up", 0, c.Warmup)
	}
	before := measure(c.PID)
	main := r.phase(ctx, "", c.Operations, c.Duration)
	report := newReport(&c, main, usageBetween(before, measure(c.PID)))
	report.addErrors(warm.tallies)
	return report, nil
}

// phase is what one stretch of requests gave: a tally for each worker.
type phase struct {
	tallies []tally
	elapsed time.Duration
}

// phase makes requests with all workers until so many are made or, with a
// length, until time is over. The name stands before its progress line.
func (r *run) phase(ctx context.Context, name string, operations int64, length time.Duration) phase {
	if length > 0 {
		operations = 1<<63 - 1
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, length)
		defer cancel()
	}
	p := phase{tallies: make([]tally, r.cfg.Workers)}
	pace := newPacer(clock.Real, r.cfg.Rate, operations)
	var done atomic.Int64
	var workers sync.WaitGroup
	for i := range p.tallies {
		t := &p.tallies[i]
		t.init()
		w := r.newWorker(i)
		workers.Go(func() { pace.loop(ctx, w.do, t, &done) })
	}
	stop := make(chan struct{})
	var progress sync.WaitGroup
	if r.cfg.Progress != nil {
		line := progressLine{out: r.cfg.Progress, name: name, length: length, operations: operations}
		progress.Go(func() { line.show(&done, stop) })
	}
	workers.Wait()
	p.elapsed = clock.Real.Mono() - pace.start
	close(stop)
	progress.Wait()
	return p
}

const defaultPort = 9042

func connect(c *Config) (*gocql.Session, error) {
	hosts := make([]string, 0, len(c.Hosts))
	port := 0
	for _, h := range c.Hosts {
		host, n, err := splitHost(h)
		if err != nil {
			return nil, err
		}
		if port == 0 {
			port = n
		}
		hosts = append(hosts, net.JoinHostPort(host, strconv.Itoa(n)))
	}
	cluster := gocql.NewCluster(hosts...)
	cluster.Port = port // of the nodes that those name
	cluster.NumConns = c.Connections
	cluster.Timeout = 30 * time.Second
	cluster.ConnectTimeout = 10 * time.Second
	cluster.RetryPolicy = &gocql.SimpleRetryPolicy{NumRetries: 0}
	// What the driver notices shows up as errors of requests.
	cluster.Logger = gocql.NewLogger(gocql.LogLevelNone)
	level, err := gocql.ParseConsistencyWrapper(c.Consistency)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	cluster.Consistency = level
	s, err := cluster.CreateSession()
	if err == nil {
		return s, nil
	}
	// The driver does not wrap what it was told in every place.
	if errors.Is(err, syscall.ECONNREFUSED) || strings.Contains(err.Error(), "connection refused") {
		return nil, fmt.Errorf("bench: %w at %s: start a server with `ilion serve`, or name one with --hosts",
			ErrRefused, strings.Join(c.Hosts, ", "))
	}
	return nil, fmt.Errorf("bench: cannot connect to %s: %w", strings.Join(c.Hosts, ", "), err)
}

// splitHost takes "host:port", or a host alone, which has the default port.
func splitHost(s string) (host string, port int, err error) {
	host, p, err := net.SplitHostPort(s)
	if err != nil {
		return strings.Trim(s, "[]"), defaultPort, nil
	}
	port, err = strconv.Atoi(p)
	if err != nil || port < 1 || port > 65535 {
		return "", 0, fmt.Errorf("bench: bad port in %q", s)
	}
	return host, port, nil
}

// findServer is the process that serves hosts, when all of them are on this
// machine and one process listens there; 0 otherwise.
func findServer(hosts []string) int {
	port := 0
	for _, h := range hosts {
		host, p, err := splitHost(h)
		if ip := net.ParseIP(host); err != nil || host != "localhost" && !ip.IsLoopback() || port != 0 && p != port {
			return 0
		}
		port = p
	}
	return listenerOf(port)
}
