package bench

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/ilion-db/ilion/ring"
)

// ycsbMix is one of YCSB's core workloads: the shares of each kind of
// operation, which add up to 1, and how keys are chosen.
type ycsbMix struct {
	read, update, insert, scan, readModifyWrite float64

	distribution string
}

// mixes are the core workloads by name. Loading has no mix.
var mixes = map[string]ycsbMix{
	"ycsb-load": {insert: 1, distribution: "zipf"},
	"ycsb-a":    {read: 0.5, update: 0.5, distribution: "zipf"},
	"ycsb-b":    {read: 0.95, update: 0.05, distribution: "zipf"},
	"ycsb-c":    {read: 1, distribution: "zipf"},
	"ycsb-d":    {read: 0.95, insert: 0.05, distribution: "latest"},
	"ycsb-e":    {scan: 0.95, insert: 0.05, distribution: "zipf"},
	"ycsb-f":    {read: 0.5, readModifyWrite: 0.5, distribution: "zipf"},
}

// What all core workloads have in common.
const (
	ycsbColumns   = 10
	ycsbValueSize = 100
	ycsbScanMost  = 100 // scans are of 1 to so many rows, uniform
)

// Statements of usertable; the update of field i is ycsbUpdate + i.
const (
	ycsbInsert = iota
	ycsbRead
	ycsbScan
	ycsbUpdate
)

// ycsbPlan is of the core workloads: rows of ten texts, by a key that YCSB
// makes from a number, so that neighbours in number are none on the ring.
func ycsbPlan(c *Config) plan {
	ks, fields := c.Target.Keyspace, columnList("field", c.Data.Columns)
	p := plan{
		table:      fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s.usertable (key text PRIMARY KEY, %s)", ks, typed(fields, "text")),
		statements: make([]text, ycsbUpdate),
		rows:       c.Data.Rows,
	}
	p.statements[ycsbInsert] = text{cql: insertInto(ks, "usertable", "key, "+fields)}
	if c.Workload == "ycsb-load" {
		p.worker = func(w *worker) operation { return newYCSBWorker(w).load }
		return p
	}
	m, selected := mixes[c.Workload], c.Data.Columns+1
	p.statements[ycsbRead] = text{cql: fmt.Sprintf("SELECT key, %s FROM %s.usertable WHERE key = ?", fields, ks), columns: selected}
	if m.scan > 0 {
		p.statements[ycsbScan] = text{cql: fmt.Sprintf("SELECT key, %s FROM %s.usertable WHERE token(key) >= token(?) LIMIT ?", fields, ks), columns: selected}
	}
	for i := range c.Data.Columns {
		if m.update > 0 || m.readModifyWrite > 0 {
			p.statements = append(p.statements, text{cql: fmt.Sprintf("UPDATE %s.usertable SET field%d = ? WHERE key = ?", ks, i)})
		}
	}
	p.worker = func(w *worker) operation { return newYCSBWorker(w).operate }
	p.loader = func(w *worker) operation { return newYCSBWorker(w).load }
	p.loaded = func(ctx context.Context, w *worker) (bool, error) { return newYCSBWorker(w).loaded(ctx) }
	return p
}

// ycsbKey is the key that YCSB gives to the n-th row, and its hash.
func ycsbKey(dst []byte, n int64) ([]byte, uint64) {
	h := fnv(uint64(n))
	return strconv.AppendUint(append(dst[:0], "user"...), h, 10), h
}

// keyHash is the hash in a key.
func keyHash(key []byte) (h uint64, ok bool) {
	digits, ok := bytes.CutPrefix(key, []byte("user"))
	if !ok || len(digits) == 0 || len(digits) > 19 {
		return 0, false
	}
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0, false
		}
		h = h*10 + uint64(d-'0')
	}
	return h, true
}

// text returns the text in a field of the row whose key has the hash, in dst
// if it has room.
func (d *Data) text(dst []byte, hash uint64, field int) []byte {
	x := mix(hash + uint64(field)*0x9e3779b97f4a7c15 + d.Seed<<32)
	size := d.size(x)
	dst = slices.Grow(dst[:0], size)[:size]
	for at := range dst {
		if at%8 == 0 {
			x = mix(x + 0x9e3779b97f4a7c15)
		}
		dst[at] = ' ' + byte(x>>(at%8*8))&63
	}
	return dst
}

type ycsbWorker struct {
	*worker
	mix   ycsbMix
	pick  *picker
	limit []byte // of a scan
	start []byte // the key that was asked for
	found int    // rows that were read
	last  ring.Token
	stale bool // the row that was asked for was not there, or a field of one
}

func newYCSBWorker(w *worker) *ycsbWorker {
	y := &ycsbWorker{worker: w, mix: mixes[w.cfg.Workload]}
	rows := w.cfg.Data.Rows
	if y.mix.scan > 0 && w.cfg.Duration == 0 {
		// As in YCSB, rows that the run will have inserted by its end are
		// chosen too, and chosen again while they are not there.
		rows += int64(2 * y.mix.insert * float64(w.cfg.Operations))
	}
	y.pick = newPicker(w.cfg.Data.Distribution, rows, w.rand, w.inserted.count)
	return y
}

// kind draws what comes next.
func (w *ycsbWorker) kind() kind {
	u := w.rand.Float64()
	for _, s := range [...]struct {
		kind  kind
		share float64
	}{{readKind, w.mix.read}, {updateKind, w.mix.update}, {insertKind, w.mix.insert}, {scanKind, w.mix.scan}} {
		if u < s.share {
			return s.kind
		}
		u -= s.share
	}
	return readModifyWriteKind
}

// operate makes one operation of the mix.
func (w *ycsbWorker) operate(ctx context.Context) (kind, error) {
	k := w.kind()
	var err error
	switch k {
	case readKind:
		err = w.read(ctx, w.choose())
	case updateKind:
		err = w.update(ctx, w.choose())
	case insertKind:
		err = w.insertNew(ctx)
	case scanKind:
		err = w.scan(ctx, w.choose())
	case readModifyWriteKind:
		n := w.choose()
		if err = w.read(ctx, n); err == nil {
			err = w.update(ctx, n)
		}
	}
	return k, err
}

// choose draws a row that is there.
func (w *ycsbWorker) choose() int64 {
	for {
		if n := w.pick.next(); n < w.inserted.count() {
			return n
		}
	}
}

// load inserts the next row of those that a run starts with.
func (w *ycsbWorker) load(ctx context.Context) (kind, error) {
	return insertKind, w.insert(ctx, w.next.Add(1)-1)
}

// loaded tells whether the last of them is there.
func (w *ycsbWorker) loaded(ctx context.Context) (bool, error) {
	n := w.cfg.Data.Rows - 1
	err := w.request(ctx, ycsbRead, n)
	return w.found > 0, err
}

// insertNew adds a row. When that failed it may be there or not.
func (w *ycsbWorker) insertNew(ctx context.Context) error {
	n := w.inserted.begin()
	err := w.insert(ctx, n)
	w.inserted.end(n, err == nil)
	return err
}

func (w *ycsbWorker) insert(ctx context.Context, n int64) error {
	key, hash := ycsbKey(w.key, n)
	w.key, w.values = key, append(w.values[:0], key)
	for c := range w.cells {
		w.cells[c] = w.cfg.Data.text(w.cells[c], hash, c)
		w.values = append(w.values, w.cells[c])
	}
	return w.send(ctx, ycsbInsert, nil)
}

// update writes one field.
func (w *ycsbWorker) update(ctx context.Context, n int64) error {
	key, hash := ycsbKey(w.key, n)
	field := w.rand.IntN(len(w.cells))
	w.key, w.cells[field] = key, w.cfg.Data.text(w.cells[field], hash, field)
	w.values = append(w.values[:0], w.cells[field], key)
	return w.send(ctx, ycsbUpdate+field, nil)
}

func (w *ycsbWorker) read(ctx context.Context, n int64) error {
	err := w.request(ctx, ycsbRead, n)
	return w.judge(n, err)
}

// scan reads rows in the order of the ring, from n's on.
func (w *ycsbWorker) scan(ctx context.Context, n int64) error {
	limit := 1 + w.rand.Int32N(ycsbScanMost)
	w.limit = append(w.limit[:0], byte(limit>>24), byte(limit>>16), byte(limit>>8), byte(limit))
	err := w.request(ctx, ycsbScan, n, w.limit)
	return w.judge(n, err)
}

// request reads from row n on.
func (w *ycsbWorker) request(ctx context.Context, statement int, n int64, more ...[]byte) error {
	w.key, _ = ycsbKey(w.key, n)
	w.values = append(append(w.values[:0], w.key), more...)
	w.start, w.found, w.stale = w.key, 0, false
	return w.send(ctx, statement, w)
}

// judge tells what is wrong when row n was not seen. Levels that do not
// overlap promise nothing: then it only counts.
func (w *ycsbWorker) judge(n int64, err error) error {
	switch {
	case err != nil:
		return err
	case w.found > 0 && !w.stale:
	case w.inserted.doubtful(n):
	case !w.overlap:
		w.tally.stale++
	default:
		return fmt.Errorf("%w: row %d is missing or incomplete", ErrWrong, n)
	}
	return nil
}

// row wants rows to begin with the one that was asked for, to be in order, and
// to have the values that follow from their keys.
func (w *ycsbWorker) row(columns [][]byte) error {
	key := columns[0]
	token := ring.Murmur3(key)
	switch {
	case w.found > 0 && token < w.last:
		return fmt.Errorf("%w: row %s is out of order", ErrWrong, key)
	case w.found == 0 && string(key) != string(w.start):
		w.stale = true // the row that was asked for is not the first
	}
	w.found, w.last = w.found+1, token
	hash, ok := keyHash(key)
	if !ok {
		return fmt.Errorf("%w: a row with the key %q", ErrWrong, key)
	}
	for i, v := range columns[1:] {
		w.want = w.cfg.Data.text(w.want, hash, i)
		if v == nil {
			w.stale = true
		} else if string(v) != string(w.want) {
			return fmt.Errorf("%w: field %d of row %s", ErrWrong, i, key)
		}
	}
	return nil
}
