package native

import (
	"bytes"
	"testing"
)

func FuzzFrame(f *testing.F) {
	f.Add([]byte{4, 0, 0, 1, 5, 0, 0, 0, 0}, byte(0))
	f.Add(AppendRequest(nil, Header{Version: V4, Flags: FlagCustomPayload}, []byte{0, 1, 0, 1, 'k', 0, 0, 0, 1, 'v', 'x'}), byte(1))
	f.Add([]byte{4, 1, 0, 1, 7, 0, 0, 0, 7, 0, 0, 0, 2, 0x20, 'a', 'b'}, byte(1))
	f.Add([]byte{3, 1, 0, 1, 7, 0, 0, 0, 4, 2, 4, 'a', 'b'}, byte(2))
	f.Fuzz(func(t *testing.T, b []byte, c byte) {
		h, ok := ParseHeader(b)
		if !ok || h.CheckLength(1<<20) != nil || len(b) < h.FrameSize() {
			return
		}
		body := b[h.Size():h.FrameSize()]
		if h.Flags&FlagCompression != 0 {
			var err error
			in := len(body)
			if body, err = Decompress(nil, body, Compression(c%3), 1<<20); err != nil {
				return
			}
			if len(body) > maxRatio*in {
				t.Fatalf("%d bytes became %d", in, len(body))
			}
		}
		payload, msg, err := SplitBody(h.Flags, body)
		if err == nil && !bytes.Equal(append(bytes.Clone(payload), msg...), body) {
			t.Fatal("split loses bytes")
		}
		payloadEntry(payload, func(_, _ []byte) bool { return true })
	})
}

func FuzzSegment(f *testing.F) {
	frames := AppendRequest(nil, Header{Version: V5, Opcode: OpQuery}, bytes.Repeat([]byte("ab"), 300))
	f.Add(AppendSegments(nil, frames, false), false)
	f.Add(AppendSegments(nil, frames, true), true)
	f.Fuzz(func(t *testing.T, b []byte, compressed bool) {
		// Bytes as a segment.
		var a Assembler
		if s, ok, err := ParseSegment(b, compressed); ok && err == nil {
			if s.Size > len(b) || s.Uncompressed > MaxSegmentPayload {
				t.Fatalf("%+v", s)
			}
			_, _ = s.AppendPayload(nil)
			_, _ = a.Add(s, 1<<20)
		}
		// Bytes as the body of a frame that goes there and back.
		want := AppendRequest(nil, Header{Version: V5, Opcode: OpQuery}, b)
		s, ok, err := ParseSegment(AppendSegments(nil, want, compressed), compressed)
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		if got, err := s.AppendPayload(nil); err != nil || s.SelfContained && !bytes.Equal(got, want) {
			t.Fatal("payload differs", err)
		}
	})
}

func FuzzRequest(f *testing.F) {
	q := append(AppendLongString(nil, "SELECT"), 0, 1, 0x7f, 0, 1, 0, 1, 'n', 0, 0, 0, 1, 'v')
	f.Add(q, byte(0), byte(1))
	f.Add(append(appendShortBytes(nil, make([]byte, 16)), 0, 4, 1, 0, 1, 0xff, 0xff, 0xff, 0xfe), byte(1), byte(1))
	f.Add([]byte{0, 0, 1, 0, 0, 0, 0, 1, 'a', 0, 1, 0, 0, 0, 1, 'x', 0, 1, 0}, byte(2), byte(1))
	f.Add([]byte{0, 1, 0, 1, 'a', 0, 1, 'b'}, byte(3), byte(2))
	f.Fuzz(func(t *testing.T, b []byte, kind, version byte) {
		v := V3 + version%3
		var err error
		var params *QueryParams
		switch kind % 6 {
		case 0:
			var q Query
			err = q.Decode(b, v)
			params = &q.Params
		case 1:
			var x Execute
			err = x.Decode(b, v)
			params = &x.Params
		case 2:
			var x Batch
			if err = x.Decode(b, v); err == nil {
				for i := range x.Statements {
					x.Values(i)
				}
			}
			params = &x.Params
		case 3:
			_, err = DecodeStartup(b)
		case 4:
			_, err = DecodeRegister(b)
		case 5:
			var p Prepare
			err = p.Decode(b, v)
		}
		if params != nil && len(params.Values) > len(b) {
			t.Fatalf("%d values of %d bytes", len(params.Values), len(b))
		}
		if err != nil && AsError(err) != err {
			t.Fatalf("%T: %v", err, err)
		}
	})
}
