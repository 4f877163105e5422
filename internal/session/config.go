package session

import (
	"errors"
	"log/slog"
	"time"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/metrics"
)

// Config is how a Server behaves. The zero value of a field is its default.
type Config struct {
	// Auth asks clients for a name and a password.
	Auth bool
	// MaxConnections are served at once (4,096); more are told so and closed.
	MaxConnections int
	// MaxFrame is the longest body of a frame in bytes (16 MiB).
	MaxFrame int
	// MaxInFlight is how many requests of a connection may be unanswered (1,024).
	MaxInFlight int
	// MaxInFlightBytes bounds their frames, and answers not yet sent, per
	// connection (16 MiB): beyond it the connection is not read.
	MaxInFlightBytes int64
	// MaxUnsent closes a connection with that many bytes of unsent answers
	// (64 MiB). One answer alone may be larger.
	MaxUnsent int64
	// TotalUnsent bounds the unsent answers of all connections (256 MiB): beyond
	// it a connection that adds to them and has a 64th of them is closed, unless
	// it waits for that answer alone.
	TotalUnsent int64
	// TotalInFlightBytes bounds the input in flight of all connections (64 MiB).
	TotalInFlightBytes int64
	// WriteTimeout closes a connection that takes no byte for so long (30 s).
	WriteTimeout time.Duration
	// RequestTimeout is the age at which a request should give up (10 s).
	RequestTimeout time.Duration
	// Workers bounds the goroutines for requests that may block (128).
	Workers int
	// QueueLength and QueueBytes bound the requests that wait for a worker
	// (4,096 and 32 MiB).
	QueueLength int
	QueueBytes  int64

	// Clock is the machine's by default.
	Clock clock.Clock
	// Metrics gets the server's counters, if not nil.
	Metrics *metrics.Registry
	// Log is slog.Default by default.
	Log *slog.Logger
}

func orDefault[T int | int64 | time.Duration](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}

func (c Config) withDefaults() Config {
	orDefault(&c.MaxConnections, 4096)
	orDefault(&c.MaxFrame, native.MaxFrame)
	orDefault(&c.MaxInFlight, 1024)
	orDefault(&c.MaxInFlightBytes, 16<<20)
	orDefault(&c.MaxUnsent, 64<<20)
	orDefault(&c.TotalUnsent, 256<<20)
	orDefault(&c.TotalInFlightBytes, 64<<20)
	orDefault(&c.WriteTimeout, 30*time.Second)
	orDefault(&c.RequestTimeout, 10*time.Second)
	orDefault(&c.Workers, 128)
	orDefault(&c.QueueLength, 4096)
	orDefault(&c.QueueBytes, 32<<20)
	if c.Clock == nil {
		c.Clock = clock.Real
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

// Validate refuses negative limits.
func (c Config) Validate() error {
	for _, v := range []int64{
		int64(c.MaxConnections), int64(c.MaxFrame), int64(c.MaxInFlight), c.MaxInFlightBytes, c.MaxUnsent,
		c.TotalInFlightBytes, c.TotalUnsent, int64(c.WriteTimeout), int64(c.RequestTimeout), int64(c.Workers),
		int64(c.QueueLength), c.QueueBytes,
	} {
		if v < 0 {
			return errors.New("session: negative limit in Config")
		}
	}
	return nil
}
