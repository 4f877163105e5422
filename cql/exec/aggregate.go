package exec

import (
	"github.com/ilion-db/ilion/cql/plan"
	"github.com/ilion-db/ilion/schema"
)

// aggregation computes a row of aggregates. Columns that are none show the
// first row's value.
type aggregation struct {
	columns []accumulator
	first   [][]byte
	rows    int
}

func (a *aggregation) begin(sel *plan.Select) {
	a.rows = 0
	a.columns = append(a.columns[:0], make([]accumulator, len(sel.Columns))...)
	a.first = append(a.first[:0], make([][]byte, len(sel.Columns))...)
}

func (a *aggregation) add(q *plan.Query, row *row) error {
	for i, x := range q.Select.Columns {
		if x.Kind == plan.ExprAggregate {
			if err := a.columns[i].add(q, x, row); err != nil {
				return err
			}
			continue
		}
		if a.rows > 0 {
			continue
		}
		v, err := x.Eval(q, row)
		if err != nil {
			return err
		}
		if v != nil {
			a.first[i] = append([]byte{}, v...)
		}
	}
	a.rows++
	return nil
}

func (a *aggregation) appendRow(dst []byte, q *plan.Query) ([]byte, error) {
	for i, x := range q.Select.Columns {
		v := a.first[i]
		if x.Kind == plan.ExprAggregate {
			var err error
			if v, err = a.columns[i].result(x); err != nil {
				return dst, err
			}
		}
		dst = schema.AppendElement(dst, v)
	}
	return dst, nil
}
