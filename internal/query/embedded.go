package query

import (
	"cmp"
	"context"

	"github.com/ilion-db/ilion/cql/exec"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/cql/plan"
	"github.com/ilion-db/ilion/cql/value"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// DefaultPageSize is how many rows an embedded SELECT reads at a time.
const DefaultPageSize = 1000

// Statement is a statement of an embedded database.
type Statement struct {
	Text string
	// Keyspace is what unqualified names mean; may be empty.
	Keyspace string
	// Values for the markers, see value.Encode.
	Values []any
	// Consistency is ONE if zero.
	Consistency ring.ConsistencyLevel
	// PageSize is how many rows are read at a time, DefaultPageSize if zero.
	PageSize int32
	// Timestamp of a write in microseconds; 0 for the node's clock.
	Timestamp int64
}

// Column describes a column of a result.
type Column struct {
	Keyspace, Table, Name string
	Type                  *schema.Type
}

// Rows are the rows of a result. They are read a page at a time; between pages
// nothing of the database is held. They belong to one goroutine.
type Rows struct {
	p       *Processor
	ctx     context.Context
	params  native.QueryParams
	plan    *plan.Plan
	columns []Column
	cursor  *exec.Cursor
	body    []byte
	row     [][]byte
	more    bool
	err     error
	// Warnings are those of the first page.
	Warnings []string
}

// Exec executes a statement and drops its rows, if any.
func (p *Processor) Exec(ctx context.Context, s Statement) error {
	rows, err := p.Query(ctx, s)
	if err != nil {
		return err
	}
	return rows.Close()
}

// Query executes a statement. A write is durable as the node's sync mode
// promises when it returns. Errors are *native.Error, or ctx's.
func (p *Processor) Query(ctx context.Context, s Statement) (*Rows, error) {
	c := p.calls.Get().(*call)
	if s.Consistency == 0 {
		s.Consistency = ring.One
	}
	c.begin(s.Consistency, int64(p.clock.Mono()+p.cfg.Timeout))
	rows, busy, err := p.query(ctx, c, &s)
	if err != nil {
		err = p.embeddedError(ctx, c, err)
	}
	if !busy {
		p.calls.Put(c)
	}
	return rows, err
}

func (p *Processor) embeddedError(ctx context.Context, c *call, err error) error {
	if ctx.Err() != nil && p.classify(err) != ClassUncertain {
		return ctx.Err()
	}
	return p.mapError(c, err)
}

// query executes a statement. busy tells that c is still needed by a write
// that nobody waits for any more.
func (p *Processor) query(ctx context.Context, c *call, s *Statement) (rows *Rows, busy bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	pl, err := p.embeddedPlan(s)
	if err != nil {
		return nil, false, err
	}
	rows = &Rows{p: p, ctx: ctx, plan: pl}
	if rows.params.Values, err = encodeValues(pl.Bind, s.Values); err != nil {
		return nil, false, err
	}
	rows.params.Consistency = native.Consistency(s.Consistency)
	rows.params.Timestamp, rows.params.HasTimestamp = s.Timestamp, s.Timestamp != 0
	rows.params.PageSize = s.PageSize
	rows.params.PageSize = cmp.Or(rows.params.PageSize, DefaultPageSize)
	p.options(c, &rows.params, pl.Kind != plan.KindSelect)
	switch pl.Kind {
	case plan.KindModification:
		err = p.executeModification(ctx, c, pl.Modification, rows.params.Values)
	case plan.KindBatch:
		err = p.executeBatch(ctx, c, pl.Batch, rows.params.Values)
	case plan.KindSchema:
		_, err = p.change(ctx, c, pl, func() (*plan.Plan, error) { return p.compile(s.Text, s.Keyspace, p.Schema()) })
	case plan.KindUse:
		err = native.Invalid("USE concerns a connection; an embedded statement names its keyspace")
	default:
		err = rows.fetch(c)
	}
	if err == nil && (pl.Kind == plan.KindModification || pl.Kind == plan.KindBatch) {
		busy, err = p.writeAndWait(ctx, c)
	}
	if err != nil {
		return nil, busy, err
	}
	rows.Warnings = append(rows.Warnings, c.warnings...)
	return rows, busy, nil
}

// embeddedPlan finds the plan of a statement among the prepared ones, or adds
// it to them if it has markers.
func (p *Processor) embeddedPlan(s *Statement) (*plan.Plan, error) {
	snap := p.Schema()
	if st := p.cache.get(native.StatementID(s.Keyspace, s.Text)); st != nil {
		if pl, err := p.refresh(st, snap); err == nil {
			return pl, nil
		}
	}
	pl, err := p.compile(s.Text, s.Keyspace, snap)
	if err != nil || pl.Kind > plan.KindSelect {
		return pl, err
	}
	// Literals make texts that do not come back.
	if st := newStatement(s.Text, s.Keyspace); len(pl.Bind.Columns()) > 0 && st.size() <= p.cfg.PreparedBytes {
		p.adopt(st, pl, snap)
		_, evicted := p.cache.add(st)
		p.stats.evicted.Add(int64(evicted))
	}
	return pl, nil
}

func encodeValues(bind *native.Metadata, values []any) ([]native.Value, error) {
	cols := bind.Columns()
	if len(values) != len(cols) {
		return nil, native.Invalid("Invalid amount of bind variables: %d markers and %d values", len(cols), len(values))
	}
	out := make([]native.Value, len(values))
	for i, v := range values {
		t, ok := cols[i].Type.(*schema.Type)
		if !ok {
			return nil, native.ServerError("Marker %d has no type", i)
		}
		var err error
		if out[i], err = value.Encode(t, v); err != nil {
			return nil, native.Invalid("Value of %s: %v", cols[i].Name, err)
		}
	}
	return out, nil
}

// writeAndWait writes what has been bound. busy tells that ctx ended first: the
// outcome is unknown and c is needed until it is there.
func (p *Processor) writeAndWait(ctx context.Context, c *call) (busy bool, err error) {
	done := make(await, 1)
	started, err := p.startWrite(ctx, c, done)
	if !started {
		return false, err
	}
	select {
	case err := <-done:
		return false, err
	case <-ctx.Done():
		return true, ctx.Err()
	}
}

// fetch reads the next page.
func (rows *Rows) fetch(c *call) (err error) {
	p, pl := rows.p, rows.plan
	var n int
	var state []byte
	if pl.Kind == plan.KindDescribe {
		rows.body, n, state, err = p.describe(pl.Describe, rows.params.PageSize, rows.params.PagingState, rows.body[:0])
	} else {
		var res exec.Result
		rows.body, res, err = p.page(rows.ctx, c, pl.Select, rows.params.Values, rows.params.PagingState, func() []byte { return rows.body[:0] })
		n, state = res.Rows, res.PagingState
	}
	if err != nil {
		return err
	}
	rows.more = state != nil
	rows.params.PagingState = append(rows.params.PagingState[:0], state...)
	rows.cursor = exec.NewCursor(rows.body, n, len(pl.Result.Columns()))
	return nil
}

// nextPage reads the next page, if there is one.
func (rows *Rows) nextPage() bool {
	if !rows.more || rows.err != nil {
		return false
	}
	p := rows.p
	c := p.calls.Get().(*call)
	c.begin(ring.ConsistencyLevel(rows.params.Consistency), int64(p.clock.Mono()+p.cfg.Timeout))
	p.options(c, &rows.params, false)
	if err := rows.fetch(c); err != nil {
		rows.err = p.embeddedError(rows.ctx, c, err)
	}
	p.calls.Put(c)
	return rows.err == nil
}

// Next moves to the next row and tells whether there is one.
func (rows *Rows) Next() bool {
	for rows.cursor != nil {
		row, ok := rows.cursor.Next()
		if ok {
			rows.row = row
			return true
		}
		if !rows.nextPage() {
			break
		}
	}
	rows.row = nil
	return false
}

// Columns describes the columns of the result.
func (rows *Rows) Columns() []Column {
	if rows.columns == nil && rows.plan.Result != nil {
		for _, c := range rows.plan.Result.Columns() {
			t, _ := c.Type.(*schema.Type)
			rows.columns = append(rows.columns, Column{c.Keyspace, c.Table, c.Name, t})
		}
	}
	return rows.columns
}

// Values are the values of the current row, see value.Decode.
func (rows *Rows) Values() []any {
	out := make([]any, len(rows.row))
	for i, c := range rows.Columns() {
		out[i] = value.Decode(c.Type, rows.row[i])
	}
	return out
}

// Scan stores the values of the current row in what the destinations point
// to, see value.Scan; nil passes over a value.
func (rows *Rows) Scan(dst ...any) error {
	cols := rows.Columns()
	if rows.row == nil {
		return native.Invalid("Scan without a row")
	}
	if len(dst) != len(cols) {
		return native.Invalid("Scan wants %d destinations, not %d", len(cols), len(dst))
	}
	for i, c := range cols {
		if err := value.Scan(c.Type, rows.row[i], dst[i]); err != nil {
			return native.Invalid("Column %s: %v", c.Name, err)
		}
	}
	return nil
}

// Err is the error that ended the rows, or nil.
func (rows *Rows) Err() error { return rows.err }

// Close ends the rows and returns Err. Rows hold nothing that must be
// released.
func (rows *Rows) Close() error {
	rows.cursor, rows.row, rows.more = nil, nil, false
	return rows.err
}
