package client

import (
	"cmp"
	"errors"
	"log/slog"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/transport"
	"github.com/ilion-db/ilion/ring"
)

// Config is how a Session behaves. Hosts must be set; the zero value of any
// other field is its default.
type Config struct {
	// Hosts are addresses of some nodes, "host:port" with the internode port.
	Hosts []string
	// Key is the cluster's key, if it has one.
	Key []byte
	// Keyspace is of names without one. It cannot be changed by USE.
	Keyspace string
	// LocalDC is the data centre whose nodes are preferred (all are alike).
	LocalDC string
	// ConnectionsPerHost is how many there are to each node (1).
	ConnectionsPerHost int
	// Consistency is the level of statements that name none (LOCAL_ONE, also if
	// it is ANY: that has to be named).
	Consistency ring.ConsistencyLevel
	// Timeout is how long a statement may take, all attempts together (10 s).
	Timeout time.Duration
	// ConnectTimeout bounds Connect, and each attempt to reach a node (5 s).
	ConnectTimeout time.Duration
	// PageSize is how many rows a page has (5,000).
	PageSize int
	// MaxInFlight is how many statements a connection may have unanswered (4,096).
	MaxInFlight int
	// Retries is how often a statement is tried again (2); negative is never.
	Retries int
	// Log is told of nodes that cannot be reached; nothing is logged by default.
	Log *slog.Logger

	// Transport and Clock are the machine's by default.
	Transport transport.Transport
	Clock     clock.Clock
}

func (c Config) withDefaults() (Config, error) {
	if len(c.Hosts) == 0 {
		return c, errors.New("client: config: no Hosts")
	}
	if c.ConnectionsPerHost < 0 || c.MaxInFlight < 0 || c.PageSize < 0 || c.Timeout < 0 || c.ConnectTimeout < 0 {
		return c, errors.New("client: config: a negative limit")
	}
	c.Consistency = cmp.Or(c.Consistency, ring.LocalOne)
	if !c.Consistency.Valid() {
		return c, errors.New("client: config: no such consistency level")
	}
	c.ConnectionsPerHost = cmp.Or(c.ConnectionsPerHost, 1)
	c.Timeout = cmp.Or(c.Timeout, 10*time.Second)
	c.ConnectTimeout = cmp.Or(c.ConnectTimeout, 5*time.Second)
	c.PageSize = cmp.Or(c.PageSize, 5000)
	c.MaxInFlight = cmp.Or(c.MaxInFlight, 4096)
	c.Retries = cmp.Or(c.Retries, 2)
	c.Retries = max(c.Retries, 0)
	c.Log = cmp.Or(c.Log, slog.New(slog.DiscardHandler))
	if c.Transport == nil {
		c.Transport = transport.TCP
	}
	if c.Clock == nil {
		c.Clock = clock.Real
	}
	return c, nil
}
