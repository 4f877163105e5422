package coordinator

import (
	"context"
	"maps"
	"time"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

const (
	// agreement is how long a change of the schema waits for the live nodes.
	agreement = 10 * time.Second
	// askEvery is how often nodes that are behind are asked again meanwhile.
	askEvery = 100 * time.Millisecond
)

var errCounter = native.Invalid("Counters are not supported in keyspaces with more than one replica")

// Propose implements cluster.Cluster. A *cluster.DisagreementError comes with
// the snapshot: the change is in force, but not yet everywhere.
func (c *Cluster) Propose(ctx context.Context, change schema.Change, check func(*schema.Snapshot) error) (*schema.Snapshot, error) {
	checks := []func(*schema.Snapshot) error{check, func(s *schema.Snapshot) error { return c.allowed(s, &change) }}
	if check == nil {
		checks = checks[1:]
	}
	if change.Kind == schema.Truncate {
		c.afterOthers(&change)
	}
	epoch, err := c.cfg.Metadata.Propose(ctx, change, checks...)
	if err != nil {
		return nil, err
	}
	if err := c.inForce(ctx, epoch); err != nil {
		return nil, err
	}
	s := c.Schema()
	if behind := c.agree(epoch); len(behind) > 0 {
		return s, &cluster.DisagreementError{Behind: behind}
	}
	return s, nil
}

// afterOthers makes a TRUNCATE later than the one before, whoever stamped it.
func (c *Cluster) afterOthers(change *schema.Change) {
	if change.Table == nil {
		return
	}
	if t := c.Schema().Table(change.Table.Keyspace, change.Table.Name); t != nil {
		change.TruncatedAt = max(change.TruncatedAt, t.TruncatedAt+1)
	}
}

// allowed refuses what needs more than a ring can do yet.
func (c *Cluster) allowed(s *schema.Snapshot, change *schema.Change) error {
	switch change.Kind {
	case schema.AlterKeyspace:
		old := s.Keyspace(change.Keyspace.Name)
		if old != nil && len(old.Tables) > 0 && !maps.Equal(old.Replication, change.Keyspace.Replication) {
			return native.Invalid("The replication of keyspace %s cannot be changed while it has tables", old.Name)
		}
	case schema.CreateTable, schema.AlterTable:
		ks := s.Keyspace(change.Table.Keyspace)
		if ks == nil {
			return nil
		}
		st, err := ring.ParseStrategy(ks.Replication)
		if err != nil || st.RF() <= 1 {
			return nil
		}
		for _, col := range change.Table.Columns() {
			if isCounter(col) {
				return errCounter
			}
		}
	}
	return nil
}

// inForce waits until the epoch is in force here.
func (c *Cluster) inForce(ctx context.Context, epoch uint64) error {
	for {
		next := c.changed.announced()
		if c.view.Load().epoch >= epoch {
			return nil
		}
		if err := c.stuck.Load(); err != nil {
			return *err
		}
		if err := wait(ctx, next); err != nil {
			return err
		}
	}
}

// agree waits until all live nodes have the epoch in force and returns who has
// not after the time there is.
func (c *Cluster) agree(epoch uint64) []string {
	ctx, cancel := c.limited(int64(c.cfg.Clock.Mono() + agreement))
	defer cancel()
	for {
		next := c.changed.announced()
		behind := c.behind(epoch)
		if len(behind) == 0 {
			return nil
		}
		if c.waitOr(ctx, next) != nil {
			return c.view.Load().describe(behind)
		}
	}
}

// waitOr waits for a change, or a while; an error means that ctx has ended.
func (c *Cluster) waitOr(ctx context.Context, next <-chan struct{}) error {
	select {
	case <-next:
	case <-c.cfg.Clock.After(askEvery):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// behind are the live nodes that are not known to have the epoch in force. They
// are asked for it by a write of nothing, which they answer when they have.
func (c *Cluster) behind(epoch uint64) (nodes []int) {
	v := c.view.Load()
	msg := rpc.Message{Op: wire.OpApply, Lane: rpc.Urgent, Epoch: v.epoch, Deadline: int64(c.cfg.Clock.Mono() + agreement)}
	msg.Body = new(wire.Apply).Append(nil)
	for i, m := range v.members {
		if m.peer == nil || !m.live() || m.epoch.Load() >= epoch {
			continue
		}
		nodes = append(nodes, i)
		if m.asked.CompareAndSwap(false, true) && m.peer.Send(&msg, &asked{c, m}) != nil {
			m.asked.Store(false)
		}
	}
	return nodes
}

// asked hears the epoch of a node.
type asked struct {
	c *Cluster
	m *member
}

// Receive implements rpc.Receiver.
func (p *asked) Receive(a *rpc.Answer) {
	p.m.asked.Store(false)
	p.c.heard(p.m, a.Epoch)
}
