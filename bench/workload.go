package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// ErrWrong is wrapped by the errors of a read that did not give what was
// written.
var ErrWrong = errors.New("wrong answer")

// run is the state that workers share.
type run struct {
	cfg     Config
	session *gocql.Session
	next    atomic.Int64 // the next row to write
	insert  string
	read    string
}

// worker sends requests, one at a time.
type worker struct {
	*run
	rand *rand.Rand
	pick *picker
	args []any
	key  []byte
	want []byte
	vals [][]byte
	dest []any
}

func (r *run) newWorker(i int) *worker {
	src := rand.New(rand.NewPCG(r.cfg.Seed, uint64(i)))
	w := &worker{run: r, rand: src, pick: newPicker(&r.cfg, src, r.next.Load)}
	w.want = make([]byte, r.cfg.ValueSize)
	w.vals = make([][]byte, r.cfg.Columns)
	for i := range w.vals {
		w.vals[i] = make([]byte, r.cfg.ValueSize)
		w.dest = append(w.dest, &w.vals[i])
	}
	return w
}

// prepare makes the schema and the texts of the statements.
func (r *run) prepare(ctx context.Context) error {
	var cols, marks []string
	for i := range r.cfg.Columns {
		cols = append(cols, fmt.Sprintf("c%d", i))
		marks = append(marks, "?")
	}
	typed := strings.Join(cols, " blob, ") + " blob"
	list, binds := strings.Join(cols, ", "), strings.Join(marks, ", ")
	ks := r.cfg.Keyspace
	ddl := []string{
		"CREATE KEYSPACE IF NOT EXISTS " + ks + " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
		"CREATE TABLE IF NOT EXISTS " + ks + ".kv (key blob PRIMARY KEY, " + typed + ")",
		"CREATE TABLE IF NOT EXISTS " + ks + ".wide (key bigint, ck bigint, " + typed + ", PRIMARY KEY (key, ck))",
		"CREATE TABLE IF NOT EXISTS " + ks + ".series (key bigint, at timestamp, " + typed + ", PRIMARY KEY (key, at)) WITH CLUSTERING ORDER BY (at DESC)",
	}
	for _, q := range ddl {
		if err := r.session.Query(q).ExecContext(ctx); err != nil {
			return fmt.Errorf("bench: %w", err)
		}
	}
	switch r.cfg.Workload {
	case "scan":
		r.insert = fmt.Sprintf("INSERT INTO %s.wide (key, ck, %s) VALUES (?, ?, %s)", ks, list, binds)
		r.read = fmt.Sprintf("SELECT ck, %s FROM %s.wide WHERE key = ? AND ck >= ? LIMIT 100", list, ks)
		return r.loadWide(ctx)
	case "timeseries":
		r.insert = fmt.Sprintf("INSERT INTO %s.series (key, at, %s) VALUES (?, ?, %s)", ks, list, binds)
	default:
		r.insert = fmt.Sprintf("INSERT INTO %s.kv (key, %s) VALUES (?, %s)", ks, list, binds)
		r.read = fmt.Sprintf("SELECT %s FROM %s.kv WHERE key = ?", list, ks)
	}
	if r.cfg.Workload == "mixed" || r.cfg.Workload == "read" {
		r.next.Store(r.cfg.Rows)
	}
	return nil
}

// do makes one request.
func (w *worker) do(ctx context.Context) error {
	switch w.cfg.Workload {
	case "write":
		return w.write(ctx, (w.next.Add(1)-1)%w.cfg.Rows)
	case "read":
		return w.check(ctx, w.pick.next())
	case "mixed":
		if w.rand.Uint64()&1 == 0 {
			return w.check(ctx, w.pick.next())
		}
		return w.write(ctx, w.pick.next())
	case "verify":
		return w.check(ctx, (w.next.Add(1)-1)%w.cfg.Rows)
	case "scan":
		return w.scan(ctx)
	}
	return w.reading(ctx, w.next.Add(1)-1)
}

func (w *worker) values(i int64) {
	for c := range w.vals {
		w.args = append(w.args, w.cfg.value(make([]byte, w.cfg.ValueSize), i, c))
	}
}

func (w *worker) write(ctx context.Context, i int64) error {
	w.args = append(w.args[:0], rowKey(make([]byte, 0, 16), w.cfg.Seed, i))
	w.values(i)
	return w.session.Query(w.insert, w.args...).ExecContext(ctx)
}

func (w *worker) check(ctx context.Context, i int64) error {
	w.key = rowKey(w.key, w.cfg.Seed, i)
	err := w.session.Query(w.read, w.key).ScanContext(ctx, w.dest...)
	if errors.Is(err, gocql.ErrNotFound) {
		return fmt.Errorf("%w: row %d is missing", ErrWrong, i)
	}
	if err != nil {
		return err
	}
	return w.compare(i)
}

func (w *worker) compare(i int64) error {
	for c, v := range w.vals {
		if !bytes.Equal(v, w.cfg.value(w.want, i, c)) {
			return fmt.Errorf("%w: column %d of row %d", ErrWrong, c, i)
		}
	}
	return nil
}

// reading writes the n-th reading of the series, one series after the other.
func (w *worker) reading(ctx context.Context, n int64) error {
	series := max(w.cfg.Rows/w.cfg.RowsPer, 1)
	at := time.UnixMilli(1_700_000_000_000 + n/series*1000)
	w.args = append(w.args[:0], n%series, at)
	w.values(n)
	return w.session.Query(w.insert, w.args...).ExecContext(ctx)
}

// scan reads up to 100 rows from a random place and insists on each.
func (w *worker) scan(ctx context.Context) error {
	parts := max(w.cfg.Rows/w.cfg.RowsPer, 1)
	part, from := w.rand.Int64N(parts), w.rand.Int64N(w.cfg.RowsPer)
	iter := w.session.Query(w.read, part, from).IterContext(ctx)
	var ck int64
	dest := append([]any{&ck}, w.dest...)
	want := from
	for iter.Scan(dest...) {
		if ck != want {
			iter.Close()
			return fmt.Errorf("%w: row %d instead of %d of partition %d", ErrWrong, ck, want, part)
		}
		if err := w.compare(part*w.cfg.RowsPer + ck); err != nil {
			iter.Close()
			return err
		}
		want++
	}
	if err := iter.Close(); err != nil {
		return err
	}
	if end := min(from+100, w.cfg.RowsPer); want != end {
		return fmt.Errorf("%w: %d rows instead of %d of partition %d", ErrWrong, want-from, end-from, part)
	}
	return nil
}

// loadWide fills the table that scan reads, unless it is there.
func (r *run) loadWide(ctx context.Context) error {
	parts := max(r.cfg.Rows/r.cfg.RowsPer, 1)
	w := r.newWorker(0)
	var n int64
	err := r.session.Query("SELECT count(*) FROM "+r.cfg.Keyspace+".wide WHERE key = ?", parts-1).ScanContext(ctx, &n)
	if err == nil && n == r.cfg.RowsPer {
		return nil
	}
	if r.cfg.Progress != nil {
		defer fmt.Fprintln(r.cfg.Progress)
	}
	const group = 50
	for p := range parts {
		for ck := int64(0); ck < r.cfg.RowsPer; ck += group {
			b := r.session.Batch(gocql.UnloggedBatch)
			for i := ck; i < min(ck+group, r.cfg.RowsPer); i++ {
				w.args = append(make([]any, 0, r.cfg.Columns+2), p, i)
				w.values(p*r.cfg.RowsPer + i)
				b.Query(r.insert, w.args...)
			}
			if err := b.ExecContext(ctx); err != nil {
				return fmt.Errorf("bench: loading: %w", err)
			}
		}
		if r.cfg.Progress != nil && (p%100 == 99 || p == parts-1) {
			fmt.Fprintf(r.cfg.Progress, "\rloading %d of %d partitions", p+1, parts)
		}
	}
	return nil
}
