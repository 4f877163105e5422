//go:build clients || long

package proctest

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/ilion-db/ilion/cql/native"
)

// wire speaks version 3 or 4 of the protocol by hand: it sends what no driver
// would and sees the order of answers. Reads and writes fail after the timeout.
type wire struct {
	net.Conn
	version byte
}

const (
	opError  = byte(native.OpError)
	opReady  = byte(native.OpReady)
	opResult = byte(native.OpResult)
)

// frame is an answer.
type frame struct {
	stream int16
	opcode byte
	warned bool   // there were warnings
	body   []byte // behind them
	err    error  // of the connection
}

// code is that of an ERROR, else 0.
func (f frame) code() native.ErrorCode {
	if f.err != nil || f.opcode != opError || len(f.body) < 4 {
		return 0
	}
	return native.ErrorCode(binary.BigEndian.Uint32(f.body))
}

func (f frame) String() string {
	if f.err != nil {
		return f.err.Error()
	}
	if f.opcode == opError && len(f.body) >= 6 {
		n := int(binary.BigEndian.Uint16(f.body[4:]))
		return fmt.Sprintf("error %#04x on stream %d: %s", uint32(f.code()), f.stream, f.body[6:min(6+n, len(f.body))])
	}
	return fmt.Sprintf("opcode %d on stream %d with %d bytes", f.opcode, f.stream, len(f.body))
}

// pagingState is that of a ROWS result, nil if there is none.
func (f frame) pagingState() []byte {
	if f.opcode != opResult || len(f.body) < 12 {
		return nil
	}
	const hasMorePages = 2
	if binary.BigEndian.Uint32(f.body[4:])&hasMorePages == 0 {
		return nil
	}
	n := int(binary.BigEndian.Uint32(f.body[12:]))
	return f.body[16 : 16+n]
}

// dial connects and starts up.
func dial(port int, version byte) (*wire, error) {
	c, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), timeout)
	if err != nil {
		return nil, err
	}
	w := &wire{Conn: c, version: version}
	body := binary.BigEndian.AppendUint16(nil, 1)
	body = native.AppendString(native.AppendString(body, "CQL_VERSION"), "3.0.0")
	w.send(0, native.OpStartup, body)
	if f := w.read(); f.opcode != opReady {
		c.Close()
		return nil, fmt.Errorf("startup: %v", f)
	}
	return w, nil
}

func (w *wire) close() { w.Conn.Close() }

// Write is net.Conn's with a limit.
func (w *wire) Write(p []byte) (int, error) {
	w.SetWriteDeadline(time.Now().Add(timeout))
	return w.Conn.Write(p)
}

// request is one frame.
func (w *wire) request(stream int16, op native.Opcode, body []byte) []byte {
	return native.AppendRequest(nil, native.Header{Version: w.version, Stream: stream, Opcode: op}, body)
}

func (w *wire) send(stream int16, op native.Opcode, body []byte) error {
	_, err := w.Write(w.request(stream, op, body))
	return err
}

// queryBody is a QUERY at ONE, of pages of pageSize rows if that is not 0.
func queryBody(text string, pageSize int, state []byte) []byte {
	body := native.AppendLongString(nil, text)
	body = binary.BigEndian.AppendUint16(body, uint16(native.One))
	var flags byte
	if pageSize > 0 {
		flags |= 0x04
	}
	if state != nil {
		flags |= 0x08
	}
	body = append(body, flags)
	if pageSize > 0 {
		body = binary.BigEndian.AppendUint32(body, uint32(pageSize))
	}
	if state != nil {
		body = native.AppendValue(body, state)
	}
	return body
}

func (w *wire) query(stream int16, text string) error {
	return w.send(stream, native.OpQuery, queryBody(text, 0, nil))
}

// ask sends a query and returns its answer; nothing else may be in flight.
func (w *wire) ask(text string, pageSize int, state []byte) frame {
	if err := w.send(1, native.OpQuery, queryBody(text, pageSize, state)); err != nil {
		return frame{err: err}
	}
	return w.read()
}

func (w *wire) read() frame {
	w.SetReadDeadline(time.Now().Add(timeout))
	var head [9]byte
	if _, err := io.ReadFull(w, head[:]); err != nil {
		return frame{err: err}
	}
	f := frame{stream: int16(binary.BigEndian.Uint16(head[2:])), opcode: head[4], warned: head[1]&0x08 != 0, body: make([]byte, binary.BigEndian.Uint32(head[5:]))}
	if _, err := io.ReadFull(w, f.body); err != nil {
		return frame{err: err}
	}
	if f.warned {
		f.body, f.err = behindWarnings(f.body)
	}
	return f
}

// behindWarnings is what follows a [string list].
func behindWarnings(body []byte) ([]byte, error) {
	if len(body) < 2 {
		return nil, io.ErrUnexpectedEOF
	}
	n := int(binary.BigEndian.Uint16(body))
	for body = body[2:]; n > 0; n-- {
		if len(body) < 2 || len(body)-2 < int(binary.BigEndian.Uint16(body)) {
			return nil, io.ErrUnexpectedEOF
		}
		body = body[2+int(binary.BigEndian.Uint16(body)):]
	}
	return body, nil
}
