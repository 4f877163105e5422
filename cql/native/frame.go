package native

// Header is what precedes every message (an "envelope" in v5).
type Header struct {
	// Version has no direction bit.
	Version uint8
	// Response is the direction bit: set in what a server sends.
	Response bool
	Flags    uint8
	Stream   int16
	Opcode   Opcode
	// Length of the body in bytes.
	Length uint32
}

// Size is the length of the header itself in bytes.
func (h Header) Size() int { return headerSize(h.Version) }

func headerSize(version uint8) int {
	if version == V1 || version == V2 {
		return OldHeaderSize
	}
	return HeaderSize
}

// FrameSize is the length of header and body in bytes.
func (h Header) FrameSize() int { return h.Size() + int(h.Length) }

// ParseHeader decodes the header at the start of b; ok is false if b is too
// short. It judges nothing: a hostile Length must be checked by the caller
// before anything is allocated, see CheckLength.
func ParseHeader(b []byte) (h Header, ok bool) {
	if len(b) == 0 {
		return h, false
	}
	h.Version = b[0] & 0x7f
	h.Response = b[0]&0x80 != 0
	if len(b) < h.Size() {
		return h, false
	}
	h.Flags = b[1]
	if h.Size() == OldHeaderSize {
		h.Stream = int16(int8(b[2]))
		h.Opcode = Opcode(b[3])
		h.Length = be.Uint32(b[4:])
		return h, true
	}
	h.Stream = int16(be.Uint16(b[2:]))
	h.Opcode = Opcode(b[4])
	h.Length = be.Uint32(b[5:])
	return h, true
}

// CheckLength refuses a body longer than limit bytes. The error is INVALID, as
// Cassandra's is: drivers give a connection up at a protocol error.
func (h Header) CheckLength(limit int) error {
	if uint64(h.Length) > uint64(limit) {
		return Invalid("Request is too big: length %d exceeds maximum allowed length %d", h.Length, limit)
	}
	return nil
}

// Supported tells whether the version is one this package speaks.
func Supported(version uint8) bool { return version >= V3 && version <= V5 }

// UnsupportedVersion is the error that makes drivers try a lower version. The
// text is one that drivers search for.
func UnsupportedVersion(version uint8) *Error {
	return Protocol("Invalid or unsupported protocol version (%d); supported versions are (3/v3, 4/v4, 5/v5)", version)
}

// BetaVersion is the error for v6 without the flag USE_BETA.
func BetaVersion() *Error {
	return Protocol("Beta version of the protocol used (6/v6-beta), but USE_BETA flag is unset")
}

// BeginFrame appends a response header whose length is filled by EndFrame.
func BeginFrame(dst []byte, h Header) []byte {
	if h.Size() == OldHeaderSize {
		return append(dst, 0x80|h.Version, h.Flags, byte(h.Stream), byte(h.Opcode), 0, 0, 0, 0)
	}
	return append(dst, 0x80|h.Version, h.Flags, byte(h.Stream>>8), byte(h.Stream), byte(h.Opcode), 0, 0, 0, 0)
}

// EndFrame fills in the length of the frame that starts at start and reaches
// to the end of dst.
func EndFrame(dst []byte, start int) {
	size := headerSize(dst[start] & 0x7f)
	be.PutUint32(dst[start+size-4:], uint32(len(dst)-start-size))
}

// AppendRequest appends a whole request frame: for clients and tests.
func AppendRequest(dst []byte, h Header, body []byte) []byte {
	start := len(dst)
	dst = BeginFrame(dst, h)
	dst[start] &= 0x7f
	dst = append(dst, body...)
	EndFrame(dst, start)
	return dst
}

// Prefix is what may stand before a message in a response's body, in this
// order: tracing id, warnings, custom payload.
type Prefix struct {
	Tracing  *[16]byte
	Warnings []string
	// Payload is an encoded [bytes map] as SplitBody returns it, or nil.
	Payload []byte
}

// Flags are the header flags that announce the prefix in a version.
func (p *Prefix) Flags(version uint8) (flags uint8) {
	if p.Tracing != nil {
		flags |= FlagTracing
	}
	if version >= V4 && len(p.Warnings) > 0 {
		flags |= FlagWarning
	}
	if version >= V4 && len(p.Payload) > 0 {
		flags |= FlagCustomPayload
	}
	return flags
}

// Append appends the prefix as its Flags announce it.
func (p *Prefix) Append(dst []byte, version uint8) []byte {
	if p.Tracing != nil {
		dst = append(dst, p.Tracing[:]...)
	}
	if version < V4 {
		return dst
	}
	if len(p.Warnings) > 0 {
		dst = appendStringList(dst, p.Warnings)
	}
	return append(dst, p.Payload...)
}

// SplitBody takes the custom payload off a request's body, which must be
// uncompressed. payload is the encoded [bytes map], nil without one; both
// results alias body.
func SplitBody(flags uint8, body []byte) (payload, message []byte, err error) {
	if flags&FlagCustomPayload == 0 {
		return nil, body, nil
	}
	r := reader{b: body}
	for n := r.u16(); n > 0 && !r.bad; n-- {
		r.short()
		r.bytes()
	}
	if r.bad {
		return nil, nil, Protocol("Malformed custom payload")
	}
	return body[:len(body)-len(r.b)], r.b, nil
}

// EndFrameAfter is EndFrame for a frame to which more bytes are sent that are
// not in dst.
func EndFrameAfter(dst []byte, start, more int) {
	size := headerSize(dst[start] & 0x7f)
	be.PutUint32(dst[start+size-4:], uint32(len(dst)-start-size+more))
}
