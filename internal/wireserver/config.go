package wireserver

import (
	"errors"
	"log/slog"
	"time"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/metrics"
)

// Config is how a Server behaves. Topology must be set; the zero value of any
// other field is its default.
type Config struct {
	// Topology is what clients are told of the cluster.
	Topology func() *cluster.Topology
	// RequestTimeout is the most time that a statement gets (10 s).
	RequestTimeout time.Duration
	// PageSize is how many rows a page has at which a client names no number
	// (5,000).
	PageSize int
	// MaxInFlight bounds the statements in work of all connections (65,536).
	MaxInFlight int
	// Workers bounds the goroutines for statements that may block (128).
	Workers int
	// QueueLength bounds what waits for a worker (4,096).
	QueueLength int

	// Clock is the machine's by default.
	Clock clock.Clock
	// Metrics gets the server's counters, if not nil.
	Metrics *metrics.Registry
	// Log is slog.Default by default.
	Log *slog.Logger
}

func orDefault[T int | time.Duration](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}

func (c Config) withDefaults() (Config, error) {
	if c.Topology == nil {
		return c, errors.New("wireserver: Topology must be set")
	}
	if c.RequestTimeout < 0 || c.PageSize < 0 || c.MaxInFlight < 0 || c.Workers < 0 || c.QueueLength < 0 {
		return c, errors.New("wireserver: negative limit in Config")
	}
	orDefault(&c.RequestTimeout, 10*time.Second)
	orDefault(&c.PageSize, 5000)
	orDefault(&c.MaxInFlight, 1<<16)
	orDefault(&c.Workers, 128)
	orDefault(&c.QueueLength, 4096)
	if c.Clock == nil {
		c.Clock = clock.Real
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c, nil
}
