package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
)

// ErrRefused is wrapped by Run's error when nothing listens at Target.Hosts.
var ErrRefused = errors.New("nothing listens")

// run is the state that workers share.
type run struct {
	cfg        Config
	plan       plan
	statements []statement
	next       atomic.Int64 // the next row to write or to verify
	inserted   *sequence    // rows of ycsb
	overlap    bool         // a read must see what was written before
}

// Phases, by which workers' choices differ.
const (
	loadPhase = iota
	warmPhase
	mainPhase
)

// Run makes the operations of c and reports. It stops early when ctx ends, and
// then reports what was done.
func Run(ctx context.Context, c Config) (*Report, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c.setDefaults()
	r := &run{cfg: c, plan: planOf(&c), inserted: newSequence(c.Data.Rows)}
	l, err := c.Target.levels()
	if err != nil {
		return nil, err
	}
	placed, err := setUp(ctx, &c.Target, r.plan.table)
	if err != nil {
		return nil, err
	}
	r.overlap = l.overlap(placed, c.Target.LocalDC)
	t, err := dial(ctx, &c.Target)
	if err != nil {
		return nil, err
	}
	defer t.close()
	if err := r.prepare(ctx, t, l); err != nil {
		return nil, err
	}
	if err := r.load(ctx); err != nil {
		return nil, err
	}
	servers := findServers(&c.Target, t.nodes())
	var warm phase
	if c.Warmup > 0 {
		warm = r.phase(ctx, warmPhase, r.plan.worker, 0, c.Warmup)
	}
	before := servers.measure()
	main := r.phase(ctx, mainPhase, r.plan.worker, c.Operations, c.Duration)
	report := newReport(&c, main, servers.between(before, servers.measure()))
	report.setLevels(&r.plan, l)
	report.addErrors(warm.tallies)
	return report, nil
}

// prepare makes all statements ready.
func (r *run) prepare(ctx context.Context, t target, l levels) error {
	for _, s := range r.plan.statements {
		if s.cql == "" {
			r.statements = append(r.statements, nil)
			continue
		}
		level := l.write
		if s.columns > 0 {
			level = l.read
		}
		prepared, err := t.prepare(ctx, s.cql, s.columns, level)
		if err != nil {
			return fmt.Errorf("bench: preparing %q: %w", s.cql, err)
		}
		r.statements = append(r.statements, prepared)
	}
	return nil
}

// load fills the table of a workload that brings its own rows, unless they are
// there.
func (r *run) load(ctx context.Context) error {
	if r.plan.loader == nil {
		return nil
	}
	var t tally
	t.init()
	is, err := r.plan.loaded(ctx, r.newWorker(loadPhase, 0, &t))
	switch {
	case errors.Is(err, ErrWrong):
		return fmt.Errorf("bench: the table has other rows than this run wants (%w): name another with --keyspace, or the same seed, columns and sizes", err)
	case err != nil:
		return fmt.Errorf("bench: looking for rows: %w", err)
	case is:
		return nil
	}
	p := r.phase(ctx, loadPhase, r.plan.loader, r.plan.rows, 0)
	var all Report
	all.addErrors(p.tallies)
	for kind, n := range all.Errors {
		return fmt.Errorf("bench: loading: %d x %s, the first: %s", n, kind, all.FirstErrors[kind])
	}
	r.next.Store(0)
	return ctx.Err()
}

// phase is what one stretch of operations gave: a tally for each worker.
type phase struct {
	tallies []tally
	elapsed time.Duration
}

var phaseNames = [...]string{loadPhase: "loading", warmPhase: "warm-up", mainPhase: ""}

// phase makes operations with all workers until so many are made or, with a
// length, until time is over; what is under way then is waited for. A load
// takes what it can get: it is not paced, nor made by few workers.
func (r *run) phase(ctx context.Context, number int, start func(*worker) operation, operations int64, length time.Duration) phase {
	rate, crew := r.cfg.Rate, r.cfg.Workers
	if number == loadPhase {
		rate, crew = 0, max(crew, defaultWorkers)
	}
	if length > 0 {
		operations = 1<<63 - 1
	}
	p := phase{tallies: make([]tally, crew)}
	pace := newPacer(clock.Real, rate, operations, length)
	var done atomic.Int64
	var workers sync.WaitGroup
	for i := range p.tallies {
		t := &p.tallies[i]
		t.init()
		do := start(r.newWorker(number, i, t))
		workers.Go(func() { pace.loop(ctx, do, t, &done) })
	}
	stop := make(chan struct{})
	var progress sync.WaitGroup
	if r.cfg.Progress != nil {
		line := progressLine{out: r.cfg.Progress, name: phaseNames[number], length: length, operations: operations}
		progress.Go(func() { line.show(&done, stop) })
	}
	workers.Wait()
	p.elapsed = clock.Real.Mono() - pace.start
	close(stop)
	progress.Wait()
	return p
}
