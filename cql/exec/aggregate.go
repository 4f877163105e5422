package exec

import (
	"slices"

	"github.com/ilion-db/ilion/cql/plan"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// aggregation computes a row of aggregates. Columns that are none show the
// first row's value; expressions of aggregates are computed at the end.
type aggregation struct {
	calls   []*plan.Expr // all aggregates of the selection
	columns []accumulator
	first   [][]byte
	slots   [][]byte // of the first row, if expressions may ask for them
	rows    int
	token   ring.Token
	nested  bool
}

func (a *aggregation) begin(sel *plan.Select) {
	a.rows, a.nested = 0, false
	a.calls, a.slots = a.calls[:0], nil
	for _, x := range sel.Columns {
		x.Aggregates(func(call *plan.Expr) {
			a.calls = append(a.calls, call)
			a.nested = a.nested || call != x
		})
	}
	a.columns = append(a.columns[:0], make([]accumulator, len(a.calls))...)
	a.first = append(a.first[:0], make([][]byte, len(sel.Columns))...)
}

func (a *aggregation) add(q *plan.Query, row *row) error {
	size := 0 // of what is kept
	for i, call := range a.calls {
		if err := a.columns[i].add(q, call, row); err != nil {
			return err
		}
		if size += len(a.columns[i].best); size > DefaultMaxBytes {
			return errSize(DefaultMaxBytes)
		}
	}
	if a.rows++; a.rows > 1 {
		return nil
	}
	if a.nested {
		a.token, a.slots = row.token, make([][]byte, len(row.slots))
		for i := range a.slots {
			a.slots[i] = slices.Clone(row.Value(i))
		}
	}
	for i, x := range q.Select.Columns {
		if aggregated(x) {
			continue
		}
		v, err := x.Eval(q, row)
		if err != nil {
			return err
		}
		if size += len(v); size > DefaultMaxBytes {
			return errSize(DefaultMaxBytes)
		}
		if v != nil {
			a.first[i] = append([]byte{}, v...)
		}
	}
	return nil
}

// aggregated tells whether an expression can be computed at the end only.
func aggregated(x *plan.Expr) (yes bool) {
	x.Aggregates(func(*plan.Expr) { yes = true })
	return yes
}

func (a *aggregation) appendRow(dst []byte, q *plan.Query) ([]byte, error) {
	for i, x := range q.Select.Columns {
		v := a.first[i]
		if aggregated(x) {
			var err error
			if v, err = x.Eval(q, (*groupRow)(a)); err != nil {
				return dst, err
			}
		}
		dst = schema.AppendElement(dst, v)
	}
	return dst, nil
}

// groupRow is what an expression of aggregates reads: their results, and of
// columns what the first row has.
type groupRow aggregation

// Aggregate implements plan.AggregateRow.
func (g *groupRow) Aggregate(e *plan.Expr) ([]byte, error) {
	return g.columns[slices.Index(g.calls, e)].result(e)
}

// Value implements plan.Row.
func (g *groupRow) Value(i int) []byte {
	if i >= len(g.slots) {
		return nil
	}
	return g.slots[i]
}

// Cell implements plan.Row; a group has no cells.
func (g *groupRow) Cell(int) (timestamp int64, ttl, expiry uint32, ok bool) { return 0, 0, 0, false }

// Cells implements plan.Row.
func (g *groupRow) Cells(int, func(timestamp int64, ttl, expiry uint32)) {}

// Token implements plan.Row.
func (g *groupRow) Token() ring.Token { return g.token }
