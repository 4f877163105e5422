package bench

import (
	"context"
	"fmt"
)

// Statements of kv.
const (
	kvInsert = iota
	kvRead
)

// kvPlan is of write, read, mixed and verify: rows by a 16-byte key.
func kvPlan(c *Config) plan {
	ks, columns := c.Target.Keyspace, columnList("c", c.Data.Columns)
	p := plan{
		table:      fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s.kv (key blob PRIMARY KEY, %s)", ks, typed(columns, "blob")),
		statements: make([]text, 2),
	}
	if c.Workload == "write" || c.Workload == "mixed" {
		p.statements[kvInsert] = text{cql: insertInto(ks, "kv", "key, "+columns)}
	}
	if c.Workload != "write" {
		p.statements[kvRead] = text{cql: fmt.Sprintf("SELECT %s FROM %s.kv WHERE key = ?", columns, ks), columns: c.Data.Columns}
	}
	p.worker = func(w *worker) operation {
		k := &kvWorker{worker: w}
		k.pick = newPicker(c.Data.Distribution, c.Data.Rows, w.rand, k.rows)
		return map[string]operation{"write": k.writeNext, "verify": k.readNext, "read": k.readAny, "mixed": k.either}[c.Workload]
	}
	return p
}

type kvWorker struct {
	*worker
	pick  *picker
	at    int64 // the row that is read
	found bool
}

// rows is how many there are: those that read and mixed want to be there.
func (w *kvWorker) rows() int64 { return w.cfg.Data.Rows }

func (w *kvWorker) writeNext(ctx context.Context) (kind, error) {
	return w.write(ctx, (w.next.Add(1)-1)%w.cfg.Data.Rows)
}

func (w *kvWorker) readNext(ctx context.Context) (kind, error) {
	return w.read(ctx, (w.next.Add(1)-1)%w.cfg.Data.Rows)
}

func (w *kvWorker) readAny(ctx context.Context) (kind, error) { return w.read(ctx, w.pick.next()) }

func (w *kvWorker) either(ctx context.Context) (kind, error) {
	if w.rand.Uint64()&1 == 0 {
		return w.read(ctx, w.pick.next())
	}
	return w.write(ctx, w.pick.next())
}

func (w *kvWorker) write(ctx context.Context, i int64) (kind, error) {
	w.key = rowKey(w.key, w.cfg.Data.Seed, i)
	w.bind(i, w.key)
	return writeKind, w.send(ctx, kvInsert, nil)
}

func (w *kvWorker) read(ctx context.Context, i int64) (kind, error) {
	w.key = rowKey(w.key, w.cfg.Data.Seed, i)
	w.values = append(w.values[:0], w.key)
	w.at, w.found = i, false
	err := w.send(ctx, kvRead, w)
	if err == nil && !w.found {
		err = fmt.Errorf("%w: row %d is missing", ErrWrong, i)
	}
	return readKind, err
}

func (w *kvWorker) row(columns [][]byte) error {
	w.found = true
	return w.compare(w.at, columns)
}
