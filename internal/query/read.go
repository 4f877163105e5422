package query

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ilion-db/ilion/cql/exec"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/cql/plan"
	"github.com/ilion-db/ilion/internal/fail"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/session"
	"github.com/ilion-db/ilion/mutation"
)

const (
	// inlineRows and inlineBytes are how much of what is stored a read on a
	// connection's reader may pass: some 20 us, less than a worker would cost.
	inlineRows  = 128
	inlineBytes = 64 << 10
	// skipAfter is how many executions of a statement go to a worker at once
	// after one that read more.
	skipAfter = 64
	// maxUnpaged is how many results may be gathered in memory at a time;
	// pages of more than maxPage rows count as such.
	maxUnpaged = 4
	maxPage    = 20000
)

// inline tells whether a SELECT may be tried on a connection's reader. st may
// be nil.
func inline(s *plan.Select, st *statement) bool {
	if s.Table.Virtual || s.Aggregated || s.MergeOrder {
		return false
	}
	return st == nil || st.skip.Load() == 0 || st.skip.Add(-1) < 0
}

// tryRead answers a SELECT of one partition from memory alone.
func (p *Processor) tryRead(r *session.Request, c *call, st *statement, s *plan.Select, values []native.Value) session.Status {
	params := r.Params()
	q, rd := p.reading(c)
	c.table = s.Table.ID
	err := s.Bind(q, values, &c.opts)
	if err == nil {
		err = rd.Resume(q, params.PagingState)
	}
	if err != nil {
		r.Fail(err)
		return session.Done
	}
	if !q.Empty && len(q.Command.Keys) != 1 {
		return session.WouldBlock
	}
	var src mutation.Source
	if !q.Empty {
		src, err = p.cluster.TryRead(&q.Command, c.level)
		if errors.Is(err, mutation.ErrWouldBlock) {
			return p.startRead(r, c, st, s)
		}
		if err != nil {
			return p.readFailed(r, st, q, err)
		}
	}
	if src != nil {
		defer invariant.Release(src.Close) // also of what panics
	}
	rd.Limits = exec.Limits{InlineRows: inlineRows, InlineBytes: inlineBytes, MaxBytes: p.cfg.MaxResult, Tombstones: p.cfg.Tombstones}
	body, res, err := rd.Page(q, src, r.RowBuffer())
	if err != nil {
		return p.readFailed(r, st, q, err)
	}
	if res.Tombstones > tombstoneWarn {
		r.Warn(tombstoneWarning(s, &res))
	}
	r.ReplyRows(native.RowsHead{Metadata: s.Result, SkipMetadata: skipMetadata(params, st), PagingState: res.PagingState}, body, res.Rows)
	return session.Done
}

// pointRead is a read that other nodes answer: what is needed to make the page
// when it is there. It lies in the request's call.
type pointRead struct {
	p   *Processor
	r   *session.Request
	st  *statement
	sel *plan.Select
	src mutation.Source
	err error
}

// startRead starts a read of one partition if other nodes have to be asked.
func (p *Processor) startRead(r *session.Request, c *call, st *statement, s *plan.Select) session.Status {
	c.point = pointRead{p: p, r: r, st: st, sel: s}
	// Once StartRead has returned nil r and c may be somebody else's.
	err := p.cluster.StartRead(&c.query.Command, c.level, c.deadline, &c.point)
	if err == nil {
		return session.Pending
	}
	return p.readFailed(r, st, c.query, err)
}

// CompleteRead implements cluster.ReadCompleter.
func (a *pointRead) CompleteRead(src mutation.Source, err error) {
	a.src, a.err = src, err
	a.r.Resume(a.p.finishRead)
}

// endRead makes the page of a read that was pending.
func (p *Processor) endRead(r *session.Request) session.Status {
	c := r.State.(*call)
	a := c.point
	c.point = pointRead{}
	if a.err != nil {
		r.Fail(a.err)
		return session.Done
	}
	defer invariant.Release(a.src.Close)
	c.reader.Limits = exec.Limits{MaxBytes: p.cfg.MaxResult, Tombstones: p.cfg.Tombstones}
	body, res, err := c.reader.Page(c.query, a.src, r.RowBuffer())
	if err != nil {
		return p.readFailed(r, a.st, c.query, err)
	}
	if res.Tombstones > tombstoneWarn {
		r.Warn(tombstoneWarning(a.sel, &res))
	}
	r.ReplyRows(native.RowsHead{Metadata: a.sel.Result, SkipMetadata: skipMetadata(r.Params(), a.st), PagingState: res.PagingState}, body, res.Rows)
	return session.Done
}

func (p *Processor) readFailed(r *session.Request, st *statement, q *plan.Query, err error) session.Status {
	if !errors.Is(err, mutation.ErrWouldBlock) {
		r.Fail(err)
		return session.Done
	}
	if st != nil && !q.Point {
		st.skip.Store(skipAfter)
	}
	return session.WouldBlock
}

// skipMetadata tells whether the columns may be left out of the answer.
func skipMetadata(params *native.QueryParams, st *statement) bool {
	return params.SkipMetadata && (st == nil || !st.reshaped.Load())
}

// page reads one page of a SELECT, waiting for what it needs. It appends to what
// buffer returns, which it asks for when nothing is waited for any more.
func (p *Processor) page(ctx context.Context, c *call, s *plan.Select, values []native.Value, state []byte, buffer func() []byte) ([]byte, exec.Result, error) {
	q, rd := p.reading(c)
	c.table = s.Table.ID
	if err := s.Bind(q, values, &c.opts); err != nil {
		return nil, exec.Result{}, err
	}
	if err := rd.Resume(q, state); err != nil {
		return nil, exec.Result{}, err
	}
	rd.Limits = exec.Limits{MaxBytes: p.cfg.MaxResult, Tombstones: p.cfg.Tombstones, Check: func() error {
		if err := fail.Point("query/page"); err != nil {
			return err
		}
		if p.clock.Mono() > time.Duration(c.deadline) {
			return errTimeout
		}
		return ctx.Err()
	}}
	defer func() { rd.Limits = exec.Limits{} }()
	if s.Table.Virtual {
		return p.pageVirtual(ctx, q, rd, buffer())
	}
	if s.AggregationWarning != "" {
		c.warnings = append(c.warnings, s.AggregationWarning)
	}
	if q.Empty {
		return rd.Page(q, nil, buffer())
	}
	ctx, cancel := p.limited(ctx, c)
	defer cancel()
	if !s.Aggregated && (c.opts.PageSize <= 0 || c.opts.PageSize > maxPage) {
		select {
		case p.unpaged <- struct{}{}:
			defer func() { <-p.unpaged }()
		case <-ctx.Done():
			return nil, exec.Result{}, context.Cause(ctx)
		}
	}
	out, res, err := p.readPage(ctx, c, q, rd, buffer)
	if errors.Is(err, mutation.ErrCorrupt) {
		// A damaged replica is known by now: others are asked.
		out, res, err = p.readPage(ctx, c, q, rd, buffer)
	}
	if err == nil && res.Tombstones > tombstoneWarn {
		c.warnings = append(c.warnings, tombstoneWarning(s, &res))
	}
	return out, res, cause(ctx, err)
}

// tombstoneWarn is Cassandra's tombstone_warn_threshold: from more tombstones on
// a page tells that there were so many.
const tombstoneWarn = 1000

// tombstoneWarning is what the client is told. The log is not: it would be with
// every page.
func tombstoneWarning(s *plan.Select, res *exec.Result) string {
	return fmt.Sprintf("Read %d live rows and %d tombstone cells for a query of %s.%s (see tombstone_warn_threshold)",
		res.Live, res.Tombstones, s.Table.Keyspace, s.Table.Name)
}

func (p *Processor) readPage(ctx context.Context, c *call, q *plan.Query, rd *exec.Reader, buffer func() []byte) ([]byte, exec.Result, error) {
	src, err := p.cluster.Read(ctx, &q.Command, c.level)
	if err != nil {
		return nil, exec.Result{}, err
	}
	defer invariant.Release(src.Close)
	return rd.Page(q, src, buffer())
}

func (p *Processor) pageVirtual(ctx context.Context, q *plan.Query, rd *exec.Reader, dst []byte) ([]byte, exec.Result, error) {
	if p.cfg.Virtual == nil {
		return dst, exec.Result{}, native.ServerError("There are no virtual tables here")
	}
	rows, err := p.cfg.Virtual.Rows(ctx, q.Select.Table)
	if err != nil {
		return dst, exec.Result{}, err
	}
	return rd.PageVirtual(q, rows, dst)
}
