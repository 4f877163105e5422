package session

import (
	"sync/atomic"
	"time"

	"github.com/valyala/bytebufferpool"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/netbuf"
)

// bodies are the buffers of answers with rows. The pool learns from what is put
// back which sizes are common, hands out that much at once, and drops what is
// larger than nearly all.
var bodies bytebufferpool.Pool

// keepBody is the largest buffer in bytes that goes back: it holds a page, and
// not a result without pages, which requests that wait for their turn would
// hold as well.
const keepBody = 2 << 20

// Request is one request of a client and the record of its answer. It is
// pooled: nobody may touch it after Complete, or after returning Done.
//
// # Ownership
//
// The decoded statement and its values alias a frame that stays valid until
// then. A handler that keeps bytes longer must copy them.
type Request struct {
	// Conn is where the request came from; nil if from an Origin.
	Conn *Conn
	// Opcode says which of the following is filled: Query, Execute or Batch.
	Opcode native.Opcode
	// Version of the protocol that the answer must have.
	Version uint8
	// Query, Execute and Batch are the decoded bodies.
	Query   native.Query
	Execute native.Execute
	Batch   native.Batch
	// Prepared is the statement of an EXECUTE.
	Prepared *Prepared
	// Tracing tells that the client asked for a trace.
	Tracing bool
	// Received is when the request was read and Deadline when it should give
	// up, both in nanoseconds of the clock's Mono.
	Received, Deadline int64
	// State belongs to the handler and stays with the record when it is reused.
	State any

	origin  Origin
	prepare native.Prepare
	stream  int16
	chunk   *netbuf.Chunk
	cost    int64       // bytes charged to the connection
	group   int         // requests in the list behind next, when queued as a group
	next    *Request    // in a requestList
	settled atomic.Bool // Complete was called, checked in tests only

	reply reply
}

// reply is an answer that the connection's writer encodes.
type reply struct {
	kind      replyKind
	head      []byte // body of kind replyBody: head, then body
	body      []byte
	buffer    *bytebufferpool.ByteBuffer // of body, from bodies, or nil
	err       error
	rows      native.RowsHead // of a request of an Origin, with Metadata
	count     int             // of rows
	warnings  []string
	trace     [16]byte
	hasTrace  bool
	closes    bool // the connection ends after this answer
	starts    bool // the answer to STARTUP, after which framing changes
	uncounted bool // not a request: an event
	event     *native.Event
}

type replyKind uint8

const (
	replyVoid replyKind = iota
	replyError
	replyBody // RESULT with head and body
	replyReady
	replyAuthenticate
	replyAuthSuccess
	replySupported
	replyEvent
)

// newRequest takes a record of the server's own: what its handler keeps in
// State is worth nothing to the handler of another server.
func newRequest(c *Conn, h native.Header, now int64) *Request {
	r, _ := c.srv.requests.Get().(*Request)
	if r == nil {
		r = new(Request)
	}
	r.Conn, r.Opcode, r.Version, r.stream = c, h.Opcode, h.Version, h.Stream
	r.Tracing = h.Flags&native.FlagTracing != 0
	r.Received, r.Deadline = now, now+int64(c.srv.cfg.RequestTimeout)
	return r
}

// recycle drops what the request holds and gives it back.
func (r *Request) recycle() {
	if r.chunk != nil {
		r.chunk.Release()
	}
	pool := &r.Conn.srv.requests
	// The decoded structs are reset when they are filled the next time.
	r.Conn, r.Prepared, r.chunk, r.next = nil, nil, nil, nil
	r.cost, r.group = 0, 0
	r.dropReply()
	r.settled.Store(false)
	pool.Put(r)
}

func (r *Request) dropReply() {
	if b := r.reply.buffer; b != nil {
		if b.B = r.reply.body; cap(b.B) <= keepBody {
			bodies.Put(b)
		}
	}
	r.reply = reply{head: r.reply.head[:0]}
}

// Params are the parameters of the QUERY, EXECUTE or BATCH.
func (r *Request) Params() *native.QueryParams {
	switch r.Opcode {
	case native.OpExecute:
		return &r.Execute.Params
	case native.OpBatch:
		return &r.Batch.Params
	}
	return &r.Query.Params
}

// Keyspace is the one that unqualified names mean: the request's or the
// connection's; empty if there is none.
func (r *Request) Keyspace() string {
	if ks := r.Params().Keyspace; ks != nil {
		return string(ks)
	}
	if r.origin != nil {
		return ""
	}
	return r.Conn.Keyspace()
}

// Fail answers with an error.
func (r *Request) Fail(err error) { r.reply.kind, r.reply.err = replyError, err }

// RowBuffer is an empty slice with capacity to which the handler appends the
// values of rows, see native.AppendValue; ReplyRows takes it back.
func (r *Request) RowBuffer() []byte {
	if r.reply.buffer == nil {
		r.reply.buffer = bodies.Get()
		r.reply.body = r.reply.buffer.B
	}
	return r.reply.body[:0]
}

// ReplyRows answers with rows, whose values are in body. If a v5 client has
// executed a prepared statement whose result it knows under another id, the
// columns are sent anew.
func (r *Request) ReplyRows(h native.RowsHead, body []byte, rows int) {
	if r.origin != nil {
		r.reply.kind, r.reply.rows, r.reply.count, r.reply.body = replyBody, h, rows, body
		return
	}
	if r.Version >= native.V5 && r.Opcode == native.OpExecute {
		id := h.Metadata.ID()
		h.Changed = string(id[:]) != string(r.Execute.ResultMetadataID)
	}
	head, at := native.AppendRowsHead(r.reply.head[:0], r.Version, &h)
	native.SetRowCount(head, at, rows)
	r.reply.kind, r.reply.head, r.reply.body = replyBody, head, body
}

// ReplyKeyspace answers a USE and changes the connection's keyspace. Only for
// requests that are executed as a barrier.
func (r *Request) ReplyKeyspace(keyspace string) {
	if r.origin != nil {
		r.Fail(native.Invalid("USE concerns a connection of CQL; name the keyspace in the statement"))
		return
	}
	r.Conn.keyspace.Store(&keyspace)
	r.setHead(native.AppendSetKeyspace(r.reply.head[:0], keyspace))
}

// ReplySchemaChange answers a schema statement.
func (r *Request) ReplySchemaChange(change *native.SchemaChange) {
	if r.origin != nil {
		return
	}
	r.setHead(native.AppendSchemaChange(r.reply.head[:0], r.Version, change))
}

func (r *Request) setHead(head []byte) {
	r.reply.kind, r.reply.head, r.reply.body = replyBody, head, r.reply.body[:0]
}

// Warn adds a warning to the answer; clients before v4 do not see it.
func (r *Request) Warn(text string) { r.reply.warnings = append(r.reply.warnings, text) }

// SetTrace names the trace that was made of the request.
func (r *Request) SetTrace(id [16]byte) { r.reply.trace, r.reply.hasTrace = id, true }

// Complete finishes a request for which the handler has returned Pending: with
// the answer that was set before, or with err if that is not nil. It may be
// called from any goroutine, even before Pending was returned; it does not
// block, encode or touch a socket. The request is gone afterwards.
func (r *Request) Complete(err error) {
	if invariant.Enabled {
		invariant.Check(!r.settled.Swap(true), "session: request completed twice")
	}
	if err != nil {
		r.Fail(err)
	}
	if r.origin != nil {
		r.origin.Completed(r)
		return
	}
	r.Conn.finish(r)
}

// Resume goes on with a request for which TryExecute has returned Pending, in
// place of Complete and from any goroutine: f answers it and returns Done, or
// WouldBlock for Execute to be called on a worker. A panic in f closes the
// connection like one in the handler. The request is gone afterwards.
func (r *Request) Resume(f func(r *Request) Status) {
	if r.origin != nil {
		r.origin.Resumed(r, f)
		return
	}
	c := r.Conn
	defer func() {
		if p := recover(); p != nil {
			c.panicked(p, r)
		}
	}()
	if f(r) == WouldBlock {
		if c.srv.workers.submit(r) {
			return
		}
		r.Fail(native.Overloaded("Too many requests wait for a worker"))
	}
	r.Complete(nil)
}

// expired tells whether the deadline has passed.
func (r *Request) expired(now time.Duration) bool { return int64(now) > r.Deadline }

// size is about how many bytes the answer has.
func (r *Request) size() int64 { return int64(len(r.reply.head) + len(r.reply.body)) }

// requestList is a queue of requests linked by next.
type requestList struct{ head, tail *Request }

func (l *requestList) push(r *Request) {
	r.next = nil
	if l.tail == nil {
		l.head = r
	} else {
		l.tail.next = r
	}
	l.tail = r
}

func (l *requestList) append(m requestList) {
	if m.head == nil {
		return
	}
	if l.tail == nil {
		l.head = m.head
	} else {
		l.tail.next = m.head
	}
	l.tail = m.tail
}

func (l *requestList) pop() *Request {
	r := l.head
	if r == nil {
		return nil
	}
	if l.head = r.next; l.head == nil {
		l.tail = nil
	}
	r.next = nil
	return r
}

func (l *requestList) take() requestList {
	m := *l
	*l = requestList{}
	return m
}
