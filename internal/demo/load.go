package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/ilion-db/ilion/internal/godriver"
)

// Sample data: rooms with messages, newest first.
const (
	rooms       = 50
	createTable = "CREATE TABLE IF NOT EXISTS demo.messages (room text, id timeuuid, author text, body text, PRIMARY KEY (room, id)) " +
		"WITH CLUSTERING ORDER BY (id DESC)"
	insert = "INSERT INTO demo.messages (room, id, author, body) VALUES (?, now(), ?, ?)"
	newest = "SELECT author, body FROM demo.messages WHERE room = ? LIMIT 10"
)

var (
	authors = []string{"hector", "paris", "helen", "priam", "cassandra", "aeneas"}
	bodies  = []string{"the horse is outside", "who left the gate open?", "ships on the horizon", "nobody listens to me", "bring more arrows", "good morning"}
)

// replication is up to three replicas in each data centre.
func (d *demo) replication() string {
	var b strings.Builder
	for dc := range d.cfg.Datacenters {
		nodes := (d.cfg.Nodes - dc + d.cfg.Datacenters - 1) / d.cfg.Datacenters
		fmt.Fprintf(&b, ", 'dc%d': %d", dc+1, min(nodes, 3))
	}
	return "{'class': 'NetworkTopologyStrategy'" + b.String() + "}"
}

func (d *demo) connect() (*gocql.Session, error) {
	c := gocql.NewCluster()
	for _, p := range d.nodes {
		c.Hosts = append(c.Hosts, p.address)
	}
	c.Port = nativePort
	c.Consistency = gocql.Quorum
	if d.cfg.Datacenters > 1 {
		c.Consistency = gocql.LocalQuorum
	}
	c.PoolConfig.HostSelectionPolicy = gocql.DCAwareRoundRobinPolicy(d.dc(0))
	c.DefaultIdempotence = true
	c.RetryPolicy = &gocql.SimpleRetryPolicy{NumRetries: 2}
	c.Timeout, c.ConnectTimeout = 10*time.Second, 10*time.Second
	c.ReconnectInterval = time.Second
	c.Logger = nopLogger{}
	return c.CreateSession()
}

// nopLogger keeps the driver's notes about a killed node out of the way.
type nopLogger struct{}

func (nopLogger) Error(string, ...gocql.LogField)   {}
func (nopLogger) Warning(string, ...gocql.LogField) {}
func (nopLogger) Info(string, ...gocql.LogField)    {}
func (nopLogger) Debug(string, ...gocql.LogField)   {}

// workers make the requests of the load and the sample data.
const workers = 8

// load makes the sample data and then requests until ctx ends.
func (d *demo) load(ctx context.Context) error {
	s, err := d.connect()
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer godriver.Close(s)
	for _, text := range []string{"CREATE KEYSPACE IF NOT EXISTS demo WITH replication = " + d.replication(), createTable} {
		if err := s.Query(text).ExecContext(ctx); err != nil {
			return fmt.Errorf("demo: %s: %w", text, err)
		}
	}
	var next atomic.Int64
	if err := together(func() error {
		for i := next.Add(1); i <= int64(d.cfg.Rows); i = next.Add(1) {
			if err := write(ctx, s, i); err != nil {
				return fmt.Errorf("demo: sample data: %w", err)
			}
		}
		return nil
	}); err != nil {
		return err
	}
	fmt.Fprintf(d.cfg.Out, "Keyspace demo with %s replicas has %d messages in %d rooms.\n\n", d.replication(), d.cfg.Rows, rooms)
	d.advise(os.Args[0])
	return d.run(ctx, s, &next)
}

// together runs the workers and returns the first error.
func together(work func() error) error {
	errs := make([]error, workers)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { errs[i] = work() })
	}
	all.Wait()
	return errors.Join(errs...)
}

func room(i int64) string { return fmt.Sprintf("room%d", i%rooms) }

func write(ctx context.Context, s *gocql.Session, i int64) error {
	return s.Query(insert, room(i), authors[i%int64(len(authors))], bodies[i%int64(len(bodies))]).ExecContext(ctx)
}

func read(ctx context.Context, s *gocql.Session, i int64) error {
	var author, body string
	it := s.Query(newest, room(i)).IterContext(ctx)
	for it.Scan(&author, &body) {
	}
	return it.Close()
}

// tally counts the load of a second.
type tally struct {
	writes, reads, errs atomic.Int64
	slowest             atomic.Int64 // nanoseconds
}

func (t *tally) add(what *atomic.Int64, took time.Duration, err error) {
	if err != nil {
		what = &t.errs
	}
	what.Add(1)
	for old := t.slowest.Load(); old < int64(took) && !t.slowest.CompareAndSwap(old, int64(took)); old = t.slowest.Load() {
	}
}

// run makes writes and reads in turn at the wanted rate and shows a line a
// second.
func (d *demo) run(ctx context.Context, s *gocql.Session, next *atomic.Int64) error {
	var t tally
	var all sync.WaitGroup
	start := time.Now()
	var turn atomic.Int64
	for range workers {
		all.Go(func() {
			for {
				i := turn.Add(1)
				at := start.Add(time.Duration(float64(i) / d.cfg.Rate * float64(time.Second)))
				select {
				case <-ctx.Done():
					return
				case <-time.After(time.Until(at)):
				}
				began := time.Now()
				if i%2 == 0 {
					err := write(ctx, s, next.Add(1))
					t.add(&t.writes, time.Since(began), err)
				} else {
					err := read(ctx, s, i)
					t.add(&t.reads, time.Since(began), err)
				}
			}
		})
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var err error
	for err == nil && ctx.Err() == nil {
		select {
		case now := <-tick.C:
			d.line(&t)
			err = d.revive(now)
		case <-ctx.Done():
		}
	}
	all.Wait()
	return err
}

// line shows the last second and begins the next.
func (d *demo) line(t *tally) {
	text := fmt.Sprintf("%4d writes/s  %4d reads/s  %3d errors  slowest %-8v", t.writes.Swap(0), t.reads.Swap(0), t.errs.Swap(0),
		time.Duration(t.slowest.Swap(0)).Round(100*time.Microsecond))
	if d.cfg.Live {
		fmt.Fprintf(d.cfg.Out, "\r%s", text)
		return
	}
	fmt.Fprintln(d.cfg.Out, text)
}
