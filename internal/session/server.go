package session

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/metrics"
)

// ErrClosed is returned by Serve after Close or Drain.
var ErrClosed = errors.New("session: server closed")

const (
	sweepEvery = time.Second
	// refusedMax is how many connections beyond the limit are told so at once;
	// refusedTime is how long they have to ask.
	refusedMax  = 64
	refusedTime = 5 * time.Second
	// acceptPause follows a failed accept, which is usually want of
	// descriptors.
	acceptPause = 20 * time.Millisecond
)

// Server accepts connections and serves them by a Handler. Safe for concurrent
// use.
type Server struct {
	cfg     Config
	handler Handler
	clock   clock.Clock
	log     *slog.Logger
	stats   Stats
	input   *budget
	workers *pool

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // readers and the sweeper

	requests sync.Pool    // *Request
	unsent   atomic.Int64 // bytes of answers

	mu       sync.Mutex // protects what follows
	listener net.Listener
	conns    map[uint64]*Conn
	refused  int
	lastID   uint64
	closed   bool // no further connection
	changed  sync.Cond
}

// New returns a server; it does nothing before Serve.
func New(cfg Config, h Handler) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg.withDefaults(), handler: h, conns: make(map[uint64]*Conn)}
	s.clock, s.log = s.cfg.Clock, s.cfg.Log
	s.input = newBudget(s.cfg.TotalInFlightBytes)
	s.changed.L = &s.mu
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.workers = newPool(s)
	for i := range s.stats.Latency {
		s.stats.Latency[i] = metrics.NewHistogram()
	}
	if cfg.Metrics != nil {
		s.register(cfg.Metrics)
	}
	s.wg.Add(1)
	go s.sweep()
	return s, nil
}

// Stats are the server's counters.
func (s *Server) Stats() *Stats { return &s.stats }

// Queued is how many requests wait for a worker.
func (s *Server) Queued() int { return s.workers.Queued() }

// UnsentBytes is how many bytes of answers wait for their clients.
func (s *Server) UnsentBytes() int64 { return s.unsent.Load() }

// InputBytes is how many bytes of input are in flight.
func (s *Server) InputBytes() int64 { return s.input.used.Load() }

// Addr is where the server listens; nil before Serve.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return nil
	}
	return s.listener.Addr()
}

// Serve accepts connections until Close or Drain, then returns ErrClosed. It
// closes l.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		l.Close()
		return ErrClosed
	}
	s.listener = l
	s.mu.Unlock()
	for {
		nc, err := l.Accept()
		if err != nil {
			if s.isClosed() {
				return ErrClosed
			}
			if errors.Is(err, net.ErrClosed) {
				return err
			}
			s.log.Warn("cannot accept a connection", "error", err)
			s.clock.Sleep(acceptPause)
			continue
		}
		s.ServeConn(nc)
	}
}

func (s *Server) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// ServeConn serves a connection that was accepted elsewhere and takes it over.
func (s *Server) ServeConn(nc net.Conn) {
	s.mu.Lock()
	over := len(s.conns)-s.refused >= s.cfg.MaxConnections
	if s.closed || over && s.refused >= refusedMax {
		s.mu.Unlock()
		s.stats.Refused.Add(1)
		nc.Close()
		return
	}
	s.lastID++
	c := newConn(s, s.lastID, nc)
	if c.refuse = over; over {
		s.refused++
		s.stats.Refused.Add(1)
	} else {
		s.stats.Accepted.Add(1)
		s.stats.Connections.Add(1)
	}
	s.conns[c.id] = c
	s.wg.Add(1)
	s.mu.Unlock()
	go s.serveConn(c)
}

func (s *Server) serveConn(c *Conn) {
	defer s.wg.Done()
	c.serve()
	s.mu.Lock()
	delete(s.conns, c.id)
	if c.refuse {
		s.refused--
	} else {
		s.stats.Connections.Add(-1)
	}
	s.changed.Broadcast()
	s.mu.Unlock()
}

// snapshot is a copy of the table of connections.
func (s *Server) snapshot() []*Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*Conn, 0, len(s.conns))
	for _, c := range s.conns {
		all = append(all, c)
	}
	return all
}

// Push sends an event to all clients that registered for its kind. It does not
// wait for them; e must not change afterwards.
func (s *Server) Push(e *native.Event) {
	for _, c := range s.snapshot() {
		c.push(e)
	}
}

// sweep closes connections whose client does not read, and refused ones that
// do not go.
func (s *Server) sweep() {
	defer s.wg.Done()
	t := s.clock.NewTicker(sweepEvery)
	defer t.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-t.C():
		}
		now, wall := int64(s.clock.Mono()), s.clock.Now()
		for _, c := range s.snapshot() {
			since := c.writeSince.Load()
			switch {
			case since != 0 && now-since > int64(s.cfg.WriteTimeout):
				s.stats.SlowClients.Add(1)
				s.log.Warn("closing a connection whose client does not read", "client", c.remote)
				c.abort()
			case c.refuse && wall.Sub(c.since) > refusedTime:
				c.abort()
			}
		}
	}
}

// Drain stops accepting and reading, lets requests in flight finish and closes
// each connection when its answers are sent. It returns when all are gone, or
// the context's error when that ends first; Close must still be called.
func (s *Server) Drain(ctx context.Context) error {
	s.stopAccepting()
	for _, c := range s.snapshot() {
		c.draining.Store(true)
		// Any time in the past wakes the reader.
		if c.nc.SetReadDeadline(time.Unix(1, 0)) != nil {
			c.abort()
		}
	}
	stop := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		s.changed.Broadcast()
		s.mu.Unlock()
	})
	defer stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.conns) > 0 {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.changed.Wait()
	}
	return nil
}

func (s *Server) stopAccepting() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.listener != nil {
		s.listener.Close()
	}
}

// Close ends all connections at once and waits for the goroutines. Requests
// that are pending may still be completed later; their answers are dropped.
func (s *Server) Close() error {
	s.stopAccepting()
	s.cancel()
	s.input.close()
	for _, c := range s.snapshot() {
		c.abort()
	}
	s.workers.Close()
	s.wg.Wait()
	return nil
}
