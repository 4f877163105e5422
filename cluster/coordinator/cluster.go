package coordinator

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cluster/hlc"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/workers"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// Cluster is a cluster.Cluster over a ring. Make one with New.
type Cluster struct {
	cfg    Config
	stats  Stats
	newest *hlc.Newest
	view   atomic.Pointer[view]

	gate    gate
	pool    pool
	parking parking
	workers *workers.Pool[task]
	served  sync.Pool // of *serving
	relays  sync.Pool // of *relay
	said    said

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	closed atomic.Bool
	// refreshing is set while showing who is up is to be done.
	refreshing atomic.Bool

	turn    chan struct{}         // full while no state is being followed
	stuck   atomic.Pointer[error] // why the last state is not in force, nil if it is
	changed changes

	mu      sync.Mutex // protects what follows
	members map[[16]byte]*member
}

// said is what the log was told of lately: what of another node cannot be read.
type said struct{ write, batch clock.Seldom }

var _ cluster.Cluster = (*Cluster)(nil)

// New makes a Cluster whose store has caught up with the metadata's state.
func New(cfg Config) (*Cluster, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	c := &Cluster{cfg: cfg, newest: hlc.NewNewest(cfg.Stamps.Mark()), turn: make(chan struct{}, 1), members: map[[16]byte]*member{}}
	c.stats.init()
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.gate.wake = make(chan struct{}, 1)
	c.workers = workers.New(workers.Config[task]{Max: cfg.Workers, Queue: cfg.Workers * queuePerWorker, Run: task.run})
	c.changed.init()
	if err := c.start(cfg.Metadata.State()); err != nil {
		c.cancel()
		return nil, err
	}
	c.pool.init(c, cfg.MaxBytes)
	c.turn <- struct{}{}
	return c, nil
}

// Close ends all work. Requests that are under way get their answers from the
// store and the peers, which must be closed first.
func (c *Cluster) Close() error {
	c.closed.Store(true)
	c.cancel()
	c.pool.timer.Stop()
	c.workers.Close()
	return nil
}

// request is a write as it comes from a session. It lives on the stack.
type request struct {
	records  []mutation.Record // one
	level    ring.ConsistencyLevel
	kind     native.WriteType
	batched  bool
	replayed int64 // as in batch
	part     *batch
	deadline int64 // clock.Mono nanoseconds
	done     cluster.Completer
}

// noWait is the context of those who never wait.
var noWait context.Context

// TryWrite implements cluster.Cluster.
func (c *Cluster) TryWrite(w *cluster.Write) error { return c.write(noWait, w) }

// Write implements cluster.Cluster.
func (c *Cluster) Write(ctx context.Context, w *cluster.Write) error { return c.write(ctx, w) }

func (c *Cluster) write(ctx context.Context, w *cluster.Write) error {
	if w.Consistency.IsSerial() {
		return native.Invalid("You must use conditional updates for serializable writes")
	}
	if !w.Consistency.Valid() {
		return native.Protocol("Unknown consistency level %d", w.Consistency)
	}
	if len(w.Records) != 1 || w.Created != 0 {
		return c.writeBatch(ctx, w)
	}
	q := request{records: w.Records, level: w.Consistency, kind: native.WriteSimple, deadline: w.Deadline, done: w.Done}
	if ctx == noWait {
		return c.writeOne(noWait, &q)
	}
	for {
		next := c.changed.announced()
		err := c.writeOne(ctx, &q)
		if err != errClosed {
			return err
		}
		if err := wait(ctx, next); err != nil {
			return err
		}
	}
}

// errClosed means that the store is dropping what it has of the table. To a try
// it is mutation.ErrWouldBlock.
var errClosed = fmt.Errorf("coordinator: the table is being truncated: %w", mutation.ErrWouldBlock)

// writeOne writes one partition. With a nil ctx it never waits.
func (c *Cluster) writeOne(ctx context.Context, q *request) error {
	r := q.records[0]
	tk := c.gate.enter(r.Token())
	defer c.gate.leave(tk)
	v := c.view.Load()
	t := v.tables[r.Table()]
	if t == nil {
		return c.apply(ctx, q) // the store says that it does not know the table
	}
	if t.closed {
		return errClosed
	}
	set := t.Replicas(r.Token())
	if err := v.available(t.placement, set, q.level); err != nil {
		c.stats.Unavailable.Inc()
		return err
	}
	if len(set.Write) == 1 && set.Write[0] == 0 {
		if err := c.order(r, q.batched); err != nil {
			return err
		}
		return c.apply(ctx, q)
	}
	q.deadline = c.within(q.deadline)
	w, err := c.pool.get(q)
	if err != nil {
		return err
	}
	w.local[0].SetEpoch(v.state.Schema.Epoch)
	w.plan(v, t, set)
	if w.holds() {
		err = c.order(w.local[0], q.batched)
	} else {
		c.stats.Away.Inc()
	}
	if err == nil {
		err = w.ask(ctx)
	}
	if err != nil {
		c.pool.put(w)
	}
	return err
}

// within is a deadline that is at most WriteTimeout away; 0 is none.
func (c *Cluster) within(deadline int64) int64 {
	last := int64(c.cfg.Clock.Mono() + c.cfg.WriteTimeout)
	if deadline == 0 {
		return last
	}
	return min(deadline, last)
}

// apply hands a write to the store alone.
func (c *Cluster) apply(ctx context.Context, q *request) error {
	if ctx == noWait {
		return c.cfg.Replica.TryApply(q.records, false, q.done)
	}
	return c.cfg.Replica.Apply(ctx, q.records, false, q.done)
}

// order notes the stamp of a record that this node is about to apply for a
// client of its own, and stamps it again if the store has met a newer one.
// Nobody else may have the record yet.
func (c *Cluster) order(r mutation.Record, batched bool) error {
	if r.Optional()&mutation.FlagServerStamped == 0 {
		return nil
	}
	for {
		_, newer := c.newest.Meet(r.Token(), r.Timestamp())
		if !newer || batched {
			return nil
		}
		if err := r.Restamp(c.cfg.Stamps.Now()); err != nil {
			return err
		}
	}
}

// TryRead implements cluster.Cluster.
func (c *Cluster) TryRead(cmd *mutation.ReadCommand, level ring.ConsistencyLevel) (mutation.Source, error) {
	return c.cfg.Reader.TryRead(cmd, level)
}

// StartRead implements cluster.Cluster.
func (c *Cluster) StartRead(cmd *mutation.ReadCommand, level ring.ConsistencyLevel, deadline int64, done cluster.ReadCompleter) error {
	return c.cfg.Reader.StartRead(cmd, level, deadline, done)
}

// Read implements cluster.Cluster.
func (c *Cluster) Read(ctx context.Context, cmd *mutation.ReadCommand, level ring.ConsistencyLevel) (mutation.Source, error) {
	return c.cfg.Reader.Read(ctx, cmd, level)
}

// Now implements cluster.Cluster.
func (c *Cluster) Now() int64 { return c.cfg.Stamps.Now() }

// Schema implements cluster.Cluster.
func (c *Cluster) Schema() *schema.Snapshot { return c.view.Load().state.Schema }

// Topology implements cluster.Cluster.
func (c *Cluster) Topology() *cluster.Topology { return c.view.Load().topology }

// Epoch is that of the metadata in force here: the store follows it and
// requests are planned by it.
func (c *Cluster) Epoch() uint64 { return c.view.Load().epoch }

// Live tells whether a node of a topology can be asked now.
func (c *Cluster) Live(n *cluster.Node) bool {
	v := c.view.Load()
	i, known := v.byHost[n.HostID]
	return known && v.members[i].live()
}
