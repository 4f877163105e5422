package query

import (
	"context"
	"errors"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/cql/plan"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/session"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
)

// modify binds a plain modification.
func (p *Processor) modify(c *call, m *plan.Modification, values []native.Value) error {
	c.writeType, c.table = native.WriteSimple, m.Table.ID
	b := p.binder(c)
	if err := m.Bind(b, values, &c.opts); err != nil {
		return err
	}
	return p.checkRecords(b.Records)
}

// checkRecords refuses records that are too large to be kept.
func (p *Processor) checkRecords(records []mutation.Record) error {
	for _, r := range records {
		if len(r) > p.cfg.MaxMutation {
			return native.Invalid("Mutation of %d bytes is too large for the maximum size of %d", len(r), p.cfg.MaxMutation)
		}
	}
	return nil
}

// bound fills c.write with what has been bound; false if there is nothing to
// write.
func (c *call) bound(done cluster.Completer) bool {
	b := c.binder
	if len(b.Records) == 0 {
		return false
	}
	c.write = cluster.Write{Records: b.Records, Atomic: b.Atomic, Consistency: c.level, Deadline: c.deadline, Done: done}
	return true
}

// tryWrite starts a bound write unless it would have to wait.
func (p *Processor) tryWrite(r *session.Request, c *call) session.Status {
	if len(c.binder.Warnings) > 0 {
		return session.WouldBlock
	}
	if !c.bound(r) {
		return session.Done
	}
	// Once TryWrite has returned nil r and c may be somebody else's.
	switch err := p.cluster.TryWrite(&c.write); {
	case err == nil:
		return session.Pending
	case errors.Is(err, mutation.ErrWouldBlock):
		return session.WouldBlock
	default:
		r.Fail(err)
		return session.Done
	}
}

// startWrite starts a bound write, waiting for room if need be. done is told
// the outcome unless an error or false is returned.
func (p *Processor) startWrite(ctx context.Context, c *call, done cluster.Completer) (started bool, err error) {
	if !c.bound(done) {
		return false, nil
	}
	err = p.cluster.TryWrite(&c.write)
	if !errors.Is(err, mutation.ErrWouldBlock) {
		return err == nil, err
	}
	ctx, cancel := p.limited(ctx, c)
	defer cancel()
	if err := p.cluster.Write(ctx, &c.write); err != nil {
		return false, cause(ctx, err)
	}
	return true, nil
}

// executeModification binds a modification on a worker.
func (p *Processor) executeModification(ctx context.Context, c *call, m *plan.Modification, values []native.Value) error {
	if m.NeedsRead() {
		if err := p.readPrior(ctx, c, m, values); err != nil {
			return err
		}
		defer func() { c.opts.Prior = nil }()
	}
	if err := p.modify(c, m, values); err != nil {
		return err
	}
	c.warnings = append(c.warnings, c.binder.Warnings...)
	return nil
}

// readPrior reads the lists whose elements a write names by index or value.
func (p *Processor) readPrior(ctx context.Context, c *call, m *plan.Modification, values []native.Value) error {
	c.table = m.Table.ID
	cmd, err := m.ReadCommand(p.binder(c), values, &c.opts)
	if err != nil {
		return err
	}
	ctx, cancel := p.limited(ctx, c)
	defer cancel()
	// What is read is what this level of the write could have written.
	level := max(c.level, ring.One) // ANY is for writes only
	src, err := p.cluster.Read(ctx, cmd, level)
	if err != nil {
		return cause(ctx, err)
	}
	defer invariant.Release(src.Close)
	c.opts.Prior = new(plan.Prior)
	return cause(ctx, c.opts.Prior.Load(src, cmd))
}
