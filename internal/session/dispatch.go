package session

import (
	"bytes"
	"time"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/netbuf"
)

const (
	// turnFrames and turnTime bound what a reader executes itself in one turn;
	// what waits beyond that may use other cores.
	turnFrames = 16
	turnTime   = 200 * time.Microsecond
	// groupSize is how many requests a worker takes at once.
	groupSize = 16
	// frameCost is charged per request beyond its bytes.
	frameCost = 512
)

// readLoop takes turns until the connection ends. A turn is what one read
// brought.
func (c *Conn) readLoop() {
	defer c.recoverReader()
	for !c.draining.Load() {
		if c.fill() != nil {
			break
		}
		c.in.now = int64(c.srv.clock.Mono())
		c.in.taken, c.in.slow = 0, false
		goOn := c.turn()
		c.flushTurn()
		if !goOn {
			return
		}
	}
	if c.draining.Load() {
		c.await(func() bool { return c.inflight.Load() == 0 })
	}
}

// turn takes all whole frames. False ends the connection.
func (c *Conn) turn() bool {
	var f frame
	for {
		ok, err := c.next(&f)
		if err != nil {
			return c.lost(&f, native.AsError(err))
		}
		if !ok {
			return true
		}
		if !c.room() || !c.take(&f) {
			return false
		}
	}
}

// room waits until the connection may have another request in flight.
func (c *Conn) room() bool {
	if c.hasRoom() {
		return true
	}
	c.flushTurn()
	return c.await(c.hasRoom)
}

func (c *Conn) hasRoom() bool {
	return c.inflight.Load() < int64(c.srv.cfg.MaxInFlight) &&
		c.inflightBytes.Load()+c.unsent.Load() < c.srv.cfg.MaxInFlightBytes
}

// idle waits until nothing is in flight.
func (c *Conn) idle() bool {
	c.flushTurn()
	return c.await(func() bool { return c.inflight.Load() == 0 })
}

// lost answers input after which the next frame cannot be found.
func (c *Conn) lost(f *frame, e *native.Error) bool {
	h := f.h
	switch known := !c.in.framed && !h.Response; {
	case c.in.framed:
		if refused, ok := c.in.asm.Skip(maxSkipped); ok {
			c.respondError(refused, e, false)
			return c.turn()
		}
		h = native.Header{}
	case known && !native.Supported(h.Version):
		h, e = refusal(h)
	case known && h.Length <= maxSkipped:
		// Too long, but its end is known.
		c.in.skip = h.FrameSize()
		c.respondError(h, e, false)
		return c.turn()
	}
	if v := c.Version(); v != 0 {
		h.Version = v
	} else if h.Version == 0 || h.Version > native.HighestStable {
		h.Version = native.HighestStable
	}
	c.respondError(h, e, true)
	c.linger()
	return false
}

// maxSkipped is the longest body of a frame that is thrown away to keep the
// connection; Cassandra's largest frame.
const maxSkipped = 256 << 20

// refusal is how a frame of an unsupported version is answered: drivers go
// down by this text, and look for it on stream 0.
func refusal(h native.Header) (native.Header, *native.Error) {
	if h.Version == native.V6 && h.Flags&native.FlagUseBeta == 0 {
		h.Version = native.HighestStable
		return h, native.BetaVersion()
	}
	e := native.UnsupportedVersion(h.Version)
	h.Stream = 0
	if h.Version != native.V1 && h.Version != native.V2 {
		h.Version = native.HighestStable
	}
	return h, e
}

// take handles one frame. False ends the connection.
func (c *Conn) take(f *frame) bool {
	h := f.h
	if !native.Supported(h.Version) {
		h, e := refusal(h)
		c.respondError(h, e, false)
		return true
	}
	if v := c.Version(); v == 0 {
		c.version.Store(uint32(h.Version))
	} else if v != h.Version && c.phase.Load() == phaseNew {
		// A driver that was refused may try again on the same connection.
		c.version.Store(uint32(h.Version))
	} else if v != h.Version {
		h.Version = v
		c.respondError(h, native.Protocol("Invalid message version. Got %d but previous messages on this connection had version %d",
			f.h.Version, v), true)
		return false
	}
	if c.refuse {
		c.respondError(h, native.Overloaded("Too many connections: this node serves at most %d", c.srv.cfg.MaxConnections), true)
		c.linger()
		return false
	}
	c.requests.Add(1)
	r := newRequest(c, h, c.in.now)
	body, e := c.open(r, f)
	if e == nil {
		e = c.allowed(h.Opcode)
	}
	if e != nil {
		c.charge(r, frameCost)
		c.answer(r, e)
		return true
	}
	switch h.Opcode {
	case native.OpQuery, native.OpExecute, native.OpBatch, native.OpPrepare:
		c.charge(r, len(f.body)+frameCost)
		return c.statement(r, body)
	}
	return c.control(r, body)
}

// open uncompresses the body, takes the prefix off and makes r keep what it
// will alias.
func (c *Conn) open(r *Request, f *frame) ([]byte, *native.Error) {
	body := f.body
	if f.h.Flags&native.FlagCompression != 0 && !c.in.framed {
		if c.compression == native.NoCompression {
			return nil, native.Protocol("Compressed frame on a connection without compression")
		}
		k := netbuf.Get(chunkSize, c.srv.input)
		out, err := native.Decompress(k.B[:0], body, c.compression, c.srv.cfg.MaxFrame)
		if err != nil {
			k.Release()
			return nil, native.AsError(err)
		}
		if len(out) > len(k.B) {
			k.Release()
			k = netbuf.Wrap(out, c.srv.input)
		}
		body, r.chunk = out, k
	} else {
		f.from.Retain()
		r.chunk = f.from
	}
	payload, body, err := native.SplitBody(f.h.Flags, body)
	if err != nil {
		return nil, native.AsError(err)
	}
	// No handler wants the payload.
	if payload != nil && f.h.Version < native.V4 {
		return nil, native.Protocol("Must not send frame with CUSTOM_PAYLOAD flag for native protocol version < 4")
	}
	return body, nil
}

// allowed tells whether the opcode may come in the connection's phase.
func (c *Conn) allowed(op native.Opcode) *native.Error {
	if !op.IsRequest() {
		return native.Protocol("Unknown or unexpected opcode %d", uint8(op))
	}
	switch phase := c.phase.Load(); {
	case op == native.OpOptions:
	case phase == phaseNew && op != native.OpStartup:
		return native.Protocol("Unexpected message %v, expecting STARTUP or OPTIONS", op)
	case phase == phaseAuth && op != native.OpAuthResponse:
		return native.Protocol("Unexpected message %v, expecting AUTH_RESPONSE", op)
	case phase == phaseReady && op == native.OpStartup:
		return native.Protocol("Unexpected message STARTUP on a connection that has started")
	}
	return nil
}

// statement decodes and executes or passes on a statement.
func (c *Conn) statement(r *Request, body []byte) bool {
	var err error
	barrier := false
	switch r.Opcode {
	case native.OpPrepare:
		if err = r.prepare.Decode(body, r.Version); err == nil {
			return c.toWorker(r)
		}
	case native.OpQuery:
		err = r.Query.Decode(body, r.Version)
		barrier = isUse(r.Query.Text)
	case native.OpExecute:
		if err = r.Execute.Decode(body, r.Version); err == nil {
			if r.Prepared = c.srv.handler.Lookup(r.Execute.ID); r.Prepared == nil {
				err = native.Unprepared(r.Execute.ID)
			} else {
				barrier = r.Prepared.Barrier
			}
		}
	case native.OpBatch:
		err = r.Batch.Decode(body, r.Version)
	}
	switch {
	case err != nil:
		c.answer(r, err)
		return true
	case barrier:
		return c.executeAlone(r)
	case c.overTurn() && c.srv.workers.free():
		return c.toGroup(r)
	}
	return c.tryHere(r)
}

// overTurn tells whether the reader has done its share of this turn.
func (c *Conn) overTurn() bool {
	in := &c.in
	in.taken++
	if in.taken > turnFrames || in.slow {
		return true
	}
	if in.taken&3 == 0 {
		in.slow = int64(c.srv.clock.Mono())-in.now > int64(turnTime)
	}
	return in.slow
}

func (c *Conn) tryHere(r *Request) bool {
	c.in.trying = r
	status := c.srv.handler.TryExecute(r)
	c.in.trying = nil
	switch status {
	case Done:
		c.in.bytes += r.size()
		c.in.done.push(r)
		if c.in.bytes >= flushSize {
			c.flushTurn()
		}
		return true
	case Pending:
		return true
	}
	return c.toWorker(r)
}

// answer finishes r on the reader, to be sent at the end of the turn.
func (c *Conn) answer(r *Request, err error) {
	if err != nil {
		r.Fail(err)
	}
	c.in.done.push(r)
}

// executeAlone runs a barrier.
func (c *Conn) executeAlone(r *Request) bool {
	c.flushTurn()
	if !c.await(func() bool { return c.inflight.Load() == 1 }) {
		c.retire(r)
		return false
	}
	c.in.trying = r
	status := c.srv.handler.Execute(c.srv.ctx, r)
	c.in.trying = nil
	if status == Done {
		c.in.done.push(r)
	}
	return c.idle()
}

// toWorker hands r to a worker, waiting for room or refusing as the client
// wishes.
func (c *Conn) toWorker(r *Request) bool {
	if c.srv.workers.submit(r) {
		return true
	}
	if c.throw {
		c.answer(r, native.Overloaded("Server is in overloaded state. Cannot accept more requests at this point"))
		return true
	}
	c.flushTurn()
	if !c.srv.workers.SubmitWait(r) {
		c.retire(r)
		return false
	}
	return true
}

// toGroup collects requests for another core.
func (c *Conn) toGroup(r *Request) bool {
	in := &c.in
	in.group.push(r)
	if in.size++; in.size >= groupSize {
		c.flushGroup()
	}
	return true
}

// flushGroup passes the group on, or executes it here if no worker takes it.
func (c *Conn) flushGroup() {
	in := &c.in
	if in.size == 0 {
		return
	}
	l := in.group.take()
	l.head.group, in.size = in.size, 0
	if c.srv.workers.submit(l.head) {
		return
	}
	l.head.group = 0
	for r := l.pop(); r != nil; r = l.pop() {
		if !c.tryHere(r) {
			return
		}
	}
}

// flushTurn lets go of everything the reader holds back.
func (c *Conn) flushTurn() {
	c.flushGroup()
	if c.in.done.head == nil {
		return
	}
	large := c.in.bytes >= flushSize
	c.in.bytes = 0
	switch writer := c.enqueue(c.in.done.take()); {
	case writer && large:
		// It may have to wait for the client; go on reading meanwhile.
		go c.writeFn()
	case writer:
		c.writeHere()
	}
}

// isUse tells whether a statement begins with the word USE.
func isUse(text []byte) bool {
	text = skipSpace(text)
	return len(text) > 3 && bytes.EqualFold(text[:3], []byte("use")) && !isWord(text[3])
}

func isWord(b byte) bool {
	return b == '_' || b >= '0' && b <= '9' || b|0x20 >= 'a' && b|0x20 <= 'z'
}

// skipSpace drops white space and comments.
func skipSpace(text []byte) []byte {
	for {
		text = bytes.TrimLeft(text, " \t\r\n")
		var end []byte
		switch {
		case bytes.HasPrefix(text, []byte("--")), bytes.HasPrefix(text, []byte("//")):
			end = []byte("\n")
		case bytes.HasPrefix(text, []byte("/*")):
			end = []byte("*/")
		default:
			return text
		}
		i := bytes.Index(text[2:], end)
		if i < 0 {
			return nil
		}
		text = text[2+i+len(end):]
	}
}
