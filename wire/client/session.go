package client

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// maxStatements bounds the statements that Exec and Query keep prepared.
const maxStatements = 1024

// Session is a client's view of a cluster: connections to all nodes. Safe for
// concurrent use.
type Session struct {
	cfg      Config
	rand     *rand.Source
	endpoint *rpc.Endpoint
	room     room
	waiters  sync.Pool // *waiter

	topology atomic.Pointer[topology]
	epoch    atomic.Uint64 // of topology
	newest   atomic.Uint64 // epoch that was heard of
	refresh  chan struct{}
	turn     atomic.Uint32

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	running sync.WaitGroup

	adopting sync.Mutex           // protects peers, and what changes topology
	peers    map[*host][][16]byte // ids of a host's connections

	mu         sync.Mutex // protects statements
	statements map[string]*Statement
}

// Connect connects to a cluster. It returns when one of the nodes has told
// which others there are.
func Connect(ctx context.Context, cfg Config) (*Session, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Session{
		cfg: cfg, rand: rand.NewSecure(), refresh: make(chan struct{}, 1),
		peers: map[*host][][16]byte{}, statements: map[string]*Statement{},
	}
	s.endpoint, err = rpc.New(rpc.Config{
		Clock: cfg.Clock, Transport: cfg.Transport, Rand: rand.NewSecure(), Log: cfg.Log, Purpose: wire.PurposeClient, Key: cfg.Key,
		Hello:  func(wire.Purpose) wire.Hello { return wire.Hello{Highest: math.MaxUint16} },
		Limits: rpc.Limits{HelloTimeout: cfg.ConnectTimeout},
	})
	if err != nil {
		return nil, err
	}
	s.waiters.New = func() any { return &waiter{done: make(chan struct{}, 1)} }
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if err := s.discover(ctx); err != nil {
		s.cancel()
		s.endpoint.Close()
		return nil, err
	}
	s.running.Add(1)
	go s.follow()
	return s, nil
}

// discover asks the configured addresses for the topology.
func (s *Session) discover(ctx context.Context) error {
	var errs []error
	for _, addr := range s.cfg.Hosts {
		ctx, cancel := context.WithTimeout(ctx, s.cfg.ConnectTimeout)
		_, b, err := s.endpoint.CallAddress(ctx, addr, wire.PurposeClient, &rpc.Message{Op: wire.OpTopology})
		cancel()
		var w wire.Topology
		if err == nil {
			err = w.Decode(b)
		}
		if err == nil && len(w.Hosts) == 0 {
			err = errProtocol
		}
		if err == nil {
			s.newest.Store(w.Epoch)
			s.adopt(&w)
			return nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", addr, err))
	}
	return fmt.Errorf("client: connect: %w", errors.Join(errs...))
}

// Close ends the connections. What is not answered gets ErrClosed.
func (s *Session) Close() error {
	s.cancel()
	err := s.endpoint.Close()
	s.running.Wait()
	s.room.tellAll()
	return err
}

// start sends a call to the best node that has not been asked yet. After nil it
// is told what came of it; after an error the call is the caller's.
func (s *Session) start(c *call) error {
	if s.ctx.Err() != nil {
		return ErrClosed
	}
	err := ErrUnreachable
	t := s.topology.Load()
	if c.keyspace != "" {
		replicas, near := t.replicas(c.keyspace, c.token)
		if s.startOn(c, replicas[:near], &err) || s.startOn(c, replicas[near:], &err) {
			return nil
		}
	}
	turn := int(s.turn.Add(1) & math.MaxInt32)
	for _, part := range [2][]*host{t.hosts[:t.near], t.hosts[t.near:]} {
		for i := range part {
			h := part[(turn+i)%len(part)]
			if !c.hasTried(h) && s.startAt(c, h, &err) {
				return nil
			}
		}
	}
	return err
}

// startOn sends a call to the one of several nodes with the least in work.
func (s *Session) startOn(c *call, hosts []*host, err *error) bool {
	for range hosts {
		var best *host
		var least int64
		for _, h := range hosts {
			if c.hasTried(h) || !h.up() {
				continue
			}
			if n := h.load(); best == nil || n < least {
				best, least = h, n
			}
		}
		if best == nil {
			return false
		}
		if s.startAt(c, best, err) {
			return true
		}
	}
	return false
}

// startAt sends a call to a node. It notes why it could not.
func (s *Session) startAt(c *call, h *host, err *error) bool {
	p, e := h.enter()
	if e == nil {
		c.try(h)
		c.pipe = p
		if e = p.start(c); e == nil {
			return true
		}
		p.leave()
		c.pipe = nil
	}
	switch {
	case errors.Is(e, ErrBusy), errors.Is(e, rpc.ErrBacklog):
		*err = ErrBusy
	case errors.Is(e, rpc.ErrTooLarge):
		*err = ErrTooLarge
	case errors.Is(e, rpc.ErrDeadline):
		*err = ErrTimeout
	}
	return false
}

// callOf makes the call of a query.
func (s *Session) callOf(q *Query) (*call, error) {
	if err := q.complete(); err != nil {
		return nil, err
	}
	c := s.newCall(wire.OpExecute, q.timeout)
	c.st, c.statements = q.st, append(c.statements, q.st)
	c.idempotent = q.idempotent || q.shape.Read
	o := q.options(&s.cfg)
	// The key may need room that the binding takes afterwards.
	var ok bool
	if c.body, c.token, ok = q.token(c.body); ok {
		c.keyspace = q.shape.keyspace
	}
	c.body = wire.AppendBinding(c.body[:0], &o, len(q.ends), q.values)
	return c, nil
}

// Send starts a statement without waiting. After nil r is told what came of it,
// exactly once, perhaps before Send returns; after an error, ErrBusy for one, it
// is not.
func (s *Session) Send(q *Query, r Receiver) error {
	c, err := s.callOf(q)
	if err != nil {
		return err
	}
	c.r = r
	if err := s.start(c); err != nil {
		c.recycle()
		return err
	}
	return nil
}

// Execute executes a prepared statement and waits for its answer, or the first
// page of it. ctx ends the waiting for that and for further pages.
func (s *Session) Execute(ctx context.Context, q *Query) (*Rows, error) {
	rows, err := s.execute(ctx, q)
	if err != nil {
		return nil, err
	}
	return rows.paged(ctx, s, q), nil
}

func (s *Session) execute(ctx context.Context, q *Query) (*Rows, error) {
	c, err := s.callOf(q)
	if err != nil {
		return nil, err
	}
	return s.wait(ctx, c)
}

// Prepare prepares a statement on one node; others learn it when they are
// first asked.
func (s *Session) Prepare(ctx context.Context, text string) (*Statement, error) {
	var err error = ErrUnreachable
	t := s.topology.Load()
	turn := int(s.turn.Add(1) & math.MaxInt32)
	for _, part := range [2][]*host{t.hosts[:t.near], t.hosts[t.near:]} {
		for i := range part {
			h := part[(turn+i)%len(part)]
			if !h.up() {
				continue
			}
			var st *Statement
			if st, err = s.prepareOn(ctx, h.pipes[0].peer, text); err == nil {
				return st, nil
			}
			if e := (*wire.Error)(nil); errors.As(err, &e) && e.Code != wire.CodeOverloaded || ctx.Err() != nil {
				return nil, err
			}
		}
	}
	return nil, err
}

func (s *Session) prepareOn(ctx context.Context, p *rpc.Peer, text string) (*Statement, error) {
	ask := wire.Prepare{Keyspace: s.cfg.Keyspace, Text: text}
	m := rpc.Message{Op: wire.OpPrepare, Lane: rpc.Small, Deadline: int64(s.cfg.Clock.Mono() + s.cfg.Timeout), Body: ask.Append(nil)}
	b, err := p.Call(ctx, &m)
	switch {
	case errors.Is(err, rpc.ErrDeadline):
		return nil, ErrTimeout
	case errors.Is(err, rpc.ErrPeerDown):
		return nil, ErrUnreachable
	case errors.Is(err, rpc.ErrClosed):
		return nil, ErrClosed
	case err != nil:
		return nil, err
	}
	var prepared wire.Prepared
	if err := prepared.Decode(b); err != nil {
		return nil, err
	}
	st := &Statement{keyspace: s.cfg.Keyspace, text: text}
	st.shape.Store(newShape(&prepared))
	return st, nil
}

// Exec executes a statement and drops its rows, if any.
func (s *Session) Exec(ctx context.Context, text string, values ...any) error {
	rows, err := s.Query(ctx, text, values...)
	if err != nil {
		return err
	}
	return rows.Close()
}

// Query executes a statement and waits for its answer, or the first page of it.
// With values it is prepared, and kept so for the next time.
func (s *Session) Query(ctx context.Context, text string, values ...any) (*Rows, error) {
	if len(values) == 0 {
		return s.queryText(ctx, text, nil)
	}
	st, err := s.prepared(ctx, text)
	if err != nil {
		return nil, err
	}
	return s.Execute(ctx, st.Query().Bind(values...))
}

// queryText executes a statement without markers.
func (s *Session) queryText(ctx context.Context, text string, state []byte) (*Rows, error) {
	c := s.newCall(wire.OpQuery, 0)
	q := wire.Query{Keyspace: s.cfg.Keyspace, Text: text, Options: wire.ExecuteOptions{
		Consistency: uint8(s.cfg.Consistency), PageSize: uint32(s.cfg.PageSize), PagingState: state,
	}}
	c.body = q.Append(c.body)
	rows, err := s.wait(ctx, c)
	if err == nil && len(rows.state) > 0 {
		first := rows
		rows.more = func() (*Rows, error) { return s.queryText(ctx, text, append([]byte(nil), first.state...)) }
	}
	return rows, err
}

// prepared returns the statement of a text.
func (s *Session) prepared(ctx context.Context, text string) (*Statement, error) {
	s.mu.Lock()
	st := s.statements[text]
	s.mu.Unlock()
	if st != nil {
		return st, nil
	}
	st, err := s.Prepare(ctx, text)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for other := range s.statements {
		if len(s.statements) < maxStatements {
			break
		}
		delete(s.statements, other) // any
	}
	s.statements[text] = st
	return st, nil
}

// Consistency is the level of statements that name none.
func (s *Session) Consistency() ring.ConsistencyLevel { return s.cfg.Consistency }
