package query

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cql/exec"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/level"
	"github.com/ilion-db/ilion/internal/metrics"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/schema"
)

// Virtual are the tables whose rows the node computes. Safe for concurrent
// use.
type Virtual interface {
	// Snapshot is the schema with the definitions of virtual tables added.
	// Definitions of equal content should be the same pointers each time.
	Snapshot(user *schema.Snapshot) *schema.Snapshot
	// Described is Snapshot with the definitions as DESCRIBE prints them.
	Described(user *schema.Snapshot) *schema.Snapshot
	// Rows are the rows of a virtual table in the order of its primary key.
	Rows(ctx context.Context, t *schema.Table) (exec.RowSource, error)
}

// Config says what a Processor works with. Cluster, Clock, Rand and PagingKey
// must be set; the zero value of any other field is its default.
type Config struct {
	Cluster cluster.Cluster
	Clock   clock.Clock
	Rand    *rand.Source
	// PagingKey authenticates paging states; all nodes of a cluster need the
	// same. At least 16 bytes.
	PagingKey []byte
	// Virtual may be nil.
	Virtual Virtual
	// Classify tells errors of the layers below apart; ClassUnknown leaves it
	// to the default, which knows errors of package mutation, of the file
	// system and of contexts.
	Classify func(error) ErrorClass
	// Login checks a name and a password. Nil refuses everybody.
	Login func(ctx context.Context, user, password string) error
	// Store keeps the texts of prepared statements over a restart. May be nil.
	Store Store
	// Traces takes what requests with the tracing flag did. Nil makes no
	// traces.
	Traces *Traces

	// PreparedBytes bounds the memory of prepared statements (32 MiB).
	PreparedBytes int64
	// MaxMutation is the largest record of one partition in bytes (16 MiB).
	MaxMutation int
	// MaxResult is the largest result of a SELECT without paging in bytes (100
	// MiB); four of them at a time may be under way.
	MaxResult int
	// Tombstones is how many of them may be read before a page ends and a read
	// without pages fails: Cassandra's tombstone_failure_threshold (100,000).
	Tombstones int
	// Timeout is the age in which an embedded statement must be done (10 s).
	Timeout time.Duration

	// ClusterName, Partitioner and Snitch are for DESCRIBE CLUSTER; Cassandra's
	// defaults if empty.
	ClusterName, Partitioner, Snitch string

	// HostID names this node in what it writes, from the format level that has
	// it on. Level is the one in force; nil is the first.
	HostID [16]byte
	Level  func() uint16

	// Metrics gets the counters, if not nil.
	Metrics *metrics.Registry
	Log     *slog.Logger // discards by default
}

func (c *Config) withDefaults() (Config, error) {
	d := *c
	if d.Cluster == nil || d.Clock == nil || d.Rand == nil || len(d.PagingKey) < 16 {
		return d, errors.New("query: config: Cluster, Clock, Rand and a PagingKey of 16 bytes must be set")
	}
	if d.Level == nil {
		d.Level = func() uint16 { return level.First }
	}
	d.PreparedBytes = cmp.Or(d.PreparedBytes, 32<<20)
	d.MaxMutation = cmp.Or(d.MaxMutation, 16<<20)
	d.MaxResult = cmp.Or(d.MaxResult, exec.DefaultMaxBytes)
	d.Tombstones = cmp.Or(d.Tombstones, exec.DefaultTombstones)
	d.Timeout = cmp.Or(d.Timeout, 10*time.Second)
	d.ClusterName = cmp.Or(d.ClusterName, "Test Cluster")
	d.Partitioner = cmp.Or(d.Partitioner, "Murmur3Partitioner")
	d.Snitch = cmp.Or(d.Snitch, "SimpleSnitch")
	d.Log = cmp.Or(d.Log, slog.New(slog.DiscardHandler))
	return d, nil
}
