package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cluster/hlc"
	"github.com/ilion-db/ilion/cluster/metadata"
	"github.com/ilion-db/ilion/engine"
	"github.com/ilion-db/ilion/internal/admin"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/config"
	"github.com/ilion-db/ilion/internal/mem"
	"github.com/ilion-db/ilion/internal/metrics"
	"github.com/ilion-db/ilion/internal/query"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/session"
	"github.com/ilion-db/ilion/internal/transport"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/internal/virtual"
	"github.com/ilion-db/ilion/schema"
)

// Options are what a node is made of. FS, Clock and Rand must be set.
type Options struct {
	Config  config.Config
	Version string
	Clock   clock.Clock
	FS      vfs.FS
	Rand    *rand.Source
	// Transport is the machine's network by default.
	Transport transport.Transport
	Log       *slog.Logger
	// Embedded opens no port: the node is used through Query alone.
	Embedded bool
}

// Node is a running server.
type Node struct {
	opts         Options
	log          *slog.Logger
	started      time.Duration
	lock         io.Closer
	identityFile *metadata.IdentityFile
	identity     metadata.Identity
	meta         metadata.Log
	engine       *engine.Engine
	cluster      plug
	stamper      *hlc.Clock
	network      *network // nil if embedded
	tables       *virtual.Registry
	query        *query.Processor
	traces       *query.Traces
	session      *session.Server
	admin        *admin.Server
	metrics      *metrics.Registry
	budget       *mem.Budget

	cqlListener, httpListener net.Listener

	levels levels
	failed failure

	life     context.Context // ends with closing
	closing  <-chan struct{}
	end      context.CancelFunc
	keeper   sync.WaitGroup // keeps the identity
	serving  atomic.Bool    // requests are answered, and other nodes know it
	draining atomic.Bool
}

// plug is what sessions work with.
type plug interface {
	cluster.Cluster
	Subscribe(f func(*schema.Snapshot, schema.Change)) (cancel func())
}

// New opens the data directory and starts serving. A node that joins waits for
// a member to answer until ctx ends.
func New(ctx context.Context, o Options) (*Node, error) {
	if err := o.Config.Validate(); err != nil {
		return nil, err
	}
	if o.Transport == nil {
		o.Transport = transport.From(net.ParseIP(o.Config.Internode()))
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	n := &Node{opts: o, log: o.Log, started: o.Clock.Mono()}
	n.life, n.end = context.WithCancel(context.Background())
	n.closing = n.life.Done()
	n.failed.done = make(chan struct{})
	n.levels.wake = make(chan struct{}, 1)
	steps := []func(context.Context) error{n.limitMemory, n.listen, n.openDirectory, n.openMetadata, n.openEngine, n.ownParts, n.openQuery, n.serve}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			n.abandon()
			return nil, err
		}
	}
	n.keeper.Go(n.keepIdentity)
	n.keeper.Go(n.watchStore)
	return n, nil
}

// limitMemory makes the Go runtime keep to its share.
func (n *Node) limitMemory(context.Context) error {
	n.budget = mem.NewBudget(n.opts.Config.Memory)
	if !n.opts.Embedded {
		debug.SetGCPercent(gcPercent)
		debug.SetMemoryLimit(n.budget.Share(mem.Heap).Limit())
	}
	n.metrics = metrics.NewRegistry()
	return nil
}

// gcPercent lets the heap, which is small, grow before it is collected; the
// limit of its share collects sooner when it has to.
const gcPercent = 400

// listen takes the ports first: one in use must change nothing on disk.
func (n *Node) listen(context.Context) error {
	if n.opts.Embedded {
		return nil
	}
	c := &n.opts.Config
	var err error
	if n.cqlListener, err = n.listenOn(c.ListenAddress, c.NativePort, "native-port"); err != nil {
		return err
	}
	if n.httpListener, err = n.listenOn(c.ListenAddress, c.HTTPPort, "http-port"); err != nil {
		return err
	}
	return n.openNetwork()
}

func (n *Node) listenOn(address string, port int, flag string) (net.Listener, error) {
	l, err := n.opts.Transport.Listen(net.JoinHostPort(address, fmt.Sprint(port)))
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s port %d: %w; if another server has that port choose one with --%s, and the address has to be one of this machine", address, port, errors.Unwrap(err), flag)
	}
	return l, nil
}

// abandon ends what a failed New has started.
func (n *Node) abandon() {
	n.end()
	n.close(context.Background())
}

// Query is the statement processor, for embedded use.
func (n *Node) Query() *query.Processor { return n.query }

// CQLAddr is where CQL is served, nil if it is not.
func (n *Node) CQLAddr() net.Addr {
	if n.cqlListener == nil {
		return nil
	}
	return n.cqlListener.Addr()
}

// HTTPAddr is where metrics and health are served, nil if they are not.
func (n *Node) HTTPAddr() net.Addr {
	if n.httpListener == nil {
		return nil
	}
	return n.httpListener.Addr()
}

// Close drains: no new connection, requests in flight are answered until ctx
// ends, what is in memory stays in the log. It ends every goroutine.
func (n *Node) Close(ctx context.Context) error {
	n.draining.Store(true)
	if n.network != nil {
		// Without a quorum a change of the schema would keep the rest waiting.
		n.network.log.StopProposing()
		n.network.leave()
	}
	if n.session != nil {
		// What cannot be drained in time is cut off by close.
		if err := n.session.Drain(ctx); err != nil {
			n.log.Warn("connections were cut off", "error", err)
		}
	}
	if n.network != nil && n.network.clients != nil {
		if err := n.network.clients.Drain(ctx); err != nil {
			n.log.Warn("clients of the wire protocol were cut off", "error", err)
		}
	}
	n.end()
	n.keeper.Wait()
	return n.close(ctx)
}

func (n *Node) close(ctx context.Context) error {
	var errs []error
	note := func(what string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", what, err))
		}
	}
	if n.admin != nil {
		note("http", n.admin.Close(ctx))
	} else if n.httpListener != nil {
		n.httpListener.Close()
	}
	if n.session != nil {
		note("cql", n.session.Close())
	} else if n.cqlListener != nil {
		n.cqlListener.Close()
	}
	if n.network != nil && n.network.clients != nil {
		n.network.clients.Close()
	}
	if n.query != nil {
		note("statements", n.query.Close())
	}
	if n.network != nil {
		n.network.close(note)
	}
	if n.engine != nil {
		note("store", n.engine.Close())
	}
	if n.network != nil {
		n.network.closeCluster(note)
	} else if n.meta != nil {
		note("metadata", n.meta.Close())
	}
	if n.identityFile != nil && n.stamper != nil {
		note("identity", n.saveIdentity())
	}
	if n.lock != nil {
		note("lock", n.lock.Close())
	}
	return errors.Join(errs...)
}
