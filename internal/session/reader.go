package session

import (
	"errors"
	"io"
	"syscall"

	"github.com/ilion-db/ilion/cql/native"
)

// reader is the input side of a connection.
type reader struct {
	// cur[r:w] is input not yet taken. An idle connection has no cur.
	cur  *chunk
	r, w int
	want int // bytes from r on that the next frame or segment needs
	skip int // bytes of a refused frame still to be thrown away

	// From the answer to STARTUP on in v5: the frames of the segment last
	// taken are inner[ir:iw].
	framed bool
	inner  *chunk
	ir, iw int
	asm    native.Assembler

	readFn func(fd uintptr) bool
	n      int
	err    error
	// starved: there is input, but no budget for a chunk.
	starved bool

	// Of one turn.
	now   int64
	taken int
	slow  bool // the turn's time is spent
	done  requestList
	bytes int64 // of answers in done
	group requestList
	size  int // of group

	trying *Request // in the handler's hands, should it panic

	tiny [64]byte // to wait on a connection that is no socket
}

func (in *reader) release() {
	in.dropInner()
	if in.cur != nil {
		in.cur.release()
		in.cur = nil
	}
	in.r, in.w = 0, 0
}

func (in *reader) dropInner() {
	if in.inner != nil {
		in.inner.release()
		in.inner = nil
	}
	in.ir, in.iw = 0, 0
}

// fill reads what there is, at least one byte, waiting for it without holding
// a buffer if none is needed for what came before.
func (c *Conn) fill() error {
	in := &c.in
	c.makeRoom()
	if c.raw == nil {
		return c.fillPlain()
	}
	for in.starved = true; in.starved; {
		if in.cur == nil && c.parked.Load() == nil {
			c.srv.input.wait()
		}
		in.starved = false
		if err := c.raw.Read(in.readFn); err != nil {
			return err
		}
	}
	if in.err != nil {
		return in.err
	}
	if in.n == 0 {
		return io.EOF
	}
	in.w += in.n
	c.srv.stats.BytesIn.Add(int64(in.n))
	return nil
}

// rawRead is called when the socket may be readable.
func (c *Conn) rawRead(fd uintptr) bool {
	in := &c.in
	if in.cur == nil && !c.unparkReader() {
		in.starved = true
		return true
	}
	for {
		in.n, in.err = syscall.Read(int(fd), in.cur.b[in.w:])
		switch {
		case errors.Is(in.err, syscall.EINTR):
			continue
		case errors.Is(in.err, syscall.EAGAIN):
			if in.w == in.r {
				c.park()
			}
			return false
		}
		return true
	}
}

// park lets go of the chunk before the reader waits. While requests alias the
// chunk it is only set aside, to be filled up if more comes before they are
// answered: else each lone request would hold a whole chunk.
func (c *Conn) park() {
	in := &c.in
	k := in.cur
	in.cur = nil
	if k.refs.Load() == 1 || len(k.b)-in.w < chunkSize/4 {
		k.release()
		return
	}
	c.parked.Store(k)
	if c.inflight.Load() == 0 {
		c.unpark()
	}
}

// unpark gives the chunk set aside back; called when nothing is in flight.
func (c *Conn) unpark() {
	if c.parked.Load() == nil {
		return
	}
	if k := c.parked.Swap(nil); k != nil {
		k.release()
	}
}

// unparkReader gets the reader a chunk: the one set aside, or a new one if the
// budget has room.
func (c *Conn) unparkReader() bool {
	in := &c.in
	if in.cur = c.parked.Swap(nil); in.cur != nil {
		return true
	}
	if c.srv.input.full() {
		return false
	}
	in.cur = newChunk(chunkSize, c.srv.input)
	in.r, in.w = 0, 0
	return true
}

// fillPlain waits with a small buffer inside the connection.
func (c *Conn) fillPlain() error {
	in := &c.in
	if in.cur != nil {
		n, err := c.nc.Read(in.cur.b[in.w:])
		in.w += n
		c.srv.stats.BytesIn.Add(int64(n))
		if n > 0 {
			return nil
		}
		return err
	}
	n, err := c.nc.Read(in.tiny[:])
	if n == 0 {
		return err
	}
	c.srv.input.wait()
	in.cur = newChunk(chunkSize, c.srv.input)
	in.r, in.w = 0, copy(in.cur.b, in.tiny[:n])
	c.srv.stats.BytesIn.Add(int64(n))
	return nil
}

// makeRoom makes free space after w: all that the next frame needs, but never
// more than twice what has come, so that a length alone costs no memory.
func (c *Conn) makeRoom() {
	in := &c.in
	if in.cur == nil {
		return
	}
	have := in.w - in.r
	size := min(max(in.want, have+1), max(chunkSize, 2*have))
	if have > 0 && in.r+size <= len(in.cur.b) && in.w < len(in.cur.b) {
		return
	}
	alone := in.cur.refs.Load() == 1
	if have == 0 && !alone && c.raw != nil && len(in.cur.b)-in.w >= chunkSize/4 {
		// Requests alias what was taken; go on behind it.
		return
	}
	if alone && size <= len(in.cur.b) && (have > 0 || len(in.cur.b) == chunkSize) {
		copy(in.cur.b, in.cur.b[in.r:in.w])
		in.r, in.w = 0, have
		return
	}
	if have == 0 {
		in.cur.release()
		in.cur, in.r, in.w = nil, 0, 0
		return
	}
	k := newChunk(size, c.srv.input)
	copy(k.b, in.cur.b[in.r:in.w])
	in.cur.release()
	in.cur, in.r, in.w = k, 0, have
}

// frame is one whole frame of a client.
type frame struct {
	h    native.Header
	body []byte
	from *chunk // what body aliases
}

// next takes the next whole frame. If there is none yet, ok is false. An error
// means that the position in the input is lost; f.h is then set as far as
// known.
func (c *Conn) next(f *frame) (ok bool, err error) {
	if c.in.framed {
		return c.nextFramed(f)
	}
	in := &c.in
	if in.skip > 0 {
		n := min(in.skip, in.w-in.r)
		in.skip -= n
		in.r += n
	}
	b := in.buffered()
	h, ok := native.ParseHeader(b)
	if f.h = h; !ok {
		in.want = native.HeaderSize
		return false, nil
	}
	if h.Response {
		return false, native.Protocol("Wrong protocol direction (response bit is set) in a request")
	}
	if err := h.CheckLength(c.srv.cfg.MaxFrame); err != nil {
		return false, err
	}
	size := h.FrameSize()
	if len(b) < size {
		in.want = size
		return false, nil
	}
	f.body, f.from = b[h.Size():size:size], in.cur
	in.r += size
	in.want = 0
	return true, nil
}

func (in *reader) buffered() []byte {
	if in.cur == nil {
		return nil
	}
	return in.cur.b[in.r:in.w]
}

// nextFramed is next inside segments.
func (c *Conn) nextFramed(f *frame) (bool, error) {
	in := &c.in
	for in.ir == in.iw {
		in.dropInner()
		if ok, err := c.nextSegment(); !ok || err != nil {
			return false, err
		}
	}
	b := in.inner.b[in.ir:in.iw]
	h, ok := native.ParseHeader(b)
	if f.h = h; !ok || h.Response {
		return false, native.Protocol("Segment does not contain whole frames")
	}
	if err := h.CheckLength(c.srv.cfg.MaxFrame); err != nil {
		return false, err
	}
	size := h.FrameSize()
	if len(b) < size {
		return false, native.Protocol("Segment does not contain whole frames")
	}
	f.body, f.from = b[h.Size():size:size], in.inner
	in.ir += size
	return true, nil
}

// nextSegment takes a segment; inner may still be empty after it.
func (c *Conn) nextSegment() (bool, error) {
	in := &c.in
	s, ok, err := native.ParseSegment(in.buffered(), c.compression != native.NoCompression)
	if !ok || err != nil {
		in.want = s.Size
		return false, err
	}
	start := in.r
	in.r += s.Size
	in.want = 0
	if !s.SelfContained {
		whole, err := in.asm.Add(s, c.srv.cfg.MaxFrame)
		if err != nil {
			return false, err
		}
		if whole != nil {
			in.inner, in.ir, in.iw = wrapChunk(whole, c.srv.input), 0, len(whole)
		}
		return true, nil
	}
	if in.asm.Pending() {
		return false, native.Protocol("Self-contained segment inside a frame of several segments")
	}
	if s.Uncompressed == 0 {
		in.cur.retain()
		in.inner = in.cur
		in.iw = start + s.Size - 4
		in.ir = in.iw - len(s.Payload)
		return true, nil
	}
	k := newChunk(s.Uncompressed, c.srv.input)
	out, err := s.AppendPayload(k.b[:0])
	if err != nil {
		k.release()
		return false, err
	}
	in.inner, in.ir, in.iw = k, 0, len(out)
	return true, nil
}
