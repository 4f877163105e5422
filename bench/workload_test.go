package bench

import (
	"context"
	"testing"
)

// echo answers every read with the row that is asked for, without allocating.
type echo struct {
	w   *worker
	kv  bool
	row [][]byte
}

func (e *echo) run(_ context.Context, values [][]byte, into rows) (string, error) {
	if into == nil {
		return "node", nil
	}
	e.row = e.row[:0]
	if !e.kv {
		e.row = append(e.row, values[0])
	}
	hash, _ := keyHash(values[0])
	for i := range e.w.cells {
		if e.kv {
			e.w.cells[i] = e.w.cfg.Data.value(e.w.cells[i], into.(*kvWorker).at, i)
		} else {
			e.w.cells[i] = e.w.cfg.Data.text(e.w.cells[i], hash, i)
		}
		e.row = append(e.row, e.w.cells[i])
	}
	return "node", into.row(e.row)
}

// A load generator that is busy with itself measures itself.
func TestOperationsDoNotAllocate(t *testing.T) {
	for _, workload := range []string{"write", "read", "mixed", "verify", "timeseries", "ycsb-load", "ycsb-a", "ycsb-b", "ycsb-c", "ycsb-e", "ycsb-f"} {
		c := Config{Workload: workload, Data: Data{Rows: 1000}}
		c.setDefaults()
		r := &run{cfg: c, plan: planOf(&c), inserted: newSequence(c.Data.Rows)}
		var tally tally
		tally.init()
		w := r.newWorker(mainPhase, 0, &tally)
		for range ycsbUpdate + c.Data.Columns {
			w.calls = append(w.calls, &echo{w: w, kv: c.Workload[0] != 'y'})
		}
		do := r.plan.worker(w)
		operation := func() {
			k, err := do(t.Context())
			if err != nil {
				t.Fatalf("%s: %v", workload, err)
			}
			tally.succeed(k, 1000)
		}
		for range 500 {
			operation() // buffers grow
		}
		if n := testing.AllocsPerRun(1000, operation); n != 0 {
			t.Errorf("%s: %v allocations per operation", workload, n)
		}
	}
}
