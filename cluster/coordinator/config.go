package coordinator

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cluster/hlc"
	"github.com/ilion-db/ilion/cluster/metadata"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// Peer sends to one other node; *rpc.Peer does. It never waits.
type Peer interface {
	Up() bool
	Send(m *rpc.Message, r rpc.Receiver) error
	Notify(m *rpc.Message) error
}

// Metadata is the replicated log of members and schema.
type Metadata interface {
	State() *metadata.State
	Propose(ctx context.Context, change schema.Change, checks ...func(*schema.Snapshot) error) (epoch uint64, err error)
	// Hear tells that a node is at an epoch: entries are pulled if need be.
	Hear(from [16]byte, epoch uint64)
}

// Reader reads over replicas.
type Reader interface {
	TryRead(cmd *mutation.ReadCommand, level ring.ConsistencyLevel) (mutation.Source, error)
	TryRows(table schema.TableID, keys []mutation.RowKey, now uint32, level ring.ConsistencyLevel, to mutation.RowReceiver)
	StartRead(cmd *mutation.ReadCommand, level ring.ConsistencyLevel, deadline int64, done cluster.ReadCompleter) error
	Read(ctx context.Context, cmd *mutation.ReadCommand, level ring.ConsistencyLevel) (mutation.Source, error)
}

// Hints keeps records for nodes that could not be reached. done is told when
// the record, which is not changed until then, is durable; it is not called
// after an error.
type Hints interface {
	Add(target [16]byte, created int64, r mutation.Record, done mutation.Completer) error
}

// Batchlog keeps logged batches until they are done. Store is as Hints.Add.
type Batchlog interface {
	Store(id [16]byte, created int64, records []mutation.Record, done mutation.Completer) error
	Done(id [16]byte)
}

// Config says what a Cluster is made of.
type Config struct {
	// HostID is this node's.
	HostID [16]byte
	// Replica is the store; it must already follow Metadata's schema.
	Replica  cluster.Replica
	Metadata Metadata
	Clock    clock.Clock
	Stamps   *hlc.Clock
	// Peer returns what sends to a node, never nil.
	Peer     func(host [16]byte) Peer
	Reader   Reader
	Hints    Hints
	Batchlog Batchlog
	// Rand makes ids of batches and spreads load.
	Rand interface{ Uint64() uint64 }
	// Code is what an error of Replica means to another node (nil: a failure).
	Code func(error) wire.Code
	// Log is told of what an operator should know.
	Log *slog.Logger

	// WriteTimeout is how long replicas have to acknowledge a write (default
	// 2 s); its own deadline may come first.
	WriteTimeout time.Duration
	// MaxBytes bounds the writes in flight, those of other coordinators included
	// (default 64 MiB). Above it writes are refused as overloaded.
	MaxBytes int64
	// HintRate is what this node takes of hints from each sender while it has
	// little else to do, bytes a second (default 8 MiB).
	HintRate uint64
	// Workers bounds the goroutines for what would wait (default 64).
	Workers int
}

func (cfg *Config) check() error {
	if cfg.Replica == nil || cfg.Metadata == nil || cfg.Clock == nil || cfg.Stamps == nil || cfg.Peer == nil ||
		cfg.Reader == nil || cfg.Hints == nil || cfg.Batchlog == nil || cfg.Rand == nil || cfg.Log == nil {
		return errors.New("coordinator: config: all of Replica, Metadata, Clock, Stamps, Peer, Reader, Hints, Batchlog, Rand and Log must be set")
	}
	if cfg.WriteTimeout <= 0 {
		cfg.WriteTimeout = 2 * time.Second
	}
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = 64 << 20
	}
	if cfg.HintRate == 0 {
		cfg.HintRate = 8 << 20
	}
	if cfg.Workers <= 0 {
		cfg.Workers = 64
	}
	return nil
}
