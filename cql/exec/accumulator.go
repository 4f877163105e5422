package exec

import (
	"encoding/binary"

	"github.com/ilion-db/ilion/cql/plan"
)

// accumulator is the state of one aggregate function.
type accumulator struct {
	n    int64
	sum  plan.Sum
	best []byte // of min and max; nil is none
}

func (a *accumulator) add(q *plan.Query, x *plan.Expr, row *row) error {
	if x.Aggregate == plan.AggCountRows {
		a.n++
		return nil
	}
	v, err := x.Args[0].Eval(q, row)
	if err != nil || v == nil {
		return err
	}
	t := x.Args[0].Type
	switch x.Aggregate {
	case plan.AggMin, plan.AggMax:
		c := -1
		if a.best != nil {
			c = t.Compare(v, a.best)
		} else {
			a.best = []byte{} // v may have no bytes
			if x.Aggregate == plan.AggMax {
				c = 1
			}
		}
		if c < 0 && x.Aggregate == plan.AggMin || c > 0 && x.Aggregate == plan.AggMax {
			a.best = append(a.best[:0], v...)
		}
	case plan.AggSum, plan.AggAvg:
		return a.sum.Add(t, v, x.Aggregate == plan.AggAvg)
	default:
		a.n++
	}
	return nil
}

// result is the aggregate's value.
func (a *accumulator) result(x *plan.Expr) ([]byte, error) {
	switch x.Aggregate {
	case plan.AggCount, plan.AggCountRows:
		return binary.BigEndian.AppendUint64(nil, uint64(a.n)), nil
	case plan.AggMin, plan.AggMax:
		return a.best, nil
	}
	return a.sum.Result(x.Type, x.Aggregate == plan.AggAvg), nil
}
