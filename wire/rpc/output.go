package rpc

import (
	"encoding/binary"
	"runtime"

	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/wire"
	"github.com/valyala/bytebufferpool"
)

const (
	// batchSize is how many bytes of small frames share a buffer.
	batchSize = 64 << 10
	// ownSize is the size from which a frame has its own buffer, filled outside
	// of the lock.
	ownSize = 32 << 10
	// compressSize is the size from which bodies on the bulk lane are compressed.
	compressSize = 4 << 10
	// writeSize bounds one write, so that the progress of a large one is seen: a
	// sign of life.
	writeSize = 64 << 10
)

// output is what waits to be written. The connection's mutex protects it.
type output struct {
	queue []*bytebufferpool.ByteBuffer
	spare []*bytebufferpool.ByteBuffer // the other queue, owned by the writer
	bytes int                          // in queue and in the writer's hands
	// writing means that somebody is the writer: nobody else writes.
	writing bool
	// corked means that the reader writes at the end of its turn.
	corked bool
	// alone means that the last buffer of queue takes no more frames.
	alone bool
}

// wants tells whether a writer has to be started, and makes the caller it.
func (o *output) wants() bool {
	if o.writing || len(o.queue) == 0 || o.corked && o.bytes < batchSize {
		return false
	}
	o.writing = true
	return true
}

// room returns the buffer that the next n bytes belong into.
func (o *output) room(n int) *bytebufferpool.ByteBuffer {
	if last := len(o.queue) - 1; last >= 0 && !o.alone && len(o.queue[last].B)+n <= batchSize {
		return o.queue[last]
	}
	b := getBuffer(max(n, batchSize))
	o.queue = append(o.queue, b)
	o.alone = false
	return b
}

// drop forgets what no writer has taken and tells how many bytes that was.
func (o *output) drop() (n int) {
	for i, b := range o.queue {
		n += len(b.B)
		putBuffer(b)
		o.queue[i] = nil
	}
	o.bytes -= n
	o.queue = o.queue[:0]
	return n
}

// frame is a message to be encoded. It stays on its maker's stack, and so do
// the bytes that it points to: they are copied only.
type frame struct {
	op    wire.Op
	flags wire.Flags
	pro   wire.Prologue
	body  []byte
	parts [][]byte // after body
}

func (f *frame) bodySize() int {
	n := len(f.body)
	for _, p := range f.parts {
		n += len(p)
	}
	return n
}

func (f *frame) appendBody(dst []byte) []byte {
	dst = append(dst, f.body...)
	for _, p := range f.parts {
		dst = append(dst, p...)
	}
	return dst
}

// appendTo appends the whole frame. Its header can be put again with another
// stream.
func (f *frame) appendTo(dst []byte, h *wire.Header) []byte {
	start := len(dst)
	var header [wire.HeaderSize]byte
	dst = append(dst, header[:]...)
	dst = f.pro.Append(dst)
	dst = f.appendBody(dst)
	dst = binary.LittleEndian.AppendUint32(dst, encoding.CRC32C(dst[start+wire.HeaderSize:]))
	h.Length = uint32(len(dst) - start - wire.HeaderSize)
	h.Put(dst[start:])
	return dst
}

// packed returns the compressed body in a buffer, or nil if that does not pay.
func (f *frame) packed() *bytebufferpool.ByteBuffer {
	plain := getBuffer(f.bodySize())
	plain.B = f.appendBody(plain.B)
	b := getBuffer(len(plain.B))
	var ok bool
	b.B, ok = wire.AppendCompressed(b.B, plain.B)
	putBuffer(plain)
	if !ok {
		putBuffer(b)
		return nil
	}
	return b
}

// push encodes a frame into the queue. With k it is a request, and k gets its
// stream; else stream is used. bounded makes it fail if too much is queued
// already.
func (c *conn) push(f *frame, stream uint32, k *call, bounded bool) error {
	n := f.bodySize()
	switch {
	case n > wire.MaxBody:
		return ErrTooLarge
	case n >= compressSize && c.packs.Load():
		if b := f.packed(); b != nil {
			p := frame{op: f.op, flags: f.flags | wire.FlagLZ4, pro: f.pro, body: b.B}
			err := c.enqueue(&p, len(b.B), stream, k, bounded)
			putBuffer(b)
			return err
		}
	}
	return c.enqueue(f, n, stream, k, bounded)
}

// enqueue is push for a frame as it is, with a body of n bytes.
func (c *conn) enqueue(f *frame, n int, stream uint32, k *call, bounded bool) error {
	h := wire.Header{Op: f.op, Flags: f.flags, Stream: stream, Version: wire.Version}
	size := n + wire.FrameOverhead
	var own *bytebufferpool.ByteBuffer
	if size >= ownSize {
		own = getBuffer(size)
		own.B = f.appendTo(own.B, &h)
	}
	c.mu.Lock()
	if err := c.admit(k, bounded); err != nil {
		c.mu.Unlock()
		if own != nil {
			putBuffer(own)
		}
		return err
	}
	if k != nil {
		c.calls.add(k)
		h.Stream = k.stream
		if k.due != 0 {
			c.e.wheel.add(k)
		}
	}
	o := &c.out
	before := o.bytes
	if own != nil {
		h.Put(own.B)
		o.queue = append(o.queue, own)
		o.alone = true
		o.bytes += len(own.B)
	} else {
		b := o.room(size)
		start := len(b.B)
		b.B = f.appendTo(b.B, &h)
		o.bytes += len(b.B) - start
	}
	tooMuch := c.serves() && c.addUnsent(o.bytes-before)
	start := c.wantsWriter()
	c.mu.Unlock()
	if start {
		go c.writeFn()
	}
	if tooMuch {
		c.e.stats.Silent.Add(1)
		c.e.noise.warn("closed a client's connection that does not take its answers", c.remote, errUnread)
		c.fail(c.e.failure())
	}
	return nil
}

// serves tells whether the other side is a client of this one.
func (c *conn) serves() bool { return c.accepted && c.other.Purpose == wire.PurposeClient }

// addUnsent counts bytes queued for a client and tells whether it has too many.
// The mutex is held.
func (c *conn) addUnsent(size int) bool {
	l, own := &c.e.cfg.Limits, c.out.bytes
	total := c.e.unsent.Add(int64(size))
	return own > l.ClientUnsent || total > l.TotalClientUnsent && int64(own) > l.TotalClientUnsent/64
}

// sentUnsent counts them out.
func (c *conn) sentUnsent(size int) {
	if c.serves() {
		left := c.e.unsent.Add(-int64(size))
		invariant.Check(left >= 0, "rpc: clients have less than nothing to take")
	}
}

// admit tells whether a frame may be queued. The mutex is held.
func (c *conn) admit(k *call, bounded bool) error {
	switch {
	case c.state == dead:
		return c.cause
	case bounded && c.out.bytes >= c.e.cfg.Limits.QueueBytes,
		k != nil && c.calls.count >= c.e.cfg.Limits.InFlight:
		return ErrBacklog
	}
	return nil
}

// wantsWriter tells whether the caller has to start the writer, which is then
// counted. The mutex is held: while the connection is open its owner is counted,
// so Close waits.
func (c *conn) wantsWriter() bool {
	if c.state != open || !c.out.wants() {
		return false
	}
	c.e.wg.Add(1)
	return true
}

// writeLoop is the writer goroutine: it lives while there is something to write.
func (c *conn) writeLoop() {
	defer c.e.wg.Done()
	// Whoever is about to send more does so first, and one write takes it all.
	runtime.Gosched()
	for c.writeOnce() {
	}
}

// writeHere lets the reader write what its turn has made. If more has come
// meanwhile a goroutine goes on, so that the reader can read.
func (c *conn) writeHere() {
	more := c.writeOnce()
	c.mu.Lock()
	c.in.writing = false
	c.mu.Unlock()
	if more {
		c.e.wg.Add(1) // by the reader, which is counted
		go c.writeFn()
	}
}

// writeOnce writes what is queued and tells whether there is more. If not, the
// caller is the writer no longer.
func (c *conn) writeOnce() (more bool) {
	c.mu.Lock()
	o := &c.out
	invariant.Check(o.writing, "rpc: somebody writes who is not the writer")
	bufs := o.queue
	o.queue, o.alone = o.spare[:0], false
	c.mu.Unlock()
	var n int
	var err error
	for i, b := range bufs {
		n += len(b.B)
		if err == nil {
			err = c.write(b.B)
		}
		putBuffer(b)
		bufs[i] = nil
	}
	c.e.stats.BytesOut.Add(int64(n))
	c.sentUnsent(n)
	if err != nil {
		c.fail(c.e.failure())
	}
	c.mu.Lock()
	o.spare = bufs[:0]
	o.bytes -= n
	invariant.Check(o.bytes >= 0, "rpc: more was written than was queued")
	if o.writing = len(o.queue) > 0; !o.writing && c.in.waiting {
		c.in.waiting = false
		c.in.room <- struct{}{}
	}
	more = o.writing
	c.mu.Unlock()
	return more
}

func (c *conn) write(b []byte) error {
	for len(b) > 0 {
		n := min(len(b), writeSize)
		c.part[0] = b[:n]
		c.inWrite.Store(true)
		err := c.socket.Write(c.part[:])
		c.inWrite.Store(false)
		c.part[0] = nil
		c.written.Add(1)
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}
