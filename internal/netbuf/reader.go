package netbuf

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"

	"github.com/ilion-db/ilion/internal/invariant"
)

// Gate stops connections without a chunk while there is no memory for one.
type Gate interface {
	// Full tells whether there is none. It must not block.
	Full() bool
	// Wait returns when there is some, or never will be.
	Wait()
}

// Config of a Reader.
type Config struct {
	// Size of a usual chunk in bytes, a power of two from 16 KiB to 1 MiB.
	Size int
	// Account is charged for the chunks.
	Account Account
	// Gate is passed before the first chunk of some input; none if nil.
	Gate Gate
	// InFlight are the requests that may alias a chunk. Who counts the last of
	// them out calls DropParked.
	InFlight *atomic.Int64
}

// Reader is the input of one connection.
type Reader struct {
	cfg Config
	nc  net.Conn
	raw syscall.RawConn // nil if nc is no socket

	// cur.B[r:w] is input not yet taken. A connection without input has no cur.
	cur  *Chunk
	r, w int
	want int // bytes from r on that the next frame needs

	// parked is cur while the reader waits and requests still alias it: whoever
	// answers the last of them takes it.
	parked atomic.Pointer[Chunk]

	readFn func(fd uintptr) bool // readRaw, made once
	n      int                   // what readRaw returns
	err    error
	// starved: there is input, but the gate is shut.
	starved bool

	tiny [64]byte // to wait on a connection that is no socket
}

// Open begins reading from nc, which remains its caller's.
func (in *Reader) Open(nc net.Conn, cfg Config) {
	in.nc, in.cfg = nc, cfg
	if s, ok := nc.(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			in.raw, in.readFn = raw, in.readRaw
		}
	}
}

// Fill reads what there is, n bytes and at least one, or tells why there will be
// no more. While it waits for the first byte of a frame it holds no buffer.
func (in *Reader) Fill() (n int, err error) {
	in.makeRoom()
	if in.raw != nil {
		n, err = in.fillRaw()
	} else {
		n, err = in.fillPlain()
	}
	if n <= 0 {
		if err == nil {
			err = io.EOF
		}
		return 0, err
	}
	in.w += n
	invariant.Check(in.w <= len(in.cur.B), "netbuf: more was read than there was room for")
	return n, nil
}

// Bytes are those that were read and not taken.
func (in *Reader) Bytes() []byte {
	if in.cur == nil {
		return nil
	}
	return in.cur.B[in.r:in.w]
}

// Take takes the next n bytes of Bytes, and returns the chunk that they are in:
// they are valid until the next Fill, or as long as the caller retains that.
func (in *Reader) Take(n int) *Chunk {
	invariant.Check(n >= 0 && n <= in.w-in.r, "netbuf: more is taken than was read")
	in.r += n
	in.want = 0
	return in.cur
}

// Want says how many bytes the next frame has, or how many tell that.
func (in *Reader) Want(n int) { in.want = n }

// Release gives back what the reader holds.
func (in *Reader) Release() {
	in.DropParked()
	if in.cur != nil {
		in.cur.Release()
		in.cur = nil
	}
	in.r, in.w = 0, 0
}

// DropParked gives the chunk that is set aside back; called by any goroutine
// when nothing is in flight.
func (in *Reader) DropParked() {
	if in.parked.Load() == nil {
		return
	}
	if k := in.parked.Swap(nil); k != nil {
		k.Release()
	}
}

// park lets go of the chunk before the reader waits. While requests alias it, it
// is only set aside, if there is room left.
func (in *Reader) park() {
	k := in.cur
	in.cur = nil
	if k.refs.Load() == 1 || len(k.B)-in.w < in.cfg.Size/4 {
		k.Release()
		return
	}
	in.parked.Store(k)
	if in.cfg.InFlight.Load() == 0 {
		in.DropParked()
	}
}

// unpark gets the reader a chunk: the one set aside, or a new one.
func (in *Reader) unpark() {
	if in.cur = in.parked.Swap(nil); in.cur == nil {
		in.cur = Get(in.cfg.Size, in.cfg.Account)
		in.r, in.w = 0, 0
	}
}

func (in *Reader) fillRaw() (int, error) {
	for in.starved = true; in.starved; {
		if in.cur == nil && in.cfg.Gate != nil && in.parked.Load() == nil {
			in.cfg.Gate.Wait()
		}
		in.starved = false
		if err := in.raw.Read(in.readFn); err != nil {
			return 0, err
		}
	}
	return in.n, in.err
}

// readRaw is called when the socket may be readable.
func (in *Reader) readRaw(fd uintptr) bool {
	if in.cur == nil {
		// Others may have taken the memory since the gate was passed.
		if in.cfg.Gate != nil && in.parked.Load() == nil && in.cfg.Gate.Full() {
			in.starved = true
			return true
		}
		in.unpark()
	}
	for {
		in.n, in.err = readSocket(fd, in.cur.B[in.w:])
		switch {
		case errors.Is(in.err, syscall.EINTR):
			continue
		case errors.Is(in.err, syscall.EAGAIN):
			if in.w == in.r {
				in.park()
			}
			return false
		}
		return true
	}
}

// fillPlain waits with a small buffer inside the reader.
func (in *Reader) fillPlain() (int, error) {
	if in.cur != nil && in.w == in.r {
		in.park()
	}
	if in.cur != nil {
		return in.nc.Read(in.cur.B[in.w:])
	}
	n, err := in.nc.Read(in.tiny[:])
	if n <= 0 {
		return n, err
	}
	if in.cfg.Gate != nil && in.parked.Load() == nil {
		in.cfg.Gate.Wait()
	}
	in.unpark()
	copy(in.cur.B[in.w:], in.tiny[:n])
	return n, nil
}

// makeRoom makes free space after w: all that the next frame needs, but never
// more than four times what has come, so that a length alone costs no memory.
func (in *Reader) makeRoom() {
	if in.cur == nil {
		return
	}
	have := in.w - in.r
	size := min(max(in.want, have+1), max(in.cfg.Size, 2*have))
	alone := in.cur.refs.Load() == 1
	switch {
	case have > 0 && in.r+size <= len(in.cur.B) && in.w < len(in.cur.B):
	case have == 0 && alone && len(in.cur.B) <= 2*in.cfg.Size:
		in.r, in.w = 0, 0
	case have == 0 && !alone && len(in.cur.B)-in.w >= in.cfg.Size/4:
		// Requests alias what was taken: go on behind it.
	case have == 0:
		in.cur.Release()
		in.cur, in.r, in.w = nil, 0, 0
	case alone && size <= len(in.cur.B):
		copy(in.cur.B, in.cur.B[in.r:in.w])
		in.r, in.w = 0, have
	default:
		k := Get(max(size, in.cfg.Size), in.cfg.Account)
		copy(k.B, in.cur.B[in.r:in.w])
		in.cur.Release()
		in.cur, in.r, in.w = k, 0, have
	}
}
