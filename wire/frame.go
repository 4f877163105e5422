package wire

import (
	"encoding/binary"
	"fmt"

	"github.com/ilion-db/ilion/internal/encoding"
)

const (
	// Version is the version of the frames that this package writes.
	Version = 1
	// HeaderSize is the size of a Header in bytes.
	HeaderSize = 16
	// CheckSize is the size of the checksum that ends a frame.
	CheckSize = 4
	// FrameOverhead is the most that a frame adds to its body, in bytes.
	FrameOverhead = HeaderSize + MaxPrologue + CheckSize
	// MaxBody is the largest body in bytes; what is larger is sent in pages.
	MaxBody = 16<<20 + 64<<10
	// MaxHelloFrame bounds the frames that open a connection, in bytes after
	// their header.
	MaxHelloFrame = 4 << 10
	maxLength     = MaxBody + MaxPrologue + CheckSize
	minLength     = 1 + CheckSize
)

// Flags of a frame. On the wire, never renumber.
type Flags uint8

// Flags.
const (
	// FlagResponse marks an answer.
	FlagResponse Flags = 1 << iota
	// FlagError marks an answer whose body is an Error.
	FlagError
	// FlagLZ4 marks a compressed body, see AppendCompressed.
	FlagLZ4
	// FlagOneWay marks a request that gets no answer.
	FlagOneWay
	// FlagMore marks an answer that others to the same request follow.
	FlagMore
	knownFlags = FlagResponse | FlagError | FlagLZ4 | FlagOneWay | FlagMore
)

// Header is what a frame begins with.
type Header struct {
	Length  uint32 // of what follows the header
	Stream  uint32 // chosen by who asks, repeated by the answer
	Op      Op
	Flags   Flags
	Version uint8
}

// Put writes the header into b, of at least HeaderSize bytes.
func (h *Header) Put(b []byte) {
	_ = b[HeaderSize-1]
	binary.LittleEndian.PutUint32(b, h.Length)
	binary.LittleEndian.PutUint32(b[4:], h.Stream)
	binary.LittleEndian.PutUint16(b[8:], uint16(h.Op))
	b[10] = byte(h.Flags)
	b[11] = h.Version
	binary.LittleEndian.PutUint32(b[12:], encoding.CRC32C(b[:12]))
}

// ParseHeader decodes and verifies the first HeaderSize bytes of b. An error
// means that the place in the stream is lost: the connection has to be closed.
func ParseHeader(b []byte) (h Header, err error) {
	if len(b) < HeaderSize {
		return h, corrupt("header", "%d bytes", len(b))
	}
	if got, want := encoding.CRC32C(b[:12]), binary.LittleEndian.Uint32(b[12:]); got != want {
		return h, corrupt("header", "its checksum is %08x, its bytes make %08x", want, got)
	}
	h = Header{
		Length: binary.LittleEndian.Uint32(b), Stream: binary.LittleEndian.Uint32(b[4:]),
		Op: Op(binary.LittleEndian.Uint16(b[8:])), Flags: Flags(b[10]), Version: b[11],
	}
	switch {
	case h.Version != Version:
		return h, fmt.Errorf("%w: a frame of version %d, this is version %d", ErrUnknownFeature, h.Version, Version)
	case h.Flags&^knownFlags != 0:
		return h, fmt.Errorf("%w: flags %#x of a frame", ErrUnknownFeature, uint8(h.Flags))
	case h.Length < minLength || h.Length > maxLength:
		return h, corrupt("header", "a frame of %d bytes, at most %d are possible", h.Length, maxLength)
	}
	return h, nil
}

// Prologue is what every message carries besides its body. Fields are
// numbered; a reader skips one that it does not know unless it is required.
type Prologue struct {
	// Epoch is the newest metadata epoch that the sender has, 0 for none.
	Epoch uint64
	// Left is the time in microseconds until the sender stops waiting, 0 for no
	// deadline.
	Left uint32
	// Trace is the context of a traced request, of at most 64 bytes.
	Trace []byte
}

// Numbers of the prologue's fields. On the wire, never renumber.
const (
	fieldEnd = iota
	fieldEpoch
	fieldDeadline
	fieldTrace
)

const (
	maxTrace    = 64
	MaxPrologue = 10 + 6 + 2 + maxTrace + 1
)

// Append appends the encoded prologue.
func (p *Prologue) Append(dst []byte) []byte {
	if p.Epoch != 0 {
		dst = append(dst, fieldEpoch<<1, 8)
		dst = appendU64(dst, p.Epoch)
	}
	if p.Left != 0 {
		dst = append(dst, fieldDeadline<<1, 4)
		dst = appendU32(dst, p.Left)
	}
	if n := len(p.Trace); n > 0 {
		dst = append(dst, fieldTrace<<1, byte(min(n, maxTrace)))
		dst = append(dst, p.Trace[:min(n, maxTrace)]...)
	}
	return append(dst, fieldEnd)
}

// decode decodes a prologue and returns its size in bytes.
func (p *Prologue) decode(b []byte) (int, error) {
	*p = Prologue{}
	r := encoding.NewReader(b)
	for {
		tag := r.Uvarint()
		if tag>>1 == fieldEnd || r.Err() != nil {
			break
		}
		f := r.Bytes()
		switch {
		case tag>>1 == fieldEpoch && len(f) == 8:
			p.Epoch = binary.LittleEndian.Uint64(f)
		case tag>>1 == fieldDeadline && len(f) == 4:
			p.Left = binary.LittleEndian.Uint32(f)
		case tag>>1 == fieldTrace && len(f) <= maxTrace:
			p.Trace = f
		case tag>>1 <= fieldTrace:
			r.Fail(corrupt("prologue", "field %d of %d bytes", tag>>1, len(f)))
		case tag&1 != 0:
			return 0, fmt.Errorf("%w: field %d of a prologue", ErrUnknownFeature, tag>>1)
		}
	}
	if err := r.Err(); err != nil {
		return 0, fmt.Errorf("%w: prologue: %w", ErrCorrupt, err)
	}
	return r.Offset(), nil
}

// ParsePayload verifies what follows a header, decodes its prologue into p and
// returns the body; both alias b. The body is as sent: with FlagLZ4 it is
// compressed. ErrUnknownFeature leaves the connection usable, ErrCorrupt does
// not.
func ParsePayload(b []byte, p *Prologue) (body []byte, err error) {
	if len(b) < minLength {
		return nil, corrupt("frame", "%d bytes", len(b))
	}
	n := len(b) - CheckSize
	if got, want := encoding.CRC32C(b[:n]), binary.LittleEndian.Uint32(b[n:]); got != want {
		return nil, corrupt("frame", "its checksum is %08x, its bytes make %08x", want, got)
	}
	size, err := p.decode(b[:n])
	if err != nil {
		return nil, err
	}
	return b[size:n:n], nil
}

// AppendFrame appends a whole frame whose body is parts one after the other,
// of at most MaxBody bytes together.
func AppendFrame(dst []byte, h Header, p *Prologue, parts ...[]byte) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, HeaderSize)...)
	dst = p.Append(dst)
	for _, part := range parts {
		dst = append(dst, part...)
	}
	dst = appendU32(dst, encoding.CRC32C(dst[start+HeaderSize:]))
	h.Length, h.Version = uint32(len(dst)-start-HeaderSize), Version
	h.Put(dst[start:])
	return dst
}

func appendU16(dst []byte, v uint16) []byte { return binary.LittleEndian.AppendUint16(dst, v) }
func appendU32(dst []byte, v uint32) []byte { return binary.LittleEndian.AppendUint32(dst, v) }
func appendU64(dst []byte, v uint64) []byte { return binary.LittleEndian.AppendUint64(dst, v) }
