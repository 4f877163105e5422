package query

import (
	"context"
	"errors"
	"slices"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/cql/plan"
	"github.com/ilion-db/ilion/schema"
)

// change puts a change of the schema in force. The event is nil if there is
// nothing to tell. If the schema has moved since pl was
// compiled, again compiles the statement anew.
func (p *Processor) change(ctx context.Context, c *call, pl *plan.Plan, again func() (*plan.Plan, error)) (*native.SchemaChange, error) {
	c.opts.Datacenters = p.datacenters()
	for range maxStale {
		s := pl.Schema
		c.warnings = append(c.warnings[:0], s.Warnings...)
		if s.NoOp {
			return nil, nil
		}
		change, check, err := s.Change(p.env, &c.opts)
		if err != nil {
			return nil, err
		}
		_, err = p.cluster.Propose(ctx, change, check)
		var behind *cluster.DisagreementError
		if errors.As(err, &behind) {
			c.warnings, err = append(c.warnings, behind.Error()), nil
		}
		if errors.Is(err, plan.ErrStale) {
			if pl, err = again(); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, p.changeError(s, err)
		}
		p.stats.changes.Add(1)
		return s.Event, nil
	}
	return nil, native.ServerError("The statement could not be executed: %v", errMoving)
}

// changeError gives a failed TRUNCATE its own code, and tells of a change that
// was not decided, in time or before the node ends, that it may still come into force.
func (p *Processor) changeError(s *plan.SchemaPlan, err error) error {
	var n *native.Error
	var e *schema.Error
	if errors.As(err, &n) || errors.As(err, &e) {
		return err
	}
	switch p.classify(err) {
	case ClassClosed:
		if s.Truncate {
			return native.TruncateError("The node is shutting down; the TRUNCATE was not agreed on yet and may still come into force")
		}
		return native.ServerError("The node is shutting down; the change of the schema was not agreed on yet and may still come into force")
	case ClassTimeout:
		p.stats.failures.Add(1)
		if s.Truncate {
			return native.TruncateError("The TRUNCATE was not agreed on in time and may still come into force: %v", err)
		}
		return native.ServerError("The change of the schema was not agreed on in time and may still come into force: %v", err)
	}
	if !s.Truncate {
		return err
	}
	return native.TruncateError("Error during truncate: %v", err)
}

func (p *Processor) datacenters() []string {
	var out []string
	for _, n := range p.cluster.Topology().Nodes {
		if !slices.Contains(out, n.DC) {
			out = append(out, n.DC)
		}
	}
	slices.Sort(out)
	return out
}
