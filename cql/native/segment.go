package native

import "hash/crc32"

// Sizes of the parts of a v5 segment in bytes.
const (
	segmentHeader           = 3 + crc24Size
	segmentHeaderCompressed = 5 + crc24Size
	segmentTrailer          = 4
	crc24Size               = 3
)

// MaxSegment is the most bytes that a segment takes with header and trailer.
const MaxSegment = segmentHeaderCompressed + MaxSegmentPayload + segmentTrailer

const (
	crc24Init = 0x875060
	crc24Poly = 0x1974F0B
)

var crc24Table = func() (t [256]uint32) {
	for i := range t {
		crc := uint32(i) << 16
		for range 8 {
			crc <<= 1
			if crc&0x1000000 != 0 {
				crc ^= crc24Poly
			}
		}
		t[i] = crc & 0xffffff
	}
	return t
}()

func crc24(p []byte) uint32 {
	crc := uint32(crc24Init)
	for _, b := range p {
		crc = crc<<8&0xffffff ^ crc24Table[byte(crc>>16)^b]
	}
	return crc
}

// crc32Init is the state after the four bytes that seed the payload's CRC.
var crc32Init = crc32.ChecksumIEEE([]byte{0xFA, 0x2D, 0x55, 0xCA})

func payloadCRC(p []byte) uint32 { return crc32.Update(crc32Init, crc32.IEEETable, p) }

func getU24(b []byte) uint32 { return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 }

func appendLE(dst []byte, v uint64, n int) []byte {
	for range n {
		dst = append(dst, byte(v))
		v >>= 8
	}
	return dst
}

// Segment is one v5 segment taken off the wire.
type Segment struct {
	// Payload aliases the input and is compressed if Uncompressed is not 0.
	Payload []byte
	// Uncompressed is the declared size of a compressed payload, at most
	// MaxSegmentPayload.
	Uncompressed int
	// SelfContained: the payload is whole frames. Otherwise it is a part of one.
	SelfContained bool
	// Size is how many bytes the segment takes in all.
	Size int
}

// ParseSegment decodes and checks the segment at the start of b. compressed
// selects the header of a connection with compression. If b is too short, ok
// is false and Size says how many bytes are wanted before it is worth trying
// again. A failed checksum is a protocol error after which nothing on the
// connection can be trusted.
func ParseSegment(b []byte, compressed bool) (s Segment, ok bool, err error) {
	head := segmentHeader
	if compressed {
		head = segmentHeaderCompressed
	}
	if len(b) < head {
		return Segment{Size: head}, false, nil
	}
	if crc24(b[:head-crc24Size]) != getU24(b[head-crc24Size:]) {
		return s, false, Protocol("CRC mismatch on header of segment")
	}
	var length int
	if compressed {
		bits := uint64(getU24(b)) | uint64(b[3])<<24 | uint64(b[4])<<32
		length = int(bits & MaxSegmentPayload)
		s.Uncompressed = int(bits >> 17 & MaxSegmentPayload)
		s.SelfContained = bits>>34&1 != 0
	} else {
		bits := getU24(b)
		length = int(bits & MaxSegmentPayload)
		s.SelfContained = bits>>17&1 != 0
	}
	s.Size = head + length + segmentTrailer
	if len(b) < s.Size {
		return s, false, nil
	}
	s.Payload = b[head : head+length : head+length]
	if payloadCRC(s.Payload) != le32(b[head+length:]) {
		return s, false, Protocol("CRC mismatch on payload of segment")
	}
	return s, true, nil
}

func le32(b []byte) uint32 {
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

// AppendPayload appends the uncompressed payload to dst.
func (s Segment) AppendPayload(dst []byte) ([]byte, error) {
	if s.Uncompressed == 0 {
		return append(dst, s.Payload...), nil
	}
	if err := checkDeclared(s.Uncompressed, len(s.Payload), MaxSegmentPayload); err != nil {
		return dst, err
	}
	return decompressLZ4(dst, s.Payload, s.Uncompressed)
}

// AppendSegments wraps frames, which is a sequence of whole frames, into
// segments: as many frames as fit share one, a longer frame is spread over
// several that are not self-contained. With compressed set the header is that
// of a connection with LZ4. Each segment is contiguous in dst, so that one
// write can carry it whole: some clients lose data otherwise.
func AppendSegments(dst, frames []byte, compressed bool) []byte {
	for len(frames) > 0 {
		n := wholeFrames(frames)
		if n > 0 {
			dst = appendSegment(dst, frames[:n], true, compressed)
			frames = frames[n:]
			continue
		}
		h, _ := ParseHeader(frames)
		for rest := h.FrameSize(); rest > 0; {
			n := min(rest, MaxSegmentPayload)
			dst = appendSegment(dst, frames[:n], false, compressed)
			frames = frames[n:]
			rest -= n
		}
	}
	return dst
}

// wholeFrames is the length of the longest prefix of whole frames that fits
// into one segment; 0 if the first does not.
func wholeFrames(frames []byte) int {
	n := 0
	for n < len(frames) {
		h, _ := ParseHeader(frames[n:])
		if n+h.FrameSize() > MaxSegmentPayload {
			break
		}
		n += h.FrameSize()
	}
	return n
}

func appendSegment(dst, payload []byte, self, compressed bool) []byte {
	start := len(dst)
	var bit uint64
	if self {
		bit = 1
	}
	if !compressed {
		dst = appendLE(dst, uint64(len(payload))|bit<<17, 3)
		dst = appendLE(dst, uint64(crc24(dst[start:])), crc24Size)
		dst = append(dst, payload...)
		return appendLE(dst, uint64(payloadCRC(payload)), segmentTrailer)
	}
	dst = append(dst, make([]byte, segmentHeaderCompressed)...)
	at := len(dst)
	declared := 0
	if len(payload) >= minCompress {
		if dst = appendLZ4(dst, payload); len(dst)-at < len(payload) {
			declared = len(payload)
		} else {
			dst = dst[:at]
		}
	}
	if declared == 0 {
		dst = append(dst, payload...)
	}
	bits := uint64(len(dst)-at) | uint64(declared)<<17 | bit<<34
	head := appendLE(dst[:start], bits, 5)
	appendLE(head, uint64(crc24(head[start:])), crc24Size)
	return appendLE(dst, uint64(payloadCRC(dst[at:])), segmentTrailer)
}

// Assembler joins the parts of a frame that came in several segments. The zero
// value is ready; it is not safe for concurrent use.
type Assembler struct {
	// buf is the bytes of one unfinished frame.
	buf []byte
	// refused tells that the frame begun in buf is too long.
	refused bool
	// skip is how many bytes of a frame that was refused are still to come.
	skip int
}

// Pending tells whether a frame is unfinished.
func (a *Assembler) Pending() bool { return len(a.buf) > 0 || a.skip > 0 }

// Skip returns the header of the frame that Add has just refused as too long,
// and makes Add throw away what is still to come of it. False means that
// there is no such frame or that it is longer than limit bytes.
func (a *Assembler) Skip(limit int) (Header, bool) {
	h, _ := ParseHeader(a.buf)
	if !a.refused || h.Response || uint64(h.Length) > uint64(limit) || h.FrameSize() < len(a.buf) {
		return h, false
	}
	a.skip, a.buf, a.refused = h.FrameSize()-len(a.buf), nil, false
	return h, true
}

// Add takes the payload of a segment that is not self-contained. When that
// completes the frame, Add returns it and forgets it: the caller owns it. The
// frame's body may not exceed limit bytes.
func (a *Assembler) Add(s Segment, limit int) (frame []byte, err error) {
	if a.skip > 0 {
		n := len(s.Payload)
		if s.Uncompressed > 0 {
			n = s.Uncompressed
		}
		if n > a.skip {
			return nil, Protocol("Segment has bytes beyond the end of its frame")
		}
		a.skip -= n
		return nil, nil
	}
	a.buf, err = s.AppendPayload(a.buf)
	if err != nil {
		return nil, err
	}
	h, ok := ParseHeader(a.buf)
	if !ok {
		return nil, nil
	}
	if err := h.CheckLength(limit); err != nil {
		a.refused = true
		return nil, err
	}
	switch size := h.FrameSize(); {
	case len(a.buf) < size:
		return nil, nil
	case len(a.buf) > size:
		return nil, Protocol("Segment has bytes beyond the end of its frame")
	}
	frame, a.buf = a.buf, nil
	return frame, nil
}
