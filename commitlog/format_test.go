package commitlog

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/ilion-db/ilion/internal/encoding"
)

// FuzzFormat decodes headers and frames of any bytes: what is taken encodes to
// the same again. Names of segments too are read back as they were written.
func FuzzFormat(f *testing.F) {
	h := header{version: FormatVersion, lane: 3, incarnation: 7, uses: 2, size: MinSegmentSize}
	page := make([]byte, pageSize)
	h.encode(page)
	f.Add(page[:64], uint32(1), "00000001"+segmentSuffix)
	body := make([]byte, 300)
	fr := frame{incarnation: 1, segment: 2, number: 3, synced: 2, length: 300, records: 4, lane: 1}
	fr.encode(body)
	f.Add(body, uint32(1<<32-1), "4294967296"+segmentSuffix)
	f.Fuzz(func(t *testing.T, p []byte, slot uint32, name string) {
		page := make([]byte, pageSize)
		copy(page, p)
		binary.LittleEndian.PutUint32(page[8:], encoding.CRC32C(page[12:]))
		if h, ok := decodeHeader(page); ok {
			again := make([]byte, pageSize)
			h.encode(again)
			if got, ok := decodeHeader(again); !ok || got != h {
				t.Fatalf("%+v became %+v", h, got)
			}
			_ = h.check("f")
		}
		if fr, ok := decodeFrame(p); ok && int(fr.length) <= len(p) {
			again := bytes.Clone(p)
			fr.encode(again)
			if got, ok := decodeFrame(again); !ok || got != fr || !frameIntact(again) {
				t.Fatalf("%+v became %+v", fr, got)
			}
			again[8+int(slot)%int(fr.length-8)] ^= 1
			if got, ok := decodeFrame(again); ok && int(got.length) <= len(again) && frameIntact(again) {
				t.Fatal("a changed frame passes for whole")
			}
		}
		if got, ok := parseSegmentName(segmentName(slot)); !ok || got != slot {
			t.Fatalf("segment %d is %d, %v", slot, got, ok)
		}
		if got, ok := parseSegmentName(name); ok && segmentName(got) != name {
			t.Fatalf("%q is taken for %q", name, segmentName(got))
		}
	})
}
