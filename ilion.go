package ilion

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/cql/value"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/config"
	"github.com/ilion-db/ilion/internal/node"
	"github.com/ilion-db/ilion/internal/query"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// Sync says when a write is acknowledged.
type Sync string

// Modes of Options.Sync.
const (
	// SyncBatch acknowledges a write when it is on the disk.
	SyncBatch Sync = "batch"
	// SyncGroup is SyncBatch that waits a little for more writes to come along.
	SyncGroup Sync = "group"
	// SyncPeriodic acknowledges at once and syncs every 10 ms: a power cut may
	// lose what was written since.
	SyncPeriodic Sync = "periodic"
)

// Options are how a database is opened. The zero value of a field is its
// default.
type Options struct {
	// Memory that the database may use, in bytes: 256 MiB.
	Memory int64
	// Sync is SyncBatch.
	Sync Sync
	// Log takes what an operator should know; it is discarded.
	Log *slog.Logger
}

// defaultMemory is what a database inside another program may use.
const defaultMemory = 256 << 20

// DB is an open database. Safe for concurrent use.
type DB struct {
	node     *node.Node
	keyspace string
}

// Open opens the database in a directory, making it if it is not there. One
// process at a time can have it open. o may be nil.
func Open(dir string, o *Options) (*DB, error) {
	if o == nil {
		o = &Options{}
	}
	c := config.Default()
	c.DataDir, c.Memory = dir, defaultMemory
	if o.Memory != 0 {
		c.Memory = o.Memory
	}
	switch o.Sync {
	case "":
	case SyncBatch, SyncGroup, SyncPeriodic:
		c.CommitlogSync = string(o.Sync)
	default:
		return nil, fmt.Errorf("ilion: options: unknown Sync %q", o.Sync)
	}
	n, err := node.New(context.Background(), node.Options{
		Config: c, Clock: clock.Real, FS: vfs.OS, Rand: rand.NewSecure(), Log: o.Log, Embedded: true, Version: "embedded",
	})
	if err != nil {
		return nil, err
	}
	return &DB{node: n}, nil
}

// Close ends the database. Nothing may be executed any more. What was
// acknowledged is on the disk, or in the log that the next Open reads.
func (db *DB) Close() error { return db.node.Close(context.Background()) }

// Use returns the database with a keyspace that unqualified names mean. Close
// only one of them.
func (db *DB) Use(keyspace string) *DB { return &DB{node: db.node, keyspace: keyspace} }

// Exec executes a statement, dropping its rows. A write is as durable as
// Options.Sync says when it returns.
func (db *DB) Exec(ctx context.Context, cql string, values ...any) error {
	return db.Prepare(cql).Exec(ctx, values...)
}

// Query executes a statement. Errors of the statement are *Error.
func (db *DB) Query(ctx context.Context, cql string, values ...any) (*Rows, error) {
	return db.Prepare(cql).Query(ctx, values...)
}

// Prepare returns a statement to be executed more than once or with other
// than the usual settings. It does not look at the text: plans are kept by
// text in any case, and a mistake is told by the first execution.
func (db *DB) Prepare(cql string) *Stmt { return &Stmt{db: db, text: cql} }

// Stmt is a statement. Immutable and safe for concurrent use; its methods
// return changed copies.
type Stmt struct {
	db        *DB
	text      string
	pageSize  int32
	timestamp int64
}

// PageSize makes a SELECT read so many rows at a time; 1,000 by default.
func (s *Stmt) PageSize(rows int) *Stmt {
	c := *s
	c.pageSize = int32(max(min(rows, maxPageSize), 1))
	return &c
}

// maxPageSize is more rows than anybody should hold at a time.
const maxPageSize = 1 << 20

// Timestamp gives a write a time in microseconds since 1970 instead of the
// present.
func (s *Stmt) Timestamp(micros int64) *Stmt {
	c := *s
	c.timestamp = micros
	return &c
}

func (s *Stmt) statement(values []any) query.Statement {
	return query.Statement{
		Text: s.text, Keyspace: s.db.keyspace, Values: values, Consistency: ring.LocalOne,
		PageSize: s.pageSize, Timestamp: s.timestamp,
	}
}

// Exec executes the statement with values for its markers.
func (s *Stmt) Exec(ctx context.Context, values ...any) error {
	return s.db.node.Query().Exec(ctx, s.statement(values))
}

// Query executes the statement with values for its markers.
func (s *Stmt) Query(ctx context.Context, values ...any) (*Rows, error) {
	rows, err := s.db.node.Query().Query(ctx, s.statement(values))
	if err != nil {
		return nil, err
	}
	return &Rows{rows}, nil
}

// Rows are the rows of a result, read a page at a time; nothing of the
// database is held between pages. They belong to one goroutine.
type Rows struct {
	rows *query.Rows
}

// Next moves to the next row and tells whether there is one.
func (r *Rows) Next() bool { return r.rows.Next() }

// Scan stores the values of the row in what the destinations point to, in the
// order of the columns; nil passes over one. Null makes a destination zero.
func (r *Rows) Scan(dst ...any) error { return r.rows.Scan(dst...) }

// Values are the values of the row.
func (r *Rows) Values() []any { return r.rows.Values() }

// Columns are the names of the columns.
func (r *Rows) Columns() []string {
	cols := r.rows.Columns()
	names := make([]string, len(cols))
	for i := range cols {
		names[i] = cols[i].Name
	}
	return names
}

// Types are the types of the columns.
func (r *Rows) Types() []*schema.Type {
	cols := r.rows.Columns()
	types := make([]*schema.Type, len(cols))
	for i := range cols {
		types[i] = cols[i].Type
	}
	return types
}

// Warnings are what a client would have been warned of.
func (r *Rows) Warnings() []string { return r.rows.Warnings }

// Err is the error that ended the rows, or nil.
func (r *Rows) Err() error { return r.rows.Err() }

// Close ends the rows and returns Err. Rows that were read to their end need
// no Close.
func (r *Rows) Close() error { return r.rows.Close() }

// Error is an error of a statement, with a code of the CQL protocol.
type Error = native.Error

// UUID and Duration are values of uuid, timeuuid and duration.
type (
	UUID     = schema.UUID
	Duration = schema.Duration
)

// Unset as a value leaves a column as it is.
var Unset = value.Unset
