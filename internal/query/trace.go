package query

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/session"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/schema"
)

const (
	// maxTraces is how many sessions are kept, the newest ones.
	maxTraces = 256
	// maxTraceEvents is how many events a session may have.
	maxTraceEvents = 64
	// maxTraceText bounds the statement's text in a session, in bytes.
	maxTraceText = 1024
)

// TraceEvent is a row of system_traces.events.
type TraceEvent struct {
	ID       schema.UUID // time-based
	Activity string
	Elapsed  time.Duration // since the start of the session
}

// TraceSession is a row of system_traces.sessions with its events.
type TraceSession struct {
	ID          schema.UUID // time-based
	Client      netip.AddrPort
	Coordinator string // "ip:port"
	Command     string
	Request     string
	Parameters  map[string]string
	StartedAt   time.Time
	// Duration is 0 until the session has ended.
	Duration time.Duration
	Events   []TraceEvent
}

// Traces keeps the latest traces in memory. The zero value is empty. Safe for
// concurrent use.
type Traces struct {
	mu   sync.Mutex // protects ring and the sessions in it
	ring []*TraceSession
	next int
}

func (t *Traces) add(s *TraceSession) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.ring) < maxTraces {
		t.ring = append(t.ring, s)
		return
	}
	t.ring[t.next] = s
	t.next = (t.next + 1) % maxTraces
}

// Sessions copies the sessions, the oldest first.
func (t *Traces) Sessions() []TraceSession {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]TraceSession, 0, len(t.ring))
	for i := range t.ring {
		s := *t.ring[(t.next+i)%len(t.ring)]
		s.Events = slices.Clone(s.Events)
		out = append(out, s)
	}
	return out
}

// gregorian is 1970-01-01 in 100 ns ticks of time-based UUIDs.
const gregorian = 0x01b21dd213814000

// timeUUID makes a time-based UUID. The stamp in it is never given twice.
func (p *Processor) timeUUID() (u schema.UUID) {
	ticks := uint64(p.cluster.Now()*10 + gregorian)
	binary.BigEndian.PutUint32(u[0:], uint32(ticks))
	binary.BigEndian.PutUint16(u[4:], uint16(ticks>>32))
	binary.BigEndian.PutUint16(u[6:], uint16(ticks>>48)&0x0fff|0x1000)
	copy(u[8:], p.nodeID[:])
	return u
}

// trace is a session under way.
type trace struct {
	p       *Processor
	session *TraceSession
	start   time.Duration
}

// startTrace begins a session if the client asked for one.
func (p *Processor) startTrace(r *session.Request, c *call) {
	c.trace = nil
	if !r.Tracing || p.cfg.Traces == nil {
		return
	}
	s := &TraceSession{ID: p.timeUUID(), Client: r.Conn.RemoteAddr(), Command: "QUERY",
		StartedAt: p.clock.Now(), Request: "Execute CQL3 query", Parameters: map[string]string{"consistency_level": c.level.String()}}
	if nodes := p.cluster.Topology().Nodes; len(nodes) > 0 {
		s.Coordinator = nodes[0].Address
	}
	text := ""
	switch st := preparedOf(r); {
	case st != nil:
		s.Request, text = "Execute CQL3 prepared query", st.text
	case r.Opcode == native.OpQuery:
		text = string(r.Query.Text)
	default:
		s.Request = "Execute batch of CQL3 queries"
	}
	s.Parameters["query"] = strings.Clone(text[:min(len(text), maxTraceText)])
	r.SetTrace(s.ID)
	c.trace = &trace{p: p, session: s, start: p.clock.Mono()}
	p.cfg.Traces.add(s)
	c.event("Parsing " + s.Parameters["query"])
}

// event notes what the statement does, if it is traced.
func (c *call) event(activity string) {
	if c.trace != nil {
		c.trace.event(activity)
	}
}

func (t *trace) event(activity string) {
	e := TraceEvent{ID: t.p.timeUUID(), Activity: activity, Elapsed: t.p.clock.Mono() - t.start}
	all := t.p.cfg.Traces
	all.mu.Lock()
	defer all.mu.Unlock()
	if len(t.session.Events) < maxTraceEvents {
		t.session.Events = append(t.session.Events, e)
	}
}

// endTrace ends the session, if there is one.
func (p *Processor) endTrace(c *call, err error) {
	if t := c.trace; t != nil {
		c.trace = nil
		t.end(err)
	}
}

func (t *trace) end(err error) {
	if err != nil {
		t.event("Request failed: " + err.Error())
	}
	all := t.p.cfg.Traces
	all.mu.Lock()
	defer all.mu.Unlock()
	t.session.Duration = max(t.p.clock.Mono()-t.start, time.Microsecond)
}

// tracedDone is r, with the end of the session before it.
func (p *Processor) tracedDone(r *session.Request, c *call) cluster.Completer {
	if c.trace == nil {
		return r
	}
	return &tracedCompleter{r, c.trace}
}

type tracedCompleter struct {
	mutation.Completer
	trace *trace
}

// Complete implements mutation.Completer.
func (t *tracedCompleter) Complete(err error) {
	t.trace.event("Mutation acknowledged")
	t.trace.end(err)
	t.Completer.Complete(err)
}
