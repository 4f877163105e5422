package session

import (
	"sync"
	"time"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/netbuf"
)

const (
	// flushSize is how many bytes are collected before they are written.
	flushSize = 64 << 10
	// directSize is the size from which an answer's body is not copied: about
	// where that costs more than one buffer more in the call that writes.
	directSize = 4 << 10

	lingerTime  = time.Second
	lingerReads = 16 << 10
)

// encoder turns answers into bytes. It belongs to the writer.
type encoder struct {
	framed      bool // v5 segments
	compression native.Compression
	buf         *outBuffers // borrowed while there is something to write

	// held are answers whose bodies go out as they are, each behind the first
	// cuts[i] bytes of buf.frames.
	held     requestList
	cuts     []int
	heldSize int
	parts    [][]byte // frames and bodies in turn

	out netbuf.Writer

	rest     requestList // taken from the queue and not encoded yet
	encoding *Request    // the one that is being encoded

	sent      int64 // requests encoded but not counted out
	sentBytes int64
	unsent    int64
}

// outBuffers are borrowed by a writer.
type outBuffers struct {
	frames []byte // plain frames
	out    []byte // segments or compressed frames
}

var outPool = sync.Pool{New: func() any { return &outBuffers{frames: make([]byte, 0, 4<<10)} }}

// keepOut is the capacity in bytes that a pooled buffer may have.
const keepOut = 256 << 10

func (b *outBuffers) put() {
	if cap(b.frames) > keepOut || cap(b.out) > keepOut {
		return
	}
	b.frames, b.out = b.frames[:0], b.out[:0]
	outPool.Put(b)
}

// writeLoop is the writer goroutine: it lives while there are answers.
func (c *Conn) writeLoop() {
	for c.writeOnce() {
	}
}

// writeHere lets the reader write what is ready; if more has come meanwhile, a
// goroutine goes on, so that the reader can read.
func (c *Conn) writeHere() {
	if c.writeOnce() {
		go c.writeFn()
	}
}

// writeOnce writes all that is ready and tells whether there is more. If not,
// the caller is the writer no longer.
func (c *Conn) writeOnce() (more bool) {
	defer c.recoverWriter()
	c.mu.Lock()
	l := c.queue.take()
	dead := c.dead
	c.mu.Unlock()
	if dead {
		c.drop(l)
	} else {
		c.write(l)
	}
	c.mu.Lock()
	more = c.queue.head != nil
	if !more {
		c.writing = false
	}
	c.mu.Unlock()
	c.poke()
	return more
}

// write encodes and sends answers and counts the requests out.
func (c *Conn) write(l requestList) {
	e := &c.enc
	e.buf = outPool.Get().(*outBuffers)
	e.rest = l
	now := int64(c.srv.clock.Mono())
	for r := e.rest.pop(); r != nil; r = e.rest.pop() {
		c.srv.stats.observe(r, now)
		if !c.writeOne(r) {
			c.drop(e.rest.take())
			break
		}
	}
	c.flush()
	e.buf.put()
	e.buf = nil
}

// writeOne encodes an answer, and sends it if enough has been collected. It
// consumes r and tells whether the connection is still good.
func (c *Conn) writeOne(r *Request) bool {
	e := &c.enc
	size := r.size()
	e.encoding = r
	e.unsent += size
	if r.reply.uncounted {
		c.pushed.Add(-1)
	} else {
		e.sent++
		e.sentBytes += r.cost
	}
	starts, closes := r.reply.starts && r.reply.kind != replyError, r.reply.closes
	direct := len(r.reply.body) >= directSize && !e.framed && e.compression == native.NoCompression
	c.encode(r, direct)
	e.encoding = nil
	if direct {
		e.cuts = append(e.cuts, len(e.buf.frames))
		e.heldSize += len(r.reply.body)
		e.held.push(r)
	} else {
		r.recycle()
	}
	ok := true
	if starts || closes || len(e.buf.frames)+len(e.buf.out)+e.heldSize >= flushSize {
		ok = c.flush()
	}
	if starts {
		e.framed = c.Version() >= native.V5
		e.compression = c.compression
	}
	return ok && !closes
}

// encode appends the frame of r's answer; if direct is set, all but the body.
func (c *Conn) encode(r *Request, direct bool) {
	e := &c.enc
	b := e.buf
	start := len(b.frames)
	p := native.Prefix{Warnings: r.reply.warnings}
	if r.reply.hasTrace {
		p.Tracing = &r.reply.trace
	}
	h := native.Header{Version: r.Version, Flags: p.Flags(r.Version), Stream: r.stream, Opcode: r.reply.opcode()}
	b.frames = native.BeginFrame(b.frames, h)
	b.frames = p.Append(b.frames, r.Version)
	b.frames = c.appendBody(b.frames, r)
	if direct {
		native.EndFrameAfter(b.frames, start, len(r.reply.body))
		return
	}
	if r.reply.kind == replyBody {
		b.frames = append(b.frames, r.reply.body...)
	}
	native.EndFrame(b.frames, start)
	if !e.framed && e.compression != native.NoCompression {
		b.out = native.AppendCompressedFrame(b.out, b.frames[start:], e.compression)
		b.frames = b.frames[:start]
	}
}

func (p *reply) opcode() native.Opcode {
	switch p.kind {
	case replyError:
		return native.OpError
	case replyReady:
		return native.OpReady
	case replyAuthenticate:
		return native.OpAuthenticate
	case replyAuthSuccess:
		return native.OpAuthSuccess
	case replySupported:
		return native.OpSupported
	case replyEvent:
		return native.OpEvent
	}
	return native.OpResult
}

// appendBody appends a message, without the large part of a replyBody.
func (c *Conn) appendBody(dst []byte, r *Request) []byte {
	switch r.reply.kind {
	case replyVoid:
		return native.AppendVoid(dst)
	case replyError:
		e := c.srv.handler.MapError(r, r.reply.err)
		c.srv.stats.countError(e.Code)
		return native.AppendError(dst, r.Version, e)
	case replyBody:
		return append(dst, r.reply.head...)
	case replyAuthenticate:
		return native.AppendAuthenticate(dst, native.PasswordAuthenticator)
	case replyAuthSuccess:
		return native.AppendAuthSuccess(dst, nil)
	case replySupported:
		return native.AppendSupported(dst)
	case replyEvent:
		return native.AppendEvent(dst, r.Version, r.reply.event)
	}
	return dst
}

// flush writes what was collected and counts the requests out. False means that
// the connection is dead.
func (c *Conn) flush() bool {
	e := &c.enc
	b := e.buf
	out := b.frames
	switch {
	case e.framed:
		b.out = native.AppendSegments(b.out[:0], b.frames, e.compression != native.NoCompression)
		out = b.out
	case len(b.out) > 0:
		out = b.out
	}
	ok := len(out) == 0 || c.send(e.interleave(out))
	clear(e.parts)
	b.frames, b.out = b.frames[:0], b.out[:0]
	e.cuts, e.heldSize = e.cuts[:0], 0
	c.countOut()
	return ok
}

// countOut counts out what was encoded since the last time, whether it was sent
// or not.
func (c *Conn) countOut() {
	e := &c.enc
	for r := e.held.pop(); r != nil; r = e.held.pop() {
		r.recycle()
	}
	sent, bytes, unsent := e.sent, e.sentBytes, e.unsent
	e.sent, e.sentBytes, e.unsent = 0, 0, 0
	c.sentUnsent(unsent)
	c.settle(sent, bytes)
}

// interleave puts the bodies that are held to their places in out.
func (e *encoder) interleave(out []byte) [][]byte {
	e.parts = e.parts[:0]
	from, r := 0, e.held.head
	for _, cut := range e.cuts {
		e.parts = append(e.parts, out[from:cut], r.reply.body)
		from, r = cut, r.next
	}
	if from < len(out) {
		e.parts = append(e.parts, out[from:])
	}
	return e.parts
}

// send writes to the socket. The sweeper closes it if that takes too long.
func (c *Conn) send(parts [][]byte) bool {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	c.writeSince.Store(max(int64(c.srv.clock.Mono()), 1))
	err := c.enc.out.Write(parts)
	c.writeSince.Store(0)
	c.srv.stats.BytesOut.Add(int64(size))
	if err != nil {
		c.abort()
		return false
	}
	return true
}
