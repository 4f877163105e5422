package session

import (
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/netbuf"
)

// reader is the input side of a connection: what came, and the frames in it.
type reader struct {
	netbuf.Reader
	skip int // bytes of a refused frame still to be thrown away

	// From the answer to STARTUP on in v5: rest are the frames of the segment
	// last taken, in the chunk inner.
	framed bool
	inner  *netbuf.Chunk
	rest   []byte
	asm    native.Assembler

	// Of one turn.
	now   int64
	taken int
	slow  bool // the turn's time is spent
	done  requestList
	bytes int64 // of answers in done
	group requestList
	size  int // of group

	trying *Request // in the handler's hands, should it panic
}

func (in *reader) release() {
	in.dropInner()
	in.Release()
}

func (in *reader) dropInner() {
	if in.inner != nil {
		in.inner.Release()
		in.inner = nil
	}
	in.rest = nil
}

// fill reads what there is, at least one byte.
func (c *Conn) fill() error {
	n, err := c.in.Fill()
	c.srv.stats.BytesIn.Add(int64(n))
	return err
}

// frame is one whole frame of a client.
type frame struct {
	h    native.Header
	body []byte
	from *netbuf.Chunk // what body aliases
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
		n := min(in.skip, len(in.Bytes()))
		in.skip -= n
		in.Take(n)
	}
	b := in.Bytes()
	h, ok := native.ParseHeader(b)
	if f.h = h; !ok {
		in.Want(native.HeaderSize)
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
		in.Want(size)
		return false, nil
	}
	f.body, f.from = b[h.Size():size:size], in.Take(size)
	return true, nil
}

// nextFramed is next inside segments.
func (c *Conn) nextFramed(f *frame) (bool, error) {
	in := &c.in
	for len(in.rest) == 0 {
		in.dropInner()
		if ok, err := c.nextSegment(); !ok || err != nil {
			return false, err
		}
	}
	b := in.rest
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
	in.rest = b[size:]
	return true, nil
}

// nextSegment takes a segment; inner may still be empty after it.
func (c *Conn) nextSegment() (bool, error) {
	in := &c.in
	s, ok, err := native.ParseSegment(in.Bytes(), c.compression != native.NoCompression)
	if !ok || err != nil {
		in.Want(s.Size)
		return false, err
	}
	from := in.Take(s.Size)
	if !s.SelfContained {
		whole, err := in.asm.Add(s, c.srv.cfg.MaxFrame)
		if err != nil {
			return false, err
		}
		if whole != nil {
			in.inner, in.rest = netbuf.Wrap(whole, c.srv.input), whole
		}
		return true, nil
	}
	if in.asm.Pending() {
		return false, native.Protocol("Self-contained segment inside a frame of several segments")
	}
	if s.Uncompressed == 0 {
		from.Retain()
		in.inner, in.rest = from, s.Payload
		return true, nil
	}
	k := netbuf.Get(s.Uncompressed, c.srv.input)
	out, err := s.AppendPayload(k.B[:0])
	if err != nil {
		k.Release()
		return false, err
	}
	in.inner, in.rest = k, out
	return true, nil
}
