package bench

import (
	"context"
	"encoding/binary"
	"fmt"
)

// Statements of wide.
const (
	wideInsert = iota
	wideScan
	wideCount
)

// scanRows is how many rows a scan asks for.
const scanRows = 100

// widePlan is of scan: partitions of many rows, 100 of which are read at once.
func widePlan(c *Config) plan {
	d, ks := &c.Data, c.Target.Keyspace
	cells := columnList("c", d.Columns)
	p := plan{
		table: fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s.wide (key bigint, ck bigint, %s, PRIMARY KEY (key, ck))", ks, typed(cells, "blob")),
		statements: []text{
			wideInsert: {cql: insertInto(ks, "wide", "key, ck, "+cells)},
			wideScan:   {cql: fmt.Sprintf("SELECT ck, %s FROM %s.wide WHERE key = ? AND ck >= ? LIMIT %d", cells, ks, scanRows), columns: d.Columns + 1},
			wideCount:  {cql: fmt.Sprintf("SELECT count(*) FROM %s.wide WHERE key = ?", ks), columns: 1},
		},
	}
	parts := partitions(d)
	p.rows = parts * d.PartitionRows
	p.worker = func(w *worker) operation { return (&wideWorker{worker: w, parts: parts}).scan }
	p.loader = func(w *worker) operation { return (&wideWorker{worker: w, parts: parts}).load }
	p.loaded = func(ctx context.Context, w *worker) (bool, error) {
		return (&wideWorker{worker: w, parts: parts}).loaded(ctx)
	}
	return p
}

// partitions is how many partitions scan and timeseries have.
func partitions(d *Data) int64 { return max(d.Rows/d.PartitionRows, 1) }

type wideWorker struct {
	*worker
	parts int64
	part  int64 // that is read
	next  int64 // the row of it that comes next
	ck    []byte
}

func bigint(dst []byte, n int64) []byte { return binary.BigEndian.AppendUint64(dst[:0], uint64(n)) }

// load writes the next row, partition after partition.
func (w *wideWorker) load(ctx context.Context) (kind, error) {
	n := w.run.next.Add(1) - 1
	w.key = bigint(w.key, n/w.cfg.Data.PartitionRows)
	w.ck = bigint(w.ck, n%w.cfg.Data.PartitionRows)
	w.bind(n, w.key, w.ck)
	return insertKind, w.send(ctx, wideInsert, nil)
}

// loaded tells whether the last partition is whole.
func (w *wideWorker) loaded(ctx context.Context) (bool, error) {
	w.key = bigint(w.key, w.parts-1)
	w.values = append(w.values[:0], w.key)
	var count oneValue
	err := w.send(ctx, wideCount, &count)
	return len(count) == 8 && int64(binary.BigEndian.Uint64(count)) == w.cfg.Data.PartitionRows, err
}

// scan reads up to 100 rows from a random place and insists on each.
func (w *wideWorker) scan(ctx context.Context) (kind, error) {
	from := w.rand.Int64N(w.cfg.Data.PartitionRows)
	w.part, w.next = w.rand.Int64N(w.parts), from
	w.key, w.ck = bigint(w.key, w.part), bigint(w.ck, from)
	w.values = append(w.values[:0], w.key, w.ck)
	if err := w.send(ctx, wideScan, w); err != nil {
		return scanKind, err
	}
	if end := min(from+scanRows, w.cfg.Data.PartitionRows); w.next != end {
		return scanKind, fmt.Errorf("%w: %d rows instead of %d of partition %d", ErrWrong, w.next-from, end-from, w.part)
	}
	return scanKind, nil
}

func (w *wideWorker) row(columns [][]byte) error {
	if len(columns[0]) != 8 || int64(binary.BigEndian.Uint64(columns[0])) != w.next {
		return fmt.Errorf("%w: row %x instead of %d of partition %d", ErrWrong, columns[0], w.next, w.part)
	}
	w.next++
	return w.compare(w.part*w.cfg.Data.PartitionRows+w.next-1, columns[1:])
}
