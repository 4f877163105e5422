package cluster

import (
	"context"
	"strings"

	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// Completer is told the outcome of a write.
type Completer = mutation.Completer

// Write is one or more records to be applied. With more than one record and
// Atomic set they form an all-or-nothing group. Records are owned by the
// callee until the Completer is called.
type Write struct {
	Records     []mutation.Record
	Atomic      bool
	Consistency ring.ConsistencyLevel
	Deadline    int64 // clock.Mono nanoseconds, 0 for none
	// Created is when a batch that is written again was made, microseconds; 0 for
	// a fresh write. What was truncated or dropped since is left out, and what may
	// have been deleted by a tombstone that its only replica has purged since.
	Created int64
	Done    Completer
}

// ReadCompleter is told the outcome of a read, exactly once, from any
// goroutine. It must not block. The source, nil with an error, is its to close;
// it answers mutation.ErrWouldBlock where more than one page is wanted, and
// then the read has to be made again with Read.
type ReadCompleter interface {
	CompleteRead(src mutation.Source, err error)
}

// Cluster is what a session needs. Safe for concurrent use.
type Cluster interface {
	// TryWrite starts a write without ever waiting for memory or I/O. It
	// answers mutation.ErrWouldBlock, having done nothing and without calling
	// Done, if it cannot; the caller then calls Write from a worker. After a nil
	// return Done is called exactly once; after another error it is not.
	TryWrite(w *Write) error
	// Write is TryWrite that may wait to start. Done is called as above.
	Write(ctx context.Context, w *Write) error
	// TryRead answers a read of partitions from memory alone, or
	// mutation.ErrWouldBlock. The source must be closed by the caller.
	TryRead(cmd *mutation.ReadCommand, level ring.ConsistencyLevel) (mutation.Source, error)
	// TryWriteEach starts writes of one partition each that know nothing of each
	// other and are done at once, so that Done is told of all. It answers
	// mutation.ErrWouldBlock, having done nothing, where TryWrite has to judge them
	// one by one: where somebody else has to be asked or one may fail, for one.
	// Otherwise it is as TryWrite.
	TryWriteEach(w *Write) error
	// TryRows tells what is stored of single rows of a table, as far as this node
	// has it in memory and alone is enough. TryRead finds out about the others.
	TryRows(table schema.TableID, keys []mutation.RowKey, now uint32, level ring.ConsistencyLevel, to mutation.RowReceiver)
	// StartRead starts a read of one partition that has to ask other nodes,
	// without waiting for them. cmd must stay unchanged until the source is
	// closed. It answers mutation.ErrWouldBlock, having done nothing, for every
	// other read. After a nil return, and maybe before it, done is called
	// exactly once; after an error it is not. deadline is in clock.Mono
	// nanoseconds.
	StartRead(cmd *mutation.ReadCommand, level ring.ConsistencyLevel, deadline int64, done ReadCompleter) error
	// Read opens the merged stream of what the command names, without applying
	// Limit, Filters or liveness: the reader stops when it has enough. It holds
	// no pin on files while the reader waits for anything but the source
	// itself: close it before waiting for a client.
	Read(ctx context.Context, cmd *mutation.ReadCommand, level ring.ConsistencyLevel) (mutation.Source, error)
	// Propose changes the schema. It returns when the change is in force here
	// and durable.
	Propose(ctx context.Context, change schema.Change, check func(*schema.Snapshot) error) (*schema.Snapshot, error)
	// Schema is the schema in force.
	Schema() *schema.Snapshot
	Topology() *Topology
	// Now stamps a write: microseconds, never the same twice on a node.
	Now() int64
}

// Replica is what the cluster layer needs of a store. Safe for concurrent use.
type Replica interface {
	// TryApply and Apply are as Cluster.TryWrite and Write for this store alone.
	TryApply(records []mutation.Record, atomic bool, done Completer) error
	Apply(ctx context.Context, records []mutation.Record, atomic bool, done Completer) error
	TryRead(cmd *mutation.ReadCommand) (mutation.Source, error)
	// TryRows is as Cluster.TryRows.
	TryRows(table schema.TableID, keys []mutation.RowKey, now uint32, to mutation.RowReceiver)
	Read(ctx context.Context, cmd *mutation.ReadCommand) (mutation.Source, error)
	// Truncate drops everything of the table written at or below the
	// timestamp; replayed and late records at or below it are dropped too.
	Truncate(ctx context.Context, table schema.TableID, epoch uint64, timestamp int64) error
	// Truncated is the timestamp of the last Truncate of the table that is
	// durable, 0 if there was none.
	Truncated(table schema.TableID) int64
	// SetPurgeBound allows tombstones of a range at or below the local time
	// to be purged; never lowered.
	SetPurgeBound(table schema.TableID, r mutation.PartitionRange, localTime uint32) error
	// PurgedTo is the highest local time, seconds, of a tombstone of the table
	// that has been purged or may be by now, 0 if there is none.
	PurgedTo(table schema.TableID) uint32
	// ApplySchema makes the store follow a new snapshot before it is used.
	ApplySchema(s *schema.Snapshot) error
}

// DisagreementError comes with a change of the schema that is in force, but not
// yet on all live nodes. Requests that reach one of these are planned by the
// schema before.
type DisagreementError struct {
	Behind []string // addresses
}

func (e *DisagreementError) Error() string {
	return "The schema change is in force, but not yet on all nodes: " + strings.Join(e.Behind, ", ")
}
