package native

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestOldHeader(t *testing.T) {
	h, ok := ParseHeader([]byte{0x02, 0, 0x80, 5, 0, 0, 0, 7})
	if !ok || h.Version != V2 || h.Stream != -128 || h.Opcode != OpOptions || h.Length != 7 || h.Size() != 8 {
		t.Fatalf("%+v", h)
	}
	b := BeginFrame(nil, Header{Version: V1, Stream: 3, Opcode: OpError})
	b = AppendError(b, V1, UnsupportedVersion(1))
	EndFrame(b, 0)
	h, ok = ParseHeader(b)
	if !ok || !h.Response || h.FrameSize() != len(b) || h.Version != V1 {
		t.Fatalf("%+v", h)
	}
	if _, ok := ParseHeader(nil); ok {
		t.Error("header of nothing")
	}
	if _, ok := ParseHeader(make([]byte, HeaderSize-1)); ok {
		t.Error("header of 8 bytes of version 0")
	}
}

func TestCheckLength(t *testing.T) {
	if err := (Header{Length: MaxFrame}).CheckLength(MaxFrame); err != nil {
		t.Error(err)
	}
	err := Header{Length: 1 << 31}.CheckLength(MaxFrame)
	if AsError(err).Code != CodeInvalid {
		t.Error(err)
	}
}

func TestAsError(t *testing.T) {
	if AsError(nil) != nil {
		t.Error("nil")
	}
	e := Invalid("no %s", "table")
	if got := AsError(fmt.Errorf("wrapped: %w", e)); got != e {
		t.Error(got)
	}
	if got := AsError(errors.New("x")); got.Code != CodeServer || got.Msg != "x" {
		t.Error(got)
	}
	if !errors.Is(e, &Error{Code: CodeInvalid}) || errors.Is(e, &Error{Code: CodeSyntax}) {
		t.Error("Is")
	}
}

func TestHostileBodies(t *testing.T) {
	long := bytes.Repeat([]byte{0xff}, 64)
	var q Query
	var x Execute
	var p Prepare
	var b Batch
	for n := range long {
		for _, v := range versions {
			for _, err := range []error{
				q.Decode(long[:n], v), x.Decode(long[:n], v), p.Decode(long[:n], v), b.Decode(long[:n], v),
			} {
				if AsError(err) == nil || AsError(err).Code != CodeProtocol {
					t.Fatalf("%d bytes, v%d: %v", n, v, err)
				}
			}
		}
		if _, err := DecodeStartup(long[:n]); err == nil {
			t.Fatal("STARTUP")
		}
		if _, err := DecodeRegister(long[:n]); err == nil {
			t.Fatal("REGISTER")
		}
		if _, _, err := SplitBody(FlagCustomPayload, long[:n]); err == nil {
			t.Fatal("payload")
		}
	}
}

func TestTrailingBytesAreIgnored(t *testing.T) {
	body := AppendLongString(nil, "SELECT 1")
	body = append(body, 0, 1, 0)
	body = append(body, "rubbish"...)
	var q Query
	if err := q.Decode(body, V4); err != nil || q.Params.Consistency != One || q.Params.SerialConsistency != Serial {
		t.Fatal(err, q)
	}
}

func TestLimitsOfParams(t *testing.T) {
	q := func(body ...byte) error {
		var q Query
		return q.Decode(append(AppendLongString(nil, "q"), body...), V4)
	}
	for name, err := range map[string]error{
		"consistency": q(0, 99, 0),
		"values":      q(0, 1, 1, 0xff, 0xff, 0, 0, 0, 0),
		"length":      q(0, 1, 1, 0, 1, 0xff, 0xff, 0xff, 0xfd),
		"timestamp":   q(0, 1, 0x20, 0x80, 0, 0, 0, 0, 0, 0, 0),
	} {
		if AsError(err) == nil || AsError(err).Code != CodeProtocol {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := q(0, 1, 0x10, 0, 1); AsError(err) == nil || AsError(err).Code != CodeInvalid {
		t.Errorf("serial consistency: %v", err)
	}
}

func TestUnsetIsNullInV3(t *testing.T) {
	body := append(AppendLongString(nil, "q"), 0, 1, 1, 0, 1, 0xff, 0xff, 0xff, 0xfe)
	var q Query
	if err := q.Decode(body, V3); err != nil || !q.Params.Values[0].IsNull() {
		t.Fatal(err, q.Params.Values)
	}
	if err := q.Decode(body, V4); err != nil || !q.Params.Values[0].Unset || q.Params.Values[0].IsNull() {
		t.Fatal(err, q.Params.Values)
	}
}

func TestCompressionBombs(t *testing.T) {
	for name, body := range map[string][]byte{
		"lz4 negative":    {0xff, 0xff, 0xff, 0xff, 0},
		"lz4 2 GiB":       {0x7f, 0xff, 0xff, 0xff, 0},
		"lz4 ratio":       {0, 0, 1, 0, 0},
		"lz4 short":       {0, 0},
		"lz4 wrong size":  {0, 0, 0, 9, 0x10, 'a'},
		"lz4 rubbish":     {0, 0, 0, 9, 0xff, 0xff, 0xff},
		"snappy 4 GiB":    {0xff, 0xff, 0xff, 0xff, 0x0f, 0},
		"snappy ratio":    {0xff, 0x7f, 0},
		"snappy no size":  {0xff},
		"snappy rubbish":  {9, 0xff, 0xff},
		"snappy nothing":  {},
		"none negotiated": {1, 2, 3},
	} {
		c := NoCompression
		switch {
		case strings.HasPrefix(name, "lz4"):
			c = LZ4
		case strings.HasPrefix(name, "snappy"):
			c = Snappy
		}
		got, err := Decompress(nil, body, c, MaxFrame)
		if AsError(err) == nil || AsError(err).Code != CodeProtocol || cap(got) > 1024 {
			t.Errorf("%s: %v, %d bytes allocated", name, err, cap(got))
		}
	}
	if got, err := Decompress(nil, []byte{0, 0, 0, 0}, LZ4, MaxFrame); err != nil || len(got) != 0 {
		t.Error("empty lz4 body", err)
	}
}

func TestIncompressibleStaysAsItIs(t *testing.T) {
	body := make([]byte, 4096)
	for i, x := 0, uint32(1); i < len(body); i++ {
		x = x*1664525 + 1013904223
		body[i] = byte(x >> 24)
	}
	f := AppendRequest(nil, Header{Version: V4, Opcode: OpResult}, body)
	for _, c := range []Compression{LZ4, Snappy} {
		if got := AppendCompressedFrame(nil, f, c); !bytes.Equal(got, f) {
			t.Errorf("%v: changed", c)
		}
	}
	f[0] = V5
	s := AppendSegments(nil, f, true)
	seg, ok, err := ParseSegment(s, true)
	if !ok || err != nil || seg.Uncompressed != 0 || !bytes.Equal(seg.Payload, f) {
		t.Errorf("segment %+v %v %v", seg.Size, ok, err)
	}
}

func TestParseCompression(t *testing.T) {
	for _, c := range []Compression{NoCompression, LZ4, Snappy} {
		if got, err := ParseCompression(c.String(), V4); err != nil || got != c {
			t.Error(c, got, err)
		}
	}
	for _, name := range []string{"snappy", "zstd"} {
		if _, err := ParseCompression(name, V5); err == nil {
			t.Error(name)
		}
	}
}

func TestSegmentDamage(t *testing.T) {
	frames := AppendRequest(nil, Header{Version: V5, Opcode: OpQuery}, bytes.Repeat([]byte("x"), 300))
	for _, compressed := range []bool{false, true} {
		whole := AppendSegments(nil, frames, compressed)
		for n := range whole {
			if s, ok, err := ParseSegment(whole[:n], compressed); ok || err != nil || s.Size <= n {
				t.Fatalf("%d bytes: %v %v, wants %d", n, ok, err, s.Size)
			}
		}
		for i := range whole {
			bad := bytes.Clone(whole)
			bad[i] ^= 0x10
			if _, ok, err := ParseSegment(bad, compressed); ok || AsError(err) == nil {
				t.Fatalf("byte %d: %v %v", i, ok, err)
			}
		}
	}
}

func TestAssembler(t *testing.T) {
	frame := AppendRequest(nil, Header{Version: V5, Opcode: OpQuery}, bytes.Repeat([]byte("0123456789"), 30_000))
	for _, compressed := range []bool{false, true} {
		rest := AppendSegments(nil, frame, compressed)
		var a Assembler
		var got []byte
		for len(rest) > 0 {
			s, ok, err := ParseSegment(rest, compressed)
			if !ok || err != nil || s.SelfContained || got != nil {
				t.Fatal(ok, err)
			}
			if got, err = a.Add(s, MaxFrame); err != nil {
				t.Fatal(err)
			}
			rest = rest[s.Size:]
		}
		if !bytes.Equal(got, frame) || a.Pending() {
			t.Fatal("frame differs")
		}
	}
	var a Assembler
	s := Segment{Payload: frame[:100]}
	if _, err := a.Add(s, 1000); AsError(err) == nil {
		t.Error("frame over the limit was taken")
	}
	a = Assembler{}
	s.Payload = append(AppendRequest(nil, Header{Version: V5}, nil), 1)
	if _, err := a.Add(s, 1000); AsError(err) == nil {
		t.Error("bytes beyond the frame were taken")
	}
}

// payloadEntry calls yield with each entry of an encoded [bytes map] until it
// returns false. The slices alias payload.
func payloadEntry(payload []byte, yield func(key, value []byte) bool) {
	r := reader{b: payload}
	for n := r.u16(); n > 0; n-- {
		k, v := r.short(), r.bytes()
		if r.bad || !yield(k, v) {
			return
		}
	}
}

func TestPayloadEntries(t *testing.T) {
	body := []byte{0, 2, 0, 1, 'a', 0, 0, 0, 1, 'b', 0, 1, 'c', 0xff, 0xff, 0xff, 0xff, 'm', 's', 'g'}
	payload, msg, err := SplitBody(FlagCustomPayload, body)
	if err != nil || string(msg) != "msg" {
		t.Fatal(err, msg)
	}
	var got []string
	payloadEntry(payload, func(k, v []byte) bool {
		got = append(got, fmt.Sprintf("%s=%s/%v", k, v, v == nil))
		return true
	})
	check(t, "entries", got, []string{"a=b/false", "c=/true"})
}

func TestNoAllocations(t *testing.T) {
	meta := NewMetadata(oneTable)
	exec := append(appendShortBytes(nil, make([]byte, 16)), 0, 4, 1, 0, 2, 0, 0, 0, 1, 'x', 0xff, 0xff, 0xff, 0xff)
	batch := append([]byte{0, 0, 1, 1}, appendShortBytes(nil, make([]byte, 16))...)
	batch = append(batch, 0, 1, 0, 0, 0, 1, 'x', 0, 1, 0)
	var x Execute
	var b Batch
	out := make([]byte, 0, 64<<10)
	seg := make([]byte, 0, 64<<10)
	body := make([]byte, 2000)
	for name, f := range map[string]func(){
		"execute": func() {
			if x.Decode(exec, V4) != nil {
				t.Fatal("decode")
			}
		},
		"batch": func() {
			if b.Decode(batch, V4) != nil {
				t.Fatal("decode")
			}
		},
		"rows": func() {
			out = BeginFrame(out[:0], Header{Version: V5, Opcode: OpResult})
			var at int
			out, at = AppendRowsHead(out, V5, &RowsHead{Metadata: meta})
			out = AppendValue(out, body)
			SetRowCount(out, at, 1)
			EndFrame(out, 0)
			seg = AppendSegments(seg[:0], out, false)
			seg = AppendSegments(seg[:0], out, true)
			if _, ok, err := ParseSegment(seg, true); !ok || err != nil {
				t.Fatal("segment")
			}
		},
	} {
		f()
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkExecuteDecode(b *testing.B) {
	exec := append(appendShortBytes(nil, make([]byte, 16)), 0, 4, 1, 0, 2, 0, 0, 0, 1, 'x', 0xff, 0xff, 0xff, 0xff)
	var x Execute
	b.ReportAllocs()
	for b.Loop() {
		if err := x.Decode(exec, V4); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSegment(b *testing.B) {
	frames := AppendRequest(nil, Header{Version: V5}, make([]byte, 4096))
	var dst []byte
	b.SetBytes(int64(len(frames)))
	for b.Loop() {
		dst = AppendSegments(dst[:0], frames, false)
		if _, ok, _ := ParseSegment(dst, false); !ok {
			b.Fatal("segment")
		}
	}
}
