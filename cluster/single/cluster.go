package single

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cluster/hlc"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// Log keeps the schema durable.
type Log interface {
	// Propose appends a change unless a check, or the schema, refuses it, and
	// returns when it is durable.
	Propose(ctx context.Context, change schema.Change, checks ...func(*schema.Snapshot) error) (epoch uint64, err error)
	// Snapshot is the schema after all changes so far.
	Snapshot() *schema.Snapshot
}

// Config says what a Cluster is made of. All fields must be set.
type Config struct {
	// Replica is the store. It must already follow Log's snapshot.
	Replica cluster.Replica
	Log     Log
	Stamper *hlc.Clock
	// Node describes this node; SchemaVersion, Local and Up are filled in.
	Node cluster.Node
}

// Cluster is a cluster.Cluster of one node.
type Cluster struct {
	replica cluster.Replica
	log     Log
	stamper *hlc.Clock
	node    cluster.Node

	schema   atomic.Pointer[schema.Snapshot] // in force
	topology atomic.Pointer[cluster.Topology]

	turn        chan struct{} // holds a token while nobody changes the schema
	mu          sync.Mutex    // protects subscribers
	subscribers []*subscriber
}

type subscriber struct {
	call func(*schema.Snapshot, schema.Change)
}

var _ cluster.Cluster = (*Cluster)(nil)

// New makes a Cluster whose schema is the log's.
func New(cfg Config) (*Cluster, error) {
	if cfg.Replica == nil || cfg.Log == nil || cfg.Stamper == nil {
		return nil, errors.New("single: config: Replica, Log and Stamper must be set")
	}
	c := &Cluster{replica: cfg.Replica, log: cfg.Log, stamper: cfg.Stamper, node: cfg.Node, turn: make(chan struct{}, 1)}
	c.node.Local, c.node.Up = true, true
	s := cfg.Log.Snapshot()
	if err := c.truncateAgain(s); err != nil {
		return nil, err
	}
	c.turn <- struct{}{}
	c.publish(s)
	return c, nil
}

// truncateAgain does what a crash came before: a TRUNCATE that the log has and
// the store has not.
func (c *Cluster) truncateAgain(s *schema.Snapshot) error {
	for _, ks := range s.Keyspaces {
		for _, t := range ks.Tables {
			if t.TruncatedAt == 0 || c.replica.Truncated(t.ID) >= t.TruncatedAt {
				continue
			}
			if err := c.replica.Truncate(context.Background(), t.ID, s.Epoch, t.TruncatedAt); err != nil {
				return fmt.Errorf("single: truncate %s.%s again: %w", ks.Name, t.Name, err)
			}
		}
	}
	return nil
}

// TryWrite implements cluster.Cluster.
func (c *Cluster) TryWrite(w *cluster.Write) error {
	if err := checkWrite(w.Consistency); err != nil {
		return err
	}
	return c.replica.TryApply(w.Records, w.Atomic, w.Done)
}

// Write implements cluster.Cluster.
func (c *Cluster) Write(ctx context.Context, w *cluster.Write) error {
	if err := checkWrite(w.Consistency); err != nil {
		return err
	}
	return c.replica.Apply(ctx, w.Records, w.Atomic, w.Done)
}

// TryRead implements cluster.Cluster.
func (c *Cluster) TryRead(cmd *mutation.ReadCommand, level ring.ConsistencyLevel) (mutation.Source, error) {
	if err := checkRead(level); err != nil {
		return nil, err
	}
	return c.replica.TryRead(cmd)
}

// TryWriteEach implements cluster.Cluster.
func (c *Cluster) TryWriteEach(w *cluster.Write) error {
	if checkWrite(w.Consistency) != nil {
		return mutation.ErrWouldBlock
	}
	return c.replica.TryApply(w.Records, false, w.Done)
}

// TryRows implements cluster.Cluster.
func (c *Cluster) TryRows(table schema.TableID, keys []mutation.RowKey, now uint32, level ring.ConsistencyLevel, to mutation.RowReceiver) {
	if checkRead(level) == nil {
		c.replica.TryRows(table, keys, now, to)
	}
}

// StartRead implements cluster.Cluster: there is no other node to ask.
func (c *Cluster) StartRead(*mutation.ReadCommand, ring.ConsistencyLevel, int64, cluster.ReadCompleter) error {
	return mutation.ErrWouldBlock
}

// Read implements cluster.Cluster.
func (c *Cluster) Read(ctx context.Context, cmd *mutation.ReadCommand, level ring.ConsistencyLevel) (mutation.Source, error) {
	if err := checkRead(level); err != nil {
		return nil, err
	}
	return c.replica.Read(ctx, cmd)
}

// Now implements cluster.Cluster.
func (c *Cluster) Now() int64 { return c.stamper.Now() }

// Schema implements cluster.Cluster.
func (c *Cluster) Schema() *schema.Snapshot { return c.schema.Load() }

// Topology implements cluster.Cluster.
func (c *Cluster) Topology() *cluster.Topology { return c.topology.Load() }

// replicas is how many there are of anything.
const replicas = 1

func checkWrite(level ring.ConsistencyLevel) error {
	if level.IsSerial() {
		return native.Invalid("You must use conditional updates for serializable writes")
	}
	return checkLive(level)
}

func checkRead(level ring.ConsistencyLevel) error {
	if level == ring.Any {
		return native.Invalid("ANY ConsistencyLevel is only supported for writes")
	}
	return checkLive(level)
}

func checkLive(level ring.ConsistencyLevel) error {
	if need := level.BlockFor(replicas); need > replicas {
		return native.Unavailable(native.Consistency(level), need, replicas)
	}
	return nil
}

// Propose implements cluster.Cluster.
func (c *Cluster) Propose(ctx context.Context, change schema.Change, check func(*schema.Snapshot) error) (*schema.Snapshot, error) {
	select {
	case <-c.turn:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { c.turn <- struct{}{} }()
	if err := c.catchUp(); err != nil {
		return nil, err
	}
	var checks []func(*schema.Snapshot) error
	if check != nil {
		checks = append(checks, check)
	}
	if _, err := c.log.Propose(ctx, change, checks...); err != nil {
		return nil, err
	}
	s := c.log.Snapshot()
	if err := c.follow(ctx, s, change); err != nil {
		return nil, err
	}
	c.publish(s)
	for _, sub := range c.subscribed() {
		sub.call(s, change)
	}
	return s, nil
}

// catchUp brings the store to where the log is, after a change that it could
// not follow.
func (c *Cluster) catchUp() error {
	s := c.log.Snapshot()
	if s == c.schema.Load() {
		return nil
	}
	if err := c.replica.ApplySchema(s); err != nil {
		return fmt.Errorf("single: the store cannot follow the schema: %w", err)
	}
	c.publish(s)
	return nil
}

// follow makes the store do what the change says.
func (c *Cluster) follow(ctx context.Context, s *schema.Snapshot, change schema.Change) error {
	if err := c.replica.ApplySchema(s); err != nil {
		return fmt.Errorf("single: the store cannot follow the schema: %w", err)
	}
	if change.Kind != schema.Truncate {
		return nil
	}
	t := s.Table(change.Table.Keyspace, change.Table.Name)
	if t == nil {
		return nil
	}
	// The log has it: leaving half way would show a table that is not empty.
	if err := c.replica.Truncate(context.WithoutCancel(ctx), t.ID, s.Epoch, t.TruncatedAt); err != nil {
		return native.TruncateError("Truncate failed on replica %s: %v", c.node.Address, err)
	}
	return nil
}

func (c *Cluster) publish(s *schema.Snapshot) {
	c.schema.Store(s)
	n := c.node
	n.SchemaVersion = s.Version
	c.topology.Store(&cluster.Topology{Epoch: s.Epoch, Nodes: []cluster.Node{n}})
}

func (c *Cluster) subscribed() []*subscriber {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.subscribers)
}

// Subscribe makes f be called after each change is in force, one call at a
// time and in order. It must neither block nor change the schema. Calling the
// returned function ends that; a call in progress may still be under way then.
func (c *Cluster) Subscribe(f func(*schema.Snapshot, schema.Change)) (cancel func()) {
	s := &subscriber{f}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.subscribers = append(c.subscribers, s)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.subscribers = slices.DeleteFunc(c.subscribers, func(o *subscriber) bool { return o == s })
	}
}
