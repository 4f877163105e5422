package native

import (
	"bytes"
	"testing"
)

// FuzzStream sends frames of fuzzed sizes through segments, cut off the wire
// at any place, and wants the same frames back.
func FuzzStream(f *testing.F) {
	f.Add([]byte("ab"), uint32(3), uint32(300), uint32(20), false)
	f.Add([]byte("x"), uint32(MaxSegmentPayload-9), uint32(1), uint32(MaxSegmentPayload), true)
	f.Add([]byte{1, 2, 3, 4, 5}, uint32(MaxSegmentPayload+1), uint32(2*MaxSegmentPayload), uint32(0), true)
	f.Fuzz(func(t *testing.T, b []byte, x, y, z uint32, compressed bool) {
		var frames []byte
		for i, n := range []uint32{x, y, z} {
			body := make([]byte, n%(3*MaxSegmentPayload))
			for at := 0; at < len(body) && len(b) > 0; at += 1 + i*len(b) {
				at += copy(body[at:], b)
			}
			frames = AppendRequest(frames, Header{Version: V5, Opcode: OpQuery, Stream: int16(i)}, body)
		}
		wire := AppendSegments(nil, frames, compressed)
		var a Assembler
		var got []byte
		for len(wire) > 0 {
			short, ok, err := ParseSegment(wire[:min(len(wire), 7)], compressed)
			if err != nil || !ok && (short.Size <= 0 || short.Size > len(wire)) {
				t.Fatalf("the head of a segment: %+v, %v", short, err)
			}
			s, ok, err := ParseSegment(wire, compressed)
			if !ok || err != nil {
				t.Fatal(ok, err)
			}
			if wire = wire[s.Size:]; s.SelfContained {
				got, err = s.AppendPayload(got)
			} else {
				var frame []byte
				frame, err = a.Add(s, 1<<30)
				got = append(got, frame...)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if a.Pending() || !bytes.Equal(got, frames) {
			t.Fatalf("%d bytes of frames became %d", len(frames), len(got))
		}
	})
}

// FuzzCompress takes a frame there and back through each compression, and any
// bytes as a compressed body.
func FuzzCompress(f *testing.F) {
	f.Add([]byte("abc"), uint16(500), byte(1))
	f.Add([]byte{0, 0, 1, 0, 0x1f, 0, 1, 0}, uint16(1), byte(1))
	f.Add([]byte{0x80, 2, 0, 0}, uint16(1), byte(2))
	f.Fuzz(func(t *testing.T, b []byte, times uint16, which byte) {
		c := Compression(1 + which%2)
		if out, err := Decompress([]byte("head"), b, c, 1<<20); string(out[:4]) != "head" || err == nil && len(out)-4 > maxRatio*len(b) {
			t.Fatalf("%d bytes became %d, %v", len(b), len(out)-4, err)
		}
		body := bytes.Repeat(b, 1+int(times)%600)
		if len(body) > 1<<18 {
			return
		}
		frame := AppendCompressedFrame(nil, AppendRequest(nil, Header{Version: V4, Opcode: OpQuery}, body), c)
		h, ok := ParseHeader(frame)
		if !ok || h.FrameSize() != len(frame) {
			t.Fatalf("%+v of %d bytes", h, len(frame))
		}
		got := frame[h.Size():]
		if h.Flags&FlagCompression != 0 {
			var err error
			if got, err = Decompress(nil, got, c, len(body)); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(got, body) {
			t.Fatal("the body differs")
		}
	})
}

// FuzzPrimitives reads back values as they were appended.
func FuzzPrimitives(f *testing.F) {
	f.Add([]byte("value"), "text", byte(0))
	f.Add([]byte{0xff, 0xff, 0xff, 0xfe}, "", byte(2))
	f.Fuzz(func(t *testing.T, p []byte, s string, how byte) {
		v := p
		if how&1 != 0 {
			v = nil
		}
		b := AppendValue(AppendLongString(AppendString(nil, s), s), v)
		b = appendStringList(appendShortBytes(b, p), []string{s, ""})
		r := reader{b: b}
		short := s[:min(len(s), maxShort)]
		if got := string(r.short()); got != short {
			t.Fatalf("%q became %q", s, got)
		}
		if got := string(r.long()); got != s {
			t.Fatalf("%q became %q", s, got)
		}
		got, err := readValue(&r, V3+how%3)
		if err != nil || !bytes.Equal(got.Bytes, v) || got.IsNull() != (v == nil) || got.Unset {
			t.Fatalf("%x became %+v, %v", v, got, err)
		}
		if got := r.short(); !bytes.Equal(got, p[:min(len(p), maxShort)]) {
			t.Fatalf("%x became %x", p, got)
		}
		if n, one, two := r.u16(), string(r.short()), r.short(); n != 2 || one != short || len(two) != 0 || r.bad || len(r.b) != 0 {
			t.Fatalf("list of %d: %q, %q, %d left", n, one, two, len(r.b))
		}
		hostile := reader{b: p}
		v2, err := readValue(&hostile, V3+how%3)
		if err == nil && len(v2.Bytes) > len(p) {
			t.Fatalf("%d bytes out of %d", len(v2.Bytes), len(p))
		}
	})
}
