package query

import (
	"context"
	"errors"

	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/cql/plan"
	"github.com/ilion-db/ilion/internal/session"
	"github.com/ilion-db/ilion/schema"
)

const (
	// inlineBatch is how many statements a batch on a connection's reader may
	// have, inlineBatchBytes how many bytes of values.
	inlineBatch      = 64
	inlineBatchBytes = 16 << 10
)

// batchCall is the scratch of a BATCH message.
type batchCall struct {
	modifications []*plan.Modification
	values        [][]native.Value
	valuesOf      func(i int) []native.Value // of this batchCall, made once
}

func (b *batchCall) reset() {
	clear(b.modifications)
	clear(b.values)
	b.modifications, b.values = b.modifications[:0], b.values[:0]
	if b.valuesOf == nil {
		b.valuesOf = func(i int) []native.Value {
			// Bind asks for the first values of an empty batch, too.
			if i >= len(b.values) {
				return nil
			}
			return b.values[i]
		}
	}
}

func (b *batchCall) add(m *plan.Modification, values []native.Value, markers int) error {
	if len(values) != markers {
		return native.Invalid("There were %d markers(?) in CQL but %d bound variables", markers, len(values))
	}
	b.modifications, b.values = append(b.modifications, m), append(b.values, values)
	return nil
}

// kinds are the protocol's kinds as the grammar's.
var kinds = map[native.BatchType]cql.BatchKind{
	native.BatchLogged: cql.BatchLogged, native.BatchUnlogged: cql.BatchUnlogged, native.BatchCounter: cql.BatchCounter,
}

func batchWriteType(kind cql.BatchKind) native.WriteType {
	switch kind {
	case cql.BatchUnlogged:
		return native.WriteUnloggedBatch
	case cql.BatchCounter:
		return native.WriteCounter
	}
	return native.WriteBatch
}

// tryBatch starts a small BATCH of prepared statements.
func (p *Processor) tryBatch(r *session.Request, c *call) session.Status {
	m := &r.Batch
	if len(m.Statements) > inlineBatch {
		return session.WouldBlock
	}
	size, snap := 0, p.Schema()
	for i := range m.Params.Values {
		size += len(m.Params.Values[i].Bytes)
	}
	if size > inlineBatchBytes {
		return session.WouldBlock
	}
	c.batch.reset()
	for i := range m.Statements {
		s := &m.Statements[i]
		var pl *plan.Plan
		if s.Prepared {
			if st := p.cache.get(s.ID); st != nil {
				pl = st.ready(snap)
			}
		}
		if pl == nil || pl.Kind != plan.KindModification || pl.Modification.NeedsRead() {
			return session.WouldBlock
		}
		if err := c.batch.add(pl.Modification, m.Values(i), len(pl.Bind.Columns())); err != nil {
			r.Fail(err)
			return session.Done
		}
	}
	p.options(c, &m.Params, true)
	if err := p.bindMessage(c, kinds[m.Type]); err != nil {
		r.Fail(err)
		return session.Done
	}
	return p.tryWrite(r, c)
}

// bindMessage binds the statements gathered in c.batch.
func (p *Processor) bindMessage(c *call, kind cql.BatchKind) error {
	bt, err := plan.NewBatch(kind, c.batch.modifications)
	if err != nil {
		return err
	}
	return p.bindBatch(c, bt, c.batch.valuesOf)
}

func (p *Processor) bindBatch(c *call, bt *plan.Batch, values func(int) []native.Value) error {
	c.writeType = batchWriteType(bt.Kind)
	b := p.binder(c)
	if err := bt.Bind(b, values, &c.opts); err != nil {
		return err
	}
	if len(b.Records) > 0 {
		c.table = b.Records[0].Table()
	}
	c.warnings = append(c.warnings, b.Warnings...)
	return p.checkRecords(b.Records)
}

// executeMessage binds a BATCH message on a worker.
func (p *Processor) executeMessage(ctx context.Context, r *session.Request, c *call) error {
	m := &r.Batch
	p.options(c, &m.Params, true)
	c.batch.reset()
	snap, keyspace := p.Schema(), r.Keyspace()
	for i := range m.Statements {
		pl, err := p.batchPlan(&m.Statements[i], snap, keyspace)
		if err != nil {
			return err
		}
		if err := c.batch.add(pl.Modification, m.Values(i), len(pl.Bind.Columns())); err != nil {
			return err
		}
	}
	if len(c.batch.modifications) == 1 && c.batch.modifications[0].NeedsRead() {
		if err := p.readPrior(ctx, c, c.batch.modifications[0], c.batch.values[0]); err != nil {
			return err
		}
		defer func() { c.opts.Prior = nil }()
	}
	return p.bindMessage(c, kinds[m.Type])
}

// batchPlan is the plan of one statement of a BATCH message.
func (p *Processor) batchPlan(s *native.BatchStatement, snap *schema.Snapshot, keyspace string) (pl *plan.Plan, err error) {
	if s.Prepared {
		st := p.cache.get(s.ID)
		if st == nil {
			return nil, native.Unprepared(s.ID)
		}
		pl, err = p.refresh(st, snap)
	} else {
		pl, err = p.compile(string(s.Text), keyspace, snap)
	}
	if err != nil {
		return nil, err
	}
	if pl.Kind != plan.KindModification {
		return nil, native.Invalid("Invalid statement in batch: only UPDATE, INSERT and DELETE statements are allowed.")
	}
	return pl, nil
}

// executeBatch binds a BATCH statement.
func (p *Processor) executeBatch(ctx context.Context, c *call, bt *plan.Batch, values []native.Value) error {
	if m := bt.NeedsRead(); m != nil {
		if err := p.readPrior(ctx, c, m, values); err != nil {
			return err
		}
		defer func() { c.opts.Prior = nil }()
	}
	return p.bindBatch(c, bt, func(int) []native.Value { return values })
}

// maxStale is how often a statement is compiled again because the schema
// changed under it.
const maxStale = 8

var errMoving = errors.New("the schema keeps changing")
