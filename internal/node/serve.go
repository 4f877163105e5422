package node

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ilion-db/ilion/cluster/batchlog"
	"github.com/ilion-db/ilion/commitlog"
	"github.com/ilion-db/ilion/cql/exec"
	"github.com/ilion-db/ilion/engine"
	"github.com/ilion-db/ilion/internal/admin"
	"github.com/ilion-db/ilion/internal/mem"
	"github.com/ilion-db/ilion/internal/query"
	"github.com/ilion-db/ilion/internal/session"
	"github.com/ilion-db/ilion/sstable"
)

// preparedShare is the part of the memory budget that prepared statements may
// take.
const preparedShare = 64

// Answers that clients have not read yet may take one part in unsentShare of
// the memory budget, those of one connection maxUnsent bytes.
const (
	unsentShare = 8
	maxUnsent   = 64 << 20
)

// Requests that may block are executed at the same time by so many workers
// that a page for each fits the share of what is in flight.
const (
	workerBytes = 1 << 20
	minWorkers  = 24
	maxWorkers  = 128
)

// openQuery makes the statement processor.
func (n *Node) openQuery(context.Context) error {
	n.traces = &query.Traces{}
	n.tables = n.virtualTables()
	var err error
	n.query, err = query.New(query.Config{
		Cluster:       n.cluster,
		Clock:         n.opts.Clock,
		Rand:          n.opts.Rand.Split(),
		PagingKey:     n.pagingKey(),
		Virtual:       n.tables,
		Classify:      classify,
		Store:         &query.FileStore{FS: n.opts.FS, Path: n.opts.Config.DataDir + "/prepared"},
		Traces:        n.traces,
		PreparedBytes: n.opts.Config.Memory / preparedShare,
		MaxResult:     maxResult(n.budget),
		Tombstones:    n.opts.Config.Tombstones,
		Timeout:       n.opts.Config.RequestTimeout,
		ClusterName:   n.opts.Config.ClusterName,
		HostID:        n.identity.HostID,
		Level:         n.level,
		Metrics:       n.metrics,
		Log:           n.log,
	})
	return err
}

// maxResult bounds an answer without paging, of which a few may be gathered at
// once, by the share of bytes in flight.
func maxResult(b *mem.Budget) int {
	return int(min(exec.DefaultMaxBytes, b.Share(mem.InFlight).Limit()/2))
}

// classify tells the statement processor what the store's errors mean.
func classify(err error) query.ErrorClass {
	var unknown *engine.UnknownTableError
	switch {
	case errors.Is(err, engine.ErrFailed), errors.Is(err, commitlog.ErrFailed):
		return query.ClassUncertain
	case errors.Is(err, engine.ErrDiskFull), errors.Is(err, commitlog.ErrNoSpace), errors.Is(err, batchlog.ErrNoSpace):
		return query.ClassDiskFull
	case errors.Is(err, engine.ErrClosed), errors.Is(err, commitlog.ErrClosed):
		return query.ClassClosed
	case errors.Is(err, commitlog.ErrTooLarge):
		return query.ClassTooLarge
	case errors.Is(err, sstable.ErrCorrupt):
		return query.ClassCorrupt
	case errors.As(err, &unknown):
		return query.ClassUnknownTable
	}
	return query.ClassUnknown
}

// workers bounds the statements that may wait.
func (n *Node) workers() int {
	return int(min(max(n.budget.Share(mem.InFlight).Limit()/workerBytes, minWorkers), maxWorkers))
}

// serve starts answering CQL and HTTP.
func (n *Node) serve(ctx context.Context) error {
	if n.opts.Embedded {
		return nil
	}
	n.registerMetrics()
	n.network.registerRing()
	inFlight, workers := n.budget.Share(mem.InFlight).Limit(), n.workers()
	var err error
	n.session, err = session.New(session.Config{
		RequestTimeout:     n.opts.Config.RequestTimeout,
		MaxConnections:     maxConnections(n.budget),
		TotalInFlightBytes: inFlight / 2,
		QueueBytes:         inFlight / 4,
		Workers:            workers,
		MaxUnsent:          min(maxUnsent, n.opts.Config.Memory/unsentShare),
		TotalUnsent:        n.opts.Config.Memory / unsentShare,
		Clock:              n.opts.Clock,
		Metrics:            n.metrics,
		Log:                n.log,
	}, n.query)
	if err != nil {
		return err
	}
	if err := n.network.openClients(workers); err != nil {
		return err
	}
	n.query.OnEvent(n.session.Push)
	n.cluster.Subscribe(n.query.Announce)
	n.admin, err = admin.Serve(n.httpListener, admin.Config{
		Ready:   n.ready,
		Metrics: []prometheus.Collector{n.metrics, syncTimes{n.engine}},
		Version: n.opts.Version,
		View:    n.view,
		Info:    n.info,
		Store:   (*store)(n),
	})
	if err != nil {
		return err
	}
	go func() {
		if err := n.session.Serve(n.cqlListener); err != nil && !errors.Is(err, session.ErrClosed) {
			n.log.Error("CQL is not served any more", "error", err)
		}
	}()
	if err := n.network.serveRing(ctx); err != nil {
		return err
	}
	n.serving.Store(true)
	return nil
}

// maxConnections is what the heap's share carries at 12 KiB each, of which
// they may take half.
func maxConnections(b *mem.Budget) int {
	return int(max(1024, b.Share(mem.Heap).Limit()/2/(12<<10)))
}

// ready is nil while requests are served.
func (n *Node) ready() error {
	if n.draining.Load() {
		return errors.New("draining")
	}
	if !n.serving.Load() {
		return errors.New("starting")
	}
	select {
	case <-n.failed.done:
		return n.failed.err
	default:
		return n.engine.Err()
	}
}
