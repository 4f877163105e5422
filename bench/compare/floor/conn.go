package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
)

// A frame of protocol 4, big endian:
//
//	version 1 | flags 1 | stream 2 | opcode 1 | length 4 | body
const (
	headerSize = 9
	maxFrame   = 1 << 20

	opError     = 0x00
	opStartup   = 0x01
	opReady     = 0x02
	opOptions   = 0x05
	opSupported = 0x06
	opQuery     = 0x07
	opResult    = 0x08
	opPrepare   = 0x09
	opExecute   = 0x0a
	opRegister  = 0x0b
	opBatch     = 0x0d
)

// serve answers the requests of one connection until it ends.
func serve(c net.Conn, a *answers, total *counts) error {
	in, have := make([]byte, 64<<10), 0
	var out []byte
	for {
		n, err := c.Read(in[have:])
		if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		have += n
		rest, frames := in[:have], 0
		out = out[:0]
		for len(rest) >= headerSize {
			size := int(binary.BigEndian.Uint32(rest[5:]))
			if size > maxFrame {
				return fmt.Errorf("a frame of %d bytes", size)
			}
			if headerSize+size > len(rest) {
				break
			}
			body := rest[headerSize : headerSize+size]
			at := len(out)
			out = append(out, a.answer(rest[0], rest[4], body)...)
			copy(out[at+2:at+4], rest[2:4])
			rest = rest[headerSize+size:]
			frames++
		}
		total.reads.Add(1)
		total.frames.Add(int64(frames))
		have = copy(in, rest)
		if have == len(in) {
			in = append(in, make([]byte, len(in))...)
		}
		if len(out) == 0 {
			continue
		}
		total.writes.Add(1)
		if _, err := c.Write(out); err != nil {
			return nil // the client has gone
		}
	}
}

// answer returns the frame for a request, in which the stream has to be set.
func (a *answers) answer(version, op byte, body []byte) []byte {
	if version != 4 {
		return a.wrongVersion
	}
	switch op {
	case opExecute:
		// The id is a byte behind its length: the statement's number.
		if len(body) > 2 && int(body[2]) < len(a.statements) {
			return a.statements[body[2]].result
		}
	case opStartup, opRegister:
		return a.ready
	case opOptions:
		return a.supported
	case opBatch:
		return a.void
	case opQuery, opPrepare:
		if len(body) < 4 {
			break
		}
		text := body[4:min(len(body), 4+int(binary.BigEndian.Uint32(body)))]
		return a.find(string(text), op == opPrepare)
	}
	return a.void
}

// find knows a statement by its first words; what it does not know has no rows.
func (a *answers) find(text string, prepare bool) []byte {
	text = strings.Join(strings.Fields(text), " ")
	for _, s := range a.statements {
		if strings.HasPrefix(text, s.words) {
			if prepare {
				return s.prepared
			}
			return s.result
		}
	}
	return a.void
}
