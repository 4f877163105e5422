package client

import (
	"context"
	"fmt"
	"time"

	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/wire"
)

// Kinds of batches.
const (
	// Logged is done in the end whole or not at all.
	Logged = wire.BatchLogged
	// Unlogged may be done in part if it concerns several partitions.
	Unlogged = wire.BatchUnlogged
	// Counter changes counters.
	Counter = wire.BatchCounter
)

// Batch is several writes that are done together. Its methods are not safe for
// concurrent use.
type Batch struct {
	kind       wire.BatchKind
	statements []*Statement
	refs       []wire.StatementRef
	entries    []byte
	token      ring.Token
	routed     string // keyspace of token, if there is one
	scratch    []byte
	err        error

	level      ring.ConsistencyLevel
	timestamp  int64
	timeout    time.Duration
	has        queryFlags
	idempotent bool
}

// NewBatch starts a batch.
func NewBatch(kind wire.BatchKind) *Batch { return &Batch{kind: kind} }

// Reset drops the statements and what was set.
func (b *Batch) Reset() *Batch {
	*b = Batch{kind: b.kind, statements: b.statements[:0], refs: b.refs[:0], entries: b.entries[:0], scratch: b.scratch}
	return b
}

// Add adds a write with its values; of q's settings none counts. q may be used
// again. A mistake is kept and returned by ExecuteBatch.
func (b *Batch) Add(q *Query) *Batch {
	if err := q.complete(); err != nil || b.err != nil {
		if b.err == nil {
			b.err = err
		}
		return b
	}
	if q.shape.Read {
		b.err = fmt.Errorf("client: a batch cannot read: %s", q.st.text)
		return b
	}
	at := -1
	for i, st := range b.statements {
		if st == q.st {
			at = i
		}
	}
	if at < 0 {
		at = len(b.statements)
		b.statements = append(b.statements, q.st)
		b.refs = append(b.refs, q.shape.Ref)
	}
	if len(b.entries) == 0 {
		var ok bool
		if b.scratch, b.token, ok = q.token(b.scratch); ok {
			b.routed = q.shape.keyspace
		}
	}
	b.entries = encoding.AppendUvarint(b.entries, uint64(at))
	b.entries = encoding.AppendUvarint(b.entries, uint64(len(q.ends)))
	b.entries = append(b.entries, q.values...)
	return b
}

// SetConsistency sets the level.
func (b *Batch) SetConsistency(level ring.ConsistencyLevel) *Batch {
	b.level, b.has = level, b.has|hasLevel
	return b
}

// SetTimestamp sets the time of all writes in microseconds since 1970.
func (b *Batch) SetTimestamp(micros int64) *Batch {
	b.timestamp, b.has = micros, b.has|hasTimestamp
	return b
}

// SetTimeout sets how long all attempts together may take.
func (b *Batch) SetTimeout(d time.Duration) *Batch {
	b.timeout = d
	return b
}

// SetIdempotent tells whether it does no harm if the batch is done twice.
func (b *Batch) SetIdempotent(yes bool) *Batch {
	b.idempotent = yes
	return b
}

// ExecuteBatch does the writes of a batch and waits for them. They go to a
// replica of the first one's partition.
func (s *Session) ExecuteBatch(ctx context.Context, b *Batch) error {
	if b.err != nil {
		return b.err
	}
	c := s.newCall(wire.OpBatch, b.timeout)
	c.statements, c.idempotent = append(c.statements, b.statements...), b.idempotent
	c.token, c.keyspace = b.token, b.routed
	o := wire.ExecuteOptions{Consistency: uint8(s.cfg.Consistency), Timestamp: b.timestamp, HasTimestamp: b.has&hasTimestamp != 0}
	if b.has&hasLevel != 0 {
		o.Consistency = uint8(b.level)
	}
	c.body = append(c.body[:0], byte(b.kind))
	c.body = o.Append(c.body)
	c.body = wire.AppendStatements(c.body, b.refs)
	c.body = append(c.body, b.entries...)
	_, err := s.wait(ctx, c)
	return err
}
