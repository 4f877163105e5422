package plan

import (
	"bytes"
	"slices"
	"strings"

	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/schema"
)

// Sizes in bytes at which a batch over more than one partition draws a warning
// or is refused.
const (
	BatchWarnSize = 5 << 10
	BatchFailSize = 50 << 10
	// MaxBatchStatements bounds the statements of a batch.
	MaxBatchStatements = 65535
)

// Batch is a compiled BATCH statement, or what NewBatch makes of prepared
// ones. Immutable and safe for concurrent use.
type Batch struct {
	Kind cql.BatchKind

	statements []*Modification
	timestamp  *term
}

func (c *compiler) batch(s *cql.Batch) (*Batch, error) {
	if s.Using.TTL != nil {
		return nil, invalid("Global TTL on the BATCH statement is not supported.")
	}
	if s.Using.Timeout != nil {
		return nil, unsupported("USING TIMEOUT")
	}
	var ms []*Modification
	for _, sub := range s.Statements {
		m, err := c.modification(sub)
		if err != nil {
			return nil, err
		}
		if s.Using.Timestamp != nil && m.timestamp != nil {
			return nil, invalid("Timestamp must be set either on BATCH or individual statements")
		}
		ms = append(ms, m)
	}
	b, err := NewBatch(s.Kind, ms)
	if err != nil {
		return nil, err
	}
	if s.Using.Timestamp != nil {
		c.table = nil
		b.timestamp, err = c.term(s.Using.Timestamp, "[timestamp]", schema.TypeBigint)
	}
	return b, err
}

// NewBatch makes a batch of modifications that were compiled on their own, for
// the BATCH message of the protocol.
func NewBatch(kind cql.BatchKind, statements []*Modification) (*Batch, error) {
	if kind == cql.BatchCounter && len(statements) > 0 {
		return nil, invalid("Cannot include non-counter statement in a counter batch")
	}
	if len(statements) > MaxBatchStatements {
		return nil, invalid("A batch must not have more than %d statements", MaxBatchStatements)
	}
	for _, m := range statements {
		if m.needsRead && len(statements) > 1 {
			return nil, unsupported("Naming elements of a list by index or value in a batch of several statements")
		}
	}
	return &Batch{Kind: kind, statements: statements}, nil
}

// Len is the number of statements.
func (bt *Batch) Len() int { return len(bt.statements) }

// NeedsRead returns the statement that needs rows to be read before Bind, or
// nil; then it is the only one. See Modification.NeedsRead.
func (bt *Batch) NeedsRead() *Modification {
	if len(bt.statements) == 1 && bt.statements[0].needsRead {
		return bt.statements[0]
	}
	return nil
}

// batchEntry is one partition that one statement writes.
type batchEntry struct {
	statement int
	key       mutation.Key
	stamp     stamp
	stamped   bool
}

type batchScratch struct {
	entries []batchEntry
	keys    []byte
}

// Bind appends to b.Records what the batch writes: one record per table and
// partition. values has the values of each statement, or one list for all if
// the batch is a statement of its own. b.Atomic is set if the records have to
// be applied all or not at all.
func (bt *Batch) Bind(b *Binder, values func(statement int) []Value, o *Options) error {
	opts := *o
	if bt.timestamp != nil {
		b.start(values(0), o)
		v, err := bt.timestamp.eval(&b.binding)
		if err != nil {
			return err
		}
		if len(v.Bytes) == 8 {
			opts.Timestamp, opts.HasTimestamp = fromBE64(v.Bytes), true
		} else if !v.Unset {
			return invalid("Invalid null value of timestamp")
		}
	}
	b.start(nil, &opts)
	b.size = 0
	sc := &b.batch
	sc.entries, sc.keys = sc.entries[:0], sc.keys[:0]
	for i, m := range bt.statements {
		if err := m.batchKeys(b, i, values(i), &opts); err != nil {
			return err
		}
	}
	slices.SortStableFunc(sc.entries, func(x, y batchEntry) int {
		tx, ty := bt.statements[x.statement].Table, bt.statements[y.statement].Table
		if c := bytes.Compare(tx.ID[:], ty.ID[:]); c != 0 {
			return c
		}
		return compareKeys(x.key, y.key)
	})
	before := len(b.Records)
	if err := bt.write(b, values, &opts); err != nil {
		b.Records = b.Records[:before]
		return err
	}
	return bt.checkSize(b, b.Records[before:])
}

// batchKeys notes the partitions that one statement writes.
func (m *Modification) batchKeys(b *Binder, i int, values []Value, o *Options) error {
	b.values, b.opts, b.columns = values, o, nil
	s, stamped, err := m.stamp(&b.binding)
	if err != nil {
		return err
	}
	sc := &b.batch
	if m.key == nil {
		keys, err := partitionKeys(&b.binding, m.partition)
		for _, k := range keys {
			sc.entries = append(sc.entries, batchEntry{statement: i, key: k, stamp: *s, stamped: stamped})
		}
		return err
	}
	k, err := m.singleKey(b)
	if err != nil {
		return err
	}
	start := len(sc.keys)
	sc.keys = append(sc.keys, k.Key...)
	k.Key = sc.keys[start:len(sc.keys):len(sc.keys)]
	sc.entries = append(sc.entries, batchEntry{statement: i, key: k, stamp: *s, stamped: stamped})
	return nil
}

// write builds a record per group of entries with one table and key.
func (bt *Batch) write(b *Binder, values func(int) []Value, o *Options) error {
	entries := b.batch.entries
	for len(entries) > 0 {
		first := &entries[0]
		table := bt.statements[first.statement].Table
		n, stamped := 0, true
		for n < len(entries) && bt.statements[entries[n].statement].Table == table && compareKeys(entries[n].key, first.key) == 0 {
			stamped = stamped && entries[n].stamped
			n++
		}
		if err := b.spend(len(first.key.Key) + rowCost); err != nil {
			return err
		}
		b.begin(table.ID, bt.statements[first.statement].epoch, first.key, first.stamp.ts, stamped)
		for i := range entries[:n] {
			e := &entries[i]
			b.values, b.opts, b.columns = values(e.statement), o, nil
			if err := bt.statements[e.statement].write(b, e.key, &e.stamp); err != nil {
				b.release(b.builder.Finish())
				return err
			}
		}
		b.end()
		entries = entries[n:]
	}
	return nil
}

func (bt *Batch) checkSize(b *Binder, records []mutation.Record) error {
	if len(records) < 2 {
		return nil
	}
	b.Atomic = bt.Kind == cql.BatchLogged
	if bt.Kind == cql.BatchUnlogged && len(records) > 10 {
		b.warn("Unlogged batch covering %d partitions detected against table%s %s. You should use a logged batch for "+
			"atomicity, or asynchronous writes for performance.", len(records), choose(strings.Contains(bt.tables(), ","), "s", ""), bt.tables())
	}
	size := 0
	for _, r := range records {
		size += len(r)
	}
	switch {
	case size > BatchFailSize:
		for _, r := range records {
			b.release(r)
		}
		b.Records = b.Records[:len(b.Records)-len(records)]
		return invalid("Batch too large")
	case size > BatchWarnSize:
		b.warn("Batch for %s is of size %d, exceeding specified threshold of %d by %d.", bt.tables(), size, BatchWarnSize, size-BatchWarnSize)
	}
	return nil
}

// tables lists the tables as Cassandra prints a list.
func (bt *Batch) tables() string {
	var names []string
	for _, m := range bt.statements {
		if n := m.Table.Keyspace + "." + m.Table.Name; !contains(names, n) {
			names = append(names, n)
		}
	}
	s := "["
	for i, n := range names {
		if i > 0 {
			s += ", "
		}
		s += n
	}
	return s + "]"
}
