package wireserver

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/session"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// Server executes what clients ask for by a Handler. Safe for concurrent use.
type Server struct {
	cfg     Config
	handler session.Handler
	workers *pool
	sender  sender
	stats   stats

	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
	inFlight atomic.Int64 // executions
	closing  atomic.Bool
	idle     chan struct{} // capacity 1: told when inFlight may be 0 and closing

	batches    sync.Pool
	executions sync.Pool
}

// New returns a server. Its requests come by Handlers.
func New(cfg Config, h session.Handler) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, handler: h, idle: make(chan struct{}, 1)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.workers = newPool(s)
	s.sender.init()
	grouper, _ := h.(session.Grouper)
	s.batches.New = func() any {
		b := &batch{s: s}
		if b.direct.b = b; grouper != nil {
			b.direct.group = grouper.NewGroup()
		}
		return b
	}
	s.executions.New = func() any { return new(execution) }
	if cfg.Metrics != nil {
		s.register(cfg.Metrics)
	}
	return s, nil
}

// Handlers are what an rpc.Endpoint serves clients by.
func (s *Server) Handlers() map[wire.Op]rpc.Handler {
	return map[wire.Op]rpc.Handler{
		wire.OpPrepare: s.open(s.prepare), wire.OpExecute: s.open(s.execute), wire.OpBatch: s.open(s.batch),
		wire.OpQuery: s.open(s.query), wire.OpTopology: s.open(s.topology),
	}
}

// open refuses requests once the server is closing.
func (s *Server) open(serve rpc.Handler) rpc.Handler {
	return func(r *rpc.Request) {
		if s.closing.Load() {
			r.Fail(&closing)
			return
		}
		serve(r)
	}
}

var closing = wire.Error{Code: wire.CodeOverloaded, Message: "the node is shutting down"}

// Drain refuses new requests and waits until those in work are answered, or ctx
// ends.
func (s *Server) Drain(ctx context.Context) error {
	s.closing.Store(true)
	for s.inFlight.Load() > 0 {
		select {
		case <-s.idle:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Close ends the server's goroutines. Statements that are pending may still
// complete later.
func (s *Server) Close() {
	s.closing.Store(true)
	s.cancel()
	s.workers.Close()
	s.sender.close()
}

// ended counts executions out.
func (s *Server) ended(n int) {
	if s.inFlight.Add(-int64(n)) == 0 && s.closing.Load() {
		select {
		case s.idle <- struct{}{}:
		default:
		}
	}
}

// epoch is what answers carry.
func (s *Server) epoch() uint64 { return s.cfg.Topology().Epoch }

// prepare answers OpPrepare, on a worker.
func (s *Server) prepare(r *rpc.Request) {
	if !s.workers.submit(&preparation{s: s, r: r}) {
		r.Fail(&queueFull)
	}
}

// preparation is an OpPrepare that waits for a worker.
type preparation struct {
	s *Server
	r *rpc.Request
}

func (p *preparation) run() {
	s, r := p.s, p.r
	defer func() {
		if e := recover(); e != nil {
			s.panicked(e, r)
		}
	}()
	var ask wire.Prepare
	if err := ask.Decode(r.Body()); err != nil {
		r.Fail(wire.Errorf(wire.CodeInvalid, "%v", err))
		return
	}
	ready, err := s.handler.Prepare(s.ctx, nil, ask.Text, ask.Keyspace)
	if err == nil && ready.Barrier {
		err = native.Invalid("USE concerns a connection of CQL; name the keyspace in the statement")
	}
	if err != nil {
		r.Fail(wireError(s.handler.MapError(new(session.Request), err)))
		return
	}
	answer := wire.Prepared{Ref: wire.StatementRef{ID: ready.ID, Result: ready.ResultID()}, Read: ready.Reads, PartitionKey: ready.PartitionKey}
	answer.Bind, answer.Result = columnsOf(ready.Bind), columnsOf(ready.Result)
	r.ReplyEpoch(s.epoch(), answer.Append(nil))
}

// columnsOf are the columns as our protocol tells them.
func columnsOf(m *native.Metadata) []wire.Column {
	if m == nil {
		return nil
	}
	cols := make([]wire.Column, 0, len(m.Columns()))
	for _, c := range m.Columns() {
		t, ok := c.Type.(*schema.Type)
		if !ok {
			t = schema.TypeBlob
		}
		cols = append(cols, wire.Column{Keyspace: c.Keyspace, Table: c.Table, Name: c.Name, Type: t})
	}
	return cols
}

// topology answers OpTopology.
func (s *Server) topology(r *rpc.Request) {
	t := s.cfg.Topology()
	w := wire.Topology{Epoch: t.Epoch}
	for i := range t.Nodes {
		n := &t.Nodes[i]
		w.Hosts = append(w.Hosts, wire.Host{
			ID: n.HostID, Address: n.Internode, Native: n.Address, DC: n.DC, Rack: n.Rack, Up: n.Up || n.Local, Tokens: n.Tokens,
		})
	}
	for name, p := range t.Keyspaces {
		k := wire.KeyspaceRanges{Name: name}
		for i := range p.Ranges {
			g := wire.HostRange{End: p.Ranges[i].Range.End}
			for _, node := range p.Ranges[i].Read {
				g.Hosts = append(g.Hosts, uint32(node))
			}
			k.Ranges = append(k.Ranges, g)
		}
		w.Keyspaces = append(w.Keyspaces, k)
	}
	r.ReplyEpoch(t.Epoch, w.Append(nil))
}
