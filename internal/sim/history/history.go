package history

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"
)

// Stamps says who gives timestamps.
type Stamps uint8

// The ways.
const (
	Client Stamps = iota
	Server
)

// Options of New. Now is required.
type Options struct {
	Stamps Stamps
	// Now is the time by which TTLs are judged.
	Now func() time.Time
	// Skew is how far the cluster's clocks may be from Now and from each other.
	Skew time.Duration
	// Monotonic counts what a read has returned as acknowledged.
	Monotonic bool
}

// Key names a row.
type Key struct {
	Partition, Row string
}

// Counts are totals.
type Counts struct {
	Acked, Failed, Unknown int64
	Reads, ReadsFailed     int64
}

// Success is the percentage of operations that were acknowledged and of reads
// that were answered, of all that were tried.
func (c Counts) Success() (percent float64, tried int64) {
	tried = c.Acked + c.Failed + c.Unknown + c.Reads + c.ReadsFailed
	if tried == 0 {
		return 0, 0
	}
	return 100 * float64(c.Acked+c.Reads) / float64(tried), tried
}

// History is all that was done. Safe for concurrent use.
type History struct {
	o Options

	mu         sync.Mutex // protects what follows
	seq        uint64     // of the last event
	value      int64      // last one given
	partitions map[string]*partition
	queries    map[*Query]struct{} // under way
	counts     Counts
}

// partition is what was done to one.
type partition struct {
	rows    map[string][]*Op
	deletes []*Op // of the whole partition
	pruneAt int   // operations on a row at which it is time to forget some
}

// New returns an empty history.
func New(o Options) *History {
	return &History{o: o, partitions: map[string]*partition{}, queries: map[*Query]struct{}{}}
}

// outcome of an operation.
type outcome uint8

const (
	running outcome = iota
	acked
	failed
	unknown
)

// Op is a write or delete. Protected by History.mu but for what is set at the
// start.
type Op struct {
	h     *History
	key   Key
	del   bool
	value int64
	ts    int64
	ttl   time.Duration
	start uint64
	began time.Time

	outcome outcome
	end     uint64    // of the event that told the outcome
	ended   time.Time // of the same
	seen    uint64    // of the first event that showed its effect, Monotonic only
}

func (h *History) begin(o Op) *Op {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seq++
	o.h, o.start, o.began = h, h.seq, h.o.Now()
	p := h.partition(o.key.Partition)
	if o.key.Row == "" {
		p.deletes = append(p.deletes, &o)
	} else {
		p.rows[o.key.Row] = append(h.prune(p, p.rows[o.key.Row]), &o)
	}
	if !o.del {
		h.value++
		o.value = h.value
	}
	return &o
}

// partition returns that of the name. mu is held.
func (h *History) partition(name string) *partition {
	p := h.partitions[name]
	if p == nil {
		p = &partition{rows: map[string][]*Op{}, pruneAt: fewOps}
		h.partitions[name] = p
	}
	return p
}

// fewOps is how many operations on a row are kept whatever they are.
const fewOps = 32

// prune forgets operations that no query can see any more, if there are many.
// mu is held.
func (h *History) prune(p *partition, ops []*Op) []*Op {
	if len(ops) < p.pruneAt {
		return ops
	}
	oldest := &Query{h: h, start: h.seq}
	for q := range h.queries {
		oldest.start = min(oldest.start, q.start)
	}
	v := view{q: oldest}
	for _, o := range ops {
		v.settle(o)
	}
	ops = slices.DeleteFunc(ops, func(o *Op) bool { return o.outcome == failed || o.outcome != running && v.superseded(o) })
	p.pruneAt = max(fewOps, 2*len(ops))
	return ops
}

// Write begins a write of a new value; a row's name is not empty. The
// timestamp matters if clients give them, a TTL of 0 is none.
func (h *History) Write(k Key, timestamp int64, ttl time.Duration) *Op {
	return h.begin(Op{key: k, ts: timestamp, ttl: ttl})
}

// Delete begins the deletion of a row.
func (h *History) Delete(k Key, timestamp int64) *Op {
	return h.begin(Op{key: k, ts: timestamp, del: true})
}

// DeletePartition begins the deletion of all rows of a partition.
func (h *History) DeletePartition(name string, timestamp int64) *Op {
	return h.begin(Op{key: Key{Partition: name}, ts: timestamp, del: true})
}

// Value is what the operation writes: unique in the history and not 0.
func (o *Op) Value() int64 { return o.value }

// Acked tells that the operation was acknowledged.
func (o *Op) Acked() { o.finish(acked) }

// Failed tells that the operation was refused before it had any effect.
func (o *Op) Failed() { o.finish(failed) }

// Unknown tells that nobody will say what became of the operation.
func (o *Op) Unknown() { o.finish(unknown) }

func (o *Op) finish(as outcome) {
	o.h.mu.Lock()
	defer o.h.mu.Unlock()
	o.h.seq++
	o.outcome, o.end, o.ended = as, o.h.seq, o.h.o.Now()
	switch as {
	case acked:
		o.h.counts.Acked++
	case failed:
		o.h.counts.Failed++
	default:
		o.h.counts.Unknown++
	}
}

// Counts returns the totals.
func (h *History) Counts() Counts {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.counts
}

// Partitions are the names of those that were written, sorted.
func (h *History) Partitions() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(maps.Keys(h.partitions))
}

// Query is a read under way.
type Query struct {
	h         *History
	partition string
	start     uint64
	began     time.Time
}

// Read begins a read of rows of a partition.
func (h *History) Read(partition string) *Query {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seq++
	q := &Query{h: h, partition: partition, start: h.seq, began: h.o.Now()}
	h.queries[q] = struct{}{}
	return q
}

// Failed tells that the query was not answered.
func (q *Query) Failed() {
	q.h.mu.Lock()
	defer q.h.mu.Unlock()
	delete(q.h.queries, q)
	q.h.counts.ReadsFailed++
}

// answered ends the query. mu is held.
func (q *Query) answered() {
	delete(q.h.queries, q)
	q.h.counts.Reads++
}

// Row judges what was read of one row.
func (q *Query) Row(row string, value int64, found bool) error {
	q.h.mu.Lock()
	defer q.h.mu.Unlock()
	q.answered()
	return q.row(row, value, found, true)
}

// Rows judges a read of the whole partition: rows that are not in it were not
// found.
func (q *Query) Rows(rows map[string]int64) error {
	q.h.mu.Lock()
	defer q.h.mu.Unlock()
	q.answered()
	return q.rows(rows, true)
}

func (q *Query) rows(rows map[string]int64, live bool) error {
	p := q.h.partition(q.partition)
	for _, row := range slices.Sorted(maps.Keys(rows)) {
		if p.rows[row] == nil {
			return fmt.Errorf("history: row %q of partition %q was never written and has the value %d", row, q.partition, rows[row])
		}
	}
	for _, row := range slices.Sorted(maps.Keys(p.rows)) {
		value, found := rows[row]
		if err := q.row(row, value, found, live); err != nil {
			return err
		}
	}
	return nil
}

// row judges one row. mu is held.
func (q *Query) row(row string, value int64, found, live bool) error {
	p := q.h.partition(q.partition)
	v := view{q: q, now: q.h.o.Now()}
	for _, ops := range [][]*Op{p.rows[row], p.deletes} {
		for _, o := range ops {
			v.settle(o)
		}
	}
	var matched *Op
	reasons := 0
	if !found && !v.settled {
		reasons++ // nothing was ever there
	}
	for _, ops := range [][]*Op{p.rows[row], p.deletes} {
		for _, o := range ops {
			if v.explains(o, value, found) {
				matched = o
				reasons++
			}
		}
	}
	if reasons == 0 {
		return q.violation(&v, row, value, found, p)
	}
	// A read that was under way already may have missed what was acknowledged
	// before the operation began, which may yet win if nobody acknowledges this.
	tells := q.h.o.Stamps == Client || matched != nil && matched.start < q.start
	if live && found && reasons == 1 && q.h.o.Monotonic && tells && matched.seen == 0 {
		q.h.seq++
		matched.seen = q.h.seq
	}
	return nil
}

// view is what a query at a time must see of a row.
type view struct {
	q   *Query
	now time.Time

	settled bool      // something was acknowledged before the query began
	ts      int64     // Client: the highest timestamp of that
	delAt   int64     // Client: the highest of a delete
	start   uint64    // Server: the latest start of that
	began   time.Time // Server: when that was
}

// settle takes an operation into account that the query must not miss.
func (v *view) settle(o *Op) {
	known := o.outcome == acked && o.end <= v.q.start || o.seen != 0 && o.seen <= v.q.start
	if !known {
		return
	}
	if !v.settled {
		v.settled, v.ts, v.delAt = true, math.MinInt64, math.MinInt64
	}
	v.ts = max(v.ts, o.ts)
	if o.del {
		v.delAt = max(v.delAt, o.ts)
	}
	if o.start > v.start {
		v.start, v.began = o.start, o.began
	}
}

// superseded tells whether something that the query must not miss wins over
// the operation.
func (v *view) superseded(o *Op) bool {
	if !v.settled {
		return false
	}
	if v.q.h.o.Stamps == Client {
		return o.ts < v.ts || !o.del && o.ts <= v.delAt
	}
	switch o.outcome {
	case acked:
		return o.end < v.start
	case unknown:
		return v.began.Sub(o.ended) > v.q.h.o.Skew+time.Second
	}
	return false
}

// explains tells whether the operation may be why the query saw this.
func (v *view) explains(o *Op, value int64, found bool) bool {
	if o.outcome == failed || v.superseded(o) {
		return false
	}
	if o.del {
		return !found
	}
	if found {
		return o.value == value && !v.expired(o)
	}
	return o.ttl > 0 && !v.now.Before(o.began.Add(o.ttl-v.q.h.o.Skew-time.Second))
}

// expired tells whether the write must be gone, whenever within its time it
// was stamped.
func (v *view) expired(o *Op) bool {
	if o.ttl == 0 || o.outcome == running {
		return false
	}
	return v.q.began.After(o.ended.Add(o.ttl + v.q.h.o.Skew + time.Second))
}

// maxListed bounds the operations that a violation lists.
const maxListed = 20

// violation tells what was seen and what was done.
func (q *Query) violation(v *view, row string, value int64, found bool, p *partition) error {
	what := "was not found"
	if found {
		what = fmt.Sprintf("has the value %d", value)
	}
	text := fmt.Sprintf("history: row %q of partition %q %s at %d (%s to %s); operations:",
		row, q.partition, what, q.start, q.began.Format(time.StampMicro), v.now.Format(time.StampMicro))
	ops := slices.Concat(p.rows[row], p.deletes)
	slices.SortFunc(ops, func(a, b *Op) int { return int(a.start) - int(b.start) })
	if len(ops) > maxListed {
		ops = ops[len(ops)-maxListed:]
	}
	for _, o := range ops {
		text += "\n\t" + o.String()
	}
	return fmt.Errorf("%s", text)
}

func (o *Op) String() string {
	kind := fmt.Sprintf("write %d", o.value)
	if o.del {
		kind = "delete"
		if o.key.Row == "" {
			kind = "delete partition"
		}
	}
	if o.ttl > 0 {
		kind += " ttl " + o.ttl.String()
	}
	return fmt.Sprintf("%d to %d (%s to %s): %s at %d: %s", o.start, o.end, o.began.Format(time.StampMicro),
		o.ended.Format(time.StampMicro), kind, o.ts, [...]string{"running", "acknowledged", "failed", "unknown"}[o.outcome])
}

// Replicas judges the state of a partition in each replica alone, when nothing
// runs any more: all are equal, and what the model has. A replica is its rows'
// values.
func (h *History) Replicas(partition string, replicas []map[string]int64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seq++
	q := &Query{h: h, partition: partition, start: h.seq, began: h.o.Now()}
	for i, rows := range replicas {
		if !maps.Equal(rows, replicas[0]) {
			return fmt.Errorf("history: partition %q has in replica 0 %v and in replica %d %v", partition, replicas[0], i, rows)
		}
		if err := q.rows(rows, false); err != nil {
			return fmt.Errorf("replica %d: %w", i, err)
		}
	}
	return nil
}
