// Package native encodes and decodes the CQL binary protocol, versions 3, 4
// and 5, as a server needs it: requests in, responses and events out. It does
// no I/O, starts no goroutine and keeps no state but an Assembler.
//
// A reader of a connection looks for whole frames and decodes them into
// structs that it reuses:
//
//	h, ok := native.ParseHeader(buf)          // more bytes needed if !ok
//	err := h.CheckLength(native.MaxFrame)     // before anything is allocated
//	payload, msg, err := native.SplitBody(h.Flags, body)
//	err = query.Decode(msg, h.Version)        // slices alias buf
//
// and answers by appending to a slice:
//
//	out = native.BeginFrame(out, native.Header{Version: 4, Stream: h.Stream, Opcode: native.OpResult})
//	out = native.AppendVoid(out)
//	native.EndFrame(out, start)
//
// # Frame
//
// All numbers are big-endian. Versions 1 and 2 have a stream of one byte and
// so a header of 8 bytes; they are parsed only to be refused.
//
//	 1         1       2        1        4        length
//	+---------+-------+--------+--------+--------+--------+
//	| version | flags | stream | opcode | length | body   |
//	+---------+-------+--------+--------+--------+--------+
//	bit 7 of version: response    flags: 01 compressed, 02 tracing,
//	04 custom payload, 08 warnings, 10 use beta
//
// The body of a request is [custom payload] message, that of a response
// [tracing id 16] [warnings] [custom payload] message, each present if its
// flag says so. Bytes after the end of a message are ignored.
//
// In v3 and v4 a body may be compressed: Snappy, or LZ4 as a u32 of the
// uncompressed size and a block. STARTUP never is.
//
// # Segment
//
// From the answer to STARTUP on, v5 carries frames in segments. These numbers
// are little-endian.
//
//	         3                 3       length    4
//	plain   +-----------------+-------+---------+-------+
//	        | bits            | CRC24 | payload | CRC32 |
//	        +-----------------+-------+---------+-------+
//	         17 length, 1 self-contained, 6 unused
//
//	         5                 3       length    4
//	LZ4     +-----------------+-------+---------+-------+
//	        | bits            | CRC24 | payload | CRC32 |
//	        +-----------------+-------+---------+-------+
//	         17 length, 17 uncompressed length (0: stored), 1 self-contained, 5 unused
//
// CRC24 has the initial value 0x875060 and the polynomial 0x1974F0B; CRC32 is
// the IEEE one, started with the bytes FA 2D 55 CA. A self-contained segment
// is one or more whole frames; a longer frame is spread over segments that are
// not self-contained. AppendSegments puts each segment contiguously into its
// output, since some drivers lose data when a segment's header comes alone.
//
// # Values
//
// A value is an i32 length and bytes; -1 is null, and -2, from v4 on, unset.
//
// # Invariants
//
// No decoder panics or allocates more than a small multiple of its input on
// any bytes: counts are checked against what is left, a declared uncompressed
// size against the frame's cap and against 255 times the input. Decoding into
// a reused struct, and encoding into a slice with room, allocate nothing.
//
// Errors that a client may see are *Error; decoders return nothing else. A
// message that fails to decode leaves the connection usable, since the frame's
// end is known; a failed checksum of a segment does not.
//
// # Concurrency
//
// Functions are pure. Metadata is immutable and shared freely; structs that
// are decoded into belong to one goroutine at a time.
//
// # What it does not do
//
// It is not a client: requests are encoded only as raw bodies. It knows no
// type but by number, see TypeOption, and no SASL.
package native
