package sstable

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/ilion-db/ilion/internal/encoding"
)

// FuzzCodec takes blocks through each compression and back, and any bytes as a
// compressed block.
func FuzzCodec(f *testing.F) {
	f.Add([]byte("abcabcabcabc"), uint16(100), byte(1), uint16(40))
	f.Add([]byte{0xff, 0, 1}, uint16(1), byte(2), uint16(4096))
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x20, 0xff}, uint16(7), byte(3), uint16(255))
	f.Fuzz(func(t *testing.T, p []byte, times uint16, which byte, size uint16) {
		codec := LZ4 + Codec(which)%3
		hostile := make([]byte, size)
		_ = decompress(codec, hostile, p)
		raw := bytes.Repeat(p, 1+int(times)%64)
		if len(raw) == 0 || len(raw) > 1<<17 {
			return
		}
		c := compressor{codec: codec, minRatio: 0.1}
		for range 2 { // the second time with used buffers
			with, stored := c.compress(raw)
			got := make([]byte, len(raw))
			if err := decompress(with, got, stored); err != nil || !bytes.Equal(got, raw) {
				t.Fatalf("%v: %d bytes through %d: %v", with, len(raw), len(stored), err)
			}
			for _, wrong := range []int{len(raw) - 1, len(raw) + 1} {
				if decompress(with, make([]byte, wrong), stored) == nil {
					t.Fatalf("%v: %d bytes went into %d", with, len(raw), wrong)
				}
			}
		}
	})
}

// FuzzFooter decodes footers whose checksums are right.
func FuzzFooter(f *testing.F) {
	whole := footer{version: formatVersion, required: FeatureRowsV1, dataEnd: 100, size: 300,
		sections: []section{{kind: sectionIndex, offset: 100, length: 50}, {kind: sectionProperties, id: 3, offset: 150, length: 150}}}
	f.Add(whole.encode()[:footerFixed+3*sectionLen], int64(4096))
	f.Add([]byte(magic), int64(0))
	f.Fuzz(func(t *testing.T, p []byte, at int64) {
		b := make([]byte, PageSize)
		copy(b, p)
		binary.LittleEndian.PutUint32(b[PageSize-4:], encoding.CRC32C(b[:PageSize-4]))
		got, err := decodeFooter(b, at, "f")
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrFeature) {
				t.Fatal(err)
			}
			return
		}
		if got.size > at {
			t.Fatalf("%+v reaches behind %d", got, at)
		}
		for _, s := range got.sections {
			if s.offset < got.dataEnd || s.length < 0 || s.offset+s.length > got.size {
				t.Fatalf("%+v out of %+v", s, got)
			}
		}
		again, err := decodeFooter(got.encode(), at, "f")
		if err != nil || !bytes.Equal(again.encode(), got.encode()) {
			t.Fatalf("%+v became %+v, %v", got, again, err)
		}
	})
}

// FuzzPropertiesAgain wants decoded properties to be what they are after one
// more encoding.
func FuzzPropertiesAgain(f *testing.F) {
	p := newProperties()
	p.Columns = []Column{{ID: 1, Type: "int"}, {ID: 300, Type: "text", DroppedAt: -5}}
	p.Unknown = []Unknown{{ID: 99, Value: []byte("later")}}
	p.DropTimes.Add(77)
	p.PartitionSize.Add(1 << 20)
	f.Add(p.appendTo(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decodeProperties(b)
		if err != nil {
			return
		}
		want := p.appendTo(nil)
		again, err := decodeProperties(want)
		if err != nil {
			t.Fatalf("%+v: %v", p, err)
		}
		if got := again.appendTo(nil); !bytes.Equal(got, want) {
			t.Fatalf("%x became %x", want, got)
		}
		for _, q := range []float64{0, 0.5, 1} {
			p.PartitionSize.Quantile(q)
		}
		p.DropTimes.Below(1 << 20)
	})
}

// FuzzHistogram checks the histograms against what went in.
func FuzzHistogram(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, p []byte) {
		var h LogHistogram
		var d DropHistogram
		least, most, n := uint64(1<<63), uint64(0), uint64(0)
		for ; len(p) >= 4; p = p[4:] {
			v := binary.LittleEndian.Uint32(p)
			h.Add(uint64(v))
			d.Add(v)
			least, most, n = min(least, uint64(v)), max(most, uint64(v)), n+1
		}
		if h.Total() != n {
			t.Fatalf("%d values of %d", h.Total(), n)
		}
		if n == 0 {
			return
		}
		if lo, hi := h.Quantile(0), h.Quantile(1); lo > hi || lo > 2*least+1 || hi > 2*most+1 {
			t.Fatalf("quantiles %d and %d of values from %d to %d", lo, hi, least, most)
		}
		var sum uint64
		for i, b := range d.Bins {
			sum += b.Count
			if i > 0 && b.Time <= d.Bins[i-1].Time {
				t.Fatalf("bins out of order: %+v", d.Bins)
			}
		}
		if len(d.Bins) > dropBins || sum != n || d.Below(0) != 0 {
			t.Fatalf("%d values in %d bins: %+v", n, len(d.Bins), d.Bins)
		}
	})
}
