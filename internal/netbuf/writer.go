package netbuf

import (
	"errors"
	"net"
	"syscall"

	"github.com/ilion-db/ilion/internal/invariant"
)

// Writer is the output of one connection. It belongs to one goroutine at a time.
type Writer struct {
	nc  net.Conn
	raw syscall.RawConn // nil if nc is no socket

	rest    [][]byte // parts that are not written yet
	vec     []syscall.Iovec
	err     error
	writeFn func(fd uintptr) bool // writeRaw, made once
}

// Open begins writing to nc, which remains its caller's.
func (w *Writer) Open(nc net.Conn) {
	w.nc = nc
	if s, ok := nc.(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			w.raw, w.writeFn = raw, w.writeRaw
		}
	}
}

// Write writes the parts, in turn, none of which is empty, and with one call of
// the system if the socket takes them all. It waits for a peer that does not
// read, until the connection is closed. It changes the elements of parts.
func (w *Writer) Write(parts [][]byte) error {
	if w.raw == nil {
		for _, p := range parts {
			if _, err := w.nc.Write(p); err != nil {
				return err
			}
		}
		return nil
	}
	w.rest, w.err = parts, nil
	err := w.raw.Write(w.writeFn)
	w.rest = nil
	if err == nil {
		err = w.err
	}
	return err
}

// writeRaw is called when the socket may be writable; false waits until it is
// again.
func (w *Writer) writeRaw(fd uintptr) bool {
	for len(w.rest) > 0 {
		n, err := writeSocket(fd, w.rest, &w.vec)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			return false
		case err != nil:
			w.err = err
			return true
		}
		invariant.Check(n > 0, "netbuf: an empty part")
		for n > 0 && n >= len(w.rest[0]) {
			n -= len(w.rest[0])
			w.rest = w.rest[1:]
		}
		if n > 0 {
			w.rest[0] = w.rest[0][n:]
		}
	}
	return true
}
