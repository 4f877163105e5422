package replicaread

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/metrics"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/workers"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// Config says what a Reader is made of. Fields without a default in brackets
// must be set. The functions must be safe for concurrent use.
type Config struct {
	// Topology is who holds what, now. It must not block.
	Topology func() *cluster.Topology
	// Schema is the schema in force. It must not block.
	Schema func() *schema.Snapshot
	// Live tells whether a node may be asked. It is not called for the local
	// node and must not block.
	Live func(n *cluster.Node) bool
	// Send sends to a host as rpc.Peer.Send does.
	Send func(host schema.UUID, m *rpc.Message, r rpc.Receiver) error
	// Replica is the local store.
	Replica cluster.Replica
	// Repair brings a record to a host other than this one and completes done
	// once, when the host has applied it or it is known that it has not by the
	// deadline (clock.Mono nanoseconds). The record's epoch is the one that the
	// read was planned in: a host whose table or owners have changed since has to
	// refuse it with wire.CodeStale. It must not block.
	Repair func(host schema.UUID, r mutation.Record, deadline int64, done mutation.Completer)
	// Apply is Repair for the local replica. It may wait until ctx ends; done is
	// not called after an error.
	Apply func(ctx context.Context, r mutation.Record, done mutation.Completer) error
	// CatchUp returns when this node has followed the metadata log to the epoch.
	CatchUp func(ctx context.Context, epoch uint64) error
	// Fence refuses a request of somebody at that epoch for tokens of a table,
	// from and to included, which this node must not serve: with
	// wire.CodeBehind if it has to catch up first. nil lets it pass. It must not
	// block.
	Fence func(table schema.TableID, from, to ring.Token, epoch uint64) *wire.Error
	Clock clock.Clock
	Rand  *rand.Source
	// Code finds what an error of the Replica means to another node; CodeFailed
	// is what it does not know [corruption is known without it].
	Code func(err error) wire.Code
	// Timeout is how long replicas have to answer for partitions [5 s], and
	// RangeTimeout for a page of a range [10 s].
	Timeout, RangeTimeout time.Duration
	// Workers bounds the goroutines that read from disk or wait [64].
	Workers int
	// Waiting is how many callers of Read may wait for ranges of one peer that
	// answers nothing [32]: a part of those that there can be.
	Waiting int
	// Log is slog.Default by default.
	Log *slog.Logger
	// Metrics gets the counters (nil is possible).
	Metrics *metrics.Registry
}

const (
	defaultTimeout      = 5 * time.Second
	defaultRangeTimeout = 10 * time.Second
	defaultWorkers      = 64
	defaultWaiting      = 32

	// queuePerWorker is how many tasks may wait for each worker.
	queuePerWorker = 64
)

// task is work that may block.
type task interface{ run() }

// Reader reads over replicas and serves those who do. Safe for concurrent use.
type Reader struct {
	cfg     Config
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	workers *workers.Pool[task]
	stats   stats
	seed    atomic.Uint64
	said    said

	rounds  sync.Pool // *round
	scans   sync.Pool // *scan
	serves  sync.Pool // *serving
	watches sync.Pool // *watched
	damaged sync.Map  // schema.TableID to time.Duration of the clock's Mono
	peers   sync.Map  // schema.UUID to *peerLoad
	points  sync.Map  // schema.TableID to *tableLatency
	ranges  sync.Map  // the same of pages of ranges
}

// said is what the log was told of lately.
type said struct {
	damage  clock.Seldom // of what this node serves
	damaged clock.Seldom // a replica that this node has asked
	tooLong clock.Seldom // a row
	refused clock.Seldom // a repair
}

// New makes a Reader.
func New(cfg Config) (*Reader, error) {
	if cfg.Topology == nil || cfg.Schema == nil || cfg.Live == nil || cfg.Send == nil || cfg.Replica == nil || cfg.Repair == nil || cfg.Apply == nil ||
		cfg.CatchUp == nil || cfg.Fence == nil || cfg.Clock == nil || cfg.Rand == nil {
		return nil, errors.New("replicaread: config: a field that must be set is not")
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.RangeTimeout == 0 {
		cfg.RangeTimeout = defaultRangeTimeout
	}
	if cfg.Workers == 0 {
		cfg.Workers = defaultWorkers
	}
	if cfg.Waiting == 0 {
		cfg.Waiting = defaultWaiting
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	rd := &Reader{cfg: cfg}
	rd.ctx, rd.cancel = context.WithCancel(context.Background())
	rd.workers = workers.New(workers.Config[task]{Max: cfg.Workers, Queue: cfg.Workers * queuePerWorker, Run: task.run})
	rd.stats.init(cfg.Metrics)
	rd.seed.Store(cfg.Rand.Uint64())
	return rd, nil
}

// Close ends what runs and waits for its goroutines. Nothing may be sent or
// served any more.
func (rd *Reader) Close() {
	rd.cancel()
	rd.workers.Close()
}

// chance is a number that is as good as random, without a lock.
func (rd *Reader) chance() uint64 {
	x := rd.seed.Add(0x9e3779b97f4a7c15)
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (rd *Reader) now() time.Duration { return rd.cfg.Clock.Mono() }

// placement finds who holds a table.
func placement(top *cluster.Topology, table schema.TableID) (*cluster.Placement, error) {
	if p := top.Tables[table]; p != nil {
		return p, nil
	}
	return nil, native.Invalid("The table was dropped while the statement ran")
}

// checkLevel refuses levels that mean nothing for a read, or more than it can
// give: with several replicas a read at SERIAL would have to end conditional
// statements that are under way.
func checkLevel(p *cluster.Placement, level ring.ConsistencyLevel) error {
	switch {
	case level == ring.Any:
		return native.Invalid("ANY ConsistencyLevel is only supported for writes")
	case level.IsSerial() && p.RF > 1:
		return native.Invalid("Reads at %v are not supported yet in keyspaces with more than one replica: read at QUORUM or LOCAL_QUORUM", level)
	}
	return nil
}

// TryRead answers from the local replica's memory if that replica alone is
// enough, else mutation.ErrWouldBlock.
func (rd *Reader) TryRead(cmd *mutation.ReadCommand, level ring.ConsistencyLevel) (mutation.Source, error) {
	ok, err := rd.local(cmd, level)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, mutation.ErrWouldBlock
	}
	src, err := rd.cfg.Replica.TryRead(cmd)
	if err != nil {
		return nil, rd.judge(cmd.Table, err, true)
	}
	return rd.watch(src, cmd.Table, true), nil
}

// Read opens the merged stream of what cmd names, as cluster.Cluster says. It
// waits for the first replicas' answers and, while the source is read, for
// later ones; ctx ends that.
func (rd *Reader) Read(ctx context.Context, cmd *mutation.ReadCommand, level ring.ConsistencyLevel) (mutation.Source, error) {
	ok, err := rd.local(cmd, level)
	if err != nil {
		return nil, err
	}
	if ok {
		src, err := rd.cfg.Replica.Read(ctx, cmd)
		if err != nil {
			return nil, rd.judge(cmd.Table, err, false)
		}
		return rd.watch(src, cmd.Table, false), nil
	}
	s := rd.newScan(cmd, level)
	s.ctx = ctx
	if !s.load(false) && s.err != nil {
		err := s.err
		s.Close()
		return nil, err
	}
	return s, nil
}

// local tells whether the local replica's answer alone is enough for all that
// cmd names.
func (rd *Reader) local(cmd *mutation.ReadCommand, level ring.ConsistencyLevel) (bool, error) {
	top := rd.cfg.Topology()
	p, err := placement(top, cmd.Table)
	if err == nil {
		err = checkLevel(p, level)
	}
	if err != nil {
		return false, err
	}
	if p.BlockFor(level, top.Nodes[0].DC) != 1 || p.RF > 1 && rd.isDamaged(cmd.Table) {
		return false, nil
	}
	if cmd.Keys != nil {
		for i := range cmd.Keys {
			if !holds(p.Replicas(cmd.Keys[i].Token)) {
				return false, nil
			}
		}
		return true, nil
	}
	for i := range p.Ranges {
		if !holds(&p.Ranges[i]) {
			return false, nil
		}
	}
	return true, nil
}

// holds tells whether the local node is a replica to read from.
func holds(s *cluster.ReplicaSet) bool {
	for _, n := range s.Read {
		if n == 0 {
			return true
		}
	}
	return false
}
