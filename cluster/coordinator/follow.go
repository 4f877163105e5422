package coordinator

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/ilion-db/ilion/cluster/metadata"
	"github.com/ilion-db/ilion/schema"
)

// changes tells of new views.
type changes struct {
	mu   sync.Mutex // protects what follows
	next chan struct{}
	subs []*subscriber
}

type subscriber struct {
	call func(*schema.Snapshot, schema.Change)
}

func (n *changes) init() { n.next = make(chan struct{}) }

// announced returns a channel that is closed at the next change.
func (n *changes) announced() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.next
}

func (n *changes) announce() {
	n.mu.Lock()
	defer n.mu.Unlock()
	close(n.next)
	n.next = make(chan struct{})
}

// wait returns at the next change.
func wait(ctx context.Context, next <-chan struct{}) error {
	select {
	case <-next:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// start puts the first state in force. What a crash has kept the store from
// truncating is truncated now.
func (c *Cluster) start(s *metadata.State) error {
	v := c.newView(s, nil)
	for id, t := range v.tables {
		def := s.Schema.TableByID(id)
		if t.truncated == 0 || c.cfg.Replica.Truncated(id) >= def.TruncatedAt {
			continue
		}
		if err := c.cfg.Replica.Truncate(c.ctx, id, t.truncated, def.TruncatedAt); err != nil {
			return fmt.Errorf("coordinator: truncate %s.%s again: %w", def.Keyspace, def.Name, err)
		}
	}
	c.view.Store(v)
	c.parking.reached(v.epoch)
	return nil
}

// Follow puts a state of the metadata in force; states come in order, and those
// that are in force already are passed over. The store follows first, then
// requests are planned by it, then subscribers are told of the change, if there
// is one. After an error the state before is still in force: Follow is to be
// called again with the same one, or a later one.
func (c *Cluster) Follow(s *metadata.State, change *schema.Change) error {
	<-c.turn
	before := c.Epoch()
	err := c.advance(s)
	if err != nil {
		c.stuck.Store(&err)
	} else {
		c.stuck.Store(nil)
	}
	c.turn <- struct{}{}
	c.changed.announce()
	if err != nil || change == nil || s.Epoch <= before {
		return err
	}
	for _, sub := range c.subscribed() {
		sub.call(s.Schema, *change)
	}
	return nil
}

// advance is Follow for the holder of the turn.
func (c *Cluster) advance(s *metadata.State) error {
	old := c.view.Load()
	if s.Epoch <= old.epoch {
		return nil
	}
	if s.Schema.Epoch != old.state.Schema.Epoch {
		if err := c.cfg.Replica.ApplySchema(s.Schema); err != nil {
			return fmt.Errorf("coordinator: the store cannot follow the schema: %w", err)
		}
	}
	v := c.newView(s, old)
	if err := c.truncate(old, v); err != nil {
		return err
	}
	c.view.Store(v)
	c.parking.reached(v.epoch)
	return nil
}

// truncate empties the tables that were truncated between two views. Meanwhile
// nobody writes to them: what was planned on the old view is in the store and
// goes, what is planned on the new one comes later.
func (c *Cluster) truncate(old, v *view) error {
	var ids []schema.TableID
	for id, t := range v.tables {
		if o := old.tables[id]; o != nil && t.truncated > o.truncated {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	c.view.Store(old.withClosed(ids))
	c.gate.drain()
	for _, id := range ids {
		def := v.state.Schema.TableByID(id)
		if err := c.cfg.Replica.Truncate(c.ctx, id, def.TruncatedEpoch, def.TruncatedAt); err != nil {
			c.view.Store(old)
			return fmt.Errorf("coordinator: truncate %s.%s: %w", def.Keyspace, def.Name, err)
		}
	}
	return nil
}

func (c *Cluster) subscribed() []*subscriber {
	c.changed.mu.Lock()
	defer c.changed.mu.Unlock()
	return slices.Clone(c.changed.subs)
}

// Subscribe makes f be called after each change of the schema is in force here,
// one call at a time and in order. It must neither block nor change the schema.
// Calling the returned function ends that; a call in progress may still be
// under way then.
func (c *Cluster) Subscribe(f func(*schema.Snapshot, schema.Change)) (cancel func()) {
	s := &subscriber{f}
	c.changed.mu.Lock()
	defer c.changed.mu.Unlock()
	c.changed.subs = append(c.changed.subs, s)
	return func() {
		c.changed.mu.Lock()
		defer c.changed.mu.Unlock()
		c.changed.subs = slices.DeleteFunc(c.changed.subs, func(o *subscriber) bool { return o == s })
	}
}
