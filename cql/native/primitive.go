package native

import (
	"encoding/binary"
	"math"
	"net/netip"
)

var be = binary.BigEndian

func appendU16(dst []byte, v uint16) []byte { return be.AppendUint16(dst, v) }
func appendU32(dst []byte, v uint32) []byte { return be.AppendUint32(dst, v) }
func appendI32(dst []byte, v int32) []byte  { return be.AppendUint32(dst, uint32(v)) }

// maxShort is the longest [string], [short bytes] or [string list].
const maxShort = math.MaxUint16

// AppendString appends a [string]: a u16 length and the bytes. What does not
// fit into 65,535 bytes is cut.
func AppendString(dst []byte, s string) []byte {
	s = s[:min(len(s), maxShort)]
	return append(appendU16(dst, uint16(len(s))), s...)
}

// AppendLongString appends a [long string]: an i32 length and the bytes.
func AppendLongString(dst []byte, s string) []byte {
	return append(appendI32(dst, int32(len(s))), s...)
}

// AppendValue appends a [bytes]: an i32 length and the bytes, or -1 for nil.
func AppendValue(dst, v []byte) []byte {
	if v == nil {
		return append(dst, 0xff, 0xff, 0xff, 0xff)
	}
	return append(appendI32(dst, int32(len(v))), v...)
}

func appendShortBytes(dst, p []byte) []byte {
	p = p[:min(len(p), maxShort)]
	return append(appendU16(dst, uint16(len(p))), p...)
}

func appendStringList(dst []byte, list []string) []byte {
	list = list[:min(len(list), maxShort)]
	dst = appendU16(dst, uint16(len(list)))
	for _, s := range list {
		dst = AppendString(dst, s)
	}
	return dst
}

// appendInetAddr appends an [inetaddr]: a length byte and 4 or 16 bytes.
func appendInetAddr(dst []byte, a netip.Addr) []byte {
	a = a.Unmap()
	if a.Is4() {
		b := a.As4()
		return append(append(dst, 4), b[:]...)
	}
	b := a.As16()
	return append(append(dst, 16), b[:]...)
}

// appendInet appends an [inet]: an [inetaddr] and an i32 port.
func appendInet(dst []byte, a netip.AddrPort) []byte {
	return appendI32(appendInetAddr(dst, a.Addr()), int32(a.Port()))
}

// reader takes the protocol's primitives off a body. Byte strings alias it.
// After the first failure it yields zeros and keeps bad set.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.b, r.bad = nil, true
		return nil
	}
	p := r.b[:n:n]
	r.b = r.b[n:]
	return p
}

func (r *reader) u8() uint8 {
	if len(r.b) < 1 {
		r.b, r.bad = nil, true
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *reader) u16() uint16 {
	if len(r.b) < 2 {
		r.b, r.bad = nil, true
		return 0
	}
	v := be.Uint16(r.b)
	r.b = r.b[2:]
	return v
}

func (r *reader) u32() uint32 {
	if len(r.b) < 4 {
		r.b, r.bad = nil, true
		return 0
	}
	v := be.Uint32(r.b)
	r.b = r.b[4:]
	return v
}

func (r *reader) i32() int32 { return int32(r.u32()) }

func (r *reader) u64() uint64 {
	if len(r.b) < 8 {
		r.b, r.bad = nil, true
		return 0
	}
	v := be.Uint64(r.b)
	r.b = r.b[8:]
	return v
}

// short reads a [string] or [short bytes].
func (r *reader) short() []byte { return r.take(int(r.u16())) }

// long reads a [long string].
func (r *reader) long() []byte { return r.take(int(r.i32())) }

// bytes reads a [bytes]; a negative length is nil.
func (r *reader) bytes() []byte {
	n := r.i32()
	if n < 0 {
		return nil
	}
	return r.take(int(n))
}
