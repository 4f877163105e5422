package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
)

// ErrWrong is wrapped by the errors of a read that did not give what was
// written.
var ErrWrong = errors.New("wrong answer")

// kind is a sort of operation, whose latencies are told apart.
type kind uint8

const (
	readKind kind = iota
	writeKind
	insertKind
	updateKind
	scanKind
	readModifyWriteKind
	kinds
)

var kindNames = [kinds]string{"read", "write", "insert", "update", "scan", "read-modify-write"}

// operation is one step of a worker; it calls the worker's statements.
type operation func(context.Context) (kind, error)

// plan is what a workload needs and does.
type plan struct {
	table      string // that it makes if it is not there
	statements []text // by the numbers that the workload's workers know
	worker     func(*worker) operation
	// loader writes the next of so many rows of the table, and loaded tells
	// whether they are there. Without it, rows that are read must be there.
	loader func(*worker) operation
	loaded func(context.Context, *worker) (bool, error)
	rows   int64
}

// text is a statement to be prepared, or nothing.
type text struct {
	cql     string
	columns int // that it selects, 0 for a write
}

// requests tells which kinds of requests there are.
func (p *plan) requests() (reads, writes bool) {
	for _, s := range p.statements {
		reads = reads || s.cql != "" && s.columns > 0
		writes = writes || s.cql != "" && s.columns == 0
	}
	return reads, writes
}

// planOf wants defaults to be set.
func planOf(c *Config) plan {
	switch {
	case c.Workload == "scan":
		return widePlan(c)
	case c.Workload == "timeseries":
		return seriesPlan(c)
	case strings.HasPrefix(c.Workload, "ycsb"):
		return ycsbPlan(c)
	}
	return kvPlan(c)
}

// columnList is the names of n columns, "c0, c1", behind some first ones.
func columnList(prefix string, n int, first ...string) string {
	for i := range n {
		first = append(first, fmt.Sprintf("%s%d", prefix, i))
	}
	return strings.Join(first, ", ")
}

// insertInto is an INSERT of all the columns of a list.
func insertInto(keyspace, table, columns string) string {
	marks := strings.Repeat(", ?", strings.Count(columns, ",")+1)[2:]
	return fmt.Sprintf("INSERT INTO %s.%s (%s) VALUES (%s)", keyspace, table, columns, marks)
}

// typed declares all columns of a list to be of one type.
func typed(columns, kind string) string {
	return strings.ReplaceAll(columns, ",", " "+kind+",") + " " + kind
}

// worker makes operations, one at a time, with buffers of its own.
type worker struct {
	*run
	rand   *rand.Rand
	tally  *tally
	calls  []call // by the numbers of plan.statements
	key    []byte
	cells  [][]byte // values of a row's columns
	want   []byte   // the value that a column should have
	values [][]byte // of the request
}

// newWorker makes the i-th worker of a phase; its choices follow from both
// numbers and the seed.
func (r *run) newWorker(phase, i int, t *tally) *worker {
	w := &worker{
		run: r, tally: t, cells: make([][]byte, r.cfg.Data.Columns),
		rand: rand.New(rand.NewPCG(r.cfg.Data.Seed, uint64(phase)<<32|uint64(i))),
	}
	for _, s := range r.statements {
		var c call
		if s != nil {
			c = s.call()
		}
		w.calls = append(w.calls, c)
	}
	return w
}

// send runs a statement with w.values.
func (w *worker) send(ctx context.Context, statement int, into rows) error {
	node, err := w.calls[statement].run(ctx, w.values, into)
	if err == nil || ctx.Err() == nil { // what ends with the run is nobody's error
		w.tally.request(node, err)
	}
	return err
}

// bind sets the values of the request: the key's and those of row i's columns.
func (w *worker) bind(i int64, key ...[]byte) {
	w.values = append(w.values[:0], key...)
	for c := range w.cells {
		w.cells[c] = w.cfg.Data.value(w.cells[c], i, c)
		w.values = append(w.values, w.cells[c])
	}
}

// compare wants columns to be those of row i.
func (w *worker) compare(i int64, columns [][]byte) error {
	for c, v := range columns {
		w.want = w.cfg.Data.value(w.want, i, c)
		if string(v) != string(w.want) {
			return fmt.Errorf("%w: column %d of row %d", ErrWrong, c, i)
		}
	}
	return nil
}
