package query

import (
	"context"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/cql/plan"
	"github.com/ilion-db/ilion/internal/session"
	"github.com/ilion-db/ilion/schema"
)

// maxInlineText is the longest text in bytes that is parsed on a connection's
// reader.
const maxInlineText = 4096

// TryExecute implements session.Handler.
func (p *Processor) TryExecute(r *session.Request) session.Status {
	status := p.tryExecute(r)
	if status != session.WouldBlock {
		p.stats.inline.Inc()
	}
	return status
}

func (p *Processor) tryExecute(r *session.Request) session.Status {
	if r.Tracing && p.cfg.Traces != nil {
		return session.WouldBlock
	}
	c := callOf(r)
	switch r.Opcode {
	case native.OpExecute:
		st, ok := r.Prepared.Statement.(*statement)
		if !ok {
			return session.WouldBlock
		}
		pl := st.ready(p.Schema())
		if pl == nil {
			return session.WouldBlock
		}
		return p.tryPlan(r, c, st, pl)
	case native.OpQuery:
		if len(r.Query.Text) > maxInlineText {
			return session.WouldBlock
		}
		a, err := p.adhocPlan(r)
		if err != nil {
			r.Fail(err)
			return session.Done
		}
		status := p.tryPlan(r, c, nil, a.plan)
		if status == session.WouldBlock {
			c.adhoc = a // spares the worker the parsing
		}
		return status
	case native.OpBatch:
		return p.tryBatch(r, c)
	}
	return session.WouldBlock
}

// adhocPlan compiles a QUERY.
func (p *Processor) adhocPlan(r *session.Request) (a adhoc, err error) {
	a = adhoc{text: string(r.Query.Text), keyspace: r.Keyspace(), snap: p.Schema()}
	a.plan, err = p.compile(a.text, a.keyspace, a.snap)
	return a, err
}

// adhoc is a QUERY that was compiled before it was found to need a worker.
type adhoc struct {
	plan           *plan.Plan
	snap           *schema.Snapshot
	text, keyspace string
}

// take returns the plan if it is of this request, and forgets it.
func (a *adhoc) take(r *session.Request, snap *schema.Snapshot) *plan.Plan {
	was := *a
	*a = adhoc{}
	// Schema statements are good for one schema and so is this.
	if was.plan != nil && was.snap == snap && was.text == string(r.Query.Text) && was.keyspace == r.Keyspace() {
		return was.plan
	}
	return nil
}

// tryPlan executes what can be executed without waiting.
func (p *Processor) tryPlan(r *session.Request, c *call, st *statement, pl *plan.Plan) session.Status {
	write := pl.Kind == plan.KindModification
	if write && pl.Modification.NeedsRead() || !write && (pl.Kind != plan.KindSelect || !inline(pl.Select, st)) {
		return session.WouldBlock
	}
	params := r.Params()
	values, err := c.positional(params, pl.Bind, st != nil)
	if err == nil {
		p.options(c, params, write)
		if !write {
			return p.tryRead(r, c, st, pl.Select, values)
		}
		err = p.modify(c, pl.Modification, values)
	}
	if err != nil {
		r.Fail(err)
		return session.Done
	}
	return p.tryWrite(r, c)
}

// Execute implements session.Handler.
func (p *Processor) Execute(ctx context.Context, r *session.Request) session.Status {
	p.stats.worker.Inc()
	c := callOf(r)
	p.startTrace(r, c)
	status, err := p.execute(ctx, r, c)
	if status == session.Pending {
		return status // r is gone
	}
	if err != nil {
		r.Fail(err)
	}
	p.endTrace(c, err)
	return session.Done
}

func (p *Processor) execute(ctx context.Context, r *session.Request, c *call) (session.Status, error) {
	if r.Opcode == native.OpBatch {
		if err := p.executeMessage(ctx, r, c); err != nil {
			return session.Done, err
		}
		return p.answerWrite(ctx, r, c)
	}
	st, pl, err := p.planOf(r, c)
	if err != nil {
		return session.Done, err
	}
	values, err := c.positional(r.Params(), pl.Bind, st != nil)
	if err != nil {
		return session.Done, err
	}
	p.options(c, r.Params(), pl.Kind != plan.KindSelect)
	switch pl.Kind {
	case plan.KindModification:
		err = p.executeModification(ctx, c, pl.Modification, values)
	case plan.KindBatch:
		err = p.executeBatch(ctx, c, pl.Batch, values)
	case plan.KindSelect:
		return session.Done, p.answerSelect(ctx, r, c, st, pl.Select, values)
	case plan.KindSchema:
		return session.Done, p.answerSchema(ctx, r, c, pl)
	case plan.KindUse:
		r.ReplyKeyspace(pl.Use)
		return session.Done, nil
	case plan.KindDescribe:
		return session.Done, p.answerDescribe(r, pl)
	}
	if err != nil {
		return session.Done, err
	}
	return p.answerWrite(ctx, r, c)
}

// planOf finds the plan of a QUERY or EXECUTE; st is nil for a QUERY.
func (p *Processor) planOf(r *session.Request, c *call) (st *statement, pl *plan.Plan, err error) {
	snap := p.Schema()
	if r.Opcode == native.OpQuery {
		if pl = c.adhoc.take(r, snap); pl == nil {
			pl, err = p.compile(string(r.Query.Text), r.Keyspace(), snap)
		}
		return nil, pl, err
	}
	st, ok := r.Prepared.Statement.(*statement)
	if !ok {
		return nil, nil, native.Unprepared(r.Execute.ID)
	}
	pl, err = p.refresh(st, snap)
	return st, pl, err
}

// answerWrite starts what has been bound.
func (p *Processor) answerWrite(ctx context.Context, r *session.Request, c *call) (session.Status, error) {
	for _, w := range c.warnings {
		r.Warn(w)
	}
	c.event("Determining replicas for mutation")
	started, err := p.startWrite(ctx, c, p.tracedDone(r, c))
	if started {
		return session.Pending, nil
	}
	return session.Done, err
}

func (p *Processor) answerSelect(ctx context.Context, r *session.Request, c *call, st *statement, s *plan.Select, values []native.Value) error {
	params := r.Params()
	c.event("Executing read on " + s.Table.Keyspace + "." + s.Table.Name)
	body, res, err := p.page(ctx, c, s, values, params.PagingState, r.RowBuffer)
	if err != nil {
		return err
	}
	for _, w := range c.warnings {
		r.Warn(w)
	}
	c.event("Read completed")
	r.ReplyRows(native.RowsHead{Metadata: s.Result, SkipMetadata: skipMetadata(params, st), PagingState: res.PagingState}, body, res.Rows)
	return nil
}

func (p *Processor) answerSchema(ctx context.Context, r *session.Request, c *call, pl *plan.Plan) error {
	text, keyspace := string(r.Query.Text), r.Keyspace()
	if st := preparedOf(r); st != nil {
		text, keyspace = st.text, st.keyspace
	}
	event, err := p.change(ctx, c, pl, func() (*plan.Plan, error) { return p.compile(text, keyspace, p.Schema()) })
	if err != nil {
		return err
	}
	for _, w := range c.warnings {
		r.Warn(w)
	}
	if event != nil {
		r.ReplySchemaChange(event)
	}
	return nil
}

func preparedOf(r *session.Request) *statement {
	if r.Opcode != native.OpExecute {
		return nil
	}
	st, _ := r.Prepared.Statement.(*statement)
	return st
}
