package wireserver

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/session"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

const (
	// turnCount and turnTime bound what a reader executes itself of a frame; what
	// is left may use other cores.
	turnCount = 64
	turnTime  = 200 * time.Microsecond
	// mostCount and mostTime bound it where no core is free for the rest, too:
	// other frames of the connection wait, and its heartbeats.
	mostCount = 1024
	mostTime  = 10 * time.Millisecond
	// groupSize is how many executions a worker takes at once.
	groupSize = 16
	// weighEvery is how many executions are counted in at a time.
	weighEvery = 64
	// partSize is how many bytes of answers are collected before they are sent,
	// and from how many on an answer goes alone.
	partSize = 32 << 10
	// maxAnswer is the largest answer in bytes.
	maxAnswer = wire.MaxBody - 64<<10
	// keepOut is the largest buffer of answers that is kept.
	keepOut = 2 * partSize
	// notYet is added to left while the executions of a frame are not counted.
	notYet = 1 << 40
)

// batch is a frame of executions and their answers. It is pooled: who finds that
// no answer is left sends the last frame and gives it back.
//
// Thread safety: executions answer from any goroutine. mu protects the answers;
// the rest belongs to the reader that decodes the frame and is not changed
// afterwards.
type batch struct {
	s                  *Server
	r                  *rpc.Request
	received, deadline int64
	walk               wire.Executions
	prepared           []*session.Prepared // by position in walk.Statements
	decoded            wire.Execution
	message            wire.Batch // of OpBatch
	group              *execution
	groupTail          *execution
	slow               bool // the reader has spent turnTime
	slowest            bool // and mostTime
	direct             direct
	counted            atomic.Int64 // executions counted in and not out yet
	abandoned          atomic.Bool  // an execution has panicked: the frame is never answered to its end

	mu      sync.Mutex // protects what follows
	out     []byte
	spare   []byte // for the next out
	scratch []byte
	left    int // executions not answered
	sending bool
	refusal *wire.Error // the end of the frame made no sense
	next    *batch      // in the sender's list
}

func (s *Server) newBatch(r *rpc.Request) *batch {
	b := s.batches.Get().(*batch)
	b.r, b.received = r, int64(s.cfg.Clock.Mono())
	b.deadline = b.received + int64(s.cfg.RequestTimeout)
	if d := r.Deadline(); d != 0 {
		b.deadline = min(b.deadline, d)
	}
	b.left, b.sending = notYet, true
	b.abandoned.Store(false)
	return b
}

func (b *batch) recycle() {
	clear(b.prepared)
	b.prepared, b.out = b.prepared[:0], b.out[:0]
	if cap(b.out) > keepOut {
		b.out = nil
	}
	if cap(b.spare) > keepOut {
		b.spare = nil
	}
	b.r, b.refusal, b.slow, b.slowest, b.sending = nil, nil, false, false, false
	b.s.batches.Put(b)
}

// execute answers OpExecute, on the connection's reader.
func (s *Server) execute(r *rpc.Request) {
	b := s.newBatch(r)
	if err := b.walk.Init(r.Body()); err != nil {
		b.recycle()
		r.Fail(wire.Errorf(wire.CodeInvalid, "%v", err))
		return
	}
	for i := range b.walk.Statements {
		b.prepared = append(b.prepared, s.handler.Lookup(b.walk.Statements[i].ID))
	}
	started := false
	defer b.abandonUnless(&started)
	b.direct.begin()
	count, counted := 0, 0
	for left := b.walk.Left(); b.walk.Next(&b.decoded); left = b.walk.Left() {
		if count == counted {
			if !b.count(counted, weighEvery) {
				b.refusal = &tooMany
				break
			}
			counted += weighEvery
		}
		index := uint32(count)
		count++
		if aside := b.overTurn(index) && b.forOthers(index); aside || !b.direct.add(b, index, left) {
			b.take(index, aside)
		}
	}
	if err := b.walk.Err(); err != nil {
		b.refusal = wire.Errorf(wire.CodeInvalid, "%v", err)
	}
	b.flushGroup() // others begin while the reader does the rest
	b.direct.run(b)
	b.flushGroup()
	s.inFlight.Add(int64(count - counted))
	b.counted.Add(int64(count - counted))
	s.stats.executions.Add(uint64(count))
	started = true
	b.started(count)
}

var (
	tooMany   = wire.Error{Code: wire.CodeOverloaded, Message: "too many requests are in work"}
	queueFull = wire.Error{Code: wire.CodeOverloaded, Message: "too many requests wait for a worker"}
)

// count counts n executions in beyond the first have.
func (b *batch) count(have, n int) bool {
	s := b.s
	if s.inFlight.Add(int64(n)) > int64(s.cfg.MaxInFlight) || !b.r.Weigh(have+n) {
		s.inFlight.Add(-int64(n))
		s.stats.overloaded.Add(1)
		return false
	}
	b.counted.Add(int64(n))
	return true
}

// abandon counts out the executions of a frame one of which has panicked: it is
// never answered to its end, and the connection ends.
func (b *batch) abandon() {
	b.abandoned.Store(true)
	b.s.ended(int(b.counted.Swap(0)))
}

// abandonUnless is deferred by the reader, which may panic before it has started
// all executions.
func (b *batch) abandonUnless(started *bool) {
	if !*started {
		b.abandon()
	}
}

// take makes a request of the decoded execution and executes it here, or puts it
// aside for others.
func (b *batch) take(index uint32, aside bool) {
	e := b.begin(native.OpExecute, index)
	e.Execute.Params.Reset()
	e.Execute.Params.Values = append(e.Execute.Params.Values, b.decoded.Values...)
	e.setOptions(&e.Execute.Params, &b.decoded.Options)
	ref := &b.walk.Statements[b.decoded.Statement]
	e.Execute.ID, e.known = ref.ID, ref.Result
	e.Prepared = b.prepared[b.decoded.Statement]
	err := e.checkLevels()
	if e.Prepared == nil {
		err = native.Unprepared(ref.ID)
	}
	switch {
	case err != nil:
		e.fail(err)
	case aside:
		b.putAside(e)
	case e.try():
		e.toWorker()
	}
}

// overTurn tells whether the reader has done its share of the frame.
func (b *batch) overTurn(index uint32) bool {
	return index >= turnCount || b.slow || index&3 == 3 && b.late()
}

// late tells whether the reader has spent its time on the frame.
func (b *batch) late() bool {
	b.slow = b.slow || int64(b.s.cfg.Clock.Mono())-b.received > int64(turnTime)
	return b.slow
}

// forOthers tells whether what the reader need not execute itself is put aside:
// if another core is free, or if it has done too much already.
func (b *batch) forOthers(index uint32) bool {
	if index >= mostCount || b.slowest || b.s.workers.free() {
		return true
	}
	if b.slow || index&3 == 3 {
		spent := int64(b.s.cfg.Clock.Mono()) - b.received
		b.slow, b.slowest = spent > int64(turnTime), spent > int64(mostTime)
	}
	return b.slowest
}

// putAside collects executions for another core.
func (b *batch) putAside(e *execution) {
	if b.group == nil {
		b.group = e
	} else {
		b.groupTail.next = e
	}
	b.groupTail = e
	if b.group.group++; b.group.group == groupSize {
		b.flushGroup()
	}
}

// flushGroup hands the group on, or executes it here if no worker takes it.
func (b *batch) flushGroup() {
	e := b.group
	if b.group, b.groupTail = nil, nil; e == nil {
		return
	}
	b.s.workers.helpers.Add(1)
	if !b.s.workers.submit(e) {
		b.s.workers.helpers.Add(-1)
		e.each(false) // the reader never waits
	}
}

// batch answers OpBatch.
func (s *Server) batch(r *rpc.Request) {
	b := s.newBatch(r)
	m := &b.message
	if err := m.Decode(r.Body()); err != nil {
		b.recycle()
		r.Fail(wire.Errorf(wire.CodeInvalid, "%v", err))
		return
	}
	e := b.begin(native.OpBatch, 0)
	e.Batch.Start(batchTypes[m.Kind])
	for i := range m.Entries {
		en := &m.Entries[i]
		e.Batch.Add(m.Statements[en.Statement].ID, en.Values)
	}
	e.setOptions(&e.Batch.Params, &m.Options)
	b.single(e)
}

var batchTypes = [...]native.BatchType{
	wire.BatchLogged: native.BatchLogged, wire.BatchUnlogged: native.BatchUnlogged, wire.BatchCounter: native.BatchCounter,
}

// query answers OpQuery.
func (s *Server) query(r *rpc.Request) {
	b := s.newBatch(r)
	var q wire.Query
	if err := q.Decode(r.Body()); err != nil {
		b.recycle()
		r.Fail(wire.Errorf(wire.CodeInvalid, "%v", err))
		return
	}
	e := b.begin(native.OpQuery, 0)
	e.Query.Text = []byte(q.Text)
	e.Query.Params.Reset()
	e.setOptions(&e.Query.Params, &q.Options)
	if q.Keyspace != "" {
		e.Query.Params.Keyspace = []byte(q.Keyspace)
	}
	b.single(e)
}

// single executes what has a frame to itself.
func (b *batch) single(e *execution) {
	s := b.s
	if !b.count(0, 1) {
		r := b.r
		e.recycle()
		b.recycle()
		r.Fail(&tooMany)
		return
	}
	started := false
	defer b.abandonUnless(&started)
	s.stats.executions.Add(1)
	if err := e.checkLevels(); err != nil {
		e.fail(err)
	} else if e.try() {
		e.toWorker()
	}
	started = true
	b.started(1)
}

// started ends the reader's part: all executions of the frame are on their way.
func (b *batch) started(count int) {
	if b.abandoned.Load() {
		b.abandon() // what was counted in since
		return
	}
	b.mu.Lock()
	b.left += count - notYet
	b.mu.Unlock()
	b.send()
}

// answer takes the answer of an execution, which is recycled. Whoever finds that
// nobody is sending does so, or has it done if others may be ready soon.
func (b *batch) answer(e *execution) {
	o := e.Outcome()
	if len(o.Body) >= partSize {
		b.answerAlone(e, &o)
		return
	}
	// The handler may log: not under the mutex.
	var failure *wire.Error
	if o.Err != nil {
		failure = wireError(b.s.handler.MapError(&e.Request, o.Err))
	}
	b.mu.Lock()
	b.appendAnswer(e, &o, failure)
	e.recycle()
	b.answered(1)
}

// tooLarge refuses an answer of size bytes.
func tooLarge(size int) *native.Error {
	return native.Invalid("A page of %d bytes does not fit into a frame of %d: ask for fewer rows at a time", size, maxAnswer)
}

// answerAlone sends a large answer without copying it first.
func (b *batch) answerAlone(e *execution, o *session.Outcome) {
	b.mu.Lock()
	head := b.headOf(e, o)
	size := len(head) + len(o.Body)
	if size > maxAnswer {
		b.appendAnswer(e, o, wireError(tooLarge(size)))
	} else {
		first := wire.AppendAnswer(make([]byte, 0, 24+len(head)), e.index, wire.AnswerRows, size)
		first = append(first, head...)
		b.mu.Unlock()
		b.r.Part(b.s.epoch(), first, o.Body)
		b.mu.Lock()
	}
	e.recycle()
	b.answered(1)
}

// answered counts answers. It is called with mu held, and releases it. The
// batch may be gone afterwards.
func (b *batch) answered(n int) {
	var full []byte
	if len(b.out) >= partSize {
		// Nobody can send the last frame before this one is counted.
		full, b.out, b.spare = b.out, b.spare[:0], nil
	}
	if full != nil {
		b.mu.Unlock()
		b.r.Part(b.s.epoch(), full)
		b.mu.Lock()
		b.spare = full[:0]
	}
	b.left -= n
	invariant.Check(b.left >= 0, "wireserver: an execution is answered twice")
	begin, last := !b.sending, b.left == 0
	if begin {
		b.sending = true
	}
	b.mu.Unlock()
	switch {
	case begin && last:
		b.send()
	case begin:
		b.s.sender.later(b)
	}
}

// send sends what is answered, and ends the request when that is all. The
// caller has set sending.
func (b *batch) send() {
	for {
		b.mu.Lock()
		invariant.Check(b.sending, "wireserver: somebody sends who is not to")
		done := b.left == 0
		if len(b.out) == 0 && !done {
			b.sending = false
			b.mu.Unlock()
			return
		}
		out := b.out
		b.out, b.spare = b.spare[:0], nil
		b.mu.Unlock()
		epoch := b.s.epoch()
		if done {
			b.end(epoch, out)
			return
		}
		b.r.Part(epoch, out)
		b.mu.Lock()
		b.spare = out[:0]
		b.mu.Unlock()
	}
}

// end sends the last answers. Nobody else knows the batch any more.
func (b *batch) end(epoch uint64, out []byte) {
	s, r, refusal := b.s, b.r, b.refusal
	invariant.Check(r != nil, "wireserver: a frame is ended twice")
	if refusal == nil {
		r.ReplyEpoch(epoch, out)
	} else {
		if len(out) > 0 {
			r.Part(epoch, out)
		}
		r.Fail(refusal)
	}
	b.spare = out[:0]
	count := int(b.counted.Swap(0))
	b.recycle()
	s.ended(count)
}

// appendAnswer encodes an answer, an error if failure is one. mu is held.
func (b *batch) appendAnswer(e *execution, o *session.Outcome, failure *wire.Error) {
	switch {
	case failure != nil:
		b.scratch = failure.Append(b.scratch[:0])
		b.out = wire.AppendAnswer(b.out, e.index, wire.AnswerError, len(b.scratch))
		b.out = append(b.out, b.scratch...)
	case o.Rows || len(o.Warnings) > 0:
		head := b.headOf(e, o)
		b.out = wire.AppendAnswer(b.out, e.index, wire.AnswerRows, len(head)+len(o.Body))
		b.out = append(append(b.out, head...), o.Body...)
	default:
		b.out = wire.AppendAnswer(b.out, e.index, wire.AnswerVoid, 0)
	}
}

// headOf encodes what precedes the values of rows. mu is held, and what is
// returned is valid as long.
func (b *batch) headOf(e *execution, o *session.Outcome) []byte {
	rows := wire.Rows{Count: o.Count, PagingState: o.Head.PagingState, Warnings: o.Warnings}
	if o.Rows {
		if id := o.Head.Metadata.ID(); id != e.known {
			rows.Columns, rows.ResultID = columnsOf(o.Head.Metadata), id
		}
	}
	b.scratch = rows.AppendHead(b.scratch[:0])
	return b.scratch
}
